//! [`Bucket`]: components in an object store that speaks S3's protocol, beside the database.
//!
//! An object's name is its component's digest, so that it never changes, and whoever writes it a second time writes the same.
//! The database has the say on what there is: a component that none of its versions has is nobody's, wherever its bytes are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, RetryConfig};
use thiserror::Error;

/// Longest that one request may take, its answer included. 30 s: the largest component of 32 MiB at 1 MiB a second.
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// Longest until a connection is there.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How often a request that failed is sent again, and until when: somebody waits for the upload, or for the first write of his
/// tenant on this node.
const RETRIES_MAX: usize = 3;
const RETRY_MAX: Duration = Duration::from_secs(10);

/// The object store did not do what it was asked, or cannot be asked.
#[derive(Debug, Error)]
pub enum BucketError {
    /// What is to be its address is none.
    #[error("`{url}` is no address of a bucket: `[store] components` takes `s3://bucket/prefix`")]
    Address {
        /// What was given.
        url: String,
    },
    /// It is not there, or refuses us.
    #[error(
        "the bucket `{url}` cannot be used: it has to exist, and the credentials in the environment (AWS_ACCESS_KEY_ID, \
         AWS_SECRET_ACCESS_KEY, or a role) have to let objects be listed, read, written and deleted there"
    )]
    Unusable {
        /// Which.
        url: String,
        /// What it says.
        #[source]
        source: Box<object_store::Error>,
    },
    /// Something went wrong with an object.
    #[error("the component {name} cannot be {doing} the bucket `{url}`")]
    Object {
        /// Which bucket.
        url: String,
        /// Which object.
        name: String,
        /// "written to", "read from", "deleted from".
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<object_store::Error>,
    },
}

/// A bucket, or the part of one below a prefix.
#[derive(Clone, Debug)]
pub struct Bucket {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    url: String,
}

/// An object that a bucket has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketObject {
    /// The digest that it is named by.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written last.
    pub written_at: Timestamp,
}

impl Bucket {
    /// The bucket at an address such as `s3://bucket/prefix`, of another object store than Amazon's if there is an `endpoint`.
    /// Credentials and the region come from the environment, as Amazon's own tools take them. Nothing is asked yet.
    ///
    /// # Errors
    /// The address is none.
    pub fn at(url: &str, endpoint: Option<&str>) -> Result<Self, BucketError> {
        // Another client of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let no_address = || BucketError::Address { url: url.to_owned() };
        let below = url.strip_prefix("s3://").ok_or_else(no_address)?;
        let prefix = below.split_once('/').map_or("", |(_, prefix)| prefix);
        let prefix = Path::parse(prefix).map_err(|_| no_address())?;
        let retry =
            RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES_MAX, retry_timeout: RETRY_MAX };
        let client = ClientOptions::new().with_timeout(REQUEST_MAX).with_connect_timeout(CONNECT_MAX);
        let mut builder = AmazonS3Builder::from_env()
            .with_url(url)
            .with_retry(retry)
            .with_client_options(client)
            // Not every object store has the other kind, and there is one to be deleted at a time.
            .with_disable_bulk_delete(true);
        if let Some(endpoint) = endpoint {
            // What is not encrypted is named so by whoever sets it.
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        let prefixed = |objects| Self::of(Arc::new(objects), prefix, url);
        builder.build().map(prefixed).map_err(|error| unusable(url, error))
    }

    fn of(objects: Arc<dyn ObjectStore>, prefix: Path, url: &str) -> Self {
        Self { objects, prefix, url: url.to_owned() }
    }

    /// Whether it is there and lets us in, as far as that shows without writing.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub async fn check(&self) -> Result<(), BucketError> {
        let first = self.list().try_next().await;
        first.map(drop).map_err(|error| unusable(&self.url, error))
    }

    /// Writes a component. Returns once it is durable.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn put(&self, digest: &str, component: Bytes) -> Result<(), BucketError> {
        let put = self.objects.put(&self.path(digest), component.into()).await;
        put.map(drop).map_err(|source| self.failed(digest, "written to", source))
    }

    /// Reads a component, if one of that size is there: what somebody has put in its place may be too large for our memory. What it
    /// is is for the caller to check.
    ///
    /// # Errors
    /// It could not be read.
    pub async fn get(&self, digest: &str, size: u64) -> Result<Option<Bytes>, BucketError> {
        let read = async {
            let found = self.objects.get(&self.path(digest)).await?;
            if found.meta.size == size { found.bytes().await.map(Some) } else { Ok(None) }
        };
        match read.await {
            Ok(bytes) => Ok(bytes),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.failed(digest, "read from", source)),
        }
    }

    /// Deletes a component, if it is there.
    ///
    /// # Errors
    /// It could not be deleted.
    pub async fn delete(&self, digest: &str) -> Result<(), BucketError> {
        match self.objects.delete(&self.path(digest)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.failed(digest, "deleted from", source)),
        }
    }

    /// Every component that it has.
    ///
    /// # Errors
    /// It could not be listed.
    pub async fn objects(&self) -> Result<Vec<BucketObject>, BucketError> {
        let listed: Result<Vec<ObjectMeta>, _> = self.list().try_collect().await;
        let listed = listed.map_err(|error| unusable(&self.url, error))?;
        let object = |meta: ObjectMeta| {
            let digest = meta.location.filename().filter(|name| is_digest(name))?.to_owned();
            let written_at = Timestamp::from_second(meta.last_modified.timestamp()).ok()?;
            Some(BucketObject { digest, size: meta.size, written_at })
        };
        // Whatever else somebody keeps there is not ours.
        Ok(listed.into_iter().filter_map(object).collect())
    }

    fn list(&self) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.objects.list(Some(&self.prefix))
    }

    fn path(&self, digest: &str) -> Path {
        self.prefix.clone().join(digest)
    }

    fn failed(&self, name: &str, doing: &'static str, source: object_store::Error) -> BucketError {
        BucketError::Object { url: self.url.clone(), name: name.to_owned(), doing, source: Box::new(source) }
    }
}

fn unusable(url: &str, source: object_store::Error) -> BucketError {
    BucketError::Unusable { url: url.to_owned(), source: Box::new(source) }
}

/// SHA-256 in hexadecimal.
fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
impl Bucket {
    /// One in memory.
    pub(crate) fn in_memory() -> Self {
        Self::of(Arc::new(object_store::memory::InMemory::new()), Path::from("components"), "memory")
    }
}
