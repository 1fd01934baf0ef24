mod change;
mod check;
mod list;
mod ticks;

use longshore::schedule::ScheduleError;
use longshore_core::ScheduleRecord;

use super::enqueue::misspelt_of_schedules;
use crate::arguments::{SchedulesArguments, SchedulesCommand};
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::quoted::argument;
use crate::suggestion::closest;

/// Runs `longshore schedules`.
pub(crate) fn run(context: &Context, arguments: SchedulesArguments) -> anyhow::Result<Exit> {
    match arguments.command.unwrap_or(SchedulesCommand::List) {
        SchedulesCommand::List => context.block_on(list::list(context)),
        SchedulesCommand::Show { name } => context.block_on(list::show(context, &name)),
        SchedulesCommand::Next { name, count, until } => {
            context.block_on(list::next(context, name.as_deref(), count, until))
        }
        SchedulesCommand::Ticks(arguments) => context.block_on(ticks::ticks(context, arguments)),
        SchedulesCommand::Add(arguments) => context.block_on(change::add(context, *arguments)),
        SchedulesCommand::Remove { name } => context.block_on(change::remove(context, &name)),
        SchedulesCommand::Apply { prune, dry_run } => context.block_on(change::apply(context, prune, dry_run)),
        SchedulesCommand::Run { name } => context.block_on(change::run(context, &name)),
        SchedulesCommand::Backfill { name, from, to, dry_run } => {
            context.block_on(ticks::backfill(context, &name, from..to, dry_run))
        }
        SchedulesCommand::Pause { name, reason } => context.block_on(change::pause(context, &name, reason)),
        SchedulesCommand::Resume { name, catch_up } => context.block_on(change::resume(context, &name, catch_up)),
        SchedulesCommand::Check { name } => context.block_on(check::check(context, name.as_deref())),
    }
}

/// The database of a command that only looks, or that needs what is there.
async fn existing(context: &Context) -> anyhow::Result<Database> {
    Database::open(context, Prepare::Nothing).await
}

/// Warns about types of the jobs of schedules that are probably misspelt.
async fn warn_of_types(context: &Context, database: &Database, schedules: &[(&str, &str)]) -> anyhow::Result<()> {
    let config = context.config()?;
    for sentence in misspelt_of_schedules(database, &config, schedules).await {
        context.output.note(format!("warning: {sentence}"));
    }
    Ok(())
}

async fn one(database: &Database, name: &str) -> anyhow::Result<ScheduleRecord> {
    match database.queue().schedules().get(name).await? {
        Some(record) => Ok(record),
        None => Err(no_such(database, name).await),
    }
}

/// The error for a name that no schedule has, with the name that was probably meant.
async fn no_such(database: &Database, name: &str) -> anyhow::Error {
    let known = database.queue().schedules().list().await.unwrap_or_default();
    let similar = closest(name, known.iter().map(|record| record.name.as_str()));
    CommandError::NoSuchSchedule { name: name.to_owned(), similar: similar.map(argument) }.into()
}

/// The error of a call, which names what was probably meant if there is no such schedule.
async fn explained(database: &Database, error: ScheduleError) -> anyhow::Error {
    match error {
        ScheduleError::NotFound { name } => no_such(database, &name).await,
        error => error.into(),
    }
}
