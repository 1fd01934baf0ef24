//! A migration's SQL text: its first-line directive and its statements.

mod directives;
mod lexer;
mod reach;

use std::fmt;

use directives::Directives;
pub use directives::IntendedLoss;
pub use lexer::{Token, TokenKind, tokens};

/// How the statements of a migration are bounded by transactions. Said before the first statement of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bounds {
    /// One transaction that holds every statement and the ledger row.
    #[default]
    Transaction,
    /// `-- longshore: rebuild`: one transaction with foreign keys suspended outside it, so that a table can be
    /// replaced without `ON DELETE CASCADE` emptying its children; `foreign_key_check` runs before the commit.
    Rebuild,
    /// `-- longshore: no transaction`: each statement by itself with a checkpoint, for statements that refuse to run
    /// in a transaction. A failure leaves the statements before it done, and the next run continues after them.
    Statements,
}

/// One statement with the line of the file on which it begins (1-based).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The statement without its closing semicolon, comments kept.
    pub text: String,
    /// 1-based line in the file.
    pub line: usize,
}

impl Statement {
    /// The words and symbols of the statement: no white space, no comments.
    pub fn words(&self) -> Vec<Token<'_>> {
        tokens(&self.text).into_iter().filter(Token::has_meaning).collect()
    }

    /// The statement in one line of at most 80 characters, for messages.
    pub fn in_short(&self) -> String {
        let line = self.words().iter().map(|token| token.text).collect::<Vec<_>>().join(" ");
        if line.chars().count() <= 80 {
            return line;
        }
        format!("{}…", line.chars().take(79).collect::<String>())
    }
}

/// A script that was read: LF line ends, a known directive or none, at least one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    text: String,
    directives: Directives,
    statements: Vec<Statement>,
}

/// Why a text is no script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// Nothing but white space and comments.
    #[error("it has no statement")]
    Empty,
    /// A `-- longshore:` directive of an unknown name.
    #[error(
        "line {line}: `{directive}` is not a directive (`rebuild`, `no transaction`, `loses TABLE`, `follows NUMBER` and \
         `other files` are)"
    )]
    UnknownDirective {
        /// 1-based line.
        line: usize,
        /// The text after `-- longshore:`.
        directive: String,
    },
    /// A directive that bounds the statements, behind the first of them or beside another one.
    #[error("line {line}: `{directive}` must be said once, and before the first statement")]
    MisplacedDirective {
        /// 1-based line.
        line: usize,
        /// The text after `-- longshore:`.
        directive: String,
    },
    /// ATTACH, DETACH or VACUUM INTO in a file that does not declare it.
    #[error("line {line}: `{statement}` reaches another file, which this file does not declare")]
    OtherFiles {
        /// 1-based line.
        line: usize,
        /// The statement in one line.
        statement: String,
    },
    /// A statement that writes the schema table itself, loads a library or says where SQLite opens files.
    #[error("line {line}: `{statement}` does what no migration may: it goes past the database")]
    BeyondDatabase {
        /// 1-based line.
        line: usize,
        /// The statement in one line.
        statement: String,
    },
    /// A quote or a comment that never ends, or a trigger without its END.
    #[error("line {line}: {what} never ends")]
    Unclosed {
        /// 1-based line on which it begins.
        line: usize,
        /// What was left open.
        what: Unclosed,
    },
    /// A zero character, where SQLite would stop reading without a word.
    #[error("line {line}: it contains a zero character, so it is not text or not UTF-8")]
    Zero {
        /// 1-based line.
        line: usize,
    },
    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT or RELEASE as its own statement.
    #[error("line {line}: a migration must not contain `{word}`, because the runner begins and ends the transaction")]
    TransactionControl {
        /// 1-based line.
        line: usize,
        /// The word as written.
        word: String,
    },
}

/// What was left open at the end of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unclosed {
    /// A quoted text or name.
    Quote,
    /// A `/*` comment.
    Comment,
    /// `CREATE TRIGGER … BEGIN` without its `END`.
    Trigger,
}

impl fmt::Display for Unclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quote => "a quote",
            Self::Comment => "a comment",
            Self::Trigger => "a trigger",
        })
    }
}

impl Script {
    /// Reads `text`: CRLF becomes LF, a byte-order mark is dropped.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let text = with_lf(text);
        if let Some(at) = text.find('\0') {
            return Err(ScriptError::Zero { line: 1 + text[..at].matches('\n').count() });
        }
        let directives = directives::read(&text)?;
        let statements = split(&text)?;
        if statements.is_empty() {
            return Err(ScriptError::Empty);
        }
        for statement in &statements {
            refuse_transaction_control(statement)?;
            refuse_reach(statement, directives.other_files)?;
        }
        Ok(Self { text, directives, statements })
    }

    /// The text with LF line ends.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How the statements are bounded by transactions.
    pub fn bounds(&self) -> Bounds {
        self.directives.bounds
    }

    /// What the file says that it loses on purpose.
    pub fn intended_losses(&self) -> &[IntendedLoss] {
        &self.directives.intended
    }

    /// Whether the file declares that it reaches other files.
    pub fn reaches_other_files(&self) -> bool {
        self.directives.other_files
    }

    /// The number of the migration before it, where the file says that a gap between the two is meant.
    pub fn follows(&self) -> Option<i64> {
        self.directives.follows
    }

    /// Adds to what the file says that it loses, for a released file that cannot be edited any more.
    pub(crate) fn intend(&mut self, losses: impl IntoIterator<Item = IntendedLoss>) {
        self.directives.intended.extend(losses);
    }

    /// The same file with some of its statements alone; text and checksum stay.
    pub(crate) fn keeping(&self, is_kept: impl Fn(&Statement) -> bool) -> Self {
        let statements = self.statements.iter().filter(|statement| is_kept(statement)).cloned().collect();
        Self { text: self.text.clone(), directives: self.directives.clone(), statements }
    }

    /// The statements in the order of the file.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

/// The text with LF line ends and without a byte-order mark, so that a checkout on Windows is the same migration.
pub fn with_lf(text: &str) -> String {
    text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n")
}

/// One statement of a text with its place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where it begins, in bytes.
    pub(crate) start: usize,
    /// Where it ends: behind its semicolon, or at the end of the text.
    pub(crate) end: usize,
    /// Whether a semicolon closes it.
    pub(crate) is_closed: bool,
    pub(crate) statement: Statement,
}

fn split(text: &str) -> Result<Vec<Statement>, ScriptError> {
    Ok(pieces(text)?.into_iter().map(|piece| piece.statement).collect())
}

/// Cuts a text into its statements, whatever they are.
pub(crate) fn pieces(text: &str) -> Result<Vec<Piece>, ScriptError> {
    let mut found = Vec::new();
    let mut open: Option<Open> = None;
    let mut line = 1;
    let mut offset = 0;
    for token in tokens(text) {
        refuse_unclosed(&token, line)?;
        if open.is_none() && token.has_meaning() && !is_semicolon(&token) {
            open = Some(Open::at(offset, line));
        }
        if let Some(statement) = &mut open {
            statement.see(&token);
            if statement.ends_with(&token) {
                found.push(statement.piece(text, offset, offset + token.text.len()));
                open = None;
            }
        }
        offset += token.text.len();
        line += token.text.matches('\n').count();
    }
    if let Some(last) = open {
        if last.is_unclosed() {
            return Err(ScriptError::Unclosed { line: last.line, what: Unclosed::Trigger });
        }
        found.push(last.piece(text, text.len(), text.len()));
    }
    Ok(found)
}

/// Without the white space at the end; a wide space there is part of a name.
fn trimmed(text: &str) -> String {
    text.trim_end_matches(|letter: char| letter.is_ascii_whitespace()).to_owned()
}

fn refuse_unclosed(token: &Token<'_>, line: usize) -> Result<(), ScriptError> {
    match token.kind {
        TokenKind::UnclosedQuote => Err(ScriptError::Unclosed { line, what: Unclosed::Quote }),
        TokenKind::UnclosedComment => Err(ScriptError::Unclosed { line, what: Unclosed::Comment }),
        _ => Ok(()),
    }
}

/// A statement that has begun and not yet ended.
struct Open {
    start: usize,
    line: usize,
    kind: Kind,
    /// Where it is in `; END`, which alone closes a trigger: CASE has an END too, and BEGIN and END are names.
    closing: Closing,
}

/// What the first words say; a trigger's body holds semicolons.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No word was seen.
    Unknown,
    /// CREATE, and perhaps TEMP.
    Create,
    Trigger,
    /// A trigger whose BEGIN was seen.
    Body,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    Semicolon,
    End,
}

impl Open {
    fn at(start: usize, line: usize) -> Self {
        Self { start, line, kind: Kind::Unknown, closing: Closing::No }
    }

    /// The statement up to `until`, where its semicolon or the end of the text is.
    fn piece(&self, text: &str, until: usize, end: usize) -> Piece {
        let statement = Statement { text: trimmed(&text[self.start..until]), line: self.line };
        Piece { start: self.start, end, is_closed: end > until, statement }
    }

    fn see(&mut self, token: &Token<'_>) {
        if !token.has_meaning() {
            return;
        }
        self.kind = match self.kind {
            Kind::Unknown if token.is("create") => Kind::Create,
            Kind::Create if token.is("temp") || token.is("temporary") => Kind::Create,
            Kind::Create if token.is("trigger") => Kind::Trigger,
            Kind::Unknown | Kind::Create => Kind::Other,
            Kind::Trigger if token.is("begin") => Kind::Body,
            kind => kind,
        };
        self.closing = match self.closing {
            // The semicolon behind END is looked at before anything else is seen.
            Closing::End if is_semicolon(token) => Closing::End,
            _ if is_semicolon(token) => Closing::Semicolon,
            Closing::Semicolon if token.is("end") => Closing::End,
            _ => Closing::No,
        };
    }

    fn ends_with(&self, token: &Token<'_>) -> bool {
        is_semicolon(token) && !self.is_unclosed()
    }

    fn is_unclosed(&self) -> bool {
        self.kind == Kind::Body && self.closing != Closing::End
    }
}

fn is_semicolon(token: &Token<'_>) -> bool {
    token.kind == TokenKind::Symbol && token.text == ";"
}

fn refuse_transaction_control(statement: &Statement) -> Result<(), ScriptError> {
    let words = statement.words();
    let Some(first) = words.first() else {
        return Ok(());
    };
    let controls = ["begin", "commit", "end", "rollback", "savepoint", "release", "start"];
    if controls.iter().any(|word| first.is(word)) {
        return Err(ScriptError::TransactionControl { line: statement.line, word: first.text.to_owned() });
    }
    Ok(())
}

fn refuse_reach(statement: &Statement, other_files: bool) -> Result<(), ScriptError> {
    let (line, in_short) = (statement.line, || statement.in_short());
    match reach::reach(statement) {
        Some(reach::Reach::OtherFiles) if !other_files => Err(ScriptError::OtherFiles { line, statement: in_short() }),
        Some(reach::Reach::Never) => Err(ScriptError::BeyondDatabase { line, statement: in_short() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Vec<String> {
        Script::parse(text).unwrap().statements().iter().map(|statement| statement.text.clone()).collect()
    }

    #[test]
    fn semicolons_in_quotes_comments_and_triggers_do_not_end_a_statement() {
        let text = "CREATE TABLE a (b TEXT DEFAULT ';'); -- c;\n/* ; */ INSERT INTO a VALUES ('x''; y');\n\
             CREATE TRIGGER t AFTER INSERT ON a BEGIN\n UPDATE a SET b = CASE WHEN 1 THEN 2 END;\n DELETE FROM a; END;\n\
             SELECT \"a;b\", [c;d], `e;f`";
        let found = statements(text);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert!(found[2].ends_with("END"));
    }

    #[test]
    fn keywords_that_are_names_do_not_close_or_open_a_trigger() {
        let text = "CREATE TABLE trigger (begin INT, \"case\" INT); CREATE TEMP TRIGGER t AFTER INSERT ON trigger BEGIN\n \
             UPDATE trigger SET begin = CASE begin WHEN 1 THEN 2 END;\n SELECT 1 AS end; END; SELECT 1";
        assert_eq!(statements(text).len(), 3);
        let of_postgres = "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION f(); SELECT 1";
        assert_eq!(statements(of_postgres).len(), 2);
    }

    #[test]
    fn a_wide_space_at_the_end_is_not_trimmed_away_with_its_statement() {
        assert_eq!(statements("SELECT 1;\u{a0};"), ["SELECT 1", "\u{a0}"]);
    }

    #[test]
    fn a_zero_character_is_refused_because_sqlite_would_stop_there() {
        assert_eq!(Script::parse("SELECT 1;\n\0 SELECT 2"), Err(ScriptError::Zero { line: 2 }));
    }

    #[test]
    fn a_statement_knows_its_line() {
        let script = Script::parse("-- one\n\nSELECT 1;\n\n\nSELECT\n 2;").unwrap();
        assert_eq!(script.statements().iter().map(|statement| statement.line).collect::<Vec<_>>(), [3, 6]);
    }

    #[test]
    fn a_script_of_comments_alone_is_empty() {
        assert_eq!(Script::parse("-- nothing\n/* here */ ;;\n"), Err(ScriptError::Empty));
    }

    #[test]
    fn the_first_line_sets_the_bounds() {
        assert_eq!(Script::parse("-- longshore: rebuild\r\nSELECT 1").unwrap().bounds(), Bounds::Rebuild);
        assert_eq!(Script::parse("-- longshore: no transaction\nVACUUM").unwrap().bounds(), Bounds::Statements);
        assert_eq!(Script::parse("-- no-transaction\nVACUUM").unwrap().bounds(), Bounds::Statements);
        assert!(matches!(Script::parse("-- longshore: magic\nVACUUM"), Err(ScriptError::UnknownDirective { .. })));
    }

    #[test]
    fn what_never_ends_is_named() {
        assert!(matches!(Script::parse("SELECT 'a"), Err(ScriptError::Unclosed { what: Unclosed::Quote, .. })));
        assert!(matches!(Script::parse("SELECT 1 /* a"), Err(ScriptError::Unclosed { what: Unclosed::Comment, .. })));
        let trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;";
        assert!(matches!(Script::parse(trigger), Err(ScriptError::Unclosed { what: Unclosed::Trigger, .. })));
    }

    #[test]
    fn a_transaction_of_its_own_is_refused() {
        assert!(matches!(
            Script::parse("BEGIN; SELECT 1; COMMIT;"),
            Err(ScriptError::TransactionControl { line: 1, .. })
        ));
    }
}
