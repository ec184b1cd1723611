//! What is being done, by whom, and what differs.

use crate::document::{Document, ReadError, Value};
use crate::text::same;
use crate::{directory, platform};

/// What is being done to the resource. PUT and PATCH are both `Update`: the request is applied already, and a constraint
/// sees states and differences, so that no spelling of a request can dodge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is being created: there is no state before.
    Create,
    /// It is being changed.
    Update,
    /// It is being deleted: there is no state after.
    Delete,
    /// Nothing is changing: does it, as it stands, satisfy the constraint? Asked only of constraints that declare it.
    Assess,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Stable id of the authenticated client.
    pub subject: String,
    /// What its token allows.
    pub scopes: Vec<String>,
}

/// One effective difference between the state before and the state after, at the finest path that differs. A PUT that
/// repeats a value is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Canonical path: `userName`, `emails[value eq "a@x"].type`, `members[value eq "4711"]`.
    pub path: String,
    /// `None` where there was no value.
    pub before: Option<Value>,
    /// `None` where there is no value any more.
    pub after: Option<Value>,
}

impl Difference {
    /// Which value of a multi-valued attribute the path is about: `4711` in `members[value eq "4711"]`. `None` when it
    /// leads further, to a sub-attribute of that value.
    pub fn element(&self) -> Option<String> {
        let (_, literal) = self.path.split_once("[value eq ")?;
        serde_json::from_str(literal.strip_suffix(']')?).ok()
    }
}

/// The operation under judgement. What it is asked is recorded with the verdict.
#[derive(Debug)]
pub struct Operation(pub(crate) platform::Operation);

impl Operation {
    /// Unique id of the decision, also in the log and in the client's error.
    pub fn decision_id(&self) -> String {
        self.0.decision_id()
    }

    /// What is being done.
    pub fn action(&self) -> Action {
        self.0.action()
    }

    /// `User`, `Group`, or the name of a custom resource type.
    pub fn resource_type(&self) -> String {
        self.0.resource_type()
    }

    /// Who asks.
    pub fn actor(&self) -> Actor {
        self.0.actor()
    }

    /// The time of the request in milliseconds since the Unix epoch: the only clock there is.
    pub fn time_ms(&self) -> u64 {
        self.0.time_ms()
    }

    /// The state before; none for a create.
    pub fn before(&self) -> Option<Document> {
        self.0.before().map(Document)
    }

    /// The state after; none for a delete.
    pub fn after(&self) -> Option<Document> {
        self.0.after().map(Document)
    }

    /// Effective differences at or under a path.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn differences(&self, under: &str) -> Result<Vec<Difference>, ReadError> {
        self.0.differences(Some(under))
    }

    /// Every effective difference.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn all_differences(&self) -> Result<Vec<Difference>, ReadError> {
        self.0.differences(None)
    }

    /// Whether anything differs at or under a path.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn changes(&self, path: &str) -> Result<bool, ReadError> {
        self.0.changes(path)
    }

    /// Which values a multi-valued attribute gains, each by its `value`: `added("members")` are the ids of new members.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn added(&self, path: &str) -> Result<Vec<String>, ReadError> {
        let differences = self.differences(path)?;
        Ok(differences.iter().filter(|d| d.before.is_none()).filter_map(Difference::element).collect())
    }

    /// Which values a multi-valued attribute loses, each by its `value`. None for a delete, where everything goes.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn removed(&self, path: &str) -> Result<Vec<String>, ReadError> {
        let differences = self.differences(path)?;
        Ok(differences.iter().filter(|d| d.after.is_none()).filter_map(Difference::element).collect())
    }

    /// The texts that a path selects after the operation and did not before: all of them for a create, and for an
    /// assessment, which judges everything as new. For rules that let old data be.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn new_texts(&self, path: &str) -> Result<Vec<String>, ReadError> {
        let mut texts = self.after().map_or(Ok(Vec::new()), |after| after.texts(path))?;
        if let Some(before) = self.before().filter(|_| self.action() == Action::Update && !texts.is_empty()) {
            let old = before.texts(path)?;
            texts.retain(|text| !old.contains(text));
        }
        Ok(texts)
    }

    /// The text that an update gives an attribute instead of another one, case not counting: the new `userName`, the new
    /// `displayName`; empty if it is removed. `None` for what is created or deleted.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn renamed(&self, path: &str) -> Result<Option<String>, ReadError> {
        let (Some(before), Some(after)) = (self.before(), self.after()) else { return Ok(None) };
        let (old, new) = (before.text(path)?.unwrap_or_default(), after.text(path)?.unwrap_or_default());
        Ok((!same(&old, &new)).then_some(new))
    }

    /// How many users who match a SCIM filter an operation that takes any of them out of the group leaves in it. `None`
    /// if it takes none: what is too few already must not stop a change of something else.
    ///
    /// Look-ups answer as of before the operation, so this subtracts those who leave and adds those who join.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn remaining_members(&self, filter: &str) -> Result<Option<u64>, ReadError> {
        let Some(id) = self.before().and_then(|group| group.id()) else { return Ok(None) };
        if self.action() == Action::Delete {
            return Ok((directory::count_members(&id, filter)? > 0).then_some(0));
        }
        let leave = directory::count_among("User", &self.removed("members")?, filter)?;
        if leave == 0 {
            return Ok(None);
        }
        let join = directory::count_among("User", &self.added("members")?, filter)?;
        let before = directory::count_members(&id, filter)?;
        Ok(Some(before.saturating_add(join).saturating_sub(leave)))
    }

    /// Whether a boolean attribute is true after and was not before, however the request put it. A create turns on what
    /// it sets.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn turns_on(&self, path: &str) -> Result<bool, ReadError> {
        Ok(is_on(self.after(), path)? && !is_on(self.before(), path)?)
    }

    /// Whether a boolean attribute was true before and is not after: set to false, removed, or gone with the resource.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn turns_off(&self, path: &str) -> Result<bool, ReadError> {
        Ok(is_on(self.before(), path)? && !is_on(self.after(), path)?)
    }
}

fn is_on(document: Option<Document>, path: &str) -> Result<bool, ReadError> {
    document.map_or(Ok(false), |document| Ok(document.flag(path)?.unwrap_or(false)))
}
