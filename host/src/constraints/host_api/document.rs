//! `scim.document`: lazy reads of one resource in one state.
//!
//! Most attributes are in the resource and are answered at once. Those kept apart (members of a group, groups of a
//! user) are loaded as far as the question needs them ([`super::members`]) and then read by the same code.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use wasmtime::component;

use crate::constraints::bindings::scruple::constraint::{scim, types};
use crate::constraints::canonical_json;
use crate::constraints::convert::{value_bytes, value_to_wit};
use crate::constraints::paths::{PathCache, PreparedPath};
use crate::constraints::recorder::{Of, Question};
use crate::constraints::sandbox::Operation;
use crate::constraints::state::{DocumentHandle, GuestState, ReadFailure};
use crate::decision::reads::{DocumentAnswer, DocumentRef};
use crate::scim::filter::eval;
use crate::scim::resource::Resource;
use crate::scim::schema::{ResourceType, Storage};

/// A document apart from the table of handles, so that it can be read while the state is being changed.
pub(super) struct Document {
    operation: Arc<Operation>,
    handle: DocumentHandle,
}

impl Document {
    /// The resource. A guest is given a handle only to a state that exists.
    pub(super) fn resource(&self) -> wasmtime::Result<&Resource> {
        let planned = &self.operation.planned;
        let resource = match &self.handle {
            DocumentHandle::Before => planned.before.as_ref(),
            DocumentHandle::After => planned.after.as_ref(),
            DocumentHandle::LookedUp(resource) => Some(&**resource),
        };
        resource.ok_or_else(|| wasmtime::Error::msg("there is no such state"))
    }

    pub(super) fn handle(&self) -> &DocumentHandle {
        &self.handle
    }

    pub(super) fn operation(&self) -> &Operation {
        &self.operation
    }

    fn resource_type(&self) -> &Arc<ResourceType> {
        match &self.handle {
            DocumentHandle::Before | DocumentHandle::After => &self.operation.planned.resource_type,
            DocumentHandle::LookedUp(resource) => &resource.resource_type,
        }
    }

    fn of(&self) -> Of {
        match &self.handle {
            DocumentHandle::Before => Of::Before,
            DocumentHandle::After => Of::After,
            DocumentHandle::LookedUp(resource) => Of::LookedUp(resource.id),
        }
    }

    fn reference(&self) -> DocumentRef {
        match &self.handle {
            DocumentHandle::Before => DocumentRef::Before,
            DocumentHandle::After => DocumentRef::After,
            DocumentHandle::LookedUp(resource) => {
                DocumentRef::LookedUp { resource_type: resource.resource_type.name.clone(), id: resource.id }
            }
        }
    }
}

impl scim::HostDocument for GuestState {
    fn id(&mut self, document: component::Resource<DocumentHandle>) -> wasmtime::Result<Option<String>> {
        self.count_call()?;
        Ok(Some(self.document(&document)?.resource()?.id.to_string()))
    }

    fn resource_type(&mut self, document: component::Resource<DocumentHandle>) -> wasmtime::Result<String> {
        self.count_call()?;
        Ok(self.document(&document)?.resource_type().name.clone())
    }

    async fn read(
        &mut self,
        document: component::Resource<DocumentHandle>,
        path: String,
    ) -> Result<Option<types::Value>, ReadFailure> {
        self.count_call()?;
        let document = self.document(&document)?;
        let answer = self.read_first(&document, &path).await;
        answer.map_err(|failure| self.refuse(&path, failure))
    }

    async fn read_all(
        &mut self,
        document: component::Resource<DocumentHandle>,
        path: String,
    ) -> Result<Vec<types::Value>, ReadFailure> {
        self.count_call()?;
        let document = self.document(&document)?;
        let answer = self.read_every(&document, &path).await;
        answer.map_err(|failure| self.refuse(&path, failure))
    }

    async fn has(&mut self, document: component::Resource<DocumentHandle>, path: String) -> Result<bool, ReadFailure> {
        self.count_call()?;
        let document = self.document(&document)?;
        let answer = self.has_any(&document, &path).await;
        answer.map_err(|failure| self.refuse(&path, failure))
    }

    async fn matches(
        &mut self,
        document: component::Resource<DocumentHandle>,
        filter: String,
    ) -> Result<bool, ReadFailure> {
        self.count_call()?;
        let document = self.document(&document)?;
        let answer = self.matches_filter(&document, &filter).await;
        answer.map_err(|failure| self.refuse(&filter, failure))
    }

    async fn json(
        &mut self,
        document: component::Resource<DocumentHandle>,
        path: Option<String>,
    ) -> Result<String, ReadFailure> {
        self.count_call()?;
        let document = self.document(&document)?;
        let answer = match &path {
            Some(path) => self.json_of(&document, path).await,
            None => self.json_of_everything(&document),
        };
        answer.map_err(|failure| self.refuse(path.as_deref().unwrap_or_default(), failure))
    }

    fn drop(&mut self, document: component::Resource<DocumentHandle>) -> wasmtime::Result<()> {
        self.table.delete(document)?;
        Ok(())
    }
}

impl GuestState {
    fn document(&self, document: &component::Resource<DocumentHandle>) -> wasmtime::Result<Document> {
        let handle = self.table.get(document)?.clone();
        Ok(Document { operation: Arc::clone(&self.subject()?.operation), handle })
    }

    fn paths(&self) -> wasmtime::Result<Arc<PathCache>> {
        Ok(Arc::clone(&self.subject()?.paths))
    }

    fn prepare(&self, document: &Document, path: &str) -> Result<Arc<PreparedPath>, ReadFailure> {
        let path = self.subject()?.paths.path(document.resource_type(), path)?;
        self.check_read_bytes()?;
        Ok(path)
    }

    async fn read_first(&mut self, document: &Document, path: &str) -> Result<Option<types::Value>, ReadFailure> {
        let prepared = self.prepare(document, path)?;
        if let Some(first) = self.recorded(path, |record| record.value(document.of(), &prepared.canonical))? {
            return self.answer_first(document, &prepared, first.map(Cow::Owned));
        }
        let loaded = self.load(document, &prepared).await?;
        let selected = prepared.path.select(loaded.as_ref());
        let first = selected.into_iter().next().map(|value| visible(&prepared, value));
        self.answer_first(document, &prepared, first)
    }

    fn answer_first(
        &mut self,
        document: &Document,
        path: &PreparedPath,
        first: Option<Cow<'_, Value>>,
    ) -> Result<Option<types::Value>, ReadFailure> {
        let answer = first.as_deref().map(value_to_wit);
        self.take_read_bytes(answer.as_ref().map_or(0, value_bytes))?;
        if self.take_question(document.of(), Question::Read, &path.canonical)? {
            let answer = DocumentAnswer::Value(first.map(Cow::into_owned));
            self.recorder.document(document.reference(), &path.canonical, answer);
        }
        Ok(answer)
    }

    async fn read_every(&mut self, document: &Document, path: &str) -> Result<Vec<types::Value>, ReadFailure> {
        let prepared = self.prepare(document, path)?;
        if let Some(values) = self.recorded(path, |record| record.values(document.of(), &prepared.canonical))? {
            return self.answer_every(document, &prepared, values.into_iter().map(Cow::Owned).collect());
        }
        let loaded = self.load(document, &prepared).await?;
        let selected = prepared.path.select(loaded.as_ref());
        let values = selected.into_iter().map(|value| visible(&prepared, value)).collect();
        self.answer_every(document, &prepared, values)
    }

    fn answer_every(
        &mut self,
        document: &Document,
        path: &PreparedPath,
        values: Vec<Cow<'_, Value>>,
    ) -> Result<Vec<types::Value>, ReadFailure> {
        let answer: Vec<types::Value> = values.iter().map(|value| value_to_wit(value)).collect();
        self.take_read_bytes(answer.iter().map(value_bytes).sum())?;
        if self.take_question(document.of(), Question::ReadAll, &path.canonical)? {
            let answer = DocumentAnswer::Values(values.into_iter().map(Cow::into_owned).collect());
            self.recorder.document(document.reference(), &path.canonical, answer);
        }
        Ok(answer)
    }

    async fn has_any(&mut self, document: &Document, path: &str) -> Result<bool, ReadFailure> {
        let asked = path;
        let path = self.prepare(document, asked)?;
        let present =
            if let Some(present) = self.recorded(asked, |record| record.present(document.of(), &path.canonical))? {
                present
            } else if path.path.attribute_storage() == Storage::Rows && path.path.filter.is_none() {
                self.has_members(document).await?
            } else {
                !path.path.select(self.load(document, &path).await?.as_ref()).is_empty()
            };
        if self.take_question(document.of(), Question::Has, &path.canonical)? {
            self.recorder.document(document.reference(), &path.canonical, DocumentAnswer::Present(present));
        }
        Ok(present)
    }

    async fn matches_filter(&mut self, document: &Document, filter: &str) -> Result<bool, ReadFailure> {
        let asked = filter;
        let filter = self.subject()?.paths.filter(document.resource_type(), asked)?;
        self.check_read_bytes()?;
        let matched = match self.recorded(asked, |record| record.matched(document.of(), &filter.canonical))? {
            Some(matched) => matched,
            None => eval::matches(&filter.filter, self.load_for_filter(document, &filter.filter).await?.as_ref()),
        };
        if self.take_question(document.of(), Question::Matches, &filter.canonical)? {
            self.recorder.document(document.reference(), &filter.canonical, DocumentAnswer::Matches(matched));
        }
        Ok(matched)
    }

    async fn json_of(&mut self, document: &Document, path: &str) -> Result<String, ReadFailure> {
        let asked = path;
        let path = self.prepare(document, asked)?;
        if let Some(json) = self.recorded(asked, |record| record.json(document.of(), &path.canonical))? {
            return self.answer_json(document, &path.canonical, json);
        }
        let loaded = self.load(document, &path).await?;
        let mut values = path.path.select(loaded.as_ref()).into_iter().map(|value| visible(&path, value).into_owned());
        let several =
            [&path.path.attribute, &path.path.sub_attribute].into_iter().flatten().any(|part| part.multi_valued);
        let json = if several { Value::Array(values.collect()) } else { values.next().unwrap_or(Value::Null) };
        self.answer_json(document, &path.canonical, json)
    }

    /// Everything granted, without what is kept apart: a group's JSON costs the same whatever its size.
    fn json_of_everything(&mut self, document: &Document) -> Result<String, ReadFailure> {
        self.check_read_bytes()?;
        if let Some(json) = self.recorded("", |record| record.json(document.of(), ""))? {
            return self.answer_json(document, &Arc::from(""), json);
        }
        let paths = self.paths()?;
        let resource = document.resource()?;
        let mut json = paths.grants().project(resource);
        for common in ["schemas", "id", "meta"] {
            let path = paths.path(document.resource_type(), common)?;
            let mut values = path.path.select(resource).into_iter().map(Cow::into_owned);
            let value = if common == "schemas" { Some(Value::Array(values.collect())) } else { values.next() };
            json.extend(value.map(|value| (common.to_owned(), value)));
        }
        self.answer_json(document, &Arc::from(""), Value::Object(json))
    }

    fn answer_json(&mut self, document: &Document, path: &Arc<str>, json: Value) -> Result<String, ReadFailure> {
        let text = canonical_json::to_text(&json);
        self.take_read_bytes(text.len())?;
        if self.take_question(document.of(), Question::Json, path)? {
            self.recorder.document(document.reference(), path, DocumentAnswer::Json(json));
        }
        Ok(text)
    }
}

/// The value without the parts that are never shown.
pub(super) fn visible<'a>(path: &PreparedPath, value: Cow<'a, Value>) -> Cow<'a, Value> {
    if path.hidden.is_empty() {
        return value;
    }
    let mut value = value.into_owned();
    if let Value::Object(parts) = &mut value {
        parts.retain(|name, _| !path.hidden.contains(name));
    }
    Cow::Owned(value)
}
