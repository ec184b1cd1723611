//! Reads five attributes of a user and allows what is complete: the subject of the benchmarks, which run the same rule in
//! native Rust beside it. An update it reads twice, which is recorded once; of a deletion it reads nothing. So one component
//! shows what its call, its reads and their recording take.

use scruple_sdk::{About, Constraint, Document, Error, NoSettings, Operation, ReadError, Reason, Verdict, about};

struct FiveReads;

impl Constraint for FiveReads {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
    }

    fn evaluate(operation: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        let Some(user) = operation.after() else { return Ok(Verdict::not_applicable()) };
        let mut complete = is_complete(&user)?;
        if operation.before().is_some() {
            complete &= is_complete(&user)?;
        }
        Ok(if complete { Verdict::allow() } else { Reason::new("incomplete", "the user is incomplete").into() })
    }
}

fn is_complete(user: &Document) -> Result<bool, ReadError> {
    let name = user.text("userName")?.unwrap_or_default();
    let active = user.flag("active")?.unwrap_or(false);
    let family = user.text("name.familyName")?.unwrap_or_default();
    let work = user.text(r#"emails[type eq "work"].value"#)?.unwrap_or_default();
    let department =
        user.text("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department")?.unwrap_or_default();
    Ok(active && !name.is_empty() && !family.is_empty() && work.ends_with("@example.com") && !department.is_empty())
}

scruple_sdk::export!(FiveReads);
