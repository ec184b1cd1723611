//! [`Recording`]: what an evaluation read, to answer another one by. It stands where otherwise the tenant's resources are.
//!
//! A question that was asked is answered as it was. One that was not, and whose answer does not follow from one that was, has
//! none: the recording remembers it, and what a guest says after that is worth nothing ([`Recording::missing`]).

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::bindings::scruple::constraint::types;
use super::directory::{DirectoryError, DirectoryView};
use super::recorder::{Of, Question};
use super::sandbox::Operation;
use super::tables::{TableRow, TableView};
use crate::change::{Action, MembersChange, PlannedChange};
use crate::decision::RecordedDecision;
use crate::decision::reads::{DocumentAnswer, DocumentRef, LookUp, LookUpAnswer, Read, ReadSet, TableAnswer};
use crate::scim::filter::Filter;
use crate::scim::meta::Meta;
use crate::scim::resource::{Attributes, Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;

/// Path, before, after: what a guest is told of a difference.
pub(super) type Told = (String, Option<Value>, Option<Value>);

/// Every answer that one evaluation was given.
#[derive(Debug, Default)]
pub struct Recording {
    documents: HashMap<(Of, Question), HashMap<String, DocumentAnswer>>,
    differences: HashMap<String, Vec<Told>>,
    changes: HashMap<String, bool>,
    look_ups: HashMap<LookUp, LookUpAnswer>,
    tables: HashMap<(String, String), TableAnswers>,
    /// By what was asked, as the constraint put it.
    refused: HashMap<String, &'static str>,
    missing: OnceLock<String>,
}

#[derive(Debug, Default)]
struct TableAnswers {
    revision: u32,
    contains: Option<bool>,
    row: Option<Option<Value>>,
}

impl Recording {
    /// Of these reads.
    pub fn of(reads: &ReadSet) -> Self {
        let mut recording = Self::default();
        for read in &reads.reads {
            recording.add(read);
        }
        recording
    }

    fn add(&mut self, read: &Read) {
        match read {
            Read::Document { document, path, answer } => {
                let of = match document {
                    DocumentRef::Before => Of::Before,
                    DocumentRef::After => Of::After,
                    DocumentRef::LookedUp { id, .. } => Of::LookedUp(*id),
                };
                let question = match answer {
                    DocumentAnswer::Value(_) => Question::Read,
                    DocumentAnswer::Values(_) => Question::ReadAll,
                    DocumentAnswer::Present(_) => Question::Has,
                    DocumentAnswer::Matches(_) => Question::Matches,
                    DocumentAnswer::Json(_) => Question::Json,
                };
                self.documents.entry((of, question)).or_default().insert(path.clone(), answer.clone());
            }
            Read::Differences { under, answer } => drop(self.differences.insert(under.clone(), answer.clone())),
            Read::Changes { path, answer } => drop(self.changes.insert(path.clone(), *answer)),
            Read::LookUp { look_up, answer } => drop(self.look_ups.insert(look_up.clone(), answer.clone())),
            Read::Table { table, revision, key, answer } => {
                let known = self.tables.entry((table.clone(), key.clone())).or_default();
                known.revision = *revision;
                match answer {
                    TableAnswer::Contains(contains) => known.contains = Some(*contains),
                    TableAnswer::Row(row) => known.row = Some(row.clone()),
                }
            }
            Read::Refused { what, error } => drop(self.refused.insert(what.clone(), error)),
        }
    }

    /// The first question that it has no answer to; what was said after that rests on nothing.
    pub fn missing(&self) -> Option<&str> {
        self.missing.get().map(String::as_str)
    }

    /// What a guest is told where there is no answer: the refusal that it met, or that there is none, which is remembered.
    pub(super) fn refusal(&self, what: &str) -> types::ReadError {
        let message = "the answer is not recorded".to_owned();
        match self.refused.get(what) {
            Some(&"budget-exhausted") => types::ReadError::BudgetExhausted(message),
            Some(&"not-granted") => types::ReadError::NotGranted(message),
            Some(&"invalid") => types::ReadError::Invalid(message),
            Some(&"other") => types::ReadError::Other(message),
            Some(_) => types::ReadError::Unavailable(message),
            None => {
                self.lacks(what.to_owned());
                types::ReadError::Unavailable(message)
            }
        }
    }

    fn lacks(&self, question: String) {
        // The first is the cause of whatever is asked after it.
        let _ = self.missing.set(question);
    }

    fn document(&self, of: Of, question: Question, path: &str) -> Option<&DocumentAnswer> {
        self.documents.get(&(of, question))?.get(path)
    }

    /// The first value of a path.
    pub(super) fn value(&self, of: Of, path: &str) -> Option<Option<Value>> {
        if let Some(DocumentAnswer::Value(value)) = self.document(of, Question::Read, path) {
            return Some(value.clone());
        }
        Some(self.values(of, path)?.into_iter().next())
    }

    /// Every value of a path.
    pub(super) fn values(&self, of: Of, path: &str) -> Option<Vec<Value>> {
        match self.document(of, Question::ReadAll, path)? {
            DocumentAnswer::Values(values) => Some(values.clone()),
            _ => None,
        }
    }

    /// Whether a path selects anything.
    pub(super) fn present(&self, of: Of, path: &str) -> Option<bool> {
        match self.document(of, Question::Has, path) {
            Some(DocumentAnswer::Present(present)) => Some(*present),
            _ => Some(self.value(of, path)?.is_some()),
        }
    }

    /// Whether a filter holds.
    pub(super) fn matched(&self, of: Of, filter: &str) -> Option<bool> {
        match self.document(of, Question::Matches, filter)? {
            DocumentAnswer::Matches(matches) => Some(*matches),
            _ => None,
        }
    }

    /// The JSON of a path; of everything that is granted, if it is empty.
    pub(super) fn json(&self, of: Of, path: &str) -> Option<Value> {
        match self.document(of, Question::Json, path)? {
            DocumentAnswer::Json(json) => Some(json.clone()),
            _ => None,
        }
    }

    /// The differences at or under a path.
    pub(super) fn differences(&self, under: &str) -> Option<Vec<Told>> {
        self.differences.get(under).cloned()
    }

    /// Whether anything differs at or under a path.
    pub(super) fn changes(&self, path: &str) -> Option<bool> {
        self.changes.get(path).copied().or_else(|| Some(!self.differences.get(path)?.is_empty()))
    }

    /// The answer to a look-up that was made.
    fn look_up(&self, look_up: &LookUp, what: impl FnOnce() -> String) -> Result<&LookUpAnswer, DirectoryError> {
        if let Some(answer) = self.look_ups.get(look_up) {
            return Ok(answer);
        }
        let what = what();
        match self.refused.get(&what) {
            Some(&"budget-exhausted") => Err(DirectoryError::TooMany { candidates_max: 0 }),
            Some(_) => Err(DirectoryError::Unavailable),
            None => Err(self.unanswered(what)),
        }
    }

    fn unanswered(&self, question: String) -> DirectoryError {
        self.lacks(question);
        DirectoryError::Unavailable
    }
}

/// What a recorded decision was about. The states are there and have no attributes: those are read from the recording.
pub fn recorded_operation(decision: &RecordedDecision, resource_type: &Arc<ResourceType>) -> Operation {
    let state = || stand_in(resource_type, decision.resource_id, 0);
    let planned = PlannedChange {
        action: decision.action,
        resource_type: Arc::clone(resource_type),
        id: decision.resource_id,
        before: (decision.action != Action::Create).then(state),
        after: (decision.action != Action::Delete).then(state),
        members: MembersChange::default(),
        secrets: Vec::new(),
        differences: OnceLock::from(Vec::new()),
    };
    Operation { decision: decision.id, actor: decision.actor.clone(), at: decision.at, planned: Arc::new(planned) }
}

fn stand_in(resource_type: &Arc<ResourceType>, id: ResourceId, version: i64) -> Resource {
    let meta = Meta { created: Timestamp::UNIX_EPOCH, last_modified: Timestamp::UNIX_EPOCH, version };
    Resource { resource_type: Arc::clone(resource_type), id, attributes: Attributes::new(), meta }
}

#[async_trait]
impl DirectoryView for Recording {
    async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Arc<Resource>>, DirectoryError> {
        let look_up = LookUp::Get { resource_type: resource_type.name.clone(), id: id.to_string() };
        let found = self.found(&look_up, || format!("directory.get {} {id}", resource_type.name), resource_type)?;
        Ok(found.into_iter().next())
    }

    async fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<Resource>>, DirectoryError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let look_up = LookUp::Find { resource_type: resource_type.name.clone(), filter: filter.to_string(), limit };
        self.found(&look_up, || format!("directory.find {} {filter}", resource_type.name), resource_type)
    }

    async fn count(&self, resource_type: &Arc<ResourceType>, filter: &Filter) -> Result<u64, DirectoryError> {
        let look_up = LookUp::Count { resource_type: resource_type.name.clone(), filter: filter.to_string() };
        match self.look_up(&look_up, || format!("directory.count {} {filter}", resource_type.name))? {
            LookUpAnswer::Count(count) => Ok(*count),
            _ => Err(self.unanswered(format!("directory.count {} {filter}", resource_type.name))),
        }
    }

    async fn is_member(&self, group: ResourceId, member: ResourceId, transitive: bool) -> Result<bool, DirectoryError> {
        let look_up = LookUp::IsMember { group_id: group.to_string(), member_id: member.to_string(), transitive };
        let what = || format!("directory.is-member {group} {member}");
        match self.look_up(&look_up, what)? {
            LookUpAnswer::Member(is_member) => Ok(*is_member),
            _ => Err(self.unanswered(what())),
        }
    }

    /// What is read of members is read of a document, which the recording answers before anybody comes here.
    async fn members(
        &self,
        group: ResourceId,
        _after: Option<ResourceId>,
        _limit: usize,
    ) -> Result<Vec<Member>, DirectoryError> {
        Err(self.unanswered(format!("members of {group}")))
    }

    async fn members_among(&self, group: ResourceId, _ids: &[ResourceId]) -> Result<Vec<Member>, DirectoryError> {
        Err(self.unanswered(format!("members of {group}")))
    }

    async fn groups_of(&self, id: ResourceId) -> Result<Vec<ResourceId>, DirectoryError> {
        Err(self.unanswered(format!("groups of {id}")))
    }
}

impl Recording {
    fn found(
        &self,
        look_up: &LookUp,
        what: impl Fn() -> String,
        resource_type: &Arc<ResourceType>,
    ) -> Result<Vec<Arc<Resource>>, DirectoryError> {
        match self.look_up(look_up, &what)? {
            LookUpAnswer::Resources(found) => {
                Ok(found.iter().map(|&(id, version)| Arc::new(stand_in(resource_type, id, version))).collect())
            }
            _ => Err(self.unanswered(what())),
        }
    }
}

#[async_trait]
impl TableView for Recording {
    async fn row(&self, table: &str, key: &str) -> Result<Option<TableRow>, DirectoryError> {
        let known = self.tables.get(&(table.to_owned(), key.to_owned()));
        match known.and_then(|known| Some((known.revision, known.row.as_ref()?))) {
            Some((revision, row)) => Ok(Some(TableRow { revision, row: row.as_ref().map(Value::to_string) })),
            None => self.unanswered_row("get", table, key),
        }
    }

    async fn contains(&self, table: &str, key: &str) -> Result<Option<(u32, bool)>, DirectoryError> {
        let known = self.tables.get(&(table.to_owned(), key.to_owned()));
        let contains = known.and_then(|known| known.contains.or(known.row.as_ref().map(Option::is_some)));
        match known.zip(contains) {
            Some((known, contains)) => Ok(Some((known.revision, contains))),
            None => self.unanswered_row("contains", table, key),
        }
    }
}

impl Recording {
    /// That a table which is granted is not there is recorded as a refusal.
    fn unanswered_row<T>(&self, call: &str, table: &str, key: &str) -> Result<Option<T>, DirectoryError> {
        let what = format!("tables.{call} {table} {key}");
        match self.refused.contains_key(&what) {
            true => Ok(None),
            false => Err(self.unanswered(what)),
        }
    }
}
