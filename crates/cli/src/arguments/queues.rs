use clap::{Args, Subcommand};

/// The queues, and what to do with them.
#[derive(Debug, Args)]
pub(crate) struct QueuesArguments {
    /// Without a command, queues are listed.
    #[command(subcommand)]
    pub(crate) command: Option<QueuesCommand>,
}

/// What can be done with queues.
#[derive(Debug, Subcommand)]
pub(crate) enum QueuesCommand {
    /// List queues: how deep, how many running, how old the oldest that waits
    #[command(after_help = "Example: longshore queues list")]
    List,

    /// Claim nothing more from a queue; what runs goes on
    #[command(after_help = "Example: longshore queues pause mail")]
    Pause {
        /// The queue
        #[arg(value_name = "NAME")]
        queue: String,
    },

    /// Claim from a queue again
    #[command(after_help = "Example: longshore queues resume mail")]
    Resume {
        /// The queue
        #[arg(value_name = "NAME")]
        queue: String,
    },
}
