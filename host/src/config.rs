//! What can be set, one struct a concern, read once from a TOML file and checked. An unknown key is an error: a
//! misspelt limit must not silently be the default.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::constraints::Limits;
use crate::constraints::admission::WRITES_WAITING_MAX;
use crate::constraints::limits::{POOL_MEMORY_BYTES_MAX, POOL_TABLE_ELEMENTS_MAX};
use crate::constraints::loader::LOADED_BYTES_MAX;
use crate::scim::limits::{OutOfRange, ScimLimits};
use crate::tables::TableLimits;

/// The configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, has an unknown key, or a value of the wrong type. The message names line and key.
    #[error("`{}` is not a valid configuration:\n{message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// With line and column.
        message: String,
    },
    /// A value is out of its range.
    #[error("`{key}` is {found}, but must be {expected}")]
    Range {
        /// Dotted.
        key: String,
        /// What it is.
        found: String,
        /// What it may be.
        expected: String,
    },
}

/// The whole configuration. Every key has a default: `scruple serve` needs no file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[scim]`
    pub scim: ScimConfig,
    /// `[store]`
    pub store: StoreConfig,
    /// `[tables]`: how large a tenant's tables may be, and how many.
    pub tables: TableLimits,
    /// `[sandbox]`
    pub sandbox: SandboxConfig,
}

/// Where the server listens and how it is reached.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The folder for everything the server keeps.
    pub data: PathBuf,
    /// Scheme, host and port that clients use, without a slash at the end: what `meta.location` begins with. Without
    /// it, what a trusted proxy says, else `http://` and the request's `Host`.
    pub public_url: Option<String>,
    /// Addresses and networks (`10.0.0.0/8`) whose `Forwarded` (RFC 7239) and `X-Forwarded-Proto`, `-Host` and `-Port`
    /// are believed. Such a proxy has to set or remove all four: what it passes through is the client's word.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long a server that is told to stop (SIGTERM) still takes requests, in seconds, while `/readyz` says 503 and each answer
    /// closes its connection: the time that whoever sends it requests needs to see that. On Ctrl-C it does not.
    pub leave_seconds: u64,
    /// How long a stopping server waits for requests that are under way, in seconds.
    pub drain_seconds: u64,
    /// Bytes of components that are kept in memory at the most. Below what one takes, each evaluation loads its own.
    pub components_loaded_bytes_max: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data: PathBuf::from("scruple-data"),
            public_url: None,
            trusted_proxies: Vec::new(),
            leave_seconds: 2,
            drain_seconds: 20,
            components_loaded_bytes_max: LOADED_BYTES_MAX,
        }
    }
}

/// Addresses, and networks in the notation of RFC 4632 §3.1.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let network = |text: &String| {
        let address = || text.parse::<IpAddr>().map(IpNet::from).ok();
        text.parse().ok().or_else(address).ok_or_else(|| {
            D::Error::custom(format!("`{text}` is neither an address nor a network such as `10.0.0.0/8`"))
        })
    };
    texts.iter().map(network).collect()
}

/// Limits of the SCIM endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScimConfig {
    /// Resources on a page when the client names no `count`.
    pub page_size: usize,
    /// Resources on a page at the most; larger counts are lowered to it (RFC 7644 §3.4.2.4 allows fewer).
    pub page_size_max: usize,
    /// For how long a cursor of a list is good, in seconds (RFC 9865 §4, `cursorTimeout`). An hour: time for a client that
    /// writes each of a page's 1,000 resources somewhere else before it asks for the next.
    pub cursor_seconds: u64,
    /// Bytes of a request body. 8 MiB holds a PUT of a group with 100,000 members: a member is an object with an id of
    /// 36 characters, about 53 bytes when sent compactly (5.3 MB), 80 with `$ref` left empty and spaces.
    pub body_bytes_max: usize,
    /// Requests a second with one token; 0 sets no limit. A token that was idle may send a second's worth at once.
    /// 10,000: Entra ID wants to send 25 a second for a tenant, somebody who imports a directory with 64 connections some
    /// thousands, and about ten thousand reads is what two cores answer; so nobody who works notices, and a loop without a
    /// pause leaves room for others. Where many tenants share a server, 1,000 is plenty.
    pub requests_per_second: u32,
    /// Requests of a tenant that were answered with 202 and are not finished; with more of them `Prefer: respond-async` is
    /// passed over, with 0 always. 32: of one tenant 16 changes are judged at a time (`store.snapshots_max`), and as many
    /// wait, so that a place that comes free is taken at once. With the largest bodies that is 256 MiB of requests.
    pub async_requests_max: usize,
    /// Writes of a tenant that wait to be judged; one more is 503. See [`WRITES_WAITING_MAX`].
    pub writes_waiting_max: usize,
    /// `[scim.limits]`: of one request.
    pub limits: ScimLimits,
}

impl Default for ScimConfig {
    fn default() -> Self {
        Self {
            page_size: 100,
            page_size_max: 1_000,
            cursor_seconds: 3_600,
            body_bytes_max: 8 << 20,
            requests_per_second: 10_000,
            async_requests_max: 32,
            writes_waiting_max: WRITES_WAITING_MAX,
            limits: ScimLimits::DEFAULT,
        }
    }
}

impl ScimConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let Some(OutOfRange { name, found, least, most }) = self.limits.out_of_range() else { return Ok(()) };
        let key = format!("scim.limits.{name}");
        Err(ConfigError::Range { key, found: found.to_string(), expected: format!("from {least} to {most}") })
    }
}

/// Days of a partition: from the shortest time that decisions are kept to what leaves few to drop in a year.
const PARTITION_DAYS: RangeInclusive<u32> = 1..=366;

impl StoreConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let Some(found) = self.decisions_partition_days.filter(|days| !PARTITION_DAYS.contains(days)) else {
            return Ok(());
        };
        Err(ConfigError::Range {
            key: "store.decisions_partition_days".to_owned(),
            found: found.to_string(),
            expected: format!("from {} to {}", PARTITION_DAYS.start(), PARTITION_DAYS.end()),
        })
    }
}

fn check_tables(limits: &TableLimits) -> Result<(), ConfigError> {
    for (name, get, least, most) in TableLimits::RANGES {
        let found = get(limits);
        if !(least..=most).contains(&found) {
            let (key, expected) = (format!("tables.{name}"), format!("from {least} to {most}"));
            return Err(ConfigError::Range { key, found: found.to_string(), expected });
        }
    }
    Ok(())
}

/// Where resources, constraints and decisions are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Address of a PostgreSQL database, `postgres://user:password@host/database?sslmode=require`, or with several hosts, by
    /// commas, of which the one that takes writes is used; without an address, a file of SQLite's in the data folder.
    pub database: Option<String>,
    /// File with the certificates (PEM) that the database server's is checked against, instead of those that the system trusts.
    pub database_ca: Option<PathBuf>,
    /// Snapshots that may live at once, each a connection with up to 1 MiB of cache. A change holds one while it is
    /// judged; whoever wants another waits, ten seconds at most.
    pub snapshots_max: usize,
    /// Changes in one transaction at the most. 1 switches group commit off.
    pub batch_max: usize,
    /// Folder in which decisions are written down, as lines of JSON, before they are dropped because their tenant keeps them no
    /// longer; without one, they are dropped only.
    pub decisions_exported_to: Option<PathBuf>,
    /// Has the decision log in partitions of so many days, which are dropped whole once no tenant keeps anything in them: of PostgreSQL
    /// only. Without it, decisions are dropped a few at a time. When it is taken away again, the partitions that there are stay.
    pub decisions_partition_days: Option<u32>,
    /// Bucket of an object store with S3's protocol that components are kept in, `s3://bucket/prefix`; without one, they are in the
    /// database. Credentials and the region come from the environment, as Amazon's own tools take them.
    pub components: Option<String>,
    /// Where that object store is, if it is not Amazon's: `https://objects.example.com`.
    pub components_endpoint: Option<String>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            database: None,
            database_ca: None,
            snapshots_max: 64,
            batch_max: 256,
            decisions_exported_to: None,
            decisions_partition_days: None,
            components: None,
            components_endpoint: None,
        }
    }
}

/// Declares `[sandbox]`: the limits that can be set, each a field of [`Limits`], which documents it and its default.
macro_rules! sandbox_config {
    ($($field:ident: $type:ty),+ $(,)?) => {
        /// Limits of every evaluation, `[sandbox]`. Each is documented with its default in [`Limits`].
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct SandboxConfig {
            $(
                #[doc = concat!("See [`Limits::", stringify!($field), "`].")]
                pub $field: Option<$type>,
            )+
        }

        impl SandboxConfig {
            /// The limits: what is set here, the defaults for the rest.
            pub fn limits(&self) -> Limits {
                let mut limits = Limits::default();
                $(if let Some(value) = self.$field { limits.$field = value; })+
                limits
            }

            /// What is set to nothing at all: no constraint could be evaluated.
            fn check_positive(&self) -> Result<(), ConfigError> {
                $(if self.$field == Some(0) {
                    let key = concat!("sandbox.", stringify!($field)).to_owned();
                    return Err(ConfigError::Range { key, found: "0".to_owned(), expected: "at least 1".to_owned() });
                })+
                Ok(())
            }
        }
    };
}

sandbox_config! {
    fuel_max: u64,
    fuel_about_max: u64,
    deadline_ms: u64,
    look_up_wait_ms: u64,
    memory_bytes_max: usize,
    table_elements_max: usize,
    stack_bytes_max: usize,
    host_calls_max: u32,
    output_bytes_max: usize,
    read_bytes_max: usize,
    look_ups_max: usize,
    table_look_ups_max: usize,
    members_read_max: usize,
    edits_max: usize,
    log_bytes_max: usize,
    warnings_bytes_max: usize,
    component_bytes_max: usize,
    compile_memory_bytes_max: u64,
    compile_cpu_seconds_max: u64,
    compile_seconds_max: u64,
    compiled_bytes_max: usize,
}

impl SandboxConfig {
    fn check(&self) -> Result<(), ConfigError> {
        self.check_positive()?;
        let limits = self.limits();
        for (key, found, most) in [
            ("sandbox.memory_bytes_max", limits.memory_bytes_max, POOL_MEMORY_BYTES_MAX),
            ("sandbox.table_elements_max", limits.table_elements_max, POOL_TABLE_ELEMENTS_MAX),
            // Half of a fiber's stack; the other half is for the host functions that a guest calls on it.
            ("sandbox.stack_bytes_max", limits.stack_bytes_max, Limits::default().stack_bytes_max),
        ] {
            if found > most {
                let key = key.to_owned();
                return Err(ConfigError::Range { key, found: found.to_string(), expected: format!("at most {most}") });
            }
        }
        Ok(())
    }
}

impl Config {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), message: error.to_string() })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let positive = |key: &str, found: usize| match found {
            0 => Err(ConfigError::Range {
                key: key.to_owned(),
                found: found.to_string(),
                expected: "at least 1".to_owned(),
            }),
            _ => Ok(()),
        };
        positive("scim.page_size", self.scim.page_size)?;
        positive("scim.page_size_max", self.scim.page_size_max)?;
        positive("scim.cursor_seconds", usize::try_from(self.scim.cursor_seconds).unwrap_or(usize::MAX))?;
        positive("scim.body_bytes_max", self.scim.body_bytes_max)?;
        positive("store.snapshots_max", self.store.snapshots_max)?;
        positive("store.batch_max", self.store.batch_max)?;
        self.scim.check()?;
        self.store.check()?;
        check_tables(&self.tables)?;
        self.sandbox.check()?;
        match &self.server.public_url {
            Some(url) if !(url.starts_with("http://") || url.starts_with("https://")) || url.ends_with('/') => {
                Err(ConfigError::Range {
                    key: "server.public_url".to_owned(),
                    found: format!("`{url}`"),
                    expected: "`http://…` or `https://…` without a slash at the end".to_owned(),
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("scruple.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_is_the_default_configuration() {
        assert_eq!(parse(""), Ok(Config::default()));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = parse("[sandbox]\nfule_max = 1\n").unwrap_err();
        assert!(error.contains("fule_max") && error.contains("scruple.toml"), "{error}");
    }

    #[test]
    fn what_is_set_reaches_the_sandbox_and_the_rest_keeps_its_default() {
        let limits = parse("[sandbox]\nfuel_max = 7\nstack_bytes_max = 65536\n").unwrap().sandbox.limits();
        let expected = Limits { fuel_max: 7, stack_bytes_max: 65_536, ..Limits::default() };
        assert_eq!(limits, expected);
    }

    #[test]
    fn limits_that_nothing_can_run_under_or_the_pool_has_no_room_for_are_refused() {
        let error = parse("[sandbox]\nfuel_max = 0\n").unwrap_err();
        assert_eq!(error, "`sandbox.fuel_max` is 0, but must be at least 1");
        let error = parse("[sandbox]\nmemory_bytes_max = 1073741824\n").unwrap_err();
        assert_eq!(error, "`sandbox.memory_bytes_max` is 1073741824, but must be at most 67108864");
    }

    #[test]
    fn a_page_of_nothing_is_refused() {
        assert_eq!(parse("[scim]\npage_size = 0\n"), Err("`scim.page_size` is 0, but must be at least 1".to_owned()));
    }

    #[test]
    fn a_public_url_with_a_slash_at_the_end_is_refused() {
        assert!(parse("[server]\npublic_url = \"https://scim.example.com/\"\n").is_err());
    }

    #[test]
    fn a_proxy_is_trusted_by_its_address_or_its_network_and_a_misspelt_one_is_named() {
        let config = parse("[server]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\", \"::1\"]\n").unwrap();
        let printed: Vec<String> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(printed, ["127.0.0.1/32", "10.0.0.0/8", "::1/128"]);
        let error = parse("[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n").unwrap_err();
        assert!(error.contains("`10.0.0.0/33` is neither"), "{error}");
    }

    #[test]
    fn a_limit_of_the_endpoint_is_set_by_its_name_and_within_its_range() {
        let scim = parse("[scim.limits]\nvalues_max = 7\n").unwrap().scim;
        assert_eq!(scim.limits, ScimLimits { values_max: 7, ..ScimLimits::DEFAULT });
        let error = parse("[scim.limits]\nfilter_depth_max = 201\n").unwrap_err();
        assert_eq!(error, "`scim.limits.filter_depth_max` is 201, but must be from 4 to 200");
        let error = parse("[scim.limits]\nvalue_max = 7\n").unwrap_err();
        assert!(error.contains("value_max"), "{error}");
    }

    #[test]
    fn a_partition_has_at_least_a_day_and_at_most_a_year() {
        let days = |days: u32| parse(&format!("[store]\ndecisions_partition_days = {days}\n"));
        assert_eq!(days(366).unwrap().store.decisions_partition_days, Some(366));
        for found in [0, 367] {
            let error = days(found).unwrap_err();
            assert_eq!(error, format!("`store.decisions_partition_days` is {found}, but must be from 1 to 366"));
        }
    }

    #[test]
    fn a_limit_of_tables_is_set_by_its_name_and_within_its_range() {
        let tables = parse("[tables]\nrows_max = 7\n").unwrap().tables;
        assert_eq!(tables, TableLimits { rows_max: 7, ..TableLimits::DEFAULT });
        let error = parse("[tables]\nkey_bytes_max = 1025\n").unwrap_err();
        assert_eq!(error, "`tables.key_bytes_max` is 1025, but must be from 1 to 1024");
    }
}
