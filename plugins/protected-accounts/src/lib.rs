//! Critical accounts stay: never deactivated, deleted, renamed or removed from their groups. And named groups keep a
//! minimum of active members.
//!
//! Look-ups answer as of before the operation, so what the operation takes away is subtracted. Two operations that pass
//! alone and together break the minimum cannot both be stored: the host judges the second one again.

use schemars::JsonSchema;
use scruple_sdk::{
    About, Action, Constraint, Document, Error, Operation, ReadError, Reason, ScimType, Verdict, about, directory,
    filter, text,
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
            reasons.extend(user_minimum(operation, &before, settings)?);
        } else {
            reasons.extend(members(operation, settings)?);
            reasons.extend(group_minimum(operation, &before, settings)?);
        }
        Ok(Verdict::deny_any(reasons))
    }
}

/// The account itself.
fn account(operation: &Operation, before: &Document, settings: &Settings) -> Result<Option<Reason>, ReadError> {
    let name = before.text("userName")?.unwrap_or_default();
    if !text::is_one_of(&name, &settings.accounts) {
        return Ok(None);
    }
    if operation.action() == Action::Delete {
        let message = format!("`{name}` is protected and cannot be deleted");
        return Ok(Some(Reason::new("protected-account-deleted", message)));
    }
    if operation.turns_off("active")? {
        let message = format!("`{name}` is protected and cannot be deactivated");
        return Ok(Some(Reason::new("protected-account-deactivated", message).path("active")));
    }
    // Under another name it would not be protected any more.
    let unprotected = operation.renamed("userName")?.filter(|new| !text::is_one_of(new, &settings.accounts));
    Ok(unprotected.map(|new_name| {
        let message = format!("`{name}` is protected by its name and cannot be renamed to `{new_name}`");
        Reason::new("protected-account-renamed", message).path("userName").scim_type(ScimType::Mutability)
    }))
}

/// The protected accounts that an operation on a group would take out of it.
fn members(operation: &Operation, settings: &Settings) -> Result<Vec<Reason>, ReadError> {
    let Some(named) = filter::equals_any("userName", &settings.accounts) else { return Ok(Vec::new()) };
    let limit = u32::try_from(settings.accounts.len()).unwrap_or(u32::MAX);
    let leaving = operation.leaving_members(&named, limit)?;
    let refuse = |user: &Document| {
        let message = format!("`{}` is protected and stays in its groups", user.text("userName")?.unwrap_or_default());
        Ok(Reason::new("protected-account-removed-from-group", message).path("members"))
    };
    leaving.iter().map(refuse).collect()
}

/// A user who leaves or is deactivated counts no more in any of the groups.
fn user_minimum(operation: &Operation, before: &Document, settings: &Settings) -> Result<Vec<Reason>, ReadError> {
    let mut reasons = Vec::new();
    if !operation.turns_off("active")? {
        return Ok(reasons);
    }
    let user_id = before.id().unwrap_or_default();
    for rule in &settings.groups {
        let named = filter::equals("displayName", &rule.display_name);
        for group_id in directory::find("Group", &named, 10)?.iter().filter_map(Document::id) {
            if directory::is_member(&group_id, &user_id)? {
                reasons.extend(too_few(
                    rule,
                    directory::count_others(&group_id, &user_id, "active eq true", rule.minimum)?,
                ));
            }
        }
    }
    Ok(reasons)
}

/// A group that loses members, its name, or itself.
fn group_minimum(operation: &Operation, before: &Document, settings: &Settings) -> Result<Option<Reason>, ReadError> {
    let name = before.text("displayName")?.unwrap_or_default();
    let Some(rule) = settings.groups.iter().find(|rule| text::same(&rule.display_name, &name)) else { return Ok(None) };
    if operation.action() == Action::Delete {
        let message = format!("group `{name}` needs {} active members and cannot be deleted", rule.minimum);
        return Ok(Some(Reason::new("protected-group-deleted", message)));
    }
    if let Some(new_name) = operation.renamed("displayName")? {
        let message = format!("group `{name}` is protected by its name and cannot be renamed to `{new_name}`");
        let renamed = Reason::new("protected-group-renamed", message).path("displayName");
        return Ok(Some(renamed.scim_type(ScimType::Mutability)));
    }
    Ok(operation.too_few_members("active eq true", rule.minimum)?.and_then(|left| too_few(rule, left)))
}

fn too_few(rule: &GroupMinimum, left: u64) -> Option<Reason> {
    (left < rule.minimum).then(|| {
        let GroupMinimum { display_name, minimum } = rule;
        let message = format!("group `{display_name}` needs {minimum} active members and would have {left}");
        Reason::new("too-few-active-members", message)
    })
}

scruple_sdk::export!(ProtectedAccounts);

#[cfg(test)]
mod tests;
