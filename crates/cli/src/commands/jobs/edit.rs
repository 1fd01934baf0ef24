use crate::exit::Exit;
use longshore_core::{Actioned, Deed, JobEdit, JobId, Limits, Refusal, StoreError};

use super::show::read_detail;
use crate::arguments::EditArguments;
use crate::commands::enqueue::payload;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::output::Format;

/// Changes one job that is not running. Reads and checks all input before it opens the database.
pub(super) async fn run(context: &Context, arguments: EditArguments) -> anyhow::Result<Exit> {
    let id = arguments.id;
    let due = arguments.due();
    let job_data = arguments.data.as_deref().map(|data| payload::read(Some(data))).transpose()?;
    let edit = JobEdit { job_type: arguments.job_type, job_data, queue: arguments.queue, due };
    edit.validate(&Limits::default()).map_err(StoreError::from)?;
    let database = Database::open(context, Prepare::Nothing).await?;
    let deed = Deed::edit(id, &edit);
    refuse(id, database.audited(deed, database.edit(id, edit)).await?)?;
    let done = format!("job {id} was edited");
    CommandError::after(&done, tell(context, &database, id, &done).await)?;
    Ok(Exit::Done)
}

fn refuse(id: JobId, actioned: Actioned) -> Result<(), CommandError> {
    match actioned.refused.as_slice() {
        [] => Ok(()),
        [Refusal::NotFound { .. }] => Err(CommandError::NoSuchJob { id }),
        _ => Err(CommandError::NotMoved { verb: "edit", actioned }),
    }
}

async fn tell(context: &Context, database: &Database, id: JobId, done: &str) -> anyhow::Result<()> {
    if context.output.format() == Format::Words {
        return Ok(context.output.line(done)?);
    }
    Ok(context.output.document(&read_detail(database, id).await?)?)
}
