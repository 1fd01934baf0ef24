//! How the log looks: sentences for people, or with `-v` every event with its time, level and place.

use std::fmt::{self, Write as _};

use console::style;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt as format};

use crate::output::log_fields::LogFields;
use crate::output::log_sink::LogSink;
use crate::output::table::printable;

/// The target of a worker's lines about its jobs. They are sentences already.
pub(crate) const WORKER: &str = "longshore_worker";
/// The library's own events of the same outcomes, for other subscribers. They do not contain the error.
const OUTCOMES: &str = "longshore::outcome";
/// Spans name the job that an event belongs to.
pub(crate) const SPANS: &str = "longshore::trace";

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// Nothing, because the whole terminal shows something else.
    Off,
    /// Only what needs a person.
    Quiet,
    /// One line a job, and warnings.
    Usual,
    /// With the events of the library.
    Verbose,
    /// With everything.
    Everything,
}

impl LogLevel {
    fn targets(self) -> Targets {
        let (library, worker) = match self {
            Self::Off => return Targets::new(),
            Self::Quiet => (LevelFilter::ERROR, LevelFilter::ERROR),
            Self::Usual => (LevelFilter::WARN, LevelFilter::INFO),
            Self::Verbose => (LevelFilter::DEBUG, LevelFilter::DEBUG),
            Self::Everything => (LevelFilter::TRACE, LevelFilter::TRACE),
        };
        Targets::new()
            .with_default(library)
            .with_target(WORKER, worker)
            .with_target(SPANS, LevelFilter::TRACE)
            .with_target(OUTCOMES, LevelFilter::OFF)
    }

    fn format(self) -> LogFormat {
        match self {
            Self::Off | Self::Quiet | Self::Usual => LogFormat::Sentences,
            Self::Verbose | Self::Everything => LogFormat::Full(Format::default()),
        }
    }
}

/// Sends every event from now on to the sink, and everything to another layer too.
pub(crate) fn start(
    sink: LogSink,
    level: LogLevel,
    has_colour: bool,
    other: Option<impl Layer<Registry> + Send + Sync>,
) {
    let layer = format::layer()
        .with_ansi(has_colour)
        .with_writer(move || sink.clone())
        .fmt_fields(LogFields)
        .event_format(level.format())
        // tracing would report a failed write on standard error, which is the stream that failed, and panic.
        .log_internal_errors(false)
        .with_filter(level.targets());
    tracing_subscriber::registry().with(other).with(layer).init();
}

/// The format of a line.
#[derive(Debug)]
pub(crate) enum LogFormat {
    /// A sentence.
    Sentences,
    /// Time, level, span, place and fields.
    Full(Format<Full, SystemTime>),
}

impl<S, N> FormatEvent<S, N> for LogFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if let Self::Full(format) = self {
            return format.format_event(context, writer, event);
        }
        let mut sentence = Sentence::default();
        event.record(&mut sentence);
        let about = if event.metadata().target() == WORKER { None } else { context.lookup_current() };
        if let Some(span) = about
            && let Some(fields) = span.extensions().get::<FormattedFields<N>>()
        {
            // Writing to a String cannot fail.
            let _ = write!(sentence.facts, " ({})", fields.fields);
        }
        let line = sentence.line(*event.metadata().level(), event.metadata().target(), writer.has_ansi_escapes());
        writer.write_str(&line)
    }
}

/// The parts of an event that people read.
#[derive(Debug, Default)]
struct Sentence {
    message: String,
    error: Option<String>,
    hint: Option<String>,
    /// Lines of another program.
    output: Option<String>,
    facts: String,
}

impl Sentence {
    fn line(&self, level: Level, target: &str, has_colour: bool) -> String {
        let paint = |text: &str| {
            let styled = style(text).force_styling(has_colour);
            match level {
                Level::ERROR => styled.red().to_string(),
                Level::WARN => styled.yellow().to_string(),
                _ => text.to_owned(),
            }
        };
        let Self { message, error, hint, output, facts } = self;
        let mut line = match (target == WORKER, level) {
            // The first word says what has become of the job.
            (true, _) => {
                let (word, rest) = message.split_at(message.find(' ').unwrap_or(message.len()));
                paint(word) + rest
            }
            (false, Level::ERROR) => format!("{} {message}", paint("error:")),
            (false, Level::WARN) => format!("{} {message}", paint("warning:")),
            (false, _) => message.clone(),
        };
        if let Some(error) = error {
            let _ = write!(line, ": {error}");
        }
        line.push_str(facts);
        line.push('\n');
        for of_program in output.iter().flat_map(|output| output.lines()) {
            let _ = writeln!(line, "  | {}", printable(of_program));
        }
        if let Some(hint) = hint {
            let _ = writeln!(line, "hint: {hint}");
        }
        line
    }

    fn add(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            "error" => self.error = Some(value),
            "hint" => self.hint = Some(value),
            "output" => self.output = Some(value),
            // For programs, and for tracing systems.
            "code" => {}
            name if name.contains('.') => {}
            name => {
                let _ = write!(self.facts, " {name}={value}");
            }
        }
    }
}

impl Visit for Sentence {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::log_lines::LogLines;

    fn logged(level: LogLevel, log: impl FnOnce()) -> String {
        let lines = LogLines::default();
        let written = lines.clone();
        let layer = format::layer()
            .with_ansi(false)
            .with_writer(move || lines.clone())
            .fmt_fields(LogFields)
            .event_format(level.format())
            .with_filter(level.targets());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        written.text()
    }

    fn some_events() {
        let span =
            tracing::info_span!(target: "longshore::trace::spans", "attempt", job_id = 7, "otel.kind" = "consumer");
        let _entered = span.enter();
        tracing::info!(target: WORKER, "completed mail #7 in 0.8 s");
        tracing::error!(target: WORKER, "gave up mail #7: no route");
        tracing::error!(target: OUTCOMES, failure_type = "network_error", "dead letter");
        tracing::info!(target: "longshore::worker::run", "retired");
        tracing::warn!(target: "longshore::worker::trouble", error = "it is locked", code = "locked", hint = "wait", "the store fails");
    }

    #[test]
    fn people_read_a_sentence_a_job_and_the_warnings_of_the_library() {
        let expected = "\
completed mail #7 in 0.8 s
gave up mail #7: no route
warning: the store fails: it is locked (job_id=7)
hint: wait
";
        assert_eq!(logged(LogLevel::Usual, some_events), expected);
    }

    #[test]
    fn the_lines_of_a_program_follow_the_sentence() {
        let log = || tracing::warn!(output = "Traceback:\n  x", pause = "1s", "the program died");
        assert_eq!(logged(LogLevel::Usual, log), "warning: the program died pause=1s\n  | Traceback:\n  |   x\n");
    }

    #[test]
    fn a_quiet_log_has_only_what_needs_a_person() {
        assert_eq!(logged(LogLevel::Quiet, some_events), "gave up mail #7: no route\n");
    }

    #[test]
    fn a_verbose_log_has_every_event_once_with_its_fields() {
        let log = logged(LogLevel::Verbose, some_events);
        assert!(log.contains("ERROR attempt{job_id=7}: longshore_worker: gave up mail #7: no route\n"), "{log}");
        assert!(log.contains("retired") && log.contains("code=\"locked\"") && !log.contains("dead letter"), "{log}");
        assert_eq!(log.lines().count(), 4, "{log}");
    }

    #[test]
    fn only_the_first_word_has_a_colour() {
        let sentence = Sentence { message: "gave up mail #7".to_owned(), ..Sentence::default() };
        assert_eq!(sentence.line(Level::ERROR, WORKER, true), "\x1b[31mgave\x1b[0m up mail #7\n");
        assert_eq!(sentence.line(Level::WARN, "x", true), "\x1b[33mwarning:\x1b[0m gave up mail #7\n");
        assert_eq!(sentence.line(Level::INFO, WORKER, true), "gave up mail #7\n");
    }
}
