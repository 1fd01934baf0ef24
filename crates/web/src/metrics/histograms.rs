//! What this process counts in memory: histograms of its attempts and of its writes.

use longshore::measures::KindReading;
use longshore_core::{HistogramReading, WriteReading};

use super::text::{Labels, Text};

/// A metric that is a histogram.
#[derive(Clone, Copy)]
struct Described {
    name: &'static str,
    help: &'static str,
    /// How many units of the reading are one of the metric.
    scale: f64,
}

const WAIT: Described = Described {
    name: "longshore_attempt_wait_seconds",
    help: "How long jobs were claimable before an attempt of this process began.",
    scale: 1_000.0,
};
const RUN: Described =
    Described { name: "longshore_attempt_run_seconds", help: "How long attempts of this process ran.", scale: 1_000.0 };
const REQUESTS: Described = Described {
    name: "longshore_write_requests",
    help: "How many requests of this process shared a transaction.",
    scale: 1.0,
};
const COMMIT: Described = Described {
    name: "longshore_write_commit_seconds",
    help: "How long a commit of this process took.",
    scale: 1_000_000.0,
};

impl Text {
    /// Attempts of this process, by queue and job type.
    pub(super) fn attempts(&mut self, kinds: &[KindReading]) {
        let help = "Attempts that began in this process.";
        for kind in kinds {
            self.counter("longshore_attempts_started_total", help, &labels(kind), kind.wait_ms.count() as f64);
        }
        let help = "Attempts that ended in this process, by outcome.";
        for kind in kinds {
            for (outcome, count) in &kind.outcomes {
                let [queue, job_type] = labels(kind);
                let labels = [queue, job_type, ("outcome", outcome.as_str())];
                self.counter("longshore_attempts_ended_total", help, &labels, *count as f64);
            }
        }
        let help = "Attempts that failed in this process, by failure type.";
        for kind in kinds {
            for (failure_type, count) in &kind.failures {
                let [queue, job_type] = labels(kind);
                let labels = [queue, job_type, ("failure_type", failure_type.as_str())];
                self.counter("longshore_attempts_failed_total", help, &labels, *count as f64);
            }
        }
        kinds.iter().for_each(|kind| self.histogram(WAIT, &labels(kind), &kind.wait_ms));
        kinds.iter().for_each(|kind| self.histogram(RUN, &labels(kind), &kind.run_ms));
    }

    /// The transactions of this process.
    pub(super) fn writes(&mut self, databases: &[WriteReading]) {
        let named = |reading: &WriteReading| reading.database.clone();
        for (described, of) in [
            (REQUESTS, (|reading| &reading.requests) as fn(&WriteReading) -> &HistogramReading),
            (COMMIT, |reading| &reading.commit_us),
        ] {
            for reading in databases {
                match named(reading) {
                    Some(name) => self.histogram(described, &[("database", &name)], of(reading)),
                    None => self.histogram(described, &[], of(reading)),
                }
            }
        }
    }

    fn histogram(&mut self, described: Described, labels: Labels<'_>, reading: &HistogramReading) {
        let Described { name, help, scale } = described;
        self.begin(name, "histogram", help);
        let bounds = reading.bounds.iter().map(|bound| (*bound as f64 / scale).to_string());
        let mut below = 0;
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&reading.counts) {
            below += count;
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(&format!("{name}_bucket"), &labels, below as f64);
        }
        self.sample(&format!("{name}_sum"), labels, reading.sum as f64 / scale);
        self.sample(&format!("{name}_count"), labels, below as f64);
    }
}

fn labels(kind: &KindReading) -> [(&'static str, &str); 2] {
    [("queue", &kind.queue), ("job_type", &kind.job_type)]
}
