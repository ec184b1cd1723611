//! Filters (RFC 7644 §3.4.2.2): parsed against a resource type, printed canonically, evaluated on a resource.
//!
//! Start at [`Filter::parse`]. What is fixed here and left open by the RFC:
//! * `ne` holds where the attribute has no value. RFC 7643 §2.5 makes "no value" a state like any other, and RFC 7644
//!   table 3 says that `ne` matches when "the attribute and operator values are not identical". So `ne "x"` finds
//!   what `eq "x"` does not, on single-valued attributes.
//! * On a multi-valued attribute a comparison holds if it holds for some value, `ne` too.
//! * `eq null` is "has no value", `ne null` is `pr`.
//! * `emails[type eq "work"].value eq "a@x"`, which clients send and the grammar lacks, is
//!   `emails[type eq "work" and value eq "a@x"]`.
//! * An attribute of an extension may go without its URN where that is not ambiguous (Entra ID: `manager eq "…"`).

pub mod eval;
pub mod lexer;
pub mod parser;
pub mod print;

use parser::Manner;
use thiserror::Error;

use crate::scim::error::ScimError;
use crate::scim::path::AttributeRef;
use crate::scim::reading::Reading;
use crate::scim::schema::{ResourceType, Storage};

/// A comparison operator (RFC 7644 table 3), but for `pr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are RFC 7644 table 3's own")]
pub enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Operator {
    /// Every operator, in the order of table 3.
    pub const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    /// The operator a word names, in any spelling of case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str().eq_ignore_ascii_case(word))
    }
}

/// The value an attribute is compared with, already of a type that the attribute can be compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// For strings, references, binary; for `dateTime` with `co`, `sw` and `ew`.
    Text(String),
    /// For booleans.
    Boolean(bool),
    /// For integers and decimals.
    Number(serde_json::Number),
    /// For `dateTime`.
    Time(jiff::Timestamp),
    /// `null`: `eq null` is "has no value".
    Null,
}

/// A filter whose attributes exist in the resource type it was parsed against.
///
/// INVARIANT: at most as deep as [`filter_depth_max`](crate::scim::limits::ScimLimits::filter_depth_max) can be set, so
/// that it can be walked and dropped by recursion. An `And` never holds an
/// `And`, an `Or` never an `Or`: parentheses that change nothing are not kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// `userName eq "ada"`. On a multi-valued attribute: some value compares so. On a complex attribute without a
    /// sub-attribute the parser adds `.value`, but for `null`.
    Compare {
        /// What is compared.
        attribute: AttributeRef,
        /// How.
        operator: Operator,
        /// With what.
        value: Literal,
    },
    /// `title pr`.
    Present(AttributeRef),
    /// `emails[type eq "work" and value co "@example.com"]`: one value matches all of it. The inner filter's
    /// attributes are the sub-attributes of `attribute`, as attributes of their own.
    ValuePath {
        /// The complex attribute.
        attribute: AttributeRef,
        /// What one of its values must match.
        filter: Box<Filter>,
    },
    /// All of these, at least two.
    And(Vec<Filter>),
    /// Some of these, at least two.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
}

impl Filter {
    /// Reads a filter. Attribute names, operators and URNs may be in any case.
    pub fn parse(text: &str, resource_type: &ResourceType) -> Result<Self, FilterError> {
        parser::parse(text, resource_type, Manner::STRICT)
    }

    /// Reads a filter by a tenant's rules. To a lenient reader a text may go without its quotes, up to a space or a
    /// bracket: `userName eq ada`. An attribute that the type does not have stays an error: to pass over a condition
    /// would be to answer with resources that nobody asked for.
    pub fn parse_with(text: &str, reading: Reading<'_>) -> Result<Self, FilterError> {
        parser::parse(text, reading.resource_type, reading.into())
    }

    /// Reads a filter on resources of several types (RFC 7644 §3.4.2.1), as it is for one of them: an attribute that this
    /// one does not have is one without a value. One that none of them has is an error as it is elsewhere.
    pub fn parse_among(text: &str, readings: &[Reading<'_>]) -> Result<Vec<Self>, FilterError> {
        let filters = readings
            .iter()
            .map(|reading| parser::parse(text, reading.resource_type, Manner::from(*reading).among_others()))
            .collect::<Result<Vec<_>, _>>()?;
        let absent = |filter: &Self| -> Vec<String> {
            let attributes = filter.attributes().into_iter().filter(|one| one.leaf().storage == Storage::Absent);
            attributes.map(|one| one.leaf().name.to_ascii_lowercase()).collect()
        };
        let mut nowhere = filters.first().map(absent).unwrap_or_default();
        for filter in &filters {
            let missing = absent(filter);
            nowhere.retain(|name| missing.contains(name));
        }
        match readings.first() {
            Some(reading) if !nowhere.is_empty() => Err(match Self::parse_with(text, *reading) {
                Err(error) => error,
                Ok(_) => FilterError::UnknownAttribute { position: 1, cause: format!("`{}`", nowhere.join("`, `")) },
            }),
            _ => Ok(filters),
        }
    }

    /// Every attribute that the filter rests on, in its order; those inside a value filter by their full path
    /// (`emails.type`).
    pub fn attributes(&self) -> Vec<AttributeRef> {
        let mut all = Vec::new();
        self.collect_attributes(None, &mut all);
        all
    }

    fn collect_attributes(&self, outer: Option<&AttributeRef>, all: &mut Vec<AttributeRef>) {
        match self {
            Self::Compare { attribute, .. } | Self::Present(attribute) => {
                all.push(outer.map_or_else(|| attribute.clone(), |outer| outer.with_sub(attribute.leaf())));
            }
            Self::ValuePath { attribute, filter } => filter.collect_attributes(Some(attribute), all),
            Self::And(filters) | Self::Or(filters) => {
                filters.iter().for_each(|filter| filter.collect_attributes(outer, all));
            }
            Self::Not(filter) => filter.collect_attributes(outer, all),
        }
    }

    /// Whether it rests on an attribute kept in that way. [`eval::matches`] sees only what is kept inline.
    pub fn touches(&self, storage: Storage) -> bool {
        self.attributes().iter().any(|attribute| attribute.storage() == storage)
    }

    /// Attribute and id of a filter that asks for one member or one group and nothing else: `members.value eq "x"`,
    /// `members[value eq "x"]`, `groups.value eq "x"`.
    pub fn membership(&self) -> Option<(&AttributeRef, &str)> {
        let is_value = |attribute: &AttributeRef| attribute.leaf().name == "value";
        let (attribute, compared) = match self {
            Self::ValuePath { attribute, filter } => (attribute, &**filter),
            Self::Compare { attribute, .. } => (attribute, self),
            _ => return None,
        };
        match compared {
            Self::Compare { attribute: leaf, operator: Operator::Eq, value: Literal::Text(id) }
                if attribute.storage() != Storage::Inline && is_value(leaf) =>
            {
                Some((attribute, id))
            }
            _ => None,
        }
    }
}

/// A text that is no filter for the resource type. Positions count bytes from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    /// Longer than the limit.
    #[error("the filter has {length} bytes; the limit is {max}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// Nested deeper than the limit.
    #[error("at position {position} the filter is nested deeper than the limit of {max}")]
    TooDeep {
        /// Where.
        position: usize,
        /// The limit.
        max: usize,
    },
    /// More comparisons than the limit.
    #[error("the filter has more than the limit of {max} comparisons")]
    TooManyTerms {
        /// The limit.
        max: usize,
    },
    /// Something else should stand here.
    #[error("at position {position} the filter has {found} where {expected} should be")]
    Unexpected {
        /// Where.
        position: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A quote that does not end.
    #[error("the quote that opens at position {position} is not closed")]
    UnclosedQuote {
        /// Where it opens.
        position: usize,
    },
    /// A quoted text that is no JSON string.
    #[error("the text that opens at position {position} is not a JSON string")]
    InvalidString {
        /// Where it opens.
        position: usize,
    },
    /// The resource type, or the complex attribute, has no attribute of that name.
    #[error("at position {position}: {cause}")]
    UnknownAttribute {
        /// Where it stands.
        position: usize,
        /// What it would have to be one of.
        cause: String,
    },
    /// The name leads to something that cannot be compared.
    #[error("at position {position}: {cause}")]
    Attribute {
        /// Where it stands.
        position: usize,
        /// Why.
        cause: String,
    },
    /// The operator cannot be used on attributes of the type.
    #[error("`{attribute}` is {kind}, which cannot be compared by `{operator}`")]
    IncompatibleOperator {
        /// The attribute.
        attribute: String,
        /// Its type, with an article.
        kind: &'static str,
        /// The operator.
        operator: &'static str,
    },
    /// The value cannot be one of the attribute's.
    #[error("at position {position}: `{attribute}` is {kind} and cannot be compared with {found}")]
    IncompatibleValue {
        /// Where the value stands.
        position: usize,
        /// The attribute.
        attribute: String,
        /// Its type, with an article.
        kind: &'static str,
        /// The value as it was sent.
        found: String,
    },
}

impl FilterError {
    /// Whether nothing is wrong with the filter but that it names an attribute that is not there.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::UnknownAttribute { .. })
    }
}

impl From<FilterError> for ScimError {
    fn from(error: FilterError) -> Self {
        ScimError::invalid_filter(error.to_string())
    }
}

#[cfg(test)]
mod tests;
