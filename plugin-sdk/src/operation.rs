//! What is being done, by whom, and what differs.

use crate::document::{Document, ReadError, Value};
use crate::text::same;
use crate::{directory, filter, platform};

/// Values asked for in one path: a comparison with an id has 50 bytes, a path no more than 2 KiB.
const ASKED_AT_ONCE: usize = 30;

/// Members looked at beyond those that are enough: some may be leaving.
const SPARE: u32 = 10;

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

    /// Whether a multi-valued attribute may lose a value: `false` if it loses none. For changes of any size: where more
    /// comes and goes than can be told ([`ReadError::BudgetExhausted`]), it is `true`, and [`kept`](Self::kept) tells
    /// which of the values that matter stay.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn may_lose(&self, path: &str) -> Result<bool, ReadError> {
        match self.removed(path) {
            Ok(removed) => Ok(!removed.is_empty()),
            Err(ReadError::BudgetExhausted(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Which of these values, each known by its `value`, a multi-valued attribute has after the operation:
    /// `kept("members", &ids)`. Costs the same in a group of any size.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn kept(&self, path: &str, values: &[String]) -> Result<Vec<String>, ReadError> {
        let Some(after) = self.after() else { return Ok(Vec::new()) };
        let mut kept = Vec::new();
        for some in values.chunks(ASKED_AT_ONCE) {
            if let Some(named) = filter::equals_any("value", some) {
                kept.extend(after.texts(&format!("{path}[{named}].value"))?);
            }
        }
        Ok(kept)
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

    /// The users who match a SCIM filter and whom the operation takes out of the group, or who go with it; of the first
    /// `limit` members who match. In a group of any size.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn leaving_members(&self, filter: &str, limit: u32) -> Result<Vec<Document>, ReadError> {
        let Some(id) = self.before().and_then(|group| group.id()) else { return Ok(Vec::new()) };
        if self.action() != Action::Delete && !self.may_lose("members")? {
            return Ok(Vec::new());
        }
        let mut leaving = directory::members(&id, filter, limit)?;
        let ids: Vec<String> = leaving.iter().filter_map(Document::id).collect();
        let kept = self.kept("members", &ids)?;
        leaving.retain(|user| user.id().is_some_and(|id| !kept.contains(&id)));
        Ok(leaving)
    }

    /// How many users who match a SCIM filter an operation that takes any of them out of the group leaves in it. `None`
    /// if it takes none: what is too few already must not stop a change of something else.
    ///
    /// Look-ups answer as of before the operation, so this subtracts those who leave and adds those who join. Of an operation
    /// that changes more members than can be told, it counts those it leaves, whether or not it takes one who matches.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn remaining_members(&self, filter: &str) -> Result<Option<u64>, ReadError> {
        let Some(id) = self.before().and_then(|group| group.id()) else { return Ok(None) };
        if self.action() == Action::Delete {
            return Ok((directory::count_members(&id, filter)? > 0).then_some(0));
        }
        let removed = match self.removed("members") {
            Ok(removed) => removed,
            // More than can be told. Those who are left may be few enough.
            Err(ReadError::BudgetExhausted(_)) => {
                let left = self.after().map_or(Ok(Vec::new()), |after| after.texts("members.value"))?;
                return directory::count_among("User", &left, filter).map(Some);
            }
            Err(error) => return Err(error),
        };
        let leave = directory::count_among("User", &removed, filter)?;
        if leave == 0 {
            return Ok(None);
        }
        let join = directory::count_among("User", &self.added("members")?, filter)?;
        let before = directory::count_members(&id, filter)?;
        Ok(Some(before.saturating_add(join).saturating_sub(leave)))
    }

    /// How many users who match a SCIM filter an operation that takes any of them out of the group leaves in it, if they are
    /// fewer than `minimum`. Of a group of any size it looks at no more than are enough, as long as the minimum is some
    /// tens; beyond, as [`remaining_members`](Self::remaining_members).
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn too_few_members(&self, filter: &str, minimum: u64) -> Result<Option<u64>, ReadError> {
        let Some(id) = self.before().and_then(|group| group.id()) else { return Ok(None) };
        if self.action() == Action::Update {
            if !self.may_lose("members")? {
                return Ok(None);
            }
            let enough = u32::try_from(minimum).unwrap_or(u32::MAX).saturating_add(SPARE);
            let first: Vec<String> = directory::members(&id, filter, enough)?.iter().filter_map(Document::id).collect();
            if self.kept("members", &first)?.len() as u64 >= minimum {
                return Ok(None);
            }
        }
        Ok(self.remaining_members(filter)?.filter(|left| *left < minimum))
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
