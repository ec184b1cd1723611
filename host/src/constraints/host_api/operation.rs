//! `scim.operation`: what is being done, by whom, and what differs.

use std::sync::Arc;

use serde_json::Value;
use wasmtime::component;

use crate::change::{Difference, PlannedChange};
use crate::constraints::bindings::scruple::constraint::{scim, types};
use crate::constraints::convert::{action_to_wit, value_bytes, value_to_wit};
use crate::constraints::grants::Grants;
use crate::constraints::paths::PreparedPath;
use crate::constraints::recorder::{Of, Question};
use crate::constraints::sandbox::Operation;
use crate::constraints::state::{DocumentHandle, GuestState, OperationHandle, ReadFailure};
use crate::decision::reads::Read;
use crate::scim::path::Path;

/// A difference as it is shown: path, before, after.
type Shown = (String, Option<Value>, Option<Value>);

impl scim::HostOperation for GuestState {
    fn decision_id(&mut self, operation: component::Resource<OperationHandle>) -> wasmtime::Result<String> {
        Ok(self.operation(&operation)?.decision.to_string())
    }

    fn action(&mut self, operation: component::Resource<OperationHandle>) -> wasmtime::Result<types::Action> {
        Ok(action_to_wit(self.operation(&operation)?.planned.action))
    }

    fn resource_type(&mut self, operation: component::Resource<OperationHandle>) -> wasmtime::Result<String> {
        Ok(self.operation(&operation)?.planned.resource_type.name.clone())
    }

    fn actor(&mut self, operation: component::Resource<OperationHandle>) -> wasmtime::Result<types::Actor> {
        let operation = self.operation(&operation)?;
        Ok(types::Actor { subject: operation.actor.subject.clone(), scopes: operation.actor.scopes.clone() })
    }

    fn time(&mut self, operation: component::Resource<OperationHandle>) -> wasmtime::Result<u64> {
        // Before 1970 there are no requests.
        Ok(u64::try_from(self.operation(&operation)?.at.as_millisecond()).unwrap_or(0))
    }

    fn before(
        &mut self,
        operation: component::Resource<OperationHandle>,
    ) -> wasmtime::Result<Option<component::Resource<DocumentHandle>>> {
        let exists = self.operation(&operation)?.planned.before.is_some();
        exists.then(|| Ok(self.table.push(DocumentHandle::Before)?)).transpose()
    }

    fn after(
        &mut self,
        operation: component::Resource<OperationHandle>,
    ) -> wasmtime::Result<Option<component::Resource<DocumentHandle>>> {
        let exists = self.operation(&operation)?.planned.after.is_some();
        exists.then(|| Ok(self.table.push(DocumentHandle::After)?)).transpose()
    }

    fn differences(
        &mut self,
        operation: component::Resource<OperationHandle>,
        under: Option<String>,
    ) -> Result<Vec<types::Difference>, ReadFailure> {
        let operation = self.operation(&operation)?;
        let answer = self.show_differences(&operation, under.as_deref());
        answer.map_err(|failure| self.refuse(under.as_deref().unwrap_or_default(), failure))
    }

    fn changes(&mut self, operation: component::Resource<OperationHandle>, path: String) -> Result<bool, ReadFailure> {
        let operation = self.operation(&operation)?;
        let answer = self.any_difference(&operation, &path);
        answer.map_err(|failure| self.refuse(&path, failure))
    }

    fn drop(&mut self, operation: component::Resource<OperationHandle>) -> wasmtime::Result<()> {
        self.table.delete(operation)?;
        Ok(())
    }
}

impl GuestState {
    /// The operation, at the price of one call.
    fn operation(&mut self, operation: &component::Resource<OperationHandle>) -> wasmtime::Result<Arc<Operation>> {
        self.count_call()?;
        self.table.get(operation)?;
        Ok(Arc::clone(&self.subject()?.operation))
    }

    fn show_differences(
        &mut self,
        operation: &Operation,
        under: Option<&str>,
    ) -> Result<Vec<types::Difference>, ReadFailure> {
        let planned = &operation.planned;
        let paths = Arc::clone(&self.subject()?.paths);
        let under = under.map(|under| paths.path(&planned.resource_type, under)).transpose()?;
        let shown: Vec<Shown> = planned
            .differences
            .iter()
            .filter_map(|difference| narrowed(difference, under.as_deref()))
            .filter(|(path, ..)| may_be_shown(path, planned, paths.grants()))
            .collect();
        let answer: Vec<types::Difference> = shown.iter().map(difference_to_wit).collect();
        self.take_read_bytes(answer.iter().map(difference_bytes).sum())?;
        let under = under.map_or_else(|| Arc::from(""), |under| Arc::clone(&under.canonical));
        if self.take_question(Of::Operation, Question::Differences, &under)? {
            self.recorder.push(Read::Differences { under: under.to_string(), answer: shown });
        }
        Ok(answer)
    }

    fn any_difference(&mut self, operation: &Operation, path: &str) -> Result<bool, ReadFailure> {
        let planned = &operation.planned;
        let path = self.subject()?.paths.path(&planned.resource_type, path)?;
        let answer = planned.differences.iter().any(|difference| narrowed(difference, Some(&path)).is_some());
        if self.take_question(Of::Operation, Question::Changes, &path.canonical)? {
            self.recorder.push(Read::Changes { path: path.canonical.to_string(), answer });
        }
        Ok(answer)
    }
}

/// The difference as far as it is at or under a path; `None` if it is not. Of one above the path (a whole value of
/// `emails` was added, asked for is `emails.type`), the part that the path leads to.
fn narrowed(difference: &Difference, under: Option<&PreparedPath>) -> Option<Shown> {
    let whole = || (difference.path.clone(), difference.before.clone(), difference.after.clone());
    let Some(under) = under else {
        return Some(whole());
    };
    let asked = &under.path;
    let differing = &difference.attribute;
    let same_extension =
        asked.extension.as_ref().map(|schema| &schema.id) == differing.extension.as_ref().map(|schema| &schema.id);
    let same_attribute = asked.attribute.as_ref().is_none_or(|asked| asked.name == differing.attribute.name);
    if !same_extension || !same_attribute {
        return None;
    }
    // A value filter picks the differences of the values that it selects, by their canonical spelling.
    if asked.filter.is_some() && !difference.path.starts_with(without_sub_attribute(under)) {
        return None;
    }
    match (&asked.sub_attribute, &differing.sub_attribute) {
        (None, _) => Some(whole()),
        (Some(asked), Some(differing)) => (asked.name == differing.name).then(whole),
        (Some(asked), None) => {
            let part = |value: &Option<Value>| value.as_ref().and_then(|value| value.get(&asked.name)).cloned();
            let (before, after) = (part(&difference.before), part(&difference.after));
            (before != after).then(|| (format!("{}.{}", difference.path, asked.name), before, after))
        }
    }
}

/// `emails[type eq "work"].value` → `emails[type eq "work"]`.
fn without_sub_attribute(path: &PreparedPath) -> &str {
    let end = path.path.sub_attribute.as_ref().map_or(0, |sub| sub.name.len() + 1);
    path.canonical.get(..path.canonical.len().saturating_sub(end)).unwrap_or_default()
}

/// Whether everything that the path tells is granted: the path of one value names that value.
fn may_be_shown(path: &str, planned: &PlannedChange, grants: &Grants) -> bool {
    Path::parse(path, &planned.resource_type).is_ok_and(|path| grants.covers(&path))
}

fn difference_to_wit((path, before, after): &Shown) -> types::Difference {
    types::Difference {
        path: path.clone(),
        before: before.as_ref().map(value_to_wit),
        after: after.as_ref().map(value_to_wit),
    }
}

fn difference_bytes(difference: &types::Difference) -> usize {
    let values = [&difference.before, &difference.after];
    difference.path.len() + values.into_iter().flatten().map(value_bytes).sum::<usize>()
}
