//! The same component, settings and reads come to the same evaluation: on every run, in every thread, of code that was
//! compiled anew and of code from disk; answer, reads, notes, warnings, fuel and memory. How long it took is not part of it.
//!
//! `Deadline` is the one fault that hangs on the machine: it counts a processor's time, so that where in the guest it strikes
//! differs from run to run. It is a backstop, put out of the way here; of two runs that both end otherwise, nothing
//! differs. The depth at which a stack overflows is the same for one build of the host, since the frames are its
//! compiler's; so that depth is compared between threads and copies, and is no promise of the contract.

use std::sync::Arc;
use std::thread;

use tokio::runtime::Builder;

use super::guest::Guest;
use super::world::{Residents, Stored, TENANT, ada, creating, enabled, operation, resource, schemas};
use crate::change::PlannedChange;
use crate::constraints::compile::{self, ConstraintPre};
use crate::constraints::sandbox::Checked;
use crate::constraints::{ConstraintSet, DirectoryView, Limits, Sandbox, SandboxConfig};
use crate::decision::{ConstraintFault, Evaluation, TenantId, Verdict};

const THREADS: u32 = 8;
/// Of each copy of each guest, in all threads together.
const RUNS: u32 = 1_000;

/// Small enough that a thousand endless loops do not take long; what stops them is the same.
fn limits() -> Limits {
    Limits {
        fuel_max: 200_000,
        fuel_about_max: 100_000,
        memory_bytes_max: 1 << 20,
        host_calls_max: 200,
        deadline_ms: 3_600_000,
        ..Limits::default()
    }
}

/// One guest in a sandbox of its own.
struct Copy {
    sandbox: Sandbox,
    constraints: ConstraintSet,
    pre: Arc<ConstraintPre>,
}

impl Copy {
    fn new(sandbox: Sandbox, checked: &Checked) -> Self {
        let constraint = Arc::new(enabled(checked, None, "{}", sandbox.limits()));
        let constraints = ConstraintSet { generation: 1, constraints: vec![constraint], ..ConstraintSet::default() };
        Self { sandbox, constraints, pre: Arc::clone(&checked.pre) }
    }

    /// By itself in this thread, or as the server has it asked: admitted, and moved to the guests' threads at a tick.
    async fn judge(&self, tenant: TenantId, planned: &PlannedChange, alone: bool) -> Evaluation {
        let directory: Arc<dyn DirectoryView> = Arc::new(Residents::default());
        let operation = operation(planned.clone());
        let evaluation = if alone {
            let (constraint, pre) = (&self.constraints.constraints[0], Ok(Arc::clone(&self.pre)));
            self.sandbox.runner().evaluate(tenant, constraint, pre, &operation, &directory).await
        } else {
            let place = self.sandbox.admit_write(tenant).unwrap();
            self.sandbox.evaluate(&place, &self.constraints, operation, directory).await.unwrap().remove(0)
        };
        Evaluation { duration_us: 0, ..evaluation }
    }
}

/// Three copies: compiled, compiled anew by another engine, and loaded from the first one's file.
async fn copies(component: &[u8]) -> [Copy; 3] {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = || {
        let cache_dir = Some(folder.path().to_owned());
        Sandbox::new(SandboxConfig { cache_dir, ..SandboxConfig::for_own_components(limits()) }).unwrap()
    };
    let uploading = sandbox();
    let checked = uploading.upload(TENANT, component.to_vec(), &schemas()).await.unwrap();
    let loading = sandbox();
    // There is no source to load it from but the disk.
    let loaded = Checked { pre: loading.load(TENANT, &checked.digest).await.unwrap(), ..checked.clone() };
    let anew = super::world::sandbox(limits());
    let compiled = anew.upload(TENANT, component.to_vec(), &schemas()).await.unwrap();
    assert!(compiled.compile_ms > 0 || !Arc::ptr_eq(&compiled.pre, &checked.pre));
    [Copy::new(uploading, &checked), Copy::new(anew, &compiled), Copy::new(loading, &loaded)]
}

/// Does the same in each of the threads, in a runtime of its own each.
fn in_all_threads<F: Future<Output = ()>>(work: impl Fn(u32) -> F + Sync) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let work = &work;
            scope.spawn(move || Builder::new_current_thread().enable_time().build().unwrap().block_on(work(thread)));
        }
    });
}

/// Judges a change a thousand times by each copy; the one thing that they all come to.
fn judged(name: &str, guest: Guest, planned: &PlannedChange) -> Evaluation {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let component = guest.component();
    let copies = runtime.block_on(copies(&component));
    let first = runtime.block_on(copies[0].judge(TenantId(0), planned, true));
    in_all_threads(async |thread| {
        for run in 0..RUNS / THREADS {
            for (number, copy) in copies.iter().enumerate() {
                let again = copy.judge(TenantId(i64::from(thread)), planned, run % 2 == 0).await;
                assert_eq!(again, first, "{name}: run {run} of copy {number} in thread {thread}");
            }
        }
    });
    first
}

fn fault_of(name: &str, guest: Guest) -> ConstraintFault {
    judged(name, guest, &creating(ada())).answer.expect_err("the guest should have broken")
}

fn trap_of(name: &str, body: &str) -> String {
    match fault_of(name, Guest::evaluating(body)) {
        ConstraintFault::Trap { message } => message,
        other => panic!("{name}: {other:?}"),
    }
}

const SPIN: &str = "(loop $again (br $again))";

#[test]
fn what_runs_out_of_fuel_does_so_at_the_same_place() {
    let out_of_fuel = ConstraintFault::OutOfFuel { fuel_max: 200_000 };
    let post_return =
        format!("(func (export \"cabi_post_scruple:constraint/check@0.1.0#evaluate\") (param i32) {SPIN})");
    let filling = "(loop $again (memory.fill (i32.const 65536) (i32.const 1) (i32.const 50000)) (br $again))";
    // The notes tell how far it came.
    let mut counting = Guest::new();
    let (key, value) = (counting.text("turns"), counting.text("another"));
    let counting = counting.evaluate(&format!(
        "(loop $again (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (if (i32.eqz (i32.rem_u (local.get $i) (i32.const 1000))) (then (call $note {key} {value})))
            (br $again))"
    ));
    for (name, guest) in [
        ("a loop", Guest::evaluating(SPIN)),
        ("a loop with notes", counting),
        ("a loop in a call of the host", Guest::reading("userName").realloc(&format!("{SPIN} unreachable"))),
        ("a loop after the answer", Guest::new().with(&post_return)),
        ("much done by each instruction", Guest::evaluating(filling).pages(8)),
    ] {
        assert_eq!(fault_of(name, guest), out_of_fuel, "{name}");
    }
}

#[test]
fn what_takes_too_much_is_stopped_at_the_same_place() {
    // A page at a time, each touched, until it is stopped: how much it has used then is in its memory and its fuel.
    let growing = "(loop $again
        (i32.store8 (i32.shl (memory.grow (i32.const 1)) (i32.const 16)) (i32.const 1)) (br $again))";
    let table = "(loop $again (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $again))";
    let calls = "(loop $again (drop (call $op_time (local.get $op))) (br $again))";
    let aliased = "(return (call $deny_list (i32.const 8192) (i32.const 9000)))";
    let mut looking_up = Guest::new();
    let (kind, filter) = (looking_up.text("User"), looking_up.text("title pr"));
    let looking_up = looking_up
        .evaluate(&format!("(loop $again (call $dir_find {kind} {filter} (i32.const 5) (i32.const 768)) (br $again))"))
        .realloc("(i32.const 65536)")
        .capabilities(&["directory:User"]);
    let host_calls = ConstraintFault::HostCalls { host_calls_max: 200 };
    for (name, guest, expected) in [
        ("memory", Guest::evaluating(growing), ConstraintFault::Memory { memory_bytes_max: 1 << 20 }),
        (
            "a table",
            Guest::evaluating(table).with("(table $t 1 funcref)"),
            ConstraintFault::Tables { table_elements_max: 20_000 },
        ),
        ("calls of the host", Guest::evaluating(calls), host_calls.clone()),
        ("look-ups", looking_up, host_calls),
        ("output", Guest::evaluating(aliased).pages(16), ConstraintFault::Output { output_bytes_max: 256 << 10 }),
    ] {
        assert_eq!(fault_of(name, guest), expected, "{name}");
    }
}

/// Fuel is used at each level, so that the same fuel is the same depth.
#[test]
fn a_stack_overflows_at_the_same_depth() {
    let deep = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))";
    let stack = ConstraintFault::Stack { stack_bytes_max: 512 << 10 };
    let evaluation =
        judged("a recursion", Guest::evaluating("(return (call $deep (local.get $op)))").with(deep), &creating(ada()));
    assert_eq!(evaluation.answer, Err(stack.clone()));
    assert!(evaluation.fuel_used > 10_000, "{}", evaluation.fuel_used);
    let again = Guest::reading("userName").realloc("(return (call $deep (i32.const 0)))").with(deep);
    assert_eq!(fault_of("a recursion in a call of the host", again), stack);
}

#[test]
fn what_breaks_breaks_in_the_same_words() {
    for (name, body, expected) in [
        ("unreachable", "unreachable", "wasm trap: wasm `unreachable` instruction executed"),
        ("a division", "(drop (i32.div_u (i32.const 1) (local.get $i)))", "wasm trap: integer divide by zero"),
        ("an address", "(i32.store (i32.const -8) (i32.const 0))", "wasm trap: out of bounds memory access"),
        (
            "no UTF-8",
            "(i32.store8 (i32.const 8) (i32.const 255)) (return (call $cannot (i32.const 8) (i32.const 1)))",
            "invalid utf-8 sequence of 1 bytes from index 0",
        ),
        ("no handle", "(drop (call $op_time (i32.const 77)))", "unknown handle index 77"),
    ] {
        assert_eq!(trap_of(name, body), expected, "{name}");
    }
    let mut failing = Guest::new();
    let text = failing.text("the policy service is down");
    let fault = fault_of("failing", failing.evaluate(&format!("(call $fail {text})")));
    assert_eq!(fault, ConstraintFault::Failed { message: "the policy service is down".to_owned() });
}

#[test]
fn a_whole_document_and_all_differences_are_read_in_the_same_order() {
    let mut guest = Guest::new();
    let (none, code) = ("(i32.const 0) (i32.const 0) (i32.const 0)", guest.text("not-today"));
    let guest = guest.pages(8).evaluate(&format!(
        "(call $open_after (local.get $op)) (call $doc_json (global.get $doc) {none} (i32.const 768))
         (call $op_differences (local.get $op) {none} (i32.const 768)) (return (call $deny {code}))"
    ));
    let others = (0..50).map(|number| serde_json::json!({ "value": format!("{number}@example.com") }));
    let mut grace = resource("User", 1, serde_json::json!({ "userName": "grace", "title": "Rear Admiral" }));
    grace.attributes.insert("emails".to_owned(), others.collect());
    let evaluation = judged("reading", guest, &super::world::updating(ada(), grace));
    assert!(matches!(evaluation.answer, Ok(Verdict::Deny(_))), "{:?}", evaluation.answer);
    assert_eq!(evaluation.reads.reads.len(), 2, "{:?}", evaluation.reads);
}

#[test]
fn describe_comes_to_the_same_end() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    // Loaded as if they had once been taken, since an upload would end here.
    for (name, guest, expected) in [
        ("a loop", Guest::new().describe(SPIN), ConstraintFault::OutOfFuel { fuel_max: 100_000 }),
        (
            "a start function that loops",
            Guest::new().with(&format!("(func $start {SPIN}) (start $start)")),
            ConstraintFault::OutOfFuel { fuel_max: 100_000 },
        ),
        (
            "a trap",
            Guest::new().describe("unreachable"),
            ConstraintFault::Trap { message: "wasm trap: wasm `unreachable` instruction executed".to_owned() },
        ),
    ] {
        let component = guest.component();
        let sandbox = || {
            let source = Arc::new(Stored::new(&component));
            Sandbox::new(SandboxConfig { source, ..SandboxConfig::for_own_components(limits()) }).unwrap()
        };
        let sandboxes = [sandbox(), sandbox()];
        let pres = sandboxes.each_ref().map(|sandbox| {
            let digest = compile::digest(&component);
            runtime.block_on(sandbox.load(TENANT, &digest)).unwrap()
        });
        in_all_threads(async |_| {
            for _ in 0..RUNS / THREADS {
                for (sandbox, pre) in sandboxes.iter().zip(&pres) {
                    let fault = sandbox.runner().describe(pre).await.expect_err("it should have broken");
                    assert_eq!(fault, expected, "{name}");
                }
            }
        });
    }
}

/// Writes sixteen hexadecimal digits.
const HEX: &str = "(func $hex (param $bits i64) (param $digits i32) (param $length i32) (local $n i32)
    (loop $again
        (i32.store8 (i32.add (i32.const 1000) (local.get $n))
            (i32.load8_u (i32.add (local.get $digits) (i32.wrap_i64 (i64.and (i64.const 15)
                (i64.shr_u (local.get $bits) (i64.extend_i32_u
                    (i32.sub (i32.const 60) (i32.shl (local.get $n) (i32.const 2))))))))))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 16)))))";

/// Which bits a NaN has that an operation makes is left open by WebAssembly, and x86 and ARM differ: the engine sees to it.
#[test]
fn a_nan_has_the_same_bits_whatever_made_it() {
    // Operands out of memory, so that no compiler works them out: 0, infinity, a NaN with a sign and a payload.
    let operands = "(func $z32 (result f32) (f32.load (i32.const 900)))
        (func $z64 (result f64) (f64.load (i32.const 904)))
        (func $odd32 (result f32) (i32.store (i32.const 912) (i32.const 0xffa00001)) (f32.load (i32.const 912)))
        (func $odd64 (result f64)
            (i64.store (i32.const 920) (i64.const 0xfff4000000000001)) (f64.load (i32.const 920)))
        (func $inf32 (result f32) (f32.div (f32.const 1) (call $z32)))
        (func $inf64 (result f64) (f64.div (f64.const 1) (call $z64)))";
    let singles = [
        "(f32.div (call $z32) (call $z32))",
        "(f32.sub (call $inf32) (call $inf32))",
        "(f32.mul (call $inf32) (call $z32))",
        "(f32.sqrt (f32.sub (call $z32) (f32.const 1)))",
        "(f32.add (call $odd32) (f32.const 1))",
        "(f32.min (call $odd32) (f32.const 1))",
        "(f32.max (f32.const 1) (call $odd32))",
        "(f32.ceil (call $odd32))",
        "(f32.nearest (call $odd32))",
        "(f32.demote_f64 (call $odd64))",
        "(f32x4.extract_lane 2 (f32x4.div (f32x4.splat (call $z32)) (f32x4.splat (call $z32))))",
    ];
    let doubles = [
        "(f64.div (call $z64) (call $z64))",
        "(f64.sub (call $inf64) (call $inf64))",
        "(f64.mul (call $inf64) (call $z64))",
        "(f64.sqrt (f64.sub (call $z64) (f64.const 1)))",
        "(f64.add (call $odd64) (f64.const 1))",
        "(f64.min (call $odd64) (f64.const 1))",
        "(f64.floor (call $odd64))",
        "(f64.trunc (call $odd64))",
        "(f64.promote_f32 (call $odd32))",
        "(f64x2.extract_lane 1 (f64x2.sqrt (f64x2.splat (call $odd64))))",
    ];
    let mut guest = Guest::new();
    let digits = guest.text("0123456789abcdef");
    let mut body = String::new();
    let mut expected = Vec::new();
    let bits = singles
        .map(|single| (single, format!("(i64.extend_i32_u (i32.reinterpret_f32 {single}))"), "000000007fc00000"))
        .into_iter()
        .chain(doubles.map(|double| (double, format!("(i64.reinterpret_f64 {double})"), "7ff8000000000000")));
    for (operation, bits, canonical) in bits {
        let key = guest.text(operation);
        body += &format!("(call $hex {bits} {digits}) (call $note {key} (i32.const 1000) (i32.const 16))");
        expected.push((operation.to_owned(), canonical.to_owned()));
    }
    let guest = guest.with(HEX).with(operands).evaluate(&format!("{body} (return (call $allow))"));
    let evaluation = judged("NaN", guest, &creating(ada()));
    assert_eq!(evaluation.notes, expected);
}

/// How much a guest may have is its limit's affair and not the host's: up to it every growth succeeds, beyond it none does.
#[test]
fn memory_grows_to_the_limit_and_never_beyond() {
    let grown = |pages: u32, memory: &str| {
        let body = format!("(if (i32.eq (memory.grow (i32.const {pages})) (i32.const {memory})) (then unreachable))");
        Guest::evaluating(&format!("{body} (return (call $allow))"))
    };
    // It has 2 pages, may have 16, and is never told that there are no more.
    let evaluation = judged("all of it", grown(14, "-1"), &creating(ada()));
    assert_eq!((evaluation.answer, evaluation.memory_bytes), (Ok(Verdict::Allow), 1 << 20));
    let memory = ConstraintFault::Memory { memory_bytes_max: 1 << 20 };
    assert_eq!(fault_of("a page too many", grown(15, "0")), memory);
    assert_eq!(fault_of("more than there can be", grown(u32::MAX, "0")), memory);
}

#[test]
fn what_may_differ_from_host_to_host_is_refused() {
    let engine = crate::constraints::engine::build_engine(&Limits::default()).unwrap();
    for (name, module, expected) in [
        (
            "relaxed SIMD",
            "(func (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0)))",
            "relaxed SIMD support is not enabled",
        ),
        ("shared memory", "(memory 1 1 shared)", "threads must be enabled for shared memories"),
        ("atomics", "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))", "threads support is not enabled"),
        ("a 64-bit memory", "(memory i64 1)", "memory64 must be enabled for 64-bit memories"),
    ] {
        let component = wat::parse_str(format!("(component (core module {module}))")).unwrap();
        let error = wasmtime::component::Component::from_binary(&engine, &component).map(drop).unwrap_err();
        assert!(format!("{error:#}").contains(expected), "{name}: {error:#}");
    }
}
