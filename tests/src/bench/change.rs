//! Changes of a user, as the server plans them, and the update that the same rule is measured by everywhere: as JSON text
//! of the state before and the state after.

use anyhow::Context;
use jiff::Timestamp;
use scruple::change::{Draft, MembersChange, PlannedChange, plan};
use scruple::scim::reading::Reading;
use scruple::scim::resource::{Resource, ResourceId};
use scruple::scim::schema::SchemaRegistry;
use serde_json::{Map, Value, json};

use super::full_user;

/// The extension of users that has the department.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A user is made shorter by leaving these out, in this order.
const DISPENSABLE: [&str; 8] =
    ["addresses", "ims", "photos", "entitlements", "roles", "profileUrl", "phoneNumbers", "emails"];

/// A state before and a state after.
#[derive(Clone, Debug)]
pub struct Update {
    /// What is stored.
    pub before: Value,
    /// What is to be stored instead.
    pub after: Value,
}

impl Update {
    /// Another title for a user of so many bytes of JSON, which every rule allows.
    ///
    /// # Errors
    /// A user has at least 700 bytes.
    pub fn allowed(bytes: usize) -> anyhow::Result<Self> {
        let before = user_of(bytes)?;
        let mut after = before.clone();
        after["title"] = title("Principal Engineer of the Difference Engine", &before["title"]);
        Ok(Self { before, after })
    }

    /// The same, broken in one way each: by the `userName`, the `externalId`, the department.
    ///
    /// # Errors
    /// See [`Self::allowed`].
    pub fn denied(bytes: usize) -> anyhow::Result<[Self; 3]> {
        let [mut named, mut identified, mut placed] = [(); 3].map(|()| Self::allowed(bytes));
        if let Ok(update) = &mut named {
            update.after["userName"] = "Ada".into();
        }
        if let Ok(update) = &mut identified {
            update.after["externalId"] = "somebody else".into();
        }
        if let Some(extension) = placed.as_mut().ok().and_then(|update| update.after[ENTERPRISE].as_object_mut()) {
            extension.remove("department");
        }
        Ok([named?, identified?, placed?])
    }

    /// What a policy engine is given: `{"before": …, "after": …}`.
    pub fn text(&self) -> String {
        json!({ "before": self.before, "after": self.after }).to_string()
    }
}

/// What a server that judges by text has to do first: parse both states, read them by the schema, and tell what changes.
///
/// # Errors
/// The text is no update of a user.
pub fn planned_from_text(text: &str, schemas: &SchemaRegistry) -> anyhow::Result<PlannedChange> {
    #[derive(serde::Deserialize)]
    struct States {
        before: Map<String, Value>,
        after: Map<String, Value>,
    }
    let States { before, after } = serde_json::from_str(text)?;
    replaced(&before, &after, schemas)
}

/// The creation of a user.
///
/// # Errors
/// It is not valid.
pub fn created(user: &Value, schemas: &SchemaRegistry) -> anyhow::Result<PlannedChange> {
    settle(draft_of(object(user)?, schemas)?)
}

/// The replacement of a user by another state.
///
/// # Errors
/// One of them is not valid, or nothing changes.
pub fn updated(update: &Update, schemas: &SchemaRegistry) -> anyhow::Result<PlannedChange> {
    replaced(object(&update.before)?, object(&update.after)?, schemas)
}

/// The deletion of a user.
///
/// # Errors
/// It is not valid.
pub fn deleted(user: &Value, schemas: &SchemaRegistry) -> anyhow::Result<PlannedChange> {
    settle(plan::plan_delete(stored(object(user)?, schemas)?))
}

fn replaced(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    schemas: &SchemaRegistry,
) -> anyhow::Result<PlannedChange> {
    let before = stored(before, schemas)?;
    settle(plan::plan_replace(reading(schemas)?, before, after, Timestamp::UNIX_EPOCH)?)
}

fn stored(body: &Map<String, Value>, schemas: &SchemaRegistry) -> anyhow::Result<Resource> {
    draft_of(body, schemas)?.after.context("a create has a state after")
}

fn draft_of(body: &Map<String, Value>, schemas: &SchemaRegistry) -> anyhow::Result<Draft> {
    let id = ResourceId(uuid::Uuid::nil());
    Ok(plan::plan_create(reading(schemas)?, id, body, Timestamp::UNIX_EPOCH)?)
}

fn settle(draft: Draft) -> anyhow::Result<PlannedChange> {
    draft.settle(MembersChange::default()).context("nothing changes")
}

fn reading(schemas: &SchemaRegistry) -> anyhow::Result<Reading<'_>> {
    schemas.resource_type("User").map(Reading::strict).context("no resource type `User`")
}

fn object(user: &Value) -> anyhow::Result<&Map<String, Value>> {
    user.as_object().context("a user is an object")
}

/// A user whose JSON has so many bytes: [`full_user`] without what is too much, and filled up with entitlements.
fn user_of(bytes: usize) -> anyhow::Result<Value> {
    let mut user = full_user("ada");
    user["userName"] = "emp-ada".into();
    let lacks = |user: &Value| bytes.checked_sub(user.to_string().len());
    for name in DISPENSABLE {
        if lacks(&user).is_some() {
            break;
        }
        object_mut(&mut user)?.remove(name);
    }
    let mut entitlements = user["entitlements"].as_array().cloned().unwrap_or_default();
    loop {
        let number = entitlements.len();
        let display = format!("Right of access to store {number:04}");
        entitlements.push(json!({ "value": format!("entitlement-{number:04}"), "type": "right", "display": display }));
        let mut larger = user.clone();
        larger["entitlements"] = entitlements.clone().into();
        if lacks(&larger).is_none() {
            break;
        }
        user = larger;
    }
    let missing = lacks(&user).with_context(|| format!("a user has more than {bytes} bytes"))?;
    let title = user["title"].as_str().unwrap_or_default();
    user["title"] = format!("{title}{}", ".".repeat(missing)).into();
    Ok(user)
}

/// A title of the other's length.
fn title(text: &str, other: &Value) -> Value {
    let length = other.as_str().map_or(0, str::len);
    format!("{text:.<length$.length$}").into()
}

fn object_mut(user: &mut Value) -> anyhow::Result<&mut Map<String, Value>> {
    user.as_object_mut().context("a user is an object")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_states_of_an_update_have_exactly_the_size_that_is_asked_for() {
        for bytes in [1_024, 2_048, 4_096, 65_536] {
            let update = Update::allowed(bytes).unwrap();
            assert_eq!(update.before.to_string().len(), bytes);
            assert_eq!(update.after.to_string().len(), bytes);
            assert_ne!(update.before["title"], update.after["title"]);
        }
        assert!(Update::allowed(300).is_err());
    }

    #[test]
    fn a_denied_update_differs_from_the_allowed_one_in_what_breaks_the_rule() {
        let allowed = Update::allowed(2_048).unwrap();
        let [named, identified, placed] = Update::denied(2_048).unwrap();
        assert_ne!(named.after["userName"], allowed.after["userName"]);
        assert_ne!(identified.after["externalId"], allowed.before["externalId"]);
        assert_eq!(placed.after[ENTERPRISE]["department"], Value::Null);
        assert_ne!(allowed.after[ENTERPRISE]["department"], Value::Null);
    }

    #[test]
    fn an_update_is_planned_from_its_text_as_from_its_states() {
        let schemas = SchemaRegistry::core();
        let update = Update::allowed(1_024).unwrap();
        let planned = planned_from_text(&update.text(), &schemas).unwrap();
        let paths: Vec<_> = planned.differences().iter().map(|difference| difference.path.clone()).collect();
        assert_eq!(paths, ["title"]);
        assert_eq!(planned.differences(), updated(&update, &schemas).unwrap().differences());
    }
}
