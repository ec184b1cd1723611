//! The rule that `tests/compare` measures side by side with policy engines: an update leaves a user with a `userName`
//! like `emp-*` and a department, and with the `externalId` that it had.

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Reason, Verdict, about};

const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";

struct ComparedRule;

impl Constraint for ComparedRule {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
    }

    fn evaluate(operation: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        let (Some(before), Some(after)) = (operation.before(), operation.after()) else {
            return Ok(Verdict::not_applicable());
        };
        let mut reasons = Vec::new();
        let name = after.text("userName")?.unwrap_or_default();
        if name.strip_prefix("emp-").is_none_or(str::is_empty) {
            reasons.push(Reason::new("user-name", "the userName is not like emp-*"));
        }
        if after.text(DEPARTMENT)?.unwrap_or_default().is_empty() {
            reasons.push(Reason::new("department", "the user has no department"));
        }
        if before.text("externalId")? != after.text("externalId")? {
            reasons.push(Reason::new("external-id", "the externalId is another one"));
        }
        Ok(Verdict::deny_any(reasons))
    }
}

scruple_sdk::export!(ComparedRule);
