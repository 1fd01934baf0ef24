use std::sync::Arc;

use longshore_core::{Explanation, JobId, explain};
use serde::Serialize;

use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::table::printable;

/// An explanation in JSON, and in which of several databases the job is.
#[derive(Serialize)]
struct PlacedExplanation<'a> {
    #[serde(flatten)]
    explanation: &'a Explanation,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<Arc<str>>,
}

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
