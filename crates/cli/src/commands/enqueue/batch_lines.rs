use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use longshore_core::{
    Awaited, InvalidWorkflow, InvalidWorkflowLine, JobId, Limits, StoreError, ValidWorkflowJob, WorkflowBatch,
    WorkflowCheck, WorkflowJob, WorkflowLine,
};
use longshore_report::in_plain_words;

use crate::error_report::command_error::CommandError;
use crate::settings::config::Config;

/// Reads jobs from an NDJSON text, one line in memory at a time. Skips blank lines. Stops at the first invalid line.
pub(crate) struct BatchLines<R> {
    input: R,
    config: Arc<Config>,
    traceparent: Option<String>,
    limits: Limits,
    batch: WorkflowBatch,
    /// None until the first line that is not blank, which may name the batch.
    check: Option<WorkflowCheck>,
    places: Places,
    line: u64,
    buffer: Vec<u8>,
    has_ended: bool,
}

/// Which line first names an older job, for an error that the database finds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    name: String,
    older: BTreeMap<JobId, u64>,
}

/// How many older jobs are remembered with their lines.
const OLDER_MAX: usize = 100_000;
/// The maximum size of a line without its payload and its metadata.
const LINE_REST_BYTES_MAX: usize = 64 * 1024;

impl Places {
    /// The error of a call with these jobs: of a job that does not exist it names the line.
    pub(crate) fn explain(&self, error: StoreError) -> anyhow::Error {
        let job = match &error {
            StoreError::UnknownDependency { job } | StoreError::DependencyElsewhere { job, .. } => *job,
            StoreError::UnknownParent { parent } => *parent,
            _ => return error.into(),
        };
        match self.older.get(&job) {
            Some(line) => self.problem(*line, error.to_string()).into(),
            None => error.into(),
        }
    }

    fn note(&mut self, job: &ValidWorkflowJob, line: u64) {
        let awaited = job.after().iter().filter_map(|dependency| match dependency.awaited {
            Awaited::Job(job) => Some(job),
            _ => None,
        });
        for older in awaited.chain(job.job().parent) {
            if self.older.len() < OLDER_MAX {
                self.older.entry(older).or_insert(line);
            }
        }
    }

    fn problem(&self, line: u64, problem: String) -> CommandError {
        CommandError::Line { input: self.name.clone(), line, problem }
    }
}

impl<R: BufRead> BatchLines<R> {
    /// Reads `input` into a batch that exists, or into what its first line says; error messages call it `name`.
    pub(crate) fn new(input: R, name: String, config: Arc<Config>, batch: WorkflowBatch) -> Self {
        Self {
            input,
            config,
            traceparent: None,
            limits: Limits::default(),
            batch,
            check: None,
            places: Places { name, older: BTreeMap::new() },
            line: 0,
            buffer: Vec::new(),
            has_ended: false,
        }
    }

    /// Gives the jobs this trace context.
    pub(crate) fn traced(mut self, traceparent: Option<&str>) -> Self {
        self.traceparent = traceparent.map(str::to_owned);
        self
    }

    /// The batch of the jobs, and which lines name older jobs, once all of them were read.
    pub(crate) fn into_parts(self) -> (WorkflowBatch, Places) {
        (self.batch, self.places)
    }

    fn next_job(&mut self) -> Result<Option<ValidWorkflowJob>, CommandError> {
        while self.read_line()? {
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            if let Some(job) = self.parse_line()? {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    fn read_line(&mut self) -> Result<bool, CommandError> {
        self.buffer.clear();
        let max = 2 * self.limits.payload_bytes_max + LINE_REST_BYTES_MAX;
        let mut bounded = (&mut self.input).take(max as u64 + 1);
        let read = bounded.read_until(b'\n', &mut self.buffer);
        let count = read.map_err(|source| unreadable(&self.places.name, source))?;
        self.line += 1;
        if count > max {
            return Err(self.problem(format!("it has more than {max} bytes")));
        }
        Ok(count > 0)
    }

    /// None for the line that names the batch.
    fn parse_line(&mut self) -> Result<Option<ValidWorkflowJob>, CommandError> {
        let text = std::str::from_utf8(self.buffer.trim_ascii())
            .map_err(|error| self.problem(format!("it is not UTF-8 from byte {} on", error.valid_up_to() + 1)))?;
        let line = WorkflowLine::parse(text).map_err(|error| self.problem(line_problem(&error)))?;
        match line {
            WorkflowLine::Batch { name, is_open } => {
                self.begin_batch(name, is_open)?;
                Ok(None)
            }
            WorkflowLine::Job { request, reference, after } => {
                let defaults = self.config.new_job(&request.job_type);
                let job = request.into_new_job(defaults).map_err(|error| self.problem(error.to_string()))?;
                let job = job.traced(self.traceparent.as_deref());
                let job = WorkflowJob { job, reference, after };
                let limits = self.limits;
                let checked = self.check()?.check(job, &limits);
                let job = checked.map_err(|error| self.problem(error.to_string()))?;
                self.places.note(&job, self.line);
                Ok(Some(job))
            }
        }
    }

    fn begin_batch(&mut self, name: String, is_open: bool) -> Result<(), CommandError> {
        if let WorkflowBatch::Existing { id, .. } = self.batch {
            return Err(self.problem(format!("the jobs are added to batch {id}: remove this line")));
        }
        if self.check.is_some() {
            return Err(self.problem("only the first line can name the batch: move it there".to_owned()));
        }
        self.batch = WorkflowBatch::New { name, is_open };
        self.check().map(drop)
    }

    fn check(&mut self) -> Result<&mut WorkflowCheck, CommandError> {
        if self.check.is_none() {
            let begun: Result<_, InvalidWorkflow> = WorkflowCheck::begin(&self.batch);
            self.check = Some(begun.map_err(|error| self.problem(error.to_string()))?);
        }
        Ok(self.check.as_mut().expect("it was made above"))
    }

    fn problem(&self, problem: String) -> CommandError {
        self.places.problem(self.line, problem)
    }
}

impl<R: BufRead> Iterator for BatchLines<R> {
    type Item = Result<ValidWorkflowJob, CommandError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = self.next_job().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}

fn line_problem(error: &InvalidWorkflowLine) -> String {
    match error {
        InvalidWorkflowLine::Json(error) => json_problem(error),
        error => error.to_string(),
    }
}

/// The error text of serde, without its line number: it counts lines within our single line.
fn json_problem(error: &serde_json::Error) -> String {
    let text = in_plain_words(&error.to_string(), "an object");
    let column = error.column();
    match text.strip_suffix(&format!(" at line 1 column {column}")) {
        Some(words) => format!("{words} at column {column}"),
        None => text,
    }
}

fn unreadable(name: &str, source: io::Error) -> CommandError {
    CommandError::Unreadable { path: Path::new(name).to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines<R: BufRead>(input: R) -> BatchLines<R> {
        BatchLines::new(input, "jobs".to_owned(), Arc::default(), WorkflowBatch::None)
    }

    fn read(text: &[u8]) -> Result<Vec<ValidWorkflowJob>, String> {
        lines(text).collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_is_a_job_and_a_blank_line_is_nothing() {
        let jobs = read(b"{\"job_type\":\"a\"}\n\n  \r\n{\"job_type\":\"b\",\"job_data\":[1]}").unwrap();
        let read: Vec<_> =
            jobs.iter().map(ValidWorkflowJob::job).map(|job| (job.job_type.as_str(), job.job_data.as_str())).collect();
        assert_eq!(read, [("a", "{}"), ("b", "[1]")]);
    }

    #[test]
    fn the_line_that_is_off_is_named() {
        let off: [(&[u8], &str); 12] = [
            (b"{\"job_type\":\"a\"}\n{", "jobs, line 2: EOF while parsing an object at column 1"),
            (b"\n\n{}", "jobs, line 3: missing field \"job_type\" at column 2"),
            (b"{\"job_type\":\"a\"}\n\xff\n", "jobs, line 2: it is not UTF-8 from byte 1 on"),
            (b"{\"job_type\":\"\"}", "jobs, line 1: the job type must be 1 to 200 bytes"),
            (b"{\"job_type\":\"a\",\"prio\":1}", "jobs, line 1: unknown field \"prio\""),
            (b"{\"job_type\":\"a\",\"delay\":\"9999999d\"}", "jobs, line 1: delay must be from 0s to"),
            (
                b"{\"job_type\":\"a\",\"delay\":\"1s\",\"run_at\":\"2099-01-01T00:00:00Z\"}",
                "jobs, line 1: run_at and delay cannot both be given: remove one of them",
            ),
            (
                b"{\"batch\":{\"name\":\"x\"}}\n{\"job_type\":\"a\",\"after\":[\"b\"]}",
                "jobs, line 2: no job before this one has the ref \"b\"",
            ),
            (
                b"{\"job_type\":\"a\",\"ref\":\"a\"}\n\n{\"job_type\":\"a\",\"ref\":\"a\"}",
                "jobs, line 3: two jobs have the ref \"a\"",
            ),
            (
                b"{\"job_type\":\"a\"}\n{\"batch\":{\"name\":\"x\"}}",
                "jobs, line 2: only the first line can name the batch",
            ),
            (b"{\"batch\":{\"name\":\"\"}}", "jobs, line 1: "),
            (
                b"{\"job_type\":\"a\",\"after\":[{\"batch\":\"done\"}]}",
                "jobs, line 1: cannot read \"after\": \"batch\" cannot be",
            ),
        ];
        for (text, expected) in off {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn the_first_line_names_the_batch() {
        let mut lines =
            lines(&b"\n{\"batch\":{\"name\":\"import\",\"open\":true}}\n{\"job_type\":\"a\",\"ref\":\"x\"}"[..]);
        let job = lines.next().unwrap().unwrap();
        assert_eq!(job.reference(), Some("x"));
        assert!(lines.next().is_none());
        assert_eq!(lines.into_parts().0, WorkflowBatch::New { name: "import".to_owned(), is_open: true });
    }

    #[test]
    fn a_batch_that_exists_is_not_named_again() {
        let batch = WorkflowBatch::Existing { id: longshore_core::BatchId(7), by: None };
        let text = &b"{\"batch\":{\"name\":\"x\"}}"[..];
        let error = BatchLines::new(text, "jobs".to_owned(), Arc::default(), batch).next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "jobs, line 1: the jobs are added to batch 7: remove this line");
    }

    #[test]
    fn an_unknown_job_that_the_database_finds_is_named_with_its_line() {
        let mut lines = lines(
            &b"{\"job_type\":\"a\"}\n{\"job_type\":\"a\",\"after\":[7, 8]}\n{\"job_type\":\"a\",\"after\":[8]}"[..],
        );
        assert!(lines.by_ref().all(|job| job.is_ok()));
        let (_, places) = lines.into_parts();
        let error = places.explain(StoreError::UnknownDependency { job: JobId(8) });
        assert_eq!(error.to_string(), "jobs, line 2: there is no job 8 to wait for");
    }

    #[test]
    fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
        let endless = io::BufReader::new(io::repeat(b' ').take(1 << 40));
        let error = lines(endless).next().unwrap().unwrap_err();
        assert!(matches!(error, CommandError::Line { line: 1, .. }), "{error}");
    }
}
