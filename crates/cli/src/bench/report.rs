use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde::Serialize;

use super::both::BothDurabilities;
use super::idle::watch_idle;
use super::latency::{self, Percentiles};
use super::own::{self, Crowds, OwnRates};
use super::producer::PAUSE;
use super::raw::{self, RawRates};
use super::{Rate, median};
use crate::arguments::Durability;
use crate::output::table::Table;

const LATENCY_SAMPLES: u64 = 200;
const IDLE_SPAN: Duration = Duration::from_secs(5);

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct BenchRequest {
    /// The number of jobs in each measurement.
    pub jobs: u64,
    /// How many other jobs wait, or have ended, where a drain is measured among others.
    pub backlog: u64,
    /// How often the measurements are repeated. Those by hand and our own alternate, so that other load on the machine
    /// affects both.
    pub rounds: u64,
    /// How long to run under load while a session holds a snapshot, on a server.
    pub held_snapshot: Duration,
    /// What a commit survives.
    pub durability: Durability,
    /// The folder for the files, which are removed afterwards. Its file system is measured.
    pub folder: PathBuf,
}

/// The measured figures. Rates are in jobs a second.
#[derive(Debug, Serialize)]
pub(crate) struct BenchReport {
    engine: &'static str,
    durability: &'static str,
    jobs: u64,
    backlog: u64,
    raw: RawRates,
    longshore: Own,
    ratios: Ratios,
}

impl BenchReport {
    /// A table with each of our figures beside the hand-written one.
    pub(crate) fn to_table(&self) -> Table {
        let (own, raw, ratios) = (&self.longshore.rates, &self.raw, &self.ratios);
        let mut table = Table::new(&["measured", "longshore/s", "by hand/s", "ratio"]).right(&[1, 2, 3]);
        let mut row = |what: &str, ours: Rate, other: Rate, ratio: f64| {
            table.row(&[what.to_owned(), ours.to_string(), other.to_string(), format!("{ratio:.2}")]);
        };
        row("one producer", own.enqueue_1, raw.insert_1, ratios.enqueue_1_of_insert_1);
        let (ours, by_hand, ratio) = self.longshore.both.single();
        row("one producer at normal", ours, by_hand, ratio);
        row("64 producers", own.enqueue_64, raw.insert_1, ratios.enqueue_64_of_insert_1);
        row("bulk", own.bulk, raw.insert_1000, ratios.bulk_of_insert_1000);
        row("drain without a worker", own.drain_store, raw.finish_1000, ratios.drain_store_of_finish_1000);
        row("drain", own.drain, raw.finish_1000, ratios.drain_of_finish_1000);
        row("drain, many waiting", own.drain_waiting_2m, own.drain, ratios.drain_waiting_2m_of_drain);
        row("drain, many ended", own.drain_ended_2m, own.drain, ratios.drain_ended_2m_of_drain);
        row("drain, 2 at once of each key", own.drain_limited, own.drain, ratios.drain_limited_of_drain);
        row("drain, many blocked by limits", own.drain_blocked_1m, own.drain, ratios.drain_blocked_1m_of_drain);
        row("drain of one batch", own.drain_batch, own.drain, ratios.drain_batch_of_drain);
        table
    }

    /// The figures that are not rates, one line each.
    pub(crate) fn to_lines(&self) -> Vec<String> {
        let own = &self.longshore;
        let mut lines = vec![
            format!("from enqueue to start, same process:  {}", own.latency_same_process_ms),
            format!("from enqueue to start, other process: {}", own.latency_other_process_ms),
            format!("one commit by hand:                   {}", own.raw_commit_ms),
        ];
        lines.extend(own.both.to_lines());
        if let (Some(cpu), Some(rss)) = (own.idle_cpu_percent, own.idle_rss_mib) {
            lines.push(format!("an idle worker: {cpu:.1} % of a core, {rss:.1} MiB"));
        }
        if let Some(cpu) = own.idle_six_workers_cpu_percent {
            lines.push(format!("six idle workers in six processes: {cpu:.1} % of a core together"));
        }
        lines
    }
}

#[derive(Debug, Serialize)]
struct Own {
    #[serde(flatten)]
    rates: OwnRates,
    latency_same_process_ms: Percentiles,
    latency_other_process_ms: Percentiles,
    /// One hand-written single-row commit at the same intervals; subtract it from the latencies.
    raw_commit_ms: Percentiles,
    idle_cpu_percent: Option<f64>,
    idle_rss_mib: Option<f64>,
    /// Six workers in six processes on one file, added up.
    idle_six_workers_cpu_percent: Option<f64>,
    #[serde(flatten)]
    both: BothDurabilities,
}

/// Each of our rates divided by the hand-written one.
#[derive(Debug, Serialize)]
struct Ratios {
    enqueue_1_of_insert_1: f64,
    enqueue_64_of_insert_1: f64,
    bulk_of_insert_1000: f64,
    drain_store_of_finish_1000: f64,
    drain_of_finish_1000: f64,
    drain_waiting_2m_of_drain: f64,
    drain_ended_2m_of_drain: f64,
    drain_limited_of_drain: f64,
    drain_blocked_1m_of_drain: f64,
    drain_batch_of_drain: f64,
    enqueue_1_normal_of_insert_1_normal: f64,
}

impl BenchRequest {
    /// How many steps are announced: the preparation, two a round, and these at the end.
    pub(super) const fn steps(&self, at_the_end: u64) -> u64 {
        1 + 2 * self.rounds + at_the_end
    }
}

/// Announces each step of a run, in words.
pub(crate) struct StepTeller<'a> {
    begun: u64,
    steps: u64,
    tell: &'a mut dyn FnMut(String),
}

impl<'a> StepTeller<'a> {
    /// Tells the steps by this function.
    pub(crate) fn new(tell: &'a mut dyn FnMut(String)) -> Self {
        Self { begun: 0, steps: 0, tell }
    }

    /// The same for a run with this number of steps.
    pub(super) fn with_steps(self, steps: u64) -> Self {
        Self { steps, ..self }
    }

    pub(super) fn begin(&mut self, step: &str) {
        self.begun += 1;
        (self.tell)(format!("step {} of {}: {step}", self.begun, self.steps));
    }
}

/// Runs all measurements, one after the other.
pub(crate) fn run(request: &BenchRequest, steps: StepTeller<'_>) -> Result<BenchReport> {
    let mut steps = steps.with_steps(request.steps(4));
    let folder = tempfile::Builder::new()
        .prefix("longshore-bench-")
        .tempdir_in(&request.folder)
        .map_err(|error| unwritable(&request.folder, &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let BenchRequest { jobs, rounds, durability, .. } = *request;
    steps.begin("making large queues");
    let crowds = runtime.block_on(Crowds::gather(folder.path(), request))?;
    let (mut raw, mut own) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let folder = folder.path().join(round.to_string());
        std::fs::create_dir(&folder)?;
        steps.begin(&format!("SQLite by hand, round {} of {rounds}", round + 1));
        raw.push(raw::measure(&folder, jobs, durability)?);
        steps.begin(&format!("Longshore, round {} of {rounds}", round + 1));
        own.push(runtime.block_on(own::measure(&folder, &crowds, jobs, durability))?);
        std::fs::remove_dir_all(&folder)?;
    }
    let longshore = runtime.block_on(measure_waits(folder.path(), request, OwnRates::median(&own), &mut steps))?;
    let ratios = Ratios::median(&own, &raw, &longshore.both);
    let raw = RawRates::median(&raw);
    Ok(BenchReport {
        engine: "sqlite",
        durability: durability.as_str(),
        jobs,
        backlog: request.backlog,
        raw,
        longshore,
        ratios,
    })
}

/// The error names the folder that was given, not the file that could not be made in it.
fn unwritable(folder: &Path, error: &io::Error) -> anyhow::Error {
    anyhow!("cannot write to {}: {}; give another folder with --folder", folder.display(), error.kind())
}

impl Ratios {
    /// The median of the ratios of the rounds. Each ratio compares measurements from the same time.
    fn median(own: &[OwnRates], raw: &[RawRates], both: &BothDurabilities) -> Self {
        let middle = |ratio: fn(&OwnRates, &RawRates) -> f64| {
            let ratio = median(own.iter().zip(raw).map(|(own, raw)| ratio(own, raw)).collect());
            (ratio * 1000.0).round() / 1000.0
        };
        Self {
            enqueue_1_of_insert_1: middle(|own, raw| own.enqueue_1.ratio(raw.insert_1)),
            enqueue_64_of_insert_1: middle(|own, raw| own.enqueue_64.ratio(raw.insert_1)),
            bulk_of_insert_1000: middle(|own, raw| own.bulk.ratio(raw.insert_1000)),
            drain_store_of_finish_1000: middle(|own, raw| own.drain_store.ratio(raw.finish_1000)),
            drain_of_finish_1000: middle(|own, raw| own.drain.ratio(raw.finish_1000)),
            drain_waiting_2m_of_drain: middle(|own, _| own.drain_waiting_2m.ratio(own.drain)),
            drain_ended_2m_of_drain: middle(|own, _| own.drain_ended_2m.ratio(own.drain)),
            drain_limited_of_drain: middle(|own, _| own.drain_limited.ratio(own.drain)),
            drain_blocked_1m_of_drain: middle(|own, _| own.drain_blocked_1m.ratio(own.drain)),
            drain_batch_of_drain: middle(|own, _| own.drain_batch.ratio(own.drain)),
            enqueue_1_normal_of_insert_1_normal: both.single().2,
        }
    }
}

async fn measure_waits(
    folder: &Path,
    request: &BenchRequest,
    rates: OwnRates,
    steps: &mut StepTeller<'_>,
) -> Result<Own> {
    steps.begin("from enqueue to start");
    let samples = LATENCY_SAMPLES.min(request.jobs.max(10));
    let raw_commit_ms = Percentiles::of(raw::commit_samples(folder, samples, PAUSE, request.durability)?);
    let (same, other) = latency::measure_both(folder, samples, request.durability).await?;
    steps.begin("at both durabilities");
    let both = BothDurabilities::measure(folder, request.jobs, samples, request.rounds).await?;
    steps.begin("an idle worker");
    let idle = watch_idle(folder, 1, IDLE_SPAN, request.durability).await?;
    steps.begin("six idle workers");
    let six = watch_idle(folder, 6, IDLE_SPAN, request.durability).await?;
    Ok(Own {
        rates,
        latency_same_process_ms: same,
        latency_other_process_ms: other,
        raw_commit_ms,
        idle_cpu_percent: idle.map(|idle| idle.cpu_percent),
        idle_rss_mib: idle.map(|idle| (idle.rss_mib * 10.0).round() / 10.0),
        idle_six_workers_cpu_percent: six.map(|idle| (idle.cpu_percent * 100.0).round() / 100.0),
        both,
    })
}
