use longshore_core::{Action, Selection, Status};
use longshore_migrate::Exit;

use super::jobs::{Move, Verb, list, print_detail, read_detail, targets};
use crate::arguments::{DeadCommand, Filter, KindArguments, TargetArguments};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::database::{Database, Prepare};

/// Looks after the jobs that were given up.
pub(crate) fn run(context: &Context, command: DeadCommand) -> anyhow::Result<Exit> {
    match command {
        DeadCommand::List { filter, page } => context.block_on(list(context, dead(filter.selection()), page)),
        DeadCommand::Show(job) => context.block_on(show(context, job.id)),
        DeadCommand::Retry(arguments) => move_dead(context, &arguments, &RETRY),
        DeadCommand::Discard(arguments) => move_dead(context, &arguments, &DISCARD),
    }
}

const RETRY: Verb = Verb { action: Action::Retry, word: "retry", done: "retried", statuses: &[Status::DeadLetter] };
const DISCARD: Verb =
    Verb { action: Action::Discard, word: "discard", done: "discarded", statuses: &[Status::DeadLetter] };

fn dead(selection: Selection) -> Selection {
    Selection { statuses: vec![Status::DeadLetter], ..selection }
}

async fn show(context: &Context, id: longshore_core::JobId) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let detail = read_detail(&database, id).await?;
    if detail.job.status != Status::DeadLetter {
        return Err(CommandError::NotADeadLetter { id, status: detail.job.status }.into());
    }
    print_detail(context, &detail)?;
    Ok(Exit::Done)
}

fn move_dead(context: &Context, arguments: &TargetArguments<KindArguments>, verb: &Verb) -> anyhow::Result<Exit> {
    let (selection, consent) = targets(arguments)?;
    context.block_on(Move { verb, selection: dead(selection), consent }.run(context))
}
