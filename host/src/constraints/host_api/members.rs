//! Attributes kept apart from their resource: the members of a group (rows) and the groups of a user (derived).
//!
//! They are loaded as far as a question needs them, put into a copy of the resource, and read there like any other
//! attribute. A question that names the members it is about (`members[value eq "…"]`) loads those and no others, so
//! that it costs the same in a group of a million. `display` and `$ref` are not part of what a constraint sees.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::document::Document;
use crate::change::{Action, MembersChange, Removed};
use crate::constraints::bindings::scruple::constraint::types;
use crate::constraints::directory::DirectoryError;
use crate::constraints::paths::PreparedPath;
use crate::constraints::state::{DocumentHandle, GuestState, ReadFailure};
use crate::decision::reads::{LookUp, LookUpAnswer};
use crate::scim::filter::{Filter, Literal, Operator};
use crate::scim::resource::{Attributes, Member, Resource, ResourceId};
use crate::scim::schema::Storage;

impl GuestState {
    /// The resource with everything in it that the path leads to.
    pub(super) async fn load<'a>(
        &mut self,
        document: &'a Document,
        path: &PreparedPath,
    ) -> Result<Cow<'a, Resource>, ReadFailure> {
        let resource = document.resource()?;
        let Some(attribute) = path.path.attribute.as_ref().filter(|found| found.storage != Storage::Inline) else {
            return Ok(Cow::Borrowed(resource));
        };
        let values = match attribute.storage {
            Storage::Derived => self.groups(document).await?,
            Storage::Rows | Storage::Inline | Storage::Absent => {
                let named = path.path.filter.as_deref().and_then(named_in_values);
                self.members(document, named).await?
            }
        };
        let attributes = Attributes::from_iter([(attribute.name.clone(), Value::Array(values))]);
        Ok(Cow::Owned(Resource { attributes, ..without_attributes(resource) }))
    }

    /// The resource with everything in it that the filter compares.
    pub(super) async fn load_for_filter<'a>(
        &mut self,
        document: &'a Document,
        filter: &Filter,
    ) -> Result<Cow<'a, Resource>, ReadFailure> {
        let resource = document.resource()?;
        let compared = filter.attributes();
        let apart: BTreeSet<(&str, bool)> = compared
            .iter()
            .filter(|compared| compared.storage() != Storage::Inline)
            .map(|compared| (compared.attribute.name.as_str(), compared.storage() == Storage::Derived))
            .collect();
        if apart.is_empty() {
            return Ok(Cow::Borrowed(resource));
        }
        let mut loaded = resource.clone();
        for (name, derived) in apart {
            let values = if derived {
                self.groups(document).await?
            } else {
                let mut named = Vec::new();
                let all_named = named_in_document(filter, &mut named);
                self.members(document, all_named.then_some(named)).await?
            };
            if !values.is_empty() {
                loaded.attributes.insert(name.to_owned(), Value::Array(values));
            }
        }
        Ok(Cow::Owned(loaded))
    }

    /// Whether a group has any member.
    pub(super) async fn has_members(&mut self, document: &Document) -> Result<bool, ReadFailure> {
        let change = change_of(document);
        if change.is_some_and(|change| !change.added.is_empty()) {
            return Ok(true);
        }
        let removed = match change.map(|change| &change.removed) {
            Some(Removed::Many(departure)) => return Ok(departure.kept > 0),
            Some(Removed::These(removed)) => removed.as_slice(),
            None => &[],
        };
        // One more than go, so that one is left if any is.
        let stored = self.stored_members(document, removed.len().saturating_add(1)).await?;
        // A group that is emptied has as many of the one as of the other; `removed` is sorted by id.
        Ok(stored.iter().any(|member| removed.binary_search_by_key(&member.id, |gone| gone.id).is_err()))
    }

    /// Members of a group in the document's state: those named, or all, as far as they may be loaded.
    async fn members(&mut self, document: &Document, named: Option<Vec<&str>>) -> Result<Vec<Value>, ReadFailure> {
        let most = self.limits.members_read_max;
        let change = change_of(document);
        let added = change.map_or(&[][..], |change| &change.added);
        let mut members = match (named, change.map(|change| &change.removed)) {
            (Some(named), removed) => {
                let ids: Vec<ResourceId> = named.iter().filter_map(|id| id.parse().ok()).collect();
                let mut members = self.stored_members_among(document, &ids).await?;
                members.retain(|member| !removed.is_some_and(|removed| removed.has(member)));
                members.extend(added.iter().filter(|member| ids.contains(&member.id)).cloned());
                members
            }
            (None, _) if added.len() > most => return Err(too_many(most)),
            (None, Some(Removed::Many(departure))) => {
                let kept = departure.kept_members.as_ref().filter(|kept| kept.len() <= most);
                let kept = kept.ok_or_else(|| too_many(most))?;
                kept.iter().chain(added).cloned().collect()
            }
            (None, removed) => {
                let going = removed.map_or(0, |removed| usize::try_from(removed.count()).unwrap_or(usize::MAX));
                let limit = most.saturating_add(going).saturating_add(1);
                let mut members = self.stored_members(document, limit).await?;
                members.retain(|member| !removed.is_some_and(|removed| removed.has(member)));
                members.extend_from_slice(added);
                members
            }
        };
        members.sort();
        members.dedup();
        if members.len() > most {
            return Err(too_many(most));
        }
        Ok(members.into_iter().map(|member| Value::Object(member.to_object())).collect())
    }

    async fn stored_members(&mut self, document: &Document, limit: usize) -> Result<Vec<Member>, ReadFailure> {
        if is_new(document) {
            return Ok(Vec::new());
        }
        let group = document.resource()?.id;
        self.count_look_up()?;
        let directory = self.subject()?.directory.clone();
        self.answered(directory.members(group, None, limit)).await
    }

    async fn stored_members_among(
        &mut self,
        document: &Document,
        ids: &[ResourceId],
    ) -> Result<Vec<Member>, ReadFailure> {
        if is_new(document) || ids.is_empty() {
            return Ok(Vec::new());
        }
        self.members_among(document.resource()?.id, ids).await
    }

    /// Which of these are members of a group before the operation.
    pub(super) async fn members_among(
        &mut self,
        group: ResourceId,
        ids: &[ResourceId],
    ) -> Result<Vec<Member>, ReadFailure> {
        self.count_look_up()?;
        let directory = self.subject()?.directory.clone();
        self.answered(directory.members_among(group, ids)).await
    }

    /// The groups of a user. They change without the user changing, so they are a look-up of their own.
    async fn groups(&mut self, document: &Document) -> Result<Vec<Value>, ReadFailure> {
        if is_new(document) {
            return Ok(Vec::new());
        }
        let id = document.resource()?.id;
        self.count_look_up()?;
        let directory = self.subject()?.directory.clone();
        let mut groups = self.answered(directory.groups_of(id)).await?;
        groups.sort();
        let values = groups.iter().map(|group| json!({ "value": group.to_string(), "type": "direct" })).collect();
        self.record_look_up(LookUp::GroupsOf { id }, LookUpAnswer::Groups(groups))?;
        Ok(values)
    }

    /// Waits for the directory, as long as a look-up may take.
    pub(super) async fn answered<T>(
        &mut self,
        question: impl Future<Output = Result<T, DirectoryError>>,
    ) -> Result<T, ReadFailure> {
        let patience = Duration::from_millis(self.limits.look_up_wait_ms);
        let answer = tokio::time::timeout(patience, question);
        let error = match self.own_time.waiting(answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error @ DirectoryError::TooMany { .. })) => types::ReadError::BudgetExhausted(error.to_string()),
            Ok(Err(error @ DirectoryError::Unavailable)) => types::ReadError::Unavailable(error.to_string()),
            Err(_elapsed) => types::ReadError::Unavailable("the directory took too long".to_owned()),
        };
        Err(error.into())
    }
}

fn without_attributes(resource: &Resource) -> Resource {
    Resource {
        resource_type: resource.resource_type.clone(),
        id: resource.id,
        attributes: Attributes::new(),
        meta: resource.meta,
    }
}

/// What the change does to the members that are stored; nothing to those of any document but the state after.
fn change_of(document: &Document) -> Option<&MembersChange> {
    matches!(document.handle(), DocumentHandle::After).then(|| &document.operation().planned.members)
}

/// Whether nothing of the resource is stored yet.
fn is_new(document: &Document) -> bool {
    matches!(document.handle(), DocumentHandle::After) && document.operation().planned.action == Action::Create
}

fn too_many(most: usize) -> ReadFailure {
    let message = format!("the group has more than {most} members; ask for those that matter by `value`");
    types::ReadError::BudgetExhausted(message).into()
}

/// The ids outside of which no value can match, for the filter of `members[…]`; `None` if it does not say.
pub(super) fn named_in_values(filter: &Filter) -> Option<Vec<&str>> {
    match filter {
        Filter::Compare { attribute, operator: Operator::Eq, value: Literal::Text(id) } => {
            (attribute.attribute.name == "value").then(|| vec![id.as_str()])
        }
        Filter::And(filters) => filters.iter().find_map(named_in_values),
        Filter::Or(filters) => filters.iter().map(named_in_values).collect::<Option<Vec<_>>>().map(|ids| ids.concat()),
        Filter::Compare { .. } | Filter::Present(_) | Filter::ValuePath { .. } | Filter::Not(_) => None,
    }
}

/// Collects the ids on whose membership alone the filter rests; `false` if it rests on more.
fn named_in_document<'a>(filter: &'a Filter, named: &mut Vec<&'a str>) -> bool {
    match filter {
        Filter::Compare { attribute, operator, value } if attribute.storage() == Storage::Rows => {
            let of_value = attribute.sub_attribute.as_ref().is_none_or(|sub| sub.name == "value");
            match (operator, value) {
                (Operator::Eq, Literal::Text(id)) if of_value => {
                    named.push(id);
                    true
                }
                _ => false,
            }
        }
        Filter::Present(attribute) => attribute.storage() != Storage::Rows,
        Filter::ValuePath { attribute, filter } if attribute.storage() == Storage::Rows => {
            named_in_values(filter).map(|ids| named.extend(ids)).is_some()
        }
        Filter::Compare { .. } | Filter::ValuePath { .. } => true,
        Filter::And(filters) | Filter::Or(filters) => filters.iter().all(|filter| named_in_document(filter, named)),
        Filter::Not(filter) => named_in_document(filter, named),
    }
}
