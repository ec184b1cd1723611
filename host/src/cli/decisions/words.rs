//! Decisions in words: a row of the log, a whole entry, each read.

mod remedy;

use serde_json::Value;

use crate::cli::output::{items, text};

pub(super) fn what(decision: &Value) -> String {
    format!("{} {} {}", text(decision, "action"), text(decision, "resource_type"), text(decision, "resource_id"))
}

pub(super) fn row(decision: &Value) -> Vec<String> {
    let why: Vec<String> = items(decision, "evaluations")
        .iter()
        .filter(|evaluation| match text(evaluation, "verdict").as_str() {
            "allow" | "not-applicable" => false,
            "rewrite" => !items(evaluation, "rewritten").is_empty(),
            _ => true,
        })
        .map(|evaluation| {
            let codes: Vec<String> = items(evaluation, "reasons").iter().map(|reason| text(reason, "code")).collect();
            let said = match evaluation.get("fault") {
                Some(fault) if !fault.is_null() => text(fault, "kind"),
                _ if text(evaluation, "verdict") == "rewrite" => rewritten_paths(evaluation),
                _ => codes.join(", "),
            };
            // What did not count is told apart from what did.
            let reasons = items(evaluation, "reasons").len();
            match text(evaluation, "mode").as_str() {
                "enforce" if reasons > 0 && items(evaluation, "waived").len() == reasons => {
                    format!("{} (waived): {said}", text(evaluation, "constraint"))
                }
                "enforce" => format!("{}: {said}", text(evaluation, "constraint")),
                mode => format!("{} ({mode}): {said}", text(evaluation, "constraint")),
            }
        })
        .collect();
    let actor = decision.get("actor").map_or_else(String::new, |actor| text(actor, "label"));
    let why = why.into_iter().chain(decision.get("violation").map(attempt)).collect::<Vec<_>>();
    vec![text(decision, "id"), text(decision, "at"), text(decision, "outcome"), what(decision), actor, why.join("; ")]
}

/// `rewrote userName, displayName`.
fn rewritten_paths(evaluation: &Value) -> String {
    let paths: Vec<String> = items(evaluation, "rewritten").iter().map(|change| text(change, "path")).collect();
    format!("rewrote {}", paths.join(", "))
}

/// A decision in sentences.
pub(super) fn entry(decision: &Value) -> String {
    let actor = decision.get("actor").map_or_else(String::new, |actor| text(actor, "label"));
    let txn = decision.get("txn").and_then(Value::as_str);
    let accepted = txn.map_or_else(String::new, |txn| format!(", accepted as {txn}"));
    let mut lines = vec![
        format!("decision   {}", text(decision, "id")),
        format!("at         {}", text(decision, "at")),
        format!("asked by   {actor} (request {}{accepted})", text(decision, "request_id")),
        format!("for        {}", what(decision)),
        format!("outcome    {} (generation {})", text(decision, "outcome"), text(decision, "generation")),
    ];
    if let Some(violation) = decision.get("violation") {
        lines.push(format!("because    {}", attempt(violation)));
    }
    let evaluations = items(decision, "evaluations");
    if evaluations.is_empty() {
        lines.push("no constraint was asked".to_owned());
    }
    lines.extend(evaluations_in_words(evaluations));
    lines.join("\n")
}

/// What each constraint said, read and used, a line for each thing.
pub(in crate::cli) fn evaluations_in_words(evaluations: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    for evaluation in evaluations {
        lines.push(String::new());
        lines.push(format!(
            "{} ({} version {}, {}): {}",
            text(evaluation, "constraint"),
            text(evaluation, "plugin"),
            text(evaluation, "version"),
            text(evaluation, "mode"),
            text(evaluation, "verdict"),
        ));
        evaluation_in_words(evaluation, &mut lines);
    }
    lines
}

/// `externalId (mutability): from "E1" to "E2"`.
fn attempt(violation: &Value) -> String {
    let side = |name: &str| violation.get(name).map_or_else(|| "nothing".to_owned(), Value::to_string);
    format!(
        "{} ({}): from {} to {}",
        text(violation, "attribute"),
        text(violation, "characteristic"),
        side("before"),
        side("after")
    )
}

fn evaluation_in_words(evaluation: &Value, lines: &mut Vec<String>) {
    for reason in items(evaluation, "reasons") {
        lines.push(format!("  because {}: {}", text(reason, "code"), text(reason, "message")));
    }
    for waived in items(evaluation, "waived") {
        lines.push(format!("  waived  {}: by waiver {}", text(waived, "code"), text(waived, "waiver")));
    }
    // Only under `enforce` is what a rewriter asks for done.
    let rewrote = if text(evaluation, "mode") == "enforce" { "rewrote" } else { "would rewrite" };
    for change in items(evaluation, "rewritten") {
        lines.push(format!("  {rewrote} {}", difference(change)));
    }
    if let Some(omitted) = evaluation.get("omitted") {
        lines.push(format!("  {rewrote} {omitted} more"));
    }
    if let Some(fault) = evaluation.get("fault").filter(|fault| !fault.is_null()) {
        lines.push(format!("  fault   {}: {}", text(fault, "kind"), text(fault, "message")));
        lines.push(format!("  remedy  {}", remedy::of(&text(fault, "kind"), items(evaluation, "reads"))));
    }
    for warning in items(evaluation, "warnings") {
        lines.push(format!("  warned  {}: {}", text(warning, "code"), text(warning, "message")));
    }
    for note in items(evaluation, "notes") {
        lines.push(format!("  noted   {}: {}", text(note, "key"), text(note, "value")));
    }
    for read in items(evaluation, "reads") {
        lines.push(format!("  read    {}", read_in_words(read)));
    }
    lines.push(format!(
        "  cost    {} fuel, {} bytes of memory, {} µs",
        text(evaluation, "fuel_used"),
        text(evaluation, "memory_bytes"),
        text(evaluation, "duration_us")
    ));
}

/// `before userName = "ada"`, `count User where groups.value eq "…" = 2`.
fn read_in_words(read: &Value) -> String {
    let of = |name: &str| read.get(name);
    if let Some(look_up) = of("look_up") {
        return format!("{} = {}", question(look_up), of("answer").unwrap_or(&Value::Null));
    }
    if of("table").is_some() {
        let (table, revision, key) = (text(read, "table"), text(read, "revision"), text(read, "key"));
        return match of("contains") {
            Some(contains) => format!("table {table} (revision {revision}) has {key} = {contains}"),
            None => format!("table {table} (revision {revision}) {key} = {}", of("row").unwrap_or(&Value::Null)),
        };
    }
    if let Some(refused) = of("refused").and_then(Value::as_str) {
        return format!("{refused}: refused, {}", text(read, "error"));
    }
    if of("differences_under").is_some() {
        let found: Vec<String> = items(read, "answer").iter().map(difference).collect();
        let under = text(read, "differences_under");
        let under = if under.is_empty() { "differences".to_owned() } else { format!("differences under {under}") };
        return format!("{under}: {}", if found.is_empty() { "none".to_owned() } else { found.join("; ") });
    }
    if let Some(path) = of("changes").and_then(Value::as_str) {
        return format!("whether {path} changes = {}", text(read, "answer"));
    }
    let path = match text(read, "path") {
        path if path.is_empty() => "everything".to_owned(),
        path => path,
    };
    // The member that holds the answer is named for what was asked.
    let asked = ["value", "values", "present", "matches", "json"].into_iter().find_map(|name| Some((name, of(name)?)));
    let document = text(read, "document");
    match asked {
        Some(("present", answer)) => format!("{document} has {path} = {answer}"),
        Some(("matches", answer)) => format!("{document} matches {path} = {answer}"),
        Some((_, answer)) => format!("{document} {path} = {answer}"),
        None => format!("{document} {path}"),
    }
}

fn question(look_up: &Value) -> String {
    let of = |name: &str| text(look_up, name);
    match of("kind").as_str() {
        "get" => format!("get {} {}", of("resource_type"), of("id")),
        "find" => format!("find {} where {} (at most {})", of("resource_type"), of("filter"), of("limit")),
        "count" => format!("count {} where {}", of("resource_type"), of("filter")),
        "is-member" => format!("whether {} is a member of {}", of("member_id"), of("group_id")),
        "groups-of" => format!("groups of {}", of("id")),
        _ => look_up.to_string(),
    }
}

fn difference(difference: &Value) -> String {
    let side = |name: &str| difference.get(name).map_or_else(|| "nothing".to_owned(), Value::to_string);
    format!("{} from {} to {}", text(difference, "path"), side("before"), side("after"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_rewriter_has_changed_is_told_with_both_values() {
        let evaluation = |mode: &str, rewritten: Value| {
            json!({ "constraint": "names", "plugin": "normalize-attributes", "version": 1, "mode": mode,
                "verdict": "rewrite", "rewritten": rewritten, "omitted": 2 })
        };
        let changes =
            json!([{ "path": "title", "after": "Countess" }, { "path": "userName", "before": "Ada", "after": "ada" }]);
        let decision =
            |mode: &str| json!({ "evaluations": [evaluation(mode, changes.clone()), evaluation(mode, json!([]))] });
        assert_eq!(row(&decision("enforce"))[5], "names: rewrote title, userName");
        assert_eq!(row(&decision("shadow"))[5], "names (shadow): rewrote title, userName");
        let told = entry(&decision("enforce"));
        assert!(told.contains("names (normalize-attributes version 1, enforce): rewrite"), "{told}");
        assert!(
            told.contains("  rewrote title from nothing to \"Countess\"\n  rewrote userName from \"Ada\" to \"ada\"\n")
        );
        assert!(entry(&decision("shadow")).contains("  would rewrite title from nothing"), "{told}");
        assert!(told.contains("  rewrote 2 more"), "{told}");
    }

    #[test]
    fn what_was_waived_is_told_with_the_waiver() {
        let denied = |waived: Value| {
            let reasons = json!([{ "code": "late", "message": "Late." }]);
            let evaluation = json!({ "constraint": "once", "mode": "enforce", "verdict": "deny", "reasons": reasons,
                "waived": waived });
            json!({ "evaluations": [evaluation] })
        };
        let waived = denied(json!([{ "reason": 0, "code": "late", "waiver": "W" }]));
        assert_eq!(row(&waived)[5], "once (waived): late");
        assert_eq!(row(&denied(json!([])))[5], "once: late");
        assert!(entry(&waived).contains("  because late: Late.\n  waived  late: by waiver W\n"), "{}", entry(&waived));
    }

    #[test]
    fn reads_are_told_in_words() {
        let check = |read: Value, expected: &str| assert_eq!(read_in_words(&read), expected);
        check(json!({ "document": "before", "path": "userName", "value": "ada" }), "before userName = \"ada\"");
        check(json!({ "document": "after", "path": "title", "present": false }), "after has title = false");
        check(json!({ "document": "after", "path": "", "json": {} }), "after everything = {}");
        check(json!({ "refused": "title", "error": "not-granted" }), "title: refused, not-granted");
        check(json!({ "changes": "emails", "answer": true }), "whether emails changes = true");
        let of_table =
            |answer: &str, value: Value| json!({ "table": "departments", "revision": 4, "key": "D-7", answer: value });
        check(of_table("contains", json!(false)), "table departments (revision 4) has D-7 = false");
        check(
            of_table("row", json!({ "name": "Engines" })),
            "table departments (revision 4) D-7 = {\"name\":\"Engines\"}",
        );
        check(
            json!({ "differences_under": "", "answer": [{ "path": "title", "before": "a" }] }),
            "differences: title from \"a\" to nothing",
        );
        check(
            json!({ "look_up": { "kind": "count", "resource_type": "User", "filter": "active eq true" }, "answer": 2 }),
            "count User where active eq true = 2",
        );
    }
}
