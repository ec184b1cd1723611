//! [`Foreseen`]: questions that are known to come, asked along with the one that comes before them. What they cost then is the
//! server's work, and no way to it and back. Nobody has to ask what was foreseen, and nobody sees whether it was.

use std::collections::VecDeque;

use tokio_postgres::Row;

use super::session::Prepared;
use crate::store::sql::driver::Value;

/// Questions that are noted at once at most: their answers are kept in memory until they are asked for.
pub(in crate::store::sql) const FORESEEN_MAX: usize = 256;

/// Questions of one snapshot, so that it makes no difference when they are answered.
#[derive(Default)]
pub(super) struct Foreseen(VecDeque<One>);

struct One {
    question: Question,
    /// `None`: it is not asked yet.
    answer: Option<Vec<Row>>,
}

/// A statement, with what is put into it.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) statement: Prepared,
    pub(super) values: Vec<Value<'static>>,
}

impl Question {
    fn is(&self, statement: &Prepared, values: &[Value<'_>]) -> bool {
        self.statement.number == statement.number && self.values == values
    }
}

impl Foreseen {
    /// Notes a question that is going to be asked; the same only once.
    pub(super) fn note(&mut self, statement: &Prepared, values: &[Value<'_>]) {
        if self.0.len() < FORESEEN_MAX && !self.0.iter().any(|one| one.question.is(statement, values)) {
            let values = values.iter().map(Value::to_static).collect();
            self.0.push_back(One { question: Question { statement: statement.clone(), values }, answer: None });
        }
    }

    /// The answer to a question, if it was asked along with another one.
    pub(super) fn take(&mut self, statement: &Prepared, values: &[Value<'_>]) -> Option<Vec<Row>> {
        let place = self.0.iter().position(|one| one.question.is(statement, values))?;
        // If it was not, it is now.
        self.0.remove(place)?.answer
    }

    /// What is to be asked along with the next question.
    pub(super) fn unasked(&self) -> Vec<Question> {
        self.0.iter().filter(|one| one.answer.is_none()).map(|one| one.question.clone()).collect()
    }

    /// Keeps what came of those that were [`unasked`](Self::unasked).
    pub(super) fn keep(&mut self, answers: Vec<Vec<Row>>) {
        let unasked = self.0.iter_mut().filter(|one| one.answer.is_none());
        unasked.zip(answers).for_each(|(one, answer)| one.answer = Some(answer));
    }

    /// Another snapshot begins, or none.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
