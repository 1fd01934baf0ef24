//! Longshore beside the Rust graphile_worker with its local queue: the same jobs, the same server, in turn.
//!
//! `cargo run --release --manifest-path benches/graphile-worker/Cargo.toml -- postgres://… [JOBS [ROUNDS]]`
//!
//! Each round drains JOBS jobs with each, and then measures the time from an enqueue to the start of its handler. Both
//! work in schemas of their own, which are dropped. graphile_worker has the settings of its own benchmark, with both of
//! its drivers, and those with four local queues of a thousand jobs.

mod graphile;
mod ours;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use longshore_postgres::{PostgresUrl, connect};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};

use graphile::{Driver, Graphile};
use ours::Ours;

/// How many times the latency is measured in a round.
const SAMPLES: usize = 300;
/// The pause before each sample, so that the worker is idle.
const PAUSE: Duration = Duration::from_millis(15);

/// The payload of every job.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Payload {
    pub(crate) path: String,
    pub(crate) size: u64,
    /// When it was enqueued, in nanoseconds since 1970.
    pub(crate) made: u64,
}

impl Payload {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let made = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        Self { path: "/srv/library/Ünïcode – плейлист/track 0042.flac".to_owned(), size: 31_457_280, made }
    }
}

/// What handlers tell.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    left: Arc<AtomicU64>,
    pub(crate) all: Arc<Notify>,
    ages_ms: mpsc::UnboundedSender<f64>,
}

impl Told {
    fn of(jobs: u64) -> (Self, mpsc::UnboundedReceiver<f64>) {
        let (ages_ms, ages) = mpsc::unbounded_channel();
        (Self { left: Arc::new(AtomicU64::new(jobs)), all: Arc::default(), ages_ms }, ages)
    }

    /// A handler runs. Both handlers do this and nothing else.
    pub(crate) fn count(&self, payload: &Payload) {
        let age = Payload::now().made.saturating_sub(payload.made);
        // Nobody listens during a drain.
        let _ = self.ages_ms.send(age as f64 / 1e6);
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.all.notify_one();
        }
    }
}

/// The figures of one queue, one of each for each round.
#[derive(Default)]
struct Figures {
    drains: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (drain, p50, p99) = (median(&self.drains), median(&self.p50), median(&self.p99));
        write!(f, "{drain:>8.0} jobs a second, p50 {p50:.2} ms, p99 {p99:.2} ms")
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let url = words.next().context("the first argument is the URL of the server")?;
    let jobs: u64 = words.next().map_or(Ok(200_000), |word| word.parse())?;
    let rounds: u32 = words.next().map_or(Ok(3), |word| word.parse())?;
    let others = [
        Graphile { driver: Driver::Sqlx, local_queues: 1, size: 500 },
        Graphile { driver: Driver::TokioPostgres, local_queues: 1, size: 500 },
        Graphile { driver: Driver::TokioPostgres, local_queues: 4, size: 1000 },
    ];
    let mut figures: Vec<Figures> = std::iter::repeat_with(Figures::default).take(1 + others.len()).collect();
    for _ in 0..rounds {
        measure_ours(&url, jobs, &mut figures[0]).await?;
        for (other, figures) in others.iter().zip(&mut figures[1..]) {
            measure_other(*other, &url, jobs, figures).await?;
        }
    }
    println!("longshore:                                   {}", figures[0]);
    for (other, other_figures) in others.iter().zip(&figures[1..]) {
        let ratios: Vec<f64> = figures[0].drains.iter().zip(&other_figures.drains).map(|(a, b)| a / b).collect();
        println!("{other}: {other_figures}, longshore drains {:.2} times as many", median(&ratios));
    }
    Ok(())
}

async fn measure_ours(url: &str, jobs: u64, figures: &mut Figures) -> Result<()> {
    let ours = Ours::create(url)?;
    ours.enqueue(jobs).await?;
    let (told, _) = Told::of(jobs);
    let begin = Instant::now();
    ours.run(told).await?;
    figures.drains.push(jobs as f64 / begin.elapsed().as_secs_f64());
    let (told, ages) = Told::of(SAMPLES as u64);
    let (ran, sampled) = tokio::join!(ours.run(told), sample(ages, async || ours.enqueue_one().await));
    ran?;
    figures.add(sampled?);
    drop_schema(url, ours::SCHEMA).await
}

async fn measure_other(other: Graphile, url: &str, jobs: u64, figures: &mut Figures) -> Result<()> {
    drop_schema(url, graphile::SCHEMA).await?;
    let (told, _) = Told::of(jobs);
    let running = other.open(url, told).await?;
    running.enqueue(jobs).await?;
    let begin = Instant::now();
    running.run().await?;
    figures.drains.push(jobs as f64 / begin.elapsed().as_secs_f64());
    let (told, ages) = Told::of(SAMPLES as u64);
    let running = other.open(url, told).await?;
    let (ran, sampled) = tokio::join!(running.run(), sample(ages, async || running.enqueue_one().await));
    ran?;
    figures.add(sampled?);
    drop_schema(url, graphile::SCHEMA).await
}

/// Enqueues one job after another on an idle worker; gives how old each was when it was started.
async fn sample(
    mut ages: mpsc::UnboundedReceiver<f64>,
    mut enqueue: impl AsyncFnMut() -> Result<()>,
) -> Result<Vec<f64>> {
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut samples = Vec::new();
    for _ in 0..SAMPLES {
        tokio::time::sleep(PAUSE).await;
        enqueue().await?;
        samples.push(ages.recv().await.context("the worker ended early")?);
    }
    Ok(samples)
}

impl Figures {
    fn add(&mut self, mut samples: Vec<f64>) {
        samples.sort_by(f64::total_cmp);
        self.p50.push(samples[samples.len() / 2]);
        self.p99.push(samples[samples.len() * 99 / 100]);
    }
}

async fn drop_schema(url: &str, schema: &str) -> Result<()> {
    let url: PostgresUrl = url.parse()?;
    let (client, task) = connect(&url).await?;
    tokio::spawn(task);
    Ok(client.batch_execute(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await?)
}

fn median(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
