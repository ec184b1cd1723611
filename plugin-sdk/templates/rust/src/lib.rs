//! Work addresses belong to the company.
%if directory
//! Nobody has an address that another user has.
%end
%if tables
//! Departments are those that there are.
%end
//!
//! Only values that are new are judged: old data must not stop a change of something else.

use schemars::JsonSchema;
%if tables
use scruple_sdk::tables;
%end
use scruple_sdk::{About, Action, Constraint, Error, Operation};
%if directory
use scruple_sdk::{ReadError, directory, filter};
%end
use scruple_sdk::{Reason, ScimType, SettingsProblem, Verdict, about, text};
use serde::Deserialize;

const WORK_ADDRESS: &str = r#"emails[type eq "work"].value"#;
%if tables
const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
/// The table of the tenant that has the code of each department.
const DEPARTMENTS: &str = "departments";
%end

struct Rule;

/// What a tenant sets. Its JSON Schema is made of this type.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    /// The domain of every work address: `example.com`, or `*.example.com` for every domain below it.
    domain: String,
}

impl Constraint for Rule {
    type Settings = Settings;

    fn about() -> About {
        about!()
            .resource_types(["User"])
            .actions([Action::Create, Action::Update])
%if not tables
            .reads(["emails.value", "emails.type"])
%end
%if tables
            .reads(["emails.value", "emails.type", DEPARTMENT])
            .tables([DEPARTMENTS])
%end
%if directory
            .looks_up(["User"])
%end
    }

    fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        let mut reasons = Vec::new();
        for address in operation.new_texts(WORK_ADDRESS)? {
            if !text::is_at_domain(&address, [&settings.domain]) {
                let message = format!("`{address}` is not an address at {}", settings.domain);
                let reason = Reason::new("foreign-domain", message).path("emails");
                reasons.push(reason.scim_type(ScimType::InvalidValue));
            }
%if directory
            if is_taken(operation, &address)? {
                let message = format!("another user has the address `{address}`");
                let reason = Reason::new("address-taken", message).path("emails");
                reasons.push(reason.scim_type(ScimType::Uniqueness));
            }
%end
        }
%if tables
        for department in operation.new_texts(DEPARTMENT)? {
            if !tables::contains(DEPARTMENTS, &department)? {
                let message = format!("there is no department `{department}`");
                let reason = Reason::new("unknown-department", message).path(DEPARTMENT);
                reasons.push(reason.scim_type(ScimType::InvalidValue));
            }
        }
%end
        Ok(Verdict::deny_any(reasons))
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        let mut problems = Vec::new();
        if settings.domain.contains('@') {
            problems.push(SettingsProblem::new("/domain", "a domain has no `@`"));
        }
        problems
    }
}
%if directory

/// Whether somebody else has the address. Look-ups answer as of before the operation.
fn is_taken(operation: &Operation, address: &str) -> Result<bool, ReadError> {
    let own = operation.before().and_then(|user| user.id());
    let holders = directory::find("User", &filter::equals("emails.value", address), 2)?;
    Ok(holders.iter().any(|user| user.id() != own))
}
%end

scruple_sdk::export!(Rule);

#[cfg(test)]
mod tests;
