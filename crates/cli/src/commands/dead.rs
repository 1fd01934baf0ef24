use longshore_core::{Action, Status};

use super::jobs::{Verb, dead_letters, list, move_jobs, print_detail, read_detail};
use crate::arguments::{DeadArguments, DeadCommand, KindArguments, ListArguments, ToFilter};
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;

/// Runs `longshore dead`.
pub(crate) fn run(context: &Context, arguments: DeadArguments) -> anyhow::Result<Exit> {
    let newest = || DeadCommand::List { filter: KindArguments::default(), page: ListArguments::default() };
    match arguments.command.unwrap_or_else(newest) {
        DeadCommand::List { filter, page } => context.block_on({
            let dead = filter.to_filter().statuses([Status::DeadLetter]);
            list(context, dead.into(), page, dead_letters)
        }),
        DeadCommand::Show(job) => context.block_on(show(context, job.id)),
        DeadCommand::Retry(arguments) => {
            move_jobs(context, &arguments.target, &Verb { action: arguments.action(), ..RETRY })
        }
        DeadCommand::Discard(arguments) => move_jobs(context, &arguments, &DISCARD),
    }
}

const RETRY: Verb = Verb { action: Action::Retry, word: "retry", done: "retried", statuses: &[Status::DeadLetter] };
const DISCARD: Verb =
    Verb { action: Action::Discard, word: "discard", done: "discarded", statuses: &[Status::DeadLetter] };

async fn show(context: &Context, id: longshore_core::JobId) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let detail = read_detail(&database, id).await?;
    if detail.job.status != Status::DeadLetter {
        return Err(CommandError::NotADeadLetter { id, status: detail.job.status }.into());
    }
    print_detail(context, &detail, database.place_of(detail.job.id))?;
    Ok(Exit::Done)
}
