//! What schedules are run on: a store in memory if there is such a file system, a sandbox, tenants with a few users.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use scruple::clock::Clock;
use scruple::constraints::{Limits, Registry, Sandbox, SandboxConfig};
use scruple::decision::{ConstraintName, FailurePolicy, Mode, TenantId};
use scruple::pipeline::Pipeline;
use scruple::pipeline::activation::{ConstraintRequest, Which};
use scruple::pipeline::components::Components;
use scruple::pipeline::upload::NewUpload;
use scruple::pipeline::write::{Change, WriteRequest, Written};
use scruple::scim::cursor::Cursors;
use scruple::scim::projection::AttributeNames;
use scruple::store::{Node, SqlStore, Store, StoreOptions};
use scruple::tables::{Contents, TableLimits, json as table_json};
pub(super) use scruple_tests::caller;
use scruple_tests::components::RESTS_ON_LOOK_UPS;
use scruple_tests::database::TestDatabase;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::model::{ENTERPRISE, Group, Model, Table, User};

/// A file system in memory: what is waited for here is not the disk.
const IN_MEMORY: &str = "/dev/shm";

/// What all schedules of a thread share.
pub(super) struct Premises {
    /// That of each node: two, where they can share a database.
    pub(super) stores: Vec<Arc<dyn Store>>,
    sandbox: Arc<Sandbox>,
    clock: Clock,
    component: Vec<u8>,
    // Dropped last.
    _data: TempDir,
    _database: Option<TestDatabase>,
}

/// A tenant, and what is known of it.
pub(super) struct World {
    pub(super) tenant: TenantId,
    pub(super) model: Model,
}

impl Premises {
    pub(super) async fn open() -> Self {
        let data = match Path::new(IN_MEMORY).is_dir() {
            true => tempfile::tempdir_in(IN_MEMORY),
            false => tempfile::tempdir(),
        };
        let data = data.unwrap();
        let database = TestDatabase::if_wanted();
        let node = |number| Node { id: uuid::Uuid::from_u128(number), keys: String::new() };
        let open = |stored: Result<SqlStore, _>| Arc::new(stored.unwrap()) as Arc<dyn Store>;
        let stores = match &database {
            None => vec![open(SqlStore::sqlite(data.path(), StoreOptions::default()))],
            Some(TestDatabase { url, .. }) => {
                let opened = |number| open(SqlStore::postgres(url, None, &node(number), StoreOptions::default()));
                vec![opened(1), opened(2)]
            }
        };
        // Gates keep look-ups waiting as long as others take.
        let limits = Limits { look_up_wait_ms: 60_000, ..Limits::default() };
        Self {
            stores,
            sandbox: Arc::new(Sandbox::new(SandboxConfig::for_own_components(limits)).unwrap()),
            clock: Clock::system(),
            component: std::fs::read(RESTS_ON_LOOK_UPS).unwrap(),
            _data: data,
            _database: database,
        }
    }

    /// A server's pipeline on this store.
    pub(super) fn pipeline(&self, store: Arc<dyn Store>) -> Arc<Pipeline> {
        Arc::new(Pipeline {
            components: Components::new(Arc::clone(&store), None),
            store,
            sandbox: Arc::clone(&self.sandbox),
            registry: Arc::new(Registry::default()),
            clock: self.clock.clone(),
            passwords: Default::default(),
            turnstile: Default::default(),
            // The gates know who waits for the turnstile; who waits for a place in a convoy they do not.
            convoys: None,
            cursors: Cursors::new(&[0; 32], 60),
            limits: Default::default(),
            tables: Default::default(),
            metrics: Default::default(),
        })
    }

    /// Two administrators and one more, of whom one is the boss and an operator; others; a group that is not nested yet.
    pub(super) async fn tenant(&self, number: u64) -> World {
        let made = self.stores[0].create_tenant(&format!("tenant-{number}"), self.clock.now()).await.unwrap().unwrap();
        let mut world = World { tenant: made.id, model: Model::default() };
        let pipeline = self.pipeline(Arc::clone(&self.stores[0]));
        let mut ids = Vec::new();
        for (n, user_type) in ["admin", "admin", "admin", "staff", "auditor"].into_iter().enumerate() {
            let user = User {
                version: 1,
                active: true,
                user_type: user_type.to_owned(),
                title: if n == 0 { "boss" } else { "clerk" }.to_owned(),
                manager: None,
                department: None,
            };
            let id = create(&pipeline, world.tenant, "Users", user_body(&format!("user-{n}"), &user)).await;
            world.model.users.insert(id.clone(), user);
            ids.push(id);
        }
        for (name, members) in [("operators", &ids[..1]), ("crew", &ids[3..4])] {
            let values: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
            let body = json!({ "schemas": [GROUP], "displayName": name, "members": values });
            let id = create(&pipeline, world.tenant, "Groups", body).await;
            if name == "operators" {
                world.model.operators.clone_from(&id);
            }
            let members = members.iter().cloned().collect();
            world.model.groups.insert(id, Group { name: name.to_owned(), members });
        }
        let tables = [
            ("departments", json!({ "D-1": {}, "D-2": {} })),
            ("quotas", json!({ "crew": { "max": 3 }, "operators": { "max": 4 } })),
        ];
        for (name, rows) in tables {
            let rows: BTreeMap<String, Value> = rows.as_object().unwrap().clone().into_iter().collect();
            pipeline.put_table(world.tenant, name, contents(&rows), "test").await.unwrap();
            world.model.tables.insert(name.to_owned(), Table { revision: 1, rows });
        }
        self.put_to_work(&pipeline, &world).await;
        world
    }

    async fn put_to_work(&self, pipeline: &Pipeline, world: &World) {
        let place = self.sandbox.admit_upload(world.tenant).unwrap();
        let new = NewUpload {
            plugin: "rules".to_owned(),
            tag: None,
            component: self.component.clone(),
            signatures: Vec::new(),
        };
        pipeline.upload(world.tenant, &place, new).await.unwrap();
        drop(place);
        let request = ConstraintRequest {
            plugin: "rules".to_owned(),
            version: Which::Newest,
            settings: json!({ "operators": world.model.operators }),
            grants: None,
            mode: Mode::Enforce,
            on_fault: FailurePolicy::Deny,
            order: 0,
        };
        pipeline.set_constraint(world.tenant, &ConstraintName("rules".to_owned()), request, "test").await.unwrap();
    }
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

pub(super) fn user_body(user_name: &str, user: &User) -> Value {
    let mut body = json!({
        "schemas": [USER, ENTERPRISE],
        "userName": user_name,
        "active": user.active,
        "userType": user.user_type,
        "title": user.title,
    });
    if let Some(manager) = &user.manager {
        body[ENTERPRISE] = json!({ "manager": { "value": manager } });
    }
    body
}

pub(super) fn contents(rows: &BTreeMap<String, Value>) -> Contents {
    table_json::read(&serde_json::to_vec(rows).unwrap(), None, &TableLimits::DEFAULT).unwrap()
}

pub(super) fn asking(endpoint: &str, change: Change) -> WriteRequest {
    WriteRequest { endpoint: endpoint.to_owned(), change, names: AttributeNames::default() }
}

pub(super) fn object(json: Value) -> serde_json::Map<String, Value> {
    json.as_object().unwrap().clone()
}

/// Creates a resource of which nobody judges, and gives its id.
async fn create(pipeline: &Pipeline, tenant: TenantId, endpoint: &str, body: Value) -> String {
    let request = asking(endpoint, Change::Create { body: object(body) });
    let written: Written = pipeline.write(&caller(tenant), &request).await.unwrap();
    let decision = written.decision.unwrap().id;
    let stored = pipeline.store.tenant(tenant).decision(decision).await.unwrap().unwrap();
    stored.record["resource_id"].as_str().unwrap().to_owned()
}
