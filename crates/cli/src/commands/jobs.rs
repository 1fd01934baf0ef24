use longshore_core::{Action, Priority, Selection};

use crate::arguments::{JobsCommand, TargetArguments, ToFilter};
use crate::context::Context;
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;

mod edit;
mod explain;
pub(super) mod list;
mod logs;
mod moves;
mod show;
mod wait;

pub(super) use self::list::{any_state, dead_letters, list};
pub(super) use self::moves::Verb;
use self::moves::{Move, targets};
pub(super) use self::show::{attempts, fact_lines, print_detail, read_detail};

/// Runs `longshore jobs`.
pub(crate) fn run(context: &Context, command: JobsCommand) -> anyhow::Result<Exit> {
    match command {
        JobsCommand::List { filter, page } => {
            context.block_on(list(context, filter.to_filter().into(), page, any_state))
        }
        JobsCommand::Show(job) => context.block_on(show::run(context, job.id)),
        JobsCommand::Explain(job) => context.block_on(explain::run(context, job.id)),
        JobsCommand::Logs { job, follow, attempt } => {
            let until = if follow { logs::Until::Ended } else { logs::Until::Now };
            context.block_on(logs::run(context, logs::LogsRequest { id: job.id, attempt, until }))
        }
        JobsCommand::Retry(arguments) => {
            move_jobs(context, &arguments.target, &Verb { action: arguments.action(), ..RETRY })
        }
        JobsCommand::Cancel(arguments) => move_jobs(context, &arguments, &CANCEL),
        JobsCommand::Delete(arguments) => move_jobs(context, &arguments, &DELETE),
        JobsCommand::Priority(arguments) => {
            let (arguments, priority) = arguments.read().map_err(CommandError::PriorityWords)?;
            move_jobs(context, &arguments, &reprioritise(priority))
        }
        JobsCommand::Edit(arguments) => context.block_on(edit::run(context, arguments)),
        JobsCommand::Wait { job, timeout } => context.block_on(wait::run(context, job.id, timeout)),
    }
}

const RETRY: Verb =
    Verb { action: Action::Retry, word: "retry", done: "retried", statuses: Action::Retry.usual_statuses() };
const CANCEL: Verb = Verb {
    action: Action::Cancel,
    word: "cancel",
    done: "cancelled, or asked to stop",
    statuses: Action::Cancel.usual_statuses(),
};
const DELETE: Verb =
    Verb { action: Action::Delete, word: "delete", done: "deleted", statuses: Action::Delete.usual_statuses() };

const fn reprioritise(priority: Priority) -> Verb {
    let action = Action::Reprioritise(priority);
    Verb { action, word: "reprioritise", done: "reprioritised", statuses: action.usual_statuses() }
}

/// Changes the selected jobs. Without a status filter, `--all` takes the states that the verb lists.
pub(super) fn move_jobs<F: ToFilter>(
    context: &Context,
    arguments: &TargetArguments<F>,
    verb: &Verb,
) -> anyhow::Result<Exit> {
    let (mut selection, consent) = targets(arguments)?;
    if let Selection::Matching(filter) = &mut selection {
        filter.statuses.get_or_insert_with(|| verb.statuses.to_vec());
    }
    context.block_on(Move { verb, selection, consent }.run(context))
}
