//! Critical accounts stay: never deactivated, deleted, renamed or removed from their groups. And named groups keep a
//! minimum of active members.
//!
//! Look-ups answer as of before the operation, so what the operation takes away is subtracted here. Two operations that
//! pass alone and together break the minimum cannot both be stored: the host judges the second one again.

mod minimum;

use schemars::JsonSchema;
use scruple_sdk::{
    About, Action, Constraint, Document, Error, Operation, ReadError, Reason, ScimType, Verdict, about, directory,
    quoted,
};
use serde::Deserialize;

/// The constraint.
#[derive(Debug)]
pub struct ProtectedAccounts;

/// What a tenant sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// The `userName` of every account that must stay active and in its groups.
    #[serde(default)]
    #[schemars(length(max = 50))]
    accounts: Vec<String>,
    /// Groups that need active members.
    #[serde(default)]
    groups: Vec<GroupMinimum>,
}

/// How many active members a group needs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GroupMinimum {
    /// The `displayName` of the group.
    display_name: String,
    /// At least so many of its direct members are active users.
    minimum: u64,
}

impl Constraint for ProtectedAccounts {
    type Settings = Settings;

    fn about() -> About {
        about!()
            .resource_types(["User", "Group"])
            .actions([Action::Update, Action::Delete])
            .reads(["userName", "active", "displayName", "members", "groups.value"])
            .looks_up(["User", "Group"])
    }

    fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        let Some(before) = operation.before() else { return Ok(Verdict::not_applicable()) };
        let mut reasons = Vec::new();
        if operation.resource_type() == "User" {
            reasons.extend(account(operation, &before, settings)?);
            reasons.extend(minimum::by_user(operation, &before, settings)?);
        } else {
            reasons.extend(members(operation, &before, settings)?);
            reasons.extend(minimum::by_group(operation, &before, settings)?);
        }
        Ok(Verdict::deny_any(reasons))
    }
}

/// The account itself.
fn account(operation: &Operation, before: &Document, settings: &Settings) -> Result<Option<Reason>, ReadError> {
    let name = before.text("userName")?.unwrap_or_default();
    if !contains(&settings.accounts, &name) {
        return Ok(None);
    }
    let Some(after) = operation.after() else {
        return Ok(Some(Reason::new(
            "protected-account-deleted",
            format!("`{name}` is protected and cannot be deleted"),
        )));
    };
    if operation.turns_off("active")? {
        let message = format!("`{name}` is protected and cannot be deactivated");
        return Ok(Some(Reason::new("protected-account-deactivated", message).path("active")));
    }
    // Under another name it would not be protected any more.
    let new_name = after.text("userName")?.unwrap_or_default();
    Ok((!contains(&settings.accounts, &new_name)).then(|| {
        let message = format!("`{name}` is protected by its name and cannot be renamed to `{new_name}`");
        Reason::new("protected-account-renamed", message).path("userName").scim_type(ScimType::Mutability)
    }))
}

/// The protected accounts that an operation on a group would take out of it.
fn members(operation: &Operation, group: &Document, settings: &Settings) -> Result<Vec<Reason>, ReadError> {
    let removed = operation.removed("members")?;
    let (Some(id), false) = (group.id(), settings.accounts.is_empty()) else { return Ok(Vec::new()) };
    if operation.after().is_some() && removed.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = settings.accounts.iter().map(|name| format!("userName eq {}", quoted(name))).collect();
    let filter = format!("({}) and groups.value eq {}", names.join(" or "), quoted(&id));
    let limit = u32::try_from(settings.accounts.len()).unwrap_or(u32::MAX);
    let mut reasons = Vec::new();
    for user in directory::find("User", &filter, limit)? {
        let user_id = user.id().unwrap_or_default();
        if operation.after().is_none() || removed.contains(&user_id) {
            let name = user.text("userName")?.unwrap_or_default();
            let message = format!("`{name}` is protected and stays in its groups");
            reasons.push(Reason::new("protected-account-removed-from-group", message).path("members"));
        }
    }
    Ok(reasons)
}

/// RFC 7643, 4.1.1 and 4.2: neither name is case-exact.
fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn contains(names: &[String], name: &str) -> bool {
    names.iter().any(|other| same(other, name))
}

scruple_sdk::export!(ProtectedAccounts);

#[cfg(test)]
mod tests;
