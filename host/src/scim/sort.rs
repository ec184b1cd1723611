//! The order of a list (RFC 7644 §3.4.2.3).
//!
//! Start at [`SortBy::parse`], then [`SortBy::sort`], or [`SortBy::key`] where the resources themselves are not at hand at
//! once.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scim::error::ScimError;
use crate::scim::filter::parser::absent;
use crate::scim::index;
use crate::scim::path::AttributeRef;
use crate::scim::path::parse::excerpt;
use crate::scim::reading::Reading;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::{Storage, Type, Uniqueness};
use crate::scim::secret::is_secret;
use crate::scim::time;
use crate::scim::validate::is_primary;

/// By which attribute, and which way.
#[derive(Clone, Debug, PartialEq)]
pub struct SortBy {
    attribute: AttributeRef,
    descending: bool,
}

/// Where a resource stands. Keys of one [`SortBy`] are compared, never those of two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SortKey(Order, ResourceId);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Order {
    Ascending(Rank),
    Descending(Reverse<Rank>),
}

/// A value as it is compared. What is of one attribute is of one kind, so the order of the kinds says only that no value
/// comes last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Rank {
    Boolean(bool),
    Number(Number),
    /// Seconds, and nanoseconds of the same sign.
    Time(i64, i32),
    Text(String),
    Nothing,
}

/// Totally ordered: there is no number in JSON that is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Number(serde_json::Number);

/// Characters of a text that count for the order. A key travels in a cursor, which travels in a URL, and most servers
/// on the way take no URL longer than 8 KiB; people see no order beyond so many.
const TEXT_CHARACTERS_MAX: usize = 256;

impl SortKey {
    /// The text that it is by, if it is by one and if all of it counts.
    pub fn whole_text(&self) -> Option<&str> {
        match &self.0 {
            Order::Ascending(Rank::Text(text)) | Order::Descending(Reverse(Rank::Text(text))) => {
                (text.chars().count() < TEXT_CHARACTERS_MAX).then_some(text)
            }
            _ => None,
        }
    }

    /// Which resource it is.
    pub fn id(&self) -> ResourceId {
        self.1
    }
}

impl SortBy {
    /// Reads `sortBy` and `sortOrder`; without `sortBy` there is no order, and `sortOrder` says nothing.
    ///
    /// The RFC does not say what to do with an attribute that the type does not have, or that cannot be sorted by. A client
    /// that asked for an order would take any other for it, so it is told (400 `invalidValue`); a lenient reader passes
    /// over what is not known.
    pub fn parse(
        sort_by: Option<&str>,
        sort_order: Option<&str>,
        reading: Reading<'_>,
    ) -> Result<Option<Self>, ScimError> {
        let Some(name) = sort_by.map(str::trim).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let descending = is_descending(sort_order)?;
        let attribute = match AttributeRef::parse(name, reading.resource_type) {
            Ok(attribute) => attribute,
            Err(error) if reading.is_lenient() && error.is_unknown() => return Ok(None),
            Err(error) => return Err(ScimError::invalid_value(format!("`sortBy`: {error}"))),
        };
        let attribute = sortable(attribute)?;
        Ok(Some(Self { attribute, descending }))
    }

    /// The same for resources of several types, one for each (RFC 7644 §3.4.2.1): those of a type that does not have the
    /// attribute stand where those stand that have no value of it. One that no type has is an error as it is elsewhere.
    pub fn parse_among(
        sort_by: Option<&str>,
        sort_order: Option<&str>,
        readings: &[Reading<'_>],
    ) -> Result<Vec<Option<Self>>, ScimError> {
        let Some(name) = sort_by.map(str::trim).filter(|name| !name.is_empty()) else {
            return Ok(vec![None; readings.len()]);
        };
        let found = |reading: &Reading<'_>| AttributeRef::parse(name, reading.resource_type);
        if readings.iter().all(|reading| found(reading).is_err()) {
            return readings.iter().map(|reading| Self::parse(sort_by, sort_order, *reading)).collect();
        }
        let descending = is_descending(sort_order)?;
        let sorts = readings.iter().map(|reading| {
            let attribute = match found(reading) {
                Err(error) if error.is_unknown() => absent(name),
                _ => return Self::parse(sort_by, sort_order, *reading),
            };
            Ok(Some(Self { attribute, descending }))
        });
        sorts.collect()
    }

    /// The attribute, and whether the order is descending, if an index of unique texts has every resource in this order:
    /// each has a value, and no two have the same.
    pub fn by_unique_text(&self) -> Option<(&AttributeRef, bool)> {
        let Self { attribute, descending } = self;
        let AttributeRef { attribute: whole, sub_attribute, .. } = attribute;
        let fits = sub_attribute.is_none()
            && whole.kind == Type::String
            && whole.required
            && !whole.multi_valued
            && whole.uniqueness != Uniqueness::None
            && index::is_indexed(attribute);
        fits.then_some((attribute, *descending))
    }

    /// Where the resource stands. Those of which nothing tells are in the order of their ids, which is that in which they
    /// were made.
    pub fn key(&self, resource: &Resource) -> SortKey {
        let rank = self.rank(resource);
        let order = if self.descending { Order::Descending(Reverse(rank)) } else { Order::Ascending(rank) };
        SortKey(order, resource.id)
    }

    /// Puts the resources in order.
    pub fn sort(&self, resources: &mut [Resource]) {
        resources.sort_by_cached_key(|resource| self.key(resource));
    }

    /// "if it's a multi-valued attribute, resources are sorted by the value of the primary attribute …, if any, or else the
    /// first value in the list, if any". One without a value is "ordered last if ascending and first if descending".
    fn rank(&self, resource: &Resource) -> Rank {
        let whole = AttributeRef { sub_attribute: None, ..self.attribute.clone() };
        let mut values = Vec::new();
        whole.any(resource, &mut |value| {
            values.push(value.clone());
            false
        });
        let chosen = values.iter().find(|value| is_primary(value)).or(values.first());
        let value = match (&self.attribute.sub_attribute, chosen) {
            (Some(sub), Some(value)) => value.get(&sub.name),
            (_, chosen) => chosen,
        };
        value.map_or(Rank::Nothing, |value| self.rank_of(value))
    }

    /// "for case-insensitive attributes, sort the result using case-insensitive Unicode alphabetic sort order with no
    /// specific locale implied": texts are compared by code point, folded where case does not count.
    fn rank_of(&self, value: &Value) -> Rank {
        let leaf = self.attribute.leaf();
        match (leaf.kind, value) {
            (Type::DateTime, Value::String(text)) => {
                time::parse(text).map_or(Rank::Nothing, |time| Rank::Time(time.as_second(), time.subsec_nanosecond()))
            }
            (_, Value::String(text)) => {
                let folded = if leaf.folds_case() { index::fold(text) } else { Cow::Borrowed(text.as_str()) };
                Rank::Text(folded.chars().take(TEXT_CHARACTERS_MAX).collect())
            }
            (_, Value::Bool(boolean)) => Rank::Boolean(*boolean),
            (_, Value::Number(number)) => Rank::Number(Number(number.clone())),
            _ => Rank::Nothing,
        }
    }
}

fn is_descending(sort_order: Option<&str>) -> Result<bool, ScimError> {
    match sort_order.map(str::trim).filter(|order| !order.is_empty()) {
        // "If a value for "sortBy" is provided and no "sortOrder" is specified, "sortOrder" SHALL default to
        // ascending."
        None => Ok(false),
        Some(order) if order.eq_ignore_ascii_case("ascending") => Ok(false),
        Some(order) if order.eq_ignore_ascii_case("descending") => Ok(true),
        Some(order) => {
            let found = excerpt(order);
            Err(ScimError::invalid_value(format!("`sortOrder` must be ascending or descending, not `{found}`")))
        }
    }
}

/// "If the attribute is complex, the attribute name must be a path to a sub-attribute"; where there is a `value`, it is
/// that one which a client means by the attribute alone, as in filters.
fn sortable(attribute: AttributeRef) -> Result<AttributeRef, ScimError> {
    let refused = |why: &str| Err(ScimError::invalid_value(format!("`{attribute}` cannot be sorted by: {why}")));
    if attribute.storage() != Storage::Inline {
        return refused("its values are kept apart from the resource");
    }
    if is_secret(&attribute.attribute) || is_secret(attribute.leaf()) {
        return refused("it is never returned");
    }
    if attribute.leaf().kind != Type::Complex {
        return Ok(attribute);
    }
    match attribute.attribute.sub_attribute("value").cloned().filter(|value| !is_secret(value)) {
        Some(value) => Ok(attribute.with_sub(&value)),
        None => refused("it is complex, so name one of its sub-attributes"),
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        // As floats, large whole numbers would be equal that are not.
        self.float().total_cmp(&other.float()).then_with(|| self.whole().cmp(&other.whole()))
    }
}

impl Number {
    fn float(&self) -> f64 {
        self.0.as_f64().unwrap_or_default()
    }

    /// `None` unless it was written as a whole number.
    fn whole(&self) -> Option<i128> {
        self.0.as_i128()
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

#[cfg(test)]
mod tests;
