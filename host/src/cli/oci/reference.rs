//! Where an artifact is: `oci://host[:port]/repository:tag`, or `@sha256:…`.

use std::fmt;
use std::str::FromStr;

use crate::cli::Failure;

const SCHEME: &str = "oci://";

/// Characters of a tag (OCI distribution specification).
const TAG_CHARS_MAX: usize = 128;

/// Whether somebody means an artifact in a registry.
pub(in crate::cli) fn is_reference(text: &str) -> bool {
    text.starts_with(SCHEME)
}

/// An artifact in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Reference {
    host: String,
    repository: String,
    name: Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Tag(String),
    /// SHA-256 in hexadecimal.
    Digest(String),
}

impl FromStr for Reference {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::Usage(format!(
                "`{text}` is not a reference such as `oci://registry.example.com/acme/rules:1.2`: {why}"
            ))
        };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong("it begins with `oci://`"))?;
        let (host, path) = rest.split_once('/').ok_or_else(|| wrong("it has no repository"))?;
        if !is_host(host) {
            return Err(wrong("the host is none"));
        }
        let (repository, name) = match path.split_once('@') {
            Some((repository, digest)) => {
                let digest = digest.strip_prefix("sha256:").filter(|digest| is_digest(digest));
                let digest = digest.ok_or_else(|| wrong("a digest is `sha256:` and 64 digits"))?;
                (repository, Name::Digest(digest.to_owned()))
            }
            None => {
                let (repository, tag) = path.rsplit_once(':').ok_or_else(|| wrong("it has no tag and no digest"))?;
                if !is_tag(tag) {
                    return Err(wrong("a tag has 1 to 128 letters, digits, `_`, `.` and `-`"));
                }
                (repository, Name::Tag(tag.to_owned()))
            }
        };
        if !repository.split('/').all(is_component) {
            return Err(wrong("a repository has lower-case letters, digits, `.`, `_`, `-` and `/`"));
        }
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), name })
    }
}

fn is_host(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    !host.is_empty() && host.bytes().all(allowed)
}

/// A part of a repository's name: its separators stand between letters and digits.
fn is_component(part: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let edges = part.bytes().next().is_some_and(letter) && part.bytes().last().is_some_and(letter);
    edges && part.bytes().all(|byte| letter(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = tag.bytes().next().is_some_and(word);
    begins && tag.len() <= TAG_CHARS_MAX && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

/// SHA-256 in hexadecimal, as registries write it.
pub(super) fn is_digest(digest: &str) -> bool {
    digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl Reference {
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    /// The last part of the repository.
    pub(in crate::cli) fn short_name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// The tag, if it is one.
    pub(super) fn tag(&self) -> Option<&str> {
        match &self.name {
            Name::Tag(tag) => Some(tag),
            Name::Digest(_) => None,
        }
    }

    /// The digest of the manifest, if it is one.
    pub(super) fn digest(&self) -> Option<&str> {
        match &self.name {
            Name::Digest(digest) => Some(digest),
            Name::Tag(_) => None,
        }
    }

    /// As a registry's paths have it.
    pub(super) fn name(&self) -> String {
        match &self.name {
            Name::Tag(tag) => tag.clone(),
            Name::Digest(digest) => format!("sha256:{digest}"),
        }
    }

    /// Whether the registry is on this computer.
    pub(super) fn is_loopback(&self) -> bool {
        let host = match self.host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => self.host.split(':').next().unwrap_or(&self.host),
        };
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.digest().is_some() { '@' } else { ':' };
        write!(f, "{SCHEME}{}/{}{between}{}", self.host, self.repository, self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_it_is_written() {
        let digest = "a".repeat(64);
        for text in [
            "oci://registry.example.com/acme/rules:1.2".to_owned(),
            "oci://127.0.0.1:5000/a:b".to_owned(),
            "oci://[::1]:5000/a/b-c/d_e.f:V1-rc.2_x".to_owned(),
            format!("oci://localhost:5000/acme/rules@sha256:{digest}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        let by_digest: Reference = format!("oci://h/r@sha256:{digest}").parse().unwrap();
        assert_eq!((by_digest.tag(), by_digest.digest()), (None, Some(digest.as_str())));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "registry.example.com/acme/rules:1",
            "oci://registry.example.com",
            "oci:///acme:1",
            "oci://registry.example.com/acme",
            "oci://registry.example.com/Acme:1",
            "oci://registry.example.com/acme/../x:1",
            "oci://registry.example.com//x:1",
            "oci://user@registry.example.com/x:1",
            "oci://registry.example.com/x:-1",
            "oci://registry.example.com/x:",
            "oci://registry.example.com/x@sha256:12",
            "oci://gh cr.io/x:1",
            "oci://h/x?y=1:1",
        ] {
            assert!(matches!(text.parse::<Reference>(), Err(Failure::Usage(_))), "{text}");
        }
    }

    #[test]
    fn only_this_computer_is_this_computer() {
        let is = |host: &str| format!("oci://{host}/a:b").parse::<Reference>().unwrap().is_loopback();
        assert!(is("localhost") && is("localhost:5000") && is("127.0.0.1:1") && is("[::1]:5000"));
        assert!(
            !is("registry.example.com")
                && !is("127.0.0.1.example.com")
                && !is("localhost.example.com")
                && !is("10.0.0.1:5000")
        );
    }
}
