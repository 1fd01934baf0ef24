//! The application in which the incident happened, today: its job table is taken over, and its own migration manager
//! goes on beside the queue. `manager.py` is that manager; it runs before, between and after.

mod ancestors;
mod founding;
mod other_managers;

use std::process::Command;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::sandbox::{Ran, Sandbox};

const FOUNDING: &str = include_str!("../../../migrate-sqlite/tests/data/founding.sql");
const INCIDENT: &str = include_str!("../../../migrate-sqlite/tests/data/incident.sql");
const MANAGER: &str = include_str!("../data/manager.py");
/// Every type of the two databases; each job succeeds, and says so.
const CONFIG: &str = r#"
[jobs.library_scan]
run = ["echo", "scanned"]
[jobs.channel_download]
run = ["echo", "downloaded"]
[jobs.metadata_extraction]
run = ["echo", "extracted"]
[jobs.database_backup]
run = ["echo", "backed up"]
[jobs.file_cleanup]
run = ["echo", "cleaned"]
"#;

/// One database, with its manager and a worker's configuration beside it.
struct Harbour {
    sandbox: Sandbox,
}

/// Everything that is in a database, apart from what an adoption keeps for itself.
type Content = (Vec<String>, Vec<(String, Vec<Vec<Value>>)>);

impl Harbour {
    fn with(sql: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("manager.py", MANAGER);
        sandbox.write("longshore.toml", CONFIG);
        let harbour = Self { sandbox };
        harbour.execute(sql);
        harbour
    }

    fn connection(&self) -> Connection {
        Connection::open(self.sandbox.path("longshore.db")).unwrap()
    }

    fn execute(&self, sql: &str) {
        let connection = self.connection();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.sandbox.run(arguments)
    }

    fn adopt(&self, flags: &[&str]) -> Ran {
        self.run(&[&["adopt", "--reason", "the queue takes over"], flags].concat())
    }

    /// What the other manager prints.
    fn manager(&self, arguments: &[&str]) -> String {
        let mut program = Command::new("python3");
        program.arg(self.sandbox.path("manager.py")).arg(self.sandbox.path("longshore.db")).args(arguments);
        let output = program.output().expect("python3 is there; test.sh installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// One row with bars between its values.
    fn rows(&self, query: &str) -> Vec<String> {
        let text = |value: Value| match value {
            Value::Null => "NULL".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Text(text) => text,
            Value::Blob(bytes) => format!("{bytes:?}"),
        };
        let rows = self.values(query).into_iter();
        rows.map(|row| row.into_iter().map(text).collect::<Vec<_>>().join("|")).collect()
    }

    fn values(&self, query: &str) -> Vec<Vec<Value>> {
        let connection = self.connection();
        let mut prepared = connection.prepare(query).unwrap();
        let columns = prepared.column_count();
        let rows = prepared.query_map([], |row| (0..columns).map(|at| row.get(at)).collect()).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// The definitions and the rows of the application's tables and of the job table; `tracks` and the ledger are the
    /// other manager's, which goes on to change them.
    fn content(&self) -> Content {
        let theirs = "'tracks', 'schema_migrations', 'sqlite_sequence'";
        let schema = format!(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'longshore%' AND tbl_name NOT IN ({theirs}) ORDER BY 1"
        );
        let tables = format!(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'longshore%' AND name NOT IN ({theirs}) ORDER BY 1"
        );
        let rows = |name: String| {
            let mut rows = self.values(&format!("SELECT * FROM \"{name}\""));
            rows.sort_by_cached_key(|row| format!("{row:?}"));
            (name, rows)
        };
        let mut tables: Vec<_> = self.rows(&tables).into_iter().map(rows).collect();
        let sequence = "SELECT lower(name), seq FROM sqlite_sequence WHERE lower(name) = 'job_queue'";
        tables.push(("sequence".to_owned(), self.values(sequence)));
        (self.rows(&schema), tables)
    }
}

/// The numbers that the other manager must print: those from before, and those that it ran since.
fn with_numbers(before: &str, more: &[i64]) -> String {
    let listed = before.trim_matches(['[', ']']);
    let mut numbers: Vec<i64> =
        listed.split(", ").filter(|word| !word.is_empty()).map(|word| word.parse().unwrap()).collect();
    numbers.extend(more);
    numbers.sort_unstable();
    numbers.dedup();
    format!("[{}]", numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}
