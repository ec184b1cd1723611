//! In which order the operations are carried out.
//!
//! In that of the request, but that what an operation refers to is created first: a client may refer to what comes later.
//! Nothing else moves, so "the same stateful result is achieved as for non-optimized processing" (RFC 7644 §3.7).
//!
//! §3.7.1: "The service provider MUST try to resolve circular cross-references between resources in a single bulk job".
//! Of resources that refer to each other one is created without the reference, and gets it when the others are there. Only
//! what a POST creates can be referred to, so only POSTs stand in a circle.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::scim::bulk::references;
use crate::scim::bulk::request::{BulkOperation, BulkRequest, Method};
use crate::scim::urn;

/// One thing to do. `place` is that of the operation in the request: the outcome of both its steps is one outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Carry out the operation, with its [references resolved](references::resolve). Of one in a circle, the references
    /// that close the circle are left out.
    Run {
        /// Of the operation in the request.
        place: usize,
        /// The operation.
        operation: BulkOperation,
    },
    /// Carry out this PATCH of the resource that the operation has created, which sets the references that were left out.
    /// Not to be done if it was not created. If it fails, so has the operation.
    Complete {
        /// Of the operation in the request.
        place: usize,
        /// The PATCH. Its id is a reference to the resource.
        operation: BulkOperation,
    },
}

/// The steps, in order. Operations that are misformed have none.
pub fn plan(request: &BulkRequest) -> Vec<Step> {
    let operations: Vec<Option<&BulkOperation>> =
        request.operations.iter().map(|operation| operation.as_ref().ok()).collect();
    let mut creators: HashMap<&str, usize> = HashMap::new();
    for (place, operation) in operations.iter().enumerate() {
        if let Some(BulkOperation { method: Method::Post, bulk_id: Some(bulk_id), .. }) = operation {
            creators.insert(bulk_id, place);
        }
    }
    // What refers to nothing that is created here is found out when it is carried out.
    let needs = operations.iter().map(|operation| {
        let bulk_ids = operation.map(references::of).unwrap_or_default();
        bulk_ids.iter().filter_map(|bulk_id| creators.get(bulk_id.as_str()).copied()).collect()
    });
    let mut planner = Planner {
        needs: needs.collect(),
        states: vec![State::New; operations.len()],
        circular: HashMap::new(),
        waiting: HashMap::new(),
        completions: HashMap::new(),
        steps: Vec::with_capacity(operations.len()),
        operations,
    };
    for place in 0..planner.operations.len() {
        planner.visit(place);
    }
    planner.steps
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    /// Waits for what it needs.
    Open,
    Done,
}

struct Planner<'r> {
    operations: Vec<Option<&'r BulkOperation>>,
    /// The places of the operations that create what each refers to.
    needs: Vec<Vec<usize>>,
    states: Vec<State>,
    /// By place, the places of what is needed and waits itself.
    circular: HashMap<usize, BTreeSet<usize>>,
    /// By the place of what is waited for, the places of those whose completion waits.
    waiting: HashMap<usize, Vec<usize>>,
    /// By place, what is left to be done, and for how many others it waits.
    completions: HashMap<usize, (BulkOperation, usize)>,
    steps: Vec<Step>,
}

impl Planner<'_> {
    /// Depth first, without recursion: a chain of references may be as long as the request.
    fn visit(&mut self, root: usize) {
        let mut open: Vec<(usize, usize)> = Vec::new();
        self.open(root, &mut open);
        while let Some((place, next)) = open.last_mut() {
            let (place, needed) = (*place, self.needs.get(*place).and_then(|needs| needs.get(*next)).copied());
            *next += 1;
            match needed.map(|needed| (needed, self.state(needed))) {
                Some((needed, State::New)) => self.open(needed, &mut open),
                Some((needed, State::Open)) => {
                    self.circular.entry(place).or_default().insert(needed);
                }
                Some((_, State::Done)) => {}
                None => {
                    open.pop();
                    self.close(place);
                }
            }
        }
    }

    fn state(&self, place: usize) -> State {
        self.states.get(place).copied().unwrap_or(State::Done)
    }

    fn open(&mut self, place: usize, open: &mut Vec<(usize, usize)>) {
        if let Some(state) = self.states.get_mut(place)
            && *state == State::New
        {
            *state = State::Open;
            open.push((place, 0));
        }
    }

    fn close(&mut self, place: usize) {
        if let Some(state) = self.states.get_mut(place) {
            *state = State::Done;
        }
        let Some(operation) = self.operations.get(place).copied().flatten() else {
            return;
        };
        let circular = self.circular.remove(&place).unwrap_or_default();
        let bulk_ids = circular.iter().filter_map(|needed| self.operations.get(*needed)?.as_ref()?.bulk_id.clone());
        let bulk_ids: BTreeSet<String> = bulk_ids.collect();
        match split(operation, &bulk_ids) {
            None => self.steps.push(Step::Run { place, operation: operation.clone() }),
            Some((first, completion)) => {
                self.steps.push(Step::Run { place, operation: first });
                self.completions.insert(place, (completion, circular.len()));
                for needed in circular {
                    self.waiting.entry(needed).or_default().push(place);
                }
            }
        }
        for waiting in self.waiting.remove(&place).unwrap_or_default() {
            let left = self.completions.get_mut(&waiting).map(|(_, left)| {
                *left = left.saturating_sub(1);
                *left
            });
            if left == Some(0)
                && let Some((operation, _)) = self.completions.remove(&waiting)
            {
                self.steps.push(Step::Complete { place: waiting, operation });
            }
        }
    }
}

/// The operation without these references, and the PATCH that adds them. `None`: it has none of them.
fn split(operation: &BulkOperation, bulk_ids: &BTreeSet<String>) -> Option<(BulkOperation, BulkOperation)> {
    let bulk_id = operation.bulk_id.as_ref().filter(|_| !bulk_ids.is_empty())?;
    let mut first = operation.clone();
    let mut additions = Vec::new();
    take(&mut first.data, "", bulk_ids, &mut additions);
    let data = json!({ "schemas": [urn::PATCH_OP], "Operations": additions });
    let completion = BulkOperation {
        method: Method::Patch,
        bulk_id: None,
        version: None,
        endpoint: operation.endpoint.clone(),
        id: Some(format!("bulkId:{bulk_id}")),
        data: data.as_object().cloned().unwrap_or_default(),
    };
    Some((first, completion))
}

/// Takes the values that refer to one of these out: of a list those alone, of an extension its attributes.
fn take(object: &mut Map<String, Value>, prefix: &str, bulk_ids: &BTreeSet<String>, additions: &mut Vec<Value>) {
    let refers = |value: &Value| references::in_value(value).iter().any(|bulk_id| bulk_ids.contains(bulk_id));
    let mut addition = |name: &str, value: Value| {
        additions.push(json!({ "op": "add", "path": format!("{prefix}{name}"), "value": value }));
    };
    let mut extensions = Vec::new();
    object.retain(|name, value| {
        if !refers(value) {
            return true;
        }
        match value {
            Value::Array(values) => {
                let (taken, kept): (Vec<Value>, Vec<Value>) = std::mem::take(values).into_iter().partition(refers);
                addition(name, Value::Array(taken));
                *values = kept;
                !values.is_empty()
            }
            // Only the name of an extension is a URN.
            Value::Object(_) if prefix.is_empty() && name.contains(':') => {
                extensions.push(name.clone());
                true
            }
            value => {
                addition(name, value.take());
                false
            }
        }
    });
    for name in extensions {
        if let Some(Value::Object(extension)) = object.get_mut(&name) {
            take(extension, &format!("{name}:"), bulk_ids, additions);
        }
    }
}
