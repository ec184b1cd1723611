//! Decides whose turn it is: writers stop at gates, and one of them at a time is let on, whichever the seed says. So a
//! schedule is what it is because of its seed, and not of the machine. Only those who are about to commit are let on together
//! at times, so that they come into one transaction of the store; in which order they are in it, nobody knows.
//!
//! A writer that has lost a try waits for its tenant's turnstile, of which each node has one, and which is no gate: here it is known
//! who has it and who waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

/// A writer of a schedule.
pub(super) type Writer = usize;

/// Writers that are let on together at most: so many orders have to be tried.
const TOGETHER_MAX: usize = 3;

/// How long a writer may be under way between two gates before the test gives up: some thousand times what it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Numbers by a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    pub(super) fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())]
    }
}

/// What a writer is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// To begin, to take its moment, to look something up.
    Look,
    /// To commit.
    Commit,
}

/// A writer at a gate, and what opens it.
struct Waiting {
    gate: Gate,
    open: oneshot::Sender<()>,
}

/// The gates of one schedule.
#[derive(Clone)]
pub(super) struct Gates(Arc<Shared>);

struct Shared {
    /// Of each writer, on which node it is.
    nodes: Vec<usize>,
    state: Mutex<State>,
    stopped: Notify,
}

/// A node's turnstile: who has it, and who waits for it, in order.
#[derive(Default)]
struct Turnstile {
    turn: Option<Writer>,
    queue: VecDeque<Writer>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    running: usize,
    turnstiles: BTreeMap<usize, Turnstile>,
    /// Those that have lost a try already.
    lost: BTreeSet<Writer>,
    /// Those that were let on together stand together.
    commits: Vec<Vec<Writer>>,
}

impl State {
    /// Those that are to be let on now.
    fn choose(&mut self, random: &mut Random) -> Vec<Waiting> {
        let committing = |waiting: &Waiting| waiting.gate == Gate::Commit;
        let together = random.below(2) == 0 && self.waiting.iter().filter(|waiting| committing(waiting)).count() > 1;
        let chosen: Vec<Waiting> = match together {
            true => self.waiting.extract_if(.., |waiting| committing(waiting)).take(TOGETHER_MAX).collect(),
            false => vec![self.waiting.swap_remove(random.below(self.waiting.len()))],
        };
        self.running = chosen.len();
        self.commits.push(Vec::new());
        chosen
    }
}

impl Gates {
    /// For writers of whom each is on one of these nodes.
    pub(super) fn of(nodes: Vec<usize>) -> Self {
        Self(Arc::new(Shared { nodes, state: Mutex::default(), stopped: Notify::new() }))
    }

    /// Runs writers, of which each begins at a gate, until all are done.
    pub(super) async fn run(&self, random: &mut Random) {
        loop {
            let stopped = self.0.stopped.notified();
            let open = {
                let mut state = self.state();
                if state.running == 0 && state.waiting.is_empty() {
                    let nobody_waits = state.turnstiles.values().all(|turnstile| turnstile.queue.is_empty());
                    assert!(nobody_waits, "writers wait for a turn that nobody has");
                    return;
                }
                if state.running == 0 { state.choose(random) } else { Vec::new() }
            };
            if open.is_empty() {
                tokio::time::timeout(PATIENCE, stopped).await.unwrap();
            }
            for waiting in open {
                waiting.open.send(()).unwrap();
            }
        }
    }

    /// Says that a writer is there, before it is spawned.
    pub(super) fn expect_one(&self) {
        self.state().running += 1;
    }

    /// Waits until the writer is let on.
    pub(super) async fn pass(&self, gate: Gate) {
        let (open, opened) = oneshot::channel();
        {
            let mut state = self.state();
            state.waiting.push(Waiting { gate, open });
            state.running -= 1;
        }
        self.0.stopped.notify_one();
        opened.await.unwrap();
    }

    /// The writer is done.
    pub(super) fn leave(&self, writer: Writer) {
        {
            let mut state = self.state();
            state.running -= 1;
            let turnstile = state.turnstiles.entry(self.0.nodes[writer]).or_default();
            if turnstile.turn == Some(writer) {
                turnstile.turn = turnstile.queue.pop_front();
                state.running += usize::from(turnstile.turn.is_some());
            }
        }
        self.0.stopped.notify_one();
    }

    /// The writer has lost a try. The first time, it waits for the turnstile.
    pub(super) fn lose(&self, writer: Writer) {
        {
            let mut state = self.state();
            if !state.lost.insert(writer) {
                return;
            }
            let turnstile = state.turnstiles.entry(self.0.nodes[writer]).or_default();
            if turnstile.turn.is_none() {
                turnstile.turn = Some(writer);
                return;
            }
            turnstile.queue.push_back(writer);
            state.running -= 1;
        }
        self.0.stopped.notify_one();
    }

    /// What the writer wants is done.
    pub(super) fn commit(&self, writer: Writer) {
        self.state().commits.last_mut().unwrap().push(writer);
    }

    /// Who has committed, in order, those together that were let on together.
    pub(super) fn commits(&self) -> Vec<Vec<Writer>> {
        self.state().commits.iter().filter(|together| !together.is_empty()).cloned().collect()
    }

    /// How many have committed.
    pub(super) fn committed(&self) -> usize {
        self.state().commits.iter().map(Vec::len).sum()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
