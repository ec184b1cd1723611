//! The read set in the making: every read once, in order.

use std::collections::HashSet;
use std::sync::Arc;

use crate::decision::reads::{DocumentAnswer, DocumentRef, LookUp, LookUpAnswer, Read, ReadSet};
use crate::scim::resource::ResourceId;

/// Refused reads that are recorded. 100: they cannot turn a verdict (grants and schema stand outside of the
/// resources), they are there for the author to see what is missing.
const REFUSALS_MAX: usize = 100;

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
    refused: HashSet<(String, &'static str)>,
}

impl Recorder {
    /// Whether the question is new; the caller records its answer if so.
    pub(super) fn is_new(&mut self, of: Of, question: Question, path: &Arc<str>) -> bool {
        self.seen.insert((of, question, Arc::clone(path)))
    }

    pub(super) fn document(&mut self, document: DocumentRef, path: &str, answer: DocumentAnswer) {
        self.reads.push(Read::Document { document, path: path.to_owned(), answer });
    }

    pub(super) fn push(&mut self, read: Read) {
        self.reads.push(read);
    }

    /// They are few, so looking at each for a repeated one is cheap.
    pub(super) fn look_up(&mut self, look_up: LookUp, answer: LookUpAnswer) {
        let asked =
            self.reads.iter().any(|read| matches!(read, Read::LookUp { look_up: asked, .. } if *asked == look_up));
        if !asked {
            self.reads.push(Read::LookUp { look_up, answer });
        }
    }

    pub(super) fn refused(&mut self, what: &str, error: &'static str) {
        if self.refused.len() < REFUSALS_MAX && self.refused.insert((what.to_owned(), error)) {
            self.reads.push(Read::Refused { what: what.to_owned(), error });
        }
    }

    pub(super) fn into_read_set(self) -> ReadSet {
        ReadSet { reads: self.reads }
    }
}
