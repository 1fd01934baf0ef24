//! Recognises migration files of other tools, so that none is skipped without a word.

use super::{Content, RawFile, file_name::numbered};

/// The format that a file seems to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
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
    /// yoyo's steps.
    Yoyo,
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

/// What a file seems to be, in words, with what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) message: String,
    pub(super) hint: String,
}

/// Files that stand beside migrations everywhere and never are one.
pub(super) fn is_beside_the_point(name: &str) -> bool {
    let lower = name.to_lowercase();
    let known = ["readme", "readme.txt", "license", "makefile", "__init__.py", "__pycache__", "schema.sql"];
    lower.starts_with('.') || lower.ends_with(".md") || lower.ends_with('~') || known.contains(&lower.as_str())
}

/// Whether the text holds the sections of goose, dbmate or Drizzle.
pub(super) fn has_annotations(text: &str) -> bool {
    annotation(text).is_some()
}

pub(super) fn recognise(file: &RawFile) -> Guess {
    let format = match &file.content {
        Content::Directory(inside) => of_directory(inside),
        Content::Bytes(bytes) => of_file(&file.name, &String::from_utf8_lossy(bytes)),
    };
    Guess {
        message: match format {
            Format::Unknown => "it is no migration in any format that is known here".to_owned(),
            _ => format!("it looks like {}, which is not read here", format.in_words()),
        },
        hint: hint(format, &file.name),
    }
}

fn of_directory(inside: &[String]) -> Format {
    let has = |name: &str| inside.iter().any(|file| file == name);
    if has("up.sql") || has("down.sql") {
        return Format::Diesel;
    }
    if has("migration.sql") {
        return Format::Prisma;
    }
    Format::Unknown
}

fn of_file(name: &str, text: &str) -> Format {
    let lower = name.to_lowercase();
    let extension = lower.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "sql" => of_sql(name, text),
        "py" => of_python(text),
        "rs" => Format::Rust,
        "rb" => Format::Rails,
        "js" | "ts" | "mjs" | "cjs" => Format::JavaScript,
        "go" => Format::Go,
        "php" => Format::Php,
        "xml" | "yaml" | "yml" | "json" => Format::Liquibase,
        _ => Format::Unknown,
    }
}

fn annotation(text: &str) -> Option<Format> {
    text.lines().find_map(|line| {
        if line.contains("--> statement-breakpoint") {
            return Some(Format::Drizzle);
        }
        let comment = line.trim().strip_prefix("--")?.trim_start();
        if comment.to_lowercase().starts_with("+goose") {
            return Some(Format::Goose);
        }
        comment.starts_with("migrate:").then_some(Format::Dbmate)
    })
}

fn of_sql(name: &str, text: &str) -> Format {
    if let Some(format) = annotation(text) {
        return format;
    }
    if name.starts_with("R__") {
        return Format::FlywayRepeatable;
    }
    let is_versioned = |letter: char| {
        let rest = name.strip_prefix(letter);
        rest.is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()) && rest.contains("__"))
    };
    if is_versioned('V') {
        return Format::Flyway;
    }
    if is_versioned('U') {
        return Format::FlywayUndo;
    }
    let stem = name.trim_end_matches(".sql");
    if numbered(stem).is_some() && !stem.ends_with(".up") && !stem.ends_with(".down") {
        return Format::SqlxSimple;
    }
    Format::OtherSql
}

fn of_python(text: &str) -> Format {
    let has = |needle: &str| text.contains(needle);
    let has_line = |start: &str| text.lines().any(|line| line.starts_with(start));
    if has("down_revision") || has("from alembic") {
        return Format::Alembic;
    }
    if has("migrations.Migration") || has("from django") {
        return Format::Django;
    }
    if has("from yoyo") || has_line("steps =") {
        return Format::Yoyo;
    }
    let is_function =
        ["def up", "def down", "def upgrade", "def downgrade", "def migrate", "def rollback", "def apply"];
    if has_line("class ") {
        return Format::PythonClass;
    }
    if is_function.iter().any(|start| has_line(start)) {
        return Format::PythonFunctions;
    }
    Format::Python
}

impl Format {
    /// The format's name in a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Goose => "a goose migration (`-- +goose` sections)",
            Self::Dbmate => "a dbmate migration (`-- migrate:up` and `-- migrate:down` sections)",
            Self::Flyway => "a Flyway or refinery migration (`V1__name`)",
            Self::FlywayUndo => "a Flyway undo migration (`U1__name`)",
            Self::FlywayRepeatable => "a Flyway repeatable migration (`R__name`)",
            Self::Rust => "a Rust migration (refinery, sea-orm)",
            Self::Alembic => "an Alembic revision",
            Self::Django => "a Django migration",
            Self::Yoyo => "a yoyo migration",
            Self::PythonClass => "a class-style Python migration",
            Self::PythonFunctions => "a function-style Python migration",
            Self::Python => "a Python file",
            Self::Diesel => "a diesel migration (a directory with up.sql and down.sql)",
            Self::Prisma => "a Prisma or Drizzle migration (a directory with migration.sql)",
            Self::Drizzle => "a Drizzle migration (`--> statement-breakpoint`)",
            Self::SqlxSimple => "an sqlx migration without a down (`NUMBER_name.sql`)",
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

fn hint(format: Format, name: &str) -> String {
    let stem = our_stem(name);
    match format {
        Format::Goose | Format::Dbmate => {
            format!(
                "move its up section to {stem}.up.sql and its down section to {stem}.down.sql, without the annotations"
            )
        }
        Format::Flyway | Format::SqlxSimple => format!("mv {name} {stem}.up.sql"),
        Format::FlywayUndo => format!("mv {name} {stem}.down.sql"),
        Format::Diesel => {
            format!("mv {name}/up.sql {stem}.up.sql && mv {name}/down.sql {stem}.down.sql && rmdir {name}")
        }
        Format::Prisma => format!("mv {name}/migration.sql {stem}.up.sql && rmdir {name}"),
        Format::Drizzle => {
            format!("put a semicolon in place of each `--> statement-breakpoint`, then mv {name} {stem}.up.sql")
        }
        Format::OtherSql if stem.starts_with(|digit: char| digit.is_ascii_digit()) => {
            format!("mv {name} {stem}.up.sql")
        }
        Format::OtherSql => format!("mv {name} NUMBER_{stem}.up.sql with the next free number, or move it elsewhere"),
        Format::FlywayRepeatable | Format::Unknown => {
            format!("move {name} elsewhere, or write it as {stem}.up.sql")
        }
        Format::Alembic | Format::Django => {
            format!(
                "write its SQL as {stem}.up.sql and {stem}.down.sql ({}), or move it elsewhere",
                sql_command(format)
            )
        }
        _ => format!("write its SQL as {stem}.up.sql and {stem}.down.sql, or move it elsewhere"),
    }
}

fn sql_command(format: Format) -> &'static str {
    match format {
        Format::Django => "`manage.py sqlmigrate` prints it",
        _ => "`alembic upgrade --sql` prints it",
    }
}

/// The name as we would write it: `V1__a.sql` and `migration_001_a.py` become `1_a` and `001_a`, and diesel's
/// `2025-06-28-113515_a` becomes `20250628113515_a`.
fn our_stem(name: &str) -> String {
    let mut stem = name.split('.').next().unwrap_or(name);
    for prefix in ["V", "U"] {
        if let Some(rest) =
            stem.strip_prefix(prefix).filter(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
        {
            stem = rest;
        }
    }
    let stem = stem.strip_prefix("migration_").unwrap_or(stem);
    let digits = stem.find(|letter: char| !letter.is_ascii_digit() && letter != '-').unwrap_or(stem.len());
    let number: String = stem[..digits].chars().filter(char::is_ascii_digit).collect();
    let rest = stem[digits..].trim_start_matches(['_', '-']).replace([' ', '-'], "_");
    if number.is_empty() {
        return rest;
    }
    format!("{number}_{}", if rest.is_empty() { "migration" } else { rest.as_str() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(name: &str, text: &str) -> Guess {
        recognise(&RawFile { name: name.to_owned(), content: Content::Bytes(text.as_bytes().to_vec()) })
    }

    #[test]
    fn every_format_is_named() {
        let table = [
            ("0001_a.up.sql", "-- +goose Up\nCREATE TABLE a (b);", "goose"),
            ("20250101_a.sql", "-- migrate:up\nCREATE TABLE a (b);", "dbmate"),
            ("V1__a.sql", "CREATE TABLE a (b);", "Flyway or refinery"),
            ("U1__a.sql", "DROP TABLE a;", "Flyway undo"),
            ("R__a.sql", "CREATE VIEW a AS SELECT 1;", "repeatable"),
            ("1_a.py", "revision = 'x'\ndown_revision = None\n", "Alembic"),
            ("0001_initial.py", "from django.db import migrations\nclass Migration(migrations.Migration):", "Django"),
            ("a.py", "from yoyo import step\nsteps = [step('')]", "yoyo"),
            ("migration_001_a.py", "class Migration001:\n    def up(self, db):", "class-style"),
            ("migration_002_a.py", "def upgrade(db):\n    pass", "function-style"),
            ("m20220101_a.rs", "use sea_orm_migration::prelude::*;", "Rust"),
            ("1_a.rb", "class A < ActiveRecord::Migration[7.0]", "Rails"),
            ("1_a.ts", "export async function up(knex) {}", "TypeScript"),
            ("1_a.go", "package migrations", "Go"),
            ("a.yaml", "databaseChangeLog:", "Liquibase"),
            ("0000_a.sql", "CREATE TABLE a (b);\n--> statement-breakpoint\n", "Drizzle"),
            ("1_a.sql", "CREATE TABLE a (b);", "sqlx"),
            ("create_users.sql", "CREATE TABLE a (b);", "without the name"),
            ("a.tar", "", "no migration"),
        ];
        for (name, text, word) in table {
            let guess = guess(name, text);
            assert!(guess.message.contains(word), "{name}: {}", guess.message);
        }
    }

    #[test]
    fn directories_of_diesel_and_prisma_are_named() {
        let directory = |file: &str| {
            recognise(&RawFile {
                name: "2025-06-28-113515_create_jobs".to_owned(),
                content: Content::Directory(vec![file.to_owned()]),
            })
        };
        assert!(directory("up.sql").message.contains("diesel"));
        assert!(
            directory("up.sql")
                .hint
                .contains("mv 2025-06-28-113515_create_jobs/up.sql 20250628113515_create_jobs.up.sql")
        );
        assert!(directory("migration.sql").message.contains("Prisma"));
    }

    #[test]
    fn the_hint_is_a_rename_where_one_suffices() {
        assert_eq!(guess("V1__create_jobs.sql", "SELECT 1").hint, "mv V1__create_jobs.sql 1_create_jobs.up.sql");
        assert_eq!(guess("001-create jobs.sql", "SELECT 1").hint, "mv 001-create jobs.sql 001_create_jobs.up.sql");
    }
}
