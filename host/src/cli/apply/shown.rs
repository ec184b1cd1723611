//! A plan in words.

use std::fmt::Write;

use serde_json::Value;

use crate::cli::constraint::grants;
use crate::cli::manifest::Manifest;
use crate::cli::output::{items, text};
use crate::cli::waiver::whom;

/// Characters of a digest: enough to tell two apart.
const DIGEST_CHARS: usize = 12;

/// Every step that changes something, and how many do not.
pub(super) fn plan(plan: &Value, tenant: &str, manifest: &Manifest) -> String {
    let mut shown = String::new();
    // Writing into a text does not fail.
    for step in items(plan, "constraints") {
        let _ = constraint(&mut shown, step, gives_grants(manifest, &text(step, "name")));
    }
    for step in items(plan, "tables") {
        let _ = table(&mut shown, step);
    }
    for step in items(plan, "waivers") {
        let _ = waiver(&mut shown, step);
    }
    let all = || items(plan, "constraints").iter().chain(items(plan, "tables")).chain(items(plan, "waivers"));
    let count = |action: &str| all().filter(|step| text(step, "action") == action).count();
    let kept: Vec<String> = all().filter(|step| text(step, "action") == "kept").map(name).collect();
    if !kept.is_empty() {
        let _ = writeln!(shown, "not in the file, and kept: {}", kept.join(", "));
    }
    let _ = write!(
        shown,
        "tenant {tenant}, generation {}: {} to create, {} to update, {} to remove, {} unchanged",
        text(plan, "generation"),
        count("create"),
        count("update"),
        count("remove"),
        count("unchanged"),
    );
    shown
}

/// Whether the file says what a constraint may read.
fn gives_grants(manifest: &Manifest, name: &str) -> bool {
    let named = manifest.constraints.iter().flatten().find(|constraint| constraint.name == name);
    named.is_some_and(|constraint| constraint.rest.contains_key("grants"))
}

fn constraint(out: &mut String, step: &Value, gives_grants: bool) -> std::fmt::Result {
    let Some(sign) = sign(step) else { return Ok(()) };
    let state = step.get("state").unwrap_or(&Value::Null);
    let (name, plugin) = (text(step, "name"), text(state, "plugin"));
    let (version, mode) = (text(state, "version"), text(state, "mode"));
    writeln!(out, "{sign} constraint {name}: {plugin} version {version} ({}), {mode}", digest(state))?;
    let differences = items(step, "differences");
    differences.iter().try_for_each(|difference| value(out, difference))?;
    let grants_differ = differences.iter().any(|difference| text(difference, "pointer").starts_with("/grants"));
    let may = || {
        let asked = if gives_grants { "" } else { ": all that the plugin asks for" };
        format!("may read {}{asked}", grants(state.get("grants").unwrap_or(&Value::Null)))
    };
    match text(step, "action").as_str() {
        "create" => {
            writeln!(out, "    settings {}", state.get("settings").unwrap_or(&Value::Null))?;
            writeln!(out, "    on a fault {}, order {}", text(state, "on_fault"), text(state, "order"))?;
            writeln!(out, "    {}", may())
        }
        "update" if grants_differ => writeln!(out, "    {}", may()),
        _ => Ok(()),
    }
}

fn table(out: &mut String, step: &Value) -> std::fmt::Result {
    let Some(sign) = sign(step) else { return Ok(()) };
    let state = step.get("state").unwrap_or(&Value::Null);
    writeln!(out, "{sign} table {}: {} rows, digest {}", text(step, "name"), text(state, "rows"), digest(state))?;
    items(step, "differences").iter().try_for_each(|difference| value(out, difference))
}

/// What a step is about.
fn name(step: &Value) -> String {
    match step.get("name") {
        Some(_) => text(step, "name"),
        None => format!("waiver {}", items(step, "ids").first().and_then(Value::as_str).unwrap_or_default()),
    }
}

fn waiver(out: &mut String, step: &Value) -> std::fmt::Result {
    let state = step.get("state").unwrap_or(&Value::Null);
    let [constraint, code, until, ticket] = ["constraint", "code", "until", "ticket"].map(|name| text(state, name));
    let said = format!("waiver of `{code}` of {constraint} for {} until {until} ({ticket})", whom(state));
    match sign(step) {
        Some(sign) => writeln!(out, "{sign} {said}"),
        None if step.get("ended") == Some(&Value::Bool(true)) => {
            writeln!(out, "  {said} has ended: it counts as there, and can go from the file")
        }
        None => Ok(()),
    }
}

/// Of what changes something.
fn sign(step: &Value) -> Option<char> {
    match text(step, "action").as_str() {
        "create" => Some('+'),
        "update" => Some('~'),
        "remove" => Some('-'),
        _ => None,
    }
}

fn digest(state: &Value) -> String {
    text(state, "digest").chars().take(DIGEST_CHARS).collect()
}

/// A value that changes, without the slash that every pointer begins with.
fn value(out: &mut String, difference: &Value) -> std::fmt::Result {
    let pointer = text(difference, "pointer");
    let place = pointer.strip_prefix('/').unwrap_or(&pointer);
    let shown = |name: &str| difference.get(name).map_or_else(|| "nothing".to_owned(), Value::to_string);
    writeln!(out, "    {place}: {} → {}", shown("from"), shown("to"))
}
