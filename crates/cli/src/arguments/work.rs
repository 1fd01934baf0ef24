use clap::Args;

use crate::completion::{Names, completer};

use super::value::{CONCURRENCY_MAX, QueueSlots, whole_number};

/// The arguments of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    #[command(flatten)]
    pub(crate) work: WorkArguments,

    #[cfg(feature = "web")]
    #[command(flatten)]
    pub(crate) serve: super::serve::BesideWorkArguments,
}

/// The arguments of `work`.
#[derive(Debug, Args)]
pub(crate) struct WorkArguments {
    /// Run jobs of this queue, at most N at once; may be repeated [default: every queue]. If the name of the queue ends
    /// in a
    /// colon, or in a colon and a number, always give N
    #[arg(long = "queue", value_name = "NAME[:N]", add = completer(Names::Queue))]
    pub(crate) queues: Vec<QueueSlots>,

    /// Run at most this many jobs at once [default: the number of processors]
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = whole_number(1, CONCURRENCY_MAX))]
    pub(crate) concurrency: Option<u32>,

    /// Exit when no job is left that could run now or later without help
    #[arg(long)]
    pub(crate) drain: bool,
}
