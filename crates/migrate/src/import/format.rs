//! The formats that can be imported: one table of how files are ordered, where up and down are, and what flags mean.

use std::fmt;

use serde::{Serialize, Serializer};

/// A format of migrations that `import` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// goose.
    Goose,
    /// dbmate.
    Dbmate,
    /// sql-migrate.
    SqlMigrate,
    /// Any other file with `-- Up` and `-- Down` sections.
    Sections,
    /// golang-migrate.
    GolangMigrate,
    /// sqlx.
    Sqlx,
    /// Flyway.
    Flyway,
    /// refinery.
    Refinery,
    /// diesel.
    Diesel,
    /// yoyo.
    Yoyo,
    /// Drizzle.
    Drizzle,
    /// Prisma.
    Prisma,
    /// wrangler, for Cloudflare's D1.
    Wrangler,
}

/// How a tool orders its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By the number at the beginning of the name.
    Number,
    /// By the name, character by character.
    Name,
    /// By a version of several numbers, each compared as one.
    Version,
    /// As the journal `meta/_journal.json` lists them; by name where there is none.
    Journal,
    /// By name, but after what `-- depends:` names.
    Depends,
}

/// Where a tool keeps the two halves of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halves {
    /// In sections of one file.
    Sections,
    /// In `NAME.up.sql` and `NAME.down.sql`.
    Pair,
    /// In `V1__name.sql` and `U1__name.sql`.
    Undo,
    /// In `NAME.sql` and `NAME.rollback.sql`.
    Rollback,
    /// In the files `up.sql` and `down.sql` of a directory.
    Directory,
    /// There is only an up, in its own file.
    UpFile,
    /// There is only an up, `migration.sql` in a directory.
    UpDirectory,
}

/// What says that a migration must not run in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The words in the marker of a section or in its own line.
    Marker(&'static str),
    /// The first line.
    FirstLine(&'static str),
    /// A comment before the first statement.
    Comment(&'static str),
    /// A setting in a file beside it: the file's name, or its ending, and the line.
    Beside(&'static str, &'static str),
    /// Nothing: every migration runs in one.
    Never,
}

/// What is known of one format.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The format.
    pub format: Format,
    /// What is typed for it.
    pub word: &'static str,
    /// Its name in a sentence.
    pub name: &'static str,
    /// How files are ordered.
    pub order: Order,
    /// Where up and down are.
    pub halves: Halves,
    /// What forbids a transaction.
    pub flag: Flag,
}

/// Every format, in the order in which they are named.
#[rustfmt::skip]
pub const LAYOUTS: [Layout; 13] = [
    layout(Format::Goose, "goose", "goose", Order::Number, Halves::Sections, Flag::Marker("no transaction")),
    layout(Format::Dbmate, "dbmate", "dbmate", Order::Name, Halves::Sections, Flag::Marker("transaction:false")),
    layout(Format::SqlMigrate, "sql-migrate", "sql-migrate", Order::Number, Halves::Sections, Flag::Marker("notransaction")),
    layout(Format::Sections, "sections", "files with `-- Up` and `-- Down`", Order::Number, Halves::Sections, Flag::Never),
    layout(Format::GolangMigrate, "golang-migrate", "golang-migrate", Order::Number, Halves::Pair, Flag::Never),
    layout(Format::Sqlx, "sqlx", "sqlx", Order::Number, Halves::Pair, Flag::FirstLine("-- no-transaction")),
    layout(Format::Flyway, "flyway", "Flyway", Order::Version, Halves::Undo, Flag::Beside(".conf", "executeInTransaction=false")),
    layout(Format::Refinery, "refinery", "refinery", Order::Version, Halves::UpFile, Flag::Never),
    layout(Format::Diesel, "diesel", "diesel", Order::Name, Halves::Directory, Flag::Beside("metadata.toml", "run_in_transaction=false")),
    layout(Format::Yoyo, "yoyo", "yoyo", Order::Depends, Halves::Rollback, Flag::Comment("transactional: false")),
    layout(Format::Drizzle, "drizzle", "Drizzle", Order::Journal, Halves::UpFile, Flag::Never),
    layout(Format::Prisma, "prisma", "Prisma", Order::Name, Halves::UpDirectory, Flag::Never),
    layout(Format::Wrangler, "wrangler", "wrangler", Order::Number, Halves::UpFile, Flag::Never),
];

const fn layout(
    format: Format,
    word: &'static str,
    name: &'static str,
    order: Order,
    halves: Halves,
    flag: Flag,
) -> Layout {
    Layout { format, word, name, order, halves, flag }
}

impl Format {
    /// The format that is typed as `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        LAYOUTS.iter().find(|layout| layout.word == word).map(|layout| layout.format)
    }

    /// What is typed for it.
    pub fn word(self) -> &'static str {
        self.layout().word
    }

    /// Its row of the table.
    pub fn layout(self) -> &'static Layout {
        LAYOUTS.iter().find(|layout| layout.format == self).expect("every format has a row")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.layout().name)
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_leads_to_its_format_and_back() {
        for layout in &LAYOUTS {
            assert_eq!(Format::from_word(layout.word), Some(layout.format));
            assert_eq!(layout.format.word(), layout.word);
        }
        assert_eq!(Format::from_word("rails"), None);
    }
}
