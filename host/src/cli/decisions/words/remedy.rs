//! What to do about a fault. The guide has a page with more of it.

use serde_json::Value;

/// A sentence about a fault of that kind, after those reads.
pub(super) fn of(kind: &str, reads: &[Value]) -> &'static str {
    // Most of what fails does so because a read was refused, and the last one that was is the one.
    let refused = reads.iter().rev().filter(|read| read.get("refused").is_some());
    let refused = refused.filter_map(|read| read.get("error")?.as_str()).next();
    match (kind, refused) {
        ("failed", Some("not-granted")) => {
            "grant what was refused: `scruple constraint set` without `--grants` for all that the plugin asks for; what it does not ask \
             for, name in its `reads` (look-ups in `looks_up`, tables in `tables`), build and push"
        }
        ("failed", Some("budget-exhausted")) => {
            "read less, or ask for one value instead of all: the guide, limits and fuel"
        }
        ("failed", Some("unavailable")) => "see that the table is there: `scruple table list`",
        ("failed", Some("invalid")) => {
            "correct the path or filter that was refused; `scruple plugin test` shows it without a server"
        }
        ("out-of-fuel" | "deadline", _) => {
            "look what takes it: `scruple plugin run` with this operation tells every read and the fuel; the guide, limits and fuel, has \
             what saves some"
        }
        ("unavailable", _) => "tell the operator: the server's log says why",
        _ => "the guide's page of errors has what helps (`scruple_sdk::guide::errors`)",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::of;

    #[test]
    fn the_last_read_that_was_refused_says_what_to_do() {
        let refused = |error: &str| json!({ "refused": "title", "error": error });
        let reads = [refused("invalid"), refused("not-granted"), json!({ "document": "after", "path": "userName" })];
        assert!(of("failed", &reads).contains("`--grants`"));
        assert!(of("failed", &reads[..1]).contains("correct the path"));
        assert!(of("out-of-fuel", &reads).contains("`scruple plugin run`"));
        assert!(of("failed", &[]).contains("page of errors"));
    }
}
