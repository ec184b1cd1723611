//! From a filter to what the indexes can answer. Pure; the engines carry it out.
//!
//! A filter is split into an [`Access`], which gives candidates, and the filter itself, which is evaluated on each of
//! them. Only where the access gives exactly the matches (`exact`) is nothing evaluated.

use std::ops::Bound;
use std::sync::Arc;

use crate::decision::LookUpAnswer;
use crate::scim::filter::{Filter, Literal, Operator};
use crate::scim::index;
use crate::scim::path::AttributeRef;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::{Storage, Uniqueness};

mod shown;

pub use shown::{Among, Choose, From, MembersShown, Query, Reference, Relation, Represented, ShowError, Shown, Wanted};

/// Which of the matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many matches to pass over.
    pub offset: usize,
    /// How many to return; 0 asks for the total alone.
    pub limit: usize,
}

/// The resources that match.
#[derive(Clone, Debug, PartialEq)]
pub struct Matches {
    /// How many match in all.
    pub total: u64,
    /// Those of the page.
    pub resources: Vec<Resource>,
}

/// What a look-up came to, with the resources themselves.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// For `Get` and `Find`: by id.
    Resources(Vec<Arc<Resource>>),
    /// For `Count`.
    Count(u64),
    /// For `IsMember`.
    Member(bool),
    /// For `GroupsOf`: ids, sorted.
    Groups(Vec<ResourceId>),
}

impl Found {
    /// What has to stay as it is for the look-up to have stayed as it is.
    pub fn answer(&self) -> LookUpAnswer {
        match self {
            Self::Resources(resources) => {
                LookUpAnswer::Resources(resources.iter().map(|resource| (resource.id, resource.meta.version)).collect())
            }
            Self::Count(count) => LookUpAnswer::Count(*count),
            Self::Member(member) => LookUpAnswer::Member(*member),
            Self::Groups(groups) => LookUpAnswer::Groups(groups.clone()),
        }
    }
}

/// How much may be looked at.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Resources that are read and compared one by one.
    pub candidates_max: usize,
    /// Index entries that are counted without reading anything.
    pub counted_max: usize,
}

impl Effort {
    /// For a client's query. A candidate costs about 10 µs (read, parse, compare), so 20,000 keep one read connection
    /// busy for some 0.2 s. Entries of an index are counted at some 20 million a second.
    pub const QUERY: Effort = Effort { candidates_max: 20_000, counted_max: 10_000_000 };

    /// For a constraint's look-up. It is answered again by the one writer, for whom everybody waits: 2,000 candidates
    /// are some 20 ms, 100,000 index entries some 5 ms.
    pub const LOOK_UP: Effort = Effort { candidates_max: 2_000, counted_max: 100_000 };

    /// For all look-ups of a decision, of all its constraints together: four of the costliest, so that the writer has
    /// some 100 ms of work with one commit at most, where 10 constraints with 64 look-ups each could ask for 16 s.
    pub const LOOK_UPS: Effort = Effort { candidates_max: 8_000, counted_max: 400_000 };

    /// For the same look-ups at the commit. An eighth more: what was added meanwhile without changing an answer must
    /// not fail a commit.
    pub const LOOK_UPS_AGAIN: Effort = Effort { candidates_max: 9_000, counted_max: 450_000 };
}

/// Where candidates come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// The resource of this id; none if the text was no id.
    Id(Option<ResourceId>),
    /// The resources that have this value.
    Value {
        /// Canonical path of the attribute.
        attribute: String,
        /// The value as the index has it.
        norm: String,
        /// Whether at most one resource has it.
        unique: bool,
    },
    /// The resources that have a value beginning so.
    Prefix {
        /// Canonical path of the attribute.
        attribute: String,
        /// The beginning as the index has it.
        norm: String,
        /// Which of the two indexes.
        unique: bool,
    },
    /// The resources that have a value between these.
    Range {
        /// Canonical path of the attribute.
        attribute: String,
        /// The bounds as the index has them; it is in the order in which values are compared.
        bounds: (Bound<String>, Bound<String>),
        /// Which of the two indexes.
        unique: bool,
    },
    /// The resources that last changed between these, in microseconds since 1970.
    Modified(Bound<i64>, Bound<i64>),
    /// The groups that have this member.
    HasMember(Option<ResourceId>),
    /// The direct members of this group.
    InGroup(Option<ResourceId>),
    /// Each of these alone gives every match: the one with the fewest is taken.
    Fewest(Vec<Access>),
    /// All of these together give every match.
    Union(Vec<Access>),
}

/// How a filter is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where candidates come from; `None`: every resource of the type is one.
    pub access: Option<Access>,
    /// Whether every candidate matches.
    pub exact: bool,
}

impl Access {
    /// Whether an index has what it gives in the order of ids, each once.
    pub fn is_by_id(&self) -> bool {
        matches!(self, Self::Value { .. } | Self::HasMember(_) | Self::InGroup(_))
    }

    /// Whether it gives one resource at most, so that looking further for a shorter one is no use.
    fn is_single(&self) -> bool {
        matches!(self, Self::Id(_) | Self::Value { unique: true, .. })
    }
}

impl Among {
    /// Whether an index tells that it is one resource at most, and which.
    pub fn is_single(&self) -> bool {
        let plan = self.filter.as_ref().filter(|_| self.sort.is_none()).map(plan);
        plan.is_some_and(|plan| plan.exact && plan.access.is_some_and(|access| access.is_single()))
    }
}

/// Plans a filter.
pub fn plan(filter: &Filter) -> Plan {
    match access(filter, None) {
        Some(access) => {
            let exact = is_exact(filter, &access);
            Plan { access: Some(access), exact }
        }
        None => Plan { access: None, exact: false },
    }
}

/// Whether the access answers the filter by itself: a comparison does, and so does a choice of comparisons.
fn is_exact(filter: &Filter, access: &Access) -> bool {
    match (filter, access) {
        (Filter::Compare { .. } | Filter::Present(_), _) => true,
        // One value matches all of it, or some of it: the same thing while there is nothing but `or` inside.
        (Filter::ValuePath { filter, .. }, access) => is_exact(filter, access),
        (Filter::Or(some), Access::Union(accesses)) => {
            some.iter().zip(accesses).all(|(filter, access)| is_exact(filter, access))
        }
        _ => false,
    }
}

/// `outer` is the complex attribute whose values the filter is about, inside a value path.
fn access(filter: &Filter, outer: Option<&AttributeRef>) -> Option<Access> {
    match filter {
        Filter::Compare { attribute, operator, value } if attribute.storage() == Storage::Absent => {
            let holds_without_a_value = (*operator == Operator::Ne) != (*value == Literal::Null);
            (!holds_without_a_value).then_some(NOTHING)
        }
        Filter::Present(attribute) | Filter::ValuePath { attribute, .. } if attribute.storage() == Storage::Absent => {
            Some(NOTHING)
        }
        Filter::Compare { attribute, operator, value } => comparison(&under(outer, attribute), *operator, value),
        Filter::Present(attribute) => present(&under(outer, attribute)),
        Filter::ValuePath { attribute, filter } => access(filter, Some(attribute)),
        // Any of them drives; the others are looked at on what it gives.
        Filter::And(all) => {
            let mut accesses: Vec<Access> = all.iter().filter_map(|filter| access(filter, outer)).collect();
            accesses.sort_by_key(|access| !access.is_single());
            if accesses.len() > 1 { Some(Access::Fewest(accesses)) } else { accesses.pop() }
        }
        // All of them, or a match could be missed.
        Filter::Or(some) => some.iter().map(|filter| access(filter, outer)).collect::<Option<_>>().map(Access::Union),
        Filter::Not(_) => None,
    }
}

/// A sub-attribute stands alone inside a value path and after its attribute outside.
fn under(outer: Option<&AttributeRef>, attribute: &AttributeRef) -> AttributeRef {
    match outer {
        Some(outer) => outer.with_sub(attribute.leaf()),
        None => attribute.clone(),
    }
}

/// No resource of ours has no id.
const NOTHING: Access = Access::Id(None);

fn comparison(attribute: &AttributeRef, operator: Operator, value: &Literal) -> Option<Access> {
    match (operator, value) {
        (Operator::Ne, Literal::Null) => present(attribute),
        (operator, Literal::Time(time)) if is_last_modified(attribute) => modified(operator, *time),
        (Operator::Eq, Literal::Text(text)) if is_common_id(attribute) => Some(Access::Id(text.parse().ok())),
        (Operator::Eq, Literal::Text(text)) if attribute.storage() != Storage::Inline => by_membership(attribute, text),
        (Operator::Eq, _) => {
            let IndexKey { attribute, norm, unique } = IndexKey::of(attribute, value)?;
            Some(Access::Value { attribute, norm, unique })
        }
        (Operator::Sw, Literal::Text(text)) if !text.is_empty() => {
            let IndexKey { attribute, norm, unique } = IndexKey::of(attribute, value)?;
            Some(Access::Prefix { attribute, norm, unique })
        }
        (operator, _) => {
            let bounds = |norm: String| {
                Some(match operator {
                    Operator::Gt => (Bound::Excluded(norm), Bound::Unbounded),
                    Operator::Ge => (Bound::Included(norm), Bound::Unbounded),
                    Operator::Lt => (Bound::Unbounded, Bound::Excluded(norm)),
                    Operator::Le => (Bound::Unbounded, Bound::Included(norm)),
                    Operator::Eq | Operator::Ne | Operator::Co | Operator::Sw | Operator::Ew => return None,
                })
            };
            let IndexKey { attribute, norm, unique } = IndexKey::of(attribute, value)?;
            Some(Access::Range { attribute, bounds: bounds(norm)?, unique })
        }
    }
}

/// RFC 7644 table 3: `pr` asks for a "non-empty" value, and only that of an empty text is empty in the index.
fn present(attribute: &AttributeRef) -> Option<Access> {
    index::is_indexed(attribute).then(|| Access::Range {
        attribute: attribute.to_string(),
        bounds: (Bound::Excluded(String::new()), Bound::Unbounded),
        unique: attribute.leaf().uniqueness != Uniqueness::None,
    })
}

/// Moments are stored in microseconds, and a filter may name one between two of them.
fn modified(operator: Operator, time: jiff::Timestamp) -> Option<Access> {
    let nanoseconds = time.as_nanosecond();
    // From -9999 to 9999, a moment in microseconds is far within 64 bits.
    let floor = i64::try_from(nanoseconds.div_euclid(1_000)).ok()?;
    let is_whole = nanoseconds.rem_euclid(1_000) == 0;
    let (before, after) = if is_whole {
        (Bound::Excluded(floor), Bound::Excluded(floor))
    } else {
        (Bound::Included(floor), Bound::Excluded(floor))
    };
    Some(match operator {
        Operator::Eq if is_whole => Access::Modified(Bound::Included(floor), Bound::Included(floor)),
        Operator::Eq => NOTHING,
        Operator::Gt => Access::Modified(after, Bound::Unbounded),
        Operator::Ge if is_whole => Access::Modified(Bound::Included(floor), Bound::Unbounded),
        Operator::Ge => Access::Modified(after, Bound::Unbounded),
        Operator::Lt => Access::Modified(Bound::Unbounded, before),
        Operator::Le => Access::Modified(Bound::Unbounded, Bound::Included(floor)),
        Operator::Ne | Operator::Co | Operator::Sw | Operator::Ew => return None,
    })
}

fn is_last_modified(attribute: &AttributeRef) -> bool {
    let sub = attribute.sub_attribute.as_ref();
    attribute.extension.is_none()
        && attribute.attribute.name == "meta"
        && sub.is_some_and(|sub| sub.name == "lastModified")
}

/// Where in the indexes a value of an attribute stands.
struct IndexKey {
    attribute: String,
    norm: String,
    unique: bool,
}

impl IndexKey {
    /// `None` if the attribute is not indexed, or no value of it equals the literal.
    fn of(attribute: &AttributeRef, value: &Literal) -> Option<Self> {
        if !index::is_indexed(attribute) {
            return None;
        }
        let leaf = attribute.leaf();
        Some(Self {
            attribute: attribute.to_string(),
            norm: index::normalise(leaf, value)?,
            unique: leaf.uniqueness != Uniqueness::None,
        })
    }
}

fn is_common_id(attribute: &AttributeRef) -> bool {
    attribute.extension.is_none() && attribute.sub_attribute.is_none() && attribute.attribute.name == "id"
}

/// `members.value eq …` and `groups.value eq …`; also `members eq …`, which means the `value` (RFC 7644 §3.4.2.2).
fn by_membership(attribute: &AttributeRef, text: &str) -> Option<Access> {
    if attribute.sub_attribute.as_ref().is_some_and(|sub| sub.name != "value") {
        return None;
    }
    // An id is written in one way only, but `value` is an attribute whose comparison may not see case.
    let id = if attribute.leaf().folds_case() { text.to_lowercase().parse() } else { text.parse() }.ok();
    match attribute.storage() {
        Storage::Rows => Some(Access::HasMember(id)),
        Storage::Derived => Some(Access::InGroup(id)),
        Storage::Inline | Storage::Absent => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::reading::Reading;
    use crate::scim::schema::SchemaRegistry;

    fn user_plan(filter: &str) -> Plan {
        let registry = SchemaRegistry::core();
        plan(&Filter::parse(filter, registry.resource_type("User").unwrap()).unwrap())
    }

    #[test]
    fn what_an_index_can_answer_is_asked_of_it() {
        let check = |filter: &str, access: &str, exact: bool| {
            let plan = user_plan(filter);
            let found = match &plan.access {
                None => "all",
                Some(Access::Id(_)) => "id",
                Some(Access::Value { .. }) => "value",
                Some(Access::Prefix { .. }) => "prefix",
                Some(Access::Range { .. }) => "range",
                Some(Access::Modified(..)) => "modified",
                Some(Access::HasMember(_) | Access::InGroup(_)) => "membership",
                Some(Access::Fewest(_)) => "fewest",
                Some(Access::Union(_)) => "union",
            };
            assert_eq!((found, plan.exact), (access, exact), "{filter}");
        };
        for attribute in ["userName", "externalId", "emails.value", "displayName", "name.familyName", "name.givenName"]
        {
            check(&format!("{attribute} eq \"a\""), "value", true);
            check(&format!("{attribute} sw \"a\""), "prefix", true);
            for operator in ["gt", "ge", "lt", "le"] {
                check(&format!("{attribute} {operator} \"a\""), "range", true);
            }
            check(&format!("{attribute} pr"), "range", true);
            check(&format!("{attribute} co \"a\""), "all", false);
            check(&format!("{attribute} ew \"a\""), "all", false);
            check(&format!("{attribute} ne \"a\""), "all", false);
        }
        check("active eq true", "value", true);
        check("active pr", "range", true);
        check("title gt \"a\"", "all", false);
        check("meta.lastModified gt \"2026-01-01T00:00:00Z\"", "modified", true);
        check("meta.lastModified sw \"2026\"", "all", false);
        check("meta.created gt \"2026-01-01T00:00:00Z\"", "all", false);
        check("userName sw \"a\" and title pr", "prefix", false);
        check("userName sw \"a\" and active eq true", "fewest", false);
        check("userName sw \"a\" or active eq true", "union", true);
        check("userName sw \"a\" or title pr", "all", false);
        check("emails[value gt \"a\"]", "range", true);
        check("emails[value gt \"a\" and type eq \"work\"]", "range", false);
        check("groups.value eq \"01936d4e-0000-7000-8000-000000000000\"", "membership", true);
    }

    #[test]
    fn an_attribute_that_the_type_does_not_have_costs_no_look() {
        let registry = SchemaRegistry::core();
        let readings: Vec<Reading<'_>> = registry.resource_types().iter().map(Reading::strict).collect();
        let group_plan = |filter: &str| plan(&Filter::parse_among(filter, &readings).unwrap()[1]);
        let nothing = Plan { access: Some(NOTHING), exact: true };
        for filter in ["userName eq \"a\"", "userName pr", "userName gt \"a\"", "active eq true", "userName ne null"] {
            assert_eq!(group_plan(filter), nothing, "{filter}");
        }
        for filter in ["userName ne \"a\"", "userName eq null", "not (userName pr)"] {
            assert_eq!(group_plan(filter).access, None, "{filter}");
        }
    }
}
