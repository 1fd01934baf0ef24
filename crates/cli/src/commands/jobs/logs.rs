use std::time::Duration;
use std::{fmt, io};

use longshore_core::{ClaimNumber, JobId, LogEntry, LogRequest};
use longshore_report::JobLog;

use super::show::read_detail;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::exit::Exit;
use crate::output::{Format, Output};

/// Which part of which log to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogsRequest {
    /// The job id.
    pub(super) id: JobId,
    /// Only this attempt; the newest one with the number.
    pub(super) attempt: Option<u32>,
    /// When to stop.
    pub(super) until: Until,
}

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// At the end of the current log.
    Now,
    /// When the job has ended.
    Ended,
}

/// How often a growing log is read again.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Prints the output and log of a job's attempts.
pub(super) async fn run(context: &Context, request: LogsRequest) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let detail = read_detail(&database, request.id).await?;
    let log = LogRequest { id: request.id, attempt: request.attempt, after: None }.from_newest(&detail);
    let mut reader = Reader { request: log };
    match (context.output.format(), request.until) {
        (Format::Json, Until::Now) => {
            let mut entries = Vec::new();
            while let Some(page) = reader.next_page(&database).await? {
                entries.extend(page);
            }
            context.output.document(&JobLog { id: request.id, entries })?;
        }
        (_, Until::Now) => print_rest(&database, &mut reader, &mut Printer::new(&context.output)).await?,
        (_, Until::Ended) => follow(&database, &mut reader, &mut Printer::new(&context.output)).await?,
    }
    Ok(Exit::Done)
}

async fn follow(database: &Database, reader: &mut Reader, printer: &mut Printer<'_>) -> anyhow::Result<()> {
    loop {
        // Read the status before the log. Otherwise the last lines of a job that ends in between would be missed.
        let has_ended = read_detail(database, reader.request.id).await?.job.status.is_ended();
        print_rest(database, reader, printer).await?;
        if has_ended {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn print_rest(database: &Database, reader: &mut Reader, printer: &mut Printer<'_>) -> anyhow::Result<()> {
    while let Some(page) = reader.next_page(database).await? {
        for entry in &page {
            printer.print(entry)?;
        }
    }
    Ok(())
}

/// Reads a log in steps and remembers its position.
struct Reader {
    request: LogRequest,
}

impl Reader {
    async fn next_page(&mut self, database: &Database) -> anyhow::Result<Option<Vec<LogEntry>>> {
        let entries = database.log(self.request).await?.entries;
        let Some(last) = entries.last() else { return Ok(None) };
        self.request.after = Some((last.claim_number, last.chunk_number));
        Ok(Some(entries))
    }
}

/// Prints pieces in order: as text, or as one JSON document a line.
struct Printer<'a> {
    output: &'a Output,
    /// The claim of the attempt that was printed last: numbers of attempts come again.
    claim_number: Option<ClaimNumber>,
    cut_bytes: u64,
    is_within_line: bool,
}

impl<'a> Printer<'a> {
    fn new(output: &'a Output) -> Self {
        Self { output, claim_number: None, cut_bytes: 0, is_within_line: false }
    }

    fn print(&mut self, entry: &LogEntry) -> anyhow::Result<()> {
        if self.output.format() == Format::Json {
            return Ok(self.output.document(entry)?);
        }
        if self.claim_number != Some(entry.claim_number) {
            if self.claim_number.is_some() {
                self.mark(format_args!("--- attempt {} ---", entry.attempt))?;
            }
            (self.claim_number, self.cut_bytes) = (Some(entry.claim_number), 0);
        }
        if entry.cut_bytes > self.cut_bytes {
            self.mark(format_args!("--- {} bytes are missing here ---", entry.cut_bytes - self.cut_bytes))?;
            self.cut_bytes = entry.cut_bytes;
        }
        if !entry.text.is_empty() {
            self.is_within_line = !entry.text.ends_with('\n');
        }
        Ok(self.output.text(entry.text.as_bytes())?)
    }

    /// Prints a line of our own. Starts a new line first if the job's output did not end with one.
    fn mark(&mut self, words: fmt::Arguments<'_>) -> io::Result<()> {
        let line_end = if std::mem::take(&mut self.is_within_line) { "\n" } else { "" };
        self.output.line(format_args!("{line_end}{words}"))
    }
}
