//! A limit without a guest does not pass: each field of [`Limits`], and so each setting of `[sandbox]`, has a guest that
//! comes out differently under the limit made small and under the default, and nothing else was changed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::guest::Guest;
use super::world::{Residents, TENANT, ada, creating, enabled, id, operation, resource, sandbox, schemas, updating};
use crate::constraints::{ConstraintSet, Limits};
use crate::decision::TenantId;
use crate::scim::resource::Member;

/// A limit made small, and who is to feel it.
struct Case {
    name: &'static str,
    small: fn(&mut Limits),
    guest: fn() -> Guest,
    /// What is seen of it when it does.
    expected: &'static str,
}

const SPIN_A_WHILE: &str = "(loop $again
    (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $again (i32.lt_u (local.get $i) (i32.const 100000))))";

/// A guest that denies with a message and a path of so many bytes.
fn denying(code: &str, message_bytes: usize, path_bytes: usize) -> Guest {
    let mut guest = Guest::new();
    let (code, message) = (guest.text(code), guest.text(&"m".repeat(message_bytes)));
    let path = guest.text(&"p".repeat(path_bytes));
    let stored = |text: &str, at: u32| {
        let (pointer, length) = text.split_once(") ").unwrap();
        format!("(i32.store (i32.const {at}) {pointer})) (i32.store (i32.const {}) {length})", at + 4)
    };
    // A reason at 640: code, message, the list of one path at 700.
    let reason = [stored(&code, 640), stored(&message, 648), stored(&path, 700)].concat();
    let paths = "(i32.store (i32.const 656) (i32.const 700)) (i32.store (i32.const 660) (i32.const 1))";
    guest.evaluate(&format!("{reason} {paths} (return (call $deny_list (i32.const 640) (i32.const 1)))"))
}

fn calling(texts: &[&str], body: &str) -> Guest {
    let mut guest = Guest::new();
    let placed: Vec<String> = texts.iter().map(|text| guest.text(text)).collect();
    let body =
        placed.iter().enumerate().fold(body.to_owned(), |body, (at, text)| body.replace(&format!("TEXT{at}"), text));
    guest.evaluate(&format!("{body} (return (call $allow))")).capabilities(&["directory:User", "directory:Group"])
}

const COUNT: &str = "(call $dir_count TEXT0 TEXT1 (i32.const 768))";

const CASES: &[Case] = &[
    Case {
        name: "fuel_max",
        small: |limits| limits.fuel_max = 10_000,
        guest: || Guest::evaluating(&format!("{SPIN_A_WHILE} (return (call $allow))")),
        expected: "OutOfFuel { fuel_max: 10000 }",
    },
    Case {
        name: "fuel_about_max",
        small: |limits| limits.fuel_about_max = 10_000,
        guest: || Guest::new().describe(SPIN_A_WHILE),
        expected: "used all of its fuel (10000)",
    },
    Case {
        name: "deadline_ms",
        small: |limits| limits.deadline_ms = 2,
        // Three milliseconds of fuel and ten of page faults.
        guest: || {
            let spin = SPIN_A_WHILE.replace("100000", "1000000");
            Guest::evaluating(&format!(
                "(loop $page (i32.store8 offset=65536 (local.get $j) (i32.const 1))
                    (local.set $j (i32.add (local.get $j) (i32.const 4096)))
                    (br_if $page (i32.lt_u (local.get $j) (i32.const 33000000))))
                 {spin} (return (call $allow))"
            ))
            .pages(512)
        },
        expected: "Deadline { deadline_ms: 2 }",
    },
    Case {
        name: "look_up_wait_ms",
        small: |limits| limits.look_up_wait_ms = 1,
        guest: || calling(&["User", "title pr"], COUNT),
        expected: "unavailable",
    },
    Case {
        name: "memory_bytes_max",
        small: |limits| limits.memory_bytes_max = 1 << 20,
        guest: || Guest::evaluating("(drop (memory.grow (i32.const 100))) (return (call $allow))"),
        expected: "1048576",
    },
    Case {
        name: "table_elements_max",
        small: |limits| limits.table_elements_max = 100,
        guest: || {
            Guest::evaluating("(drop (table.grow $t (ref.null func) (i32.const 100))) (return (call $allow))")
                .with("(table $t 1 funcref)")
        },
        expected: "Tables { table_elements_max: 100 }",
    },
    Case {
        name: "stack_bytes_max",
        small: |limits| limits.stack_bytes_max = 128 << 10,
        guest: || {
            Guest::evaluating("(drop (call $deep (i32.const 5000))) (return (call $allow))").with(
                "(func $deep (param i32) (result i32) (if (result i32) (local.get 0)
                    (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
                    (else (i32.const 0))))",
            )
        },
        expected: "Stack { stack_bytes_max: 131072 }",
    },
    Case {
        name: "host_calls_max",
        small: |limits| limits.host_calls_max = 1,
        guest: || {
            let call = "(drop (call $op_time (local.get $op)))";
            Guest::evaluating(&format!("{call} {call} (return (call $allow))"))
        },
        expected: "HostCalls { host_calls_max: 1 }",
    },
    Case {
        name: "output_bytes_max",
        small: |limits| limits.output_bytes_max = 2_000,
        guest: || denying("code", 3_000, 10),
        expected: "Output { output_bytes_max: 2000 }",
    },
    Case {
        name: "read_bytes_max",
        small: |limits| limits.read_bytes_max = 10,
        guest: || calling(&["userName"], "(call $open_after (local.get $op)) (call $read TEXT0)"),
        expected: "budget-exhausted",
    },
    Case {
        name: "look_ups_max",
        small: |limits| limits.look_ups_max = 1,
        guest: || calling(&["User", "title pr"], &[COUNT, COUNT].concat()),
        expected: "budget-exhausted",
    },
    Case {
        name: "table_look_ups_max",
        small: |limits| limits.table_look_ups_max = 1,
        guest: || {
            let look = "(call $table_contains TEXT0 TEXT1 (i32.const 768))";
            calling(&["departments", "D-7"], &[look, look].concat()).capabilities(&["tables:departments"])
        },
        expected: "budget-exhausted",
    },
    Case {
        name: "find_results_max",
        small: |limits| limits.find_results_max = 1,
        guest: || calling(&["User", "userName pr"], "(call $dir_find TEXT0 TEXT1 (i32.const 50) (i32.const 768))"),
        expected: "limit: 1",
    },
    Case {
        name: "members_read_max",
        small: |limits| limits.members_read_max = 1,
        guest: || {
            calling(
                &["members"],
                "(call $open_after (local.get $op)) (call $doc_read-all (global.get $doc) TEXT0 (i32.const 768))",
            )
        },
        expected: "budget-exhausted",
    },
    Case {
        name: "reasons_max",
        small: |limits| limits.reasons_max = 0,
        guest: || denying("code", 10, 10),
        expected: "a denial with 1 reasons, more than the limit of 0",
    },
    Case {
        name: "warnings_bytes_max",
        small: |limits| limits.warnings_bytes_max = 10,
        guest: || {
            calling(
                &["code", "some message"],
                "(call $warn TEXT0 TEXT1 (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
            )
        },
        expected: "warnings: []",
    },
    Case {
        name: "reason_paths_max",
        small: |limits| limits.reason_paths_max = 0,
        guest: || denying("code", 10, 10),
        expected: "a reason with 1 paths, more than the limit of 0",
    },
    Case {
        name: "code_bytes_max",
        // The name of the plugin has five.
        small: |limits| limits.code_bytes_max = 5,
        guest: || denying("a-code", 10, 10),
        expected: "a code of a reason of 6 bytes, more than the limit of 5",
    },
    Case {
        name: "message_bytes_max",
        small: |limits| limits.message_bytes_max = 10,
        guest: || denying("code", 30, 10),
        expected: "message: \"mmmmmmm…\"",
    },
    Case {
        name: "path_bytes_max",
        small: |limits| limits.path_bytes_max = 20,
        guest: || denying("code", 10, 30),
        expected: "\"ppppppppppppppppp…\"",
    },
    Case {
        name: "edits_max",
        small: |limits| limits.edits_max = 1,
        guest: || Guest::editing(&[("remove", "displayName", ""), ("remove", "displayName", "")]),
        expected: "a rewriter's answer with 2 edits, more than the limit of 1",
    },
    Case {
        name: "notes_max",
        small: |limits| limits.notes_max = 0,
        guest: || calling(&["key", "value"], "(call $note TEXT0 TEXT1)"),
        expected: "more than 0 notes",
    },
    Case {
        name: "note_key_bytes_max",
        small: |limits| limits.note_key_bytes_max = 5,
        guest: || calling(&["a-long-key", "value"], "(call $note TEXT0 TEXT1)"),
        expected: "(\"a-…\", \"value\")",
    },
    Case {
        name: "note_bytes_max",
        small: |limits| limits.note_bytes_max = 5,
        guest: || calling(&["key", "a-long-value"], "(call $note TEXT0 TEXT1)"),
        expected: "(\"key\", \"a-…\")",
    },
    Case {
        name: "component_bytes_max",
        small: |limits| limits.component_bytes_max = 1_000,
        guest: Guest::new,
        expected: "more than the limit of 1000",
    },
    Case {
        name: "settings_bytes_max",
        small: |limits| limits.settings_bytes_max = 1,
        guest: Guest::new,
        expected: "more than the limit of 1",
    },
    Case {
        name: "descriptor_text_bytes_max",
        small: |limits| limits.descriptor_text_bytes_max = 5,
        guest: Guest::new,
        expected: "`summary` of the descriptor has 18 bytes, more than the limit of 5",
    },
    Case {
        name: "descriptor_entries_max",
        small: |limits| limits.descriptor_entries_max = 2,
        guest: Guest::new,
        expected: "`actions` of the descriptor has 3 entries, more than the limit of 2",
    },
];

/// Everything that can be seen of a guest under these limits: whether it is taken, and how it judges.
async fn seen(guest: Guest, limits: Limits) -> String {
    let sandbox = sandbox(limits);
    let checked = match sandbox.upload(TENANT, guest.component(), &schemas()).await {
        Ok(checked) => checked,
        Err(error) => return error.to_string(),
    };
    let problems = sandbox.check_settings(TENANT, &checked.pre, &checked.descriptor, &json!({})).await;
    let constraint = Arc::new(enabled(&checked, None, "{}", sandbox.limits()));
    let set = ConstraintSet { generation: 1, constraints: vec![constraint], ..ConstraintSet::default() };
    let member = |number| (id(1), Member { id: id(number), resource_type: "User".into() });
    let residents = || Residents {
        resources: (2..4).map(|at| Arc::new(resource("User", at, json!({ "userName": at.to_string() })))).collect(),
        memberships: vec![member(2), member(3)],
        tables: 1,
        delay: Duration::from_millis(50),
    };
    let group = || resource("Group", 1, json!({ "displayName": "all" }));
    let mut seen = format!("{problems:?}");
    for planned in [creating(ada()), updating(group(), group())] {
        let rewriters = set.rewriters(&planned);
        let place = sandbox.admit_write(TenantId(1)).unwrap();
        let hearing = sandbox.hearing(&place, &set, &planned).await;
        let operation = operation(planned);
        for rewriter in rewriters {
            let asked = hearing.rewrite(&rewriter, Arc::clone(&operation), Arc::new(residents())).await.unwrap();
            seen += &format!("{:?}", asked.answer);
        }
        for answer in hearing.evaluate(&set, operation, Arc::new(residents())).await.unwrap() {
            seen +=
                &format!("{:?} {:?} warnings: {:?} {:?}", answer.answer, answer.reads, answer.warnings, answer.notes);
        }
    }
    seen
}

#[tokio::test]
async fn every_limit_stops_a_guest_that_the_default_lets_pass() {
    for case in CASES {
        let mut limits = Limits::default();
        (case.small)(&mut limits);
        let small = seen((case.guest)(), limits).await;
        assert!(small.contains(case.expected), "{}: {small}", case.name);
        let default = seen((case.guest)(), Limits::default()).await;
        assert!(!default.contains(case.expected), "{} is not what stops it: {default}", case.name);
    }
}

#[test]
fn every_limit_has_a_guest() {
    /// What a log changes cannot be seen from here; `a_log_that_never_ends_is_cut_and_no_line_of_it_is_anybody_elses` can.
    /// A compiler process needs the program: `compiling_that_goes_beyond_a_limit_is_refused_and_the_limit_named`.
    const ELSEWHERE: &[&str] = &[
        "log_bytes_max",
        "compile_memory_bytes_max",
        "compile_cpu_seconds_max",
        "compile_seconds_max",
        "compiled_bytes_max",
    ];
    let printed = format!("{:?}", Limits::default());
    let fields = printed.trim_start_matches("Limits { ").trim_end_matches(" }").split(", ");
    let limits: BTreeSet<&str> = fields.map(|field| field.split_once(':').unwrap().0).collect();
    let guests: BTreeSet<&str> = CASES.iter().map(|case| case.name).chain(ELSEWHERE.iter().copied()).collect();
    assert_eq!(limits, guests);
    assert_eq!(CASES.len() + ELSEWHERE.len(), guests.len(), "a limit is named twice");
}
