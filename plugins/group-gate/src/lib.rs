//! Which groups may trigger provisioning: only users that match a filter become members of the named groups.
//!
//! Members are judged when they join. A group that takes the name of a gated one is judged with all its members, so a
//! gate cannot be walked around by renaming.

use schemars::JsonSchema;
use scruple_sdk::{
    About, Action, Constraint, Error, Operation, ReadError, Reason, ScimType, Verdict, about, directory, text,
};
use serde::Deserialize;

/// The constraint.
#[derive(Debug)]
pub struct GroupGate;

/// What a tenant sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// One gate for each group.
    #[schemars(length(min = 1))]
    gates: Vec<Gate>,
}

/// Who may join one group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Gate {
    /// The `displayName` of the group.
    display_name: String,
    /// A SCIM filter that a user must match to join: `active eq true and userType eq "Employee"`.
    members_match: String,
}

impl Constraint for GroupGate {
    type Settings = Settings;

    /// What a filter looks at is a setting, so it asks for all; a tenant grants `displayName`, `members`, `groups.value`
    /// and what its filters look at.
    fn about() -> About {
        about!().resource_types(["Group"]).actions([Action::Create, Action::Update]).looks_up(["User"])
    }

    fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        let Some(after) = operation.after() else { return Ok(Verdict::not_applicable()) };
        let name = after.text("displayName")?.unwrap_or_default();
        let gates: Vec<&Gate> = settings.gates.iter().filter(|gate| text::same(&gate.display_name, &name)).collect();
        if gates.is_empty() {
            return Ok(Verdict::not_applicable());
        }
        let joining = operation.added("members")?;
        let mut reasons = Vec::new();
        if operation.renamed("displayName")?.is_some() {
            for gate in &gates {
                reasons.extend(present_members(gate, &after.id().unwrap_or_default())?);
            }
        }
        for id in &joining {
            reasons.extend(member(&gates, id)?);
        }
        Ok(Verdict::deny_any(reasons))
    }
}

/// One who joins.
fn member(gates: &[&Gate], id: &str) -> Result<Option<Reason>, ReadError> {
    let Some(user) = directory::get("User", id)? else {
        return Ok(Some(refusal("member-not-a-user", format!("`{id}` is not a user, and only users join this group"))));
    };
    for gate in gates {
        if !user.matches(&gate.members_match)? {
            let Gate { display_name, members_match } = gate;
            let message = format!("user `{id}` cannot join `{display_name}`: it takes those with `{members_match}`");
            return Ok(Some(refusal("member-not-eligible", message)));
        }
    }
    Ok(None)
}

/// Those who are members already, when the group comes under the gate by its new name.
fn present_members(gate: &Gate, group_id: &str) -> Result<Option<Reason>, ReadError> {
    let strangers = directory::count_members(group_id, &format!("not ({})", gate.members_match))?;
    Ok((strangers > 0).then(|| {
        let Gate { display_name, members_match } = gate;
        let message = format!("{strangers} members of the group that becomes `{display_name}` lack `{members_match}`");
        refusal("member-not-eligible", message).path("displayName")
    }))
}

fn refusal(code: &str, message: String) -> Reason {
    Reason::new(code, message).path("members").scim_type(ScimType::InvalidValue)
}

scruple_sdk::export!(GroupGate);

#[cfg(test)]
mod tests;
