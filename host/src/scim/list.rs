//! Pages of a list (RFC 7644 §3.4.2.4) and the message that carries one. Sorting is not supported, and `sortBy` is passed
//! over: §3.4.2.3 has it optional, and `ServiceProviderConfig` says so.

use serde_json::{Value, json};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Place of the first resource, from 1.
    pub start_index: usize,
    /// How many; 0 asks for the total alone.
    pub count: usize,
}

impl ListQuery {
    /// RFC 7644 §3.4.2.4: "A value less than 1 SHALL be interpreted as 1" (`startIndex`), "A negative value SHALL be
    /// interpreted as "0"" (`count`).
    pub fn new(start_index: Option<i64>, count: Option<i64>, limits: PageLimits) -> Self {
        let start_index = start_index.map_or(1, |index| usize::try_from(index).unwrap_or(0).max(1));
        let count = count.map_or(limits.count_default, |count| usize::try_from(count).unwrap_or(0));
        let count = count.min(limits.count_max);
        Self { start_index, count }
    }

    /// Reads the query parameters `startIndex` and `count`.
    pub fn parse(start_index: Option<&str>, count: Option<&str>, limits: PageLimits) -> Result<Self, ScimError> {
        Ok(Self::new(integer("startIndex", start_index)?, integer("count", count)?, limits))
    }

    /// How many resources stand before the page.
    pub fn offset(&self) -> usize {
        self.start_index.saturating_sub(1)
    }
}

fn integer(name: &str, text: Option<&str>) -> Result<Option<i64>, ScimError> {
    let refused = |text: &str| {
        ScimError::invalid_value(format!(
            "`{name}` must be an integer, not `{}`",
            crate::scim::path::parse::excerpt(text)
        ))
    };
    text.map(|text| text.trim().parse().map_err(|_| refused(text))).transpose()
}

/// The message of RFC 7644 §3.4.2.
pub fn list_response(total: u64, query: ListQuery, resources: Vec<Value>) -> Value {
    json!({
        "schemas": [urn::LIST_RESPONSE],
        "totalResults": total,
        "startIndex": query.start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PageLimits = PageLimits { count_default: 100, count_max: 1_000 };

    #[test]
    fn a_page_is_what_the_rfc_makes_of_the_numbers() {
        let check = |start_index: Option<&str>, count: Option<&str>, expected: (usize, usize)| {
            let query = ListQuery::parse(start_index, count, LIMITS).unwrap();
            assert_eq!((query.start_index, query.count), expected, "{start_index:?} {count:?}");
        };
        check(None, None, (1, 100));
        check(Some("1"), Some("100"), (1, 100));
        check(Some("0"), Some("0"), (1, 0));
        check(Some("-5"), Some("-1"), (1, 0));
        check(Some("7"), Some("1000000"), (7, 1_000));
        check(Some("9223372036854775807"), Some("1"), (9_223_372_036_854_775_807, 1));
    }

    #[test]
    fn what_is_no_integer_is_refused_by_name() {
        let error = ListQuery::parse(Some("one"), None, LIMITS).unwrap_err();
        assert_eq!(error.to_string(), "400 invalidValue: `startIndex` must be an integer, not `one`");
        assert!(ListQuery::parse(None, Some(""), LIMITS).is_err());
    }

    #[test]
    fn a_list_counts_what_it_carries() {
        let response = list_response(12, ListQuery::new(Some(11), None, LIMITS), vec![json!(1), json!(2)]);
        assert_eq!(response["itemsPerPage"], 2);
        assert_eq!((response["totalResults"].as_u64(), response["startIndex"].as_u64()), (Some(12), Some(11)));
    }
}
