//! The same component, settings and reads come to the same evaluation, for each shipped plugin and each guest: on every run, in
//! every thread, of code that was compiled anew and of code from disk, and by what was read alone; answer, reasons, reads, notes, warnings, fuel and memory.
//!
//! Of the faults, `deadline` alone hangs on the machine (it counts a processor's time) and is put out of the way here. What the
//! engine itself must see to is tested beside the sandbox.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use scruple::constraints::sandbox::{Checked, SandboxConfig};
use scruple::constraints::{CompilerProgram, Compiling, Limits, Sandbox};
use scruple::decision::{Evaluation, LookUp, Read, TenantId};
use scruple_tests::components as guest;
use scruple_tests::fixed_tenant::{FixedRequest, FixedTenant, InForce};
use scruple_tests::{ServerProcess, mail_at};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const THREADS: u32 = 8;
/// Of each copy of each component, in all threads together.
const RUNS: u32 = 1_000;

/// Tight, so that a thousand hostile runs do not take long; what stops them is the same.
fn limits() -> Limits {
    Limits {
        fuel_max: 1_000_000,
        memory_bytes_max: 4 << 20,
        host_calls_max: 200,
        deadline_ms: 3_600_000,
        ..Limits::default()
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn id(number: u128) -> String {
    uuid::Uuid::from_u128(number).to_string()
}

fn user(name: &str, more: Value) -> Value {
    let mut user = scruple_tests::user(name);
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user
}

fn group(name: &str, members: &[u128]) -> Value {
    let members: Vec<String> = members.iter().map(|number| id(*number)).collect();
    scruple_tests::group(name, &members.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A boss, whom ada depends on; bob, who is no employee; root; and three groups.
fn population() -> Vec<FixedRequest> {
    let ada = json!({ "externalId": "E1", "userType": "Employee", ENTERPRISE: { "manager": { "value": id(1) } } });
    vec![
        FixedRequest::new("POST", "User", 1, &user("boss", json!({}))),
        FixedRequest::new("POST", "User", 2, &user("ada", ada)),
        FixedRequest::new("POST", "User", 3, &user("bob", json!({ "userType": "Contractor" }))),
        FixedRequest::new("POST", "User", 4, &user("root", json!({}))),
        FixedRequest::new("POST", "Group", 11, &group("Admins", &[2, 4])),
        FixedRequest::new("POST", "Group", 12, &group("Payroll", &[2])),
        FixedRequest::new("POST", "Group", 13, &group("Crew", &[2])),
    ]
}

/// Who is asked about what; and what it has to come to, so that nothing is compared that says nothing.
struct Case {
    component: &'static str,
    settings: Value,
    request: FixedRequest,
    expected: &'static str,
}

fn case(component: &'static str, settings: Value, expected: &'static str, request: FixedRequest) -> Case {
    Case { component, settings, request, expected }
}

fn newcomer() -> FixedRequest {
    let more = json!({ "externalId": "E9", ENTERPRISE: { "department": "Engines", "manager": { "value": id(77) } } });
    FixedRequest::new("POST", "User", 5, &user("eve", more))
}

fn renumbered() -> FixedRequest {
    FixedRequest::new("PUT", "User", 2, &user("ada", json!({ "externalId": "E2" })))
}

fn shipped() -> Vec<Case> {
    let payroll = FixedRequest::new("PUT", "Group", 12, &group("Payroll", &[2, 3]));
    let gates = json!({ "gates": [{ "displayName": "Payroll", "membersMatch": "userType eq \"Employee\"" }] });
    let protected = json!({ "accounts": ["root"], "groups": [{ "displayName": "Admins", "minimum": 2 }] });
    let nobody = json!({});
    vec![
        case(
            guest::DEPENDENCY_GUARD,
            nobody.clone(),
            "user-is-manager",
            FixedRequest::new("DELETE", "User", 1, &nobody),
        ),
        case(guest::DEPENDENCY_GUARD, nobody.clone(), "last-member", FixedRequest::new("DELETE", "User", 2, &nobody)),
        case(guest::DEPENDENCY_GUARD, nobody.clone(), "manager-unknown", newcomer()),
        case(guest::GROUP_GATE, gates, "member-not-eligible", payroll),
        case(
            guest::PROTECTED_ACCOUNTS,
            protected,
            "too-few-active-members",
            FixedRequest::new("DELETE", "User", 2, &nobody),
        ),
        case(
            guest::NORMALIZE_ATTRIBUTES,
            json!({ "rules": [{ "path": "userName", "case": "upper" }] }),
            "EVE",
            newcomer(),
        ),
        case(guest::REQUIRED_ATTRIBUTES, json!({ "attributes": ["title"] }), "required-attribute-missing", newcomer()),
        case(guest::SAFE_VALUES, mail_at("acme.example"), "domain", newcomer()),
        case(guest::WRITE_ONCE, json!({ "attributes": ["externalId"] }), "immutable-attribute", renumbered()),
    ]
}

fn hostile() -> Vec<Case> {
    let reading = json!({
        "values": ["userName", "emails[type eq \"work\"].value", "password", "nonsense"], "has": ["phoneNumbers"],
        "matches": ["active eq true"], "json": ["name"], "whole": true, "differences": [""], "changes": ["externalId"],
        "get": [["User", id(2)]], "find": [["User", "active eq true"]], "count": [["Group", "displayName pr"]],
        "isMember": [[id(11), id(2)]], "table": [["reference", "key"]],
    });
    let reasons =
        json!([{ "code": "a", "message": "first", "paths": ["title"] }, { "code": "b", "message": "second" }]);
    let answering = |verdict: &str| {
        let notes = json!([["key", "one"], ["key", "two"]]);
        json!({ "verdict": verdict, "reasons": reasons, "warnings": reasons, "notes": notes, "log": ["a line"] })
    };
    let saying = |way: &str| json!({ "way": way, "bytes": 400_000 });
    // More than a log may have, in fewer lines than calls of the host.
    let logging = json!({ "way": "log", "bytes": 15_000 });
    [
        (guest::ANSWERS, answering("deny"), "second"),
        (guest::ANSWERS, answering("hold"), "Hold"),
        (guest::ANSWERS, answering("fault"), "as ordered"),
        (guest::CHECK_SETTINGS_BREAKS, json!({ "way": "problems" }), "Allow"),
        (guest::DEEP_RECURSION, json!({}), "Trap"),
        (guest::FAILS, json!({}), "the stars are not right"),
        (guest::FIVE_READS, json!({}), "Allow"),
        (guest::GROW_MEMORY, json!({}), "Memory"),
        (guest::HOST_CALL_FLOOD, json!({}), "HostCalls"),
        (guest::HUGE_OUTPUT, saying("message"), "Output"),
        (guest::HUGE_OUTPUT, saying("notes"), "more than 32 notes"),
        (guest::HUGE_OUTPUT, logging, "Allow"),
        (guest::PANIC_WITH_MESSAGE, json!({}), "the moon is full"),
        (guest::PANICS_WITH_ALL_IT_READ, json!({}), "eve"),
        (guest::READS_EVERYTHING, reading, "Allow"),
        (guest::RESTS_ON_LOOK_UPS, json!({ "operators": id(11) }), "the tenant has no table `departments`"),
        (guest::REWRITES, json!({ "edits": [["set", "title", "Countess"]] }), "Countess"),
        (guest::REWRITES, json!({ "breaks": "loops" }), "OutOfFuel"),
        (guest::REWRITES_AND_JUDGES, json!({ "title": "Countess" }), "Allow"),
        (guest::SPIN_FOREVER, json!({}), "OutOfFuel"),
        (guest::TRAP, json!({}), "Trap"),
    ]
    .into_iter()
    .map(|(component, settings, expected)| case(component, settings, expected, newcomer()))
    .chain([case(guest::COMPARED_RULE, json!({}), "external-id", renumbered())])
    .collect()
}

/// Three copies: compiled in a process of its own, as the server does it; compiled anew, by another engine; and loaded from the
/// first one's file.
async fn copies(case: &Case, tenant: &FixedTenant) -> [InForce; 3] {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = |cache_dir: Option<&Path>, compiling: Compiling| {
        let cache_dir = cache_dir.map(Path::to_owned);
        let config = SandboxConfig::for_own_components(limits());
        Sandbox::new(SandboxConfig { cache_dir, cache_key: [7; 32], compiling, ..config }).unwrap()
    };
    let child = || Compiling::Child(CompilerProgram::at(ServerProcess::program_under_test().unwrap()));
    let bytes = std::fs::read(case.component).unwrap();
    let first = sandbox(Some(folder.path()), child());
    let (anew, loading) = (sandbox(None, Compiling::InProcess), sandbox(Some(folder.path()), child()));
    let checked = first.upload(TenantId(1), bytes.clone(), tenant.schemas()).await.unwrap();
    let compiled = anew.upload(TenantId(1), bytes, tenant.schemas()).await.unwrap();
    // There is no source to load it from but the disk.
    let loaded = Checked { pre: loading.load(TenantId(1), &checked.digest).await.unwrap(), ..checked.clone() };
    [(first, checked), (anew, compiled), (loading, loaded)]
        .map(|(sandbox, checked)| InForce::new(sandbox, checked, &case.settings, tenant.schemas()))
}

fn in_process() -> Sandbox {
    Sandbox::new(SandboxConfig::for_own_components(limits())).unwrap()
}

fn check(case: &Case, tenant: &FixedTenant, runtime: &Runtime) {
    let copies = runtime.block_on(copies(case, tenant));
    let operation = runtime.block_on(tenant.operation(&case.request)).unwrap();
    let directory = runtime.block_on(tenant.directory()).unwrap();
    let first = runtime.block_on(copies[0].judge_alone(&operation, &directory));
    let said = format!("{:?}", first.answer);
    assert!(said.contains(case.expected), "{}: {said}", case.component);
    if copies[0].checks() {
        let again = runtime.block_on(copies[0].judge_again(&operation, &first));
        assert_eq!(again.map(comparable), Some(comparable(first.clone())), "{}: replayed", case.component);
    }
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (copies, operation, directory, first) = (&copies, &operation, &directory, &first);
            scope.spawn(move || {
                self::runtime().block_on(async {
                    for run in 0..RUNS / THREADS {
                        for (number, copy) in copies.iter().enumerate() {
                            let again = if run % 2 == 0 {
                                copy.judge_alone(operation, directory).await
                            } else {
                                copy.judge_as_a_write(TenantId(i64::from(thread)), operation, directory).await
                            };
                            assert_eq!(again, *first, "{}: run {run} of copy {number}", case.component);
                        }
                    }
                });
            });
        }
    });
}

/// That a user's groups were looked up to answer a read of them is recorded for the commit alone.
fn comparable(mut evaluation: Evaluation) -> Evaluation {
    evaluation.reads.reads.retain(|read| !matches!(read, Read::LookUp { look_up: LookUp::GroupsOf { .. }, .. }));
    evaluation
}

fn check_all(cases: &[Case]) {
    let runtime = runtime();
    let tenant = runtime.block_on(FixedTenant::after(&population())).unwrap();
    cases.iter().for_each(|case| check(case, &tenant, &runtime));
}

#[test]
fn each_shipped_plugin_comes_to_the_same_a_thousand_times_in_eight_threads() {
    check_all(&shipped());
}

#[test]
fn each_hostile_guest_comes_to_the_same_a_thousand_times_in_eight_threads() {
    check_all(&hostile());
}

/// Each upload compiles, so that this is not done a thousand times; the calls themselves are, beside the sandbox.
#[test]
fn what_is_refused_is_refused_in_the_same_words() {
    for (component, expected) in REFUSED {
        let bytes = std::fs::read(component).unwrap();
        let upload = async || {
            let sandbox = in_process();
            sandbox
                .upload(TenantId(1), bytes.clone(), &scruple::scim::schema::SchemaRegistry::core())
                .await
                .unwrap_err()
        };
        let first = runtime().block_on(upload());
        assert!(first.to_string().contains(expected), "{component}: {first}");
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| assert_eq!(runtime().block_on(upload()), first, "{component}"));
            }
        });
    }
}

/// These are never asked: their upload is refused.
const REFUSED: &[(&str, &str)] = &[
    (guest::BAD_SETTINGS_SCHEMA, "settings"),
    (guest::DESCRIBE_LOOPS, "used all of its fuel"),
    (guest::DESCRIBE_TRAPS, "unreachable"),
];

#[test]
fn settings_are_judged_the_same_a_thousand_times_in_eight_threads() {
    let (runtime, schemas) = (runtime(), scruple::scim::schema::SchemaRegistry::core());
    let sandbox = in_process();
    let bytes = std::fs::read(guest::CHECK_SETTINGS_BREAKS).unwrap();
    let checked = runtime.block_on(sandbox.upload(TenantId(1), bytes, &schemas)).unwrap();
    for way in ["loop", "trap", "panic", "problems"] {
        let settings = json!({ "way": way });
        let ask = async |tenant: i64| {
            sandbox.check_settings(TenantId(tenant), &checked.pre, &checked.descriptor, &settings).await
        };
        let first = runtime.block_on(ask(0));
        first.as_ref().expect_err("it should have broken");
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (ask, first) = (&ask, &first);
                scope.spawn(move || {
                    self::runtime().block_on(async {
                        for _ in 0..RUNS / THREADS {
                            assert_eq!(ask(i64::from(thread)).await, *first, "{way}");
                        }
                    });
                });
            }
        });
    }
}

#[test]
fn no_plugin_and_no_guest_is_left_out() {
    let name = |path: &str| Path::new(path).file_stem().unwrap().to_str().unwrap().to_owned();
    let cases = shipped().into_iter().chain(hostile()).map(|case| name(case.component));
    let found: BTreeSet<String> = cases.chain(REFUSED.iter().map(|(path, _)| name(path))).collect();
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    // Those in other languages are not built with the tests; that their engines count the same everywhere, `golden.rs` shows.
    let plugins = std::fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path());
    let plugins = plugins.filter(|plugin| plugin.join("Cargo.toml").is_file());
    let plugins = plugins.map(|plugin| plugin.file_name().unwrap().to_str().unwrap().to_owned());
    let there: BTreeSet<String> = plugins.chain(guest::GUESTS.iter().map(|name| (*name).to_owned())).collect();
    assert_eq!(found, there);
}
