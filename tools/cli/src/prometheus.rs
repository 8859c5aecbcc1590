//! The numbers of a spool in the Prometheus text exposition format.

use std::fmt::Write;

use esales_notify::{OriginReport, Percentiles, SpoolReport, Status};

/// The text for a text file collector or a scrape.
pub(crate) fn page(report: &SpoolReport) -> String {
    let counts = &report.counts;
    let mut page = Page(String::new());
    page.counter(
        "accepted",
        "Notifications accepted into the queue",
        counts.accepted,
    );
    page.counter("delivered", "Notifications answered 2xx", counts.delivered);
    page.counter(
        "expired",
        "Notifications not delivered within max_age_s",
        counts.expired,
    );
    page.counter(
        "dropped",
        "Notifications dropped to make room or by an operator",
        counts.dropped,
    );
    page.gauge(
        "pending",
        "Notifications still to be delivered",
        counts.pending as f64,
    );
    page.gauge(
        "pending_bytes",
        "Bytes of the pending notifications",
        report.pending_bytes as f64,
    );
    page.gauge(
        "oldest_age_seconds",
        "How long the oldest pending notification has been waiting",
        report.oldest_age.as_secs_f64(),
    );
    page.gauge(
        "balanced",
        "1 if accepted = delivered + dead + expired + dropped + pending, and the spool is sound",
        f64::from(u8::from(report.is_balanced())),
    );
    page.gauge(
        "drainer",
        "1 if a process is delivering the spool",
        f64::from(u8::from(report.leader.is_some())),
    );
    page.gauge(
        "set_aside_files",
        "Damaged files of the spool that were set aside",
        report.set_aside.len() as f64,
    );

    page.head(
        "dead_letters",
        "gauge",
        "Dead letters that are kept, by the status that they died with",
    );
    // These three series always exist, so that an alert always finds its series.
    let usual = [Status::BadRequest, Status::Forbidden, Status::Rejected];
    let absent = usual
        .iter()
        .filter(|s| report.dead_by_status.iter().all(|(found, _)| found != *s));
    let all = report
        .dead_by_status
        .iter()
        .copied()
        .chain(absent.map(|s| (*s, 0)));
    for (status, n) in all {
        page.sample("dead_letters", &[("status", status.name())], n as f64);
    }

    type Value = fn(&OriginReport) -> f64;
    let by_origin: [(&str, &str, Value); 4] = [
        (
            "destination_pending",
            "Pending notifications of an origin",
            |o| o.pending as f64,
        ),
        (
            "gate_closed",
            "1 while deliveries to an origin are backing off",
            |o| f64::from(u8::from(o.gate_failures > 0)),
        ),
        (
            "gate_failures",
            "Deliveries to an origin that failed in a row",
            |o| f64::from(o.gate_failures),
        ),
        (
            "gate_wait_seconds",
            "Time until the next delivery to an origin is tried",
            |o| o.next_probe_in.as_secs_f64(),
        ),
    ];
    for (name, help, value) in by_origin {
        page.head(name, "gauge", help);
        for origin in &report.origins {
            page.sample(name, &[("destination", &origin.url)], value(origin));
        }
    }

    // A latency of zero means that there was no delivery: the quantiles are NaN then.
    let has_deliveries = !report.attempt_latency.p99.is_zero();
    page.summary(
        "delivery_age_seconds",
        "From acceptance to the answer, of the last deliveries (at most 1000)",
        report.delivery_age,
        has_deliveries,
    );
    page.summary(
        "attempt_latency_seconds",
        "Duration of the attempt that delivered, of the last deliveries (at most 1000)",
        report.attempt_latency,
        has_deliveries,
    );
    page.0
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP esales_queue_{name} {help}.");
        let _ = writeln!(self.0, "# TYPE esales_queue_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, text)| format!("{label}=\"{}\"", escaped(text)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let _ = writeln!(self.0, "esales_queue_{name}{labels} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let name = format!("{name}_total");
        self.head(&name, "counter", help);
        self.sample(&name, &[], value as f64);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn summary(&mut self, name: &str, help: &str, of: Percentiles, is_there: bool) {
        self.head(name, "summary", help);
        for (quantile, value) in [("0.5", of.p50), ("0.95", of.p95), ("0.99", of.p99)] {
            let value = if is_there {
                value.as_secs_f64()
            } else {
                f64::NAN
            };
            self.sample(name, &[("quantile", quantile)], value);
        }
    }
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_labels_are_escaped() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }

    #[test]
    fn prometheus_output_has_no_quantiles_when_the_spool_is_empty() {
        let page = page(&SpoolReport::default());
        assert!(page.contains("esales_queue_accepted_total 0\n"), "{page}");
        assert!(page.contains("{quantile=\"0.5\"} NaN\n"), "{page}");
    }
}
