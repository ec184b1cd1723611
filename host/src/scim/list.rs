//! Pages of a list, by index (RFC 7644 §3.4.2.4) or by cursor (RFC 9865), and the message that carries one.

use serde::Serialize;

use crate::scim::error::ScimError;
use crate::scim::urn;

/// How many resources a page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// When the client does not say.
    pub count_default: usize,
    /// At the most; clients that ask for more get so many.
    pub count_max: usize,
}

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Where it begins.
    pub start: Start,
    /// How many; 0 asks for the total alone.
    pub count: usize,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the resource of this place, from 1.
    Index(usize),
    /// Where the cursor says; empty: at the first.
    Cursor(String),
}

impl ListQuery {
    /// RFC 7644 §3.4.2.4: "A value less than 1 SHALL be interpreted as 1" (`startIndex`), "A negative value SHALL be
    /// interpreted as "0"" (`count`).
    ///
    /// RFC 9865 §2.4 has a default for requests with neither parameter, and recommends `startIndex`. For those with both
    /// it has no rule: a client that sends a cursor knows cursors.
    pub fn new(start_index: Option<i64>, count: Option<i64>, cursor: Option<String>, limits: PageLimits) -> Self {
        let start_index = start_index.map_or(1, |index| usize::try_from(index).unwrap_or(0).max(1));
        let count = count.map_or(limits.count_default, |count| usize::try_from(count).unwrap_or(0));
        let count = count.min(limits.count_max);
        Self { start: cursor.map_or(Start::Index(start_index), Start::Cursor), count }
    }

    /// All of a list that is short.
    pub fn whole(count: usize) -> Self {
        Self { start: Start::Index(1), count }
    }
}

/// Reads the query parameter `startIndex`.
pub fn start_index(text: &str) -> Result<i64, ScimError> {
    integer("startIndex", text, ScimError::invalid_value)
}

/// Reads the query parameter `count`. RFC 9865 §2.1 has a keyword for one that is none.
pub fn count(text: &str) -> Result<i64, ScimError> {
    integer("count", text, ScimError::invalid_count)
}

fn integer(name: &str, text: &str, error: impl FnOnce(String) -> ScimError) -> Result<i64, ScimError> {
    let found = crate::scim::path::parse::excerpt(text);
    text.trim().parse().map_err(|_| error(format!("`{name}` must be an integer, not `{found}`")))
}

/// The message of RFC 7644 §3.4.2 without the resources. RFC 9865 §2: "Service providers implementing cursor pagination that
/// are unable to estimate totalResults MAY choose to omit the totalResults attribute."
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListHead {
    schemas: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    total_results: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_index: Option<usize>,
    items_per_page: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The message whole.
#[derive(Debug, Serialize)]
pub struct ListResponse<T> {
    #[serde(flatten)]
    head: ListHead,
    #[serde(rename = "Resources")]
    resources: Vec<T>,
}

impl ListHead {
    /// A page, with so many resources, of those that `query` asks for.
    pub fn new(total: Option<u64>, query: &ListQuery, next_cursor: Option<String>, resources: usize) -> Self {
        let start_index = match query.start {
            Start::Index(index) => Some(index),
            Start::Cursor(_) => None,
        };
        let schemas = [urn::LIST_RESPONSE];
        Self { schemas, total_results: total, start_index, items_per_page: resources, next_cursor }
    }

    /// With its resources.
    pub fn with<T>(self, resources: Vec<T>) -> ListResponse<T> {
        ListResponse { head: self, resources }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const LIMITS: PageLimits = PageLimits { count_default: 100, count_max: 1_000 };

    #[test]
    fn a_page_is_what_the_rfc_makes_of_the_numbers() {
        let check = |start_index: Option<i64>, count: Option<i64>, expected: (usize, usize)| {
            let query = ListQuery::new(start_index, count, None, LIMITS);
            let expected = ListQuery { start: Start::Index(expected.0), count: expected.1 };
            assert_eq!(query, expected, "{start_index:?} {count:?}");
        };
        check(None, None, (1, 100));
        check(Some(1), Some(100), (1, 100));
        check(Some(0), Some(0), (1, 0));
        check(Some(-5), Some(-1), (1, 0));
        check(Some(7), Some(1_000_000), (7, 1_000));
        check(Some(i64::MAX), Some(1), (9_223_372_036_854_775_807, 1));
    }

    #[test]
    fn what_is_no_integer_is_refused_by_name() {
        let error = start_index("one").unwrap_err();
        assert_eq!(error.to_string(), "400 invalidValue: `startIndex` must be an integer, not `one`");
        assert_eq!(count("").unwrap_err().to_string(), "400 invalidCount: `count` must be an integer, not ``");
        assert_eq!(count(" 7 "), Ok(7));
    }

    #[test]
    fn a_list_counts_what_it_carries() {
        let by_index = ListQuery::new(Some(11), None, None, LIMITS);
        let response = json!(ListHead::new(Some(12), &by_index, None, 2).with(vec![1, 2]));
        assert_eq!(response["itemsPerPage"], 2);
        assert_eq!((response["totalResults"].as_u64(), response["startIndex"].as_u64()), (Some(12), Some(11)));
    }

    #[test]
    fn a_page_by_cursor_has_no_index_and_tells_only_what_is_known() {
        let by_cursor = ListQuery::new(Some(11), Some(5), Some(String::new()), LIMITS);
        let response = json!(ListHead::new(None, &by_cursor, Some("next".to_owned()), 0).with(Vec::<Value>::new()));
        let expected =
            json!({ "schemas": [urn::LIST_RESPONSE], "itemsPerPage": 0, "nextCursor": "next", "Resources": [] });
        assert_eq!(response, expected);
    }
}
