//! [`Server`]: where the database is, and how to speak to it.

use std::error::Error as _;
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;

use futures_util::FutureExt as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{Candidate, candidates};
use super::line::{Carrying, Line};
use super::session::Session;
use crate::store::StoreError;
use crate::store::sql::driver::{Error, of_server};

/// What every session is told first. No statement of ours takes longer than some seconds but in a migration, and one that
/// waits for a lock for so long waits for somebody who is stuck. Nor is one worth compiling to machine code, whatever a plan
/// is thought to cost.
const SETTINGS: &str = "SET default_transaction_isolation = 'serializable'; SET timezone = 'UTC'; SET client_min_messages = warning; \
     SET jit = off; SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'";

/// The time in which one server answers: when another one does, or it does not any more, its sessions are of use to nobody.
#[derive(Default)]
pub(super) struct Era(AtomicU64);

impl Era {
    /// Which it is.
    pub(super) fn number(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Another one begins.
    pub(super) fn end(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The servers of a database, of which one takes writes, and the runtime that its sessions live in.
pub(in crate::store::sql) struct Server {
    candidates: Vec<Candidate>,
    /// The one that took writes last: it is asked first.
    first: AtomicUsize,
    era: Arc<Era>,
    tls: MakeRustlsConnect,
    runtime: Handle,
}

impl Server {
    /// From an address: `postgres://user:password@host:port/database?sslmode=require`, or with several hosts, separated by
    /// commas, of which that is used which takes writes. Certificates are checked against those in `ca_file`, or else those
    /// that the system trusts.
    pub(in crate::store::sql) fn new(url: &str, ca_file: Option<&Path>, runtime: Handle) -> Result<Self, StoreError> {
        let tls = MakeRustlsConnect::new(tls(ca_file)?);
        Ok(Self { candidates: candidates(url)?, first: AtomicUsize::new(0), era: Arc::default(), tls, runtime })
    }

    /// Where the sessions live.
    pub(in crate::store::sql) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Begins a session for one who waits for each answer. Waits for it.
    pub(in crate::store::sql) fn connect(&self) -> Result<Session, StoreError> {
        let runtime = Line::runtime().map_err(|error| StoreError::Database(Box::new(error)))?;
        let (client, carrying) = runtime.block_on(self.first_that_writes(|| {}))?;
        Ok(self.session(client, Line::own(runtime, carrying)))
    }

    /// Begins a session for those who do not wait.
    pub(in crate::store::sql) async fn connect_async(&self) -> Result<Session, StoreError> {
        let (client, carrying) = self.first_that_writes(|| {}).await?;
        Ok(self.session(client, Line::task(&self.runtime, carrying)))
    }

    /// Begins a session in which somebody is told of each notification, whether anything is asked or not. Waits for it.
    pub(super) fn connect_listening(&self, hints: Arc<Notify>) -> Result<Session, StoreError> {
        let (client, carrying) = self.runtime.block_on(self.first_that_writes(move || hints.notify_one()))?;
        Ok(self.session(client, Line::task(&self.runtime, carrying)))
    }

    fn session(&self, client: Client, line: Line) -> Session {
        Session::new(client, line, Arc::clone(&self.era))
    }

    /// A connection to the first that takes writes, and what carries it.
    async fn first_that_writes(
        &self,
        notified: impl FnMut() + Clone + Send + 'static,
    ) -> Result<(Client, Carrying), StoreError> {
        let first = self.first.load(Ordering::Relaxed);
        let places = (first..self.candidates.len()).chain(0..first);
        let mut refusals = Vec::new();
        for place in places {
            let Some(candidate) = self.candidates.get(place) else { continue };
            // For all of it: a machine that hangs accepts connections and says nothing.
            match tokio::time::timeout(candidate.patience, self.connect_to(candidate, notified.clone())).await {
                Ok(Ok(connected)) => {
                    // Another one takes writes now: what is read at the one before may be old.
                    if self.first.swap(place, Ordering::Relaxed) != place {
                        self.era.end();
                    }
                    return Ok(connected);
                }
                Ok(Err(error)) => refusals.push(format!("{}: {}", candidate.name, refusal(&error))),
                Err(_) => refusals.push(format!("{}: no answer in {:?}", candidate.name, candidate.patience)),
            }
        }
        Err(StoreError::Unreachable(refusals.join("; ").into()))
    }

    async fn connect_to(
        &self,
        candidate: &Candidate,
        mut notified: impl FnMut() + Send + 'static,
    ) -> Result<(Client, Carrying), tokio_postgres::Error> {
        let (client, mut connection) = candidate.config.connect(self.tls.clone()).await?;
        let carry = async move {
            loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(_))) => notified(),
                    Some(Ok(_)) => {}
                    // Whoever waits for an answer on this connection is told as well.
                    Some(Err(error)) => {
                        tracing::warn!(error = %Error::from(error), "a connection to the database has ended");
                        return;
                    }
                    None => return,
                }
            }
        };
        // However often it is asked after its end: that must not be the end of the process.
        let mut carrying: Carrying = Box::pin(carry.fuse());
        let mut has_ended = false;
        {
            let mut set = pin!(client.batch_execute(SETTINGS));
            poll_fn(|context| match set.as_mut().poll(context) {
                Poll::Pending if !has_ended => {
                    has_ended = carrying.as_mut().poll(context).is_ready();
                    set.as_mut().poll(context)
                }
                polled => polled,
            })
            .await?;
        }
        if has_ended {
            // The server has ended it with its answer. So there is nobody to be asked, which asking says.
            client.batch_execute("").await?;
        }
        Ok((client, carrying))
    }
}

/// Why a server is not the one.
fn refusal(error: &tokio_postgres::Error) -> String {
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    // What `tokio_postgres` makes of a server that does not take writes; the system's own refusal has a number.
    let is_read_only = |source: &std::io::Error| {
        source.kind() == std::io::ErrorKind::PermissionDenied && source.raw_os_error().is_none()
    };
    if source.is_some_and(is_read_only) {
        return "it is read-only: a standby, or one whose `default_transaction_read_only` is on".to_owned();
    }
    match advice(error) {
        Some(advice) => format!("{} ({advice})", of_server(error)),
        None => of_server(error),
    }
}

/// What to do about it.
fn advice(error: &tokio_postgres::Error) -> Option<&'static str> {
    if let Some(code) = error.code() {
        return match *code {
            SqlState::INVALID_CATALOG_NAME => Some("make it: it need not have anything in it"),
            SqlState::INVALID_PASSWORD => Some("see the user and the password in its address"),
            // It wants TLS, or us not at all.
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                Some("see its `pg_hba.conf`; if it asks for TLS, say `sslmode=require` in its address")
            }
            SqlState::TOO_MANY_CONNECTIONS => Some("lower `snapshots_max`, or raise its `max_connections`"),
            _ => None,
        };
    }
    let source = error.source()?.to_string();
    if source.contains("UnknownIssuer") {
        return Some("put the certificate of its authority into the file of `database_ca`");
    }
    source.contains("not valid for name").then_some("name it in its address as its certificate does")
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, StoreError> {
    let path_error = |path: &Path, source: std::io::Error| StoreError::Path { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let pem = std::fs::read(path).map_err(|source| path_error(path, source))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let added = certificate
                    .map_err(std::io::Error::other)
                    .and_then(|certificate| roots.add(certificate).map_err(std::io::Error::other));
                added.map_err(|source| path_error(path, source))?;
            }
            if roots.is_empty() {
                return Err(path_error(path, std::io::Error::other("there is no certificate in it")));
            }
        }
        None => {
            let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.map_err(|error| StoreError::Database(Box::new(error)))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};

    use super::*;

    const AUTHENTICATED: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    /// One row, in whose only column stands `off`.
    const OFF: &[u8] = b"T\0\0\0\x1a\0\x01x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0\
        D\0\0\0\x0d\0\x01\0\0\0\x03offC\0\0\0\x09SHOW\0Z\0\0\0\x05I";
    const SET: &[u8] = b"C\0\0\0\x08SET\0Z\0\0\0\x05I";

    /// A server that takes writes, and ends each connection with the answer to its settings.
    fn ends_at_once() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut asked = [0; 4_096];
                for answer in [AUTHENTICATED, OFF, SET] {
                    if stream.read(&mut asked).is_ok() {
                        stream.write_all(answer).unwrap();
                    }
                }
            }
        });
        address
    }

    #[test]
    fn a_connection_that_ends_with_the_answer_to_its_settings_is_none() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = format!("postgres://scruple@{}/scruple?sslmode=disable", ends_at_once());
        let server = Server::new(&url, None, runtime.handle().clone()).unwrap();
        // Now and then the end is seen only after the answer: then it is the session that says so.
        for _ in 0..200 {
            match server.connect() {
                Ok(session) => drop(session),
                Err(StoreError::Unreachable(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
}
