//! The metrics of a spool and its delivery, in the OpenMetrics text format, which Prometheus's text file collector
//! reads too.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use esales_notify::{OriginReport, Percentiles, Receipt, SpoolReport, Status};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the ages at delivery, in seconds: the same on every node, so that nodes can be added up.
const AGES: [f64; 13] = [
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0,
];
/// Upper bounds of the durations of attempts, in seconds.
const LATENCIES: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

type Labels = Vec<(String, String)>;
type FloatGauge = Gauge<f64, AtomicU64>;

/// Counts the deliveries and answers of this process since its start. Clones share their counts.
#[derive(Debug, Clone)]
pub(crate) struct DrainMetrics {
    age: Histogram,
    latency: Histogram,
    answers: Family<Labels, Counter>,
    connections: Gauge,
}

impl Default for DrainMetrics {
    fn default() -> DrainMetrics {
        DrainMetrics {
            age: Histogram::new(AGES),
            latency: Histogram::new(LATENCIES),
            answers: Family::default(),
            connections: Gauge::default(),
        }
    }
}

impl DrainMetrics {
    /// Records that a notification has left the queue. `latency` is the duration of the attempt that decided its
    /// outcome.
    pub(crate) fn observe(&self, receipt: &Receipt, latency: Duration) {
        if receipt.status == Status::Delivered {
            self.age.observe(receipt.elapsed.as_secs_f64());
            self.latency.observe(latency.as_secs_f64());
        }
    }

    /// Records that the agent has answered a request.
    pub(crate) fn count(&self, http_status: u16) {
        let labels = label("code", &http_status.to_string());
        self.answers.get_or_create(&labels).inc();
    }

    pub(crate) fn set_connections(&self, connections: usize) {
        let connections = i64::try_from(connections).unwrap_or(i64::MAX);
        self.connections.set(connections);
    }

    fn register(&self, registry: &mut Registry) {
        let drain = registry.sub_registry_with_prefix("esales_drain");
        drain.register(
            "delivery_age_seconds",
            "Time from acceptance to the answer, for notifications that this process delivered",
            self.age.clone(),
        );
        drain.register(
            "attempt_seconds",
            "Duration of the successful attempt, for notifications that this process delivered",
            self.latency.clone(),
        );
        let agent = registry.sub_registry_with_prefix("esales_agent");
        agent.register(
            "answers",
            "Requests that the agent answered, by HTTP status",
            self.answers.clone(),
        );
        agent.register(
            "connections",
            "Open connections of the agent",
            self.connections.clone(),
        );
    }
}

fn label(name: &str, value: &str) -> Labels {
    vec![(name.to_owned(), value.to_owned())]
}

/// The metrics page of the spool with this name. It includes this process's deliveries if the process delivers.
pub(crate) fn page(report: &SpoolReport, spool: &str, drain: Option<&DrainMetrics>) -> String {
    let labels = [("spool".to_owned(), spool.to_owned())];
    let mut registry = Registry::with_labels(labels.map(|(n, v)| (n.into(), v.into())).into_iter());
    let mut page = Page(registry.sub_registry_with_prefix("esales_queue"));
    page.counters(report);
    page.gauges(report);
    page.dead_letters(report);
    page.origins(report);
    page.recent(report);
    if let Some(drain) = drain {
        drain.register(&mut registry);
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => text,
        // Writing to a String cannot fail.
        Err(_) => String::new(),
    }
}

struct Page<'a>(&'a mut Registry);

impl Page<'_> {
    fn counters(&mut self, report: &SpoolReport) {
        let counts = &report.counts;
        for (name, help, value) in [
            (
                "accepted",
                "Notifications accepted into the queue",
                counts.accepted,
            ),
            (
                "delivered",
                "Notifications that the service received (2xx)",
                counts.delivered,
            ),
            (
                "expired",
                "Notifications not delivered within max_age_s",
                counts.expired,
            ),
            (
                "dropped",
                "Notifications dropped to make room or by an operator",
                counts.dropped,
            ),
        ] {
            let counter = Counter::<u64>::default();
            counter.inc_by(value);
            self.0.register(name, help, counter);
        }
    }

    fn gauges(&mut self, report: &SpoolReport) {
        for (name, help, value) in [
            (
                "pending",
                "Notifications still to be delivered",
                report.counts.pending as f64,
            ),
            (
                "lost",
                "Accepted notifications that the spool's engine has lost; the true number may be greater",
                report.lost as f64,
            ),
            (
                "pending_bytes",
                "Bytes of the pending notifications",
                report.pending_bytes as f64,
            ),
            (
                "oldest_age_seconds",
                "How long the oldest pending notification has been waiting",
                report.oldest_age.as_secs_f64(),
            ),
            (
                "balanced",
                "1 if accepted = delivered + dead + expired + dropped + pending, and the spool is sound",
                number(report.is_balanced()),
            ),
            (
                "drainer",
                "1 if a process is delivering the spool",
                number(report.leader.is_some()),
            ),
            (
                "set_aside_files",
                "Damaged files of the spool that were set aside",
                report.set_aside.len() as f64,
            ),
        ] {
            let gauge = FloatGauge::default();
            gauge.set(value);
            self.0.register(name, help, gauge);
        }
    }

    fn family(&mut self, name: &str, help: &str, samples: impl Iterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, FloatGauge>::default();
        for (labels, value) in samples {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }

    fn dead_letters(&mut self, report: &SpoolReport) {
        // These series are always there, so that an alert never meets a gap.
        let usual = [
            Status::BadRequest,
            Status::Forbidden,
            Status::Rejected,
            Status::MayHaveArrived,
        ]
        .map(|s| (s, 0));
        let found = report.dead_by_status.iter().copied();
        let samples = usual.into_iter().chain(found);
        self.family(
            "dead_letters",
            "Dead letters in the spool, by their status",
            samples.map(|(status, n)| (label("status", status.name()), n as f64)),
        );
    }

    fn origins(&mut self, report: &SpoolReport) {
        type Value = fn(&OriginReport) -> f64;
        let rows: [(&str, &str, Value); 4] = [
            (
                "origin_pending",
                "Pending notifications of an origin",
                |o| o.pending as f64,
            ),
            (
                "backing_off",
                "1 while deliveries to an origin are backing off",
                |o| number(o.gate_failures > 0),
            ),
            (
                "failures_in_a_row",
                "Consecutive failed deliveries to an origin",
                |o| f64::from(o.gate_failures),
            ),
            (
                "next_try_seconds",
                "Time until the next delivery to an origin is tried",
                |o| o.next_probe_in.as_secs_f64(),
            ),
        ];
        for (name, help, value) in rows {
            let sample = |o: &OriginReport| (label("origin", &o.url), value(o));
            self.family(name, help, report.origins.iter().map(sample));
        }
    }

    /// Quantiles of several spools cannot be combined; the histograms of the drainers can.
    fn recent(&mut self, report: &SpoolReport) {
        // A latency of zero means that there was no delivery: there are no quantiles then.
        let has_deliveries = !report.attempt_latency.p99.is_zero();
        for (name, help, of) in [
            (
                "recent_delivery_age_seconds",
                "Time from acceptance to the answer, for the last deliveries (at most 1000)",
                report.delivery_age,
            ),
            (
                "recent_attempt_seconds",
                "Duration of the successful attempt, for the last deliveries (at most 1000)",
                report.attempt_latency,
            ),
        ] {
            let samples = quantiles(of).map(|(quantile, value)| {
                let value = match has_deliveries {
                    true => value.as_secs_f64(),
                    false => f64::NAN,
                };
                (label("quantile", quantile), value)
            });
            self.family(name, help, samples.into_iter());
        }
    }
}

fn quantiles(of: Percentiles) -> [(&'static str, Duration); 3] {
    [("0.5", of.p50), ("0.95", of.p95), ("0.99", of.p99)]
}

fn number(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_page_escapes_the_name_of_the_spool() {
        let page = page(&SpoolReport::default(), "/a\\b\"c\nd", None);
        let sample = "esales_queue_pending{spool=\"/a\\\\b\\\"c\\nd\"} 0.0\n";
        assert!(page.contains(sample), "{page}");
        assert!(page.ends_with("# EOF\n"), "{page}");
    }

    #[test]
    fn metrics_page_has_no_quantiles_when_nothing_was_delivered() {
        let page = page(&SpoolReport::default(), "/s", None);
        let accepted = "esales_queue_accepted_total{spool=\"/s\"} 0\n";
        assert!(page.contains(accepted), "{page}");
        assert!(page.contains("quantile=\"0.5\"} NaN\n"), "{page}");
        assert!(!page.contains("esales_drain"), "{page}");
    }

    #[test]
    fn histograms_have_fixed_buckets() {
        let drain = DrainMetrics::default();
        drain.latency.observe(0.02);
        drain.age.observe(2.0);
        drain.count(202);
        let page = page(&SpoolReport::default(), "/s", Some(&drain));
        for sample in [
            "esales_drain_attempt_seconds_bucket{spool=\"/s\",le=\"0.01\"} 0\n",
            "esales_drain_attempt_seconds_bucket{spool=\"/s\",le=\"0.025\"} 1\n",
            "esales_drain_delivery_age_seconds_bucket{spool=\"/s\",le=\"5.0\"} 1\n",
            "esales_drain_delivery_age_seconds_count{spool=\"/s\"} 1\n",
            "esales_agent_answers_total{spool=\"/s\",code=\"202\"} 1\n",
        ] {
            assert!(page.contains(sample), "{sample} {page}");
        }
    }
}
