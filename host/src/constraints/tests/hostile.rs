//! Guests that do what the contract does not foresee: in the host's calls, with handles, in memory, before they are asked.

use std::io;
use std::sync::{Arc, Mutex};

use super::guest::Guest;
use super::world::{Residents, TENANT, ada, ask, ask_with, assert_allowed, creating, fault_of, sandbox, schemas};
use crate::constraints::Limits;
use crate::decision::ConstraintFault;

const OUT_OF_FUEL: ConstraintFault = ConstraintFault::OutOfFuel { fuel_max: 10_000_000 };

async fn trap_of(guest: Guest) -> String {
    match fault_of(guest, Limits::default()).await {
        ConstraintFault::Trap { message } => message,
        other => panic!("{other:?}"),
    }
}

async fn refusal_of(guest: Guest) -> String {
    sandbox(Limits::default()).upload(TENANT, guest.component(), &schemas()).await.unwrap_err().to_string()
}

/// To give the guest an answer, the host calls the guest: it asks it for room in its memory.
#[tokio::test]
async fn a_guest_that_does_not_let_go_of_a_call_of_the_host_runs_out_of_fuel() {
    let looping = Guest::reading("userName").realloc("(loop $again (br $again)) unreachable");
    assert_eq!(fault_of(looping, Limits::default()).await, OUT_OF_FUEL);
}

#[tokio::test]
async fn room_that_is_none_is_a_trap() {
    let message = trap_of(Guest::reading("userName").realloc("(i32.const -8)")).await;
    assert_eq!(message, "realloc return: beyond end of memory");
    let message = trap_of(Guest::reading("userName").realloc("unreachable")).await;
    assert_eq!(message, "wasm trap: wasm `unreachable` instruction executed");
    let message = trap_of(
        Guest::reading("userName").realloc("(call $log (i32.const 1) (i32.const 0) (i32.const 0)) (i32.const 8)"),
    )
    .await;
    assert_eq!(message, "wasm trap: cannot leave component instance");
}

/// Each time the engine enters a guest it gives it a whole stack, below what the host uses at that moment. So a guest that
/// has used up nearly all of its stack gets another one when it is asked for room: both, and the host's part between
/// them, have to fit on the fiber, or else the whole process ends.
#[tokio::test]
async fn a_guest_that_fills_a_second_stack_in_a_call_of_the_host_ends_itself_alone() {
    let down = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))
        (global $armed (mut i32) (i32.const 0))
        (func $down (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
                (else (if (global.get $armed) (then (call $read PATH))) (i32.const 0))))";
    let going_down = |depth: u32, armed: u32| {
        let mut guest = Guest::new();
        let path = guest.text("userName");
        guest
            .with(&down.replace("PATH", &path))
            .realloc("(if (global.get $armed) (then (return (call $deep (i32.const 0))))) (i32.const 65536)")
            .evaluate(&format!(
                "(call $open_after (local.get $op)) (global.set $armed (i32.const {armed}))
                 (drop (call $down (i32.const {depth}))) (return (call $allow))"
            ))
    };
    let stack = ConstraintFault::Stack { stack_bytes_max: 512 << 10 };
    // The greatest depth that it comes back from, when it does nothing down there.
    let (mut fits, mut overflows) = (0, 100_000);
    while fits + 1 < overflows {
        let depth = u32::midpoint(fits, overflows);
        match ask(going_down(depth, 0), creating(ada())).await.answer {
            Ok(_) => fits = depth,
            Err(fault) => {
                assert_eq!(fault, stack);
                overflows = depth;
            }
        }
    }
    // From a stack that is as full as can be to one that has 5 % left.
    for depth in (fits - fits / 20..=fits).step_by(20) {
        assert_eq!(fault_of(going_down(depth, 1), Limits::default()).await, stack, "at depth {depth} of {fits}");
    }
}

/// When its answer has been taken, the guest is called once more, to free it.
#[tokio::test]
async fn a_guest_that_loops_after_its_answer_runs_out_of_fuel() {
    let after =
        "(func (export \"cabi_post_scruple:constraint/check@0.1.0#evaluate\") (param i32) (loop $again (br $again)))";
    assert_eq!(fault_of(Guest::new().with(after), Limits::default()).await, OUT_OF_FUEL);
}

#[tokio::test]
async fn a_guest_may_touch_all_of_the_memory_that_it_may_have() {
    let touching = "(drop (memory.grow (i32.const 510)))
        (loop $again (i32.store8 (local.get $i) (i32.const 0)) (local.set $i (i32.add (local.get $i) (i32.const 4096)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 33554432))))
        (return (call $allow))";
    // Of the pages it touches, some hold what it was made of.
    let evaluation =
        ask(Guest::evaluating(&touching.replace("(i32.store8", "(i32.store8 offset=8")), creating(ada())).await;
    assert_allowed(&evaluation);
    assert_eq!(evaluation.memory_bytes, 32 << 20);
}

/// One instruction may fill 32 MB, and costs as much fuel.
#[tokio::test]
async fn a_guest_that_has_much_done_by_each_instruction_runs_out_of_fuel() {
    let filling = "(drop (memory.grow (i32.const 500)))
        (loop $again (memory.fill (i32.const 65536) (i32.const 1) (i32.const 32000000)) (br $again))";
    assert_eq!(fault_of(Guest::evaluating(filling), Limits::default()).await, OUT_OF_FUEL);
}

#[tokio::test]
async fn what_a_guest_declares_to_need_is_limited_like_what_it_takes() {
    let message = refusal_of(Guest::new().pages(600)).await;
    assert_eq!(message, "`describe` failed: the constraint asked for more than 33554432 bytes of memory");
    let message = refusal_of(Guest::new().with("(table 20001 funcref)")).await;
    assert_eq!(message, "`describe` failed: the constraint asked for more than 20000 table elements");
    // What no slot of the pool has room for is refused before it is asked anything.
    // A module has one memory; a component of several may have more.
    let tables = "(table 0 funcref)".repeat(9);
    for too_much in [
        Guest::new().pages(2_000),
        Guest::new().with("(table 50000 funcref)"),
        Guest::new().with("(memory 0)"),
        Guest::new().with(&tables),
    ] {
        let message = refusal_of(too_much).await;
        assert!(message.starts_with("the component cannot be compiled: "), "{message}");
    }
}

#[tokio::test]
async fn a_guest_that_traps_in_its_start_function_is_refused() {
    let message = refusal_of(Guest::new().with("(func $start unreachable) (start $start)")).await;
    assert_eq!(
        message,
        "`describe` failed: the constraint trapped: wasm trap: wasm `unreachable` instruction executed"
    );
}

/// What it does wrong before it is asked anything is its own fault and not the host's: `unavailable` would say that.
#[tokio::test]
async fn a_guest_that_hands_over_what_is_no_handle_before_it_is_asked_is_at_fault_itself() {
    let early = Guest::new().with("(func (export \"_initialize\") (call $doc_drop (i32.const 99)))");
    let message = refusal_of(early).await;
    assert_eq!(message, "`describe` failed: the constraint trapped: unknown handle index 99");
}

#[tokio::test]
async fn a_million_reasons_and_a_hundred_megabytes_are_not_taken_out_of_the_guest() {
    let output = ConstraintFault::Output { output_bytes_max: 256 << 10 };
    let reasons =
        "(drop (memory.grow (i32.const 500))) (return (call $deny_list (i32.const 65536) (i32.const 800000)))";
    assert_eq!(fault_of(Guest::evaluating(reasons), Limits::default()).await, output);
    let text = "(drop (memory.grow (i32.const 500))) (return (call $cannot (i32.const 65536) (i32.const 32000000)))";
    assert_eq!(fault_of(Guest::evaluating(text), Limits::default()).await, output);
    // More than its memory has is not there to be taken.
    for (answer, what) in [("deny_list", "list"), ("cannot", "string")] {
        let more = format!("(return (call ${answer} (i32.const 65536) (i32.const 100000000)))");
        let message = trap_of(Guest::evaluating(&more)).await;
        assert_eq!(message, format!("{what} pointer/length out of bounds of memory"));
    }
}

#[tokio::test]
async fn what_is_no_value_of_its_type_is_a_trap() {
    let invalid = "(i32.store8 (i32.const 8) (i32.const 255)) (return (call $cannot (i32.const 8) (i32.const 1)))";
    let message = trap_of(Guest::evaluating(invalid)).await;
    assert_eq!(message, "invalid utf-8 sequence of 1 bytes from index 0");
    let unknown = "(drop (call $allow)) (i32.store8 (i32.const 516) (i32.const 99)) (return (i32.const 512))";
    assert_eq!(trap_of(Guest::evaluating(unknown)).await, "unexpected discriminant: 99");
    let outside = "(return (i32.const -8))";
    assert_eq!(trap_of(Guest::evaluating(outside)).await, "pointer out of bounds of memory");
}

#[tokio::test]
async fn a_handle_that_is_none_any_more_or_of_something_else_is_a_trap() {
    let time = "(drop (call $op_time HANDLE))";
    let check = async |body: String, expected: &str| {
        let message = trap_of(Guest::evaluating(&body)).await;
        assert!(message.starts_with(expected), "{body}: {message}");
    };
    check(time.replace("HANDLE", "(i32.const 0)"), "unknown handle index 0").await;
    check(time.replace("HANDLE", "(i32.const 77)"), "unknown handle index 77").await;
    check(time.replace("HANDLE", "(i32.const -1)"), "unknown handle index 4294967295").await;
    let op = "(local.get $op)";
    let drop = "(call $op_drop (local.get $op))";
    check(format!("{drop} {drop}"), "unknown handle index").await;
    check(format!("{drop} {}", time.replace("HANDLE", op)), "unknown handle index").await;
    let document = format!("(call $open_after {op}) {}", time.replace("HANDLE", "(global.get $doc)"));
    check(document, "handle index 2 used with the wrong type").await;
}

#[tokio::test]
async fn handles_that_are_kept_go_with_the_instance() {
    let keeping = "(loop $again (call $open_after (local.get $op))
            (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $again (i32.lt_u (local.get $i) (i32.const 9999))))
        (return (call $allow))";
    assert_allowed(&ask(Guest::evaluating(keeping), creating(ada())).await);
}

#[tokio::test]
async fn a_guest_that_goes_on_when_its_look_ups_are_used_up_is_stopped_by_its_calls() {
    let mut guest = Guest::new();
    let (kind, filter) = (guest.text("User"), guest.text("title pr"));
    let flood = format!("(loop $again (call $dir_count {kind} {filter} (i32.const 768)) (br $again))");
    let guest = guest.evaluate(&flood).realloc("(i32.const 65536)").capabilities(&["directory:User"]);
    // Without optimisation, on a busy processor, so many calls take about as long as a guest may.
    let patient = Limits { deadline_ms: 60_000, ..Limits::default() };
    let evaluation = ask_with(guest, creating(ada()), None, patient, Residents::default()).await;
    assert_eq!(evaluation.answer, Err(ConstraintFault::HostCalls { host_calls_max: 10_000 }));
    // The look-up, and that there were too many.
    assert_eq!(evaluation.reads.reads.len(), 2);
}

#[tokio::test]
async fn a_guest_cannot_say_another_name_the_next_time() {
    // It counts how often it was asked, and would answer the second time with a name of another length.
    let counting = "(global $asked (mut i32) (i32.const 0))";
    let describe = "(global.set $asked (i32.add (global.get $asked) (i32.const 1)))
        (if (i32.gt_u (global.get $asked) (i32.const 1)) (then unreachable))";
    let component = Guest::new().with(counting).describe(describe).component();
    let sandbox = sandbox(Limits::default());
    let first = sandbox.upload(TENANT, component.clone(), &schemas()).await.unwrap();
    let second = sandbox.upload(TENANT, component, &schemas()).await.unwrap();
    assert_eq!(first.descriptor, second.descriptor);
}

/// The bits of a NaN, whether memory grew, in which order things come: the same, and so the fuel is, too.
#[tokio::test]
async fn what_could_differ_from_run_to_run_does_not() {
    let mut guest = Guest::new();
    let (key, everything) = (guest.text("bits"), "(i32.const 0) (i32.const 0) (i32.const 0)");
    // The sign and the payload of 0/0, the size before and after growing, and the whole document, as a note.
    let guest = guest.evaluate(&format!(
        "(i32.store (i32.const 900) (i32.or (i32.const 808464432) (i32.shr_u
            (i32.reinterpret_f32 (f32.div (f32.const 0) (f32.const 0))) (i32.const 31))))
         (i32.store (i32.const 904) (i32.add (i32.const 808464432) (memory.grow (i32.const 3))))
         (i32.store (i32.const 908) (i32.add (i32.const 808464432) (memory.size)))
         (call $note {key} (i32.const 900) (i32.const 12))
         (call $open_after (local.get $op)) (call $doc_json (global.get $doc) {everything} (i32.const 768))
         (return (call $allow))"
    ));
    let component = guest.component();
    let sandbox = sandbox(Limits::default());
    let checked = sandbox.upload(TENANT, component, &schemas()).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..10 {
        let constraint = Arc::new(super::world::enabled(&checked, None, "{}", sandbox.limits()));
        let set =
            crate::constraints::ConstraintSet { generation: 1, constraints: vec![constraint], ..Default::default() };
        let place = sandbox.admit_write(TENANT).unwrap();
        let asked =
            sandbox.evaluate(&place, &set, super::world::operation(creating(ada())), Arc::new(Residents::default()));
        let evaluation = asked.await.unwrap().remove(0);
        assert_allowed(&evaluation);
        seen.push((format!("{:?} {:?}", evaluation.notes, evaluation.reads), evaluation.fuel_used));
    }
    assert!(seen[0].0.contains("000020005000"), "{}", seen[0].0);
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}

#[tokio::test]
async fn two_bytes_of_data_far_apart_do_not_become_all_that_is_between_them() {
    let far = Guest::new().pages(255).with("(data (i32.const 16700000) \"x\")");
    let checked = sandbox(Limits::default()).upload(TENANT, far.component(), &schemas()).await.unwrap();
    let image = checked.pre.component().image_range();
    let bytes = image.end.addr() - image.start.addr();
    assert!(bytes < 1 << 20, "{bytes} bytes");
}

/// What was logged, shared with who looks at it.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_log_that_never_ends_is_cut_and_no_line_of_it_is_anybody_elses() {
    let mut guest = Guest::new();
    let line = guest.text(&format!("{}\n2026-01-01T00:00:00Z ERROR scruple: \u{1b}[31mforged", "x".repeat(100)));
    let flood = format!(
        "(loop $again (call $log (i32.const 1) {line}) (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 1000)))) (return (call $allow))"
    );
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // For all threads, since the guest goes on where guests run. No other test of this program listens.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    assert_allowed(&ask(guest.evaluate(&flood), creating(ada())).await);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("xxx") || line.contains("forged")).collect();
    // 8 KiB in lines of 154 bytes, escapes included, and a part of one.
    assert_eq!(lines.len(), (8 << 10) / 154 + 1);
    assert!(lines.iter().all(|line| line.contains("scruple::guest") && !line.contains('\u{1b}')), "{text}");
}
