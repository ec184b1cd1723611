//! [`Proxy`]: stands between the store and its server, and cuts a connection where it is told to.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::store::conformance::Faults;

/// What of a request reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing.
    Before,
    /// A part.
    Within,
    /// All of it, but the answer does not come back.
    After,
}

/// In the order in which they are tried. What writes is not cut after it was done: its tests would have to be others.
const WAYS: [Cut; 3] = [Cut::Before, Cut::Within, Cut::After];

/// The requests that pass before one is cut, how that is cut, and whether it was; and on how many ways they went.
#[derive(Default)]
struct Plan {
    armed: Option<(usize, Cut)>,
    has_cut: bool,
    ways: usize,
}

impl Plan {
    /// A request comes by.
    fn next(&mut self) -> Option<Cut> {
        let (pass, cut) = self.armed?;
        self.armed = pass.checked_sub(1).map(|pass| (pass, cut));
        if self.armed.is_some() {
            return None;
        }
        self.has_cut = true;
        Some(cut)
    }
}

/// It lives in threads of its own.
pub(super) struct Proxy {
    folder: TempDir,
    plan: Arc<Mutex<Plan>>,
    runtime: Option<Runtime>,
}

/// Where the server is.
#[derive(Clone)]
enum Place {
    Socket(PathBuf),
    Address(String, u16),
}

impl Proxy {
    /// In front of the server of an address.
    pub(super) fn new(address: &str) -> Arc<Self> {
        let config: Config = address.parse().unwrap();
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let place = match &config.get_hosts()[0] {
            Host::Tcp(host) => Place::Address(host.clone(), port),
            Host::Unix(folder) => Place::Socket(folder.join(format!(".s.PGSQL.{port}"))),
        };
        let folder = tempfile::tempdir().unwrap();
        let plan = Arc::<Mutex<Plan>>::default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap()
        };
        runtime.spawn(accept(listener, place, Arc::clone(&plan)));
        Arc::new(Self { folder, plan, runtime: Some(runtime) })
    }

    /// The address of a database behind it.
    pub(super) fn url(&self, url: &str) -> String {
        let (_, database) = url.rsplit_once('/').unwrap();
        let user = url.parse::<Config>().unwrap().get_user().unwrap_or("postgres").to_owned();
        format!("postgres://{user}@{}/{database}", self.folder.path().to_str().unwrap().replace('/', "%2F"))
    }

    /// Lets so many requests pass and cuts the next.
    pub(super) fn cut(&self, pass: usize, cut: Cut) {
        let mut plan = self.plan();
        (plan.armed, plan.has_cut) = (Some((pass, cut)), false);
    }

    /// Cuts nothing more; whether it has.
    pub(super) fn mend(&self) -> bool {
        let mut plan = self.plan();
        plan.armed = None;
        std::mem::take(&mut plan.has_cut)
    }

    /// How often something was asked after an answer had come. What is asked at once is one way; for the end of a transaction nobody
    /// waits.
    pub(super) fn ways(&self) -> usize {
        self.plan().ways
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[async_trait]
impl Faults for Proxy {
    fn ways(&self, reads: bool) -> usize {
        if reads { WAYS.len() } else { WAYS.len() - 1 }
    }

    async fn arm(&self, way: usize, place: usize) {
        self.cut(place, WAYS[way]);
    }

    async fn disarm(&self) -> bool {
        self.mend()
    }
}

async fn accept(listener: UnixListener, place: Place, plan: Arc<Mutex<Plan>>) {
    while let Ok((client, _)) = listener.accept().await {
        let (place, plan) = (place.clone(), Arc::clone(&plan));
        tokio::spawn(async move {
            // An error is an end like others: both sides are closed.
            let _ = match place {
                Place::Socket(path) => match UnixStream::connect(path).await {
                    Ok(server) => pass_on(client, server, &plan).await,
                    Err(error) => Err(error),
                },
                Place::Address(host, port) => match TcpStream::connect((host.as_str(), port)).await {
                    Ok(server) => pass_on(client, server, &plan).await,
                    Err(error) => Err(error),
                },
            };
        });
    }
}

async fn pass_on(
    mut client: UnixStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    plan: &Mutex<Plan>,
) -> std::io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_answered = true;
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let asked = &asked[..length?];
                if asked.is_empty() {
                    return Ok(());
                }
                let cut = {
                    let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
                    // A simple query, as against one with values.
                    let is_end = asked.starts_with(b"Q") && asked.ends_with(b"ROLLBACK\0");
                    plan.ways += usize::from(!is_end && std::mem::take(&mut is_answered));
                    plan.next()
                };
                match cut {
                    None => server.write_all(asked).await?,
                    Some(Cut::Before) => return Ok(()),
                    Some(Cut::Within) => return server.write_all(&asked[..asked.len() / 2]).await,
                    Some(Cut::After) => {
                        server.write_all(asked).await?;
                        return is_done(server).await;
                    }
                }
            }
            length = server.read(&mut answered) => {
                let answered = &answered[..length?];
                if answered.is_empty() {
                    return Ok(());
                }
                is_answered = true;
                client.write_all(answered).await?;
            }
        }
    }
}

/// Reads until the server is ready for another request, or has said whether it speaks TLS, which is a letter.
async fn is_done(mut server: impl AsyncRead + Unpin) -> std::io::Result<()> {
    let (mut answered, mut end) = (vec![0; 1 << 16], Vec::new());
    loop {
        let length = server.read(&mut answered).await?;
        end.extend_from_slice(&answered[..length]);
        // `ReadyForQuery`: its kind, its length, and the state of the transaction.
        let is_ready = end.len() >= 6 && end[end.len() - 6..].starts_with(b"Z\0\0\0\x05");
        if length <= 1 || is_ready {
            return Ok(());
        }
        end.drain(..end.len().saturating_sub(6));
    }
}
