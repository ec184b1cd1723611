//! The read set in the making: every read once, in order.

use std::collections::HashSet;
use std::sync::Arc;

use crate::decision::reads::{DocumentAnswer, DocumentRef, LookUp, LookUpAnswer, Read, ReadSet, TableAnswer};
use crate::scim::resource::ResourceId;

/// Refused reads that are recorded. 100: they cannot turn a verdict (grants and schema stand outside of the
/// resources), they are there for the author to see what is missing.
const REFUSALS_MAX: usize = 100;

/// What a read fills in the decision log beside its text and its answer. 64 bytes: the names of its members, an id.
pub(super) const READ_BYTES: usize = 64;

/// What was asked of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    Read,
    ReadAll,
    Has,
    Matches,
    Json,
    Differences,
    Changes,
}

/// Of which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Of {
    Before,
    After,
    LookedUp(ResourceId),
    Operation,
}

/// Records reads. States do not change during an evaluation, so a repeated question has the same answer and stands
/// once; telling that costs one hash, however often a hostile guest asks.
#[derive(Default)]
pub(super) struct Recorder {
    reads: Vec<Read>,
    seen: HashSet<(Of, Question, Arc<str>)>,
    /// Table, key, and whether the row was asked for.
    tables: HashSet<(String, String, bool)>,
    refused: HashSet<(String, &'static str)>,
    is_exhausted: bool,
}

impl Recorder {
    /// Whether the question is new.
    pub(super) fn is_new(&self, of: Of, question: Question, path: &Arc<str>) -> bool {
        !self.seen.contains(&(of, question, Arc::clone(path)))
    }

    /// From now on the question is not new; the caller records its answer.
    pub(super) fn asked(&mut self, of: Of, question: Question, path: &Arc<str>) {
        self.seen.insert((of, question, Arc::clone(path)));
    }

    pub(super) fn document(&mut self, document: DocumentRef, path: &str, answer: DocumentAnswer) {
        self.reads.push(Read::Document { document, path: path.to_owned(), answer });
    }

    pub(super) fn push(&mut self, read: Read) {
        self.reads.push(read);
    }

    /// Whether such a look-up is new. They are few, so looking at each is cheap.
    pub(super) fn is_new_look_up(&self, look_up: &LookUp) -> bool {
        !self.reads.iter().any(|read| matches!(read, Read::LookUp { look_up: asked, .. } if asked == look_up))
    }

    /// Whether such a look into a table is new. From now on it is not; the caller records its answer.
    pub(super) fn is_new_table(&mut self, table: &str, key: &str, whole: bool) -> bool {
        self.tables.insert((table.to_owned(), key.to_owned(), whole))
    }

    /// Whether such a refusal is to be recorded.
    pub(super) fn is_new_refusal(&self, what: &str, error: &'static str) -> bool {
        self.refused.len() < REFUSALS_MAX && !self.refused.contains(&(what.to_owned(), error))
    }

    pub(super) fn refused(&mut self, what: &str, error: &'static str) {
        self.refused.insert((what.to_owned(), error));
        self.reads.push(Read::Refused { what: what.to_owned(), error });
    }

    /// The first read that the budget had no room for. It tells that those after it are missing, so one is enough.
    pub(super) fn exhausted(&mut self, what: &str) {
        if !self.is_exhausted {
            self.is_exhausted = true;
            self.reads.push(Read::Refused { what: what.to_owned(), error: "budget-exhausted" });
        }
    }

    pub(super) fn into_read_set(self) -> ReadSet {
        ReadSet { reads: self.reads }
    }
}

/// What a look into a table fills in the decision log.
pub(super) fn table_bytes(table: &str, key: &str, answer: &TableAnswer) -> usize {
    let row = match answer {
        TableAnswer::Row(Some(row)) => row.to_string().len(),
        TableAnswer::Row(None) | TableAnswer::Contains(_) => 0,
    };
    [table.len(), key.len(), row, READ_BYTES].into_iter().fold(0, usize::saturating_add)
}

/// What a look-up fills in the decision log. Ids are of one length, and each found one stands in a record of its own.
pub(super) fn look_up_bytes(look_up: &LookUp, answer: &LookUpAnswer) -> usize {
    let texts = match look_up {
        LookUp::Get { resource_type, id } => [resource_type.len(), id.len()],
        LookUp::Find { resource_type, filter, .. } | LookUp::Count { resource_type, filter } => {
            [resource_type.len(), filter.len()]
        }
        LookUp::IsMember { group_id, member_id, .. } => [group_id.len(), member_id.len()],
        LookUp::GroupsOf { .. } => [0, 0],
    };
    let found = match answer {
        LookUpAnswer::Resources(found) => found.len(),
        LookUpAnswer::Groups(ids) => ids.len(),
        LookUpAnswer::Count(_) | LookUpAnswer::Member(_) => 0,
    };
    texts.into_iter().sum::<usize>().saturating_add(found.saturating_add(1).saturating_mul(READ_BYTES))
}
