//! Rules that hold in every state of the tenant if no decision is committed after what it looked up has changed; one at
//! least for each kind of look-up. What they are is said once more, in other words, in `it/serial/model.rs`.

use schemars::JsonSchema;
use scruple_sdk::{
    About, Constraint, Document, Error, Operation, Reason, Verdict, about, directory, filter::equals, tables,
};
use serde::Deserialize;

struct RestsOnLookUps;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The id of the group that no auditor may be in, be it through another.
    operators: String,
}

#[derive(Deserialize)]
struct Quota {
    max: u64,
}

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";
const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
const ADMIN: &str = "active eq true and userType eq \"admin\"";

impl Constraint for RestsOnLookUps {
    type Settings = Settings;

    fn about() -> About {
        about!()
            .resource_types(["User", "Group"])
            .reads(["active", "userType", "title", "displayName", "members", "groups.value", MANAGER, DEPARTMENT])
            .looks_up(["User", "Group"])
            .tables(["departments", "quotas"])
    }

    fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        let codes = match operation.resource_type().as_str() {
            "User" => user(operation, settings)?,
            _ => group(operation, settings)?,
        };
        Ok(Verdict::deny_any(codes.into_iter().map(|code| Reason::new(code, "not in this state"))))
    }
}

fn user(operation: &Operation, settings: &Settings) -> Result<Vec<&'static str>, Error> {
    let (before, after) = (operation.before(), operation.after());
    let is = |state: &Option<Document>, filter| state.as_ref().map_or(Ok(false), |state| state.matches(filter));
    let id = before.as_ref().or(after.as_ref()).and_then(Document::id).unwrap_or_default();
    let mut codes = Vec::new();
    // Two active administrators are left.
    if is(&before, ADMIN)? && !is(&after, ADMIN)? && directory::count("User", ADMIN)? < 3 {
        codes.push("too-few-administrators");
    }
    // Nobody's manager goes or becomes inactive.
    if is(&before, "active eq true")?
        && !is(&after, "active eq true")?
        && directory::exists("User", &equals(MANAGER, &id))?
    {
        codes.push("manager-of-others");
    }
    let Some(after) = after else { return Ok(codes) };
    // A manager is there and active.
    if operation.changes(MANAGER)?
        && let Some(manager) = after.text(MANAGER)?
    {
        let manager = directory::get("User", &manager)?;
        if !manager.map_or(Ok(false), |manager| manager.matches("active eq true"))? {
            codes.push("no-such-manager");
        }
    }
    // There is one boss.
    if operation.changes("title")? && after.text("title")?.as_deref() == Some("boss") {
        let bosses = directory::find("User", "title eq \"boss\"", 2)?;
        if bosses.iter().any(|boss| boss.id().as_ref() != Some(&id)) {
            codes.push("another-boss");
        }
    }
    // An auditor is no operator.
    if operation.changes("userType")?
        && after.text("userType")?.as_deref() == Some("auditor")
        && directory::is_member_transitively(&settings.operators, &id)?
    {
        codes.push("auditor-among-operators");
    }
    // A department is one of the table.
    if operation.changes(DEPARTMENT)?
        && let Some(department) = after.text(DEPARTMENT)?
        && !tables::contains("departments", &department)?
    {
        codes.push("no-such-department");
    }
    Ok(codes)
}

fn group(operation: &Operation, settings: &Settings) -> Result<Vec<&'static str>, Error> {
    let Some(after) = operation.after() else { return Ok(Vec::new()) };
    let (id, joining) = (after.id().unwrap_or_default(), operation.added("members")?);
    let mut codes = Vec::new();
    if joining.is_empty() {
        return Ok(codes);
    }
    let of_operators = id == settings.operators || directory::is_member_transitively(&settings.operators, &id)?;
    let mut users = 0;
    for member in &joining {
        match directory::get("User", member)? {
            Some(user) => {
                users += 1;
                if of_operators && user.text("userType")?.as_deref() == Some("auditor") {
                    codes.push("auditor-among-operators");
                }
            }
            // Groups are in the operators alone, so that they are nested once at the most.
            None if id != settings.operators => codes.push("nested"),
            None => {
                let auditors = format!("userType eq \"auditor\" and {}", equals("groups.value", member));
                if directory::exists("User", &auditors)? {
                    codes.push("auditor-among-operators");
                }
            }
        }
    }
    // As many users as the table has room for.
    let name = after.text("displayName")?.unwrap_or_default();
    if let Some(Quota { max }) = tables::get::<Quota>("quotas", &name)?
        && directory::count("User", &equals("groups.value", &id))? + users > max
    {
        codes.push("full");
    }
    Ok(codes)
}

scruple_sdk::export!(RestsOnLookUps);
