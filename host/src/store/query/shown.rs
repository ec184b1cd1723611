//! What is read to be shown: which resources, and what of them. One question to a snapshot carries all of it, so that a
//! read costs at most one hop to the store's threads, however many resources, groups and names it comes to.

use std::sync::Arc;

use thiserror::Error;

use crate::scim::cursor::Position;
use crate::scim::error::ScimError;
use crate::scim::filter::Filter;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::scim::sort::SortBy;
use crate::store::{QueryError, StoreError, TenantModel};

/// Works out what to read once the tenant's model is known: what the client's texts mean depends on it. It may be asked more than once.
pub type Choose = Box<dyn Fn(&TenantModel) -> Result<Query, ScimError> + Send + Sync>;

/// Nothing can be shown.
#[derive(Debug, Error)]
pub enum ShowError {
    /// The request makes no sense to the tenant's model.
    #[error(transparent)]
    Refused(#[from] ScimError),
    /// The query could not be answered.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl std::convert::From<StoreError> for ShowError {
    fn from(error: StoreError) -> Self {
        Self::Query(error.into())
    }
}

/// What of a resource is read besides its row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The values kept as rows.
    pub members: bool,
    /// What they are called. Costs a look at each.
    pub member_displays: bool,
    /// The groups that it is in.
    pub groups: bool,
}

/// Which resources.
#[derive(Clone, Debug)]
pub enum Query {
    /// The one of this id.
    One {
        /// Its type.
        resource_type: Arc<ResourceType>,
        /// Its id.
        id: ResourceId,
        /// What of it.
        wanted: Wanted,
    },
    /// A page of those that match.
    Page {
        /// Among which. Those of one type follow those of another, unless there is an order.
        among: Vec<Among>,
        /// Where the page begins.
        from: From,
        /// How many there may be; 0 asks for the total alone.
        limit: usize,
    },
}

/// Resources of one type.
#[derive(Clone, Debug)]
pub struct Among {
    /// The type.
    pub resource_type: Arc<ResourceType>,
    /// Those that match; `None`: all of them.
    pub filter: Option<Filter>,
    /// In which order; without, by id. All types of a query have one, or none has.
    pub sort: Option<SortBy>,
    /// What of them.
    pub wanted: Wanted,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// After so many matches.
    Offset(usize),
    /// After this place; `None`: at the start. The total is told if it costs next to nothing.
    After(Option<Position>),
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// How many match in all, if that is known.
    pub total: Option<u64>,
    /// Those of the page.
    pub resources: Vec<Represented>,
    /// Where the next page begins, of those that are asked for by place; `None` at the end.
    pub next: Option<Position>,
}

/// A resource with what is kept or computed outside it, as far as it is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Represented {
    /// The resource.
    pub resource: Resource,
    /// The first values kept as rows; `None` if nobody asked for them.
    pub members: Option<MembersShown>,
    /// The groups that it is in; `None` if nobody asked for them.
    pub groups: Option<Vec<Reference>>,
}

/// The first members of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct MembersShown {
    /// By id; perhaps none.
    pub first: Vec<Reference>,
    /// Whether these are all; else the others, if there are any, begin after them.
    pub is_whole: bool,
}

/// A value of `members` or `groups`, with what is shown beside its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The id of the resource it refers to.
    pub id: ResourceId,
    /// Its resource type.
    pub resource_type: Arc<ResourceType>,
    /// What it is to the one that has the value.
    pub relation: Relation,
    /// What it is called, if it is called anything and somebody asked.
    pub display: Option<String>,
}

/// What a reference's `type` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// A member: RFC 7643 §4.2 has the resource type, "User" or "Group", as its `type`.
    Member,
    /// A group that lists the resource itself. RFC 7643 §4.1.2: "the values "direct" or "indirect"".
    Direct,
    /// A group that has one of its groups as a member.
    Indirect,
}

impl Reference {
    /// Its `type`.
    pub fn kind(&self) -> &str {
        match self.relation {
            Relation::Member => &self.resource_type.name,
            Relation::Direct => "direct",
            Relation::Indirect => "indirect",
        }
    }
}
