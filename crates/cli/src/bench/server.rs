//! The benchmark on a PostgreSQL server: in schemas of its own, which are dropped afterwards.

mod by_hand;
mod held_snapshot;
mod idle;
mod own;
mod server_report;

use std::time::Duration;

use anyhow::{Result, anyhow};
use longshore_postgres::PostgresUrl;

use self::by_hand::ServerRawRates;
use self::held_snapshot::HeldSnapshot;
use self::idle::watch_idle;
use self::own::{ServerCrowds, ServerOwnRates, ServerQueues};
use self::server_report::{ServerOwn, ServerReport};
use super::latency;
use super::producer::ProducerTarget;
use super::report::{BenchRequest, StepTeller};

const LATENCY_SAMPLES: u64 = 500;
const IDLE_SPAN: Duration = Duration::from_secs(10);
/// The schemas of a run: each is named for what is measured in it.
const SCHEMAS: [&str; 12] =
    ["raw", "waiting", "ended", "blocked", "own", "light", "limited", "batch", "load", "latency", "idle_1", "idle_6"];

/// The server to measure.
#[derive(Debug)]
pub(crate) struct BenchServer {
    pub(crate) url: PostgresUrl,
    /// The text of the URL, for the other processes of the benchmark.
    pub(crate) text: String,
}

/// Runs all measurements on this server, one after the other.
pub(crate) fn run_on_server(
    server: BenchServer,
    request: &BenchRequest,
    steps: StepTeller<'_>,
) -> Result<ServerReport> {
    let mut steps = steps.with_steps(request.steps(4));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let name = format!("longshore_bench_{}", std::process::id());
    let queues = ServerQueues { url: server.url, text: server.text, name };
    let report = runtime.block_on(measure(&queues, request, &mut steps));
    let removed = runtime.block_on(async {
        for part in SCHEMAS {
            queues.remove(part).await?;
        }
        anyhow::Ok(())
    });
    let report = report?;
    removed.map_err(|error| anyhow!("schemas named {}_… are left in {}: {error}", queues.name, queues.url))?;
    Ok(report)
}

async fn measure(queues: &ServerQueues, request: &BenchRequest, steps: &mut StepTeller<'_>) -> Result<ServerReport> {
    let by_hand = queues.by_hand();
    let BenchRequest { jobs, backlog, rounds, .. } = *request;
    steps.begin("making large queues");
    let crowds = ServerCrowds::gather(queues, request).await?;
    let (mut raw, mut own) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        steps.begin(&format!("PostgreSQL by hand, round {round} of {rounds}"));
        raw.push(by_hand.measure(jobs).await?);
        steps.begin(&format!("Longshore, round {round} of {rounds}"));
        own.push(own::measure(queues, &crowds, jobs).await?);
    }
    drop(crowds);
    for part in ["waiting", "ended", "blocked"] {
        queues.remove(part).await?;
    }
    let longshore = measure_waits(queues, request, ServerOwnRates::median(&own), steps).await?;
    let sql = "SELECT 'fsync ' || current_setting('fsync') || ', synchronous_commit ' || current_setting('synchronous_commit')";
    let durability = by_hand.session().await?.query_one(sql, &[]).await?.try_get(0)?;
    let ratios = longshore.ratios(&own, &raw);
    let raw = ServerRawRates::median(&raw);
    Ok(ServerReport { engine: "postgres", durability, jobs, backlog, raw, longshore, ratios })
}

async fn measure_waits(
    queues: &ServerQueues,
    request: &BenchRequest,
    rates: ServerOwnRates,
    steps: &mut StepTeller<'_>,
) -> Result<ServerOwn> {
    let by_hand = queues.by_hand();
    steps.begin("from enqueue to start");
    let samples = LATENCY_SAMPLES.min(request.jobs.max(10));
    let raw_commit_ms = by_hand.commits(samples).await?;
    let queue = queues.open("latency")?;
    let url = queues.url_of("latency");
    let (same, other) = latency::measure(&queue, samples, Some(ProducerTarget::Server(&url))).await?;
    drop(queue);
    steps.begin("an idle worker");
    let client = by_hand.session().await?;
    let mut idle = Vec::new();
    for (part, workers) in [("idle_1", 1), ("idle_6", 6)] {
        if workers > 1 {
            steps.begin("six idle workers");
        }
        drop(queues.open(part)?);
        idle.push(watch_idle(&queues.url_of(part), workers, IDLE_SPAN, &client).await?);
    }
    steps.begin("full load under a held snapshot");
    let held_snapshot = HeldSnapshot::measure(queues, request.held_snapshot).await?;
    Ok(ServerOwn {
        rates,
        drain_held_snapshot: held_snapshot.at_last,
        held_snapshot,
        latency_same_process_ms: same,
        latency_other_process_ms: other,
        raw_commit_ms,
        idle_cpu_percent: idle[0].cpu_percent,
        idle_worker_cpu_percent: idle[0].worker_cpu_percent,
        idle_rss_mib: idle[0].rss_mib,
        idle_transactions_per_second: idle[0].transactions_per_second,
        idle_six_workers_cpu_percent: idle[1].cpu_percent,
        idle_six_workers_transactions_per_second: idle[1].transactions_per_second,
    })
}
