use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use longshore_core::{JobRequest, Limits, ValidJob};

use crate::error_report::command_error::CommandError;
use crate::settings::config::Config;

/// Reads jobs from an NDJSON text, one line in memory at a time. Skips blank lines. Stops at the first invalid line.
pub(crate) struct BatchLines<R> {
    input: R,
    name: String,
    config: Arc<Config>,
    limits: Limits,
    position: Position,
    buffer: Vec<u8>,
    has_ended: bool,
}

/// How far a text was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of lines read.
    line: u64,
    /// The number of bytes read.
    pub(crate) bytes: u64,
}

/// The maximum size of a line without its payload and its metadata.
const LINE_REST_BYTES_MAX: usize = 64 * 1024;

impl<R: BufRead> BatchLines<R> {
    /// Reads `input`; error messages call it `name`.
    pub(crate) fn new(input: R, name: String, config: Arc<Config>) -> Self {
        Self::from_position(input, name, config, Position::default())
    }

    /// Continues to read `input`, which must stand at `position`.
    pub(crate) fn from_position(input: R, name: String, config: Arc<Config>, position: Position) -> Self {
        Self { input, name, config, limits: Limits::default(), position, buffer: Vec::new(), has_ended: false }
    }

    /// The position after the last line that was read.
    pub(crate) const fn position(&self) -> Position {
        self.position
    }

    fn next_job(&mut self) -> Result<Option<ValidJob>, CommandError> {
        while self.read_line()? {
            if !self.buffer.trim_ascii().is_empty() {
                return self.parse_line().map(Some);
            }
        }
        Ok(None)
    }

    fn read_line(&mut self) -> Result<bool, CommandError> {
        self.buffer.clear();
        let max = 2 * self.limits.payload_bytes_max + LINE_REST_BYTES_MAX;
        let mut bounded = (&mut self.input).take(max as u64 + 1);
        let count = bounded.read_until(b'\n', &mut self.buffer).map_err(|source| unreadable(&self.name, source))?;
        self.position.line += 1;
        self.position.bytes += count as u64;
        if count > max {
            return Err(self.problem(format!("it has more than {max} bytes")));
        }
        Ok(count > 0)
    }

    fn parse_line(&self) -> Result<ValidJob, CommandError> {
        let text = std::str::from_utf8(self.buffer.trim_ascii())
            .map_err(|error| self.problem(format!("it is not UTF-8 from byte {} on", error.valid_up_to() + 1)))?;
        let request: JobRequest = serde_json::from_str(text).map_err(|error| self.problem(json_problem(&error)))?;
        let defaults = self.config.new_job(&request.job_type);
        let job = request.into_new_job(defaults).and_then(|job| job.check(&self.limits));
        job.map_err(|error| self.problem(error.to_string()))
    }

    fn problem(&self, problem: String) -> CommandError {
        CommandError::Line { input: self.name.clone(), line: self.position.line, problem }
    }
}

impl<R: BufRead> Iterator for BatchLines<R> {
    type Item = Result<ValidJob, CommandError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = self.next_job().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The error text of serde, without its line number: it counts lines within our single line.
fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string().replace('`', "\"");
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

    fn read(text: &[u8]) -> Result<Vec<ValidJob>, String> {
        BatchLines::new(text, "jobs".to_owned(), Arc::default())
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_is_a_job_and_a_blank_line_is_nothing() {
        let jobs = read(b"{\"job_type\":\"a\"}\n\n  \r\n{\"job_type\":\"b\",\"job_data\":[1]}").unwrap();
        let read: Vec<_> = jobs.iter().map(|job| (job.job_type.as_str(), job.job_data.as_str())).collect();
        assert_eq!(read, [("a", "{}"), ("b", "[1]")]);
    }

    #[test]
    fn a_text_is_read_on_from_where_another_reader_stood() {
        let text = b"{\"job_type\":\"a\"}\n\n{\"job_type\":\"b\"}\r\nno job";
        let mut first = BatchLines::new(&text[..], "jobs".to_owned(), Arc::default());
        assert_eq!(first.next().unwrap().unwrap().job_type, "a");
        let position = first.position();
        let rest = &text[usize::try_from(position.bytes).unwrap()..];
        let mut second = BatchLines::from_position(rest, "jobs".to_owned(), Arc::default(), position);
        assert_eq!(second.next().unwrap().unwrap().job_type, "b");
        let error = second.next().unwrap().unwrap_err().to_string();
        assert!(error.starts_with("jobs, line 4: "), "{error}");
    }

    #[test]
    fn the_line_that_is_off_is_named() {
        let off: [(&[u8], &str); 7] = [
            (b"{\"job_type\":\"a\"}\n{", "jobs, line 2: EOF while parsing an object at column 1"),
            (b"\n\n{}", "jobs, line 3: missing field \"job_type\" at column 2"),
            (b"{\"job_type\":\"a\"}\n\xff\n", "jobs, line 2: it is not UTF-8 from byte 1 on"),
            (b"{\"job_type\":\"\"}", "jobs, line 1: the job type must be 1 to 200 bytes"),
            (b"{\"job_type\":\"a\",\"prio\":1}", "jobs, line 1: unknown field \"prio\""),
            (b"{\"job_type\":\"a\",\"delay\":\"9999999d\"}", "jobs, line 1: the delay in seconds must be from 0 to"),
            (
                b"{\"job_type\":\"a\",\"delay\":\"1s\",\"run_at\":\"2099-01-01T00:00:00Z\"}",
                "jobs, line 1: run_at and delay cannot both be given: remove one of them",
            ),
        ];
        for (text, expected) in off {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
        let endless = io::BufReader::new(io::repeat(b' ').take(1 << 40));
        let error = BatchLines::new(endless, "jobs".to_owned(), Arc::default()).next().unwrap().unwrap_err();
        assert!(matches!(error, CommandError::Line { line: 1, .. }), "{error}");
    }
}
