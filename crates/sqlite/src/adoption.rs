//! What the queue knows of the ancestors of its own table: job tables that other programs made, and how each becomes
//! the queue's without losing a row, a value or a meaning.

mod ancestor;
mod findings;
mod parts;
mod reading;
mod rows;
mod shape;
mod takeover;
mod undo;

use longshore_migrate::{
    adoption::{Adopter, Return, Scene, Takeover},
    files::checksum::sha256_hex,
    files::source::LONGSHORE,
    ledger::{Form, Row, Witness},
    schema::{Difference, ObjectKind, ObjectName},
    target::{Session, TargetError, Value},
};

/// The table that is taken over.
const TABLE: &str = "job_queue";
/// The old rows, kept for taking the adoption back, and for looking up what a value was.
const KEPT_ROWS: &str = "longshore_adopted_jobs";
/// What is needed beside them: old definitions, and what the application keeps.
const FACTS: &str = "longshore_adoption";
/// Jobs that were enqueued since, while they move back.
const RETURNED_ROWS: &str = "longshore_returned_jobs";

/// The columns of log entry 068 in the order of 001 and 002.
const COLUMNS: [&str; 20] = [
    "id",
    "job_type",
    "job_data",
    "status",
    "priority",
    "created_at",
    "started_at",
    "completed_at",
    "log_file_path",
    "error_message",
    "retry_count",
    "max_retries",
    "worker_id",
    "timeout_seconds",
    "parent_job_id",
    "failure_type",
    "next_retry_at",
    "last_error_traceback",
    "dead_letter_reason",
    "moved_to_dead_letter_at",
];
/// Without these it is no table of jobs.
const REQUIRED: [&str; 4] = ["id", "job_type", "job_data", "status"];
/// The last migration that another program may have run; 003 gives every row its place in the queue.
const VERSION: i64 = 2;

/// Takes over a table `job_queue` of another program.
#[derive(Debug)]
pub(crate) struct QueueAdopter;

impl Adopter for QueueAdopter {
    fn inspect(&self, session: &mut dyn Session, scene: &Scene<'_>) -> Result<Option<Takeover>, TargetError> {
        if !may_be_another_programs(scene) {
            return Ok(None);
        }
        takeover::plan(session, scene).map(Some)
    }

    fn accepted(&self, session: &mut dyn Session) -> Result<Vec<ObjectName>, TargetError> {
        let facts = facts(session, "accepted")?;
        Ok(facts.into_iter().filter_map(|(kind, name)| Some(ObjectName::on(kind_of(&kind)?, TABLE, name?))).collect())
    }

    fn seal(&self, session: &mut dyn Session, added: &[Difference]) -> Result<Vec<String>, TargetError> {
        let mut statements: Vec<String> =
            added.iter().map(|one| fact("accepted", one.object.kind.word(), Some(&one.object.name))).collect();
        statements.push(fact("digest", "", Some(&digest(session)?)));
        Ok(statements)
    }

    fn give_back(&self, session: &mut dyn Session) -> Result<Option<Return>, TargetError> {
        if !has_table(session, FACTS)? || !has_table(session, KEPT_ROWS)? {
            return Ok(None);
        }
        undo::plan(session).map(Some)
    }
}

/// Whether the table is there and nothing says that this program made it.
fn may_be_another_programs(scene: &Scene<'_>) -> bool {
    let Some(columns) = Some(scene.observed.columns(TABLE)).filter(|columns| !columns.is_empty()) else {
        return false;
    };
    let has_own_ledger = matches!(scene.ledger.form, Form::Current | Form::Combined);
    let is_ours = |row: &Row| {
        let is_later = row.number > VERSION && row.is_applied() && row.witness == Witness::Shown;
        let ran_here = row.is_applied() && row.duration_ms.is_some();
        has_own_ledger && row.source.as_deref() == Some(LONGSHORE) && (is_later || ran_here)
    };
    // Columns of 003: whoever has them is the queue, whatever became of its ledger.
    let is_queue = columns.contains(&"claim_number") && columns.contains(&"ready_at");
    !is_queue && !scene.ledger.rows.iter().any(is_ours)
}

fn kind_of(word: &str) -> Option<ObjectKind> {
    use ObjectKind as K;
    [K::Column, K::Unique, K::ForeignKey, K::Check, K::Index, K::Trigger].into_iter().find(|kind| kind.word() == word)
}

/// What tells whether an adopted job was changed since. In pages, because the table may be long.
fn digest(session: &mut dyn Session) -> Result<String, TargetError> {
    let last = last_adopted(session)?;
    let mut digest = String::new();
    let mut after = i64::MIN;
    loop {
        let query = format!(
            "SELECT id, job_type, job_data, status, priority, retry_count, max_retries, timeout_seconds, parent_job_id,
                    queue, run_at, claim_number
             FROM {TABLE} WHERE id > {after} AND id <= {last} ORDER BY id LIMIT 1000"
        );
        let rows = session.query(&query)?;
        let Some(Value::Integer(id)) = rows.last().and_then(|row| row.first()) else {
            return Ok(digest);
        };
        after = *id;
        digest = sha256_hex(format!("{digest}{rows:?}").as_bytes());
    }
}

fn last_adopted(session: &mut dyn Session) -> Result<i64, TargetError> {
    let found = facts(session, "last_id")?;
    Ok(found.first().and_then(|(_, text)| text.as_ref()?.parse().ok()).unwrap_or_default())
}

fn has_table(session: &mut dyn Session, name: &str) -> Result<bool, TargetError> {
    let query = format!("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = {}", literal(name));
    Ok(!session.query(&query)?.is_empty())
}

/// Every fact of a kind: its name and its text.
fn facts(session: &mut dyn Session, kind: &str) -> Result<Vec<(String, Option<String>)>, TargetError> {
    if !has_table(session, FACTS)? {
        return Ok(Vec::new());
    }
    let rows =
        session.query(&format!("SELECT name, text FROM {FACTS} WHERE kind = {} ORDER BY rowid", literal(kind)))?;
    Ok(rows.iter().map(|row| (text(row.first()).unwrap_or_default(), text(row.get(1)))).collect())
}

/// The statement that writes a fact down.
fn fact(kind: &str, name: &str, text: Option<&str>) -> String {
    let text = text.map_or_else(|| "NULL".to_owned(), literal);
    format!("INSERT INTO {FACTS} (kind, name, text) VALUES ({}, {}, {text})", literal(kind), literal(name))
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Blob(bytes) => {
            Some(format!("x'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
        }
        _ => None,
    }
}

fn number(value: Option<&Value>) -> i64 {
    match value {
        Some(Value::Integer(number)) => *number,
        _ => 0,
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `1 job`, `2 jobs`.
fn jobs(count: i64) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}
