//! [`PlannedChange`]: the state before, the state after, and what differs.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::Value;

use crate::change::diff::differences;
use crate::change::members::Membership;
use crate::scim::members::MemberEdit;
use crate::scim::path::AttributeRef;
use crate::scim::resource::{Attributes, Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::scim::secret::SecretEdit;

/// What is being done to a resource. PUT and PATCH are both `Update`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// POST.
    Create,
    /// PUT or PATCH.
    Update,
    /// DELETE.
    Delete,
}

/// The effective change of the attribute kept as rows: what was no member and will be, what was and will not be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MembersChange {
    /// Sorted by id.
    pub added: Vec<Member>,
    /// Who goes.
    pub removed: Removed,
}

/// The members that go.
#[derive(Clone, Debug, PartialEq)]
pub enum Removed {
    /// These, sorted by id.
    These(Vec<Member>),
    /// Too many to be listed.
    Many(Arc<Departure>),
}

/// Members that go, too many to be listed: how to recognise them.
#[derive(Clone, Debug, PartialEq)]
pub struct Departure {
    /// Tells of each member whether it stays.
    pub membership: Membership,
    /// How many go.
    pub removed: u64,
    /// How many stay.
    pub kept: u64,
    /// Those that stay, sorted by id, if they are few enough to be listed.
    pub kept_members: Option<Vec<Member>>,
}

impl Default for Removed {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl From<Vec<Member>> for Removed {
    fn from(these: Vec<Member>) -> Self {
        Self::These(these)
    }
}

impl Removed {
    /// How many there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::These(these) => these.len() as u64,
            Self::Many(departure) => departure.removed,
        }
    }

    /// Whether one who is a member is among them.
    pub fn has(&self, member: &Member) -> bool {
        match self {
            Self::These(these) => these.binary_search_by_key(&member.id, |gone| gone.id).is_ok(),
            Self::Many(departure) => !departure.membership.keeps(member),
        }
    }
}

impl MembersChange {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many come and go.
    pub fn count(&self) -> usize {
        usize::try_from(self.removed.count()).unwrap_or(usize::MAX).saturating_add(self.added.len())
    }
}

/// One effective difference between the state before and the state after, at the finest path that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Canonical path: `userName`, `emails[value eq "a@x"].type`, `members[value eq "…"]`. Always one that
    /// [`Path::parse`](crate::scim::path::Path::parse) reads. A value is named by `value`, by all that it has where
    /// `value` does not tell it from another (`emails[value eq "a@x" and type eq "home"]`), and not at all (`roles`,
    /// `roles.type`) where the filter for it would be longer than
    /// [`PATH_FILTER_BYTES_MAX`](crate::change::diff::PATH_FILTER_BYTES_MAX). So paths may be there more than once.
    pub path: String,
    /// The attribute or sub-attribute that `path` leads to, whatever filter the path has: what `before` and `after`
    /// are values of. For grants and for look-ups by prefix, without reading `path`.
    pub attribute: AttributeRef,
    /// `None` where there was no value. Of a secret both this and `after` are `None`: that it changes may be known, from
    /// what to what may not.
    pub before: Option<Value>,
    /// `None` where there is no value any more.
    pub after: Option<Value>,
}

/// A request applied to the state before, but for the members: the store has to say which of them are there.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What is being done.
    pub action: Action,
    /// `None` for a create.
    pub before: Option<Resource>,
    /// `None` for a delete.
    pub after: Option<Resource>,
    /// Edits of the attribute kept as rows, in the order of the request.
    pub member_edits: Vec<MemberEdit>,
    /// The secrets that are set or taken away.
    pub secrets: Vec<SecretEdit>,
}

impl Draft {
    /// The change in full, now that it is known what becomes of the members. `None`: an update that changes nothing,
    /// so neither version nor `lastModified` may move.
    pub fn settle(self, members: MembersChange) -> Option<PlannedChange> {
        let resource = self.before.as_ref().or(self.after.as_ref())?;
        let (resource_type, id) = (resource.resource_type.clone(), resource.id);
        let Draft { action, before, after, secrets, .. } = self;
        let differences = OnceLock::new();
        let planned = PlannedChange { action, resource_type, id, before, after, members, secrets, differences };
        planned.changes_anything().then_some(planned)
    }
}

/// A change as it would be made, in full.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedChange {
    /// What is being done.
    pub action: Action,
    /// The type of the resource.
    pub resource_type: Arc<ResourceType>,
    /// The id of the resource; also of one that is only being created.
    pub id: ResourceId,
    /// `None` for a create.
    pub before: Option<Resource>,
    /// `None` for a delete. Its version is the one it will have.
    pub after: Option<Resource>,
    /// Effective change of the attribute kept as rows. Empty for a delete: the rows go with the resource.
    pub members: MembersChange,
    /// The secrets that are set or taken away, for whoever keeps what is derived from them. That one is set to what it is
    /// already cannot be told, so each counts as a difference.
    pub secrets: Vec<SecretEdit>,
    /// What [`differences`](Self::differences) has found, once somebody asked.
    pub differences: OnceLock<Vec<Difference>>,
}

impl PlannedChange {
    /// Every effective difference but those of [`members`](Self::members), of which there may be any number
    /// ([`member_difference`](crate::change::diff::member_difference) makes one), by path. For a delete: none, everything
    /// goes. They are looked for at the first call: nobody may ask what a new resource differs in from nothing.
    pub fn differences(&self) -> &[Difference] {
        self.differences.get_or_init(|| {
            let empty = Attributes::new();
            match self.action {
                Action::Delete => Vec::new(),
                Action::Create | Action::Update => differences(
                    &self.resource_type,
                    self.before.as_ref().map_or(&empty, |before| &before.attributes),
                    self.after.as_ref().map_or(&empty, |after| &after.attributes),
                    &self.secrets,
                ),
            }
        })
    }

    /// Whether anything is different afterwards: neither version nor `lastModified` may move if not.
    pub fn changes_anything(&self) -> bool {
        self.action != Action::Update || !self.members.is_empty() || !self.differences().is_empty()
    }

    /// The paths of the secrets that are set or taken away.
    pub fn secrets_changed(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|edit| edit.path.as_str())
    }

    /// The version the resource must still have when the change is committed; `None` for a create.
    pub fn expected_version(&self) -> Option<i64> {
        self.before.as_ref().map(|before| before.meta.version)
    }
}
