//! What must hold for every upload and every guest, whoever wrote it. The targets in `bin/` feed these functions.
//!
//! A panic anywhere ends the target, also one in a thread that the sandbox would have caught.

pub mod contract;
pub mod smith;
pub mod world;

use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use scruple::constraints::compile::{ConstraintPre, digest};
use scruple::constraints::sandbox::{Checked, UploadError};
use scruple::constraints::{Asked, ComponentSource, Limits, Sandbox, SandboxConfig};
use scruple::decision::{ConstraintFault, TenantId};
use tokio::runtime::{Builder, Runtime};

const TENANT: TenantId = TenantId(1);

/// Machine code that is kept, in bytes: each input is another component.
const LOADED_BYTES_MAX: u64 = 8 << 20;

/// Small enough that an endless loop takes a millisecond. The deadline is a backstop, and the only limit that hangs on the
/// machine; what it stops is not compared.
fn limits() -> Limits {
    Limits {
        fuel_max: 1_000_000,
        fuel_about_max: 1_000_000,
        memory_bytes_max: 2 << 20,
        table_elements_max: 2_000,
        host_calls_max: 1_000,
        deadline_ms: 2_000,
        ..Limits::default()
    }
}

/// The component that is looked at, for sandboxes that load it as a stored one: without asking it who it is.
static STORED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Stored;

#[async_trait]
impl ComponentSource for Stored {
    async fn component(&self, _digest: &str) -> Result<Vec<u8>, String> {
        Ok(STORED.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Two, since each compiles by itself.
static SANDBOXES: LazyLock<[Sandbox; 2]> = LazyLock::new(|| [(); 2].map(|()| sandbox()));

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

fn sandbox() -> Sandbox {
    let config = SandboxConfig {
        source: Arc::new(Stored),
        loaded_bytes_max: LOADED_BYTES_MAX,
        ..SandboxConfig::for_own_components(limits())
    };
    Sandbox::new(config).expect("a sandbox")
}

/// An upload is taken or refused with a message, and neither is a failure of the server's. What is taken can be asked.
pub fn upload(bytes: &[u8]) {
    let [sandbox, _] = &*SANDBOXES;
    if let Ok(checked) = RUNTIME.block_on(uploaded(sandbox, bytes)) {
        let constraint = world::constraint(checked.descriptor, sandbox.limits());
        RUNTIME.block_on(asked(sandbox, &checked.pre, &constraint));
    }
}

/// The component that is honest is taken and allows; else what is made of it would be refused for the same reason each time.
pub fn the_honest_one_is_taken() {
    let [sandbox, _] = &*SANDBOXES;
    let checked = RUNTIME.block_on(uploaded(sandbox, &contract::COMPONENTS[0])).expect("taken");
    let constraint = world::constraint(checked.descriptor, sandbox.limits());
    let said = RUNTIME.block_on(asked(sandbox, &checked.pre, &constraint)).said;
    assert!(said[0].contains("answer: Ok(Allow)") && said[0].contains("ada.lovelace"), "{said:?}");
}

async fn uploaded(sandbox: &Sandbox, bytes: &[u8]) -> Result<Checked, UploadError> {
    let uploaded = sandbox.upload(TENANT, bytes.to_vec(), &world::SCHEMAS).await;
    if let Err(error) = &uploaded {
        let is_ours = match error {
            UploadError::Compile(error) => error.is_ours(),
            UploadError::Overloaded(_) => true,
            _ => false,
        };
        assert!(!is_ours, "{error}");
        assert!(!error.to_string().is_empty(), "{error:?}");
    }
    uploaded
}

/// Two sandboxes come to the same of a component, whatever that is.
pub fn guest(component: Vec<u8>) {
    STORED.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&component);
    let [first, second] = &*SANDBOXES;
    let once = RUNTIME.block_on(outcome(first, &component));
    let again = RUNTIME.block_on(outcome(second, &component));
    if !once.hangs_on_the_machine && !again.hangs_on_the_machine {
        assert_eq!(once, again, "two sandboxes differ");
    }
}

/// What came of a component, as text, without what took how long.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// Of loading it, of asking it to judge and to rewrite, and of its upload.
    pub said: Vec<String>,
    /// Whether the deadline has stopped it.
    pub hangs_on_the_machine: bool,
}

impl Outcome {
    fn add<T: Debug>(&mut self, asked: Asked<T>) {
        self.hangs_on_the_machine |= matches!(asked.answer, Err(ConstraintFault::Deadline { .. }));
        self.said.push(format!("{:?}", Asked { duration_us: 0, ..asked }));
    }
}

async fn outcome(sandbox: &Sandbox, component: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    match sandbox.load(TENANT, &digest(component)).await {
        Ok(pre) => {
            let constraint = world::constraint(world::descriptor(), sandbox.limits());
            outcome = asked(sandbox, &pre, &constraint).await;
        }
        Err(error) => outcome.said.push(error.to_string()),
    }
    // It is loaded already, so it is not compiled again.
    let uploaded = uploaded(sandbox, component).await;
    outcome.hangs_on_the_machine |= matches!(uploaded, Err(UploadError::Describe(ConstraintFault::Deadline { .. })));
    let uploaded = uploaded.map(|checked| (checked.digest, checked.world, checked.descriptor));
    outcome.said.push(format!("{uploaded:?}"));
    outcome
}

/// What it says to each operation, of what it can be asked.
async fn asked(sandbox: &Sandbox, pre: &Arc<ConstraintPre>, constraint: &world::Constraint) -> Outcome {
    let mut outcome = Outcome::default();
    let (runner, directory) = (sandbox.runner(), world::directory());
    for operation in &*world::OPERATIONS {
        if pre.checks() {
            let asked = runner.evaluate(TENANT, constraint, Ok(Arc::clone(pre)), operation, &directory).await;
            outcome.add(world::asked(asked));
        }
        if pre.rewrites() {
            outcome.add(runner.rewrite(TENANT, constraint, Ok(Arc::clone(pre)), operation, &directory).await);
        }
    }
    outcome
}
