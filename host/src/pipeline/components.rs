//! [`Components`]: the bytes of the components that tenants have uploaded, wherever they are kept.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::constraints::ComponentSource;
use crate::store::{Bucket, BucketError, BucketObject, Store, StoreError, StoredComponent};

/// How long an object is left alone that no version has: an upload writes it before the version is there. A day, where an upload
/// takes a minute, so that the clocks of nodes and bucket may differ by hours.
const ORPHANED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Time between two looks for such objects. Each lists the bucket, 1,000 a request, and asks the database about each.
const INTERVAL: Duration = Duration::from_secs(6 * 3_600);

/// Components: in the database, or in a bucket beside it.
#[derive(Clone)]
pub struct Components {
    store: Arc<dyn Store>,
    bucket: Option<Bucket>,
}

impl Components {
    /// With a bucket, what is uploaded from now on goes there. What the database has already stays where it is.
    pub fn new(store: Arc<dyn Store>, bucket: Option<Bucket>) -> Self {
        Self { store, bucket }
    }

    /// Whether there is no bucket, or it can be used.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub async fn check(&self) -> Result<(), BucketError> {
        match &self.bucket {
            Some(bucket) => bucket.check().await,
            None => Ok(()),
        }
    }

    /// The component with that SHA-256, in hexadecimal, if there is one.
    ///
    /// # Errors
    /// It is somewhere, and cannot be had.
    pub async fn get(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match (self.store.component(digest).await?, &self.bucket) {
            (None, _) => Ok(None),
            (Some(StoredComponent::Here(bytes)), _) => Ok(Some(bytes)),
            (Some(StoredComponent::InBucket { size }), Some(bucket)) => match bucket.get(digest, size).await? {
                Some(bytes) => Ok(Some(bytes.into())),
                None => Err(StoreError::Damaged(format!("the bucket has no component {digest} of {size} bytes"))),
            },
            (Some(StoredComponent::InBucket { .. }), None) => Err(StoreError::NoBucket { digest: digest.to_owned() }),
        }
    }

    /// Puts a component where it is to be kept; what the database is told of it.
    pub(super) async fn keep(&self, digest: &str, bytes: Vec<u8>) -> Result<StoredComponent, StoreError> {
        let Some(bucket) = &self.bucket else { return Ok(StoredComponent::Here(bytes)) };
        let size = bytes.len() as u64;
        bucket.put(digest, bytes.into()).await?;
        Ok(StoredComponent::InBucket { size })
    }

    /// Deletes objects that no version has any more, again and again, and never returns. What fails is said in the log and tried
    /// again.
    pub async fn keep_sweeping(&self, clock: &Clock) {
        let Some(bucket) = &self.bucket else { return std::future::pending().await };
        loop {
            tokio::time::sleep(INTERVAL).await;
            match self.sweep(bucket, clock.now()).await {
                Ok(0) => {}
                Ok(deleted) => info!(deleted, "components that no plugin has any more were deleted from the bucket"),
                Err(error) => {
                    warn!(error = with_causes(&error), "the bucket has components that no plugin has any more")
                }
            }
        }
    }

    async fn sweep(&self, bucket: &Bucket, now: Timestamp) -> Result<usize, StoreError> {
        let mut deleted = 0;
        for object in bucket.objects().await? {
            let is_old = now.duration_since(object.written_at) >= ORPHANED_FOR;
            if is_old && self.store.component(&object.digest).await?.is_none() {
                deleted += usize::from(self.delete(bucket, &object).await?);
            }
        }
        Ok(deleted)
    }

    /// Whether it is gone.
    async fn delete(&self, bucket: &Bucket, object: &BucketObject) -> Result<bool, StoreError> {
        let digest = &object.digest;
        let Some(bytes) = bucket.get(digest, object.size).await? else { return Ok(false) };
        bucket.delete(digest).await?;
        // Somebody has uploaded it anew in between, and found it there.
        if self.store.component(digest).await?.is_some() {
            bucket.put(digest, bytes).await?;
            return Ok(false);
        }
        Ok(true)
    }
}

#[async_trait]
impl ComponentSource for Components {
    async fn component(&self, digest: &str) -> Result<Vec<u8>, String> {
        match self.get(digest).await {
            Ok(found) => found.ok_or_else(|| "it is not in the store".to_owned()),
            // A tenant reads in its log why it could not be asked, and need not learn there where the operator keeps what.
            Err(error @ StoreError::Bucket(_)) => {
                warn!(component.digest = digest, error = with_causes(&error), "a component cannot be fetched");
                Err("the object store that has it failed".to_owned())
            }
            Err(error) => Err(with_causes(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{NewVersion, SqlStore, StoreOptions};

    const KEPT: &[u8] = b"kept";
    const ORPHAN: &[u8] = b"an orphan";

    /// Components, of which one is a version's and another nobody's; their digests.
    async fn with_an_orphan() -> (tempfile::TempDir, Components, Bucket, [String; 2]) {
        let data = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqlStore::sqlite(data.path(), StoreOptions::default()).unwrap());
        let bucket = Bucket::in_memory();
        let components = Components::new(Arc::clone(&store), Some(bucket.clone()));
        let digests = [KEPT, ORPHAN].map(crate::constraints::compile::digest);
        for (digest, bytes) in digests.iter().zip([KEPT, ORPHAN]) {
            assert_eq!(
                components.keep(digest, bytes.to_vec()).await.unwrap(),
                StoredComponent::InBucket { size: bytes.len() as u64 }
            );
        }
        let tenant = store.create_tenant("acme", Timestamp::UNIX_EPOCH).await.unwrap().unwrap();
        let version = NewVersion {
            plugin: "p".to_owned(),
            digest: digests[0].clone(),
            component: StoredComponent::InBucket { size: KEPT.len() as u64 },
            world: String::new(),
            descriptor: json!({}),
            tag: None,
            created_at: Timestamp::UNIX_EPOCH,
            signatures: Vec::new(),
        };
        store.tenant(tenant.id).add_version(version).await.unwrap();
        (data, components, bucket, digests)
    }

    #[tokio::test]
    async fn what_no_version_has_is_deleted_after_a_day() {
        let (_data, components, bucket, [kept, orphan]) = with_an_orphan().await;
        let written = bucket.objects().await.unwrap().into_iter().map(|object| object.written_at).max().unwrap();
        let (soon, later) = (written + SignedDuration::from_hours(23), written + SignedDuration::from_hours(25));
        assert_eq!(components.sweep(&bucket, soon).await.unwrap(), 0);
        let size = ORPHAN.len() as u64;
        assert_eq!(bucket.get(&orphan, size).await.unwrap().as_deref(), Some(ORPHAN));
        assert_eq!(components.sweep(&bucket, later).await.unwrap(), 1);
        assert_eq!(bucket.get(&orphan, size).await.unwrap(), None);
        assert_eq!(components.get(&kept).await.unwrap().as_deref(), Some(KEPT));
        assert_eq!(components.sweep(&bucket, later).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_somebody_uploads_while_it_is_deleted_is_put_back() {
        let (_data, components, bucket, [kept, _]) = with_an_orphan().await;
        // As if its version had come after the question whether there is one.
        let object = bucket.objects().await.unwrap().into_iter().find(|object| object.digest == kept).unwrap();
        assert!(!components.delete(&bucket, &object).await.unwrap());
        assert_eq!(components.get(&kept).await.unwrap().as_deref(), Some(KEPT));
    }

    #[tokio::test]
    async fn an_object_that_is_gone_is_an_error_and_not_an_absent_component() {
        let (_data, components, bucket, [kept, orphan]) = with_an_orphan().await;
        bucket.delete(&kept).await.unwrap();
        assert!(matches!(components.get(&kept).await, Err(StoreError::Damaged(_))));
        assert_eq!(components.get(&orphan).await.unwrap(), None, "no version has it");
    }
}
