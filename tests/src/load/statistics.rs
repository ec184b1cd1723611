//! Medians and percentiles. Pure.

/// The value that `percent` of all values do not exceed, by nearest rank; `None` of nothing.
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The middle value; of an even number of them the mean of the two in the middle.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The largest value.
pub fn maximum(values: &[f64]) -> Option<f64> {
    values.iter().copied().max_by(f64::total_cmp)
}

/// Of the milliseconds of many answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Percentiles {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Percentiles {
    pub(super) fn of(milliseconds: &[f64]) -> Self {
        let of = |percent| percentile(milliseconds, percent).unwrap_or(f64::NAN);
        Self { p50_ms: of(50.0), p99_ms: of(99.0) }
    }
}

/// How others fare in quiet and beside something that disturbs them, round by round.
#[derive(Clone, Debug, Default)]
pub(super) struct Disturbed(Vec<(Percentiles, Percentiles)>);

impl Disturbed {
    /// Adds a round, by the milliseconds of their answers.
    pub(super) fn add(&mut self, quiet: &[f64], beside: &[f64]) {
        self.0.push((Percentiles::of(quiet), Percentiles::of(beside)));
    }

    /// In quiet, medians over the rounds.
    pub(super) fn quiet(&self) -> Percentiles {
        self.medians(|round| round.0)
    }

    /// Beside what disturbs them, medians over the rounds.
    pub(super) fn beside(&self) -> Percentiles {
        self.medians(|round| round.1)
    }

    /// How many times the p99 in quiet the p99 beside it is: the median of the rounds' ratios.
    pub(super) fn ratio(&self) -> Option<f64> {
        median(&self.0.iter().map(|(quiet, beside)| beside.p99_ms / quiet.p99_ms).collect::<Vec<_>>())
    }

    fn medians(&self, pick: fn(&(Percentiles, Percentiles)) -> Percentiles) -> Percentiles {
        let of = |figure: fn(Percentiles) -> f64| {
            median(&self.0.iter().map(|round| figure(pick(round))).collect::<Vec<_>>()).unwrap_or(f64::NAN)
        };
        Percentiles { p50_ms: of(|of| of.p50_ms), p99_ms: of(|of| of.p99_ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_medians() {
        let p99 = |p99_ms| Percentiles { p50_ms: 1.0, p99_ms };
        let others = Disturbed(vec![(p99(1.0), p99(2.0)), (p99(10.0), p99(30.0)), (p99(2.0), p99(20.0))]);
        assert_eq!(others.ratio(), Some(3.0));
        assert_eq!((others.quiet().p99_ms, others.beside().p99_ms), (2.0, 20.0));
    }

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, 5.0, 6.0]), Some(5.5));
    }

    #[test]
    fn a_percentile_is_a_value_that_was_seen_at_its_rank() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 50.0), Some(100.0));
        assert_eq!(percentile(&values, 99.0), Some(198.0));
        assert_eq!(percentile(&values, 100.0), Some(200.0));
        assert_eq!(percentile(&[3.0], 99.0), Some(3.0));
        assert_eq!(percentile(&[], 99.0), None);
    }

    #[test]
    fn the_maximum_is_of_the_numbers_and_not_of_their_places() {
        assert_eq!(maximum(&[2.0, 8.0, 1.0]), Some(8.0));
        assert_eq!(maximum(&[]), None);
    }
}
