use std::time::Duration;

use longshore_core::{Failure, FailureType, JobData, Limits, NewCheckpoint};
use serde_json::value::RawValue;

use super::exit;
use super::lines::{Lines, Piece};
use super::message::{Message, MessageKind, Spoken, read_line};
use super::output_stream::Output;
use super::supervision::protocol::{Cause, Exit};
use super::tail::Tail;
use crate::{AttemptResult, CurrentAttempt, Done, HandlerError};

/// The size of a message in addition to the largest result.
const MESSAGE_FRAME_BYTES: usize = 16 * 1024;

/// Everything that a program wrote in one attempt. Its log is passed to the attempt; its messages are kept until it has
/// ended.
#[derive(Debug)]
pub(super) struct Transcript {
    attempt: CurrentAttempt,
    limits: Limits,
    stdout: Lines,
    stderr: Lines,
    tail: Tail,
    /// The output whose unfinished line is at the end of the log.
    unfinished: Option<Output>,
    said: Said,
}

/// The messages so far; of each kind the last one counts.
#[derive(Debug, Default)]
struct Said {
    fraction: f64,
    result: Option<SaidResult>,
    failure_type: Option<FailureType>,
    error_message: Option<String>,
    snooze: Option<Duration>,
    rate_limited: Option<Duration>,
    /// Why the first message that could not be read could not.
    fault: Option<String>,
    /// Until [`Transcript::take_checkpoint`].
    checkpoint: Option<JobData>,
}

#[derive(Debug)]
enum SaidResult {
    Fits(Box<RawValue>),
    TooLarge(String),
}

impl Transcript {
    pub(super) fn new(attempt: CurrentAttempt, limits: Limits) -> Self {
        let value_bytes_max = limits.payload_bytes_max.max(NewCheckpoint::VALUE_BYTES_MAX);
        let message_bytes_max = value_bytes_max.saturating_add(MESSAGE_FRAME_BYTES);
        Self {
            attempt,
            limits,
            stdout: Lines::new(message_bytes_max),
            stderr: Lines::new(0),
            tail: Tail::default(),
            unfinished: None,
            said: Said::default(),
        }
    }

    /// Takes what the program wrote.
    pub(super) fn push(&mut self, output: Output, bytes: &[u8]) {
        if output == Output::Stderr {
            self.tail.push(bytes);
        }
        let pieces = self.lines(output).push(bytes);
        self.take(output, pieces);
    }

    /// Writes unfinished lines that have waited long enough.
    pub(super) fn flush(&mut self) {
        for output in [Output::Stdout, Output::Stderr] {
            let pieces = self.lines(output).flush();
            self.take(output, pieces);
        }
    }

    /// Whether there is something to flush.
    pub(super) fn is_waiting(&self) -> bool {
        self.stdout.is_waiting() || self.stderr.is_waiting()
    }

    /// Handles the end of an output, which ends its last line.
    pub(super) fn finish(&mut self, output: Output) {
        let pieces = self.lines(output).finish();
        self.take(output, pieces);
    }

    /// The last checkpoint that was not taken yet.
    pub(super) fn take_checkpoint(&mut self) -> Option<JobData> {
        self.said.checkpoint.take()
    }

    /// Adds a line of ours to the program's log.
    pub(super) fn note(&mut self, text: &str) {
        let mut log = String::new();
        self.begin_line(&mut log);
        log.push_str("longshore: ");
        log.push_str(text);
        log.push('\n');
        self.attempt.log(&log);
    }

    /// The result of a program that exited with 0.
    pub(super) fn into_done(mut self) -> AttemptResult {
        let fault = self.said.fault.take();
        if fault.is_none() && (self.said.failure_type.is_some() || self.said.error_message.is_some()) {
            self.note("the program reported a failure but exited with 0, which completes the job");
        }
        if let Some(delay) = self.said.rate_limited {
            return Err(HandlerError::rate_limited(delay));
        }
        if let Some(delay) = self.said.snooze {
            return Ok(Done::Snoozed { delay });
        }
        // A request for later counts although another message cannot be read, as a rate limit does with another status.
        if let Some(fault) = fault {
            self.note_unused_result();
            return Err(self.with_tail(Failure::new(FailureType::ValidationError, fault)).into());
        }
        match self.said.result {
            None => Ok(Done::Completed { result: None }),
            Some(SaidResult::TooLarge(message)) => Err(HandlerError::failed(FailureType::ValidationError, message)),
            Some(SaidResult::Fits(raw)) => {
                let result = JobData::parse(raw.get()).map_err(|error| Failure::of_error(&error))?;
                Ok(Done::Completed { result: Some(result) })
            }
        }
    }

    /// The error of a program that ended otherwise.
    pub(super) fn into_error(self, exit: Exit, cause: Cause) -> HandlerError {
        let has_reported = self.said.failure_type.is_some() || self.said.error_message.is_some();
        if let (Some(delay), Exit::Status(_), false) = (self.said.rate_limited, exit, has_reported) {
            return HandlerError::rate_limited(delay);
        }
        self.into_failure(exit, cause).into()
    }

    fn into_failure(self, exit: Exit, cause: Cause) -> Failure {
        self.note_unused_result();
        let failure_type = self.said.failure_type.unwrap_or_else(|| exit::failure_type(exit, cause));
        let message = self.said.error_message.clone();
        let message = message.or_else(|| self.tail.message());
        // A signal may have cut off a line in its middle.
        let fault = self.said.fault.clone().filter(|_| matches!(exit, Exit::Status(_)));
        let message = message.or(fault).unwrap_or_else(|| exit::describe(exit));
        self.with_tail(Failure::new(failure_type, message))
    }

    /// A failure has no result, but its message may repeat the one that the program had said.
    fn note_unused_result(&self) {
        if let Some(SaidResult::Fits(result)) = &self.said.result
            && let Ok(result) = JobData::parse(result.get())
        {
            self.attempt.note_unused_result(result);
        }
    }

    /// Adds the end of standard error as the traceback.
    pub(super) fn with_tail(&self, failure: Failure) -> Failure {
        match self.tail.traceback() {
            Some(tail) => failure.with_traceback(tail),
            None => failure,
        }
    }

    fn lines(&mut self, output: Output) -> &mut Lines {
        match output {
            Output::Stdout => &mut self.stdout,
            Output::Stderr => &mut self.stderr,
        }
    }

    fn take(&mut self, output: Output, pieces: Vec<Piece>) {
        let mut log = String::new();
        for piece in pieces {
            self.take_piece(output, piece, &mut log);
        }
        if !log.is_empty() {
            self.attempt.log(&log);
        }
    }

    fn take_piece(&mut self, output: Output, piece: Piece, log: &mut String) {
        match piece {
            Piece::Line(line) if output == Output::Stdout => self.take_line(&line, log),
            Piece::Line(line) => self.log_line(&line, log),
            Piece::Part(part) => {
                if self.unfinished != Some(output) {
                    self.begin_line(log);
                }
                log.push_str(&part);
                self.unfinished = Some(output);
            }
            Piece::PartsEnd if self.unfinished == Some(output) => self.begin_line(log),
            Piece::PartsEnd => {}
            Piece::Oversized => {
                let most = self.limits.payload_bytes_max;
                let message = format!("a message on standard output is too long: a result may have {most} bytes");
                self.said.result = Some(SaidResult::TooLarge(message));
            }
        }
    }

    /// Takes a line of standard output. One that was not understood stays in the log, and a note follows it.
    fn take_line(&mut self, line: &str, log: &mut String) {
        match read_line::<Message>(line) {
            Spoken::Line => self.log_line(line, log),
            Spoken::Message { message, note: None } => self.hear(message, log),
            Spoken::Message { message, note: Some(note) } => {
                self.log_line(line, log);
                log.push_str(&format!("longshore: {note}\n"));
                if message.says_something() {
                    self.hear(message, log);
                }
            }
            Spoken::Fault(fault) => {
                self.log_line(line, log);
                log.push_str(&format!("longshore: {}\n", fault.reason));
                self.said.fault.get_or_insert(fault.reason);
            }
        }
    }

    fn log_line(&mut self, line: &str, log: &mut String) {
        self.begin_line(log);
        log.push_str(line);
        log.push('\n');
    }

    /// Both outputs share the log: an unfinished line of one is ended before the other continues.
    fn begin_line(&mut self, log: &mut String) {
        if self.unfinished.take().is_some() {
            log.push('\n');
        }
    }

    fn hear(&mut self, message: Message, log: &mut String) {
        if message.progress.is_some() || message.message.is_some() {
            self.said.fraction = message.progress.unwrap_or(self.said.fraction);
            self.attempt.progress(self.said.fraction, message.message);
        }
        if let Some(result) = message.result {
            self.said.result = Some(self.weigh(result));
        }
        if let Some(checkpoint) = message.checkpoint {
            match NewCheckpoint::value(&*checkpoint) {
                Ok(value) => self.said.checkpoint = Some(value),
                Err(error) => {
                    self.begin_line(log);
                    log.push_str(&format!("longshore: a checkpoint is left out: {error}\n"));
                }
            }
        }
        if let Some(word) = message.failure_type {
            self.said.failure_type = Some(word.parse().unwrap_or_else(|unknown| {
                self.begin_line(log);
                log.push_str(&format!("longshore: {unknown}; using unknown\n"));
                FailureType::Unknown
            }));
        }
        self.said.error_message = message.error_message.or(self.said.error_message.take());
        self.said.snooze = message.snooze.or(self.said.snooze);
        self.said.rate_limited = message.rate_limited.or(self.said.rate_limited);
        if let Some(text) = message.log {
            self.begin_line(log);
            log.push_str(text.trim_end_matches('\n'));
            log.push('\n');
        }
    }

    fn weigh(&self, result: Box<RawValue>) -> SaidResult {
        let (bytes, most) = (result.get().len(), self.limits.payload_bytes_max);
        if bytes <= most {
            return SaidResult::Fits(result);
        }
        SaidResult::TooLarge(format!(
            "the result has {bytes} bytes, but the limit is {most}: store the data elsewhere and return a reference \
            to it"
        ))
    }
}
