//! By what rules something from a client is read.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::limits::ScimLimits;
use crate::scim::profile::Leniency;
use crate::scim::schema::ResourceType;

/// The resource type that a text or a body speaks of, and how it is read. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// What it speaks of.
    pub resource_type: &'a Arc<ResourceType>,
    /// What is passed over.
    pub leniency: Leniency,
    /// How large it may be.
    pub limits: &'a ScimLimits,
}

impl<'a> Reading<'a> {
    /// By the letter of the RFC, with the default limits.
    pub fn strict(resource_type: &'a Arc<ResourceType>) -> Self {
        Self { resource_type, leniency: Leniency::Strict, limits: &ScimLimits::DEFAULT }
    }

    /// Whether what is not known is passed over.
    pub fn is_lenient(&self) -> bool {
        self.leniency.is_lenient()
    }

    /// Refuses a body that is nested deeper than the limit.
    pub fn check_depth(&self, body: &Map<String, Value>) -> Result<(), ScimError> {
        let max = self.limits.json_depth_max;
        // Then the JSON parser has refused it already.
        if max >= ScimLimits::DEFAULT.json_depth_max || body.values().all(|value| fits(value, max.saturating_sub(1))) {
            return Ok(());
        }
        Err(ScimError::invalid_syntax(format!("the request body is nested deeper than the limit of {max}")))
    }
}

/// Whether a value has so many levels of objects and lists at the most. It looks no deeper than that.
fn fits(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels > 0 && values.iter().all(|value| fits(value, levels - 1)),
        Value::Object(object) => levels > 0 && object.values().all(|value| fits(value, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema::SchemaRegistry;

    #[test]
    fn a_body_may_be_as_deep_as_the_limit_and_no_deeper() {
        let registry = SchemaRegistry::core();
        let limits = ScimLimits { json_depth_max: 3, ..ScimLimits::DEFAULT };
        let reading = Reading { limits: &limits, ..Reading::strict(registry.resource_type("User").unwrap()) };
        let check = |body: Value| reading.check_depth(body.as_object().unwrap());
        assert_eq!(check(json!({ "a": [{ "b": 1 }] })), Ok(()));
        let error = check(json!({ "a": [{ "b": [] }] })).unwrap_err();
        assert_eq!(error.to_string(), "400 invalidSyntax: the request body is nested deeper than the limit of 3");
    }
}
