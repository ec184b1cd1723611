//! An OCI registry in a thread of its own, which keeps to the distribution specification, or does not, in one way.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use scruple::constraints::compile::digest;
use serde_json::json;
use tokio::sync::Notify;

/// What `ada` with the password `secret` is in a header.
const ADA: &str = "Basic YWRhOnNlY3JldA==";
const TOKEN: &str = "a-token";

/// How a registry behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should, with anybody.
    Open,
    /// As it should, with who has a token, which `ada` is given for the password `secret`.
    WantsToken,
    /// As it should, with `ada`, whose password is `secret`.
    WantsPassword,
    /// It gives other bytes for a blob.
    OtherBlob,
    /// It gives more bytes for a blob than the manifest says.
    LongBlob,
    /// It gives another manifest than the digest that it names.
    OtherManifest,
    /// It never ends its manifest within what one may have.
    LongManifest,
    /// It has an upload go on at another address.
    UploadElsewhere,
    /// It is gone when a blob is asked for.
    GoesAway,
    /// It is full.
    Full,
}

#[derive(Default)]
struct Kept {
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: BTreeMap<String, Vec<u8>>,
    log: Vec<String>,
}

struct Shared {
    manner: Manner,
    address: SocketAddr,
    gone: Notify,
    kept: Mutex<Kept>,
}

/// A registry, until it is dropped.
pub struct Registry {
    shared: Arc<Shared>,
}

impl Registry {
    /// Starts one.
    pub fn start(manner: Manner) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { manner, address, gone: Notify::new(), kept: Mutex::default() });
        let state = Arc::clone(&shared);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
                tokio::select! {
                    () = state.gone.notified() => {}
                    _ = async { axum::serve(listener, router).await } => {}
                }
            });
        });
        Self { shared }
    }

    /// A reference into it: `oci://127.0.0.1:40123/acme/rules:1`.
    pub fn reference(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.shared.address)
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.shared.address.to_string()
    }

    /// The manifest under a tag of a repository: `acme/rules:1`.
    pub fn manifest(&self, name: &str) -> Option<Vec<u8>> {
        self.shared.kept().manifests.get(name).cloned()
    }

    /// Keeps a manifest, whatever it says.
    pub fn put_manifest(&self, name: &str, manifest: &[u8]) {
        self.shared.kept().manifests.insert(name.to_owned(), manifest.to_vec());
    }

    /// Keeps a blob.
    pub fn put_blob(&self, bytes: &[u8]) {
        self.shared.kept().blobs.insert(digest(bytes), bytes.to_vec());
    }

    /// The blob of a digest, in hexadecimal.
    pub fn blob(&self, digest: &str) -> Option<Vec<u8>> {
        self.shared.kept().blobs.get(digest).cloned()
    }

    /// Method and path of every request so far, with the user where there was one.
    pub fn log(&self) -> Vec<String> {
        self.shared.kept().log.clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shared.gone.notify_one();
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who asks has to be let in: the answer, if they are not.
    fn challenge(&self, headers: &HeaderMap, repository: &str) -> Option<Response> {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (wanted, challenge) = match self.manner {
            Manner::WantsToken => (
                format!("Bearer {TOKEN}"),
                format!(
                    "Bearer realm=\"http://{}/token\",service=\"here\",scope=\"repository:{repository}:pull,push\"",
                    self.address
                ),
            ),
            Manner::WantsPassword => (ADA.to_owned(), "Basic realm=\"here\"".to_owned()),
            _ => return None,
        };
        (sent != Some(wanted.as_str())).then(|| {
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], error("UNAUTHORIZED", "who are you?"))
                .into_response()
        })
    }

    fn token(&self, headers: &HeaderMap, query: &str) -> Response {
        let of_ada = headers.get(header::AUTHORIZATION).is_some_and(|value| value == ADA);
        let asked_well = query.contains("service=here") && query.contains("scope=repository%3A");
        match of_ada && asked_well {
            true => axum::Json(json!({ "token": TOKEN, "expires_in": 300 })).into_response(),
            false => StatusCode::UNAUTHORIZED.into_response(),
        }
    }
}

fn error(code: &str, message: &str) -> String {
    json!({ "errors": [{ "code": code, "message": message }] }).to_string()
}

fn missing(code: &str) -> Response {
    (StatusCode::NOT_FOUND, error(code, "there is no such thing")).into_response()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default());
    shared.kept().log.push(format!("{method} {path}"));
    if path == "/token" {
        return shared.token(&headers, query);
    }
    let Some(rest) = path.strip_prefix("/v2/") else { return missing("UNSUPPORTED") };
    let parts = ["/blobs/uploads/", "/blobs/", "/manifests/"];
    let found = parts.into_iter().find_map(|part| rest.split_once(part).map(|(name, last)| (part, name, last)));
    let Some((part, repository, last)) = found else { return missing("UNSUPPORTED") };
    if let Some(refused) = shared.challenge(&headers, repository) {
        return refused;
    }
    match (part, method) {
        ("/blobs/uploads/", Method::POST) => begin(&shared, repository),
        ("/blobs/uploads/", Method::PUT) => upload(&shared, query, &body),
        ("/blobs/", Method::GET | Method::HEAD) => blob(&shared, last).await,
        ("/manifests/", Method::PUT) => put_manifest(&shared, &format!("{repository}:{last}"), &body),
        ("/manifests/", Method::GET) => manifest(&shared, repository, last),
        _ => missing("UNSUPPORTED"),
    }
}

fn begin(shared: &Shared, repository: &str) -> Response {
    let location = match shared.manner {
        Manner::Full => {
            return (StatusCode::TOO_MANY_REQUESTS, error("TOOMANYREQUESTS", "full\u{1b}[2J")).into_response();
        }
        Manner::UploadElsewhere => "http://127.0.0.1:9/v2/x/blobs/uploads/1".to_owned(),
        _ => format!("/v2/{repository}/blobs/uploads/1?state=a%2Fb"),
    };
    (StatusCode::ACCEPTED, [(header::LOCATION, location)]).into_response()
}

fn upload(shared: &Shared, query: &str, body: &[u8]) -> Response {
    let found = digest(body);
    // What the place said has to come back as well.
    if !query.contains("state=a%2Fb") || !query.contains(&found) {
        return (StatusCode::BAD_REQUEST, error("DIGEST_INVALID", "not what was announced")).into_response();
    }
    shared.kept().blobs.insert(found, body.to_vec());
    StatusCode::CREATED.into_response()
}

async fn blob(shared: &Shared, name: &str) -> Response {
    let Some(mut bytes) = shared.kept().blobs.get(name.trim_start_matches("sha256:")).cloned() else {
        return missing("BLOB_UNKNOWN");
    };
    match shared.manner {
        Manner::OtherBlob => bytes.iter_mut().for_each(|byte| *byte ^= 1),
        Manner::LongBlob => bytes.push(0),
        Manner::GoesAway => {
            shared.gone.notify_one();
            std::future::pending::<()>().await;
        }
        _ => {}
    }
    bytes.into_response()
}

fn put_manifest(shared: &Shared, name: &str, body: &[u8]) -> Response {
    shared.kept().manifests.insert(name.to_owned(), body.to_vec());
    StatusCode::CREATED.into_response()
}

fn manifest(shared: &Shared, repository: &str, name: &str) -> Response {
    let kept = shared.kept();
    let found = match name.strip_prefix("sha256:") {
        Some(wanted) => kept.manifests.values().find(|manifest| digest(manifest) == wanted),
        None => kept.manifests.get(&format!("{repository}:{name}")),
    };
    let Some(mut bytes) = found.cloned() else { return missing("MANIFEST_UNKNOWN") };
    let told = format!("sha256:{}", digest(&bytes));
    match shared.manner {
        Manner::OtherManifest => bytes.push(b' '),
        Manner::LongManifest => bytes.resize(5 << 20, b' '),
        _ => {}
    }
    let media_type = "application/vnd.oci.image.manifest.v1+json".to_owned();
    let headers = [("docker-content-digest", told), ("content-type", media_type)];
    (headers, bytes).into_response()
}
