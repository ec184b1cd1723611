//! A query, whether it came in a URL (RFC 7644 §3.4.2) or as a SearchRequest message (§3.4.3).

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::list;
use crate::scim::normalize::get_ignoring_case;
use crate::scim::projection::AttributeNames;
use crate::scim::urn;

/// What a client asks for, as it asked: what the texts mean depends on the tenant's resource types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// `attributes` and `excludedAttributes`.
    pub names: AttributeNames,
    /// `filter`.
    pub filter: Option<String>,
    /// `sortBy`.
    pub sort_by: Option<String>,
    /// `sortOrder`.
    pub sort_order: Option<String>,
    /// `startIndex`.
    pub start_index: Option<i64>,
    /// `count`.
    pub count: Option<i64>,
    /// `cursor` (RFC 9865 §3).
    pub cursor: Option<String>,
}

impl SearchRequest {
    /// Reads the message. RFC 7644 §3.4.3: it is identified by its schema, and its members are those of the query's
    /// parameters.
    pub fn parse(body: &Map<String, Value>) -> Result<Self, ScimError> {
        let schemas = names(body, "schemas")?;
        if !schemas.iter().any(|schema| schema.eq_ignore_ascii_case(urn::SEARCH_REQUEST)) {
            return Err(ScimError::invalid_syntax(format!("`schemas` must name `{}`", urn::SEARCH_REQUEST)));
        }
        Ok(Self {
            names: AttributeNames {
                attributes: names(body, "attributes")?,
                excluded: names(body, "excludedAttributes")?,
            },
            filter: text(body, "filter")?,
            sort_by: text(body, "sortBy")?,
            sort_order: text(body, "sortOrder")?,
            start_index: integer(body, "startIndex", list::start_index)?,
            count: integer(body, "count", list::count)?,
            cursor: text(body, "cursor")?,
        })
    }
}

/// `null` is as good as absent (RFC 7643 §2.5).
fn get<'b>(body: &'b Map<String, Value>, name: &str) -> Option<&'b Value> {
    get_ignoring_case(body, name).filter(|value| !value.is_null())
}

fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, ScimError> {
    match get(body, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(ScimError::invalid_syntax(format!("`{name}` must be a string"))),
    }
}

fn names(body: &Map<String, Value>, name: &str) -> Result<Vec<String>, ScimError> {
    let refused = || ScimError::invalid_syntax(format!("`{name}` must be a list of strings"));
    match get(body, name) {
        None => Ok(Vec::new()),
        Some(Value::Array(values)) => {
            values.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(refused)).collect()
        }
        Some(_) => Err(refused()),
    }
}

/// A number, or one in a string.
fn integer(
    body: &Map<String, Value>,
    name: &str,
    parse: impl FnOnce(&str) -> Result<i64, ScimError>,
) -> Result<Option<i64>, ScimError> {
    match get(body, name) {
        None => Ok(None),
        Some(Value::String(text)) => parse(text).map(Some),
        Some(value) => parse(&value.to_string()).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: Value) -> Result<SearchRequest, String> {
        SearchRequest::parse(body.as_object().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        let request = parse(json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "attributes": ["displayName", "userName"],
            "filter": "displayName sw \"smith\"",
            "startIndex": 1,
            "count": 10
        }));
        let attributes = vec!["displayName".to_owned(), "userName".to_owned()];
        let expected = SearchRequest {
            names: AttributeNames { attributes, excluded: Vec::new() },
            filter: Some("displayName sw \"smith\"".to_owned()),
            start_index: Some(1),
            count: Some(10),
            ..SearchRequest::default()
        };
        assert_eq!(request, Ok(expected));
    }

    #[test]
    fn what_is_of_the_wrong_type_is_refused_by_name() {
        let check = |name: &str, value: Value, expected: &str| {
            let mut body = json!({ "schemas": [urn::SEARCH_REQUEST] });
            body[name] = value;
            assert_eq!(parse(body).err().as_deref(), Some(expected), "{name}");
        };
        check("filter", json!(7), "400 invalidSyntax: `filter` must be a string");
        check("attributes", json!("userName"), "400 invalidSyntax: `attributes` must be a list of strings");
        check("excludedAttributes", json!([7]), "400 invalidSyntax: `excludedAttributes` must be a list of strings");
        check("count", json!(true), "400 invalidCount: `count` must be an integer, not `true`");
        check("startIndex", json!(1.5), "400 invalidValue: `startIndex` must be an integer, not `1.5`");
        let untold = parse(json!({ "schemas": [], "count": 1 })).unwrap_err();
        assert!(untold.contains(urn::SEARCH_REQUEST), "{untold}");
    }

    #[test]
    fn null_is_as_good_as_absent() {
        let request = parse(json!({ "schemas": [urn::SEARCH_REQUEST], "filter": null, "count": null, "cursor": "" }));
        assert_eq!(request, Ok(SearchRequest { cursor: Some(String::new()), ..SearchRequest::default() }));
    }
}
