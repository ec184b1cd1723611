//! `scim.operation`: what is being done, by whom, and what differs.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value;
use wasmtime::component;

use super::differences::{Selection, Told, changes, show, shown_differences};
use crate::change::Difference;
use crate::constraints::bindings::scruple::constraint::{scim, types};
use crate::constraints::convert::{action_to_wit, value_bytes, value_to_wit};
use crate::constraints::recorder::{Of, Question};
use crate::constraints::sandbox::Operation;
use crate::constraints::state::{DocumentHandle, GuestState, OperationHandle, ReadFailure};
use crate::decision::reads::Read;

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

    async fn differences(
        &mut self,
        operation: component::Resource<OperationHandle>,
        under: Option<String>,
    ) -> Result<Vec<types::Difference>, ReadFailure> {
        let operation = self.operation(&operation)?;
        let answer = self.show_differences(&operation, under.as_deref()).await;
        answer.map_err(|failure| self.refuse(under.as_deref().unwrap_or_default(), failure))
    }

    async fn changes(
        &mut self,
        operation: component::Resource<OperationHandle>,
        path: String,
    ) -> Result<bool, ReadFailure> {
        let operation = self.operation(&operation)?;
        let answer = self.any_difference(&operation, &path).await;
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

    async fn show_differences(
        &mut self,
        operation: &Operation,
        under: Option<&str>,
    ) -> Result<Vec<types::Difference>, ReadFailure> {
        let planned = &operation.planned;
        let paths = Arc::clone(&self.subject()?.paths);
        let asked = under.unwrap_or_default();
        let under = under.map(|under| paths.path(&planned.resource_type, under)).transpose()?;
        self.check_read_bytes()?;
        let canonical = under.as_ref().map_or_else(|| Arc::from(""), |under| Arc::clone(&under.canonical));
        let is_new = self.take_question(Of::Operation, Question::Differences, &canonical)?;
        if let Some(told) = self.recorded(asked, |record| record.differences(&canonical))? {
            return self.tell_again(told, is_new.then_some(canonical));
        }
        let selection = under.as_deref().map(|under| Selection::new(under, planned));
        let shown = Arc::clone(self.shown.get_or_insert_with(|| shown_differences(planned, &paths).into()));
        let mut answer = Answer { differences: Vec::new(), recorded: is_new.then(Vec::new) };
        for shown in shown.iter() {
            let Some(difference) = shown.of(planned) else { continue };
            let Some(told) = shown.told(difference, selection.as_ref(), &paths) else { continue };
            // Each by itself, so that what is beyond the budget is not copied first.
            answer.add(self, told)?;
        }
        // Differences of members are as long as each other: what the first one comes to says whether all have room.
        let mut still_to_come =
            selection.as_ref().is_none_or(Selection::is_unfiltered).then(|| planned.members.count());
        let tell = |state: &mut Self, difference: Difference| {
            let shown = show(0, &difference, planned, &paths);
            if let Some(told) = shown.as_ref().and_then(|shown| shown.told(&difference, selection.as_ref(), &paths)) {
                if let Some(count) = still_to_come.take() {
                    let all = difference_bytes(&difference_to_wit(&told)).saturating_mul(count);
                    state.check_room(all)?;
                }
                answer.add(state, told)?;
            }
            Ok(ControlFlow::Continue(()))
        };
        self.each_member_difference(operation, selection.as_ref(), tell).await?;
        let Answer { mut differences, recorded } = answer;
        if !planned.members.is_empty() {
            differences.sort_by(|left, right| left.path.cmp(&right.path));
        }
        if let Some(mut recorded) = recorded {
            if !planned.members.is_empty() {
                recorded.sort_by(|(left, ..), (right, ..)| left.cmp(right));
            }
            self.recorder.push(Read::Differences { under: canonical.to_string(), answer: recorded });
        }
        Ok(differences)
    }

    /// Differences as a record has them: they were put together, and in their order, when they were recorded.
    fn tell_again(
        &mut self,
        told: Vec<Recorded>,
        under: Option<Arc<str>>,
    ) -> Result<Vec<types::Difference>, ReadFailure> {
        let mut answer = Answer { differences: Vec::new(), recorded: under.is_some().then(Vec::new) };
        for (path, before, after) in &told {
            answer.add(self, (Cow::Borrowed(path), before.as_ref(), after.as_ref()))?;
        }
        if let (Some(under), Some(recorded)) = (under, answer.recorded) {
            self.recorder.push(Read::Differences { under: under.to_string(), answer: recorded });
        }
        Ok(answer.differences)
    }

    async fn any_difference(&mut self, operation: &Operation, path: &str) -> Result<bool, ReadFailure> {
        let planned = &operation.planned;
        let asked = path;
        let path = self.subject()?.paths.path(&planned.resource_type, asked)?;
        self.check_read_bytes()?;
        let answer = match self.recorded(asked, |record| record.changes(&path.canonical))? {
            Some(answer) => answer,
            None => {
                let selection = Selection::new(&path, planned);
                changes(&path, planned) || self.any_member_differs(operation, &selection).await?
            }
        };
        if self.take_question(Of::Operation, Question::Changes, &path.canonical)? {
            self.recorder.push(Read::Changes { path: path.canonical.to_string(), answer });
        }
        Ok(answer)
    }
}

/// Differences as the guest is told them and, if the question is a new one, as they are recorded.
struct Answer {
    differences: Vec<types::Difference>,
    recorded: Option<Vec<Recorded>>,
}

/// Path, before, after.
type Recorded = (String, Option<Value>, Option<Value>);

impl Answer {
    fn add(&mut self, state: &mut GuestState, told: Told<'_>) -> Result<(), ReadFailure> {
        let difference = difference_to_wit(&told);
        state.take_read_bytes(difference_bytes(&difference))?;
        self.differences.push(difference);
        if let Some(recorded) = &mut self.recorded {
            let (path, before, after) = told;
            recorded.push((path.into_owned(), before.cloned(), after.cloned()));
        }
        Ok(())
    }
}

fn difference_to_wit((path, before, after): &Told<'_>) -> types::Difference {
    types::Difference { path: path.to_string(), before: before.map(value_to_wit), after: after.map(value_to_wit) }
}

fn difference_bytes(difference: &types::Difference) -> usize {
    let values = [&difference.before, &difference.after];
    difference.path.len() + values.into_iter().flatten().map(value_bytes).sum::<usize>()
}
