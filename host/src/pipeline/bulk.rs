//! A bulk request (RFC 7644 §3.7): many writes, one after the other, each a write like any other.
//!
//! Each operation goes through [`Pipeline::write`] by itself: it has a snapshot, a judgement, a decision and a commit of
//! its own, and nothing is held from one to the next. So constraints see what earlier operations have done, and what is
//! done stays done when a later one is refused: "The service provider MUST continue performing as many changes as
//! possible and disregard partial failures."

use std::collections::BTreeMap;
use std::iter::Peekable;

use serde_json::{Map, Value};

use crate::pipeline::Pipeline;
use crate::pipeline::answer::Answer;
use crate::pipeline::write::{Caller, Change, Precondition, WriteError, WriteRequest};
use crate::scim::bulk::request::{self, Misformed};
use crate::scim::bulk::{BulkOperation, Ids, Method, Step, plan, resolve};
use crate::scim::error::ScimError;
use crate::scim::projection::AttributeNames;
use crate::scim::resource::ResourceId;

/// What came of one operation.
#[derive(Debug)]
pub enum Done {
    /// It is not an operation that could be carried out.
    Misformed(Box<Misformed>),
    /// It was tried.
    Tried(Box<Tried>),
}

/// An operation that was tried.
#[derive(Debug)]
pub struct Tried {
    /// The operation, without its data.
    pub operation: BulkOperation,
    /// The id of the resource it is about; `None` if there is none.
    pub id: Option<String>,
    /// The version that the resource has now, as an entity tag; `None` if it is gone. Or why nothing was done.
    pub result: Result<Option<String>, WriteError>,
}

/// A request under way.
struct Run<'r> {
    caller: &'r Caller,
    /// After so many errors no more operations are carried out.
    errors_max: usize,
    errors: usize,
    /// By place in the request.
    done: BTreeMap<usize, Done>,
    ids: Ids,
}

impl Pipeline {
    /// Carries out a bulk request. What came of each operation, with its place in the request and in the order of it; of
    /// those that were not reached because of `failOnErrors`, nothing.
    pub async fn bulk(&self, caller: &Caller, body: &Map<String, Value>) -> Result<Vec<(usize, Done)>, WriteError> {
        let model = self.store.tenant(caller.tenant).model().await?;
        let request = request::parse(body, model.profile.leniency(), &self.limits)?;
        let steps = plan(&request);
        // "An integer specifying the number of errors that the service provider will accept before the operation is
        // terminated": it cannot be terminated before the first, so 0 is 1.
        let errors_max = request.fail_on_errors.map_or(usize::MAX, |errors| errors.max(1));
        let mut run = Run { caller, errors_max, errors: 0, done: BTreeMap::new(), ids: Ids::new() };
        let misformed = request.operations.into_iter().enumerate();
        let mut misformed = misformed.filter_map(|(place, operation)| Some((place, operation.err()?))).peekable();
        for step in steps {
            let (Step::Run { place, .. } | Step::Complete { place, .. }) = &step;
            run.pass_misformed(&mut misformed, *place);
            if run.is_over() {
                break;
            }
            match step {
                Step::Run { place, operation } => run.carry_out(self, place, operation).await,
                Step::Complete { place, operation } => run.complete(self, place, operation).await,
            }
        }
        run.pass_misformed(&mut misformed, usize::MAX);
        Ok(run.done.into_iter().collect())
    }

    async fn operate(&self, caller: &Caller, operation: BulkOperation) -> Tried {
        let BulkOperation { method, version, data, .. } = operation.clone();
        let mut tried = Tried { id: operation.id.clone(), operation, result: Ok(None) };
        tried.operation.data = Map::new();
        let precondition = version.map_or(Precondition::None, Precondition::Match);
        let change = match (method, tried.id.as_deref().map(|id| id.parse::<ResourceId>())) {
            (Method::Post, _) => Change::Create { body: data },
            (Method::Put, Some(Ok(id))) => Change::Replace { id, body: data, precondition },
            (Method::Patch, Some(Ok(id))) => Change::Patch { id, body: data, precondition },
            (Method::Delete, Some(Ok(id))) => Change::Delete { id, precondition },
            // What is no id of ours is the id of nothing.
            (_, None | Some(Err(_))) => {
                let id = tried.id.take().unwrap_or_default();
                let missing = ScimError::not_found(&format!("`/{}/{id}`", tried.operation.endpoint));
                return Tried { result: Err(missing.into()), ..tried };
            }
        };
        // §3.7.3 lets the body of what succeeded be left out. It is never read then, members of a group above all.
        let names = AttributeNames { attributes: vec!["id".to_owned()], excluded: Vec::new() };
        let request = WriteRequest { endpoint: tried.operation.endpoint.clone(), change, names };
        match self.write(caller, &request).await {
            Ok(written) => {
                let resource = match &written.answer {
                    Answer::Whole(representation) => Some(&representation.resource),
                    Answer::Brief(resource) => Some(&**resource),
                    Answer::Gone => None,
                };
                tried.id = resource.map(|resource| resource.id.to_string()).or(tried.id);
                tried.result = Ok(resource.map(|resource| resource.meta.etag()));
            }
            Err(error) => tried.result = Err(error),
        }
        tried
    }
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.errors >= self.errors_max
    }

    /// Those that stand before this place count, as if they had been carried out in their place.
    fn pass_misformed<I>(&mut self, misformed: &mut Peekable<I>, place: usize)
    where
        I: Iterator<Item = (usize, Box<Misformed>)>,
    {
        while !self.is_over()
            && let Some((at, found)) = misformed.next_if(|(at, _)| *at < place)
        {
            self.done.insert(at, Done::Misformed(found));
            self.errors = self.errors.saturating_add(1);
        }
    }

    async fn carry_out(&mut self, pipeline: &Pipeline, place: usize, operation: BulkOperation) {
        let tried = match resolve(&operation, &self.ids) {
            Ok(resolved) => pipeline.operate(self.caller, resolved).await,
            Err(error) => Tried { operation: without_data(operation), id: None, result: Err(error.into()) },
        };
        if tried.result.is_err() {
            self.errors = self.errors.saturating_add(1);
        } else if let (Method::Post, Some(bulk_id), Some(id)) =
            (tried.operation.method, &tried.operation.bulk_id, &tried.id)
        {
            self.ids.insert(bulk_id.clone(), id.clone());
        }
        self.done.insert(place, Done::Tried(Box::new(tried)));
    }

    /// Adds the references that close a circle. If they are refused, so is the operation, though what it has created is
    /// there: its outcome says both, where it is and why it is not whole.
    async fn complete(&mut self, pipeline: &Pipeline, place: usize, operation: BulkOperation) {
        let Some(Done::Tried(tried)) = self.done.get_mut(&place) else { return };
        if tried.result.is_err() {
            return;
        }
        let result = match resolve(&operation, &self.ids) {
            Ok(resolved) => pipeline.operate(self.caller, resolved).await.result,
            Err(error) => Err(error.into()),
        };
        if result.is_err() {
            self.errors = self.errors.saturating_add(1);
        }
        tried.result = result;
    }
}

fn without_data(operation: BulkOperation) -> BulkOperation {
    BulkOperation { data: Map::new(), ..operation }
}
