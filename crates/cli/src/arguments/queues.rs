use clap::{Args, Subcommand};

use crate::completion::{Names, completer};

/// The queues, and what to do with them.
#[derive(Debug, Args)]
pub(crate) struct QueuesArguments {
    /// Without a command, queues are listed.
    #[command(subcommand)]
    pub(crate) command: Option<QueuesCommand>,
}

/// The subcommands of `queues`.
#[derive(Debug, Subcommand)]
pub(crate) enum QueuesCommand {
    /// List queues with their depth, running jobs and the age of the oldest waiting job
    ///
    /// SCHEDULED says how many of the waiting jobs are due later; a + after it says that there may be more.
    #[command(after_help = "Example: longshore queues list")]
    List,

    /// Stop claiming from a queue; running jobs continue
    #[command(after_help = "Example: longshore queues pause mail")]
    Pause {
        /// The queue
        #[arg(value_name = "NAME", add = completer(Names::Queue))]
        queue: String,
    },

    /// Resume claiming from a queue
    #[command(after_help = "Example: longshore queues resume mail")]
    Resume {
        /// The queue
        #[arg(value_name = "NAME", add = completer(Names::Queue))]
        queue: String,
    },
}
