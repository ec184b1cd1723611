//! A manager must exist, and nobody leaves on whom others depend: somebody's manager, or the last member of a group.

use schemars::JsonSchema;
use scruple_sdk::filter::equals;
use scruple_sdk::{
    About, Action, Constraint, Document, Error, Operation, ReadError, Reason, ScimType, Verdict, about, directory,
};
use serde::Deserialize;

/// Where RFC 7643, 4.3 puts the id of a user's manager.
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";

/// The constraint.
#[derive(Debug)]
pub struct DependencyGuard;

/// What a tenant sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// A user's manager must be a user, and another one.
    manager_must_exist: bool,
    /// A user who is somebody's manager cannot be deleted.
    protect_managers: bool,
    /// A user who is the last member of a group cannot be deleted.
    protect_last_members: bool,
    /// Judge a deactivation as a deletion. Some identity providers never delete.
    deactivation_counts: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            manager_must_exist: true,
            protect_managers: true,
            protect_last_members: true,
            deactivation_counts: false,
        }
    }
}

impl Constraint for DependencyGuard {
    type Settings = Settings;

    fn about() -> About {
        about!()
            .resource_types(["User"])
            .actions([Action::Create, Action::Update, Action::Delete])
            .reads([MANAGER, "active", "displayName", "groups.value", "members.type"])
            .looks_up(["User", "Group"])
    }

    fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        let mut reasons = Vec::new();
        if let Some(after) = operation.after()
            && settings.manager_must_exist
            && operation.changes(MANAGER)?
        {
            reasons.extend(manager(&after)?);
        }
        let leaves =
            operation.action() == Action::Delete || (settings.deactivation_counts && operation.turns_off("active")?);
        if let Some(before) = operation.before()
            && leaves
        {
            if settings.protect_managers {
                reasons.extend(reports(&before)?);
            }
            if settings.protect_last_members {
                reasons.extend(last_member(&before)?);
            }
        }
        Ok(Verdict::deny_any(reasons))
    }
}

/// The manager that a user is given.
fn manager(user: &Document) -> Result<Option<Reason>, ReadError> {
    let Some(manager) = user.text(MANAGER)? else { return Ok(None) };
    let reason = if user.id().as_ref() == Some(&manager) {
        Reason::new("manager-is-self", format!("user `{manager}` cannot be their own manager"))
    } else if directory::get("User", &manager)?.is_none() {
        Reason::new(
            "manager-unknown",
            format!("the manager `{manager}` is not a user here; provision the manager first"),
        )
    } else {
        return Ok(None);
    };
    Ok(Some(reason.path(MANAGER).scim_type(ScimType::InvalidValue)))
}

/// Those whose manager the user is.
fn reports(user: &Document) -> Result<Option<Reason>, ReadError> {
    let id = user.id().unwrap_or_default();
    let others = format!("{} and not ({})", equals(MANAGER, &id), equals("id", &id));
    Ok(directory::exists("User", &others)?
        .then(|| Reason::new("user-is-manager", "the user is the manager of others; give them another one first")))
}

/// The groups that would have no member left.
fn last_member(user: &Document) -> Result<Vec<Reason>, ReadError> {
    let others = format!("not ({})", equals("id", &user.id().unwrap_or_default()));
    let mut reasons = Vec::new();
    for group_id in user.texts("groups.value")? {
        if !directory::members(&group_id, &others, 1)?.is_empty() {
            continue;
        }
        let Some(group) = directory::get("Group", &group_id)? else { continue };
        // Members may be groups, too.
        if !group.has(r#"members[type eq "Group"].type"#)? {
            let name = group.text("displayName")?.unwrap_or(group_id);
            reasons.push(Reason::new("last-member", format!("the user is the last member of group `{name}`")));
        }
    }
    Ok(reasons)
}

scruple_sdk::export!(DependencyGuard);

#[cfg(test)]
mod tests;
