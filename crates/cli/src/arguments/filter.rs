use clap::Args;
use longshore_core::{DeadLetterCode, FailureType, Filter, JobId, Status};

use super::value::NameList;

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
    /// Only jobs of this type; write a comma that belongs to a name as \,
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) job_type: Vec<NameList>,

    /// Only jobs in this queue, with names written as for --type
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Vec<NameList>,

    /// Only jobs whose last failure was of this type, such as network_error
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub(crate) failure_type: Vec<FailureType>,

    /// Only jobs that were given up for this reason: retries_spent, not_retried, crashes_spent, deferrals_spent,
    /// parent_ended, expired, refused or upgraded
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(crate) reason: Vec<DeadLetterCode>,
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
pub(crate) trait ToFilter: Args {
    /// The conditions; a flag that was not given is none.
    fn to_filter(&self) -> Filter;
}

impl ToFilter for FilterArguments {
    fn to_filter(&self) -> Filter {
        Filter { statuses: given(&self.status), ..self.kind.to_filter() }
    }
}

impl ToFilter for KindArguments {
    fn to_filter(&self) -> Filter {
        Filter {
            statuses: None,
            job_types: names(&self.job_type),
            queues: names(&self.queue),
            failure_types: given(&self.failure_type),
            reasons: given(&self.reason),
        }
    }
}

/// A flag takes one word at least, so a list without any was not given.
fn given<T: Clone>(values: &[T]) -> Option<Vec<T>> {
    (!values.is_empty()).then(|| values.to_vec())
}

fn names(lists: &[NameList]) -> Option<Vec<String>> {
    given(&lists.iter().flat_map(|list| list.0.clone()).collect::<Vec<_>>())
}

/// The jobs to put back, and whether their children come along.
#[derive(Clone, Debug, Args)]
pub(crate) struct RetryArguments<F: Args> {
    #[command(flatten)]
    pub(crate) target: TargetArguments<F>,

    /// Leave the children that were given up because of these jobs as they are
    #[arg(long)]
    pub(crate) alone: bool,
}
