use longshore_core::{Explanation, JobId, explain};
use longshore_report::PlacedExplanation;

use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::table::printable;

/// Says why a job is not running.
pub(super) async fn run(context: &Context, id: JobId) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let facts = database.waiting_facts(id).await?.ok_or(CommandError::NoSuchJob { id })?;
    let explanation = explain(&facts);
    let placed = PlacedExplanation { explanation: &explanation, database: database.place_of(id) };
    context.output.result(&placed, |output| {
        let Explanation { id, status, reason, also } = &explanation;
        output.line(format!("job {id} is {status}: {}", printable(&reason.message)))?;
        also.iter().try_for_each(|cause| output.line(format!("then: {}", printable(&cause.message))))
    })?;
    Ok(Exit::Done)
}
