mod database_options;
pub(crate) mod live_line;
pub(crate) mod log_fields;
pub(crate) mod log_format;
#[cfg(test)]
pub(crate) mod log_lines;
pub(crate) mod log_sink;
pub(crate) mod names;
pub(crate) mod quoted;
pub(crate) mod sparkline;
pub(crate) mod table;
pub(crate) mod wrap;

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use console::Term;
pub(crate) use longshore_report::relative_time;
use serde::Serialize;

use crate::arguments::Globals;
use crate::error_report::ErrorReport;
use crate::output::database_options::DatabaseOptions;
use crate::output::table::{Screen, Table, is_bidi_control};

/// The only code that writes to standard output and standard error. Standard output is only for results.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    format: Format,
    noise: Noise,
    stdout: Style,
    stderr: Style,
    parts: Parts,
    database: DatabaseOptions,
}

/// The documents of a command that runs on several databases: they become one.
#[derive(Clone, Debug, Default)]
struct Parts(Arc<Mutex<Option<DocumentParts>>>);

#[derive(Debug, Default, Serialize)]
struct DocumentParts {
    databases: Vec<serde_json::Value>,
    #[serde(skip)]
    name: String,
}

/// The assumed width of a terminal that does not report it.
const COLUMNS_UNKNOWN: u16 = 80;
/// Nothing is readable in fewer columns.
const COLUMNS_MIN: usize = 40;

/// The format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text for people.
    Words,
    /// JSON for scripts.
    Json,
}

/// How much is written to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noise {
    Quiet,
    Normal,
}

/// Whether a stream may have progress bars and colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Lively,
}

impl Output {
    /// Chooses formats by the flags, the terminal and `NO_COLOR`.
    pub(crate) fn new(globals: &Globals) -> Self {
        let is_plain = globals.json || std::env::var_os("NO_COLOR").is_some_and(|word| !word.is_empty());
        let style = |is_terminal: bool| if is_terminal && !is_plain { Style::Lively } else { Style::Plain };
        Self {
            format: if globals.json { Format::Json } else { Format::Words },
            noise: if globals.quiet { Noise::Quiet } else { Noise::Normal },
            stdout: style(io::stdout().is_terminal()),
            stderr: style(io::stderr().is_terminal()),
            parts: Parts::default(),
            database: DatabaseOptions::of(globals),
        }
    }

    /// The format of results.
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// Prints the result: `document` as JSON, or the text from `words`.
    pub(crate) fn result<T, F>(&self, document: &T, words: F) -> io::Result<()>
    where
        T: Serialize,
        F: FnOnce(&Self) -> io::Result<()>,
    {
        match self.format {
            Format::Json => self.document(document),
            Format::Words => words(self),
        }
    }

    /// Prints one line of JSON.
    pub(crate) fn document<T: Serialize>(&self, document: &T) -> io::Result<()> {
        if let Some(parts) = self.parts().as_mut() {
            let mut part = serde_json::to_value(document)?;
            if let Some(fields) = part.as_object_mut() {
                // Where one database is meant, its place stands under this name.
                if let Some(place) = fields.insert("database".to_owned(), parts.name.clone().into()) {
                    fields.insert("url".to_owned(), place);
                }
            }
            parts.databases.push(part);
            return Ok(());
        }
        self.whole(document)
    }

    /// From now on documents are about this one of several databases, until [`Output::end_parts`] prints them as one.
    pub(crate) fn begin_part(&self, database: &str) {
        self.parts().get_or_insert_default().name = database.to_owned();
    }

    /// Prints the documents of several databases as one; for people they are printed already.
    pub(crate) fn end_parts(&self) -> io::Result<()> {
        let parts = self.parts().take();
        match parts {
            Some(parts) if self.format == Format::Json => self.whole(&parts),
            _ => Ok(()),
        }
    }

    fn parts(&self) -> MutexGuard<'_, Option<DocumentParts>> {
        self.parts.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn whole<T: Serialize>(&self, document: &T) -> io::Result<()> {
        let mut text = serde_json::to_vec(document)?;
        text.push(b'\n');
        self.text(&text)
    }

    /// Prints one line for people.
    pub(crate) fn line(&self, words: impl fmt::Display) -> io::Result<()> {
        self.text(format!("{words}\n").as_bytes())
    }

    /// Prints text unchanged, and flushes.
    pub(crate) fn text(&self, text: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text).and_then(|()| stdout.flush());
        // Keep the error kind, because a closed reader is not an error.
        written.map_err(|error| io::Error::new(error.kind(), format!("standard output cannot be written: {error}")))
    }

    /// Prints a table: as wide as the terminal, or separated by tabs if there is none.
    pub(crate) fn table(&self, table: &Table) -> io::Result<()> {
        let text = self.screen().map_or_else(|| table.to_tabs(), |screen| table.to_screen(screen));
        self.text(text.as_bytes())
    }

    /// The terminal of standard output, if it is one.
    pub(crate) fn screen(&self) -> Option<Screen> {
        let terminal = Term::stdout();
        if self.format == Format::Json || !terminal.is_term() {
            return None;
        }
        let (_, columns) = terminal.size_checked().unwrap_or((0, COLUMNS_UNKNOWN));
        Some(Screen { width: usize::from(columns).max(COLUMNS_MIN), has_colour: self.stdout == Style::Lively })
    }

    /// The sentence, in which every command acts on the database of this run.
    pub(crate) fn hint(&self, sentence: &str) -> String {
        self.database.in_commands(sentence)
    }

    /// Prints a note on standard error, unless `-q` was given.
    pub(crate) fn note(&self, words: impl fmt::Display) {
        if self.noise == Noise::Normal {
            self.stderr(&format!("{}\n", self.hint(&words.to_string())));
        }
    }

    /// Says for people that a list is empty: below a table without rows nobody sees whether something went wrong.
    pub(crate) fn note_empty(&self, words: &str) {
        if self.format == Format::Words {
            self.note(words);
        }
    }

    /// Prints an error, as JSON on standard output or as text on standard error.
    pub(crate) fn error(&self, report: &ErrorReport) {
        let report = ErrorReport { hint: report.hint.as_deref().map(|hint| self.hint(hint)), ..report.clone() };
        // If standard output cannot be written, use standard error.
        if self.format == Format::Json && self.document(&report.document()).is_ok() {
            return;
        }
        let label = self.paint("31", "error:");
        self.stderr(&format!("{label} {}\n", report.message));
        if let Some(hint) = &report.hint {
            self.stderr(&format!("hint: {hint}\n"));
        }
    }

    /// Whether to show progress bars.
    pub(crate) fn has_progress(&self) -> bool {
        self.stderr == Style::Lively && self.noise == Noise::Normal
    }

    /// Whether to use colours on standard error.
    pub(crate) fn has_colour(&self) -> bool {
        self.stderr == Style::Lively
    }

    /// Whether there is a terminal for a question.
    pub(crate) fn can_ask(&self) -> bool {
        self.format == Format::Words && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a question. Every answer but yes means no.
    pub(crate) fn ask(&self, question: impl fmt::Display) -> io::Result<bool> {
        self.stderr(&format!("{question} [y/N] "));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    fn paint(&self, colour: &str, word: &str) -> String {
        match self.stderr {
            Style::Lively => format!("\x1b[1;{colour}m{word}\x1b[0m"),
            Style::Plain => word.to_owned(),
        }
    }

    fn stderr(&self, text: &str) {
        let text = text.replace(is_bidi_control, "\u{fffd}");
        // If standard error is closed, nobody reads it, and the command continues.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}
