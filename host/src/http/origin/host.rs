//! A host with or without a port, as it may stand in a URL that we write.

use std::fmt;
use std::net::Ipv6Addr;

/// Characters of a host name: RFC 1035 §2.3.4 has 255 octets.
const NAME_CHARS_MAX: usize = 255;

/// A host, and the port if one is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    name: String,
    pub(super) port: Option<u16>,
}

impl Host {
    /// RFC 3986 §3.2.2 lets a host have a percent sign, a quotation mark's cousins and more; a name that resolves has
    /// letters, digits, dots, dashes and, inside networks, underscores. No more is let into a body of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                let address: Ipv6Addr = address.parse().ok()?;
                (format!("[{address}]"), port)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (name, port) = text.split_at(end);
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
                if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(fits) {
                    return None;
                }
                (name.to_ascii_lowercase(), port)
            }
        };
        let port = match port {
            "" => None,
            port => Some(parse_port(port.strip_prefix(':')?)?),
        };
        Some(Self { name, port })
    }
}

/// A port: digits alone, which `str::parse` does not insist on.
pub(super) fn parse_port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}
