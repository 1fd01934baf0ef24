use clap::Args;
use longshore_core::{Action, DeadLetterCode, FailureType, Filter, JobId, Status};

use super::value::NameList;
use super::word::WordParser;
use crate::completion::{Names, completer};

/// Selects jobs by their properties. Each flag may be repeated, or take a list separated by commas.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FilterArguments {
    /// Only jobs in this state
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = WordParser::<Status>::new())]
    pub(crate) status: Vec<Status>,

    #[command(flatten)]
    pub(crate) kind: KindArguments,
}

/// Selects jobs in any state.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct KindArguments {
    /// Only jobs of this type; write a comma inside a name as \,
    #[arg(long = "type", value_name = "TYPE", add = completer(Names::TypeList))]
    pub(crate) job_type: Vec<NameList>,

    /// Only jobs in this queue; write a comma inside a name as \,
    #[arg(long, value_name = "NAME", add = completer(Names::QueueList))]
    pub(crate) queue: Vec<NameList>,

    /// Only jobs whose last failure had this type
    #[arg(long, value_name = "TYPE", value_delimiter = ',', value_parser = WordParser::<FailureType>::new())]
    pub(crate) failure_type: Vec<FailureType>,

    /// Only dead letters with this reason
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = WordParser::<DeadLetterCode>::new())]
    pub(crate) reason: Vec<DeadLetterCode>,
}

/// The jobs that a command changes: listed by id, or all that match a filter.
#[derive(Clone, Debug, Args)]
pub(crate) struct TargetArguments<F: Args> {
    /// The ids of the jobs
    #[arg(value_name = "ID", allow_negative_numbers = true, required_unless_present = "all")]
    pub(crate) ids: Vec<JobId>,

    #[command(flatten)]
    pub(crate) scope: ScopeArguments<F>,
}

/// All jobs that match a filter, instead of a list of ids.
#[derive(Clone, Debug, Args)]
pub(crate) struct ScopeArguments<F: Args> {
    /// Take all jobs that match the filter, instead of a list of ids
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) filter: F,

    /// Do not ask for confirmation; required with --all if there is no terminal
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

/// Arguments that can be converted to a `Filter`.
pub(crate) trait ToFilter: Args {
    /// The conditions. A flag that was not given sets no condition.
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

/// A flag takes at least one value, so an empty list means that it was not given.
fn given<T: Clone>(values: &[T]) -> Option<Vec<T>> {
    (!values.is_empty()).then(|| values.to_vec())
}

fn names(lists: &[NameList]) -> Option<Vec<String>> {
    given(&lists.iter().flat_map(|list| list.0.clone()).collect::<Vec<_>>())
}

/// The jobs to retry, and whether their children are retried too.
#[derive(Clone, Debug, Args)]
pub(crate) struct RetryArguments<F: Args> {
    #[command(flatten)]
    pub(crate) target: TargetArguments<F>,

    /// Do not retry the children that became dead letters because of these jobs
    #[arg(long)]
    pub(crate) alone: bool,

    /// Forget the checkpoint and the finished steps of every job that is retried
    #[arg(long)]
    pub(crate) from_start: bool,
}

impl<F: Args> RetryArguments<F> {
    /// The action that the flags name.
    pub(crate) const fn action(&self) -> Action {
        Action::retry(self.alone, self.from_start)
    }
}
