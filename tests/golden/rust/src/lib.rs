//! The rule of the golden components, written with the SDK.

use scruple_sdk::{
    About, Action, Constraint, Error, NoSettings, Operation, Reason, ScimType, Verdict, about, directory, quoted, report,
};

const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";

struct Golden;

impl Constraint for Golden {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
            .resource_types(["User"])
            .actions([Action::Create, Action::Update])
            .reads(["userName", "externalId", DEPARTMENT])
            .looks_up(["User"])
    }

    fn evaluate(operation: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        let Some(after) = operation.after() else { return Ok(Verdict::not_applicable()) };
        let mut reasons = Vec::new();
        let user_name = after.text("userName")?.unwrap_or_default();
        if !is_user_name(user_name.as_bytes()) {
            let message = format!("the user name `{user_name}` does not match the pattern");
            reasons.push(Reason::new("user-name", message).path("userName").scim_type(ScimType::InvalidValue));
        }
        if after.text(DEPARTMENT)?.unwrap_or_default().is_empty() {
            let reason = Reason::new("department", "a user needs a department");
            reasons.push(reason.path(DEPARTMENT).scim_type(ScimType::InvalidValue));
        }
        reasons.extend(external_id(operation, after.text("externalId")?)?);
        Ok(Verdict::deny_any(reasons))
    }
}

fn external_id(operation: &Operation, now: Option<String>) -> Result<Option<Reason>, Error> {
    if let Some(before) = operation.before() {
        let Some(then) = before.text("externalId")? else { return Ok(None) };
        if now.as_ref() == Some(&then) {
            return Ok(None);
        }
        report::note("external id", &format!("{then} -> {}", now.unwrap_or_default()));
        let reason = Reason::new("external-id", "the external id does not change");
        return Ok(Some(reason.path("externalId").scim_type(ScimType::Mutability)));
    }
    let Some(now) = now else { return Ok(None) };
    if directory::count("User", &format!("externalId eq {}", quoted(&now)))? == 0 {
        return Ok(None);
    }
    let reason = Reason::new("external-id-taken", format!("another user has the external id `{now}`"));
    Ok(Some(reason.path("externalId").scim_type(ScimType::Uniqueness)))
}

/// `[a-z][a-z0-9.-]{1,30}`
fn is_user_name(name: &[u8]) -> bool {
    let [first, rest @ ..] = name else { return false };
    let fits = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    first.is_ascii_lowercase() && (1..=30).contains(&rest.len()) && rest.iter().all(fits)
}

scruple_sdk::export!(Golden);
