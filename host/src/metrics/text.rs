//! Everything that is counted, in Prometheus' text format (version 0.0.4).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::histogram::Histogram;
use super::{ANSWERS, Compilation, Metrics, RouteClass};
use crate::decision::{Outcome, TenantId};

/// Its media type.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What cannot be counted but has to be looked up when somebody asks.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The names of the tenants. One without a name has been deleted, and is left out.
    pub tenants: HashMap<TenantId, String>,
    /// How many stand in each queue, those that are served included.
    pub queues: Vec<(&'static str, usize)>,
    /// Components in memory, and about how many bytes they take.
    pub loaded: (u64, u64),
}

/// Writes everything down.
pub fn written(metrics: &Arc<Metrics>, surroundings: Surroundings) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("scruple");
    registry.register_collector(Box::new(Scrape { metrics: Arc::clone(metrics), surroundings }));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Scrape {
    metrics: Arc<Metrics>,
    surroundings: Surroundings,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        self.requests(encoder)?;
        self.decisions(encoder)?;
        self.evaluations(encoder)?;
        self.compilations(encoder)?;
        self.loaded(encoder)?;
        self.queues(encoder)?;
        self.faults(encoder)?;
        self.refusals(encoder)
    }
}

impl Scrape {
    fn requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let classes = || RouteClass::ALL.into_iter().map(RouteClass::as_str);
        let mut family = counters(encoder, "requests", "Requests answered, by class and status")?;
        for (class, statuses) in classes().zip(&self.metrics.requests) {
            for (status, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(statuses) {
                counter(&mut family, &[("class", class), ("status", status)], count.get())?;
            }
        }
        let help = "How long requests took until their answer began";
        let mut family = encoder.encode_descriptor("request_seconds", help, None, MetricType::Histogram)?;
        for (class, micros) in classes().zip(&self.metrics.request_micros) {
            histogram(&mut family.encode_family(&[("class", class)])?, micros, 1e6)?;
        }
        Ok(())
    }

    fn decisions(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family =
            counters(encoder, "decisions", "Decisions recorded, by outcome; those allowed are the commits")?;
        for (outcome, count) in Outcome::ALL.into_iter().zip(&self.metrics.decisions) {
            counter(&mut family, &[("outcome", outcome.as_str())], count.get())?;
        }
        Ok(())
    }

    fn evaluations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = counters(encoder, "evaluations", "Constraints asked, by answer")?;
        for (answer, count) in ANSWERS.into_iter().zip(&self.metrics.evaluations) {
            counter(&mut family, &[("answer", answer)], count.get())?;
        }
        let help = "How long a constraint took, look-ups included";
        let mut family = encoder.encode_descriptor("evaluation_seconds", help, None, MetricType::Histogram)?;
        histogram(&mut family, &self.metrics.evaluation_micros, 1e6)?;
        let help = "Fuel that an evaluation used";
        let mut family = encoder.encode_descriptor("evaluation_fuel", help, None, MetricType::Histogram)?;
        histogram(&mut family, &self.metrics.evaluation_fuel, 1.0)
    }

    fn compilations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = counters(encoder, "compilations", "Components compiled, by how it ended")?;
        for (ending, count) in Compilation::ALL.into_iter().zip(&self.metrics.compilations) {
            counter(&mut family, &[("ending", ending.as_str())], count.get())?;
        }
        let help = "How long compiling took, waiting for a turn excluded";
        let mut family = encoder.encode_descriptor("compilation_seconds", help, None, MetricType::Histogram)?;
        histogram(&mut family, &self.metrics.compilation_micros, 1e6)
    }

    fn loaded(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "How long it took to load a compiled component from disk";
        let mut family = encoder.encode_descriptor("component_load_seconds", help, None, MetricType::Histogram)?;
        histogram(&mut family, &self.metrics.load_micros, 1e6)?;
        let (count, bytes) = self.surroundings.loaded;
        let gauges = [
            ("components_loaded", "Components whose machine code is in memory", count),
            ("components_loaded_bytes", "About how many bytes those take", bytes),
        ];
        for (name, help, value) in gauges {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn queues(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "What waits for the sandbox or runs in it now";
        let mut family = encoder.encode_descriptor("under_way", help, None, MetricType::Gauge)?;
        for (queue, length) in &self.surroundings.queues {
            family.encode_family(&[("queue", *queue)])?.encode_gauge(length)?;
        }
        Ok(())
    }

    fn faults(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Evaluations that broke, of the constraints that did, by kind";
        let mut family = counters(encoder, "constraint_faults", help)?;
        for ((tenant, constraint), faults) in self.metrics.noteworthy.faults() {
            let Some(tenant) = self.surroundings.tenants.get(&tenant) else { continue };
            for (kind, count) in faults.kinds {
                let labels = [("tenant", tenant.as_str()), ("constraint", constraint.0.as_str()), ("kind", kind)];
                counter(&mut family, &labels, count)?;
            }
        }
        Ok(())
    }

    fn refusals(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "What tenants were told to come back with, of those that were";
        let mut family = counters(encoder, "admissions_refused", help)?;
        for (tenant, queues) in self.metrics.noteworthy.refusals() {
            let Some(tenant) = self.surroundings.tenants.get(&tenant) else { continue };
            for (queue, count) in queues {
                counter(&mut family, &[("tenant", tenant.as_str()), ("queue", queue)], count)?;
            }
        }
        Ok(())
    }
}

fn counters<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &str,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter)
}

fn counter(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, count: u64) -> fmt::Result {
    family.encode_family(labels)?.encode_counter::<NoLabelSet, u64, f64>(&count, None)
}

/// Microseconds are told as seconds, in whose terms Prometheus thinks.
fn histogram(encoder: &mut MetricEncoder<'_>, histogram: &Histogram, unit: f64) -> fmt::Result {
    let counted = histogram.counted();
    let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |bound| bound as f64 / unit);
    let buckets: Vec<(f64, u64)> = counted.buckets.iter().map(|(most, count)| (bound(*most), *count)).collect();
    let count = counted.buckets.iter().map(|(_, count)| count).sum();
    encoder.encode_histogram::<NoLabelSet>(counted.sum as f64 / unit, count, &buckets, None)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::decision::{ConstraintName, DecisionId};

    #[test]
    fn what_was_counted_stands_in_the_text_and_tenants_by_their_names() {
        let metrics = Arc::new(Metrics::default());
        metrics.answered(RouteClass::ScimWrite, 201, 700);
        metrics.answered(RouteClass::ScimWrite, 503, 9_000_000);
        metrics.decided(Outcome::Allowed);
        metrics.compiled(Compilation::Memory, 3_000_000);
        let (decision, rule) = (DecisionId(Uuid::nil()), ConstraintName("rule".into()));
        metrics.noteworthy().faulted(TenantId(1), &rule, "trap", decision, Timestamp::UNIX_EPOCH);
        metrics.noteworthy().faulted(TenantId(2), &rule, "trap", decision, Timestamp::UNIX_EPOCH);
        metrics.noteworthy().refused(TenantId(1), "writes");
        let tenants = HashMap::from([(TenantId(1), "acme".to_owned())]);
        let text =
            written(&metrics, Surroundings { tenants, queues: vec![("writes", 3)], loaded: (2, 5_000) }).unwrap();
        for line in [
            "# TYPE scruple_requests_total counter",
            r#"scruple_requests_total{class="scim-write",status="2xx"} 1"#,
            r#"scruple_requests_total{class="scim-write",status="5xx"} 1"#,
            r#"scruple_requests_total{class="api-read",status="2xx"} 0"#,
            r#"scruple_request_seconds_bucket{class="scim-write",le="0.0005"} 0"#,
            r#"scruple_request_seconds_bucket{class="scim-write",le="0.001"} 1"#,
            r#"scruple_request_seconds_bucket{class="scim-write",le="+Inf"} 2"#,
            r#"scruple_request_seconds_sum{class="scim-write"} 9.0007"#,
            r#"scruple_request_seconds_count{class="scim-write"} 2"#,
            r#"scruple_decisions_total{outcome="allowed"} 1"#,
            r#"scruple_compilations_total{ending="memory"} 1"#,
            "scruple_components_loaded 2",
            "scruple_components_loaded_bytes 5000",
            r#"scruple_under_way{queue="writes"} 3"#,
            r#"scruple_constraint_faults_total{tenant="acme",constraint="rule",kind="trap"} 1"#,
            r#"scruple_admissions_refused_total{tenant="acme",queue="writes"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is not in:\n{text}");
        }
        // Of a tenant that was deleted there is nothing to say.
        assert_eq!(text.matches("scruple_constraint_faults_total{").count(), 1);
    }
}
