//! An object store for tests: as much of S3's protocol as is spoken to it, on loopback, in memory, and at fault when it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;

/// The bucket that there is.
pub const BUCKET: &str = "components";

/// The key that it lets in, as a server takes it from its environment.
pub const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "the-tests-key"),
    ("AWS_SECRET_ACCESS_KEY", "the-tests-secret"),
    ("AWS_REGION", "eu-north-1"),
];

/// An object store with one bucket.
#[derive(Clone)]
pub struct ObjectServer {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<Objects>>,
}

#[derive(Default)]
struct Objects {
    objects: BTreeMap<String, Bytes>,
    /// How often an object was read.
    reads: usize,
    /// Whether it answers every request that it is broken.
    is_broken: bool,
}

impl ObjectServer {
    /// Starts it; it ends with the test.
    pub async fn start() -> Self {
        let state: Arc<Mutex<Objects>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new()
            .route("/{bucket}", get(list))
            .route("/{bucket}/{*key}", get(read).put(write).delete(delete))
            // As large as a component may be.
            .layer(axum::extract::DefaultBodyLimit::max(33 << 20))
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    /// The settings of a server that keeps components in it.
    pub fn settings(&self) -> String {
        format!("components = \"s3://{BUCKET}/of/scruple\"\ncomponents_endpoint = \"http://{}\"\n", self.address)
    }

    /// The names and sizes of what it has.
    pub fn objects(&self) -> Vec<(String, usize)> {
        self.lock().objects.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect()
    }

    /// How often an object was read.
    pub fn reads(&self) -> usize {
        self.lock().reads
    }

    /// Puts other bytes in the place of an object's.
    pub fn replace(&self, name: &str, bytes: &[u8]) {
        self.lock().objects.insert(name.to_owned(), Bytes::copy_from_slice(bytes));
    }

    /// Has it answer every request that it is broken, or no longer.
    pub fn be_broken(&self, is_broken: bool) {
        self.lock().is_broken = is_broken;
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        lock(&self.state)
    }
}

type Shared = State<Arc<Mutex<Objects>>>;

fn lock(state: &Mutex<Objects>) -> MutexGuard<'_, Objects> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is wrong with a request, whatever it asks for.
fn refusal(state: &Mutex<Objects>, bucket: &str, headers: &HeaderMap) -> Option<Response> {
    let credential = format!("Credential={}/", CREDENTIALS[0].1);
    let signed = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (status, code) = if lock(state).is_broken {
        (StatusCode::NOT_IMPLEMENTED, "NotImplemented")
    } else if signed.is_none_or(|signed| !signed.contains(&credential)) {
        (StatusCode::FORBIDDEN, "InvalidAccessKeyId")
    } else if bucket != BUCKET {
        (StatusCode::NOT_FOUND, "NoSuchBucket")
    } else {
        return None;
    };
    Some((status, format!("<Error><Code>{code}</Code><Message>so it says</Message></Error>")).into_response())
}

/// `ListObjectsV2`, in one page.
async fn list(
    State(state): Shared,
    Path(bucket): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refusal(&state, &bucket, &headers) {
        return refusal;
    }
    let prefix = query.get("prefix").cloned().unwrap_or_default();
    let objects = lock(&state);
    let found = objects.objects.iter().filter(|(name, _)| name.starts_with(&prefix));
    let contents: String = found
        .map(|(name, bytes)| {
            let (size, now) = (bytes.len(), Timestamp::UNIX_EPOCH);
            format!("<Contents><Key>{name}</Key><Size>{size}</Size><LastModified>{now}</LastModified></Contents>")
        })
        .collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>").into_response()
}

async fn read(State(state): Shared, Path((bucket, key)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if let Some(refusal) = refusal(&state, &bucket, &headers) {
        return refusal;
    }
    let mut objects = lock(&state);
    objects.reads += 1;
    match objects.objects.get(&key) {
        Some(bytes) => {
            ([(header::LAST_MODIFIED, "Thu, 01 Jan 1970 00:00:00 GMT"), (header::ETAG, "\"1\"")], bytes.clone())
                .into_response()
        }
        None => (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response(),
    }
}

async fn write(
    State(state): Shared,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    if let Some(refusal) = refusal(&state, &bucket, &headers) {
        return refusal;
    }
    lock(&state).objects.insert(key, bytes);
    [(header::ETAG, "\"1\"")].into_response()
}

async fn delete(State(state): Shared, Path((bucket, key)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if let Some(refusal) = refusal(&state, &bucket, &headers) {
        return refusal;
    }
    lock(&state).objects.remove(&key);
    StatusCode::NO_CONTENT.into_response()
}
