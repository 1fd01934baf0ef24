use longshore_core::{Failure, FailureType, JobData, NewCheckpoint};
use serde_json::value::RawValue;

use super::message::Message;
use crate::command::message::Fault;
use crate::command::output_stream::Output;
use crate::command::tail::Tail;
use crate::runtime::quiet;
use crate::{AttemptResult, CurrentAttempt, Done, HandlerError};

/// Who gets what a program writes.
pub(super) trait Listener: Send {
    /// Text for a log. It may be a part of a line; the text after it goes on there.
    fn log(&mut self, output: Output, text: &str);

    /// A message.
    fn hear(&mut self, message: Message);

    /// A message that was not understood. What was understood of it follows.
    fn note_unknown(&mut self, note: &str);

    /// A message that cannot be read. It may have been the end of the job, so the job does not go on.
    fn note_fault(&mut self, fault: Fault);

    /// A message that is too long to be read.
    fn note_oversized(&mut self);
}

/// Without a job, what a program writes goes to the log of the worker.
#[derive(Debug)]
pub(super) struct WithoutJob<'a> {
    pub(super) program: &'a str,
    /// The version of the protocol that the program speaks, once it has said that it is ready.
    pub(super) ready: Option<u32>,
}

impl<'a> WithoutJob<'a> {
    pub(super) const fn new(program: &'a str) -> Self {
        Self { program, ready: None }
    }
}

impl Listener for WithoutJob<'_> {
    fn log(&mut self, _: Output, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            quiet::info!(program = self.program, "{line}");
        }
    }

    fn hear(&mut self, message: Message) {
        if let Some(text) = &message.log {
            self.log(Output::Stdout, text);
        }
        self.ready = message.ready.or(self.ready);
    }

    fn note_unknown(&mut self, note: &str) {
        quiet::warning!(program = self.program, "{note}");
    }

    fn note_fault(&mut self, fault: Fault) {
        quiet::warning!(program = self.program, "{}", fault.reason);
    }

    fn note_oversized(&mut self) {
        quiet::warning!(program = self.program, "a message without a job is too long and was dropped");
    }
}

/// What a program writes until it is ready.
#[derive(Debug)]
pub(super) struct WhileStarting<'a> {
    pub(super) without_job: WithoutJob<'a>,
    /// The end of its standard error.
    pub(super) stderr: Tail,
    /// The end of everything that it writes.
    pub(super) output: Tail,
}

impl Listener for WhileStarting<'_> {
    fn log(&mut self, output: Output, text: &str) {
        if output == Output::Stderr {
            self.stderr.push(text.as_bytes());
        }
        self.output.push(text.as_bytes());
        self.without_job.log(output, text);
    }

    fn hear(&mut self, message: Message) {
        self.without_job.hear(message);
    }

    fn note_unknown(&mut self, note: &str) {
        self.without_job.note_unknown(note);
    }

    fn note_fault(&mut self, fault: Fault) {
        self.without_job.note_fault(fault);
    }

    fn note_oversized(&mut self) {
        self.without_job.note_oversized();
    }
}

/// What a program writes while it has a job.
pub(super) struct WithJob<'a> {
    attempt: &'a CurrentAttempt,
    after: WithoutJob<'a>,
    fraction: f64,
    /// The end of its standard error.
    pub(super) tail: Tail,
    /// The last checkpoint, until it is taken to be stored.
    pub(super) checkpoint: Option<JobData>,
    end: Option<End>,
}

/// How a program ended its job.
enum End {
    /// With an answer after which the program has nothing more to say.
    Final(AttemptResult),
    /// With a request to run again later. An answer may follow.
    Later(AttemptResult),
}

impl<'a> WithJob<'a> {
    pub(super) fn new(attempt: &'a CurrentAttempt, program: &'a str) -> Self {
        Self {
            attempt,
            after: WithoutJob::new(program),
            fraction: 0.0,
            tail: Tail::default(),
            checkpoint: None,
            end: None,
        }
    }

    /// Whether the program has ended the job.
    pub(super) const fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether nothing more about the job can follow.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self.end, Some(End::Final(_)))
    }

    pub(super) fn into_result(self) -> Option<AttemptResult> {
        self.end.map(|end| match end {
            End::Final(result) | End::Later(result) => result,
        })
    }

    /// Adds a line of ours to the job's log.
    pub(super) fn note(&self, text: &str) {
        self.attempt.log(&format!("longshore: {text}\n"));
    }

    fn end(&mut self, message: Message) {
        let later = match (message.rate_limited, message.snooze) {
            (Some(delay), _) => Some(Err(HandlerError::rate_limited(delay))),
            (None, Some(delay)) => Some(Ok(Done::Snoozed { delay })),
            (None, None) => None,
        };
        let answer = if message.is_failure() {
            if let Some(result) = message.done.as_ref().and_then(|result| JobData::parse(result.get()).ok()) {
                // A failure has no result, but its message may repeat this one.
                self.attempt.note_unused_result(result);
            }
            Some(Err(self.failure(&message).into()))
        } else {
            message.done.map(|result| self.done(&result))
        };
        self.end = match (later, answer, self.end.take()) {
            (Some(later), None, _) => Some(End::Later(later)),
            // The answer that may follow changes nothing.
            (Some(later), Some(_), _) | (None, Some(_), Some(End::Later(later))) => Some(End::Final(later)),
            (None, Some(answer), _) => Some(End::Final(answer)),
            (None, None, end) => end,
        };
    }

    fn done(&self, result: &RawValue) -> AttemptResult {
        if result.get() == "null" {
            return Ok(Done::Completed { result: None });
        }
        let (bytes, most) = (result.get().len(), self.attempt.limits().payload_bytes_max);
        if bytes > most {
            let message = format!(
                "the result has {bytes} bytes, but the limit is {most}: store the data elsewhere and return a \
                 reference to it"
            );
            return Err(HandlerError::failed(FailureType::ValidationError, message));
        }
        let result = JobData::parse(result.get()).map_err(|error| Failure::of_error(&error))?;
        Ok(Done::Completed { result: Some(result) })
    }

    fn failure(&self, message: &Message) -> Failure {
        let failure_type = message.failure_type.as_deref().map_or(FailureType::WorkerError, |word| {
            word.parse().unwrap_or_else(|unknown| {
                self.note(&format!("{unknown}; using unknown"));
                FailureType::Unknown
            })
        });
        let text = message.error_message.clone().filter(|text| !text.trim().is_empty());
        let last_line = || {
            let traceback = message.traceback.as_deref()?;
            traceback.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
        };
        let text = text.or_else(last_line).unwrap_or_else(|| "the program reported a failure".to_owned());
        let failure = Failure::new(failure_type, text);
        match message.traceback.clone() {
            Some(traceback) => failure.with_traceback(traceback),
            None => self.with_tail(failure),
        }
    }

    /// Adds the end of standard error as the traceback.
    fn with_tail(&self, failure: Failure) -> Failure {
        match self.tail.traceback() {
            Some(tail) => failure.with_traceback(tail),
            None => failure,
        }
    }

    /// Ends the job, because what could not be read may have been its end. If the program asked for later before, that
    /// was the end: an answer after it changes nothing.
    fn fail(&mut self, failure: Failure) {
        let result = match self.end.take() {
            Some(End::Later(later)) => later,
            _ => Err(failure.into()),
        };
        self.end = Some(End::Final(result));
    }

    fn note_other(&self, job: i64) {
        self.note(&format!("the program reported about job {job}, which it does not have; ignored"));
    }
}

impl Listener for WithJob<'_> {
    fn log(&mut self, output: Output, text: &str) {
        if output == Output::Stderr {
            self.tail.push(text.as_bytes());
        }
        // Standard error is read up to the end of the job after that end was read on standard output.
        if self.is_final() && output == Output::Stdout {
            self.after.log(output, text);
        } else {
            self.attempt.log(text);
        }
    }

    fn hear(&mut self, message: Message) {
        let id = self.attempt.id().0;
        if self.is_final() {
            return self.after.hear(message);
        }
        match message.job {
            Some(job) if job != id => return self.note_other(job),
            None if message.is_end() => {
                return self.note("the program ended a job without its id (\"job\"), which is ignored");
            }
            _ => {}
        }
        if message.progress.is_some() || message.message.is_some() {
            self.fraction = message.progress.unwrap_or(self.fraction);
            self.attempt.progress(self.fraction, message.message.clone());
        }
        if let Some(text) = &message.log {
            self.attempt.log(&format!("{}\n", text.trim_end_matches('\n')));
        }
        if let Some(checkpoint) = &message.checkpoint {
            match NewCheckpoint::value(&**checkpoint) {
                Ok(value) => self.checkpoint = Some(value),
                Err(error) => self.note(&format!("a checkpoint is left out: {error}")),
            }
        }
        if message.is_end() {
            self.end(message);
        }
    }

    fn note_unknown(&mut self, note: &str) {
        if self.is_final() {
            return self.after.note_unknown(note);
        }
        self.note(note);
    }

    fn note_fault(&mut self, fault: Fault) {
        if self.is_final() {
            return self.after.note_fault(fault);
        }
        if let Some(job) = fault.job.filter(|job| *job != self.attempt.id().0) {
            return self.note_other(job);
        }
        self.note(&fault.reason);
        let failure = self.with_tail(Failure::new(FailureType::ValidationError, fault.reason));
        self.fail(failure);
    }

    fn note_oversized(&mut self) {
        if self.is_final() {
            return self.after.note_oversized();
        }
        let most = self.attempt.limits().payload_bytes_max;
        let message = format!("a message on standard output is too long: a result may have {most} bytes");
        self.fail(Failure::new(FailureType::ValidationError, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::message::{MessageKind, Spoken, read_line};
    use crate::testing::{AttemptProbe, EnqueueRecorder};
    use longshore_core::NewJob;
    use std::time::Duration;

    /// An attempt of job 1.
    fn probe() -> AttemptProbe {
        AttemptProbe::new(NewJob::new("resize", JobData::default()), EnqueueRecorder::queue().1)
    }

    /// What becomes of messages about job 1, and its log.
    fn heard(messages: &[&str]) -> (Option<AttemptResult>, String) {
        let probe = probe();
        let attempt = probe.attempt();
        let mut listener = WithJob::new(&attempt, "python3");
        for inside in messages {
            match read_line::<Message>(&format!("{{\"longshore\": {{{inside}}}}}")) {
                Spoken::Message { message, note } => {
                    if let Some(note) = note {
                        listener.note_unknown(&note);
                    }
                    if message.says_something() {
                        listener.hear(message);
                    }
                }
                Spoken::Fault(fault) => listener.note_fault(fault),
                Spoken::Line => panic!("{inside} is not a message"),
            }
        }
        let result = listener.into_result();
        (result, probe.log())
    }

    fn ended(messages: &[&str]) -> Result<Done, Failure> {
        heard(messages).0.unwrap().map_err(HandlerError::into_failure)
    }

    fn completed(text: &str) -> Result<Done, Failure> {
        Ok(Done::Completed { result: Some(JobData::parse(text).unwrap()) })
    }

    #[test]
    fn done_completes_the_job_with_its_result() {
        assert_eq!(ended(&[r#""job": 1, "done": {"a": 1.10}"#]), completed(r#"{"a": 1.10}"#));
        assert_eq!(ended(&[r#""job": 1, "done": null"#]), Ok(Done::Completed { result: None }));
        let twice = [r#""job": 1, "done": 1"#, r#""job": 1, "done": 2"#];
        assert_eq!(ended(&twice), completed("1"), "the first end counts");
    }

    #[test]
    fn a_failure_has_what_the_program_said_and_defaults() {
        let all = r#""job": 1, "failure_type": "network_error", "error_message": "no route", "traceback": "a\nb""#;
        let failure = ended(&[all]).unwrap_err();
        assert_eq!((failure.failure_type, failure.message.as_str()), (FailureType::NetworkError, "no route"));
        assert_eq!(failure.traceback.as_deref(), Some("a\nb"));
        let failure = ended(&[r#""job": 1, "traceback": "Traceback:\n  ValueError: x\n""#]).unwrap_err();
        assert_eq!((failure.failure_type, failure.message.as_str()), (FailureType::WorkerError, "ValueError: x"));
        let (result, log) = heard(&[r#""job": 1, "failure_type": "bad_hair_day""#]);
        assert_eq!(result.unwrap().unwrap_err().into_failure().failure_type, FailureType::Unknown);
        assert!(log.contains("\"bad_hair_day\" is not a failure type"), "{log}");
    }

    #[test]
    fn a_request_for_later_ends_the_job_and_an_answer_may_follow() {
        let snoozed = Ok(Done::Snoozed { delay: Duration::from_secs(2) });
        assert_eq!(ended(&[r#""job": 1, "snooze": "2s""#]), snoozed);
        assert_eq!(ended(&[r#""job": 1, "snooze": "2s""#, r#""job": 1, "done": null"#]), snoozed);
        let (result, _) = heard(&[r#""job": 1, "rate_limited": "30s""#, r#""job": 1, "error_message": "429""#]);
        assert_eq!(result.unwrap().unwrap_err().to_string(), "the other side asked to slow down for 30s");
    }

    #[test]
    fn an_answer_after_a_request_for_later_changes_nothing_even_if_it_cannot_be_read() {
        let snoozed = Ok(Done::Snoozed { delay: Duration::from_secs(2) });
        let unreadable = r#""job": 1, "done": {"mean": NaN}"#;
        assert_eq!(ended(&[r#""job": 1, "snooze": "2s""#, unreadable]), snoozed);
        let (result, log) = heard(&[r#""job": 1, "rate_limited": "30s""#, unreadable]);
        assert_eq!(result.unwrap().unwrap_err().to_string(), "the other side asked to slow down for 30s");
        assert!(log.contains("is not valid JSON"), "{log}");

        let probe = probe();
        let attempt = probe.attempt();
        let mut listener = WithJob::new(&attempt, "python3");
        let delay = Some(Duration::from_secs(2));
        listener.hear(Message { job: Some(1), snooze: delay, ..Message::default() });
        listener.note_oversized();
        assert!(listener.is_final());
        assert_eq!(listener.into_result().unwrap().map_err(HandlerError::into_failure), snoozed);
    }

    #[test]
    fn news_that_cannot_be_read_are_noted_and_the_job_goes_on() {
        for inside in [r#""job": 1, "log": 42"#, r#""progress": "50%""#, r#""job": 1, "message": 5, "log": []"#] {
            let (result, log) = heard(&[inside]);
            assert!(result.is_none(), "{inside}");
            assert!(log.starts_with("longshore: a message was not understood: "), "{inside}: {log}");
            assert_eq!(ended(&[inside, r#""job": 1, "done": 7"#]), completed("7"), "{inside}");
        }
    }

    #[test]
    fn what_is_about_another_job_or_about_none_ends_nothing() {
        let (result, log) = heard(&[r#""job": 2, "done": null"#, r#""done": null"#, r#""ready": 1"#]);
        assert!(result.is_none());
        assert!(log.contains("reported about job 2") && log.contains("without its id"), "{log}");
    }

    #[test]
    fn a_message_that_cannot_be_read_fails_the_current_job() {
        for inside in
            [r#""job": 1, "done": {"mean": NaN}"#, r#""job": "1", "done": 1"#, r#""job": 1, "snooze": "soon""#]
        {
            let failure = ended(&[inside]).unwrap_err();
            assert_eq!(failure.failure_type, FailureType::ValidationError, "{inside}");
            let (_, log) = heard(&[inside]);
            assert_eq!(log, format!("longshore: {}\n", failure.message));
        }
        let (result, log) = heard(&[r#""job": 2, "snooze": "soon""#]);
        assert!(result.is_none() && log.contains("reported about job 2"), "{log}");
    }

    #[test]
    fn a_log_message_is_a_line_of_the_log() {
        let (_, log) = heard(&[r#""job": 1, "log": "one""#, r#""log": "two\n""#]);
        assert_eq!(log, "one\ntwo\n");
    }
}
