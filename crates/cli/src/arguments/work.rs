use clap::Args;

use super::value::{CONCURRENCY_MAX, QueueSlots};

/// Which jobs to run, and how many at once.
#[derive(Debug, Args)]
pub(crate) struct WorkArguments {
    /// Take jobs from this queue, at most N of them at once; may be repeated [default: every queue]. A queue whose own
    /// name ends in a colon, or in a colon and a number, is written with N
    #[arg(long = "queue", value_name = "NAME[:N]")]
    pub(crate) queues: Vec<QueueSlots>,

    /// Run at most this many jobs at once [default: the number of processors]
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(CONCURRENCY_MAX)))]
    pub(crate) concurrency: Option<u32>,

    /// End when nothing is left that could run now or later by itself
    #[arg(long)]
    pub(crate) drain: bool,
}
