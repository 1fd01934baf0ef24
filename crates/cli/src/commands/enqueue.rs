use longshore::trace::EnqueueSpan;
use longshore_core::{Due, Duplicate, Enqueued, JobId, Limits, NewJob, ValidJob};
use longshore_report::EnqueuedJob;

pub(super) use self::misspelt::misspelt_of_schedules;
use self::misspelt::{UnknownTypes, warn_of_queue};
use crate::arguments::EnqueueArguments;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::ErrorReport;
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Format;
use crate::settings::config::Config;
use crate::settings::environment::traceparent;

pub(crate) mod batch;
mod batch_lines;
mod misspelt;
pub(crate) mod payload;

/// Enqueues one job or a batch. Reads and checks all input before it opens the database.
pub(crate) fn run(context: &Context, arguments: EnqueueArguments) -> anyhow::Result<Exit> {
    let config = context.config()?;
    if let Some(path) = &arguments.batch {
        return batch::run(context, &config, path);
    }
    let queue = arguments.queue.clone();
    let job = read_job(&config, arguments)?;
    let span = EnqueueSpan::of_job(&job, traceparent().as_deref());
    let job = job.traced(span.traceparent());
    noting_errors(&span, || enqueue_job(context, &config, job, queue, &span))
}

/// Records on the span why nothing was enqueued.
fn noting_errors(span: &EnqueueSpan, enqueue: impl FnOnce() -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    enqueue().inspect_err(|error| span.note_error(ErrorReport::of(error).code))
}

fn enqueue_job(
    context: &Context,
    config: &Config,
    job: NewJob,
    queue: Option<String>,
    span: &EnqueueSpan,
) -> anyhow::Result<Exit> {
    let job = job.check(&Limits::default()).map_err(CommandError::Job)?;
    context.block_on(async {
        let database = Database::open(context, Prepare::New).await?;
        let mut unknown = UnknownTypes::default();
        unknown.note(config, &job.job_type);
        let enqueued = enqueue(context, &database, job, span).await?;
        unknown.warn(context, &database, config, Some(enqueued.id)).await;
        if let Some(queue) = queue.filter(|_| enqueued.duplicate.is_none()) {
            warn_of_queue(context, &database, config, &queue, enqueued.id).await;
        }
        Ok(Exit::Done)
    })
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
        max_retries: arguments.max_retries.or(job.max_retries),
        timeout: arguments.timeout.or(job.timeout),
        expires_in: arguments.expires_in.or(job.expires_in),
        deadline_in: arguments.deadline.or(job.deadline_in),
        unique_key: arguments.unique_key.or(job.unique_key),
        on_duplicate: arguments.on_duplicate.unwrap_or(job.on_duplicate),
        unique_while: arguments.unique_while.unwrap_or(job.unique_while),
        limit_key: arguments.key.or(job.limit_key),
        parent: arguments.parent.or(job.parent),
        ..job
    })
}

async fn enqueue(
    context: &Context,
    database: &Database,
    job: ValidJob,
    span: &EnqueueSpan,
) -> anyhow::Result<Enqueued> {
    let enqueued = database.enqueue_valid(vec![job]).await?;
    let [enqueued] = enqueued.as_slice() else {
        anyhow::bail!("the database returned {} jobs for one enqueue", enqueued.len());
    };
    span.note_job(enqueued.id);
    if let Some(duplicate) = enqueued.duplicate {
        context.output.note(note(enqueued.id, duplicate));
    }
    CommandError::after(done(enqueued), tell(context, database, enqueued).await)?;
    Ok(*enqueued)
}

fn note(id: JobId, duplicate: Duplicate) -> String {
    match duplicate {
        Duplicate::Kept => format!("job {id} has this unique key and has not ended: nothing was enqueued"),
        Duplicate::Replaced => format!("job {id} has this unique key and is waiting: its content was replaced"),
        Duplicate::PushedBack => {
            format!("job {id} has this unique key and is waiting: its content was replaced and its start was postponed")
        }
    }
}

fn done(enqueued: &Enqueued) -> String {
    let id = enqueued.id;
    match enqueued.duplicate {
        None => format!("job {id} was enqueued"),
        Some(Duplicate::Kept) => format!("job {id} existed already"),
        Some(Duplicate::Replaced) => format!("the content of job {id} was replaced"),
        Some(Duplicate::PushedBack) => format!("the start of job {id} was postponed"),
    }
}

async fn tell(context: &Context, database: &Database, enqueued: &Enqueued) -> anyhow::Result<()> {
    let Enqueued { id, is_duplicate, duplicate } = *enqueued;
    if context.output.format() == Format::Words {
        return Ok(context.output.line(id)?);
    }
    let detail = database.job(id).await?.ok_or(CommandError::NoSuchJob { id })?;
    Ok(context.output.document(&EnqueuedJob { job: detail.job, is_duplicate, duplicate })?)
}
