//! A change that is queued to be written, and what others rest on.

use std::pin::Pin;

use tokio::sync::watch;

use crate::store::CommitError;

/// What a commit that is queued comes to. Whoever drops it does not call the commit back.
pub type Committing = Pin<Box<dyn Future<Output = Result<(), CommitError>> + Send>>;

/// A change that is queued.
pub struct Queued {
    /// For changes that rest on it.
    pub premise: Premise,
    /// What it comes to.
    pub committing: Committing,
}

/// That a change is written. A version number alone does not say so: if it is not written, the next one to be may have
/// its number.
#[derive(Clone, Debug)]
pub struct Premise(watch::Receiver<State>);

/// What becomes of a change, for those who rest on it to be told. Dropped, the change is not written.
#[derive(Debug)]
pub(in crate::store) struct Fate(watch::Sender<State>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Queued,
    /// In a transaction that is not ended yet.
    Carried,
    Written,
    Failed,
}

impl Fate {
    /// Of a change that is being queued.
    pub(in crate::store) fn open() -> (Self, Premise) {
        let (told, premise) = watch::channel(State::Queued);
        (Self(told), Premise(premise))
    }

    /// Whether it is what becomes of that change.
    pub(in crate::store) fn is_of(&self, premise: &Premise) -> bool {
        self.0.subscribe().same_channel(&premise.0)
    }

    /// It is not carried out any more, and may be again.
    pub(in crate::store) fn queued(&self) {
        self.0.send_replace(State::Queued);
    }

    /// It is carried out, in a transaction that is not ended yet.
    pub(in crate::store) fn carried(&self) {
        self.0.send_replace(State::Carried);
    }

    /// That is the end of it.
    pub(in crate::store) fn ends(self, written: bool) {
        self.0.send_replace(if written { State::Written } else { State::Failed });
    }
}

impl Premise {
    /// Whether a change that is carried out behind it may rest on it: it is written, or will be with that one if at all.
    pub(in crate::store) fn holds(&self) -> bool {
        matches!(*self.0.borrow(), State::Carried | State::Written)
    }

    /// Whether it is not known yet whether it is written.
    pub fn is_open(&self) -> bool {
        matches!(*self.0.borrow(), State::Queued | State::Carried) && self.0.has_changed().is_ok()
    }

    /// Waits until it is known whether it is written.
    pub async fn is_written(mut self) -> bool {
        let ended = self.0.wait_for(|state| matches!(state, State::Written | State::Failed)).await;
        ended.is_ok_and(|state| *state == State::Written)
    }
}
