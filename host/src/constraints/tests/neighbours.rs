//! Tenants side by side: one that loops costs itself, and one that waits too long is told so.

use std::sync::Arc;
use std::time::Duration;

use super::guest::Guest;
use super::world::{Residents, TENANT, ada, creating, enabled, operation, sandbox, schemas};
use crate::constraints::{ConstraintSet, DirectoryView, Limits, Sandbox};
use crate::decision::{ConstraintFault, Mode, TenantId, Verdict};

async fn set_of(sandbox: &Sandbox, guests: Vec<Guest>) -> Arc<ConstraintSet> {
    let mut constraints = Vec::new();
    for guest in guests {
        let checked = sandbox.upload(TENANT, guest.component(), &schemas()).await.unwrap();
        constraints.push(Arc::new(enabled(&checked, None, "{}", sandbox.limits())));
    }
    Arc::new(ConstraintSet { generation: 1, constraints, ..ConstraintSet::default() })
}

fn residents() -> Arc<dyn DirectoryView> {
    Arc::new(Residents::default())
}

#[tokio::test]
async fn a_tenant_whose_guests_loop_does_not_stop_another() {
    let limits = Limits { fuel_max: u64::MAX / 2, deadline_ms: 500, ..Limits::default() };
    let sandbox = Arc::new(sandbox(limits));
    let looping = set_of(&sandbox, vec![Guest::evaluating("(loop $again (br $again))")]).await;
    let honest = set_of(&sandbox, vec![Guest::reading("userName")]).await;
    let loops: Vec<_> = (0..8)
        .map(|_| {
            let (sandbox, looping) = (Arc::clone(&sandbox), Arc::clone(&looping));
            tokio::spawn(async move {
                sandbox
                    .evaluate(&sandbox.admit_write(TENANT).unwrap(), &looping, operation(creating(ada())), residents())
                    .await
                    .unwrap()
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let answers = sandbox
        .evaluate(&sandbox.admit_write(TenantId(2)).unwrap(), &honest, operation(creating(ada())), residents())
        .await
        .unwrap();
    assert_eq!(answers[0].answer, Ok(Verdict::Allow));
    // Eight loops of half a second, two at once, are far from done.
    assert!(!loops.iter().all(|task| task.is_finished()));
    for task in loops {
        assert_eq!(task.await.unwrap()[0].answer, Err(ConstraintFault::Deadline { deadline_ms: 500 }));
    }
}

#[tokio::test]
async fn everybody_is_asked_even_after_a_fault_and_a_denial() {
    let sandbox = sandbox(Limits::default());
    let mut denying = Guest::new();
    let code = denying.text("no");
    let guests = vec![
        Guest::evaluating("unreachable"),
        denying.evaluate(&format!("(return (call $deny {code}))")),
        Guest::new(),
    ];
    let set = set_of(&sandbox, guests).await;
    let answers = sandbox
        .evaluate(&sandbox.admit_write(TENANT).unwrap(), &set, operation(creating(ada())), residents())
        .await
        .unwrap();
    assert_eq!(answers.len(), 3);
    assert!(matches!(answers[0].answer, Err(ConstraintFault::Trap { .. })));
    assert!(matches!(answers[1].answer, Ok(Verdict::Deny(_))));
    assert_eq!(answers[2].answer, Ok(Verdict::Allow));
}

#[tokio::test]
async fn a_constraint_that_cannot_be_loaded_is_a_fault_and_one_that_is_off_is_not_asked() {
    let sandbox = sandbox(Limits::default());
    let checked = sandbox.upload(TENANT, Guest::new().component(), &schemas()).await.unwrap();
    let mut broken = enabled(&checked, None, "{}", sandbox.limits());
    broken.digest = "00ff".to_owned();
    let mut off = enabled(&checked, None, "{}", sandbox.limits());
    off.mode = Mode::Off;
    let set =
        ConstraintSet { generation: 1, constraints: vec![Arc::new(broken), Arc::new(off)], ..ConstraintSet::default() };
    let answers = sandbox
        .evaluate(&sandbox.admit_write(TENANT).unwrap(), &set, operation(creating(ada())), residents())
        .await
        .unwrap();
    assert_eq!(answers.len(), 1);
    let detail = "the component 00ff could not be read: no component is stored".to_owned();
    assert_eq!(answers[0].answer, Err(ConstraintFault::Unavailable { detail }));
}

#[tokio::test]
async fn an_evaluation_that_nobody_waits_for_any_more_is_stopped() {
    let limits = Limits { fuel_max: u64::MAX / 2, deadline_ms: 600_000, ..Limits::default() };
    let sandbox = sandbox(limits);
    let looping = set_of(&sandbox, vec![Guest::evaluating("(loop $again (br $again))")]).await;
    for _ in 0..4 {
        // More than may run at once: the later ones get their turn because the earlier ones are gone.
        let place = sandbox.admit_write(TENANT).unwrap();
        let asked = sandbox.evaluate(&place, &looping, operation(creating(ada())), residents());
        assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err());
    }
    let honest = set_of(&sandbox, vec![Guest::new()]).await;
    let place = sandbox.admit_write(TENANT).unwrap();
    let asked = sandbox.evaluate(&place, &honest, operation(creating(ada())), residents());
    let answers = tokio::time::timeout(Duration::from_secs(20), asked).await.expect("a turn was free").unwrap();
    assert_eq!(answers[0].answer, Ok(Verdict::Allow));
}
