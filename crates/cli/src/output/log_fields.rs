use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

/// Writes only the log fields that people read. The fields for tracing systems repeat the same facts and would make
/// each line three times as long.
#[derive(Debug)]
pub(crate) struct LogFields;

/// OpenTelemetry field names contain dots; ours do not.
fn is_for_people(field: &Field) -> bool {
    !field.name().contains('.') && field.name() != "traceparent"
}

impl<'writer> FormatFields<'writer> for LogFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut selected = ForPeople(DefaultVisitor::new(writer, true));
        fields.record(&mut selected);
        selected.0.finish()
    }

    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut found = HasAny(false);
        fields.record(&mut found);
        if !found.0 {
            return Ok(());
        }
        if !current.fields.is_empty() {
            current.fields.push(' ');
        }
        self.format_fields(current.as_writer(), fields)
    }
}

/// Passes on only the fields for people.
struct ForPeople<'a>(DefaultVisitor<'a>);

impl Visit for ForPeople<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if is_for_people(field) {
            self.0.record_debug(field, value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if is_for_people(field) {
            self.0.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        if is_for_people(field) {
            self.0.record_error(field, value);
        }
    }
}

/// Whether a record has a field for people.
struct HasAny(bool);

impl Visit for HasAny {
    fn record_debug(&mut self, field: &Field, _: &dyn fmt::Debug) {
        self.0 |= is_for_people(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::log_lines::LogLines;

    #[test]
    fn a_line_has_the_fields_for_people_alone_also_when_others_are_added_later() {
        let lines = LogLines::default();
        let written = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || lines.clone())
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .fmt_fields(LogFields)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!(
                "attempt",
                job_id = 7,
                "otel.kind" = "consumer",
                queue = "media",
                traceparent = "00-1",
                "error.type" = tracing::field::Empty,
            );
            let _entered = span.enter();
            tracing::info!(count = 3, "messaging.system" = "longshore", "begun");
            span.record("error.type", "network_error");
            tracing::info!("ended");
        });
        let text = written.text();
        let expected = [
            " INFO attempt{job_id=7 queue=\"media\"}: begun count=3\n",
            " INFO attempt{job_id=7 queue=\"media\"}: ended\n",
        ];
        assert_eq!(text, expected.concat());
    }
}
