//! Names what a stray file looks like, so that none is skipped without a word, and what fixes it.

use super::{
    adapt::BREAKPOINT,
    format::Format,
    names::{Versioned, fitting, leading_number},
    sections::tool_of,
};
use crate::{
    files::source::{Content, RawFile},
    report::finding::Remedy,
};

/// The format that a file seems to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFormat {
    /// `-- +goose Up` / `-- +goose Down` in one file.
    Goose,
    /// `-- migrate:up` / `-- migrate:down` in one file.
    Dbmate,
    /// `V1__name.sql`, Flyway's and refinery's form.
    Flyway,
    /// `U1__name.sql`, Flyway's undo.
    FlywayUndo,
    /// `R__name.sql`, Flyway's repeatable.
    FlywayRepeatable,
    /// A Rust file of refinery, sea-orm or another tool.
    Rust,
    /// Alembic's Python revisions.
    Alembic,
    /// Django's `class Migration(migrations.Migration)`.
    Django,
    /// yoyo's steps in Python.
    Yoyo,
    /// yoyo's SQL.
    YoyoSql,
    /// A Python class with `up`/`down` or `upgrade`/`downgrade` methods.
    PythonClass,
    /// Python functions `up`/`down` or `upgrade`/`downgrade`.
    PythonFunctions,
    /// Python that is none of these.
    Python,
    /// A directory with `up.sql`, diesel's form.
    Diesel,
    /// A directory with `migration.sql`, Prisma's and newer Drizzle's form.
    Prisma,
    /// `-- +migrate Up` / `-- +migrate Down` in one file.
    SqlMigrate,
    /// `-- Up` / `-- Down` in one file.
    Sections,
    /// `NUMBER.up.sql` and other pairs whose names are not ours.
    Pair,
    /// `--> statement-breakpoint` in the SQL.
    Drizzle,
    /// `NUMBER_name.sql`, sqlx's form without a down.
    SqlxSimple,
    /// A Ruby class.
    Rails,
    /// JavaScript or TypeScript.
    JavaScript,
    /// Go code of goose.
    Go,
    /// PHP.
    Php,
    /// XML, YAML or JSON of Liquibase.
    Liquibase,
    /// SQL with a name that is none of these.
    OtherSql,
    /// Anything else.
    Unknown,
}

/// What a file seems to be, in words, with what fixes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guess {
    pub(crate) message: String,
    pub(crate) hint: String,
    pub(crate) remedy: Option<Remedy>,
}

/// Says what `file` looks like; `others` are the names of everything that is beside it.
pub(crate) fn recognise(file: &RawFile, others: &[&str]) -> Guess {
    let format = match &file.content {
        Content::Directory(inside) => of_directory(inside),
        Content::Bytes(bytes) => of_file(&file.name, &String::from_utf8_lossy(bytes)),
        Content::Dangling => return of_no_file("it is a link to a file that is not there", &file.name),
        Content::Special => return of_no_file("it is a pipe, a socket or a device, so it was not opened", &file.name),
    };
    guess(format, &file.name, others)
}

/// What a file with both halves in it looks like.
pub(crate) fn both_halves(tool: Format, name: &str) -> Guess {
    let format = match tool {
        Format::Goose => FileFormat::Goose,
        Format::Dbmate => FileFormat::Dbmate,
        Format::SqlMigrate => FileFormat::SqlMigrate,
        _ => FileFormat::Sections,
    };
    guess(format, name, &[])
}

fn of_no_file(message: &str, name: &str) -> Guess {
    Guess { message: message.to_owned(), hint: format!("move {name} elsewhere"), remedy: None }
}

fn guess(format: FileFormat, name: &str, others: &[&str]) -> Guess {
    let message = match format {
        FileFormat::Unknown => "it is not a migration in any known format".to_owned(),
        _ => format!("it looks like {}, which is not read here", format.in_words()),
    };
    if let Some(to) = renamed(format, name, others) {
        let hint = format!("rename it to {to}");
        return Guess { message, hint, remedy: Some(Remedy::Rename { from: name.into(), to: to.into() }) };
    }
    if let Some(tool) = format.tool() {
        let hint = format!("import the directory from the format of {tool}");
        return Guess { message, hint, remedy: Some(Remedy::Import { format: tool, directory: None }) };
    }
    Guess { message, hint: by_hand(format, name), remedy: None }
}

/// Our name for a half of a pair whose name is only a little off, where nothing has that name or that number.
fn renamed(format: FileFormat, name: &str, others: &[&str]) -> Option<String> {
    if format != FileFormat::Pair {
        return None;
    }
    // A name that is not UTF-8 is shown with a sign in place of what cannot be.
    let (stem, ending) = half(name).filter(|_| !name.contains('\u{fffd}'))?;
    let (digits, rest) = leading_number(stem);
    let digits = digits?;
    let to = format!("{digits}_{}{ending}", fitting(rest));
    let number = |name: &str| leading_number(name).0.and_then(|digits| digits.parse::<u128>().ok());
    // Its other half has the same name, or the name that it gets itself.
    let own = [Some(stem), to.strip_suffix(ending)];
    let is_other_half = |other: &str| half(other).is_some_and(|(other, _)| own.contains(&Some(other)));
    let is_free = |other: &&str| **other == *name || number(other) != number(name) || is_other_half(other);
    (others.contains(&name) && !others.contains(&to.as_str()) && others.iter().all(is_free)).then_some(to)
}

fn half(name: &str) -> Option<(&str, &'static str)> {
    [".up.sql", ".down.sql"].into_iter().find_map(|ending| Some((name.strip_suffix(ending)?, ending)))
}

fn by_hand(format: FileFormat, name: &str) -> String {
    match format {
        FileFormat::OtherSql => format!(
            "its name does not say when it runs: rename it to NUMBER_name.up.sql with the number of its place, or move \
             {name} elsewhere"
        ),
        FileFormat::FlywayRepeatable => {
            format!("move {name} elsewhere, and write its SQL as a migration after the others")
        }
        FileFormat::Unknown => format!("move {name} elsewhere"),
        FileFormat::Alembic => format!("{} (`alembic upgrade --sql` prints it), or move it elsewhere", as_pair(name)),
        FileFormat::Django => format!("{} (`manage.py sqlmigrate` prints it), or move it elsewhere", as_pair(name)),
        _ => format!("{}, or move it elsewhere", as_pair(name)),
    }
}

/// With the names that its SQL would have, as far as its own name says them.
fn as_pair(name: &str) -> String {
    let stem = name.split('.').next().unwrap_or(name);
    let (digits, rest) = leading_number(stem.strip_prefix("migration_").unwrap_or(stem));
    let stem = digits.map_or_else(|| "NUMBER_name".to_owned(), |digits| format!("{digits}_{}", fitting(rest)));
    format!("write its SQL as {stem}.up.sql and {stem}.down.sql")
}

fn of_directory(inside: &[String]) -> FileFormat {
    let has = |name: &str| inside.iter().any(|file| file == name);
    if has("up.sql") || has("down.sql") {
        return FileFormat::Diesel;
    }
    if has("migration.sql") {
        return if has("snapshot.json") { FileFormat::Drizzle } else { FileFormat::Prisma };
    }
    FileFormat::Unknown
}

fn of_file(name: &str, text: &str) -> FileFormat {
    let lower = name.to_lowercase();
    let extension = lower.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "sql" => of_sql(name, text),
        "py" => of_python(text),
        "rs" => FileFormat::Rust,
        "rb" => FileFormat::Rails,
        "js" | "ts" | "mjs" | "cjs" => FileFormat::JavaScript,
        "go" => FileFormat::Go,
        "php" => FileFormat::Php,
        "xml" | "yaml" | "yml" | "json" => FileFormat::Liquibase,
        _ => FileFormat::Unknown,
    }
}

fn of_sql(name: &str, text: &str) -> FileFormat {
    match tool_of(text) {
        Some(Format::Goose) => return FileFormat::Goose,
        Some(Format::Dbmate) => return FileFormat::Dbmate,
        Some(Format::SqlMigrate) => return FileFormat::SqlMigrate,
        Some(_) => return FileFormat::Sections,
        None => {}
    }
    if text.contains(BREAKPOINT) {
        return FileFormat::Drizzle;
    }
    let stem = name.strip_suffix(".sql").unwrap_or(name);
    if stem.starts_with("R__") {
        return FileFormat::FlywayRepeatable;
    }
    match Versioned::parse(stem).map(|versioned| versioned.letter) {
        Some('U') => return FileFormat::FlywayUndo,
        Some(_) => return FileFormat::Flyway,
        None => {}
    }
    if stem.ends_with(".rollback") {
        return FileFormat::YoyoSql;
    }
    if half(name).is_some() {
        return FileFormat::Pair;
    }
    if leading_number(stem).0.is_some() { FileFormat::SqlxSimple } else { FileFormat::OtherSql }
}

fn of_python(text: &str) -> FileFormat {
    let has = |needle: &str| text.contains(needle);
    let has_line = |start: &str| text.lines().any(|line| line.starts_with(start));
    if has("down_revision") || has("from alembic") {
        return FileFormat::Alembic;
    }
    if has("migrations.Migration") || has("from django") {
        return FileFormat::Django;
    }
    if has("from yoyo") || has_line("steps =") {
        return FileFormat::Yoyo;
    }
    let is_function =
        ["def up", "def down", "def upgrade", "def downgrade", "def migrate", "def rollback", "def apply"];
    if has_line("class ") {
        return FileFormat::PythonClass;
    }
    if is_function.iter().any(|start| has_line(start)) {
        return FileFormat::PythonFunctions;
    }
    FileFormat::Python
}

impl FileFormat {
    /// The tool that `import` reads such files as.
    fn tool(self) -> Option<Format> {
        Some(match self {
            Self::Goose => Format::Goose,
            Self::Dbmate => Format::Dbmate,
            Self::SqlMigrate => Format::SqlMigrate,
            Self::Sections => Format::Sections,
            Self::Pair => Format::GolangMigrate,
            Self::Flyway | Self::FlywayUndo => Format::Flyway,
            Self::Diesel => Format::Diesel,
            Self::Prisma => Format::Prisma,
            Self::Drizzle => Format::Drizzle,
            Self::SqlxSimple => Format::Sqlx,
            Self::YoyoSql => Format::Yoyo,
            _ => return None,
        })
    }

    /// The format's name in a sentence.
    fn in_words(self) -> &'static str {
        match self {
            Self::Goose => "a goose migration (`-- +goose` sections)",
            Self::Dbmate => "a dbmate migration (`-- migrate:up` and `-- migrate:down` sections)",
            Self::Flyway => "a Flyway or refinery migration (`V1__name`)",
            Self::FlywayUndo => "a Flyway undo migration (`U1__name`)",
            Self::FlywayRepeatable => "a Flyway repeatable migration (`R__name`)",
            Self::Rust => "a Rust migration (refinery, sea-orm)",
            Self::Alembic => "an Alembic revision",
            Self::Django => "a Django migration",
            Self::Yoyo => "a yoyo migration in Python",
            Self::YoyoSql => "a yoyo migration (`NAME.rollback.sql`)",
            Self::PythonClass => "a class-style Python migration",
            Self::PythonFunctions => "a function-style Python migration",
            Self::Python => "a Python file",
            Self::Diesel => "a diesel migration (a directory with up.sql and down.sql)",
            Self::Prisma => "a Prisma or Drizzle migration (a directory with migration.sql)",
            Self::SqlMigrate => "a sql-migrate migration (`-- +migrate` sections)",
            Self::Sections => "a migration with both halves in one file (`-- Up` and `-- Down`)",
            Self::Pair => "half of a migration with another form of name",
            Self::Drizzle => "a Drizzle migration (`--> statement-breakpoint`)",
            Self::SqlxSimple => "an sqlx or wrangler migration without a down (`NUMBER_name.sql`)",
            Self::Rails => "a Rails migration (Ruby)",
            Self::JavaScript => "a JavaScript or TypeScript migration",
            Self::Go => "a goose migration in Go",
            Self::Php => "a PHP migration",
            Self::Liquibase => "a Liquibase changelog",
            Self::OtherSql => "SQL without the name of a migration (`NUMBER_name.up.sql`)",
            Self::Unknown => "no migration",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognised(name: &str, text: &str) -> Guess {
        let file = RawFile { name: name.to_owned(), content: Content::Bytes(text.as_bytes().to_vec()) };
        recognise(&file, &[name])
    }

    #[test]
    fn every_format_is_named() {
        let table = [
            ("0001_a.up.sql", "-- +goose Up\nCREATE TABLE a (b);", "goose"),
            ("20250101_a.sql", "-- migrate:up\nCREATE TABLE a (b);", "dbmate"),
            ("1_a.sql", "-- +migrate Up\nCREATE TABLE a (b);", "sql-migrate"),
            ("1_a.sql", "-- Up\nCREATE TABLE a (b);\n-- Down\nDROP TABLE a;", "both halves"),
            ("V1__a.sql", "CREATE TABLE a (b);", "Flyway or refinery"),
            ("U1__a.sql", "DROP TABLE a;", "Flyway undo"),
            ("R__a.sql", "CREATE VIEW a AS SELECT 1;", "repeatable"),
            ("1_a.py", "revision = 'x'\ndown_revision = None\n", "Alembic"),
            ("0001_initial.py", "from django.db import migrations\nclass Migration(migrations.Migration):", "Django"),
            ("a.py", "from yoyo import step\nsteps = [step('')]", "yoyo"),
            ("1_a.rollback.sql", "DROP TABLE a;", "yoyo"),
            ("migration_001_a.py", "class Migration001:\n    def up(self, db):", "class-style"),
            ("migration_002_a.py", "def upgrade(db):\n    pass", "function-style"),
            ("m20220101_a.rs", "use sea_orm_migration::prelude::*;", "Rust"),
            ("1_a.rb", "class A < ActiveRecord::Migration[7.0]", "Rails"),
            ("1_a.ts", "export async function up(knex) {}", "TypeScript"),
            ("1_a.go", "package migrations", "Go"),
            ("a.yaml", "databaseChangeLog:", "Liquibase"),
            ("0000_a.sql", "CREATE TABLE a (b);\n--> statement-breakpoint\n", "Drizzle"),
            ("1_a.sql", "CREATE TABLE a (b);", "sqlx"),
            ("1.up.sql", "CREATE TABLE a (b);", "half of a migration"),
            ("create_users.sql", "CREATE TABLE a (b);", "without the name"),
            ("a.tar", "", "not a migration"),
        ];
        for (name, text, word) in table {
            let guess = recognised(name, text);
            assert!(guess.message.contains(word), "{name}: {}", guess.message);
        }
    }

    #[test]
    fn a_directory_of_another_tool_is_named_and_imported() {
        let directory = |file: &str| {
            let content = Content::Directory(vec![file.to_owned()]);
            recognise(&RawFile { name: "2025-06-28-113515_create_jobs".to_owned(), content }, &[])
        };
        assert!(directory("up.sql").message.contains("diesel"));
        let import = |format| Some(Remedy::Import { format, directory: None });
        assert_eq!(directory("up.sql").remedy, import(Format::Diesel));
        assert_eq!(directory("migration.sql").remedy, import(Format::Prisma));
        assert_eq!(recognised("V1__a.sql", "SELECT 1").remedy, import(Format::Flyway));
        assert_eq!(recognised("1_a.rollback.sql", "SELECT 1").remedy, import(Format::Yoyo));
    }

    #[test]
    fn a_half_is_renamed_to_its_own_half_and_never_onto_another_file() {
        let rename = |name: &str, others: &[&str]| {
            let content = Content::Bytes(b"SELECT 1".to_vec());
            match recognise(&RawFile { name: name.to_owned(), content }, others).remedy {
                Some(Remedy::Rename { to, .. }) => Some(to.display().to_string()),
                _ => None,
            }
        };
        let down = "003_add users.down.sql";
        assert_eq!(rename(down, &["003_add users.up.sql", down]).as_deref(), Some("003_add_users.down.sql"));
        assert_eq!(rename("1.up.sql", &["1.down.sql", "1.up.sql"]).as_deref(), Some("1_migration.up.sql"));
        assert_eq!(rename("1.down.sql", &["1.down.sql", "1.up.sql"]).as_deref(), Some("1_migration.down.sql"));
        assert_eq!(rename(down, &[down, "003_add_users.down.sql"]), None, "that name is taken");
        assert_eq!(rename("1.up.sql", &["1.up.sql", "001_other.up.sql"]), None, "that number is taken");
        assert_eq!(rename("V0001.X.up.sql", &["V0001.X.down.sql", "V0001.X.up.sql"]), None);
        assert_eq!(rename("V1.1__a.sql", &["V1.1__a.sql", "V1.2__b.sql"]), None);
    }
}
