//! A migration's SQL text: its first-line directive and its statements.

mod dialect;
mod directives;
mod lexer;
mod reach;

use std::fmt;

pub use dialect::Dialect;
use directives::Directives;
pub use directives::IntendedLoss;
pub use lexer::{Token, TokenKind, tokens, tokens_in};

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
    /// In whose words it is.
    pub dialect: Dialect,
}

impl Statement {
    /// A statement that is in no file.
    pub fn alone(dialect: Dialect, text: impl Into<String>) -> Self {
        Self { text: text.into(), line: 1, dialect }
    }

    /// The words and symbols of the statement: no white space, no comments.
    pub fn words(&self) -> Vec<Token<'_>> {
        tokens_in(self.dialect, &self.text).into_iter().filter(Token::has_meaning).collect()
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
    dialect: Dialect,
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
    /// `rebuild` where a table is changed in place.
    #[error("line {line}: `rebuild` is for SQLite: PostgreSQL changes a table in place, with ALTER TABLE")]
    NoRebuild {
        /// 1-based line.
        line: usize,
    },
    /// A statement that refuses a transaction, in a file that does not say `no transaction`.
    #[error("line {line}: `{statement}` does not run in a transaction, in which every statement of this file runs")]
    NeedsNoTransaction {
        /// 1-based line.
        line: usize,
        /// The statement in one line.
        statement: String,
    },
    /// A command of psql, or a COPY that waits for rows from its client.
    #[error(
        "line {line}: `{statement}` is for a client such as psql; the server cannot run it alone (write rows as INSERT, \
         as `pg_dump --inserts` does)"
    )]
    ClientCommand {
        /// 1-based line.
        line: usize,
        /// The statement in one line.
        statement: String,
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
    /// `BEGIN ATOMIC` without its `END`, or a bracket.
    Body,
}

impl fmt::Display for Unclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quote => "a quote",
            Self::Comment => "a comment",
            Self::Trigger => "a trigger",
            Self::Body => "a bracket or the body of a function",
        })
    }
}

impl Script {
    /// Reads `text` in SQLite's words: CRLF becomes LF, a byte-order mark is dropped.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        Self::parse_in(Dialect::Sqlite, text)
    }

    /// Reads `text`: CRLF becomes LF, a byte-order mark is dropped.
    pub fn parse_in(dialect: Dialect, text: &str) -> Result<Self, ScriptError> {
        let text = with_lf(text);
        if let Some(at) = text.find('\0') {
            return Err(ScriptError::Zero { line: 1 + text[..at].matches('\n').count() });
        }
        let directives = directives::read(dialect, &text)?;
        let statements = split(dialect, &text)?;
        if statements.is_empty() {
            return Err(ScriptError::Empty);
        }
        for statement in &statements {
            refuse_transaction_control(statement)?;
            match dialect {
                Dialect::Sqlite => refuse_reach(statement, directives.other_files)?,
                Dialect::Postgres => refuse_on_server(statement, directives.bounds)?,
            }
        }
        Ok(Self { dialect, text, directives, statements })
    }

    /// In whose words it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
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

    /// The same file without the statements of these places; text and checksum stay.
    pub(crate) fn without(&self, places: &[usize]) -> Self {
        let statements = self.statements.iter().enumerate().filter(|(at, _)| !places.contains(at));
        let statements = statements.map(|(_, statement)| statement.clone()).collect();
        Self { dialect: self.dialect, text: self.text.clone(), directives: self.directives.clone(), statements }
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

fn split(dialect: Dialect, text: &str) -> Result<Vec<Statement>, ScriptError> {
    Ok(pieces_in(dialect, text)?.into_iter().map(|piece| piece.statement).collect())
}

/// Cuts a text into its statements, whatever they are.
pub(crate) fn pieces_in(dialect: Dialect, text: &str) -> Result<Vec<Piece>, ScriptError> {
    let mut found = Vec::new();
    let mut open: Option<Open> = None;
    let mut line = 1;
    let mut offset = 0;
    for token in tokens_in(dialect, text) {
        refuse_unclosed(&token, line)?;
        if open.is_none() && token.has_meaning() && !is_semicolon(&token) {
            open = Some(Open::at(dialect, offset, line));
        }
        if let Some(statement) = &mut open {
            statement.see(&token);
            if statement.ends_with(&token) {
                let piece = statement.piece(text, offset, offset + token.text.len());
                // What follows are rows, which nobody can cut into statements.
                if dialect == Dialect::Postgres && dialect::is_client_command(&piece.statement) {
                    let (line, statement) = (piece.statement.line, piece.statement.in_short());
                    return Err(ScriptError::ClientCommand { line, statement });
                }
                found.push(piece);
                open = None;
            }
        }
        offset += token.text.len();
        line += token.text.matches('\n').count();
    }
    if let Some(last) = open {
        if last.is_unclosed() {
            return Err(ScriptError::Unclosed { line: last.line, what: last.unclosed() });
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
    dialect: Dialect,
    /// Brackets that are open, and on PostgreSQL the bodies and CASEs of a function.
    brackets: usize,
    blocks: usize,
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
    /// A function of PostgreSQL, whose body may be statements.
    Function,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    Semicolon,
    End,
}

impl Open {
    fn at(dialect: Dialect, start: usize, line: usize) -> Self {
        Self { dialect, brackets: 0, blocks: 0, start, line, kind: Kind::Unknown, closing: Closing::No }
    }

    /// The statement up to `until`, where its semicolon or the end of the text is.
    fn piece(&self, text: &str, until: usize, end: usize) -> Piece {
        let statement = Statement { text: trimmed(&text[self.start..until]), line: self.line, dialect: self.dialect };
        Piece { start: self.start, end, is_closed: end > until, statement }
    }

    fn see(&mut self, token: &Token<'_>) {
        if !token.has_meaning() {
            return;
        }
        if self.dialect == Dialect::Postgres {
            return self.see_of_postgres(token);
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

    /// As psql does it: a semicolon in brackets (of a rule) or in `BEGIN ATOMIC … END` ends nothing.
    fn see_of_postgres(&mut self, token: &Token<'_>) {
        self.kind = match self.kind {
            Kind::Unknown if token.is("create") => Kind::Create,
            Kind::Create if token.is("or") || token.is("replace") => Kind::Create,
            Kind::Create if token.is("function") || token.is("procedure") => Kind::Function,
            Kind::Unknown | Kind::Create => Kind::Other,
            kind => kind,
        };
        match token.text {
            "(" if token.kind == TokenKind::Symbol => self.brackets += 1,
            ")" if token.kind == TokenKind::Symbol => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        if self.kind != Kind::Function {
            return;
        }
        if token.is("begin") || token.is("case") && self.blocks > 0 {
            self.blocks += 1;
        } else if token.is("end") {
            self.blocks = self.blocks.saturating_sub(1);
        }
    }

    fn unclosed(&self) -> Unclosed {
        if self.dialect == Dialect::Postgres { Unclosed::Body } else { Unclosed::Trigger }
    }

    fn ends_with(&self, token: &Token<'_>) -> bool {
        is_semicolon(token) && !self.is_unclosed()
    }

    fn is_unclosed(&self) -> bool {
        self.kind == Kind::Body && self.closing != Closing::End || self.dialect == Dialect::Postgres && self.is_inside()
    }

    fn is_inside(&self) -> bool {
        self.brackets > 0 || self.blocks > 0
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
    let controls = ["begin", "commit", "end", "rollback", "savepoint", "release", "start", "abort"];
    let is_prepared = first.is("prepare") && words.get(1).is_some_and(|word| word.is("transaction"));
    if controls.iter().any(|word| first.is(word)) || is_prepared {
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

fn refuse_on_server(statement: &Statement, bounds: Bounds) -> Result<(), ScriptError> {
    let (line, in_short) = (statement.line, || statement.in_short());
    if dialect::is_client_command(statement) {
        return Err(ScriptError::ClientCommand { line, statement: in_short() });
    }
    if bounds == Bounds::Transaction && statement.dialect.is_outside_transactions(&statement.text) {
        return Err(ScriptError::NeedsNoTransaction { line, statement: in_short() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_statements_and_a_rule_of_postgres_are_one_statement_each() {
        let text = "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE 1 WHEN 1 THEN 2 END; END;\n\
            CREATE RULE r AS ON INSERT TO a DO (DELETE FROM b; DELETE FROM c);\n\
            CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;\n\
            CREATE TABLE \"begin\" (\"case\" int, x text DEFAULT E'\\';');\n\
            SELECT 1 AS begin";
        let script = Script::parse_in(Dialect::Postgres, text).unwrap();
        let lines: Vec<usize> = script.statements().iter().map(|statement| statement.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5]);
        let open = Script::parse_in(Dialect::Postgres, "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;");
        assert_eq!(open, Err(ScriptError::Unclosed { line: 1, what: Unclosed::Body }));
    }

    #[test]
    fn what_postgres_runs_in_no_transaction_wants_a_file_that_says_so() {
        let parse = |text: &str| Script::parse_in(Dialect::Postgres, text);
        let text = "CREATE INDEX CONCURRENTLY i ON a (b)";
        assert!(matches!(parse(text), Err(ScriptError::NeedsNoTransaction { line: 1, .. })));
        assert!(parse(&format!("-- longshore: no transaction\n{text}")).is_ok());
        assert!(matches!(parse("-- longshore: rebuild\nSELECT 1"), Err(ScriptError::NoRebuild { line: 1 })));
        for text in ["COPY a FROM stdin", "\\connect b", "COPY a (b) FROM STDIN WITH (FORMAT csv)"] {
            assert!(matches!(parse(text), Err(ScriptError::ClientCommand { .. })), "{text}");
        }
    }

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
