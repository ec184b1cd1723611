//! [`Crossing`]: where convoys of several nodes meet.
//!
//! A node judges the changes of its [convoy](super::convoy) by what it knows to be on its way. What another node commits in between
//! makes all of that vain: two nodes that change the same group all the time would write less together than one of them alone. So where
//! somebody has to wait, or a change was lost, a node asks for the [right of way](RightOfWay), lets those through who come
//! within [`OPEN_FOR`], and gives it back when the last of them is through. As the turnstile and the convoys, crossings are never
//! needed for correctness.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tracing::debug;

use crate::scim::resource::ResourceId;
use crate::store::{RightOfWay, TenantStore};

/// How long a node lets others through when another one waits. What it costs to hand on the right of way is some 5 ms: the last commits, the
/// lock, and a look at the group as it is by then. With 50 ms that is a tenth, and with two nodes nobody waits for more than 60 ms.
const OPEN_FOR: Duration = Duration::from_millis(50);

/// For how long nobody asks for it where it was not to be had: there are others that this node has, or the database is not in order.
const WITHOUT_FOR: Duration = Duration::from_secs(1);

/// That one is let through. Others wait at other nodes until it is dropped.
pub(super) type Pass = Arc<RightOfWay>;

/// See the module.
#[derive(Default)]
pub(super) struct Crossing(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Closed,
    Open {
        since: Instant,
        right: Weak<RightOfWay>,
    },
    /// Nobody asks until then.
    Without(Instant),
}

impl Crossing {
    /// Waits to be let through; `None`: go on as if there were no crossing. `opened` is called when this node has not had the right of way
    /// just before.
    pub(super) async fn pass(
        &self,
        store: &dyn TenantStore,
        resource: ResourceId,
        opened: impl FnOnce(),
    ) -> Option<Pass> {
        let mut state = self.0.lock().await;
        match &mut *state {
            State::Open { since, right } => {
                if let Some(pass) = right.upgrade() {
                    if since.elapsed() < OPEN_FOR {
                        return Some(pass);
                    }
                    if !pass.is_wanted().await {
                        *since = Instant::now();
                        return Some(pass);
                    }
                }
            }
            State::Without(until) if Instant::now() < *until => return None,
            State::Without(_) | State::Closed => {}
        }
        // Behind those of other nodes, and behind what this one has had until now.
        let asked = store.right_of_way(resource).await;
        if let Ok(Some(right)) = asked {
            let pass = Arc::new(right);
            *state = State::Open { since: Instant::now(), right: Arc::downgrade(&pass) };
            opened();
            return Some(pass);
        }
        if let Err(error) = asked {
            debug!(%error, "going on without the right of way");
        }
        // Better to be judged in vain now and then than to wait again.
        *state = Instant::now().checked_add(WITHOUT_FOR).map_or(State::Closed, State::Without);
        None
    }
}
