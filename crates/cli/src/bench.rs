//! `longshore bench`: measures hand-written SQLite and Longshore in one run on one file system, or hand-written
//! PostgreSQL and Longshore in one run on one server. The absolute figures
//! depend on the machine; the ratios can be compared between machines.

mod batch;
mod blocked;
mod both;
mod idle;
mod latency;
mod own;
mod producer;
mod raw;
mod report;
mod server;

use std::fmt;
use std::time::Instant;

use anyhow::Result;
use serde::{Serialize, Serializer};

pub(crate) use producer::produce_if_asked;
pub(crate) use report::{BenchRequest, StepTeller, run};
pub(crate) use server::{BenchServer, run_on_server};

use crate::arguments::Durability;

/// The payload of every job of the benchmark, hand-written or not.
const PAYLOAD: &str = r#"{"path":"/srv/library/Ünïcode – плейлист/track 0042.flac","size":31457280,"attempt":1}"#;

impl Durability {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }
}

/// A rate in jobs a second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate(f64);

impl Rate {
    fn of(jobs: u64, work: impl FnOnce() -> Result<()>) -> Result<Self> {
        let begin = Instant::now();
        work()?;
        Ok(Self::since(jobs, begin))
    }

    fn since(jobs: u64, begin: Instant) -> Self {
        Self(jobs as f64 / begin.elapsed().as_secs_f64())
    }

    /// This rate divided by another one.
    fn ratio(self, other: Self) -> f64 {
        self.0 / other.0
    }

    /// The median; for an even number of rates, the upper of the two in the middle.
    fn median(rates: Vec<Self>) -> Self {
        Self(median(rates.into_iter().map(|rate| rate.0).collect()))
    }
}

/// The median. Panics without figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.round() as u64)
    }
}
