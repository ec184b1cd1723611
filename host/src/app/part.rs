//! [`Part`]: what a server does by itself as one of the nodes of its database, as long as it serves.
//!
//! It says each second that it is there, and compares clocks. And it gets ready for what has changed, on this node or
//! another: a change is in force on all of them from its commit, since each request reads its tenant's generation; what a
//! node may lack is code, and the next write would wait until it is compiled.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use crate::app::App;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::decision::TenantId;
use crate::pipeline::preparing::Prepared;
use crate::store::{Membership, NewNode, StoreError};

/// Time between two signs of life.
const BEAT: Duration = Duration::from_secs(1);

/// Time between two looks for what has changed, where no hint comes. It is a look at an empty table nearly always.
const LOOK: Duration = Duration::from_millis(250);

/// Changes looked at in one go.
const LOOKED_AT: usize = 64;

/// Tenants that are prepared at once. Those whose code has to be compiled wait for each other in the sandbox; the others pass them.
const AT_ONCE: usize = 8;

/// When what could not be prepared is tried again for the first time; then after twice as long each time.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// The longest that is waited.
const TRY_AGAIN_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// How far the clocks of node and database may be apart without a word. Waivers and tokens end by the node's.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(2);

/// A server's part in its database.
pub struct Part {
    membership: Arc<dyn Membership>,
    tasks: Vec<AbortOnDropHandle<()>>,
}

impl Part {
    /// Begins it.
    pub(super) async fn begin(app: &Arc<App>, node: NewNode) -> Result<Self, StoreError> {
        let membership = app.store.join(node).await?;
        let beating = beat(Arc::clone(&membership), app.clock.clone());
        let preparing =
            Preparing { app: Arc::clone(app), membership: Arc::clone(&membership), failing: HashMap::new() };
        let tasks =
            vec![AbortOnDropHandle::new(tokio::spawn(beating)), AbortOnDropHandle::new(tokio::spawn(preparing.run()))];
        Ok(Self { membership, tasks })
    }

    /// Ends it: the others see the node no more.
    pub async fn end(self) {
        drop(self.tasks);
        if let Err(error) = self.membership.leave().await {
            // They stop seeing it after some seconds, too.
            warn!(error = with_causes(&error), "the node could not be taken off the list");
        }
    }
}

async fn beat(membership: Arc<dyn Membership>, clock: Clock) {
    let mut beats = tokio::time::interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut ahead, mut told) = (SignedDuration::ZERO, SignedDuration::ZERO);
    let mut is_heard = true;
    loop {
        beats.tick().await;
        let before = clock.now();
        match membership.beat(ahead).await {
            Ok(at) => {
                let took = before.duration_until(clock.now());
                ahead = at.duration_until(before) + took / 2;
                told = compare(ahead, took, told);
                is_heard = true;
            }
            Err(error) => {
                if std::mem::replace(&mut is_heard, false) {
                    error!(error = with_causes(&error), "the node cannot say that it is there");
                }
            }
        }
    }
}

/// Tells if the clocks are apart, and when that changes; what was told last.
fn compare(ahead: SignedDuration, took: SignedDuration, told: SignedDuration) -> SignedDuration {
    // By how much at least: it is not known when in between the database has looked at its clock.
    let apart = ahead.abs() - took / 2;
    let was_apart = told != SignedDuration::ZERO;
    if apart > SKEW_MAX && (ahead - told).abs() > SKEW_MAX {
        warn!(
            clock.ahead_ms = i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX),
            "this machine's clock and the database's are apart: waivers, tokens and cursors end by the one, and on other nodes by \
             theirs; have both machines keep the time (NTP)"
        );
        return ahead;
    }
    if was_apart && apart <= SKEW_MAX {
        info!("this machine's clock and the database's agree again");
        return SignedDuration::ZERO;
    }
    told
}

struct Preparing {
    app: Arc<App>,
    membership: Arc<dyn Membership>,
    failing: HashMap<TenantId, Failing>,
}

/// A tenant that could not be prepared.
#[derive(Clone, Copy)]
struct Failing {
    generation: i64,
    next: Instant,
    after: Duration,
}

/// What came of it, for which tenant; `None` if the store could not be asked.
type Outcome = (TenantId, Option<Prepared>);

impl Preparing {
    async fn run(mut self) {
        let mut tasks: JoinSet<Outcome> = JoinSet::new();
        let mut under_way = HashSet::new();
        let mut can_look = true;
        loop {
            let found = match self.membership.unprepared(LOOKED_AT).await {
                Ok(found) => {
                    can_look = true;
                    found
                }
                Err(error) => {
                    if std::mem::replace(&mut can_look, false) {
                        error!(error = with_causes(&error), "the node cannot look for what has changed");
                    }
                    Vec::new()
                }
            };
            for (tenant, generation) in found.into_iter().chain(self.due()) {
                if tasks.len() < AT_ONCE && under_way.insert(tenant) {
                    tasks.spawn(prepare(Arc::clone(&self.app), Arc::clone(&self.membership), tenant, generation));
                }
            }
            tokio::select! {
                () = self.membership.hint() => {}
                () = tokio::time::sleep(LOOK) => {}
                Some(done) = tasks.join_next(), if !tasks.is_empty() => match done {
                    Ok(outcome) => {
                        under_way.remove(&outcome.0);
                        self.note(outcome);
                    }
                    // Whose it was is not known. What is still unprepared is found again.
                    Err(error) => {
                        error!(%error, "a tenant was not prepared");
                        tasks.abort_all();
                        under_way.clear();
                    }
                }
            }
        }
    }

    /// What has failed and is to be tried again now.
    fn due(&self) -> Vec<(TenantId, i64)> {
        let now = Instant::now();
        self.failing.iter().filter(|(_, one)| one.next <= now).map(|(tenant, one)| (*tenant, one.generation)).collect()
    }

    fn note(&mut self, (tenant, prepared): Outcome) {
        let Some(Prepared { generation, failed }) = prepared else { return };
        if !failed {
            self.failing.remove(&tenant);
            return;
        }
        let before = self.failing.get(&tenant).filter(|before| before.generation == generation);
        let after = before.map_or(TRY_AGAIN_AFTER, |before| (before.after * 2).min(TRY_AGAIN_AFTER_MAX));
        self.failing.insert(tenant, Failing { generation, next: Instant::now() + after, after });
    }
}

async fn prepare(app: Arc<App>, membership: Arc<dyn Membership>, tenant: TenantId, generation: i64) -> Outcome {
    let done = async {
        let prepared = app.pipeline.prepare(tenant, generation).await?;
        membership.prepared(tenant, prepared.generation, prepared.failed).await?;
        Ok::<_, StoreError>(prepared)
    };
    match done.await {
        Ok(prepared) => (tenant, Some(prepared)),
        Err(error) => {
            // It is found again at the next look, or is due again.
            warn!(tenant.id = tenant.0, error = with_causes(&error), "a tenant could not be prepared");
            tokio::time::sleep(BEAT).await;
            (tenant, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_apart_are_told_of_once_and_when_they_agree_again() {
        let seconds = SignedDuration::from_secs;
        let fast = SignedDuration::from_millis(1);
        assert_eq!(compare(seconds(1), fast, seconds(0)), seconds(0));
        assert_eq!(compare(seconds(-180), fast, seconds(0)), seconds(-180));
        // Not again for a little more of it, but when it is much more.
        assert_eq!(compare(seconds(-181), fast, seconds(-180)), seconds(-180));
        assert_eq!(compare(seconds(-200), fast, seconds(-180)), seconds(-200));
        assert_eq!(compare(seconds(0), fast, seconds(-200)), seconds(0));
        // An answer that took so long tells nothing.
        assert_eq!(compare(seconds(4), seconds(8), seconds(0)), seconds(0));
    }
}
