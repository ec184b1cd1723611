//! What a command prints: a table for people, JSON for programs.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

use crate::cli::Failure;
use crate::one_line::one_line;

/// Where a command prints.
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// A line of text, or its JSON.
    pub(super) fn line(&self, json: &Value, text: impl AsRef<str>) -> Result<(), Failure> {
        if self.json { print(&format!("{json:#}")) } else { print(&harmless(text.as_ref())) }
    }

    /// Text as it is, line by line, and nothing in it that says something to the terminal.
    pub(super) fn text(&self, text: &str) -> Result<(), Failure> {
        print(&harmless(text.trim_end_matches(['\r', '\n']).replace("\r\n", "\n").as_str()))
    }

    /// Text for a program, as it is; a terminal is told nothing by it.
    pub(super) fn document(&self, text: &str) -> Result<(), Failure> {
        let text = text.trim_end_matches('\n');
        if io::stdout().is_terminal() { print(&harmless(text)) } else { print(text) }
    }

    /// JSON as it is, one value a line.
    pub(super) fn json_line(&self, json: &Value) -> Result<(), Failure> {
        print(&json.to_string())
    }

    /// Empties the terminal, if there is one.
    #[cfg(feature = "authoring")]
    pub(super) fn clear(&self) {
        let mut out = io::stdout().lock();
        if !self.json && out.is_terminal() {
            // A terminal that is gone shows nothing either way.
            let _ = write!(out, "\u{1b}[2J\u{1b}[H");
        }
    }

    /// A table, or its JSON.
    pub(super) fn table(&self, json: &Value, header: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
        if self.json {
            return print(&format!("{json:#}"));
        }
        if rows.is_empty() {
            return print("nothing yet");
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(header.to_vec());
        table.add_rows(rows);
        print(&harmless(&table.to_string()))
    }

    /// Why the command failed, on standard error.
    pub(super) fn failure(&self, text: &str) {
        // Nobody is left to be told if standard error is closed.
        let _ = writeln!(io::stderr().lock(), "error: {}", harmless(text));
    }
}

/// The lines as they are, with nothing in them that says something to the terminal. JSON is not changed: it is for programs.
fn harmless(lines: &str) -> String {
    lines.split('\n').map(one_line).collect::<Vec<_>>().join("\n")
}

fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Ok(()) => Ok(()),
        // `scruple decisions tail | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::Local(format!("cannot print: {error}"))),
    }
}

/// A member of a JSON object as people read it, in one line: it may be what a tenant's code said.
pub(super) fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::Array(items)) => items.iter().map(word).collect::<Vec<_>>().join(", "),
        Some(other) => word(other),
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), one_line)
}

/// The items of an array member.
pub(super) fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{harmless, text};

    #[test]
    fn whatever_is_printed_says_nothing_to_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2J\n  b\u{9b}2J\n"), "a\\u{1b}[2J\n  b\\u{9b}2J\n");
    }

    #[test]
    fn what_a_constraint_said_says_nothing_to_the_terminal() {
        let reason =
            json!({ "message": "no\u{1b}]0;owned\u{7}\ndecision allowed", "paths": ["a\nb", 7], "none": null });
        assert_eq!(text(&reason, "message"), r"no\u{1b}]0;owned\u{7}\ndecision allowed");
        assert_eq!(text(&reason, "paths"), r"a\nb, 7");
        assert_eq!([text(&reason, "none"), text(&reason, "missing")], ["–", "–"]);
    }
}
