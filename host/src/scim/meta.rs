//! `meta` and entity tags (RFC 7643 §3.1, RFC 7644 §3.14).

use jiff::Timestamp;

/// When a resource was made and changed, and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub last_modified: Timestamp,
    /// Raised by one with each change; 1 at first.
    pub version: i64,
}

impl Meta {
    /// That of a resource made now.
    pub fn first(now: Timestamp) -> Self {
        Self { created: now, last_modified: now, version: 1 }
    }

    /// That of the resource after a change made now.
    pub fn next(self, now: Timestamp) -> Self {
        // A clock that was set back does not make a resource older than it was.
        Self { last_modified: now.max(self.last_modified), version: self.version.saturating_add(1), ..self }
    }

    /// The version as a weak entity tag: `W/"7"`.
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// Whether a list of entity tags, as `If-Match` and `If-None-Match` carry it, names this version. `*` names any.
    ///
    /// RFC 9110 §13.1.1 asks for the strong comparison in `If-Match`, by which a weak tag never matches. RFC 7644
    /// §3.14 shows exactly that, `If-Match: W/"…"`, so SCIM means the weak comparison, and the version is compared.
    pub fn matches_etags(&self, list: &str) -> bool {
        let version = self.version.to_string();
        list.split(',').map(str::trim).any(|tag| {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) == Some(version.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(version: i64) -> Meta {
        Meta { version, ..Meta::first(Timestamp::UNIX_EPOCH) }
    }

    #[test]
    fn a_list_of_entity_tags_matches_when_it_names_the_version() {
        let check = |list: &str, expected: bool| assert_eq!(meta(7).matches_etags(list), expected, "{list}");
        check("W/\"7\"", true);
        check("\"7\"", true);
        check("W/\"6\", W/\"7\"", true);
        check("*", true);
        check("W/\"77\"", false);
        check("7", false);
        check("", false);
    }

    #[test]
    fn a_clock_set_back_does_not_set_back_last_modified() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(Meta::first(at(10)).next(at(5)), Meta { created: at(10), last_modified: at(10), version: 2 });
    }
}
