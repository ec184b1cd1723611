//! The answer to a bulk request (RFC 7644 §3.7.3).

use serde_json::{Map, Value, json};

use crate::scim::bulk::request::{BulkOperation, Misformed};
use crate::scim::urn;

/// What came of one operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The method, as it was sent if it is none.
    pub method: Option<String>,
    /// The operation's `bulkId`: "The service provider MUST return the same "bulkId" together with the newly created
    /// resource."
    pub bulk_id: Option<String>,
    /// "A "location" attribute that includes the resource's endpoint MUST be returned for all operations except for failed
    /// POST operations".
    pub location: Option<String>,
    /// The resource's version now, as an entity tag.
    pub version: Option<String>,
    /// The status that the request would have by itself.
    pub status: u16,
    /// The body; has to be there if the status is not one of success.
    pub response: Option<Value>,
}

impl Outcome {
    /// That of an operation, to be filled in.
    pub fn of(operation: &BulkOperation, status: u16) -> Self {
        let method = Some(operation.method.as_str().to_owned());
        Self { method, bulk_id: operation.bulk_id.clone(), status, ..Self::default() }
    }

    /// That of an operation that was not carried out. `response` is the error's message.
    pub fn misformed(misformed: &Misformed, response: Value) -> Self {
        Self {
            method: misformed.method.clone(),
            bulk_id: misformed.bulk_id.clone(),
            status: misformed.error.status,
            response: Some(response),
            ..Self::default()
        }
    }

    /// Whether it counts for `failOnErrors`.
    pub fn is_error(&self) -> bool {
        self.status >= 400
    }
}

/// The message. §3.7.3 has the status once as an object and everywhere else as a string; it is a string.
pub fn bulk_response(outcomes: &[Outcome]) -> Value {
    let operations: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            let texts = [
                ("location", &outcome.location),
                ("method", &outcome.method),
                ("bulkId", &outcome.bulk_id),
                ("version", &outcome.version),
            ];
            let given =
                texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text.clone()?))));
            let mut object: Map<String, Value> = given.collect();
            object.insert("status".to_owned(), outcome.status.to_string().into());
            if let Some(response) = &outcome.response {
                object.insert("response".to_owned(), response.clone());
            }
            Value::Object(object)
        })
        .collect();
    json!({ "schemas": [urn::BULK_RESPONSE], "Operations": operations })
}
