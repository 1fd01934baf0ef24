use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use longshore_core::{JobData, StoreError, ValidJob, ValidJobStream, stream_of};
use longshore_report::InsertedJobs;

use super::batch_lines::{BatchLines, Position};
use super::misspelt::UnknownTypes;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::table::count_jobs;
use crate::settings::config::Config;

/// Enqueues a file of jobs in one transaction. It checks the whole file first, so that an invalid line near the end
/// does not block the database's writer.
pub(crate) fn run(context: &Context, config: &Arc<Config>, path: &Path) -> anyhow::Result<Exit> {
    let mut input = Input::open(path)?;
    let mut scanned = input.scan(config)?;
    let unknown = std::mem::take(&mut scanned.unknown);
    let progress = progress_bar(&context.output, scanned.jobs);
    let stream = input.into_stream(config, scanned, &progress)?;
    context.block_on(async {
        let database = Database::open(context, Prepare::New).await?;
        let exit = insert(context, &database, stream).await?;
        unknown.warn(context, &database, config, None).await;
        Ok(exit)
    })
}

async fn insert(context: &Context, database: &Database, stream: ValidJobStream) -> anyhow::Result<Exit> {
    let inserted = InsertedJobs { inserted: database.enqueue_valid_stream(stream).await? };
    let done = format!("{} enqueued", count_jobs(inserted.inserted));
    CommandError::after(&done, context.output.result(&inserted, |output| output.line(&done)))?;
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

    /// Checks every line, and keeps the first jobs in memory.
    fn scan(&mut self, config: &Arc<Config>) -> Result<Scanned, CommandError> {
        self.seek(0)?;
        let mut lines = BatchLines::new(BufReader::new(&self.file), self.name.clone(), Arc::clone(config));
        let mut scanned = Scanned::default();
        while let Some(job) = lines.next().transpose()? {
            scanned.jobs += 1;
            scanned.unknown.note(config, &job.job_type);
            if scanned.rest.is_none() && !scanned.keep(job) {
                scanned.rest = Some(lines.position());
            }
        }
        Ok(scanned)
    }

    /// All jobs. Those that were not kept are read and checked again.
    fn into_stream(
        mut self,
        config: &Arc<Config>,
        scanned: Scanned,
        progress: &ProgressBar,
    ) -> Result<ValidJobStream, CommandError> {
        let kept = scanned.kept.into_iter().map(Ok);
        let Some(position) = scanned.rest else { return Ok(stream_of(progress.wrap_iter(kept))) };
        self.seek(position.bytes)?;
        let rest = BatchLines::from_position(BufReader::new(self.file), self.name, Arc::clone(config), position);
        // Another program may have changed the file since the check.
        let rest = rest.map(|job| job.map_err(|error| StoreError::Aborted { source: error.into() }));
        Ok(stream_of(progress.wrap_iter(kept.chain(rest))))
    }

    fn seek(&mut self, bytes: u64) -> Result<(), CommandError> {
        let sought = self.file.seek(SeekFrom::Start(bytes));
        sought.map(|_| ()).map_err(|source| CommandError::Unreadable { path: self.name.clone().into(), source })
    }
}

/// The number of jobs kept in memory after the check. All but very large files are parsed only once.
const KEPT_JOBS_MAX: usize = 50_000;
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A file that was checked: every line is a valid job.
#[derive(Default)]
struct Scanned {
    /// The number of jobs.
    jobs: u64,
    kept: Vec<ValidJob>,
    kept_bytes: usize,
    /// The position of the first job that was not kept.
    rest: Option<Position>,
    unknown: UnknownTypes,
}

impl Scanned {
    /// Keeps a job. Returns whether there is room for another one.
    fn keep(&mut self, job: ValidJob) -> bool {
        self.kept_bytes += job.job_data.len() + job.metadata.as_ref().map_or(0, JobData::len);
        self.kept.push(job);
        self.kept.len() < KEPT_JOBS_MAX && self.kept_bytes < KEPT_BYTES_MAX
    }
}

fn progress_bar(output: &Output, jobs: u64) -> ProgressBar {
    if !output.has_progress() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} jobs  {eta}");
    ProgressBar::new(jobs).with_style(style.expect("the template above is well formed"))
}
