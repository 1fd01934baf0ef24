use longshore_core::{Due, Enqueued, Job, JobId, Limits, NewJob};
use serde::Serialize;

use crate::arguments::EnqueueArguments;
use crate::command_error::CommandError;
use crate::config::Config;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::exit::Exit;
use crate::output::Format;

mod batch;
mod batch_lines;
mod payload;

/// Enqueues one job or a batch. Everything is read and looked at before the database is touched.
pub(crate) fn run(context: &Context, arguments: EnqueueArguments) -> anyhow::Result<Exit> {
    let config = context.config()?;
    if let Some(path) = &arguments.batch {
        return batch::run(context, &config, path);
    }
    let job = read_job(&config, arguments)?;
    job.validate(&Limits::default()).map_err(CommandError::Job)?;
    context.block_on(enqueue(context, job))
}

fn read_job(config: &Config, arguments: EnqueueArguments) -> Result<NewJob, CommandError> {
    let job = config.new_job(arguments.job_type.as_deref().unwrap_or_default());
    let due = match (arguments.at, arguments.delay) {
        (Some(instant), _) => Due::At(instant),
        (None, Some(delay)) => Due::After(delay),
        (None, None) => job.due,
    };
    Ok(NewJob {
        job_data: payload::read(arguments.data.as_deref())?,
        queue: arguments.queue.unwrap_or(job.queue),
        priority: arguments.priority.unwrap_or(job.priority),
        due,
        max_retries: arguments.max_retries.unwrap_or(job.max_retries),
        timeout: arguments.timeout.or(job.timeout),
        expires_in: arguments.expires_in.or(job.expires_in),
        deadline_in: arguments.deadline.or(job.deadline_in),
        unique_key: arguments.unique_key.or(job.unique_key),
        parent: arguments.parent.or(job.parent),
        ..job
    })
}

/// A job that was enqueued, or was there.
#[derive(Serialize)]
struct EnqueuedJob {
    #[serde(flatten)]
    job: Job,
    is_duplicate: bool,
}

async fn enqueue(context: &Context, job: NewJob) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::New).await?;
    let enqueued = database.enqueue(vec![job]).await?;
    let [Enqueued { id, is_duplicate }] = enqueued.as_slice() else {
        anyhow::bail!("the database answered for {} jobs and was asked for one", enqueued.len());
    };
    if *is_duplicate {
        context.output.note(format!("job {id} has this unique key and has not ended: nothing was enqueued"));
    }
    let done = if *is_duplicate { format!("job {id} was there already") } else { format!("job {id} was enqueued") };
    CommandError::after(done, tell(context, &database, *id, *is_duplicate).await)?;
    Ok(Exit::Done)
}

async fn tell(context: &Context, database: &Database, id: JobId, is_duplicate: bool) -> anyhow::Result<()> {
    if context.output.format() == Format::Words {
        return Ok(context.output.line(id)?);
    }
    let detail = database.job(id).await?.ok_or(CommandError::NoSuchJob { id })?;
    Ok(context.output.document(&EnqueuedJob { job: detail.job, is_duplicate })?)
}
