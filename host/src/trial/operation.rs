//! What is asked for: a SCIM request on a resource whose state before is given with it, or is part of the population.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::decision::Actor;
use crate::scim::resource::ResourceId;
use crate::trial::TrialError;
use crate::trial::declared::Declared;
use crate::trial::population::{id_of, patch, type_of};

/// The id of a state before that has none.
const BEFORE: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0003);

/// An operation, as files have it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OperationFile {
    /// What the resource is. What its `schemas` say, if absent.
    pub resource_type: Option<String>,
    /// The resource before. Not of a `create`.
    pub before: Option<Map<String, Value>>,
    /// Instead of `before`: the id of a resource of the population.
    pub id: Option<Uuid>,
    /// POST: the resource as a client sends it.
    pub create: Option<Map<String, Value>>,
    /// PUT: the resource as a client sends it, or the state after.
    pub replace: Option<Map<String, Value>>,
    /// PATCH: the message, or only its list of operations.
    pub patch: Option<Value>,
    /// DELETE.
    #[serde(default)]
    pub delete: bool,
    /// Who asks.
    #[serde(default)]
    pub actor: ActorFile,
    /// The time of the request (RFC 3339).
    pub at: Option<String>,
}

/// Who asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActorFile {
    /// Stable id: that of the token.
    pub subject: String,
    /// What the token is called.
    pub label: String,
    /// What it allows.
    pub scopes: Vec<String>,
}

impl Default for ActorFile {
    fn default() -> Self {
        Self { subject: "trial".to_owned(), label: "trial".to_owned(), scopes: vec!["scim".to_owned()] }
    }
}

/// An operation.
#[derive(Clone, Debug)]
pub struct TrialOperation {
    /// What the resource is.
    pub resource_type: String,
    /// The state before, to be put into the population.
    pub before: Option<Map<String, Value>>,
    /// What is asked for.
    pub asked: Asked,
    /// The time of the request.
    pub at: Option<Timestamp>,
    id: Option<Uuid>,
    actor: ActorFile,
}

/// What is asked for, with the body of the request.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// POST.
    Create(Map<String, Value>),
    /// PUT.
    Replace(Map<String, Value>),
    /// PATCH.
    Patch(Map<String, Value>),
    /// DELETE.
    Delete,
}

impl OperationFile {
    /// The one thing that is asked for, of a tenant that has declared this.
    pub fn check(self, declared: &Declared) -> Result<TrialOperation, TrialError> {
        let input = |text: &str| TrialError::Input(text.to_owned());
        let mut asked = Vec::new();
        asked.extend(self.create.map(Asked::Create));
        asked.extend(self.replace.map(Asked::Replace));
        asked.extend(self.patch.map(|patch| message(patch).map(Asked::Patch)).transpose()?);
        asked.extend(self.delete.then_some(Asked::Delete));
        let asked = match (asked.pop(), asked.is_empty()) {
            (Some(asked), true) => asked,
            _ => return Err(input("an operation has one of `create`, `replace`, `patch` and `delete`")),
        };
        let mut before = self.before;
        let resource = match &asked {
            Asked::Create(_) if before.is_some() || self.id.is_some() => {
                return Err(input("a `create` has no state before: neither `before` nor `id`"));
            }
            Asked::Create(body) => Some(body),
            _ => before.as_ref(),
        };
        let resource_type = match (self.resource_type, resource) {
            (Some(named), _) => named,
            (None, Some(resource)) => type_of(resource, &declared.schemas)?,
            (None, None) => return Err(input("an operation on a resource of the population has a `resourceType`")),
        };
        let id = match (&mut before, self.id, &asked) {
            (Some(_), Some(_), _) => return Err(input("an operation has `before` or `id`, not both")),
            (Some(before), None, _) => Some(id_of(before)?.unwrap_or_else(|| {
                before.insert("id".to_owned(), BEFORE.to_string().into());
                BEFORE
            })),
            (None, Some(id), _) => Some(id),
            (None, None, Asked::Create(_)) => None,
            (None, None, _) => return Err(input("an operation that is no `create` has `before` or `id`")),
        };
        let at = self.at.map(|text| {
            let parsed = text.parse();
            parsed.map_err(|_| {
                TrialError::Input(format!("`at` is `{text}`, but must be a time such as `2026-01-01T00:00:00Z`"))
            })
        });
        Ok(TrialOperation { resource_type, before, asked, at: at.transpose()?, id, actor: self.actor })
    }
}

impl TrialOperation {
    /// The resource that it is on; of no meaning for a `create`.
    pub(super) fn target(&self) -> ResourceId {
        ResourceId(self.id.unwrap_or(BEFORE))
    }

    pub(super) fn actor(&self) -> Actor {
        let ActorFile { subject, label, scopes } = self.actor.clone();
        Actor { subject, label, scopes }
    }
}

fn message(patch_or_operations: Value) -> Result<Map<String, Value>, TrialError> {
    match patch_or_operations {
        Value::Object(message) => Ok(message),
        operations @ Value::Array(_) => Ok(patch(operations)),
        _ => Err(TrialError::Input("`patch` is a PATCH message or a list of its operations".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(json: Value) -> Result<TrialOperation, String> {
        let file: OperationFile = serde_json::from_value(json).map_err(|error| error.to_string())?;
        file.check(&Declared::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_state_before_without_an_id_gets_one_and_its_schemas_say_what_it_is() {
        let user = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada" });
        let operation = checked(json!({ "before": user, "patch": [{ "op": "remove", "path": "title" }] })).unwrap();
        assert_eq!(operation.resource_type, "User");
        assert_eq!(operation.before.as_ref().unwrap()["id"], json!(BEFORE.to_string()));
        let Asked::Patch(message) = operation.asked else { panic!("a patch") };
        assert_eq!(message["Operations"][0]["op"], "remove");
    }

    #[test]
    fn what_is_no_single_operation_is_refused_with_what_it_lacks() {
        let user = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada" });
        for (json, expected) in [
            (json!({}), "one of `create`"),
            (json!({ "create": user, "delete": true }), "one of `create`"),
            (json!({ "create": user, "before": user }), "no state before"),
            (json!({ "delete": true }), "`resourceType`"),
            (json!({ "delete": true, "resourceType": "User" }), "has `before` or `id`"),
            (json!({ "create": { "userName": "ada" } }), "says what it is"),
            (json!({ "creates": user }), "unknown field `creates`"),
            (
                json!({ "before": { "schemas": [], "id": 7, "meta": { "resourceType": "User" } }, "delete": true }),
                "UUID",
            ),
        ] {
            let error = checked(json.clone()).expect_err(expected);
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
