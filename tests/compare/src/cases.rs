//! The changes that every subject has to judge rightly before it is measured.

use anyhow::Context;
use scruple_tests::bench::change::{ENTERPRISE, Update};
use serde_json::Value;

/// Which rule a subject has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The one that is compared.
    Compared,
    /// That of the golden components: a `userName` like `[a-z][a-z0-9.-]{1,30}`, a department, and an `externalId` that
    /// stays once there is one.
    Golden,
}

/// An update, and what is to be said of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// For messages.
    pub what: &'static str,
    /// The update.
    pub update: Update,
    compared: bool,
    golden: bool,
}

impl Case {
    /// Whether a rule allows it.
    pub fn is_allowed(&self, rule: Rule) -> bool {
        match rule {
            Rule::Compared => self.compared,
            Rule::Golden => self.golden,
        }
    }
}

/// Updates of users of about so many bytes of JSON, allowed and denied ones. Both rules say the same of all but the last
/// three.
///
/// # Errors
/// A user has at least 700 bytes.
pub fn cases(bytes: usize) -> anyhow::Result<Vec<Case>> {
    let [named, identified, placed] = Update::denied(bytes)?;
    let allowed = || Update::allowed(bytes);
    let same = |what, update, is_allowed| Case { what, update, compared: is_allowed, golden: is_allowed };
    let apart = |what, update, compared| Case { what, update, compared, golden: !compared };
    Ok(vec![
        same("allowed", allowed()?, true),
        same("of another userName", named, false),
        same("of another externalId", identified, false),
        same("without a department", placed, false),
        same("with an empty department", after(allowed()?, ENTERPRISE, "department", Some(""))?, false),
        same("without the extension", after(allowed()?, "", ENTERPRISE, None)?, false),
        same("that takes the externalId away", after(allowed()?, "", "externalId", None)?, false),
        same("that never had an externalId", after(before(allowed()?)?, "", "externalId", None)?, true),
        apart("of a userName that ends with its prefix", after(allowed()?, "", "userName", Some("emp-"))?, false),
        apart("of a userName in capitals", after(allowed()?, "", "userName", Some("emp-ADA"))?, true),
        apart("that adds an externalId", before(allowed()?)?, false),
    ])
}

/// The update of a user without an `externalId`.
fn before(mut update: Update) -> anyhow::Result<Update> {
    update.before.as_object_mut().context("a user is an object")?.remove("externalId");
    Ok(update)
}

/// The update with an attribute of the state after, in an extension unless that is empty, set to a text or taken away.
fn after(mut update: Update, extension: &str, name: &str, text: Option<&str>) -> anyhow::Result<Update> {
    let user = &mut update.after;
    let object = if extension.is_empty() { Some(user) } else { user.get_mut(extension) };
    let object = object.and_then(Value::as_object_mut).context("a user is an object, and so is its extension")?;
    match text {
        Some(text) => object.insert(name.to_owned(), text.into()),
        None => object.remove(name),
    };
    Ok(update)
}
