//! One schedule: what its writers want, in which order they are let on, and that what comes of it is what a serial execution
//! would have come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use scruple::decision::DecisionId;
use scruple::pipeline::Pipeline;
use scruple::pipeline::write::{Change, Precondition, WriteError};
use scruple::store::{Page, Store};
use serde_json::{Value, json};

use super::gates::{Gate, Gates, Random, Writer};
use super::model::{ENTERPRISE, Field, Model, Operation, User};
use super::store::{GatedStore, Lost, WRITER};
use super::world::{Premises, World, asking, caller, contents, object, user_body};

/// What was seen of some schedules.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) schedules: u64,
    committed: u64,
    refused: u64,
    lost_by_look_ups: u64,
    lost_by_generations: u64,
    lost_by_versions: u64,
    /// Commits that were let on together with others that committed.
    together: u64,
    /// Nodes that there are.
    nodes: usize,
    /// Schedules in which two of them have committed.
    by_two: u64,
}

impl Seen {
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            schedules: self.schedules + other.schedules,
            committed: self.committed + other.committed,
            refused: self.refused + other.refused,
            lost_by_look_ups: self.lost_by_look_ups + other.lost_by_look_ups,
            lost_by_generations: self.lost_by_generations + other.lost_by_generations,
            lost_by_versions: self.lost_by_versions + other.lost_by_versions,
            together: self.together + other.together,
            nodes: self.nodes.max(other.nodes),
            by_two: self.by_two + other.by_two,
        }
    }

    /// What there has to be some of.
    pub(super) fn numbers(&self) -> Vec<(&'static str, u64)> {
        let mut numbers = vec![
            ("committed", self.committed),
            ("refused", self.refused),
            ("lost by look-ups", self.lost_by_look_ups),
            ("lost by generations", self.lost_by_generations),
            ("lost by versions", self.lost_by_versions),
            ("committed together", self.together),
        ];
        if self.nodes > 1 {
            numbers.push(("committed by two nodes", self.by_two));
        }
        numbers
    }
}

/// What an operation came to.
enum Came {
    Committed {
        decision: Option<DecisionId>,
    },
    Refused {
        decision: DecisionId,
    },
    /// There was nothing to do, or it could not be done at all.
    Nothing,
}

/// Runs a schedule and holds it against a serial execution, whose last state is the world's from then on.
pub(super) async fn run(premises: &Premises, world: &mut World, seed: u64) -> Seen {
    let mut random = Random::new(seed);
    // Of one tenant two are judged at a time: a third would wait where nobody sees it.
    let at_look_ups = random.below(3) == 0;
    let operations = operations(&mut random, &world.model, if at_look_ups { 2 } else { 5 });
    let nodes: Vec<usize> = operations.iter().map(|_| random.below(premises.stores.len())).collect();
    let (gates, lost) = (Gates::of(nodes.clone()), Arc::new(Lost::default()));
    let pipelines: Vec<_> = premises
        .stores
        .iter()
        .map(|store| {
            let (inner, gates, lost) = (Arc::clone(store), gates.clone(), Arc::clone(&lost));
            premises.pipeline(Arc::new(GatedStore { inner, gates, lost, at_look_ups }))
        })
        .collect();

    let mut writers = Vec::new();
    for (writer, operation) in operations.iter().cloned().enumerate() {
        gates.expect_one();
        let (pipeline, gates, tenant) = (Arc::clone(&pipelines[nodes[writer]]), gates.clone(), world.tenant);
        let name = format!("user-{seed}-{writer}");
        writers.push(tokio::spawn(async move {
            gates.pass(Gate::Look).await;
            let begun = gates.committed();
            let came = WRITER.scope(writer, carry_out(&pipeline, tenant, operation, &name)).await;
            let ended = gates.committed();
            gates.leave(writer);
            (came, begun, ended)
        }));
    }
    gates.run(&mut random).await;
    let mut outcomes = Vec::new();
    for writer in writers {
        outcomes.push(writer.await.unwrap());
    }

    let check = Check { premises, world, seed, operations: &operations };
    let order = gates.commits();
    let states = check.commits(&order, &outcomes).await;
    let refused = check.refusals(&states, &outcomes).await;
    check.end(states.last().unwrap()).await;
    world.model = states.last().unwrap().clone();
    let committed_on: BTreeSet<usize> = order.iter().flatten().map(|writer| nodes[*writer]).collect();
    Seen {
        schedules: 1,
        committed: states.len() as u64 - 1,
        refused,
        lost_by_look_ups: lost.look_ups.load(Ordering::Relaxed) as u64,
        lost_by_generations: lost.generations.load(Ordering::Relaxed) as u64,
        lost_by_versions: lost.others.load(Ordering::Relaxed) as u64,
        together: order.iter().map(Vec::len).filter(|together| *together > 1).sum::<usize>() as u64,
        nodes: pipelines.len(),
        by_two: u64::from(committed_on.len() > 1),
    }
}

async fn carry_out(pipeline: &Pipeline, tenant: scruple::decision::TenantId, operation: Operation, name: &str) -> Came {
    let precondition = Precondition::None;
    let patch = |id: &str, operation: Value| Change::Patch {
        id: id.parse().unwrap(),
        body: object(json!({ "schemas": [PATCH], "Operations": [operation] })),
        precondition: Precondition::None,
    };
    let member = |op: &str, group: &str, member: &str| match op {
        "add" => patch(group, json!({ "op": "add", "path": "members", "value": [{ "value": member }] })),
        _ => patch(group, json!({ "op": "remove", "path": format!("members[value eq \"{member}\"]") })),
    };
    let (endpoint, change) = match &operation {
        Operation::Create(user) => ("Users", Change::Create { body: object(user_body(name, user)) }),
        Operation::Set(id, field) => ("Users", patch(id, replacing(field))),
        Operation::Delete(id) => ("Users", Change::Delete { id: id.parse().unwrap(), precondition }),
        Operation::Join { group, member: id } => ("Groups", member("add", group, id)),
        Operation::Leave { group, member: id } => ("Groups", member("remove", group, id)),
        Operation::Put { table, rows } => {
            let (_, added) = pipeline.put_table(tenant, table, contents(rows), "test").await.unwrap();
            return if added { Came::Committed { decision: None } } else { Came::Nothing };
        }
    };
    match pipeline.write(&caller(tenant), &asking(endpoint, change)).await {
        Ok(written) => match written.decision {
            Some(admission) => Came::Committed { decision: Some(admission.id) },
            None => Came::Nothing,
        },
        Err(WriteError::Refused(refusal)) => Came::Refused { decision: refusal.record.id },
        // Somebody who is deleted is not there for others.
        Err(WriteError::Scim(error)) if matches!(error.status, 400 | 404) => Came::Nothing,
        Err(other) => panic!("{operation:?}: {other:?}"),
    }
}

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fn replacing(field: &Field) -> Value {
    let (path, value) = match field {
        Field::Active(active) => ("active".to_owned(), json!(active)),
        Field::UserType(user_type) => ("userType".to_owned(), json!(user_type)),
        Field::Title(title) => ("title".to_owned(), json!(title)),
        Field::Manager(manager) => (format!("{ENTERPRISE}:manager.value"), json!(manager)),
        Field::Department(department) => (format!("{ENTERPRISE}:department"), json!(department)),
    };
    json!({ "op": "replace", "path": path, "value": value })
}

/// What the writers of a schedule want: mostly things that get into each other's way.
fn operations(random: &mut Random, model: &Model, most: usize) -> Vec<Operation> {
    let theme = random.below(7);
    let mut operations: Vec<Operation> =
        (0..2 + random.below(most - 1)).map(|_| wanted(random, model, theme)).collect();
    // One that makes no use of the sandbox comes on top.
    if matches!(theme, 4 | 5) || random.below(4) == 0 {
        operations.push(put(random));
    }
    operations
}

fn wanted(random: &mut Random, model: &Model, theme: usize) -> Operation {
    let ids: Vec<&String> = model.users.keys().collect();
    let user = |random: &mut Random| random.one_of(&ids).clone();
    let of = |kind: &str| model.users.iter().filter(|(_, user)| user.user_type == kind).map(|(id, _)| id).collect();
    let groups: Vec<&String> = model.groups.keys().collect();
    let crew = (*groups.iter().find(|id| ***id != model.operators).unwrap()).clone();
    match (theme, random.below(4)) {
        // Administrators.
        (0, 0) => Operation::Set(user(random), Field::UserType(random.one_of(&["admin", "staff"]))),
        (0, 1) => Operation::Set(user(random), Field::Active(true)),
        (0, more) => {
            let administrators: Vec<&String> = of("admin");
            let id = random.one_of(&administrators).clone();
            if more == 2 { Operation::Set(id, Field::Active(false)) } else { Operation::Delete(id) }
        }
        // Managers.
        (1, 0 | 1) => Operation::Set(user(random), Field::Manager(user(random))),
        (1, 2) => Operation::Set(user(random), Field::Active(random.below(2) == 0)),
        (1, _) => Operation::Delete(user(random)),
        // The boss.
        (2, 0) => Operation::Create(clerk(if random.below(2) == 0 { "boss" } else { "clerk" })),
        (2, _) => Operation::Set(user(random), Field::Title(random.one_of(&["boss", "clerk", "clerk"]))),
        // Operators.
        (3, 0) => Operation::Set(user(random), Field::UserType(random.one_of(&["auditor", "staff"]))),
        (3, 1) => Operation::Join { group: random.one_of(&groups).clone(), member: user(random) },
        (3, 2) => Operation::Join { group: model.operators.clone(), member: crew },
        (3, _) => match random.below(2) {
            0 => Operation::Leave { group: model.operators.clone(), member: crew },
            _ => Operation::Leave { group: random.one_of(&groups).clone(), member: user(random) },
        },
        // Departments.
        (4, _) => Operation::Set(user(random), Field::Department(random.one_of(&["D-1", "D-2", "D-3"]))),
        // Room in a group.
        (5, 0) => Operation::Leave { group: crew, member: user(random) },
        (5, _) => Operation::Join { group: crew, member: user(random) },
        // All of it; some have to come, since others go.
        (_, 0) => Operation::Create(clerk("clerk")),
        (_, 1) => Operation::Set(user(random), Field::UserType("admin")),
        (_, _) => {
            let theme = random.below(6);
            wanted(random, model, theme)
        }
    }
}

fn clerk(title: &str) -> User {
    User {
        version: 1,
        active: true,
        user_type: "staff".to_owned(),
        title: title.to_owned(),
        manager: None,
        department: None,
    }
}

fn put(random: &mut Random) -> Operation {
    let rows = |json: Value| object(json).into_iter().collect::<BTreeMap<String, Value>>();
    match random.below(2) {
        0 => {
            let departments = random.one_of(&[&["D-1", "D-2"], &["D-2", "D-3"], &["D-3", "D-1"]]);
            Operation::Put {
                table: "departments",
                rows: departments.iter().map(|key| ((*key).to_owned(), json!({}))).collect(),
            }
        }
        _ => {
            let max = 2 + random.below(4);
            Operation::Put { table: "quotas", rows: rows(json!({ "crew": { "max": max }, "operators": { "max": 4 } })) }
        }
    }
}

type Outcomes = [(Came, usize, usize)];

struct Check<'a> {
    premises: &'a Premises,
    world: &'a World,
    seed: u64,
    operations: &'a [Operation],
}

impl Check<'_> {
    /// Carries out what was committed, in that order, and checks each decision against the state just before it. The state
    /// before all of them, and after each.
    async fn commits(&self, order: &[Vec<Writer>], outcomes: &Outcomes) -> Vec<Model> {
        let mut states = vec![self.world.model.clone()];
        for together in order {
            let mut decided = Vec::new();
            for &writer in together {
                let Came::Committed { decision } = &outcomes[writer].0 else {
                    self.fails(&self.operations[writer], "was committed and not told so")
                };
                let record = match decision {
                    Some(decision) => Some(self.record(*decision).await),
                    None => None,
                };
                decided.push((&self.operations[writer], record));
            }
            let before = states.last().unwrap().clone();
            // In one of the orders that they can have been in.
            let mut why = Vec::new();
            let after = orders(decided)
                .into_iter()
                .find_map(|order| serially(&before, &order).map_err(|wrong| why.push(wrong)).ok());
            let Some(after) = after else {
                panic!("schedule {} of {:#?}\n{}", self.seed, self.operations, why.join("\n"))
            };
            states.extend(after);
        }
        let told = outcomes.iter().filter(|(came, ..)| matches!(came, Came::Committed { .. })).count();
        assert_eq!(told, states.len() - 1, "schedule {}: what was told and not committed", self.seed);
        states
    }

    /// Each refusal was right in one state at least of those that there were meanwhile: all of its look-ups are of one moment.
    async fn refusals(&self, states: &[Model], outcomes: &Outcomes) -> u64 {
        let mut refused = 0;
        for (operation, (came, begun, ended)) in self.operations.iter().zip(outcomes) {
            let Came::Refused { decision } = came else { continue };
            refused += 1;
            let record = self.record(*decision).await;
            assert_eq!(record["outcome"], "denied", "{record:#}");
            if states[*begun..=*ended].iter().all(|state| other_than(state, &record).is_some()) {
                self.fails(operation, &format!("was refused by what never was: {record:#}"));
            }
        }
        refused
    }

    /// The tenant is what the serial execution comes to.
    async fn end(&self, model: &Model) {
        let snapshot = self.premises.stores[0].tenant(self.world.tenant).snapshot().await.unwrap();
        let schemas = Arc::clone(&snapshot.model().await.unwrap().schemas);
        let all = Page { offset: 0, limit: usize::MAX };
        let found = snapshot.find(schemas.resource_type("User").unwrap(), None, all).await.unwrap();
        let users: BTreeMap<String, User> = found
            .resources
            .into_iter()
            .map(|user| {
                let attributes = Value::Object(user.attributes);
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let found = User {
                    version: user.meta.version,
                    active: attributes["active"] == true,
                    user_type: text(&attributes["userType"]).unwrap(),
                    title: text(&attributes["title"]).unwrap(),
                    manager: text(&attributes[ENTERPRISE]["manager"]["value"]),
                    department: text(&attributes[ENTERPRISE]["department"]),
                };
                (user.id.to_string(), found)
            })
            .collect();
        assert_eq!(users, model.users, "seed {}", self.seed);
        for (id, group) in &model.groups {
            let members = snapshot.members(id.parse().unwrap(), None, usize::MAX).await.unwrap();
            let members = members.iter().map(|member| member.id.to_string()).collect();
            assert_eq!(group.members, members, "seed {}", self.seed);
        }
    }

    async fn record(&self, decision: DecisionId) -> Value {
        let store: &dyn Store = &*self.premises.stores[0];
        store.tenant(self.world.tenant).decision(decision).await.unwrap().unwrap().record
    }

    #[track_caller]
    fn fails(&self, operation: &Operation, why: &str) -> ! {
        panic!("schedule {} of {:#?}\n{operation:?} {why}", self.seed, self.operations)
    }
}

/// An operation, and what the log has of it; nothing if nobody judged it.
type Decided<'a> = (&'a Operation, Option<Value>);

/// The states that these lead to one after the other, if each rests on the one just before it and the rules allow each.
fn serially(before: &Model, order: &[Decided<'_>]) -> Result<Vec<Model>, String> {
    let mut states: Vec<Model> = Vec::new();
    for (operation, record) in order {
        let before = states.last().unwrap_or(before);
        if let Some(record) = record {
            assert_eq!(record["outcome"], "allowed");
            if let Some(read) = other_than(before, record) {
                return Err(format!("{operation:?} rests on {read}, which was otherwise in {before:#?}"));
            }
        }
        let mut after = before.clone();
        let id = record.as_ref().and_then(|record| record["resource_id"].as_str()).unwrap_or_default();
        if !after.apply(operation, id) {
            return Err(format!("{operation:?} is about what is not there in {before:#?}"));
        }
        let broken = after.broken_by(operation);
        if !broken.is_empty() {
            return Err(format!("{operation:?} breaks {broken:?}: {after:#?}"));
        }
        states.push(after);
    }
    Ok(states)
}

/// Every order of a few.
fn orders<T: Clone>(these: Vec<T>) -> Vec<Vec<T>> {
    if these.len() < 2 {
        return vec![these];
    }
    let first = |at: usize| {
        let mut others = these.clone();
        let first = others.remove(at);
        orders(others).into_iter().map(move |others| [vec![first.clone()], others].concat())
    };
    (0..these.len()).flat_map(first).collect()
}

/// A read of a decision that has another answer in this state.
fn other_than(state: &Model, record: &Value) -> Option<Value> {
    let reads = record["evaluations"][0]["reads"].as_array().unwrap();
    reads.iter().find(|read| state.answer(read).is_some_and(|answer| answer != **read)).cloned()
}
