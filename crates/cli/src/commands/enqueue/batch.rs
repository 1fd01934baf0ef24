use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use longshore_core::EnqueueStream;
use serde::Serialize;

use super::batch_lines::BatchLines;
use crate::command_error::CommandError;
use crate::config::Config;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::exit::Exit;
use crate::output::Output;
use crate::table::count_jobs;

/// What a batch came to.
#[derive(Serialize)]
struct Inserted {
    inserted: u64,
}

/// Enqueues a file of jobs, all or none. The whole file is looked at first, so that a bad line at its end does not
/// keep the database's writer busy for nothing.
pub(crate) fn run(context: &Context, config: &Arc<Config>, path: &Path) -> anyhow::Result<Exit> {
    let mut input = Input::open(path)?;
    let jobs = input.count_jobs(config)?;
    let stream = input.into_stream(config, &progress_bar(&context.output, jobs))?;
    context.block_on(insert(context, stream))
}

async fn insert(context: &Context, stream: EnqueueStream) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::New).await?;
    let inserted = Inserted { inserted: database.enqueue_stream(stream).await? };
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
        // A pipe has no beginning to go back to.
        if file.metadata().map_err(unreadable)?.is_file() { Ok(Self { file, name }) } else { Self::spool(file, name) }
    }

    fn spool(mut input: impl io::Read, name: String) -> Result<Self, CommandError> {
        let spooled = tempfile::tempfile().and_then(|mut file| io::copy(&mut input, &mut file).map(|_| file));
        match spooled {
            Ok(file) => Ok(Self { file, name }),
            Err(source) => Err(CommandError::Unreadable { path: name.into(), source }),
        }
    }

    /// Looks at every line and says how many jobs there are.
    fn count_jobs(&mut self, config: &Arc<Config>) -> Result<u64, CommandError> {
        self.rewind()?;
        let lines = BatchLines::new(BufReader::new(&self.file), self.name.clone(), Arc::clone(config));
        lines.map(|job| job.map(|_| 1)).sum()
    }

    /// The jobs once more. They are looked at again, because somebody may have written to the file meanwhile.
    fn into_stream(mut self, config: &Arc<Config>, progress: &ProgressBar) -> Result<EnqueueStream, CommandError> {
        self.rewind()?;
        let lines = BatchLines::new(BufReader::new(self.file), self.name, Arc::clone(config));
        let jobs = lines.map(|job| job.map_err(Into::into));
        Ok(Box::new(progress.wrap_iter(jobs)))
    }

    fn rewind(&mut self) -> Result<(), CommandError> {
        let rewound = self.file.seek(SeekFrom::Start(0));
        rewound.map(|_| ()).map_err(|source| CommandError::Unreadable { path: self.name.clone().into(), source })
    }
}

fn progress_bar(output: &Output, jobs: u64) -> ProgressBar {
    if !output.has_progress() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} jobs  {eta}");
    ProgressBar::new(jobs).with_style(style.expect("the template above is well formed"))
}
