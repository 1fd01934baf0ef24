use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use longshore::command::{CLAIM_VARIABLE, running_member};
use longshore::trace::EnqueueSpan;
use longshore_core::{BatchId, JobData, StoreError, ValidWorkflowJob, WorkflowBatch, WorkflowStream, stream_of};
use longshore_report::InsertedJobs;

use super::batch_lines::{BatchLines, Places};
use super::misspelt::UnknownTypes;
use super::noting_errors;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::table::count_jobs;
use crate::settings::config::Config;
use crate::settings::environment::{process_variable, traceparent};

/// Enqueues a file of jobs in one transaction. It checks the whole file first, so that an invalid line near the end
/// does not block the database's writer.
pub(crate) fn run(context: &Context, config: &Arc<Config>, path: &Path) -> anyhow::Result<Exit> {
    enqueue(context, config, path, WorkflowBatch::None, Prepare::New)
}

/// Adds a file of jobs to a batch that exists. A closed batch takes them from the program of a running member, which is
/// known by the variable that its worker has set.
pub(crate) fn add(context: &Context, config: &Arc<Config>, id: BatchId, path: &Path) -> anyhow::Result<Exit> {
    let by = process_variable(CLAIM_VARIABLE).and_then(|word| running_member(word.to_str()?));
    enqueue(context, config, path, WorkflowBatch::Existing { id, by }, Prepare::Nothing)
}

fn enqueue(
    context: &Context,
    config: &Arc<Config>,
    path: &Path,
    batch: WorkflowBatch,
    prepare: Prepare,
) -> anyhow::Result<Exit> {
    let span = EnqueueSpan::of_stream(traceparent().as_deref());
    noting_errors(&span, || enqueue_file(context, config, path, batch, prepare, &span))
}

fn enqueue_file(
    context: &Context,
    config: &Arc<Config>,
    path: &Path,
    batch: WorkflowBatch,
    prepare: Prepare,
    span: &EnqueueSpan,
) -> anyhow::Result<Exit> {
    let mut input = Input::open(path)?;
    let mut scanned = input.scan(config, batch, span.traceparent())?;
    let (unknown, places) = (std::mem::take(&mut scanned.unknown), std::mem::take(&mut scanned.places));
    let batch = scanned.batch.clone();
    let is_workflow = scanned.is_workflow;
    span.note_count(scanned.jobs);
    let progress = progress_bar(&context.output, scanned.jobs);
    let jobs = input.into_jobs(config, scanned, span.traceparent(), &progress)?;
    context.block_on(async {
        let database = Database::open(context, prepare).await?;
        let enqueued = match is_workflow {
            true => insert_workflow(context, &database, batch, stream_of(jobs)).await,
            false => insert(context, &database, jobs).await,
        };
        let exit = enqueued.map_err(|error| match error {
            Failed::Store(error) => explain(&places, error),
            Failed::Told(error) => error,
        })?;
        unknown.warn(context, &database, config, None).await;
        Ok(exit)
    })
}

/// What kept the jobs from being enqueued, or that they were, and could not be shown.
enum Failed {
    Store(StoreError),
    Told(anyhow::Error),
}

fn explain(places: &Places, error: StoreError) -> anyhow::Error {
    match error {
        StoreError::UnknownBatch { batch } => CommandError::NoSuchBatch { id: batch }.into(),
        error => places.explain(error),
    }
}

async fn insert(
    context: &Context,
    database: &Database,
    jobs: impl Iterator<Item = Result<ValidWorkflowJob, StoreError>> + Send + 'static,
) -> Result<Exit, Failed> {
    let plain = stream_of(jobs.map(|job| job.map(|job| job.job().clone())));
    let inserted = InsertedJobs { inserted: database.enqueue_valid_stream(plain).await.map_err(Failed::Store)? };
    let done = format!("{} enqueued", count_jobs(inserted.inserted));
    let told = context.output.result(&inserted, |output| output.line(&done));
    CommandError::after(&done, told).map_err(Failed::Told)?;
    Ok(Exit::Done)
}

async fn insert_workflow(
    context: &Context,
    database: &Database,
    batch: WorkflowBatch,
    jobs: WorkflowStream,
) -> Result<Exit, Failed> {
    let enqueued = database.enqueue_workflow_stream(batch, jobs).await.map_err(Failed::Store)?;
    let in_batch = enqueued.batch_id.map(|id| format!(" in batch {id}")).unwrap_or_default();
    let done = format!("{} enqueued{in_batch}", count_jobs(enqueued.inserted));
    let told = context.output.result(&enqueued, |output| output.line(&done));
    CommandError::after(&done, told).map_err(Failed::Told)?;
    Ok(Exit::Done)
}

/// A file that can be read twice.
struct Input {
    file: File,
    name: String,
}

impl Input {
    fn open(path: &Path) -> Result<Self, CommandError> {
        if path == Path::new("-") {
            let name = CommandError::STANDARD_INPUT.to_owned();
            return Self::spool(io::stdin().lock(), name);
        }
        let name = path.display().to_string();
        let unreadable = |source| CommandError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        // A pipe cannot be read twice.
        if file.metadata().map_err(unreadable)?.is_file() { Ok(Self { file, name }) } else { Self::spool(file, name) }
    }

    fn spool(mut input: impl io::Read, name: String) -> Result<Self, CommandError> {
        let spooled = tempfile::tempfile().and_then(|mut file| io::copy(&mut input, &mut file).map(|_| file));
        match spooled {
            Ok(file) => Ok(Self { file, name }),
            Err(source) => Err(CommandError::Unreadable { path: name.into(), source }),
        }
    }

    /// Checks every line, and keeps the jobs in memory if they are not too many.
    fn scan(
        &mut self,
        config: &Arc<Config>,
        batch: WorkflowBatch,
        traceparent: Option<&str>,
    ) -> Result<Scanned, CommandError> {
        self.rewind()?;
        let input = BufReader::new(&self.file);
        let lines = BatchLines::new(input, self.name.clone(), Arc::clone(config), batch.clone());
        let mut lines = lines.traced(traceparent);
        let mut scanned = Scanned::of(batch);
        while let Some(job) = lines.next().transpose()? {
            scanned.jobs += 1;
            scanned.is_workflow |= job.reference().is_some() || !job.after().is_empty();
            scanned.unknown.note(config, &job.job().job_type);
            scanned.keep(job);
        }
        (scanned.batch, scanned.places) = lines.into_parts();
        scanned.is_workflow |= scanned.batch != WorkflowBatch::None;
        Ok(scanned)
    }

    /// All jobs. If they were not kept, they are read and checked again.
    fn into_jobs(
        mut self,
        config: &Arc<Config>,
        scanned: Scanned,
        traceparent: Option<&str>,
        progress: &ProgressBar,
    ) -> Result<impl Iterator<Item = Result<ValidWorkflowJob, StoreError>> + Send + 'static + use<>, CommandError> {
        let Scanned { kept, given_batch, .. } = scanned;
        self.rewind()?;
        let is_kept = kept.is_some();
        let again = BatchLines::new(BufReader::new(self.file), self.name, Arc::clone(config), given_batch);
        let again = again.traced(traceparent);
        // Another program may have changed the file since the check.
        let again = again.map(|job| job.map_err(|error| StoreError::Aborted { source: error.into() }));
        let jobs = kept.unwrap_or_default().into_iter().map(Ok).chain(again.take_while(move |_| !is_kept));
        Ok(progress.wrap_iter(jobs))
    }

    fn rewind(&mut self) -> Result<(), CommandError> {
        let sought = self.file.seek(SeekFrom::Start(0));
        sought.map(|_| ()).map_err(|source| CommandError::Unreadable { path: self.name.clone().into(), source })
    }
}

/// The number of jobs kept in memory after the check. All but very large files are parsed only once.
const KEPT_JOBS_MAX: usize = 50_000;
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A file that was checked: every line is a valid job.
struct Scanned {
    /// The number of jobs.
    jobs: u64,
    /// None if they are too many.
    kept: Option<Vec<ValidWorkflowJob>>,
    kept_bytes: usize,
    /// The batch that was given, and the one that the file says.
    given_batch: WorkflowBatch,
    batch: WorkflowBatch,
    /// Whether any job has a name or waits, or there is a batch.
    is_workflow: bool,
    places: Places,
    unknown: UnknownTypes,
}

impl Scanned {
    fn of(batch: WorkflowBatch) -> Self {
        Self {
            jobs: 0,
            kept: Some(Vec::new()),
            kept_bytes: 0,
            given_batch: batch.clone(),
            batch,
            is_workflow: false,
            places: Places::default(),
            unknown: UnknownTypes::default(),
        }
    }

    /// Keeps a job, unless there are too many.
    fn keep(&mut self, job: ValidWorkflowJob) {
        let Some(kept) = &mut self.kept else { return };
        let plain = job.job();
        self.kept_bytes += plain.job_data.len() + plain.metadata.as_ref().map_or(0, JobData::len);
        kept.push(job);
        if kept.len() > KEPT_JOBS_MAX || self.kept_bytes > KEPT_BYTES_MAX {
            self.kept = None;
        }
    }
}

fn progress_bar(output: &Output, jobs: u64) -> ProgressBar {
    if !output.has_progress() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} jobs  {eta}");
    ProgressBar::new(jobs).with_style(style.expect("the template above is well formed"))
}
