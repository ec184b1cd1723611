//! Where a database may be: its servers, one of which takes writes, and how long each may take to answer.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

use crate::store::StoreError;

/// How long a server may take to accept a connection, until it can be asked: longer than a busy one does, shorter than clients
/// wait for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// After how long without a sign of life a server's machine is given up: its network may lose some packets before. Without
/// a limit the system sends them again for a quarter of an hour.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// A connection on which nothing happens is tried after so long, then each [`TRIED_EVERY`], until [`SILENCE_MAX`] is over.
const TRIED_AFTER: Duration = Duration::from_secs(5);

const TRIED_EVERY: Duration = Duration::from_secs(2);

/// What `tokio_postgres` takes where an address says nothing.
const KEEPALIVES_IDLE_UNSET: Duration = Duration::from_secs(2 * 60 * 60);

/// One of the servers that an address names.
pub(super) struct Candidate {
    /// How to speak to it, and to no other.
    pub(super) config: Config,
    /// As an error names it.
    pub(super) name: String,
    /// Until it can be asked.
    pub(super) patience: Duration,
}

/// The servers in an address, in its order.
pub(super) fn candidates(url: &str) -> Result<Vec<Candidate>, StoreError> {
    let address = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Address(error);
    // Where there is TLS, certificate and name are always checked: what other programs call by these names.
    let url = url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    let config: Config = url.parse().map_err(|error| address(Box::new(error)))?;
    let (hosts, ips, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(ips.len());
    if count == 0 {
        return Err(address("it names no host".into()));
    }
    if !hosts.is_empty() && !ips.is_empty() && hosts.len() != ips.len() || ports.len() > 1 && ports.len() != count {
        return Err(address("it has not as many hosts as `hostaddr`s or ports".into()));
    }
    Ok((0..count).map(|place| candidate(&config, place)).collect())
}

fn candidate(all: &Config, place: usize) -> Candidate {
    let mut config = without_host(all);
    let port = all.get_ports().get(place).or_else(|| all.get_ports().first()).copied().unwrap_or(5432);
    config.port(port);
    let mut name = String::new();
    match all.get_hosts().get(place) {
        Some(Host::Tcp(host)) => {
            config.host(host);
            name = format!("{host}:{port}");
        }
        #[cfg(unix)]
        Some(Host::Unix(path)) => {
            config.host_path(path);
            name = format!("{} (port {port})", path.display());
        }
        None => {}
    }
    if let Some(ip) = all.get_hostaddrs().get(place) {
        config.hostaddr(*ip);
        if name.is_empty() {
            name = format!("{ip}:{port}");
        }
    }
    let patience = all.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
    Candidate { config, name, patience }
}

/// Everything that an address says but where.
fn without_host(all: &Config) -> Config {
    let mut config = Config::new();
    if let Some(user) = all.get_user() {
        config.user(user);
    }
    if let Some(password) = all.get_password() {
        config.password(password);
    }
    if let Some(dbname) = all.get_dbname() {
        config.dbname(dbname);
    }
    if let Some(options) = all.get_options() {
        config.options(options);
    }
    config.application_name(all.get_application_name().unwrap_or("scruple"));
    config.ssl_mode(all.get_ssl_mode()).ssl_negotiation(all.get_ssl_negotiation());
    config.channel_binding(all.get_channel_binding());
    // There is nothing that this program does without writing: a server that takes no writes is passed over, whatever else
    // is said.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    config.tcp_user_timeout(all.get_tcp_user_timeout().copied().unwrap_or(SILENCE_MAX));
    let idle = Some(all.get_keepalives_idle()).filter(|idle| *idle != KEEPALIVES_IDLE_UNSET);
    config.keepalives(all.get_keepalives()).keepalives_idle(idle.unwrap_or(TRIED_AFTER));
    config.keepalives_interval(all.get_keepalives_interval().unwrap_or(TRIED_EVERY));
    config.keepalives_retries(all.get_keepalives_retries().unwrap_or(3));
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(url: &str) -> Vec<String> {
        candidates(url).unwrap().into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn an_address_may_name_several_servers_by_name_number_and_socket() {
        assert_eq!(names("postgres://u@a,b:5433/d"), ["a:5432", "b:5433"]);
        assert_eq!(names("postgres://u@%2Frun%2Fa,%2Frun%2Fb:7/d"), ["/run/a (port 5432)", "/run/b (port 7)"]);
        assert_eq!(names("host=a,/run/b port=1,2 user=u"), ["a:1", "/run/b (port 2)"]);
        assert_eq!(names("hostaddr=127.0.0.1,::1 port=9 user=u"), ["127.0.0.1:9", "::1:9"]);
    }

    #[test]
    fn an_address_without_a_server_is_refused() {
        for url in ["user=u", "host=a,b port=1,2,3", "host=a,b hostaddr=127.0.0.1"] {
            assert!(matches!(candidates(url), Err(StoreError::Address(_))), "{url}");
        }
    }

    #[test]
    fn a_certificate_is_checked_by_every_name_for_that() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let asked = candidates(&format!("postgres://u@a/d?sslmode={mode}")).unwrap();
            assert_eq!(asked[0].config.get_ssl_mode(), tokio_postgres::config::SslMode::Require, "{mode}");
        }
    }

    #[test]
    fn what_an_address_says_is_said_of_each_server() {
        let url = "postgres://ada:secret@a,b/d?sslmode=require&application_name=x&connect_timeout=2&keepalives_idle=60\
                   &tcp_user_timeout=3";
        for one in candidates(url).unwrap() {
            let config = &one.config;
            assert_eq!((config.get_user(), config.get_password()), (Some("ada"), Some(&b"secret"[..])));
            assert_eq!((config.get_dbname(), config.get_application_name()), (Some("d"), Some("x")));
            assert_eq!(config.get_ssl_mode(), tokio_postgres::config::SslMode::Require);
            assert_eq!(one.patience, Duration::from_secs(2));
            assert_eq!(config.get_keepalives_idle(), Duration::from_secs(60));
            assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(3)));
            assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        }
    }
}
