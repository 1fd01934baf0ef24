mod change;
mod list;
mod show;
mod tree;
mod wait;

use longshore_core::{BatchId, BatchRecord};

pub(crate) use self::change::signal;
pub(in crate::commands) use self::tree::in_words;
use crate::arguments::{BatchListArguments, BatchesArguments, BatchesCommand};
use crate::commands::enqueue::batch;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;

/// Runs `longshore batches`.
pub(crate) fn run(context: &Context, arguments: BatchesArguments) -> anyhow::Result<Exit> {
    let command = arguments.command.unwrap_or_else(|| BatchesCommand::List(BatchListArguments::default()));
    match command {
        BatchesCommand::List(arguments) => context.block_on(list::list(context, arguments)),
        BatchesCommand::Show { batch, status, limit } => context.block_on(show::show(context, batch.id, status, limit)),
        BatchesCommand::Wait { batch, timeout } => context.block_on(wait::wait(context, batch.id, timeout)),
        BatchesCommand::Cancel(batch) => context.block_on(change::cancel(context, batch.id)),
        BatchesCommand::Retry(batch) => context.block_on(change::retry(context, batch.id)),
        BatchesCommand::Close(batch) => context.block_on(change::close(context, batch.id)),
        BatchesCommand::Add { batch, file } => batch::add(context, &context.config()?, batch.id, &file),
    }
}

/// Reads one batch. Fails if it does not exist.
async fn existing(database: &Database, id: BatchId) -> anyhow::Result<BatchRecord> {
    Ok(database.batch(id).await?.ok_or(CommandError::NoSuchBatch { id })?)
}

/// The database of a command that needs what is there.
async fn open(context: &Context) -> anyhow::Result<Database> {
    Database::open(context, Prepare::Nothing).await
}
