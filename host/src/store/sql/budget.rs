//! [`Budget`]: what questions may still cost, in resources looked at and index entries counted.
//!
//! What a question that is answered costs depends on what is stored and on nothing else, least of all on what is left.
//! So what was within a budget when a constraint asked is within the same budget at the commit, in whatever order.

use crate::store::QueryError;
use crate::store::query::Effort;

/// What reading an entry of an index (its id, and keeping it) costs, in entries that are only counted: about 0.5 µs.
const ENTRY_READ: usize = 10;

/// What one question may cost, and all of them together.
#[derive(Debug)]
pub(super) struct Budget {
    each: Effort,
    all: Effort,
    of_question: Spent,
    of_all: Spent,
}

#[derive(Debug, Default)]
struct Spent {
    candidates: usize,
    counted: usize,
}

impl Budget {
    /// For one question.
    pub(super) fn once(effort: Effort) -> Self {
        Self::shared(effort, effort)
    }

    /// For any number of questions, of which each may cost `each` and begins with
    /// [`next_question`](Self::next_question).
    pub(super) fn shared(each: Effort, all: Effort) -> Self {
        Self { each, all, of_question: Spent::default(), of_all: Spent::default() }
    }

    /// Begins a question. Even the cheapest costs all of them one candidate.
    pub(super) fn next_question(&mut self) -> Result<(), QueryError> {
        self.of_question = Spent::default();
        self.of_all.candidates = within(self.of_all.candidates, 1, self.all.candidates_max)?;
        Ok(())
    }

    /// The most candidates of one question.
    pub(super) fn candidates_max(&self) -> usize {
        self.each.candidates_max
    }

    /// The most entries that one question may count.
    pub(super) fn counted_max(&self) -> usize {
        self.each.counted_max
    }

    /// The most entries that one question may read.
    pub(super) fn entries_max(&self) -> usize {
        self.each.counted_max / ENTRY_READ
    }

    /// Resources that were, or are about to be, read and compared.
    pub(super) fn spend_candidates(&mut self, amount: usize) -> Result<(), QueryError> {
        let of_question = within(self.of_question.candidates, amount, self.each.candidates_max)?;
        self.of_all.candidates = within(self.of_all.candidates, amount, self.all.candidates_max)?;
        self.of_question.candidates = of_question;
        Ok(())
    }

    /// Entries that were counted.
    pub(super) fn spend_counted(&mut self, amount: usize) -> Result<(), QueryError> {
        let of_question = within(self.of_question.counted, amount, self.each.counted_max)?;
        self.of_all.counted = within(self.of_all.counted, amount, self.all.counted_max)?;
        self.of_question.counted = of_question;
        Ok(())
    }

    /// Entries that were read.
    pub(super) fn spend_entries(&mut self, amount: usize) -> Result<(), QueryError> {
        self.spend_counted(amount.saturating_mul(ENTRY_READ))
    }

    /// The refusal of a question that has more candidates than one may look at.
    pub(super) fn too_many(&self) -> QueryError {
        QueryError::TooMany { candidates_max: self.each.candidates_max }
    }
}

fn within(spent: usize, amount: usize, max: usize) -> Result<usize, QueryError> {
    let spent = spent.saturating_add(amount);
    if spent > max { Err(QueryError::TooMany { candidates_max: max }) } else { Ok(spent) }
}
