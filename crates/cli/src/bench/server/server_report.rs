use serde::Serialize;

use super::super::latency::Percentiles;
use super::super::{Rate, median};
use super::by_hand::ServerRawRates;
use super::held_snapshot::HeldSnapshot;
use super::own::ServerOwnRates;
use crate::output::table::Table;

/// The measured figures. Rates are in jobs a second. What SQLite's report has, too, has the same name.
#[derive(Debug, Serialize)]
pub(crate) struct ServerReport {
    pub(super) engine: &'static str,
    /// The server's `fsync` and `synchronous_commit`.
    pub(super) durability: String,
    pub(super) jobs: u64,
    pub(super) backlog: u64,
    pub(super) raw: ServerRawRates,
    pub(super) longshore: ServerOwn,
    pub(super) ratios: ServerRatios,
}

#[derive(Debug, Serialize)]
pub(super) struct ServerOwn {
    #[serde(flatten)]
    pub(super) rates: ServerOwnRates,
    /// At the end of a time in which jobs are enqueued and run while another session holds a snapshot.
    pub(super) drain_held_snapshot: Rate,
    pub(super) held_snapshot: HeldSnapshot,
    pub(super) latency_same_process_ms: Percentiles,
    /// From a store in another process.
    pub(super) latency_other_process_ms: Percentiles,
    /// One hand-written single-row commit at the same intervals; subtract it from the latencies.
    pub(super) raw_commit_ms: Percentiles,
    /// Of worker and server together; none if the server is on another machine.
    pub(super) idle_cpu_percent: Option<f64>,
    pub(super) idle_worker_cpu_percent: Option<f64>,
    pub(super) idle_rss_mib: Option<f64>,
    pub(super) idle_transactions_per_second: f64,
    /// Six workers in six processes, added up, and the server.
    pub(super) idle_six_workers_cpu_percent: Option<f64>,
    pub(super) idle_six_workers_transactions_per_second: f64,
}

/// Each of our rates divided by the hand-written one.
#[derive(Debug, Serialize)]
pub(super) struct ServerRatios {
    enqueue_1_of_insert_1: f64,
    enqueue_64_of_insert_8: f64,
    bulk_of_copy: f64,
    drain_store_of_finish_1000: f64,
    drain_of_finish_1000: f64,
    drain_of_finish_500_by_4: f64,
    drain_of_finish_1000_by_4: f64,
    drain_waiting_2m_of_drain: f64,
    drain_ended_2m_of_drain: f64,
    drain_limited_of_drain: f64,
    drain_blocked_1m_of_drain: f64,
    drain_batch_of_drain: f64,
    /// Of the same load before the snapshot.
    drain_held_snapshot_of_drain: f64,
}

impl ServerOwn {
    /// The median of the ratios of the rounds. Each ratio compares measurements from the same time.
    pub(super) fn ratios(&self, own: &[ServerOwnRates], raw: &[ServerRawRates]) -> ServerRatios {
        let rounded = |ratio: f64| (ratio * 1000.0).round() / 1000.0;
        let middle = |ratio: fn(&ServerOwnRates, &ServerRawRates) -> f64| {
            rounded(median(own.iter().zip(raw).map(|(own, raw)| ratio(own, raw)).collect()))
        };
        ServerRatios {
            enqueue_1_of_insert_1: middle(|own, raw| own.enqueue_1.ratio(raw.insert_1)),
            enqueue_64_of_insert_8: middle(|own, raw| own.enqueue_64.ratio(raw.insert_8)),
            bulk_of_copy: middle(|own, raw| own.bulk.ratio(raw.copy)),
            drain_store_of_finish_1000: middle(|own, raw| own.drain_store.ratio(raw.finish_1000)),
            drain_of_finish_1000: middle(|own, raw| own.drain.ratio(raw.finish_1000)),
            drain_of_finish_500_by_4: middle(|own, raw| own.drain.ratio(raw.finish_500_by_4)),
            drain_of_finish_1000_by_4: middle(|own, raw| own.drain.ratio(raw.finish_1000_by_4)),
            drain_waiting_2m_of_drain: middle(|own, _| own.drain_waiting_2m.ratio(own.drain)),
            drain_ended_2m_of_drain: middle(|own, _| own.drain_ended_2m.ratio(own.drain)),
            drain_limited_of_drain: middle(|own, _| own.drain_limited.ratio(own.drain)),
            drain_blocked_1m_of_drain: middle(|own, _| own.drain_blocked_1m.ratio(own.drain)),
            drain_batch_of_drain: middle(|own, _| own.drain_batch.ratio(own.drain)),
            drain_held_snapshot_of_drain: rounded(self.held_snapshot.at_last.ratio(self.held_snapshot.before)),
        }
    }
}

impl ServerReport {
    /// A table with each of our figures beside the hand-written one.
    pub(crate) fn to_table(&self) -> Table {
        let (own, raw, ratios) = (&self.longshore.rates, &self.raw, &self.ratios);
        let mut table = Table::new(&["measured", "longshore/s", "by hand/s", "ratio"]).right(&[1, 2, 3]);
        let mut row = |what: &str, ours: Rate, other: Rate, ratio: f64| {
            table.row(&[what.to_owned(), ours.to_string(), other.to_string(), format!("{ratio:.2}")]);
        };
        row("one producer", own.enqueue_1, raw.insert_1, ratios.enqueue_1_of_insert_1);
        row("64 producers, 8 by hand", own.enqueue_64, raw.insert_8, ratios.enqueue_64_of_insert_8);
        row("bulk, COPY by hand", own.bulk, raw.copy, ratios.bulk_of_copy);
        row("drain without a worker", own.drain_store, raw.finish_1000, ratios.drain_store_of_finish_1000);
        row("drain", own.drain, raw.finish_1000, ratios.drain_of_finish_1000);
        row("drain, by hand 4 claimers of 500", own.drain, raw.finish_500_by_4, ratios.drain_of_finish_500_by_4);
        row("drain, by hand 4 claimers of 1000", own.drain, raw.finish_1000_by_4, ratios.drain_of_finish_1000_by_4);
        row("drain, many waiting", own.drain_waiting_2m, own.drain, ratios.drain_waiting_2m_of_drain);
        row("drain, many ended", own.drain_ended_2m, own.drain, ratios.drain_ended_2m_of_drain);
        row("drain, 2 at once of each key", own.drain_limited, own.drain, ratios.drain_limited_of_drain);
        row("drain, many blocked by limits", own.drain_blocked_1m, own.drain, ratios.drain_blocked_1m_of_drain);
        row("drain of one batch", own.drain_batch, own.drain, ratios.drain_batch_of_drain);
        let held = &self.longshore.held_snapshot;
        row("enqueue and drain, held snapshot", held.at_last, held.before, ratios.drain_held_snapshot_of_drain);
        table
    }

    /// The figures that are not rates, one line each.
    pub(crate) fn to_lines(&self) -> Vec<String> {
        let own = &self.longshore;
        let mut lines = vec![
            format!("from enqueue to start, same process:  {}", own.latency_same_process_ms),
            format!("from enqueue to start, other process: {}", own.latency_other_process_ms),
            format!("one commit by hand:                   {}", own.raw_commit_ms),
            format!("held snapshot: tables grow by {} bytes a job", own.held_snapshot.growth_bytes_per_job),
        ];
        if let (Some(cpu), Some(rss)) = (own.idle_cpu_percent, own.idle_rss_mib) {
            lines.push(format!(
                "an idle worker and the server: {cpu:.1} % of a core, {:.1} transactions a second, {rss:.1} MiB",
                own.idle_transactions_per_second
            ));
        }
        if let Some(cpu) = own.idle_six_workers_cpu_percent {
            lines.push(format!("six idle workers in six processes and the server: {cpu:.1} % of a core together"));
        }
        lines.push(format!("durability: {}", self.durability));
        lines
    }
}
