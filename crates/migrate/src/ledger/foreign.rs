//! Ledgers of other tools: recognised by table and columns, read, offered to `baseline`, never written.

use serde::Serialize;

/// A tool whose ledger is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tool {
    /// sqlx.
    Sqlx,
    /// refinery.
    Refinery,
    /// diesel.
    Diesel,
    /// dbmate, whose table Rails shares.
    Dbmate,
    /// goose.
    Goose,
    /// golang-migrate.
    GolangMigrate,
    /// Alembic.
    Alembic,
    /// Django.
    Django,
    /// Flyway.
    Flyway,
    /// sea-orm.
    SeaOrm,
    /// yoyo.
    Yoyo,
    /// Some other tool with a `schema_migrations` of its own.
    Unknown,
}

/// Table, columns, tool; the first that fits counts.
const LEDGERS: [(&str, &[&str], Option<Tool>); 13] = [
    ("_sqlx_migrations", &["version", "success"], Some(Tool::Sqlx)),
    ("refinery_schema_history", &["version"], Some(Tool::Refinery)),
    ("__diesel_schema_migrations", &["version"], Some(Tool::Diesel)),
    ("goose_db_version", &["version_id", "is_applied"], Some(Tool::Goose)),
    ("alembic_version", &["version_num"], Some(Tool::Alembic)),
    ("django_migrations", &["app", "name"], Some(Tool::Django)),
    ("flyway_schema_history", &["version", "success"], Some(Tool::Flyway)),
    ("seaql_migrations", &["version"], Some(Tool::SeaOrm)),
    ("_yoyo_migration", &["migration_id"], Some(Tool::Yoyo)),
    // Longshore's own.
    ("schema_migrations", &["migration_number"], None),
    ("schema_migrations", &["version", "dirty"], Some(Tool::GolangMigrate)),
    ("schema_migrations", &["version"], Some(Tool::Dbmate)),
    ("schema_migrations", &[], Some(Tool::Unknown)),
];

impl Tool {
    /// The tool's own name.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Sqlx => "sqlx",
            Self::Refinery => "refinery",
            Self::Diesel => "diesel",
            Self::Dbmate => "dbmate",
            Self::Goose => "goose",
            Self::GolangMigrate => "golang-migrate",
            Self::Alembic => "Alembic",
            Self::Django => "Django",
            Self::Flyway => "Flyway",
            Self::SeaOrm => "sea-orm",
            Self::Yoyo => "yoyo",
            Self::Unknown => "another tool",
        }
    }

    /// Whose table this is by its name and columns; `None` for a table that is not a ledger of another tool.
    pub fn recognise(table: &str, columns: &[String]) -> Option<Self> {
        let has = |name: &&str| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        let mut named = LEDGERS.iter().filter(|(name, ..)| name.eq_ignore_ascii_case(table));
        named.find(|(_, wanted, _)| wanted.iter().all(has)).and_then(|(.., tool)| *tool)
    }

    /// Whether the ledger of some tool has that name, so that a look at its columns is worth while.
    pub fn may_be_ledger(table: &str) -> bool {
        LEDGERS.iter().any(|(name, ..)| name.eq_ignore_ascii_case(table))
    }

    /// A query over `table` for the versions that it records as applied, as text, oldest first.
    pub fn query(self, table: &str) -> Option<String> {
        let (column, condition) = match self {
            Self::Sqlx | Self::Flyway => ("version", "success"),
            Self::Refinery | Self::Diesel | Self::Dbmate | Self::SeaOrm => ("version", "1"),
            Self::Goose => ("version_id", "is_applied AND version_id > 0"),
            Self::GolangMigrate => ("version", "NOT dirty"),
            Self::Alembic => ("version_num", "1"),
            Self::Django => ("app || '.' || name", "1"),
            Self::Yoyo => ("migration_id", "1"),
            Self::Unknown => return None,
        };
        Some(format!("SELECT CAST({column} AS TEXT) FROM \"{table}\" WHERE {condition} ORDER BY 1"))
    }
}

/// Another tool's ledger in this database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForeignLedger {
    /// Whose it is.
    pub tool: Tool,
    /// Its table.
    pub table: String,
    /// The versions that it records as applied, as written there.
    pub versions: Vec<String>,
}

impl ForeignLedger {
    /// The greatest version that is a number, up to its name if it has one: what `baseline` is offered. An Alembic
    /// revision that merely begins with digits is none.
    pub fn last_number(&self) -> Option<i64> {
        let number = |version: &String| {
            let (digits, _name) = version.split_once('_').unwrap_or((version, ""));
            digits.parse::<i64>().ok().filter(|number| *number >= 0)
        };
        self.versions.iter().filter_map(number).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledgers_are_told_by_table_and_columns() {
        let table: [(&str, &[&str], Option<Tool>); 12] = [
            ("_sqlx_migrations", &["version", "description", "installed_on", "success", "checksum"], Some(Tool::Sqlx)),
            ("refinery_schema_history", &["version", "name", "applied_on", "checksum"], Some(Tool::Refinery)),
            ("__diesel_schema_migrations", &["version", "run_on"], Some(Tool::Diesel)),
            ("schema_migrations", &["version"], Some(Tool::Dbmate)),
            ("schema_migrations", &["version", "dirty"], Some(Tool::GolangMigrate)),
            ("goose_db_version", &["id", "version_id", "is_applied", "tstamp"], Some(Tool::Goose)),
            ("alembic_version", &["version_num"], Some(Tool::Alembic)),
            ("django_migrations", &["id", "app", "name", "applied"], Some(Tool::Django)),
            ("schema_migrations", &["id", "filename"], Some(Tool::Unknown)),
            ("schema_migrations", &["id", "migration_number", "migration_name"], None),
            ("job_queue", &["id", "version"], None),
            ("_sqlx_migrations", &["id"], None),
        ];
        for (name, columns, tool) in table {
            let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
            assert_eq!(Tool::recognise(name, &columns), tool, "{name} {columns:?}");
        }
    }

    #[test]
    fn the_last_number_is_read_out_of_versions_with_names() {
        let ledger = |versions: &[&str]| ForeignLedger {
            tool: Tool::Diesel,
            table: String::new(),
            versions: versions.iter().map(|version| (*version).to_owned()).collect(),
        };
        assert_eq!(ledger(&["20250101000000", "20250102000000"]).last_number(), Some(20_250_102_000_000));
        assert_eq!(ledger(&["m0001_a", "deadbeef", "12ab"]).last_number(), None);
    }
}
