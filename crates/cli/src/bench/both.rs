//! The measurements that run at both durabilities, whichever durability the other measurements use.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::latency::{self, Percentiles};
use super::producer::PAUSE;
use super::{Rate, median, own, raw};
use crate::arguments::Durability;

/// Figures for both durabilities, and the hand-written figures to compare with.
#[derive(Clone, Debug, Serialize)]
pub(super) struct BothDurabilities {
    latency_same_process_full_ms: Percentiles,
    latency_same_process_normal_ms: Percentiles,
    /// One hand-written single-row commit at the same intervals, in milliseconds.
    raw_commit_full_ms: Percentiles,
    raw_commit_normal_ms: Percentiles,
    /// One producer that waits for each enqueue, without a flush to disk for each commit.
    enqueue_1_normal: Rate,
    insert_1_normal: Rate,
    /// The median of the ratios of the rounds.
    #[serde(skip)]
    enqueue_1_normal_ratio: f64,
}

impl BothDurabilities {
    pub(super) async fn measure(folder: &Path, jobs: u64, samples: u64, rounds: u64) -> Result<Self> {
        let (full, raw_full) = waits(&folder.join("full"), samples, Durability::Full).await?;
        let (normal, raw_normal) = waits(&folder.join("normal"), samples, Durability::Normal).await?;
        let singles = (jobs / 40).clamp(200, 5_000);
        let mut pairs = Vec::new();
        for round in 0..rounds {
            let folder = folder.join(format!("singles-{round}"));
            std::fs::create_dir(&folder)?;
            let by_hand = raw::measure_singles(&folder, singles, Durability::Normal)?;
            let ours = own::measure_singles(&folder, singles, Durability::Normal).await?;
            pairs.push((ours, by_hand));
            std::fs::remove_dir_all(&folder)?;
        }
        let ratio = median(pairs.iter().map(|(ours, by_hand)| ours.ratio(*by_hand)).collect());
        Ok(Self {
            latency_same_process_full_ms: full,
            latency_same_process_normal_ms: normal,
            raw_commit_full_ms: raw_full,
            raw_commit_normal_ms: raw_normal,
            enqueue_1_normal: Rate::median(pairs.iter().map(|(ours, _)| *ours).collect()),
            insert_1_normal: Rate::median(pairs.iter().map(|(_, by_hand)| *by_hand).collect()),
            enqueue_1_normal_ratio: (ratio * 1000.0).round() / 1000.0,
        })
    }

    /// One producer at durability `normal`: our rate, the hand-written rate, and the ratio.
    pub(super) const fn single(&self) -> (Rate, Rate, f64) {
        (self.enqueue_1_normal, self.insert_1_normal, self.enqueue_1_normal_ratio)
    }

    /// One line for each durability.
    pub(super) fn to_lines(&self) -> [String; 2] {
        let line = |name: &str, ours: &Percentiles, by_hand: &Percentiles| {
            format!("same process at {name:<7}               {ours}; one commit by hand: {by_hand}")
        };
        [
            line("full:", &self.latency_same_process_full_ms, &self.raw_commit_full_ms),
            line("normal:", &self.latency_same_process_normal_ms, &self.raw_commit_normal_ms),
        ]
    }
}

/// The time from enqueue to start, and the time of a hand-written commit at the same pace.
async fn waits(folder: &Path, samples: u64, durability: Durability) -> Result<(Percentiles, Percentiles)> {
    std::fs::create_dir(folder)?;
    let by_hand = Percentiles::of(raw::commit_samples(folder, samples, PAUSE, durability)?);
    let ours = latency::measure_same_process(folder, samples, durability).await?;
    Ok((ours, by_hand))
}
