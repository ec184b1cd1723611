//! Native Rust over serde_json: what a service would do that has the rule in its own code.

use std::borrow::Cow;

use scruple_tests::bench::change::ENTERPRISE;
use serde::Deserialize;
use serde_json::Value;

use crate::subject::{Converted, Subject};

/// By a type with the rule's attributes and no others: the fastest that there is, and good for this rule alone.
#[derive(Clone, Copy, Debug)]
pub struct Typed;

/// By `serde_json::Value`, which has every attribute, as a rule that is not known beforehand needs them.
#[derive(Clone, Copy, Debug)]
pub struct Untyped;

#[derive(Deserialize)]
struct Update<'t> {
    #[serde(borrow)]
    before: User<'t>,
    after: User<'t>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User<'t> {
    #[serde(borrow)]
    user_name: Cow<'t, str>,
    external_id: Option<Cow<'t, str>>,
    #[serde(rename = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", default)]
    enterprise: Enterprise<'t>,
}

#[derive(Default, Deserialize)]
struct Enterprise<'t> {
    #[serde(borrow)]
    department: Option<Cow<'t, str>>,
}

impl Update<'_> {
    fn is_allowed(&self) -> bool {
        is_named_well(&self.after.user_name)
            && self.after.enterprise.department.as_ref().is_some_and(|department| !department.is_empty())
            && self.before.external_id == self.after.external_id
    }
}

fn is_named_well(user_name: &str) -> bool {
    user_name.strip_prefix("emp-").is_some_and(|name| !name.is_empty())
}

fn is_allowed(update: &Value) -> bool {
    let (before, after) = (update.get("before"), update.get("after"));
    let department = after.and_then(|after| after.get(ENTERPRISE)?.get("department")?.as_str());
    text(after, "userName").is_some_and(is_named_well)
        && department.is_some_and(|department| !department.is_empty())
        && text(before, "externalId") == text(after, "externalId")
}

fn text<'u>(user: Option<&'u Value>, name: &str) -> Option<&'u str> {
    user?.get(name)?.as_str()
}

impl Subject for Typed {
    fn name(&self) -> String {
        "native Rust, typed serde".to_owned()
    }

    fn judge(&self, text: &str) -> anyhow::Result<bool> {
        Ok(serde_json::from_str::<Update<'_>>(text)?.is_allowed())
    }

    fn convert(&self, text: &str) -> anyhow::Result<Converted<'_>> {
        // Lives as long as the program: a few of them in a benchmark.
        let update: Update<'static> = serde_json::from_str(String::from(text).leak())?;
        Ok(Box::new(move || Ok(std::hint::black_box(&update).is_allowed())))
    }
}

impl Subject for Untyped {
    fn name(&self) -> String {
        "native Rust, serde_json::Value".to_owned()
    }

    fn judge(&self, text: &str) -> anyhow::Result<bool> {
        Ok(is_allowed(&serde_json::from_str(text)?))
    }

    fn convert(&self, text: &str) -> anyhow::Result<Converted<'_>> {
        let update: Value = serde_json::from_str(text)?;
        Ok(Box::new(move || Ok(is_allowed(std::hint::black_box(&update)))))
    }
}
