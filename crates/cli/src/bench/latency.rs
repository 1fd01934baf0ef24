//! The latency from an enqueue call to the start of its handler on an idle worker.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use longshore::{AttemptResult, BoxFuture, CurrentAttempt, Done, Handler, Queue, Worker};
use serde::Serialize;
use tokio::sync::mpsc;

use super::own::{JOB_TYPE, open};
use super::producer::{PAUSE, ProducerTarget, nanoseconds, stamped_job};
use crate::arguments::Durability;

/// The time limit for one sample. A longer sample means that something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The median and the 99th percentile of the samples, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Percentiles {
    p50: f64,
    p99: f64,
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.2} ms, p99 {:.2} ms", self.p50, self.p99)
    }
}

impl Percentiles {
    /// Computes both by nearest rank. Both are zero if there are no samples.
    pub(super) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * samples.len() as f64).ceil() as usize;
            let sample = samples.get(rank.max(1) - 1).or(samples.last()).copied().unwrap_or(0.0);
            (sample * 1000.0).round() / 1000.0
        };
        Self { p50: at(0.50), p99: at(0.99) }
    }
}

/// Measures with the producer in this process, on a new file.
pub(super) async fn measure_same_process(folder: &Path, samples: u64, durability: Durability) -> Result<Percentiles> {
    let queue = open(&folder.join("latency.db"), durability)?;
    measure(&queue, samples, None).await.map(|(same, _)| same)
}

/// Measures both latencies on a new file.
pub(super) async fn measure_both(
    folder: &Path,
    samples: u64,
    durability: Durability,
) -> Result<(Percentiles, Percentiles)> {
    let path = folder.join("latency.db");
    measure(&open(&path, durability)?, samples, Some(ProducerTarget::File(&path))).await
}

/// Measures with the producer in this process, then with one in another process, if there is a target for it. Without
/// one the second result is zero.
pub(super) async fn measure(
    queue: &Queue,
    samples: u64,
    other_process: Option<ProducerTarget<'_>>,
) -> Result<(Percentiles, Percentiles)> {
    let (sender, mut starts) = mpsc::unbounded_channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = Worker::new(queue).concurrency(4).handler(JOB_TYPE, Arc::new(Timing(sender)));
    let running = tokio::spawn(async move { worker.run(async move { drop(stopped.await) }).await });

    let mut same = Vec::new();
    for _ in 0..samples {
        tokio::time::sleep(PAUSE).await;
        queue.enqueue_job(stamped_job()?).await?;
        same.push(next(&mut starts).await?);
    }
    let mut other = Vec::new();
    if let Some(target) = other_process {
        let mut producer = target.spawn(samples)?;
        for _ in 0..samples {
            other.push(next(&mut starts).await?);
        }
        producer.wait()?;
    }
    drop(stop);
    running.await??;
    Ok((Percentiles::of(same), Percentiles::of(other)))
}

async fn next(starts: &mut mpsc::UnboundedReceiver<f64>) -> Result<f64> {
    let start = tokio::time::timeout(PATIENCE, starts.recv()).await;
    start.context("a job was not started in 30 s")?.context("the worker ended early")
}

/// A handler that sends the age of the payload.
struct Timing(mpsc::UnboundedSender<f64>);

impl Handler for Timing {
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        let started = nanoseconds();
        let sender = self.0.clone();
        Box::pin(async move {
            let made: u64 = attempt.payload().decode()?;
            // The receiver is gone when the benchmark is over.
            let _ = sender.send(started.saturating_sub(made) as f64 / 1e6);
            Ok(Done::Completed { result: None })
        })
    }
}
