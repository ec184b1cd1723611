//! The way back from the decision log: what [`super::record`] and [`super::reads`] write, read again.
//!
//! Only what a verdict rests on is brought back to types: who asked for what, and the reads. What was said stays JSON, in which
//! it is compared with what is said now. A record of a later version may have what this one does not know; that is an error
//! and not left out, since a verdict could rest on it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;
use uuid::Uuid;

use crate::change::Action;
use crate::decision::actor::Actor;
use crate::decision::reads::{DocumentAnswer, DocumentRef, LookUp, LookUpAnswer, Read, ReadSet, TableAnswer};
use crate::decision::record::{ConstraintName, DecisionId};
use crate::scim::resource::ResourceId;

/// A record that is not one, or one of another version.
#[derive(Debug, Error)]
#[error("the record cannot be read: {0}")]
pub struct Unreadable(String);

/// A decision, as far as another evaluation needs it.
#[derive(Clone, Debug)]
pub struct RecordedDecision {
    /// Its id.
    pub id: DecisionId,
    /// Time of the request.
    pub at: Timestamp,
    /// The generation of the constraints that were asked.
    pub generation: i64,
    /// Who asked.
    pub actor: Actor,
    /// What for.
    pub action: Action,
    /// On which type of resource.
    pub resource_type: String,
    /// On which resource.
    pub resource_id: ResourceId,
    /// Each constraint that was asked, in the log's order.
    pub evaluations: Vec<RecordedEvaluation>,
}

/// One constraint that was asked.
#[derive(Clone, Debug)]
pub struct RecordedEvaluation {
    /// The constraint.
    pub constraint: ConstraintName,
    /// The plugin it ran.
    pub plugin: String,
    /// SHA-256 of its component, in hexadecimal.
    pub digest: String,
    /// Everything it read.
    pub reads: ReadSet,
    /// The whole entry, as the log has it.
    pub entry: Value,
}

impl RecordedEvaluation {
    /// `allow`, `deny`, `rewrite`, `fault` …
    pub fn verdict(&self) -> &str {
        self.entry.get("verdict").and_then(Value::as_str).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct DecisionJson {
    id: Uuid,
    at: String,
    generation: i64,
    actor: ActorJson,
    action: String,
    resource_type: String,
    resource_id: Uuid,
    evaluations: Vec<Value>,
}

#[derive(Deserialize)]
struct ActorJson {
    subject: String,
    label: String,
    scopes: Vec<String>,
}

impl RecordedDecision {
    /// Reads an entry of the log.
    pub fn from_json(record: &Value) -> Result<Self, Unreadable> {
        let read = DecisionJson::deserialize(record).map_err(|error| Unreadable(error.to_string()))?;
        let action = match read.action.as_str() {
            "create" => Action::Create,
            "update" => Action::Update,
            "delete" => Action::Delete,
            other => return Err(Unreadable(format!("`{other}` is no action"))),
        };
        Ok(Self {
            id: DecisionId(read.id),
            at: read.at.parse().map_err(|_| Unreadable(format!("`{}` is no time", read.at)))?,
            generation: read.generation,
            actor: Actor { subject: read.actor.subject, label: read.actor.label, scopes: read.actor.scopes },
            action,
            resource_type: read.resource_type,
            resource_id: ResourceId(read.resource_id),
            evaluations: read.evaluations.into_iter().map(evaluation).collect::<Result<_, _>>()?,
        })
    }
}

fn evaluation(entry: Value) -> Result<RecordedEvaluation, Unreadable> {
    let member = |name: &'static str| {
        let found = entry.get(name).and_then(Value::as_str).map(str::to_owned);
        found.ok_or_else(|| Unreadable(format!("an evaluation without `{name}`")))
    };
    Ok(RecordedEvaluation {
        constraint: ConstraintName(member("constraint")?),
        plugin: member("plugin")?,
        digest: member("digest")?,
        reads: reads(entry.get("reads").unwrap_or(&Value::Null))?,
        entry,
    })
}

/// Reads, as the log has them.
pub fn reads(list: &Value) -> Result<ReadSet, Unreadable> {
    let list = list.as_array().ok_or_else(|| Unreadable("`reads` is no list".to_owned()))?;
    let reads = list.iter().map(|json| {
        read(json).ok_or_else(|| {
            let text = json.to_string();
            let start = text.get(..text.floor_char_boundary(200)).unwrap_or_default();
            Unreadable(format!("this is no read: {start}"))
        })
    });
    Ok(ReadSet { reads: reads.collect::<Result<_, _>>()? })
}

/// One read: told by the member that names what was asked.
fn read(json: &Value) -> Option<Read> {
    let read = json.as_object()?;
    let text = |name: &str| read.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(document) = read.get("document") {
        return Some(Read::Document {
            document: document_ref(document.as_str()?)?,
            path: text("path")?,
            answer: document_answer(read)?,
        });
    }
    if let Some(under) = text("differences_under") {
        let difference = |json: &Value| {
            Some((json.get("path")?.as_str()?.to_owned(), json.get("before").cloned(), json.get("after").cloned()))
        };
        let answer = read.get("answer")?.as_array()?.iter().map(difference).collect::<Option<_>>()?;
        return Some(Read::Differences { under, answer });
    }
    if let Some(path) = text("changes") {
        return Some(Read::Changes { path, answer: read.get("answer")?.as_bool()? });
    }
    if let Some(asked) = read.get("look_up") {
        let (look_up, answer) = look_up_and_answer(asked, read.get("answer")?)?;
        return Some(Read::LookUp { look_up, answer });
    }
    if let Some(table) = text("table") {
        let answer = match (read.get("contains"), read.get("row")) {
            (Some(contains), None) => TableAnswer::Contains(contains.as_bool()?),
            (None, Some(row)) => TableAnswer::Row((!row.is_null()).then(|| row.clone())),
            _ => return None,
        };
        let revision = u32::try_from(read.get("revision")?.as_u64()?).ok()?;
        return Some(Read::Table { table, revision, key: text("key")?, answer });
    }
    let error = ["not-granted", "invalid", "budget-exhausted", "unavailable", "other"];
    let error = error.into_iter().find(|kind| read.get("error").and_then(Value::as_str) == Some(kind))?;
    Some(Read::Refused { what: text("refused")?, error })
}

fn document_ref(text: &str) -> Option<DocumentRef> {
    match text {
        "before" => Some(DocumentRef::Before),
        "after" => Some(DocumentRef::After),
        found => {
            let (resource_type, id) = found.rsplit_once('/')?;
            Some(DocumentRef::LookedUp { resource_type: resource_type.to_owned(), id: id.parse().ok()? })
        }
    }
}

fn document_answer(read: &Map<String, Value>) -> Option<DocumentAnswer> {
    if let Some(value) = read.get("value") {
        return Some(DocumentAnswer::Value((!value.is_null()).then(|| value.clone())));
    }
    if let Some(values) = read.get("values") {
        return Some(DocumentAnswer::Values(values.as_array()?.clone()));
    }
    if let Some(present) = read.get("present") {
        return Some(DocumentAnswer::Present(present.as_bool()?));
    }
    if let Some(matches) = read.get("matches") {
        return Some(DocumentAnswer::Matches(matches.as_bool()?));
    }
    read.get("json").cloned().map(DocumentAnswer::Json)
}

fn look_up_and_answer(asked: &Value, answer: &Value) -> Option<(LookUp, LookUpAnswer)> {
    let text = |name: &str| asked.get(name).and_then(Value::as_str).map(str::to_owned);
    let look_up = match asked.get("kind")?.as_str()? {
        "get" => LookUp::Get { resource_type: text("resource_type")?, id: text("id")? },
        "find" => {
            let limit = u32::try_from(asked.get("limit")?.as_u64()?).ok()?;
            LookUp::Find { resource_type: text("resource_type")?, filter: text("filter")?, limit }
        }
        "count" => LookUp::Count { resource_type: text("resource_type")?, filter: text("filter")? },
        "is-member" => LookUp::IsMember {
            group_id: text("group_id")?,
            member_id: text("member_id")?,
            transitive: asked.get("transitive")?.as_bool()?,
        },
        "groups-of" => LookUp::GroupsOf { id: text("id")?.parse().ok()? },
        _ => return None,
    };
    let answer = match &look_up {
        LookUp::Get { .. } | LookUp::Find { .. } => {
            let found = |json: &Value| Some((json.get("id")?.as_str()?.parse().ok()?, json.get("version")?.as_i64()?));
            LookUpAnswer::Resources(answer.as_array()?.iter().map(found).collect::<Option<_>>()?)
        }
        LookUp::Count { .. } => LookUpAnswer::Count(answer.as_u64()?),
        LookUp::IsMember { .. } => LookUpAnswer::Member(answer.as_bool()?),
        LookUp::GroupsOf { .. } => {
            let id = |json: &Value| json.as_str()?.parse().ok();
            LookUpAnswer::Groups(answer.as_array()?.iter().map(id).collect::<Option<_>>()?)
        }
    };
    Some((look_up, answer))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(number: u128) -> ResourceId {
        ResourceId(Uuid::from_u128(number))
    }

    #[test]
    fn every_kind_of_read_comes_back_as_it_went_in() {
        let document = |document: DocumentRef, answer: DocumentAnswer| Read::Document {
            document,
            path: "emails[type eq \"work\"].value".to_owned(),
            answer,
        };
        let found = DocumentRef::LookedUp { resource_type: "User".to_owned(), id: id(7) };
        let look_up = |look_up: LookUp, answer: LookUpAnswer| Read::LookUp { look_up, answer };
        let (resource_type, filter) = ("User".to_owned(), "active eq true".to_owned());
        let table = |answer: TableAnswer| Read::Table {
            table: "departments".to_owned(),
            revision: 4,
            key: "D-7".to_owned(),
            answer,
        };
        let all = ReadSet {
            reads: vec![
                document(DocumentRef::Before, DocumentAnswer::Value(None)),
                document(DocumentRef::After, DocumentAnswer::Value(Some(json!(1.5)))),
                document(found.clone(), DocumentAnswer::Values(vec![json!("a"), json!(1)])),
                document(found, DocumentAnswer::Values(Vec::new())),
                document(DocumentRef::After, DocumentAnswer::Present(false)),
                document(DocumentRef::After, DocumentAnswer::Matches(true)),
                document(DocumentRef::After, DocumentAnswer::Json(Value::Null)),
                Read::Differences {
                    under: String::new(),
                    answer: vec![
                        ("title".to_owned(), None, Some(json!("Countess"))),
                        ("userName".to_owned(), Some(json!("a")), None),
                    ],
                },
                Read::Changes { path: "emails".to_owned(), answer: true },
                look_up(
                    LookUp::Get { resource_type: resource_type.clone(), id: "nobody".to_owned() },
                    LookUpAnswer::Resources(Vec::new()),
                ),
                look_up(
                    LookUp::Find { resource_type: resource_type.clone(), filter: filter.clone(), limit: 3 },
                    LookUpAnswer::Resources(vec![(id(1), 4), (id(2), 1)]),
                ),
                look_up(LookUp::Count { resource_type, filter }, LookUpAnswer::Count(2)),
                look_up(
                    LookUp::IsMember { group_id: "g".to_owned(), member_id: "m".to_owned(), transitive: true },
                    LookUpAnswer::Member(false),
                ),
                look_up(LookUp::GroupsOf { id: id(3) }, LookUpAnswer::Groups(vec![id(1)])),
                table(TableAnswer::Contains(true)),
                table(TableAnswer::Row(None)),
                table(TableAnswer::Row(Some(json!({ "name": "Engines" })))),
                Read::Refused { what: "title".to_owned(), error: "not-granted" },
            ],
        };
        let written = serde_json::to_value(&all).unwrap();
        assert_eq!(reads(&written).unwrap(), all);
    }

    #[test]
    fn what_is_not_known_is_an_error_that_shows_it() {
        for unknown in [
            json!({ "target": "x", "answer": 1 }),
            json!({ "look_up": { "kind": "guess" }, "answer": 1 }),
            json!({ "refused": "title", "error": "because" }),
            json!("title"),
        ] {
            let error = reads(&json!([unknown])).unwrap_err().to_string();
            assert!(error.contains(&unknown.to_string()), "{error}");
        }
        assert!(reads(&Value::Null).unwrap_err().to_string().contains("no list"));
    }
}
