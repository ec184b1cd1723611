//! Cursors (RFC 9865): where the next page begins, in a text that the client hands back.
//!
//! The server remembers nothing: the text holds the place and the time until which it is good. It is bound to what it was
//! made for (the tenant, the endpoint, the filter, the order), so that it continues that query and no other. RFC 9865
//! §5.2: "Service providers should obfuscate cursors values to prevent clients from interpreting cursors or forging new
//! cursors."

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::scim::error::ScimError;
use crate::scim::resource::ResourceId;
use crate::scim::sort::SortKey;

/// Longest cursor that is looked at. One of ours is some 200 bytes, and with the longest sort key (256 characters) some
/// 2 KB.
const CURSOR_BYTES_MAX: usize = 8_192;

const MAC_BYTES: usize = 32;
const TIME_BYTES: usize = 8;

/// A place between the resources of a query. It stays one when the resource that stood before it is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Name of that resource's type.
    pub resource_type: String,
    /// Where it stood, if there is an order.
    pub key: Option<SortKey>,
    /// Its id.
    pub id: ResourceId,
}

/// What a cursor is for. The texts are the client's: RFC 9865 §2 has it send "all query parameters and values being
/// identical to the initial query".
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// Whose resources.
    pub tenant: i64,
    /// The path segment; `None`: all of them.
    pub endpoint: Option<&'a str>,
    /// `filter`.
    pub filter: Option<&'a str>,
    /// `sortBy`.
    pub sort_by: Option<&'a str>,
    /// `sortOrder`.
    pub sort_order: Option<&'a str>,
}

/// Makes cursors and reads them.
pub struct Cursors {
    mac_key: [u8; 32],
    stream_key: [u8; 32],
    valid_seconds: u64,
}

impl Cursors {
    /// With a key that nothing else is done with.
    pub fn new(key: &[u8; 32], valid_seconds: u64) -> Self {
        Self {
            mac_key: blake3::derive_key("scruple 2026-11 cursor authentication", key),
            stream_key: blake3::derive_key("scruple 2026-11 cursor confidentiality", key),
            valid_seconds,
        }
    }

    /// For how long a cursor is good, in seconds.
    pub fn valid_seconds(&self) -> u64 {
        self.valid_seconds
    }

    /// A cursor for the place, good from now on.
    pub fn write(&self, purpose: Purpose<'_>, position: &Position, now: Timestamp) -> String {
        let valid = i64::try_from(self.valid_seconds).unwrap_or(i64::MAX);
        let mut content = now.as_second().saturating_add(valid).to_be_bytes().to_vec();
        // Plain data with text keys, which serde_json never refuses.
        content.extend(serde_json::to_vec(position).unwrap_or_default());
        let mac = self.mac(purpose, &content);
        self.cover(&mac, &mut content);
        URL_SAFE_NO_PAD.encode([mac.as_bytes().as_slice(), &content].concat())
    }

    /// The place that a cursor is for, if it was made here, for this, and not too long ago.
    pub fn read(&self, purpose: Purpose<'_>, text: &str, now: Timestamp) -> Result<Position, ScimError> {
        let invalid = || {
            ScimError::invalid_cursor(
                "the cursor is not one that was given for this query; send the `nextCursor` of the last page with all \
                 other parameters as they were, or an empty cursor to begin",
            )
        };
        if text.len() > CURSOR_BYTES_MAX {
            return Err(invalid());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let (mac, content) = bytes.split_first_chunk::<MAC_BYTES>().ok_or_else(invalid)?;
        let (mac, mut content) = (blake3::Hash::from_bytes(*mac), content.to_vec());
        self.cover(&mac, &mut content);
        // Compared in constant time.
        if self.mac(purpose, &content) != mac {
            return Err(invalid());
        }
        let (until, position) = content.split_first_chunk::<TIME_BYTES>().ok_or_else(invalid)?;
        if i64::from_be_bytes(*until) <= now.as_second() {
            return Err(ScimError::expired_cursor(format!(
                "the cursor has expired: the next page has to be asked for within {} seconds",
                self.valid_seconds
            )));
        }
        serde_json::from_slice(position).map_err(|_| invalid())
    }

    fn mac(&self, purpose: Purpose<'_>, content: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.mac_key);
        hasher.update(&purpose.tenant.to_be_bytes());
        let Purpose { endpoint, filter, sort_by, sort_order, .. } = purpose;
        for part in [endpoint, filter, sort_by, sort_order] {
            // With its length, so that no two purposes are the same bytes.
            let length = part.map_or(u64::MAX, |part| u64::try_from(part.len()).unwrap_or(u64::MAX));
            hasher.update(&length.to_be_bytes()).update(part.unwrap_or_default().as_bytes());
        }
        hasher.update(content).finalize()
    }

    /// Covers the content, or uncovers it. The stream depends on the content through the authentication code, so two
    /// contents never share one.
    fn cover(&self, mac: &blake3::Hash, content: &mut [u8]) {
        let mut stream = vec![0; content.len()];
        blake3::Hasher::new_keyed(&self.stream_key).update(mac.as_bytes()).finalize_xof().fill(&mut stream);
        content.iter_mut().zip(stream).for_each(|(byte, cover)| *byte ^= cover);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::error::ScimType;

    const PURPOSE: Purpose<'_> =
        Purpose { tenant: 1, endpoint: Some("Users"), filter: Some("title pr"), sort_by: None, sort_order: None };

    fn position() -> Position {
        Position { resource_type: "User".to_owned(), key: None, id: ResourceId(uuid::Uuid::from_u128(7)) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn cursors(key: u8) -> Cursors {
        Cursors::new(&[key; 32], 60)
    }

    #[test]
    fn a_cursor_leads_back_to_its_place_and_is_fit_for_a_url() {
        let text = cursors(1).write(PURPOSE, &position(), at(100));
        assert_eq!(cursors(1).read(PURPOSE, &text, at(159)), Ok(position()));
        // RFC 9865 §2: "only … characters from the unreserved characters set".
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)), "{text}");
    }

    #[test]
    fn a_cursor_tells_nothing_of_what_is_in_it() {
        let text = cursors(1).write(PURPOSE, &position(), at(100));
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        assert!(!bytes.windows(4).any(|window| window == b"User"));
    }

    #[test]
    fn a_cursor_expires() {
        let text = cursors(1).write(PURPOSE, &position(), at(100));
        let error = cursors(1).read(PURPOSE, &text, at(160)).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::ExpiredCursor)));
    }

    #[test]
    fn a_cursor_is_good_for_what_it_was_made_for_and_for_nothing_else() {
        let text = cursors(1).write(PURPOSE, &position(), at(100));
        let others = [
            Purpose { tenant: 2, ..PURPOSE },
            Purpose { endpoint: None, ..PURPOSE },
            Purpose { endpoint: Some("Groups"), ..PURPOSE },
            Purpose { filter: None, ..PURPOSE },
            Purpose { filter: Some(""), ..PURPOSE },
            Purpose { filter: Some("title p"), sort_by: Some("r"), ..PURPOSE },
            Purpose { sort_by: Some("userName"), ..PURPOSE },
            Purpose { sort_order: Some("descending"), ..PURPOSE },
        ];
        for other in others {
            let error = cursors(1).read(other, &text, at(100)).unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::InvalidCursor), "{other:?}");
        }
        assert!(cursors(2).read(PURPOSE, &text, at(100)).is_err(), "another server's key");
    }

    #[test]
    fn no_change_of_a_cursor_goes_unnoticed() {
        let text = cursors(1).write(PURPOSE, &position(), at(100));
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let error = cursors(1).read(PURPOSE, &changed, at(100)).unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::InvalidCursor), "{place}");
        }
        for text in ["A", "not base64!", &text[..20], &"A".repeat(CURSOR_BYTES_MAX + 1)] {
            assert!(cursors(1).read(PURPOSE, text, at(100)).is_err(), "{text}");
        }
    }
}
