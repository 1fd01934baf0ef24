//! Random files for the reader: none makes it panic, none is skipped without a word, and it cuts a script where
//! SQLite does.
//!
//! The test suite runs a short, seeded course; the example `fuzz_files` runs it for as long as it is told.

use std::path::Path;

use fastrand::Rng;
use longshore_migrate::{
    Source,
    files::checksum::{Change, Checksum},
    files::script::{Script, ScriptError, TokenKind, tokens, with_lf},
};
use rusqlite::Connection;

/// What a course has done.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) texts: u64,
    /// How many of them SQLite ran, so that the two ways to cut them were compared.
    pub(crate) compared: u64,
    /// How many of them the judge broke off.
    pub(crate) endless: u64,
    pub(crate) directories: u64,
}

/// The most steps of SQLite's machine for one statement; the longest of [`STATEMENTS`] takes a few hundred.
const STEPS_MAX: i32 = 100_000;

/// A seeded course.
pub(crate) struct FilesFuzz {
    rng: Rng,
    pub(crate) figures: Figures,
}

#[rustfmt::skip]
const STATEMENTS: [&str; 16] = [
    "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT DEFAULT ';', c INT)",
    "CREATE TABLE IF NOT EXISTS \"x;y\" (\"a\"\"b\" TEXT CHECK (\"a\"\"b\" <> '--'))",
    "CREATE TABLE trigger (begin INT, [end;] INT, `case` INT)",
    "CREATE TABLE price$usd$ (a$b$ INT)",
    "CREATE INDEX IF NOT EXISTS a_b ON a (b) WHERE c IS NOT NULL",
    "CREATE TRIGGER a_t AFTER INSERT ON a WHEN new.c > 1 BEGIN UPDATE a SET c = CASE WHEN 1 THEN 2 END; DELETE FROM a WHERE id < 0; END",
    "CREATE TRIGGER IF NOT EXISTS t2 BEFORE DELETE ON a BEGIN SELECT ';END;' /* ;END; */; SELECT 1 AS \"end\" -- ;END;\n; END",
    "CREATE TEMP TRIGGER t3 AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN CASE 2 WHEN 2 THEN 3 END END; END",
    "CREATE VIEW v AS SELECT ';' AS semicolon, '/*' AS open, \"b\" FROM a",
    "INSERT INTO a (b) VALUES ('it''s; --'), (x'00ff'), ('é\u{feff}ü'), (NULL)",
    "UPDATE a SET b = b || ';' WHERE b LIKE '%;%' ESCAPE '\\'",
    "ALTER TABLE a ADD COLUMN d TEXT COLLATE NOCASE",
    "DROP VIEW IF EXISTS v",
    "PRAGMA user_version = 7",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) INSERT INTO a (c) SELECT i FROM n",
    "SELECT json_extract('{\"a\": \";\"}', '$.a')",
];

#[rustfmt::skip]
const BREAKS: [&str; 36] = [
    ";", ";;", "'", "\"", "`", "[", "]", "--", "-- \n", "/*", "*/", "/**/", "$", "$$", "$a$", "\n", "\r\n", "\r", "\t", " ",
    "\u{0}", "\u{feff}", "\u{a0}", "é", "END", "end;", "BEGIN", "CASE", "CREATE", "TRIGGER", "COMMIT;", "-- +goose Up\n",
    "-- migrate:up\n", "-- longshore: rebuild\n", "-- longshore: no transaction\n", "x",
];

#[rustfmt::skip]
const NAMES: [&str; 22] = [
    "001_a.up.sql", "001_a.down.sql", "1_a.sql", "20250628113515_b.up.sql", "V1__a.sql", "V1.2__a.sql", "U1__a.sql", "R__v.sql",
    "a.py", "0001_initial.py", "a.rs", "x.rb", "9223372036854775807_m.up.sql", "9223372036854775808_m.up.sql", "é_ü.up.sql",
    "V.sql", ".sql", "--.sql", "_a.up.sql", "0_.down.sql", "a b.sql", "migration_001_x.py",
];

impl FilesFuzz {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), figures: Figures::default() }
    }

    /// Reads one random text in every way, and compares with SQLite where that takes it.
    pub(crate) fn read_one(&mut self) {
        let text = self.text();
        self.figures.texts += 1;
        assert_eq!(tokens(&text).iter().map(|token| token.text).collect::<String>(), text);
        assert_eq!(with_lf(&with_lf(&text)), with_lf(&text));
        let crlf = with_lf(&text).replace('\n', "\r\n");
        assert_eq!(Checksum::of(&crlf).change_since(&Checksum::of(&text)), Change::None, "{text:?}");
        let script = Script::parse(&text);
        assert_eq!(Script::parse(&crlf), script, "{text:?}");
        if let Ok(script) = &script {
            for statement in script.statements() {
                assert_eq!(Script::parse(&statement.text).unwrap().statements().len(), 1, "{text:?}");
                let line = script.text().lines().nth(statement.line - 1).unwrap_or_default();
                assert!(line.contains(statement.text.lines().next().unwrap_or_default()), "{text:?}");
            }
        }
        self.compare(&text, script);
    }

    /// What SQLite makes of the whole text, the statements make one by one.
    fn compare(&mut self, text: &str, script: Result<Script, ScriptError>) {
        let whole = judge();
        if let Err(error) = whole.execute_batch(&with_lf(text)) {
            self.figures.endless +=
                u64::from(error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted));
            return;
        }
        // SQLite closes a comment at the end of the text, and dollars quote nothing there; an error is no skip.
        let Ok(script) = script else { return };
        if tokens(text).iter().any(|token| token.kind == TokenKind::Quoted && token.text.starts_with('$')) {
            return;
        }
        self.figures.compared += 1;
        let single = judge();
        for statement in script.statements() {
            match single.execute(&statement.text, []) {
                Ok(_) | Err(rusqlite::Error::ExecuteReturnedResults) => {}
                // A dollar has made a parameter, which the whole text leaves unbound; there is nothing to compare.
                Err(rusqlite::Error::InvalidParameterCount(..)) => return,
                Err(error) => panic!("{error}: {statement:?} of {text:?}"),
            }
        }
        assert_eq!(state(&single), state(&whole), "of {text:?}");
    }

    /// Reads a directory of random files under random names: every file is a migration or a finding, or stands
    /// beside migrations everywhere.
    pub(crate) fn read_directory(&mut self, folder: &Path) {
        self.figures.directories += 1;
        let mut names = Vec::new();
        for _ in 0..self.rng.usize(1..6) {
            let name = self.name();
            let bytes = match self.rng.u8(..6) {
                0 => std::iter::repeat_with(|| self.rng.u8(..)).take(20).collect(),
                _ => self.text().into_bytes(),
            };
            if std::fs::write(folder.join(&name), bytes).is_ok() {
                names.push(name);
            }
        }
        let source = Source::directory("app", folder).unwrap();
        for name in &names {
            std::fs::remove_file(folder.join(name)).ok();
            let is_read = source.migrations().iter().any(|migration| migration.origin == *name)
                || name.strip_suffix(".down.sql").is_some_and(|stem| {
                    source.migrations().iter().any(|migration| migration.origin == format!("{stem}.up.sql"))
                        || source.migrations().iter().any(longshore_migrate::Migration::has_down)
                });
            let is_told =
                source.findings().iter().any(|finding| finding.subject == *name && !finding.message.is_empty());
            let is_beside = source.skipped().iter().any(|skipped| skipped.name == *name);
            assert!(is_read || is_told || is_beside, "{name} is skipped without a word: {:?}", source.findings());
        }
    }

    fn name(&mut self) -> String {
        let mut name = (*self.rng.choice(NAMES).unwrap()).to_owned();
        if self.rng.u8(..3) == 0 {
            let at = self.place(&name);
            name.insert_str(at, self.rng.choice(["_", ".", "1", "é", " ", "-", "V", "up", "\n", "'"]).unwrap());
        }
        name
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.rng.usize(0..7) {
            text.push_str(self.rng.choice(STATEMENTS).unwrap());
            text.push_str(self.rng.choice([";", ";\n", " ; -- done\n", ";/* ; */", ";;\r\n", "\n;"]).unwrap());
        }
        for _ in 0..self.rng.usize(0..5) {
            let (from, to) = (self.place(&text), self.place(&text));
            match self.rng.u8(..8) {
                0 if from < to && to - from < 12 => text.replace_range(from..to, ""),
                1 if from < to => text = text[from..to].to_owned(),
                _ => text.insert_str(from, self.rng.choice(BREAKS).unwrap()),
            }
        }
        text
    }

    fn place(&mut self, text: &str) -> usize {
        let mut at = self.rng.usize(..=text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// A database that breaks off what does not end: a text may have lost the end of its recursion.
fn judge() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.progress_handler(STEPS_MAX, Some(|| true)).unwrap();
    connection
}

fn state(connection: &Connection) -> Vec<String> {
    let query = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema
        UNION ALL SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_temp_schema ORDER BY 1";
    let mut statement = connection.prepare(query).unwrap();
    // SQLite keeps the white space and the comments before the semicolon; they mean nothing.
    let in_words = |row: rusqlite::Result<String>| {
        tokens(&row.unwrap())
            .iter()
            .filter(|token| token.has_meaning())
            .map(|token| token.text)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut found: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(in_words).collect();
    let rows = connection.query_row("SELECT group_concat(quote(b)) FROM a", [], |row| row.get::<_, Option<String>>(0));
    found.push(format!("{:?}", rows.ok()));
    found
}
