//! Everything a verdict rests on.
//!
//! A verdict is a pure function of the component, its settings and its reads. So the reads explain it, allow it to be
//! run again, and say which later change could turn it.

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::scim::resource::ResourceId;

/// Which document was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentRef {
    /// The resource before the change.
    Before,
    /// The resource after the change.
    After,
    /// A resource found by a look-up.
    LookedUp {
        /// Its resource type.
        resource_type: String,
        /// Its id.
        id: ResourceId,
    },
}

/// A question to the tenant's other resources. Asking it again at the commit must give the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LookUp {
    /// One resource by id.
    Get {
        /// Resource type.
        resource_type: String,
        /// The id as the constraint gave it: it may not be one.
        id: String,
    },
    /// The first resources that match, by id.
    Find {
        /// Resource type.
        resource_type: String,
        /// The filter in canonical spelling.
        filter: String,
        /// At most so many.
        limit: u32,
    },
    /// How many resources match.
    Count {
        /// Resource type.
        resource_type: String,
        /// The filter in canonical spelling.
        filter: String,
    },
    /// Whether one is a member of the other.
    IsMember {
        /// The group's id, as the constraint gave it.
        group_id: String,
        /// The member's id, as the constraint gave it.
        member_id: String,
        /// Through nested groups too.
        transitive: bool,
    },
    /// The groups a resource is a direct member of.
    GroupsOf {
        /// The member.
        id: ResourceId,
    },
}

/// What a look-up answered: enough to tell whether it would answer the same again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUpAnswer {
    /// For `Get` and `Find`: id and version of each resource, by id.
    Resources(Vec<(ResourceId, i64)>),
    /// For `Count`.
    Count(u64),
    /// For `IsMember`.
    Member(bool),
    /// For `GroupsOf`: ids, sorted.
    Groups(Vec<ResourceId>),
}

/// What was asked of a table, and what it answered.
#[derive(Clone, Debug, PartialEq)]
pub enum TableAnswer {
    /// `contains`: whether there is a row.
    Contains(bool),
    /// `get`: the row.
    Row(Option<Value>),
}

/// What was asked of a document, and what it answered.
#[derive(Clone, Debug, PartialEq)]
pub enum DocumentAnswer {
    /// `read`: the first value.
    Value(Option<Value>),
    /// `read-all`: every value.
    Values(Vec<Value>),
    /// `has`: presence alone.
    Present(bool),
    /// `matches`: whether a filter holds.
    Matches(bool),
    /// `json`: a whole subtree.
    Json(Value),
}

/// One read of a constraint.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// Of a document.
    Document {
        /// Which one.
        document: DocumentRef,
        /// Canonical path, or the filter of `matches`; empty for all of it.
        path: String,
        /// What it answered.
        answer: DocumentAnswer,
    },
    /// Of the differences: path, before, after of each.
    Differences {
        /// At or under this canonical path; all of them when empty.
        under: String,
        /// What it answered.
        answer: Vec<(String, Option<Value>, Option<Value>)>,
    },
    /// Whether anything differs at or under a path.
    Changes {
        /// Canonical path.
        path: String,
        /// What it answered.
        answer: bool,
    },
    /// Of other resources.
    LookUp {
        /// The question.
        look_up: LookUp,
        /// What it answered.
        answer: LookUpAnswer,
    },
    /// Of a table. It is not asked again at the commit: another revision of a table is another generation.
    Table {
        /// The table.
        table: String,
        /// The revision of it that answered.
        revision: u32,
        /// The key of the row.
        key: String,
        /// What it answered.
        answer: TableAnswer,
    },
    /// A read that was refused: not granted, not a path, over the budget.
    Refused {
        /// What was asked, as the constraint put it.
        what: String,
        /// `not-granted`, `invalid`, `budget-exhausted`, `unavailable`.
        error: &'static str,
    },
}

/// Every read of one evaluation, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadSet {
    /// In the order they were made; a repeated one stands once.
    pub reads: Vec<Read>,
}

impl ReadSet {
    /// The look-ups among them.
    pub fn look_ups(&self) -> impl Iterator<Item = (&LookUp, &LookUpAnswer)> {
        self.reads.iter().filter_map(|read| match read {
            Read::LookUp { look_up, answer } => Some((look_up, answer)),
            _ => None,
        })
    }
}

impl Serialize for DocumentRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Before => serializer.serialize_str("before"),
            Self::After => serializer.serialize_str("after"),
            Self::LookedUp { resource_type, id } => serializer.collect_str(&format_args!("{resource_type}/{id}")),
        }
    }
}

impl Serialize for LookUp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Get { resource_type, id } => {
                map.serialize_entry("kind", "get")?;
                map.serialize_entry("resource_type", resource_type)?;
                map.serialize_entry("id", id)?;
            }
            Self::Find { resource_type, filter, limit } => {
                map.serialize_entry("kind", "find")?;
                map.serialize_entry("resource_type", resource_type)?;
                map.serialize_entry("filter", filter)?;
                map.serialize_entry("limit", limit)?;
            }
            Self::Count { resource_type, filter } => {
                map.serialize_entry("kind", "count")?;
                map.serialize_entry("resource_type", resource_type)?;
                map.serialize_entry("filter", filter)?;
            }
            Self::IsMember { group_id, member_id, transitive } => {
                map.serialize_entry("kind", "is-member")?;
                map.serialize_entry("group_id", group_id)?;
                map.serialize_entry("member_id", member_id)?;
                map.serialize_entry("transitive", transitive)?;
            }
            Self::GroupsOf { id } => {
                map.serialize_entry("kind", "groups-of")?;
                map.serialize_entry("id", &id.to_string())?;
            }
        }
        map.end()
    }
}

impl Serialize for LookUpAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Resources(found) => {
                serializer.collect_seq(found.iter().map(|&(id, version)| FoundJson { id, version }))
            }
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Member(is_member) => serializer.serialize_bool(*is_member),
            Self::Groups(ids) => serializer.collect_seq(ids.iter().map(ToString::to_string)),
        }
    }
}

struct FoundJson {
    id: ResourceId,
    version: i64,
}

impl Serialize for FoundJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut found = serializer.serialize_struct("Found", 2)?;
        found.serialize_field("id", &self.id.to_string())?;
        found.serialize_field("version", &self.version)?;
        found.end()
    }
}

/// One object a read. The member that holds the answer is named for what was asked (`value`, `values`, `present`,
/// `matches`, `json`; `contains`, `row`), so that a replay knows which call it has to answer.
impl Serialize for Read {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Document { document, path, answer } => {
                map.serialize_entry("document", document)?;
                map.serialize_entry("path", path)?;
                match answer {
                    DocumentAnswer::Value(value) => map.serialize_entry("value", value)?,
                    DocumentAnswer::Values(values) => map.serialize_entry("values", values)?,
                    DocumentAnswer::Present(present) => map.serialize_entry("present", present)?,
                    DocumentAnswer::Matches(matches) => map.serialize_entry("matches", matches)?,
                    DocumentAnswer::Json(json) => map.serialize_entry("json", json)?,
                }
            }
            Self::Differences { under, answer } => {
                map.serialize_entry("differences_under", under)?;
                let rows: Vec<DifferenceJson<'_>> =
                    answer.iter().map(|(path, before, after)| DifferenceJson { path, before, after }).collect();
                map.serialize_entry("answer", &rows)?;
            }
            Self::Changes { path, answer } => {
                map.serialize_entry("changes", path)?;
                map.serialize_entry("answer", answer)?;
            }
            Self::LookUp { look_up, answer } => {
                map.serialize_entry("look_up", look_up)?;
                map.serialize_entry("answer", answer)?;
            }
            Self::Table { table, revision, key, answer } => {
                map.serialize_entry("table", table)?;
                map.serialize_entry("revision", revision)?;
                map.serialize_entry("key", key)?;
                match answer {
                    TableAnswer::Contains(contains) => map.serialize_entry("contains", contains)?,
                    TableAnswer::Row(row) => map.serialize_entry("row", row)?,
                }
            }
            Self::Refused { what, error } => {
                map.serialize_entry("refused", what)?;
                map.serialize_entry("error", error)?;
            }
        }
        map.end()
    }
}

/// A difference as it was told to the constraint: a side without a value is left out.
#[derive(Serialize)]
struct DifferenceJson<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: &'a Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: &'a Option<Value>,
}

impl Serialize for ReadSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.reads.serialize(serializer)
    }
}
