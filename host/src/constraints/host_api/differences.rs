//! The differences of an operation, as far as a constraint may see them.
//!
//! Whether one is shown rests on the attribute that differs, never on its printed path: that has the client's values in
//! it, and what is too long to be parsed, or names a sub-attribute that is not granted, must not hide the change. Such a
//! path is told without its filter. Pure; start at [`shown_differences`].

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::document::visible;
use crate::change::{Action, Difference, PlannedChange};
use crate::constraints::canonical_json;
use crate::constraints::paths::{PathCache, PreparedPath};
use crate::scim::filter::{Filter, Literal, Operator, eval};
use crate::scim::index;
use crate::scim::path::{AttributeRef, Path};
use crate::scim::resource::Resource;
use crate::scim::schema::{Returned, Storage, Type};
use crate::scim::time;

/// One difference that may be shown. What is shown as it stands is not copied.
#[derive(Debug)]
pub(in crate::constraints) struct ShownDifference {
    /// Its place among the planned ones.
    place: usize,
    /// Its path, if it is not told as printed.
    path: Option<String>,
    /// Before and after, if not everything of them is granted.
    narrowed: Option<(Option<Value>, Option<Value>)>,
}

/// A difference as it is told: path, before, after.
pub(super) type Told<'d> = (Cow<'d, str>, Option<&'d Value>, Option<&'d Value>);

/// Every difference of which something is granted, but for those of members, which [`super::member_differences`] goes
/// through.
pub(super) fn shown_differences(planned: &PlannedChange, paths: &PathCache) -> Vec<ShownDifference> {
    let numbered = planned.differences().iter().enumerate();
    numbered.filter_map(|(place, difference)| show(place, difference, planned, paths)).collect()
}

/// What of a difference may be shown; `None` if nothing is granted.
pub(super) fn show(
    place: usize,
    difference: &Difference,
    planned: &PlannedChange,
    paths: &PathCache,
) -> Option<ShownDifference> {
    let (grants, attribute) = (paths.grants(), &difference.attribute);
    let whole = without_sub_attribute(attribute);
    let has_hidden = whole.attribute.sub_attributes.iter().any(|sub| sub.returned == Returned::Never);
    let all_granted = !has_hidden && grants.covers_attribute(&whole);
    let as_it_stands = all_granted || attribute.sub_attribute.is_some() && grants.covers_attribute(attribute);
    let narrowed = if as_it_stands {
        None
    } else {
        let part = |side: &Option<Value>| side.as_ref().and_then(|value| grants.project_difference(attribute, value));
        let (before, after) = (part(&difference.before), part(&difference.after));
        if before.is_none() && after.is_none() {
            return None;
        }
        Some((before, after))
    };
    let may_name = || {
        let printed = Path::parse(&difference.path, &planned.resource_type);
        all_granted || printed.is_ok_and(|path| grants.covers_value_filter(&path))
    };
    let as_printed = paths.fits(&difference.path) && may_name();
    Some(ShownDifference { place, path: (!as_printed).then(|| attribute.to_string()), narrowed })
}

impl ShownDifference {
    /// The planned difference.
    pub(super) fn of<'p>(&self, planned: &'p PlannedChange) -> Option<&'p Difference> {
        planned.differences().get(self.place)
    }

    /// The part of it that is at or under a path; `None` if nothing is.
    pub(super) fn told<'d>(
        &'d self,
        difference: &'d Difference,
        under: Option<&Selection<'_>>,
        paths: &PathCache,
    ) -> Option<Told<'d>> {
        let path = self.path.as_deref().unwrap_or(&difference.path);
        let (before, after) = self.narrowed.as_ref().map_or_else(
            || (difference.before.as_ref(), difference.after.as_ref()),
            |(before, after)| (before.as_ref(), after.as_ref()),
        );
        let Some(under) = under else {
            return Some((Cow::Borrowed(path), before, after));
        };
        match under.part_of(difference)? {
            Part::All => Some((Cow::Borrowed(path), before, after)),
            Part::Sub(sub) => {
                let (before, after) = (sub_value(before, sub), sub_value(after, sub));
                let full = format!("{path}.{sub}");
                let path = if paths.fits(&full) { full } else { format!("{}.{sub}", difference.attribute) };
                (before != after).then_some((Cow::Owned(path), before, after))
            }
        }
    }
}

/// What of a difference is at or under a path.
enum Part<'p> {
    All,
    /// The difference is above the path: its sub-attribute of this name.
    Sub(&'p str),
}

/// What a path picks of the differences of a change.
pub(super) struct Selection<'p> {
    path: &'p Path,
    /// The values that a filter is asked about, if the path has one.
    owners: HashMap<String, Owner<'p>>,
}

/// A value of a complex attribute before and after.
type Owner<'p> = (Option<Cow<'p, Value>>, Option<Cow<'p, Value>>);

impl<'p> Selection<'p> {
    pub(super) fn new(path: &'p PreparedPath, planned: &'p PlannedChange) -> Self {
        let path = &path.path;
        let filtered = path.attribute_ref().filter(|_| path.filter.is_some());
        let owners = filtered.map(|attribute| owners(planned, &without_sub_attribute(&attribute)));
        Self { path, owners: owners.unwrap_or_default() }
    }

    /// The path.
    pub(super) fn path(&self) -> &'p Path {
        self.path
    }

    /// Whether it picks whatever differs in its attribute.
    pub(super) fn is_unfiltered(&self) -> bool {
        self.path.filter.is_none()
    }

    fn part_of(&self, difference: &Difference) -> Option<Part<'p>> {
        let (asked, differing) = (self.path, &difference.attribute);
        let same_extension =
            asked.extension.as_ref().map(|schema| &schema.id) == differing.extension.as_ref().map(|schema| &schema.id);
        let same_attribute = asked.attribute.as_ref().is_none_or(|asked| asked.name == differing.attribute.name);
        if !same_extension || !same_attribute {
            return None;
        }
        if asked.filter.as_deref().is_some_and(|filter| !self.selects(filter, difference)) {
            return None;
        }
        match (&asked.sub_attribute, &differing.sub_attribute) {
            (None, _) => Some(Part::All),
            (Some(asked), Some(differing)) => (asked.name == differing.name).then_some(Part::All),
            (Some(asked), None) => Some(Part::Sub(&asked.name)),
        }
    }

    /// Whether the value that differs, or that something differs in, matches the filter before or after.
    fn selects(&self, filter: &Filter, difference: &Difference) -> bool {
        let holds = |value: Option<&Value>| {
            value.and_then(Value::as_object).is_some_and(|object| eval::matches_value(filter, object))
        };
        let Some(sub) = &difference.attribute.sub_attribute else {
            return holds(difference.before.as_ref()) || holds(difference.after.as_ref());
        };
        let of_value = difference.path.strip_suffix(&sub.name).and_then(|path| path.strip_suffix('.'));
        let owner = of_value.and_then(|path| self.owners.get(path));
        owner.is_some_and(|(before, after)| holds(before.as_deref()) || holds(after.as_deref()))
    }

    /// Whether this is a difference at or under the path.
    pub(super) fn differs(&self, difference: &Difference) -> bool {
        match self.part_of(difference) {
            None => false,
            Some(Part::All) => true,
            Some(Part::Sub(sub)) => {
                sub_value(difference.before.as_ref(), sub) != sub_value(difference.after.as_ref(), sub)
            }
        }
    }
}

/// Whether the path leads to something else after than before. With a filter this is more than whether one of the
/// differences is selected: an address that becomes the one of work changes which address is the one of work. Members
/// are not looked at.
pub(super) fn changes(path: &PreparedPath, planned: &PlannedChange) -> bool {
    let kept_apart = path.path.attribute_storage() != Storage::Inline;
    if path.path.filter.is_none() || kept_apart || planned.action == Action::Delete {
        let selection = Selection::new(path, planned);
        return planned.differences().iter().any(|difference| selection.differs(difference));
    }
    selected_texts(path, planned.before.as_ref()) != selected_texts(path, planned.after.as_ref())
}

/// The order of values is no difference.
fn selected_texts(path: &PreparedPath, resource: Option<&Resource>) -> Vec<String> {
    let selected = resource.map(|resource| path.path.select(resource)).unwrap_or_default();
    let mut texts: Vec<String> =
        selected.into_iter().map(|value| canonical_json::to_text(&visible(path, value))).collect();
    texts.sort();
    texts
}

/// The values of an attribute by the path that stands before the sub-attribute when something differs in them.
fn owners<'p>(planned: &'p PlannedChange, attribute: &AttributeRef) -> HashMap<String, Owner<'p>> {
    let of = |resource: &'p Option<Resource>| resource.as_ref().map(|resource| attribute.select(resource));
    let (before, after) = (of(&planned.before).unwrap_or_default(), of(&planned.after).unwrap_or_default());
    if !attribute.attribute.multi_valued {
        return HashMap::from([(attribute.to_string(), (before.into_iter().next(), after.into_iter().next()))]);
    }
    // A value is known by its `value`, and one that is not comes or goes as a whole: nothing differs in it.
    let Some(known_by) = attribute.attribute.sub_attribute("value") else {
        return HashMap::new();
    };
    let norm = |value: &Value| index::normalise_value(known_by, value.get(&known_by.name)?);
    let mut later: HashMap<String, Cow<'p, Value>> =
        after.into_iter().filter_map(|value| Some((norm(&value)?, value))).collect();
    let pair = |old: Cow<'p, Value>| {
        let value = old.get(&known_by.name)?;
        let literal = match value {
            Value::String(text) if known_by.kind == Type::DateTime => Literal::Time(time::parse(text)?),
            Value::String(text) => Literal::Text(text.clone()),
            Value::Bool(boolean) => Literal::Boolean(*boolean),
            Value::Number(number) => Literal::Number(number.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let filter = Filter::Compare { attribute: AttributeRef::of(known_by), operator: Operator::Eq, value: literal };
        let path = Path { filter: Some(Box::new(filter)), ..Path::from(attribute.clone()) };
        let new = later.remove(&norm(&old)?);
        Some((path.to_string(), (Some(old), new)))
    };
    before.into_iter().filter_map(pair).collect()
}

fn without_sub_attribute(attribute: &AttributeRef) -> AttributeRef {
    AttributeRef { sub_attribute: None, ..attribute.clone() }
}

fn sub_value<'v>(value: Option<&'v Value>, sub: &str) -> Option<&'v Value> {
    value.and_then(|value| value.get(sub))
}
