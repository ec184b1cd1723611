//! A histogram that is counted without a lock: the client library's own takes one for each observation.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many observations were at most how large.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is beyond the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What was counted at one moment; or nearly one, since others go on counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Each bound, and how many observations fell between it and the one before. The last has no bound.
    pub buckets: Vec<(Option<u64>, u64)>,
    /// Of all observations.
    pub sum: u64,
}

impl Histogram {
    /// An empty one; the bounds ascend.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Counts one observation.
    pub fn observe(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        Counted { buckets: bounds.zip(counts).collect(), sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_falls_under_the_first_bound_that_it_does_not_exceed() {
        let histogram = Histogram::new(&[10, 100]);
        for value in [0, 10, 11, 100, 101, 5_000] {
            histogram.observe(value);
        }
        let counted = histogram.counted();
        assert_eq!(counted.buckets, [(Some(10), 2), (Some(100), 2), (None, 2)]);
        assert_eq!(counted.sum, 5_222);
    }
}
