//! The benchmark on a PostgreSQL server: in two schemas of its own, which are dropped afterwards.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use longshore::Queue;
use longshore_postgres::{PostgresOptions, PostgresStore, PostgresUrl, Prepare};
use serde::Serialize;

use super::Rate;
use super::latency::{self, Percentiles};
use super::own::{self, CROWD};
use super::report::StepTeller;
use super::server_raw::{ByHand, ServerRawRates};
use crate::output::table::Table;

const LATENCY_SAMPLES: u64 = 200;

/// The measured figures. Rates are in jobs a second.
#[derive(Debug, Serialize)]
pub(crate) struct ServerReport {
    engine: &'static str,
    /// The server's `fsync` and `synchronous_commit`.
    durability: String,
    jobs: u64,
    raw: ServerRawRates,
    longshore: ServerOwn,
    ratios: ServerRatios,
}

#[derive(Debug, Serialize)]
struct ServerOwn {
    enqueue_1: Rate,
    enqueue_64: Rate,
    bulk: Rate,
    /// Claimed and recorded without a worker.
    drain_store: Rate,
    drain: Rate,
    /// With ten times as many jobs waiting.
    drain_waiting_2m: Rate,
    /// The same while another session holds a snapshot.
    drain_held_snapshot: Rate,
    latency_same_process_ms: Percentiles,
    /// From a store with connections of its own, as another process has them.
    latency_other_process_ms: Percentiles,
}

#[derive(Debug, Serialize)]
struct ServerRatios {
    enqueue_1_of_insert_1: f64,
    enqueue_64_of_insert_8: f64,
    bulk_of_copy: f64,
    drain_store_of_finish_1000: f64,
    drain_of_finish_1000: f64,
    drain_waiting_2m_of_drain: f64,
    drain_held_snapshot_of_drain: f64,
}

/// Measures this server.
pub(crate) fn run_on_server(url: &PostgresUrl, jobs: u64, mut steps: StepTeller<'_>) -> Result<ServerReport> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let name = format!("longshore_bench_{}", std::process::id());
    let by_hand = ByHand { url: url.clone(), schema: format!("{name}_raw") };
    let options = PostgresOptions::new(url.clone().in_schema(&name)?);
    let report = runtime.block_on(measure(&by_hand, &options, jobs, &mut steps));
    let schemas = format!("DROP SCHEMA IF EXISTS {name} CASCADE; DROP SCHEMA IF EXISTS {name}_raw CASCADE");
    let dropped = runtime.block_on(async { anyhow::Ok(by_hand.session().await?.batch_execute(&schemas).await?) });
    let report = report?;
    dropped.map_err(|error| anyhow!("the schemas {name} and {name}_raw are left in {url}: {error}"))?;
    Ok(report)
}

async fn measure(
    by_hand: &ByHand,
    options: &PostgresOptions,
    jobs: u64,
    steps: &mut StepTeller<'_>,
) -> Result<ServerReport> {
    steps.begin("PostgreSQL by hand");
    let raw = by_hand.measure(jobs).await?;
    steps.begin("Longshore");
    let queue = open(options)?;
    let enqueue_1 = own::enqueue_one_by_one(&queue, (jobs / 40).clamp(200, 5_000)).await?;
    let enqueue_64 = own::enqueue_from_many(&queue, (jobs / 2).max(64)).await?;
    let bulk = own::enqueue_bulk(&queue, jobs).await?;
    let drain_store = own::drain_store(&queue, jobs).await?;
    // It takes whole batches, so perhaps more than `jobs`.
    own::enqueue_bulk(&queue, jobs).await?;
    let drain = own::drain_from(&queue, jobs).await?;
    steps.begin("with many waiting");
    own::enqueue_bulk(&queue, jobs * (CROWD + 2)).await?;
    let drain_waiting_2m = own::drain_from(&queue, jobs).await?;
    steps.begin("under a held snapshot");
    let analyst = by_hand.session().await?;
    analyst.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class").await?;
    let drain_held_snapshot = own::drain_from(&queue, jobs).await?;
    drop(analyst);
    steps.begin("from enqueue to start");
    let samples = LATENCY_SAMPLES.min(jobs.max(10));
    let latency = latency::measure_on(&queue, &open(options)?, samples).await?;
    let row = by_hand.session().await?;
    let sql = "SELECT 'fsync ' || current_setting('fsync') || ', synchronous_commit ' || current_setting('synchronous_commit')";
    let durability = row.query_one(sql, &[]).await?.try_get(0)?;
    let longshore = ServerOwn {
        enqueue_1,
        enqueue_64,
        bulk,
        drain_store,
        drain,
        drain_waiting_2m,
        drain_held_snapshot,
        latency_same_process_ms: latency.0,
        latency_other_process_ms: latency.1,
    };
    let ratios = ServerRatios::of(&longshore, &raw);
    Ok(ServerReport { engine: "postgres", durability, jobs, raw, longshore, ratios })
}

fn open(options: &PostgresOptions) -> Result<Queue> {
    let (store, _) = PostgresStore::open_prepared(options.clone(), Prepare::Beside)?;
    Ok(Queue::from_backend(Arc::new(store)))
}

impl ServerRatios {
    fn of(own: &ServerOwn, raw: &ServerRawRates) -> Self {
        let ratio = |own: Rate, raw: Rate| (own.ratio(raw) * 1000.0).round() / 1000.0;
        Self {
            enqueue_1_of_insert_1: ratio(own.enqueue_1, raw.insert_1()),
            enqueue_64_of_insert_8: ratio(own.enqueue_64, raw.insert_8()),
            bulk_of_copy: ratio(own.bulk, raw.copy()),
            drain_store_of_finish_1000: ratio(own.drain_store, raw.finish_1000()),
            drain_of_finish_1000: ratio(own.drain, raw.finish_1000()),
            drain_waiting_2m_of_drain: ratio(own.drain_waiting_2m, own.drain),
            drain_held_snapshot_of_drain: ratio(own.drain_held_snapshot, own.drain),
        }
    }
}

impl ServerReport {
    /// A table with each of our figures beside the hand-written one.
    pub(crate) fn to_table(&self) -> Table {
        let (own, raw, ratios) = (&self.longshore, &self.raw, &self.ratios);
        let mut table = Table::new(&["measured", "longshore/s", "by hand/s", "ratio"]).right(&[1, 2, 3]);
        let mut row = |what: &str, ours: Rate, other: Rate, ratio: f64| {
            table.row(&[what.to_owned(), ours.to_string(), other.to_string(), format!("{ratio:.2}")]);
        };
        row("one producer", own.enqueue_1, raw.insert_1(), ratios.enqueue_1_of_insert_1);
        row("64 producers, 8 by hand", own.enqueue_64, raw.insert_8(), ratios.enqueue_64_of_insert_8);
        row("bulk, COPY by hand", own.bulk, raw.copy(), ratios.bulk_of_copy);
        row("drain without a worker", own.drain_store, raw.finish_1000(), ratios.drain_store_of_finish_1000);
        row("drain", own.drain, raw.finish_1000(), ratios.drain_of_finish_1000);
        row("drain, ten times as many waiting", own.drain_waiting_2m, own.drain, ratios.drain_waiting_2m_of_drain);
        row("the same under a held snapshot", own.drain_held_snapshot, own.drain, ratios.drain_held_snapshot_of_drain);
        table
    }

    /// The figures that are not rates, one line each.
    pub(crate) fn to_lines(&self) -> Vec<String> {
        vec![
            format!("from enqueue to start, same process:  {}", self.longshore.latency_same_process_ms),
            format!("from enqueue to start, other process: {}", self.longshore.latency_other_process_ms),
            format!("durability: {}", self.durability),
        ]
    }
}
