use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream};
use longshore_core::{
    Limits, NewJob, StoreError, Stream, ValidWorkflowJob, WorkflowBatch, WorkflowCheck, WorkflowJob, WorkflowLine,
};
use longshore_report::in_plain_words;

/// The most bytes of one body of lines.
pub(super) const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The maximum size of a line without its payload and its metadata.
const LINE_REST_BYTES_MAX: usize = 64 * 1024;

/// What a job of a type is where a line does not say otherwise.
type Defaults = Arc<dyn Fn(&str) -> NewJob + Send + Sync>;

/// The jobs of a body, one JSON object a line. It is read as it comes, one line in memory at a time.
pub(super) struct JobLines {
    text: TextLines,
    defaults: Defaults,
    traceparent: Option<String>,
    limits: Limits,
    check: WorkflowCheck,
    /// The first line, if it was no batch.
    first: Option<WorkflowLine>,
    has_ended: bool,
}

/// The lines of a body that are not blank.
struct TextLines {
    body: BodyDataStream,
    line_bytes_max: usize,
    buffer: Vec<u8>,
    /// Where the next line begins in it.
    start: usize,
    /// How many bytes of the buffer were looked through for a line end.
    searched: usize,
    bytes: u64,
    line: u64,
    is_read: bool,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
struct InvalidLine {
    line: u64,
    problem: String,
}

impl JobLines {
    /// Reads the first line, and says to which batch the jobs belong.
    pub(super) async fn begin(
        body: Body,
        defaults: Defaults,
        traceparent: Option<String>,
        limits: Limits,
    ) -> Result<(WorkflowBatch, Self), StoreError> {
        let mut text = TextLines {
            body: body.into_data_stream(),
            line_bytes_max: 2 * limits.payload_bytes_max + LINE_REST_BYTES_MAX,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            bytes: 0,
            line: 0,
            is_read: false,
        };
        let first = poll_fn(|context| text.poll_line(context)).await.transpose()?;
        let (batch, first) = match first.map(|line| text.parse(&line)).transpose()? {
            Some(WorkflowLine::Batch { name, is_open }) => (WorkflowBatch::New { name, is_open }, None),
            first => (WorkflowBatch::None, first),
        };
        let check = WorkflowCheck::begin(&batch)?;
        Ok((batch, Self { text, defaults, traceparent, limits, check, first, has_ended: false }))
    }

    fn check(&mut self, line: WorkflowLine) -> Result<ValidWorkflowJob, StoreError> {
        let WorkflowLine::Job { request, reference, after } = line else {
            return Err(self.text.problem("only the first line can name the batch: move it there"));
        };
        let defaults = (self.defaults)(&request.job_type);
        let job = request.into_new_job(defaults).map_err(|error| self.text.problem(error.to_string()))?;
        let job = job.traced(self.traceparent.as_deref());
        let checked = self.check.check(WorkflowJob { job, reference, after }, &self.limits);
        checked.map_err(|error| self.text.problem(error.to_string()))
    }

    fn poll_job(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ValidWorkflowJob, StoreError>>> {
        let line = match self.first.take() {
            Some(first) => first,
            None => match ready!(self.text.poll_line(context)) {
                Some(line) => match line.and_then(|line| self.text.parse(&line)) {
                    Ok(line) => line,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                None => return Poll::Ready(None),
            },
        };
        Poll::Ready(Some(self.check(line)))
    }
}

impl Stream for JobLines {
    type Item = Result<ValidWorkflowJob, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_job(context));
        self.has_ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

impl TextLines {
    /// The next line that is not blank, without its end.
    fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>, StoreError>>> {
        loop {
            let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
            let end = end.map(|at| self.searched + at + 1).or(self.is_read.then_some(self.buffer.len()));
            let Some(end) = end else {
                self.searched = self.buffer.len();
                match ready!(self.poll_read(context)) {
                    Ok(()) => continue,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            };
            if end == self.start {
                return Poll::Ready(None);
            }
            let line = self.buffer[self.start..end].to_vec();
            (self.start, self.searched, self.line) = (end, end, self.line + 1);
            if !line.trim_ascii().is_empty() {
                return Poll::Ready(Some(Ok(line)));
            }
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        // What was given out goes at once, not line by line.
        self.buffer.drain(..self.start);
        (self.searched, self.start) = (self.searched - self.start, 0);
        if self.buffer.len() > self.line_bytes_max {
            self.line += 1;
            return Poll::Ready(Err(self.problem(format!("it has more than {} bytes", self.line_bytes_max))));
        }
        match ready!(Pin::new(&mut self.body).poll_next(context)) {
            None => self.is_read = true,
            Some(Ok(bytes)) => {
                self.bytes += bytes.len() as u64;
                if self.bytes > BYTES_MAX {
                    return Poll::Ready(Err(self.problem(format!("the body has more than {BYTES_MAX} bytes"))));
                }
                self.buffer.extend_from_slice(&bytes);
            }
            Some(Err(_)) => return Poll::Ready(Err(self.problem("the body ended before it was complete"))),
        }
        Poll::Ready(Ok(()))
    }

    fn parse(&self, line: &[u8]) -> Result<WorkflowLine, StoreError> {
        let text = std::str::from_utf8(line.trim_ascii())
            .map_err(|error| self.problem(format!("it is not UTF-8 from byte {} on", error.valid_up_to() + 1)))?;
        WorkflowLine::parse(text).map_err(|error| self.problem(in_plain_words(&error.to_string(), "an object")))
    }

    fn problem(&self, problem: impl Into<String>) -> StoreError {
        StoreError::Aborted { source: Box::new(InvalidLine { line: self.line, problem: problem.into() }) }
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::{JobData, next_of};

    use super::*;

    /// A body that comes in pieces of this many bytes.
    fn body(text: &str, piece: usize) -> Body {
        let pieces: Vec<_> = text.as_bytes().chunks(piece).map(<[u8]>::to_vec).collect();
        let pieces = longshore_core::stream_of(pieces.into_iter().map(Ok::<_, std::convert::Infallible>));
        Body::from_stream(pieces)
    }

    async fn read(text: &str, piece: usize) -> Result<(WorkflowBatch, Vec<String>), String> {
        let defaults: Defaults = Arc::new(|job_type| NewJob::new(job_type, JobData::default()));
        let begun = JobLines::begin(body(text, piece), defaults, None, Limits { payload_bytes_max: 1000 }).await;
        let (batch, lines) = begun.map_err(|error| error.to_string())?;
        let (mut lines, mut types) = (Box::pin(lines), Vec::new());
        while let Some(job) = next_of(&mut lines).await {
            types.push(job.map_err(|error| error.to_string())?.job().job_type.clone());
        }
        Ok((batch, types))
    }

    #[tokio::test]
    async fn a_line_is_a_job_however_the_body_is_cut() {
        let text = "\n{\"job_type\": \"a\"}\r\n\n{\"job_type\": \"b\"}";
        let named = format!("{{\"batch\": {{\"name\": \"x\"}}}}\n{text}");
        for piece in [1, 7, 1000] {
            let (batch, types) = read(text, piece).await.unwrap();
            assert_eq!((batch, types), (WorkflowBatch::None, vec!["a".to_owned(), "b".to_owned()]));
            let (batch, types) = read(&named, piece).await.unwrap();
            assert!(matches!(batch, WorkflowBatch::New { name, .. } if name == "x"));
            assert_eq!(types.len(), 2);
        }
        assert_eq!(read("", 1).await.unwrap().1, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_mistake_is_named_with_its_line() {
        let long = format!("{{\"job_type\": \"a\", \"job_data\": \"{}\"}}", "x".repeat(70_000));
        for (text, expected) in [
            ("{\"job_type\": \"a\"}\n\n{", "line 3: EOF while parsing"),
            ("{}", "line 1: missing field \"job_type\""),
            ("{\"job_type\": \"a\"}\n{\"batch\": {\"name\": \"x\"}}", "line 2: only the first line can name the batch"),
            ("{\"job_type\": \"a\"}\n{\"job_type\": \"b\", \"after\": [\"z\"]}", "line 2: no job before this one"),
            (&long, "line 1: it has more than 67536 bytes"),
        ] {
            let error = read(text, 1000).await.unwrap_err();
            assert!(error.starts_with(expected), "{text:.40}: {error}");
        }
    }
}
