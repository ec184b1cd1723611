//! Which groups may trigger provisioning: only users that match a filter become members of the named groups.
//!
//! Members are judged when they join. A group that takes the name of a gated one is judged with all its members, so a
//! gate cannot be walked around by renaming.

use schemars::JsonSchema;
use scruple_sdk::{
    About, Action, Constraint, Document, Error, Operation, ReadError, Reason, ScimType, Verdict, about, directory,
    quoted,
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
        let gates: Vec<&Gate> = settings.gates.iter().filter(|gate| same(&gate.display_name, &name)).collect();
        if gates.is_empty() {
            return Ok(Verdict::not_applicable());
        }
        let joining = operation.added("members")?;
        let mut reasons = Vec::new();
        for gate in &gates {
            if let Some(before) = operation.before() {
                reasons.extend(present_members(gate, &before)?);
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
fn present_members(gate: &Gate, before: &Document) -> Result<Option<Reason>, ReadError> {
    if same(&before.text("displayName")?.unwrap_or_default(), &gate.display_name) {
        return Ok(None);
    }
    let id = quoted(&before.id().unwrap_or_default());
    let strangers = directory::count("User", &format!("groups.value eq {id} and not ({})", gate.members_match))?;
    Ok((strangers > 0).then(|| {
        let Gate { display_name, members_match } = gate;
        let message = format!("{strangers} members of the group that becomes `{display_name}` lack `{members_match}`");
        refusal("member-not-eligible", message).path("displayName")
    }))
}

fn refusal(code: &str, message: String) -> Reason {
    Reason::new(code, message).path("members").scim_type(ScimType::InvalidValue)
}

/// RFC 7643, 4.2: `displayName` is not case-exact.
fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

scruple_sdk::export!(GroupGate);

#[cfg(test)]
mod tests {
    use scruple_sdk::testing::{Outcome, Scenario};
    use serde_json::{Value, json};

    use super::*;

    fn group(name: &str, ids: &[&str]) -> Value {
        let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
        json!({ "id": "g", "displayName": name, "members": members })
    }

    fn outcome(scenario: Scenario) -> Outcome {
        scenario
            .user(json!({ "id": "ada", "userType": "Employee", "active": true }))
            .user(json!({ "id": "bob", "userType": "Contractor", "active": true }))
            .user(json!({ "id": "cy", "userType": "Employee", "active": false }))
            .check::<GroupGate>(json!({ "gates": [
                { "displayName": "Payroll", "membersMatch": "active eq true and userType eq \"Employee\"" },
            ] }))
    }

    #[track_caller]
    fn check(scenario: Scenario, expected: &[&str]) {
        assert_eq!(outcome(scenario).codes(), expected);
    }

    #[test]
    fn those_who_match_join() {
        check(Scenario::create("Group", group("Payroll", &["ada"])), &[]);
        check(Scenario::update("Group", group("Payroll", &[]), group("Payroll", &["ada"])), &[]);
    }

    #[test]
    fn everybody_who_does_not_match_is_named() {
        let outcome =
            outcome(Scenario::update("Group", group("PAYROLL", &[]), group("PAYROLL", &["ada", "bob", "cy"])));
        assert_eq!(outcome.codes(), ["member-not-eligible", "member-not-eligible"]);
        assert!(outcome.reasons()[0].message().contains("`bob`") && outcome.reasons()[1].message().contains("`cy`"));
    }

    #[test]
    fn what_is_no_user_does_not_join() {
        check(Scenario::create("Group", group("Payroll", &["a-group"])), &["member-not-a-user"]);
    }

    #[test]
    fn other_groups_and_other_changes_are_free() {
        check(Scenario::create("Group", group("Lunch", &["bob"])), &[]);
        check(Scenario::update("Group", group("Payroll", &["bob"]), group("Payroll", &["bob"])), &[]);
        check(Scenario::update("Group", group("Payroll", &["bob"]), group("Payroll", &[])), &[]);
    }

    #[test]
    fn a_group_does_not_come_under_the_name_with_members_who_could_not_join() {
        check(
            Scenario::update("Group", group("Lunch", &["bob"]), group("Payroll", &["bob"])),
            &["member-not-eligible"],
        );
        check(Scenario::update("Group", group("Lunch", &["ada"]), group("Payroll", &["ada"])), &[]);
    }
}
