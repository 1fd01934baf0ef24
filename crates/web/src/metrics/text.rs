use std::collections::BTreeMap;
use std::fmt::Write;

use longshore_core::{Condition, QueueStats, Status, Timestamp, WorkerRecord};

use super::counters::Ended;

/// The text format of Prometheus. All values of a metric come in one block, as the format wants it.
#[derive(Default)]
pub(super) struct Text {
    text: String,
    /// The metric whose block is open.
    open: &'static str,
}

pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Text {
    pub(super) fn into_string(self) -> String {
        self.text
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &str, labels: Labels<'_>, value: f64) {
        self.value(name, "gauge", help, labels, value);
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &str, labels: Labels<'_>, value: f64) {
        self.value(name, "counter", help, labels, value);
    }

    fn value(&mut self, name: &'static str, kind: &str, help: &str, labels: Labels<'_>, value: f64) {
        self.begin(name, kind, help);
        self.sample(name, labels, value);
    }

    /// Begins the block of a metric, unless it is open.
    pub(super) fn begin(&mut self, name: &'static str, kind: &str, help: &str) {
        if self.open != name {
            self.open = name;
            write_to(&mut self.text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        }
    }

    /// One line of the open block.
    pub(super) fn sample(&mut self, name: &str, labels: Labels<'_>, value: f64) {
        self.text.push_str(name);
        for (index, (label, word)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            write_to(&mut self.text, format_args!("{before}{label}=\"{}\"", escaped(word)));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        write_to(&mut self.text, format_args!(" {value}\n"));
    }

    pub(super) fn queues(&mut self, queues: &[QueueStats], now: Timestamp) {
        for queue in queues {
            for status in Status::ALL {
                let count = queue.jobs.get(&status).copied().unwrap_or(0);
                let labels = [("queue", queue.queue.as_str()), ("status", status.as_str())];
                self.gauge("longshore_jobs", "Jobs in each status.", &labels, count as f64);
            }
        }
        for queue in queues {
            let age = queue.oldest_waiting_at.map_or(0.0, |at| now.since(at).as_secs_f64());
            let help = "For how long the oldest claimable job has waited.";
            self.gauge("longshore_oldest_waiting_seconds", help, &[("queue", &queue.queue)], age);
        }
        for queue in queues {
            let is_paused = f64::from(u8::from(queue.paused_at.is_some()));
            self.gauge("longshore_queue_paused", "Whether a queue is paused.", &[("queue", &queue.queue)], is_paused);
        }
    }

    pub(super) fn workers(&mut self, workers: &[WorkerRecord]) {
        let alive = || workers.iter().filter(|worker| worker.is_alive);
        let help = "Registered workers.";
        self.gauge("longshore_workers", help, &[("state", "alive")], alive().count() as f64);
        self.gauge("longshore_workers", help, &[("state", "dead")], (workers.len() - alive().count()) as f64);
        let slots: f64 = alive().map(|worker| f64::from(worker.concurrency)).sum();
        self.gauge("longshore_worker_slots", "How many jobs the living workers run at once.", &[], slots);
    }

    pub(super) fn schema(&mut self, is_understood: bool) {
        let help = "Whether the schema is one that this program understands.";
        self.gauge("longshore_schema_understood", help, &[], f64::from(u8::from(is_understood)));
    }

    pub(super) fn database(&mut self, condition: &Condition) {
        let own = condition.local.map(|local| local.database_bytes);
        if let Some(bytes) = own.or(condition.server_bytes) {
            self.gauge("longshore_database_bytes", "The size of the database.", &[], bytes as f64);
        }
        if let Some(local) = condition.local {
            self.gauge("longshore_wal_bytes", "The size of the write-ahead log.", &[], local.wal_bytes as f64);
            if let Some(free) = local.disk_free_bytes {
                self.gauge("longshore_disk_free_bytes", "Free bytes on the database's disk.", &[], free as f64);
            }
        }
        self.gauge(
            "longshore_stuck_jobs",
            "Jobs that only housekeeping can fix, up to 100.",
            &[],
            condition.stuck_jobs as f64,
        );
    }

    /// Counters since this server began. Latency and run time are sums beside their count, so a rate of the one over a
    /// rate of the other is the average.
    pub(super) fn ended(&mut self, counted: &BTreeMap<String, Ended>) {
        type Of = fn(&Ended) -> u64;
        let outcomes: [(&str, Of); 4] = [
            ("completed", |ended| ended.completed),
            ("dead_letter", |ended| ended.failed),
            ("retrying", |ended| ended.retried),
            ("cancelled", |ended| ended.cancelled),
        ];
        for (queue, ended) in counted {
            for (outcome, of) in outcomes {
                let labels = [("queue", queue.as_str()), ("outcome", outcome)];
                let help = "Attempts and jobs that ended, by what became of them.";
                self.counter("longshore_ended_total", help, &labels, of(ended) as f64);
            }
        }
        let sums: [(&'static str, &str, Of); 2] = [
            ("longshore_wait_seconds_sum", "How long ended attempts had waited, in total.", |ended| ended.waited_ms),
            ("longshore_run_seconds_sum", "How long ended attempts ran, in total.", |ended| ended.ran_ms),
        ];
        for (name, help, of) in sums {
            for (queue, ended) in counted {
                self.counter(name, help, &[("queue", queue)], of(ended) as f64 / 1000.0);
            }
        }
        for (queue, ended) in counted {
            let attempts = ended.completed + ended.failed + ended.retried;
            let help = "How many attempts the sums of seconds are of.";
            self.counter("longshore_attempts_total", help, &[("queue", queue)], attempts as f64);
        }
    }
}

fn write_to(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).expect("writing to a string never fails");
}

/// The value of a label. Names of queues come from anybody who may enqueue.
fn escaped(word: &str) -> String {
    word.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_one_block_with_its_help_above() {
        let mut text = Text::default();
        text.gauge("a", "What a is.", &[("queue", "x")], 1.0);
        text.gauge("a", "What a is.", &[("queue", "y"), ("status", "pending")], 2.5);
        text.counter("b", "What b is.", &[], 3.0);
        assert_eq!(
            text.into_string(),
            "# HELP a What a is.\n# TYPE a gauge\na{queue=\"x\"} 1\na{queue=\"y\",status=\"pending\"} 2.5\n\
             # HELP b What b is.\n# TYPE b counter\nb 3\n"
        );
    }

    #[test]
    fn a_name_cannot_forge_another_line() {
        let mut text = Text::default();
        text.gauge("a", "A.", &[("queue", "x\"} 9\nb 1\\")], 1.0);
        assert_eq!(text.into_string().lines().nth(2), Some("a{queue=\"x\\\"} 9\\nb 1\\\\\"} 1"));
    }
}
