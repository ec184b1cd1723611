//! Components built once, in each language that a constraint can be written in, and kept: what they answered then, with the
//! reads and the fuel that it took, they answer on every later host. `tests/golden/README.md` says how they were built.
//!
//! After a change that is meant to be seen by every component ever built (there should be none within 0.1), or when a
//! component is added: `SCRUPLE_RECORD_GOLDEN=1 cargo nextest run --workspace golden` records anew.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use scruple::constraints::sandbox::SandboxConfig;
use scruple::constraints::{CompilerProgram, Compiling, ComponentSource, Limits, Sandbox, compile};
use scruple::decision::TenantId;
use scruple_tests::ServerProcess;
use scruple_tests::fixed_tenant::{FixedRequest, FixedTenant, InForce};
use serde::Deserialize;
use serde_json::{Value, json};

/// Set to record what is compared otherwise.
const RECORD: &str = "SCRUPLE_RECORD_GOLDEN";

/// Who is there, and what is judged.
#[derive(Deserialize)]
struct World {
    population: Vec<FixedRequest>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    request: FixedRequest,
    /// Everything that the component asks for if there are none.
    #[serde(default)]
    grants: Option<Value>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn component(language: &str) -> Vec<u8> {
    let packed = fs::read(folder().join(format!("components/{language}.wasm.xz"))).unwrap();
    let mut bytes = Vec::new();
    lzma_rust2::XzReader::new(packed.as_slice(), false).read_to_end(&mut bytes).unwrap();
    bytes
}

/// With the limits that a server has by default, those of compiling included. What was compiled is kept from one run of the tests to the next, since the
/// largest component takes a quarter of a minute.
fn sandbox(component: &[u8]) -> Sandbox {
    let cache_dir = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden"));
    let compiling = Compiling::Child(CompilerProgram::at(ServerProcess::program_under_test().unwrap()));
    let config = SandboxConfig::for_own_components(Limits::default());
    let source = Arc::new(Stored(component.to_vec()));
    Sandbox::new(SandboxConfig { cache_dir, cache_key: [7; 32], compiling, source, ..config }).unwrap()
}

/// A store with that component alone.
struct Stored(Vec<u8>);

#[async_trait]
impl ComponentSource for Stored {
    async fn component(&self, _digest: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone())
    }
}

/// Everything that the component says, of itself and of each case.
async fn answers(language: &str) -> Value {
    let bytes = component(language);
    let world: World = serde_json::from_str(&fs::read_to_string(folder().join("world.json")).unwrap()).unwrap();
    let tenant = FixedTenant::after(&world.population).await.unwrap();
    let sandbox = sandbox(&bytes);
    let digest = compile::digest(&bytes);
    sandbox.load(TenantId(1), &digest).await.unwrap();
    // Checked and described like any upload; it is loaded, so that it is not compiled again.
    let checked = sandbox.upload(TenantId(1), bytes, tenant.schemas()).await.unwrap();
    let descriptor = checked.descriptor.to_json();

    let mut judged = Vec::new();
    let mut in_force = InForce::new(sandbox, checked.clone(), &json!({}), tenant.schemas());
    for case in &world.cases {
        let grants = case.grants.clone().unwrap_or(Value::Null);
        in_force = in_force.granted(checked.clone(), &json!({}), &grants, tenant.schemas());
        let (operation, directory) =
            (tenant.operation(&case.request).await.unwrap(), tenant.directory().await.unwrap());
        let evaluation = in_force.judge_alone(&operation, &directory).await;
        assert_eq!(evaluation, in_force.judge_as_a_write(TenantId(1), &operation, &directory).await, "{}", case.name);
        let mut evaluation = serde_json::to_value(evaluation).unwrap();
        let fields = evaluation.as_object_mut().unwrap();
        // What the host adds, and what is the same in all.
        for field in ["constraint", "plugin", "version", "digest", "mode", "on_fault", "duration_us"] {
            fields.remove(field).unwrap();
        }
        judged.push(json!({ "case": case.name, "evaluation": evaluation }));
    }
    json!({ "digest": digest, "descriptor": descriptor, "judged": judged })
}

async fn check(language: &str) {
    let file = folder().join(format!("recordings/{language}.json"));
    let found = answers(language).await;
    if std::env::var_os(RECORD).is_some() {
        fs::write(&file, format!("{found:#}\n")).unwrap();
        return;
    }
    let recorded: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    for part in ["digest", "descriptor"] {
        assert_eq!(found[part], recorded[part], "{language}: {part}");
    }
    let (found, recorded) = (found["judged"].as_array().unwrap(), recorded["judged"].as_array().unwrap());
    for (found, recorded) in found.iter().zip(recorded) {
        assert_eq!(found, recorded, "{language}: {}", recorded["case"]);
    }
    assert_eq!(found.len(), recorded.len(), "{language}: cases");
}

#[tokio::test]
async fn what_was_built_from_rust_answers_as_it_did() {
    check("rust").await;
}

#[tokio::test]
async fn what_was_built_from_c_answers_as_it_did() {
    check("c").await;
}

#[tokio::test]
async fn what_was_built_from_javascript_with_quickjs_answers_as_it_did() {
    check("quickjs").await;
}

#[tokio::test]
async fn what_was_built_from_javascript_with_spidermonkey_answers_as_it_did() {
    check("spidermonkey").await;
}

#[tokio::test]
async fn what_was_built_from_python_answers_as_it_did() {
    check("python").await;
}

/// The rule is one: only the words in which a language says that it could not read are its own.
#[test]
fn all_languages_were_recorded_to_the_same_verdicts() {
    let recorded = |language: &str| -> Vec<Value> {
        let text = fs::read_to_string(folder().join(format!("recordings/{language}.json"))).unwrap();
        let recorded: Value = serde_json::from_str(&text).unwrap();
        let said = |judged: &Value| {
            let evaluation = &judged["evaluation"];
            json!([
                judged["case"],
                evaluation["verdict"],
                evaluation["reasons"],
                evaluation["fault"]["kind"],
                evaluation["notes"]
            ])
        };
        recorded["judged"].as_array().unwrap().iter().map(said).collect()
    };
    let rust = recorded("rust");
    assert!(rust.iter().any(|said| said[1] == "allow") && rust.iter().any(|said| said[1] == "deny"));
    for language in ["c", "quickjs", "spidermonkey", "python"] {
        assert_eq!(recorded(language), rust, "{language}");
    }
}
