//! What is counted by tenant and constraint: what should not happen, of those to whom it does.
//!
//! With thousands of tenants, a series for each would be most of what a scrape carries and say nothing. A tenant has
//! series here once one of its constraints broke or it was turned away. There is room for so many; the one that was quiet
//! longest makes place for a new one.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::decision::{ConstraintName, DecisionId, TenantId};

/// Constraints whose faults are remembered. 2,048: with 11 kinds of fault and 120 bytes a line a scrape is 2.7 MB at the
/// very worst; a constraint mostly breaks in one way, which makes it 250 KB.
const CONSTRAINTS_MAX: usize = 2_048;

/// Constraints of one tenant whose faults are remembered. 64: it may have 50 at a time, and one that makes up new names
/// pushes out its own.
const CONSTRAINTS_EACH_MAX: usize = 64;

/// Tenants whose refusals are remembered. 2,048: three lines each, 500 KB at the worst.
const TENANTS_MAX: usize = 2_048;

/// How often a constraint broke, and when last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// By kind.
    pub kinds: Vec<(&'static str, u64)>,
    /// The kind of the last one.
    pub last_kind: &'static str,
    /// The decision that has the last one.
    pub last_decision: DecisionId,
    /// When that was.
    pub last_at: Timestamp,
}

impl Faults {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.kinds.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

/// What happened to whom.
#[derive(Debug, Default)]
pub struct Noteworthy {
    faults: Mutex<Remembered<(TenantId, ConstraintName), Faults>>,
    refusals: Mutex<Remembered<TenantId, Vec<(&'static str, u64)>>>,
}

/// Entries, each with the number of the event that touched it last.
#[derive(Debug)]
struct Remembered<K, V> {
    entries: HashMap<K, (u64, V)>,
    events: u64,
}

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), events: 0 }
    }
}

impl<K: Clone + Eq + Hash, V> Remembered<K, V> {
    /// The entry of a key, made if it is not there; counts as an event.
    fn touch(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        self.events = self.events.saturating_add(1);
        let entry = self.entries.entry(key).or_insert_with(|| (0, make()));
        entry.0 = self.events;
        &mut entry.1
    }

    /// Forgets the one that was quiet longest among those that match, if there are so many.
    fn make_place(&mut self, most: usize, matches: impl Fn(&K) -> bool) {
        let found = || self.entries.iter().filter(|(key, _)| matches(key));
        if found().count() < most {
            return;
        }
        let quietest = found().min_by_key(|(_, (event, _))| *event).map(|(key, _)| key.clone());
        if let Some(key) = quietest {
            self.entries.remove(&key);
        }
    }
}

impl Noteworthy {
    /// A constraint broke.
    pub fn faulted(
        &self,
        tenant: TenantId,
        constraint: &ConstraintName,
        kind: &'static str,
        decision: DecisionId,
        at: Timestamp,
    ) {
        let mut faults = lock(&self.faults);
        let key = (tenant, constraint.clone());
        if !faults.entries.contains_key(&key) {
            faults.make_place(CONSTRAINTS_EACH_MAX, |(of, _)| *of == tenant);
            faults.make_place(CONSTRAINTS_MAX, |_| true);
        }
        let none = || Faults { kinds: Vec::new(), last_kind: kind, last_decision: decision, last_at: at };
        let entry = faults.touch(key, none);
        count(&mut entry.kinds, kind);
        (entry.last_kind, entry.last_decision, entry.last_at) = (kind, decision, at);
    }

    /// A tenant was told to come back.
    pub fn refused(&self, tenant: TenantId, queue: &'static str) {
        let mut refusals = lock(&self.refusals);
        if !refusals.entries.contains_key(&tenant) {
            refusals.make_place(TENANTS_MAX, |_| true);
        }
        count(refusals.touch(tenant, Vec::new), queue);
    }

    /// How often a constraint broke.
    pub fn faults_of(&self, tenant: TenantId, constraint: &ConstraintName) -> Option<Faults> {
        lock(&self.faults).entries.get(&(tenant, constraint.clone())).map(|(_, faults)| faults.clone())
    }

    /// Every constraint that broke, in order.
    pub fn faults(&self) -> Vec<((TenantId, ConstraintName), Faults)> {
        let faults = lock(&self.faults);
        let mut all: Vec<_> = faults.entries.iter().map(|(key, (_, faults))| (key.clone(), faults.clone())).collect();
        drop(faults);
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// Every tenant that was told to come back, in order.
    pub fn refusals(&self) -> Vec<(TenantId, Vec<(&'static str, u64)>)> {
        let refusals = lock(&self.refusals);
        let mut all: Vec<_> = refusals.entries.iter().map(|(tenant, (_, queues))| (*tenant, queues.clone())).collect();
        drop(refusals);
        all.sort_by_key(|(tenant, _)| *tenant);
        all
    }

    /// Forgets a tenant that is deleted.
    pub fn forget(&self, tenant: TenantId) {
        lock(&self.faults).entries.retain(|(of, _), _| *of != tenant);
        lock(&self.refusals).entries.remove(&tenant);
    }
}

fn count(counts: &mut Vec<(&'static str, u64)>, name: &'static str) {
    match counts.iter_mut().find(|(known, _)| *known == name) {
        Some((_, count)) => *count = count.saturating_add(1),
        None => counts.push((name, 1)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn fault(noteworthy: &Noteworthy, tenant: i64, constraint: &str, kind: &'static str, number: u128) {
        let decision = DecisionId(Uuid::from_u128(number));
        noteworthy.faulted(TenantId(tenant), &ConstraintName(constraint.into()), kind, decision, Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn faults_are_counted_by_kind_and_the_last_one_can_be_found() {
        let noteworthy = Noteworthy::default();
        for (kind, number) in [("trap", 1), ("out-of-fuel", 2), ("trap", 3)] {
            fault(&noteworthy, 1, "rule", kind, number);
        }
        let faults = noteworthy.faults_of(TenantId(1), &ConstraintName("rule".into())).unwrap();
        assert_eq!(faults.kinds, [("trap", 2), ("out-of-fuel", 1)]);
        assert_eq!((faults.count(), faults.last_kind, faults.last_decision.0.as_u128()), (3, "trap", 3));
        assert_eq!(noteworthy.faults_of(TenantId(2), &ConstraintName("rule".into())), None);
    }

    #[test]
    fn a_tenant_that_makes_up_names_pushes_out_its_own() {
        let noteworthy = Noteworthy::default();
        fault(&noteworthy, 2, "rule", "trap", 1);
        for number in 0..1_000 {
            fault(&noteworthy, 1, &format!("rule-{number}"), "trap", 1);
        }
        let faults = noteworthy.faults();
        assert_eq!(faults.len(), CONSTRAINTS_EACH_MAX + 1);
        assert!(faults.iter().any(|((tenant, _), _)| *tenant == TenantId(2)));
        assert!(faults.iter().any(|((_, constraint), _)| constraint.0 == "rule-999"));
    }

    #[test]
    fn there_is_room_for_so_many_and_the_quietest_makes_place() {
        let noteworthy = Noteworthy::default();
        for tenant in 0..i64::try_from(CONSTRAINTS_MAX).unwrap() {
            fault(&noteworthy, tenant, "rule", "trap", 1);
            noteworthy.refused(TenantId(tenant), "writes");
        }
        fault(&noteworthy, 0, "rule", "trap", 1);
        noteworthy.refused(TenantId(0), "writes");
        fault(&noteworthy, -1, "rule", "trap", 1);
        noteworthy.refused(TenantId(-1), "uploads");
        let tenants: Vec<i64> = noteworthy.faults().iter().map(|((tenant, _), _)| tenant.0).collect();
        assert_eq!((tenants.len(), &tenants[..3]), (CONSTRAINTS_MAX, &[-1, 0, 2][..]));
        let refusals = noteworthy.refusals();
        assert_eq!(refusals.len(), TENANTS_MAX);
        assert_eq!(refusals[..2], [(TenantId(-1), vec![("uploads", 1)]), (TenantId(0), vec![("writes", 2)])]);
    }
}
