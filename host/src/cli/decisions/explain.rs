//! `scruple decisions explain`.

use serde_json::Value;

use super::words::entry;
use crate::cli::output::{items, text};

/// The entry of the log, and what its verdicts rest on.
pub(super) fn in_words(found: &Value) -> String {
    let nothing = Value::Null;
    let mut lines = vec![entry(found.get("decision").unwrap_or(&nothing))];
    for explanation in items(found, "explanations") {
        lines.push(String::new());
        lines.push(format!("{} would have said otherwise if", text(explanation, "constraint")));
        if explanation.get("undecidable").is_some() {
            lines.push(format!("  it cannot be told: {}", text(explanation, "undecidable")));
            continue;
        }
        let turns = items(explanation, "rests_on");
        if turns.is_empty() {
            lines.push("  nothing that it read, by itself, would have made a difference".to_owned());
        }
        lines.extend(turns.iter().map(|turn| format!("  {}", turn_in_words(turn))));
    }
    lines.join("\n")
}

/// `externalId had not changed: allow`.
fn turn_in_words(turn: &Value) -> String {
    let supposed: Vec<&str> = items(turn, "supposed").iter().filter_map(Value::as_str).collect();
    let said = match items(turn, "reasons") {
        [] => text(turn, "verdict"),
        _ => format!("{} ({})", text(turn, "verdict"), text(turn, "reasons")),
    };
    format!("{}: {said}", supposed.join(", and "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::in_words;

    #[test]
    fn what_would_have_turned_a_verdict_is_told_a_line_each() {
        let told = in_words(&json!({ "decision": {}, "explanations": [
            { "constraint": "once", "rests_on": [
                { "supposed": ["externalId had not changed"], "verdict": "allow", "reasons": [] },
                { "supposed": ["a were 1", "b were 2"], "verdict": "deny", "reasons": ["late", "far"] },
            ] },
            { "constraint": "names", "undecidable": "it is a rewriter" },
            { "constraint": "all", "rests_on": [] },
        ] }));
        for line in [
            "once would have said otherwise if\n  externalId had not changed: allow\n  a were 1, and b were 2: deny (late, far)",
            "names would have said otherwise if\n  it cannot be told: it is a rewriter",
            "all would have said otherwise if\n  nothing that it read",
        ] {
            assert!(told.contains(line), "{told}");
        }
    }
}
