use clap::Args;
use longshore_core::{FailureType, JobId, Selection, Status};

/// Which jobs are meant, by what they are. Each flag may be repeated or take a list with commas.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FilterArguments {
    /// Only jobs in this state: pending, running, retrying, completed, cancelled, dead_letter or blocked
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) status: Vec<Status>,

    #[command(flatten)]
    pub(crate) kind: KindArguments,
}

/// Which jobs are meant, whatever their state.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct KindArguments {
    /// Only jobs of this type
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub(crate) job_type: Vec<String>,

    /// Only jobs in this queue
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) queue: Vec<String>,

    /// Only jobs whose last failure was of this type, such as network_error
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub(crate) failure_type: Vec<FailureType>,
}

/// The jobs that a command moves: named one by one, or all that match.
#[derive(Clone, Debug, Args)]
pub(crate) struct TargetArguments<F: Args> {
    /// The jobs
    #[arg(value_name = "ID", allow_negative_numbers = true, required_unless_present = "all")]
    pub(crate) ids: Vec<JobId>,

    #[command(flatten)]
    pub(crate) scope: ScopeArguments<F>,
}

/// All jobs that match, instead of named ones.
#[derive(Clone, Debug, Args)]
pub(crate) struct ScopeArguments<F: Args> {
    /// All that match the filter instead of named ones
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) filter: F,

    /// Do not ask; needed with --all when nobody can be asked
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

/// A filter's reading.
pub(crate) trait Filter: Args {
    /// The jobs that it means.
    fn selection(&self) -> Selection;
}

impl Filter for FilterArguments {
    fn selection(&self) -> Selection {
        Selection { statuses: self.status.clone(), ..self.kind.selection() }
    }
}

impl Filter for KindArguments {
    fn selection(&self) -> Selection {
        Selection {
            ids: Vec::new(),
            statuses: Vec::new(),
            job_types: self.job_type.clone(),
            queues: self.queue.clone(),
            failure_types: self.failure_type.clone(),
        }
    }
}
