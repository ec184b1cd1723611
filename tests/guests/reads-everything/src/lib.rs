//! Reads what its settings tell it to, and notes what it got, a refusal too: for tests of reads, grants and look-ups.
//!
//! Declares every look-up and every path, so that only the tenant's grant stands in its way.

use std::fmt::Debug;

use schemars::JsonSchema;
use scruple_sdk::{
    About, Action, Constraint, Document, Error, Operation, ReadError, Verdict, about, directory, report, tables,
};
use serde::Deserialize;

struct ReadsEverything;

/// Each note has the name of the setting and the question as its key.
#[derive(Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[derive(Default)]
struct Settings {
    /// Paths to read all values of, before and after.
    values: Vec<String>,
    /// Paths whose presence to ask for, before and after.
    has: Vec<String>,
    /// Filters to ask for, before and after.
    matches: Vec<String>,
    /// Paths to read as JSON, before and after.
    json: Vec<String>,
    /// Read both states as a whole.
    whole: bool,
    /// Paths whose differences to ask for; all of them for an empty one.
    differences: Vec<String>,
    /// Paths to ask whether they change.
    changes: Vec<String>,
    /// Resource type and id to get.
    get: Vec<(String, String)>,
    /// Resource type and filter to find.
    find: Vec<(String, String)>,
    /// Resource type and filter to count.
    count: Vec<(String, String)>,
    /// Ids of a group and of one who may be its member.
    is_member: Vec<(String, String)>,
    /// Table and key.
    table: Vec<(String, String)>,
    /// End with an error at the first read that is refused, instead of noting it.
    strict: bool,
}

impl Constraint for ReadsEverything {
    type Settings = Settings;

    fn about() -> About {
        about!()
            .actions([Action::Create, Action::Update, Action::Delete, Action::Assess])
            .looks_up(["User", "Group"])
            .tables(["reference"])
    }

    fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        let actor = operation.actor();
        report::note("operation", &format!("{:?} {}", operation.action(), operation.resource_type()));
        report::note("actor", &format!("{} {:?}", actor.subject, actor.scopes));
        report::note("time", &operation.time_ms().to_string());
        for (name, document) in [("before", operation.before()), ("after", operation.after())] {
            if let Some(document) = document {
                read(name, &document, settings)?;
            }
        }
        for path in &settings.differences {
            let found = if path.is_empty() { operation.all_differences() } else { operation.differences(path) };
            note(settings, "differences", path, found)?;
        }
        for path in &settings.changes {
            note(settings, "changes", path, operation.changes(path))?;
        }
        look_up(settings)?;
        Ok(Verdict::allow())
    }
}

fn read(state: &str, document: &Document, settings: &Settings) -> Result<(), ReadError> {
    report::note(&format!("{state} id"), &format!("{:?} {}", document.id(), document.resource_type()));
    for path in &settings.values {
        note(settings, &format!("{state} values"), path, document.values(path))?;
    }
    for path in &settings.has {
        note(settings, &format!("{state} has"), path, document.has(path))?;
    }
    for filter in &settings.matches {
        note(settings, &format!("{state} matches"), filter, document.matches(filter))?;
    }
    for path in &settings.json {
        let json = document.json::<serde_json::Value>(path);
        note(settings, &format!("{state} json"), path, json)?;
    }
    if settings.whole {
        note(settings, state, "whole", document.whole::<serde_json::Value>())?;
    }
    Ok(())
}

fn look_up(settings: &Settings) -> Result<(), ReadError> {
    let ids = |found: Vec<Document>| found.iter().map(Document::id).collect::<Vec<_>>();
    for (resource_type, id) in &settings.get {
        note(settings, "get", id, directory::get(resource_type, id).map(|found| found.map(|it| it.id())))?;
    }
    for (resource_type, filter) in &settings.find {
        note(settings, "find", filter, directory::find(resource_type, filter, 100).map(ids))?;
    }
    for (resource_type, filter) in &settings.count {
        note(settings, "count", filter, directory::count(resource_type, filter))?;
    }
    for (group_id, member_id) in &settings.is_member {
        note(settings, "is-member", member_id, directory::is_member(group_id, member_id))?;
    }
    for (table, key) in &settings.table {
        note(settings, "table", key, tables::contains(table, key))?;
    }
    Ok(())
}

fn note<T: Debug>(settings: &Settings, what: &str, of: &str, answer: Result<T, ReadError>) -> Result<(), ReadError> {
    let text = match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error) if settings.strict => return Err(error),
        Err(error) => error.to_string(),
    };
    report::note(format!("{what} {of}").trim(), &text);
    Ok(())
}

scruple_sdk::export!(ReadsEverything);
