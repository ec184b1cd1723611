//! What can be set, one struct a concern, read once from a TOML file and checked. An unknown key is an error: a
//! misspelt limit must not silently be the default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

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
        key: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        expected: &'static str,
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
    /// `[sandbox]`
    pub sandbox: SandboxLimits,
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
    /// it, `http://` and the request's `Host`.
    pub public_url: Option<String>,
    /// How long a stopping server waits for requests that are under way, in seconds.
    pub drain_seconds: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data: PathBuf::from("scruple-data"),
            public_url: None,
            drain_seconds: 20,
        }
    }
}

/// Limits of the SCIM endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScimConfig {
    /// Resources on a page when the client names no `count`.
    pub page_size: usize,
    /// Resources on a page at the most; larger counts are lowered to it (RFC 7644 §3.4.2.4 allows fewer).
    pub page_size_max: usize,
    /// Bytes of a request body. 8 MiB holds a PUT of a group with 100,000 members: a member is an object with an id of
    /// 36 characters, about 53 bytes when sent compactly (5.3 MB), 80 with `$ref` left empty and spaces.
    pub body_bytes_max: usize,
}

impl Default for ScimConfig {
    fn default() -> Self {
        Self { page_size: 100, page_size_max: 1_000, body_bytes_max: 8 << 20 }
    }
}

/// Settings of the embedded store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Snapshots that may live at once, each a connection with up to 1 MiB of cache. A change holds one while it is
    /// judged; whoever wants another waits.
    pub snapshots_max: usize,
    /// Changes in one transaction at the most. 1 switches group commit off.
    pub batch_max: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { snapshots_max: 64, batch_max: 256 }
    }
}

/// Limits of every evaluation, `[sandbox]`: the documented fields of [`crate::constraints::Limits`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxLimits {
    /// See [`crate::constraints::Limits::fuel_max`].
    pub fuel_max: Option<u64>,
    /// See [`crate::constraints::Limits::deadline_ms`].
    pub deadline_ms: Option<u64>,
    /// See [`crate::constraints::Limits::memory_bytes_max`].
    pub memory_bytes_max: Option<usize>,
    /// See [`crate::constraints::Limits::table_elements_max`].
    pub table_elements_max: Option<usize>,
    /// See [`crate::constraints::Limits::host_calls_max`].
    pub host_calls_max: Option<u32>,
    /// See [`crate::constraints::Limits::output_bytes_max`].
    pub output_bytes_max: Option<usize>,
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
        let positive = |key, found: usize| match found {
            0 => Err(ConfigError::Range { key, found: found.to_string(), expected: "at least 1" }),
            _ => Ok(()),
        };
        positive("scim.page_size", self.scim.page_size)?;
        positive("scim.page_size_max", self.scim.page_size_max)?;
        positive("scim.body_bytes_max", self.scim.body_bytes_max)?;
        positive("store.snapshots_max", self.store.snapshots_max)?;
        positive("store.batch_max", self.store.batch_max)?;
        match &self.server.public_url {
            Some(url) if !(url.starts_with("http://") || url.starts_with("https://")) || url.ends_with('/') => {
                Err(ConfigError::Range {
                    key: "server.public_url",
                    found: format!("`{url}`"),
                    expected: "`http://…` or `https://…` without a slash at the end",
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
    fn a_page_of_nothing_is_refused() {
        assert_eq!(parse("[scim]\npage_size = 0\n"), Err("`scim.page_size` is 0, but must be at least 1".to_owned()));
    }

    #[test]
    fn a_public_url_with_a_slash_at_the_end_is_refused() {
        assert!(parse("[server]\npublic_url = \"https://scim.example.com/\"\n").is_err());
    }
}
