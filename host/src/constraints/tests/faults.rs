//! One hostile guest per limit, and every way in which an answer is no answer.

use serde_json::json;

use super::guest::Guest;
use super::world::{Residents, TENANT, ada, ask, ask_with, assert_allowed, creating, fault_of, resource};
use crate::constraints::Limits;
use crate::decision::{ConstraintFault, Verdict};

const SPIN: &str = "(loop $again (br $again))";

#[tokio::test]
async fn a_guest_that_never_returns_runs_out_of_fuel() {
    let fault = fault_of(Guest::evaluating(SPIN), Limits::default()).await;
    assert_eq!(fault, ConstraintFault::OutOfFuel { fuel_max: 10_000_000 });
}

#[tokio::test]
async fn a_guest_that_never_gets_through_its_start_function_runs_out_of_fuel() {
    let guest = Guest::new()
        .with("(global $armed (mut i32) (i32.const 0))")
        .with(&format!("(func $start {SPIN}) (start $start)"));
    let sandbox = super::world::sandbox(Limits::default());
    let error = sandbox.upload(TENANT, guest.component(), &super::world::schemas()).await.unwrap_err();
    assert_eq!(error.to_string(), "`describe` failed: the constraint used all of its fuel (10000000)");
}

#[tokio::test]
async fn a_guest_with_fuel_left_is_stopped_at_the_deadline() {
    let limits = Limits { fuel_max: u64::MAX / 2, deadline_ms: 20, ..Limits::default() };
    assert_eq!(fault_of(Guest::evaluating(SPIN), limits).await, ConstraintFault::Deadline { deadline_ms: 20 });
}

#[tokio::test]
async fn a_guest_that_keeps_the_host_busy_is_stopped_at_the_deadline() {
    let emails: Vec<_> = (0..100_000).map(|number| json!({ "value": format!("{number}@example.com") })).collect();
    let large = resource("User", 1, json!({ "userName": "ada", "emails": emails }));
    let mut guest = Guest::new();
    let path = guest.text("emails[value co \"nobody\"]");
    // No tick stops a guest in the middle of a call of the host: the next call does.
    let guest = guest.evaluate(&format!(
        "(call $open_after (local.get $op))
         (loop $again
            (call $doc_has (global.get $doc) {path} (i32.const 768))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 10))))
         (return (call $allow))"
    ));
    let limits = Limits { deadline_ms: 30, ..Limits::default() };
    let evaluation = ask_with(guest, creating(large), None, limits, Residents::default()).await;
    assert_eq!(evaluation.answer, Err(ConstraintFault::Deadline { deadline_ms: 30 }));
}

#[tokio::test]
async fn a_guest_that_grows_its_memory_too_far_is_stopped() {
    let guest = Guest::evaluating("(drop (memory.grow (i32.const 600)))");
    let memory_bytes_max = 32 << 20;
    assert_eq!(fault_of(guest, Limits::default()).await, ConstraintFault::Memory { memory_bytes_max });
}

#[tokio::test]
async fn a_guest_that_grows_its_table_too_far_is_stopped() {
    let guest =
        Guest::evaluating("(drop (table.grow $t (ref.null func) (i32.const 20000)))").with("(table $t 1 funcref)");
    let table_elements_max = 20_000;
    assert_eq!(fault_of(guest, Limits::default()).await, ConstraintFault::Tables { table_elements_max });
}

#[tokio::test]
async fn a_guest_that_recurses_without_end_overflows_its_stack() {
    let guest = Guest::evaluating("(return (call $deep (local.get $op)))")
        .with("(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))");
    let stack_bytes_max = 512 << 10;
    assert_eq!(fault_of(guest, Limits::default()).await, ConstraintFault::Stack { stack_bytes_max });
}

#[tokio::test]
async fn a_guest_that_floods_the_host_with_calls_is_stopped() {
    let guest = Guest::evaluating("(loop $again (drop (call $op_time (local.get $op))) (br $again))");
    assert_eq!(fault_of(guest, Limits::default()).await, ConstraintFault::HostCalls { host_calls_max: 10_000 });
}

#[tokio::test]
async fn a_guest_that_hands_over_too_much_in_a_call_is_stopped() {
    let mut guest = Guest::new();
    let key = guest.text("key");
    let guest = guest
        .evaluate(&format!("(drop (memory.grow (i32.const 8))) (call $note {key} (i32.const 0) (i32.const 300000))"));
    let output_bytes_max = 256 << 10;
    assert_eq!(fault_of(guest, Limits::default()).await, ConstraintFault::Output { output_bytes_max });
}

#[tokio::test]
async fn a_guest_whose_answer_is_amplified_by_aliasing_is_stopped() {
    // Every reason of the list is the same bytes: cheap for the guest, 36 bytes each for the host.
    let guest = Guest::evaluating("(return (call $deny_list (i32.const 8192) (i32.const 3000)))");
    let output_bytes_max = 64 << 10;
    let limits = Limits { output_bytes_max, ..Limits::default() };
    assert_eq!(fault_of(guest, limits).await, ConstraintFault::Output { output_bytes_max });
}

#[tokio::test]
async fn a_trap_is_told_in_its_own_words() {
    let fault = fault_of(Guest::evaluating("unreachable"), Limits::default()).await;
    assert_eq!(fault.to_string(), "the constraint trapped: wasm trap: wasm `unreachable` instruction executed");
}

#[tokio::test]
async fn an_error_and_a_failure_are_faults_with_the_guests_message() {
    for call in ["(return (call $cannot TEXT))", "(call $fail TEXT)"] {
        let mut guest = Guest::new();
        let text = guest.text("the policy service is down");
        let fault = fault_of(guest.evaluate(&call.replace("TEXT", &text)), Limits::default()).await;
        assert_eq!(fault, ConstraintFault::Failed { message: "the policy service is down".into() });
    }
}

#[tokio::test]
async fn an_answer_that_the_contract_does_not_allow_is_named() {
    async fn check(guest: Guest, expected: &str) {
        match fault_of(guest, Limits::default()).await {
            ConstraintFault::BadOutput { detail } => assert_eq!(detail, expected),
            other => panic!("{other:?}"),
        }
    }
    check(Guest::evaluating("(return (call $deny_list (i32.const 0) (i32.const 0)))"), "a denial without a reason")
        .await;
    check(
        Guest::evaluating("(return (call $deny_list (i32.const 8192) (i32.const 33)))"),
        "a denial with 33 reasons, more than the limit of 32",
    )
    .await;
    let mut guest = Guest::new();
    let code = guest.text("Not A Code");
    check(
        guest.evaluate(&format!("(return (call $deny {code}))")),
        "the code of a reason `Not A Code` is not made of lower-case letters, digits, `-`, `_`, `.`",
    )
    .await;
    let mut guest = Guest::new();
    let (code, keyword) = (guest.text("code"), guest.text("nonsense"));
    let pointers: Vec<&str> = keyword.split_inclusive(')').collect();
    let scim_type = format!(
        "(i32.store8 (i32.const 664) (i32.const 1)) (i32.store (i32.const 668) {}) (i32.store (i32.const 672) {})",
        pointers[0], pointers[1],
    );
    check(
        guest.evaluate(&format!("{scim_type} (return (call $deny {code}))")),
        "`nonsense` is no scimType of RFC 7644 table 9",
    )
    .await;
}

#[tokio::test]
async fn a_denial_is_not_a_fault() {
    let mut guest = Guest::new();
    let code = guest.text("not-today");
    let evaluation = ask(guest.evaluate(&format!("(return (call $deny {code}))")), creating(ada())).await;
    match evaluation.answer {
        Ok(Verdict::Deny(reasons)) => assert_eq!(reasons[0].code, "not-today"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_same_evaluation_uses_the_same_fuel_every_time() {
    let mut fuel = Vec::new();
    for _ in 0..5 {
        let evaluation = ask(Guest::reading("userName"), creating(ada())).await;
        assert_allowed(&evaluation);
        fuel.push(evaluation.fuel_used);
    }
    assert!(fuel[0] > 0);
    assert!(fuel.iter().all(|used| *used == fuel[0]), "{fuel:?}");
}

#[tokio::test]
async fn warnings_and_notes_are_kept_beside_the_verdict_and_too_many_are_a_fault() {
    let mut guest = Guest::new();
    let (key, value) = (guest.text("domain"), guest.text("example.com"));
    let note = format!("(call $note {key} {value})");
    let evaluation = ask(guest.evaluate(&format!("{note} (return (call $allow))")), creating(ada())).await;
    assert_allowed(&evaluation);
    assert_eq!(evaluation.notes, [("domain".to_owned(), "example.com".to_owned())]);

    let mut guest = Guest::new();
    let (key, value) = (guest.text("domain"), guest.text("example.com"));
    let fault =
        fault_of(guest.evaluate(&format!("(loop $again (call $note {key} {value}) (br $again))")), Limits::default());
    assert_eq!(fault.await, ConstraintFault::BadOutput { detail: "more than 32 notes".into() });
}

#[tokio::test]
async fn an_explanation_that_is_too_long_is_cut_and_the_verdict_stands() {
    let mut guest = Guest::new();
    let code = guest.text("write-once");
    let message = guest.text(&"ü".repeat(2_500));
    let path = guest.text(&"p".repeat(3_000));
    let words = |text: &str, at: u32| {
        let parts: Vec<&str> = text.split_inclusive(')').collect();
        format!("(i32.store (i32.const {at}) {}) (i32.store (i32.const {}) {})", parts[0], at + 4, parts[1])
    };
    // A reason at 640: code, message, the list of one path (at 700), no scimType.
    let reason = [words(&code, 640), words(&message, 648), words(&path, 700)].concat();
    let paths = "(i32.store (i32.const 656) (i32.const 700)) (i32.store (i32.const 660) (i32.const 1))";
    let (key, value) = (guest.text(&"k".repeat(300)), guest.text(&"v".repeat(2_048)));
    let warn = format!(
        "(call $warn {code} {message} (i32.const 700) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))"
    );
    let guest = guest.evaluate(&format!(
        "{reason} {paths} {warn} (call $note {key} {value}) (return (call $deny_list (i32.const 640) (i32.const 1)))"
    ));
    let evaluation = ask(guest, creating(ada())).await;
    let Ok(Verdict::Deny(reasons)) = &evaluation.answer else { panic!("{:?}", evaluation.answer) };
    // 4,096 bytes, less 3 for the `…`, is in the middle of an `ü`.
    assert_eq!(reasons[0].message, format!("{}…", "ü".repeat(2_046)));
    assert_eq!(reasons[0].paths, [format!("{}…", "p".repeat(2_045))]);
    assert_eq!(evaluation.warnings, *reasons);
    assert_eq!(evaluation.notes, [(format!("{}…", "k".repeat(253)), format!("{}…", "v".repeat(1_021)))]);
}

#[tokio::test]
async fn warnings_beyond_their_bytes_are_left_out_and_the_verdict_stands() {
    let mut guest = Guest::new();
    let (code, message) = (guest.text("long"), guest.text(&"m".repeat(1_000)));
    let nothing = "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)";
    let warn = format!("(call $warn {code} {message} {nothing})");
    let limits = Limits { warnings_bytes_max: 2_100, ..Limits::default() };
    let guest = guest.evaluate(&format!("{warn} {warn} {warn} (return (call $allow))"));
    let evaluation = ask_with(guest, creating(ada()), None, limits, Residents::default()).await;
    assert_allowed(&evaluation);
    assert_eq!(evaluation.warnings.len(), 2);
}
