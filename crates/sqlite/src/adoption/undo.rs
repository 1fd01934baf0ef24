//! Takes an adoption back: the old table with its rows, its indexes and its triggers, as long as no job has run since.

use longshore_migrate::{
    adoption::Return,
    target::{Session, TargetError},
};

use super::{
    FACTS, KEPT_ROWS, RETURNED_ROWS, TABLE, digest, facts, has_table, jobs, last_adopted, number, quoted, text,
};
use crate::migrations;

/// What is carried back of a job that was enqueued since, as far as the old table has the column.
const CARRIED: [&str; 9] = [
    "id",
    "job_type",
    "job_data",
    "status",
    "priority",
    "created_at",
    "max_retries",
    "timeout_seconds",
    "parent_job_id",
];

pub(super) fn plan(session: &mut dyn Session) -> Result<Return, TargetError> {
    let last = last_adopted(session)?;
    let mut back = Return {
        table: TABLE.to_owned(),
        tables: migrations::TABLES.into_iter().chain(migrations::VIEWS).map(str::to_owned).collect(),
        shared: shared(session)?,
        ..Return::default()
    };
    if !has_table(session, TABLE)? {
        back.obstacles.push(format!("the table {TABLE} is not there any more"));
        return Ok(back);
    }
    back.obstacles = obstacles(session, last)?;
    let count = |query: String, session: &mut dyn Session| -> Result<i64, TargetError> {
        Ok(session.query(&query)?.first().map_or(0, |row| number(row.first())))
    };
    let kept = count(format!("SELECT count(*) FROM {KEPT_ROWS}"), session)?;
    let new = count(format!("SELECT count(*) FROM {TABLE} WHERE id > {last}"), session)?;
    back.found.push(format!("{} as before the adoption", jobs(kept)));
    if new > 0 {
        back.found.push(format!("{} enqueued since, which come along", jobs(new)));
    }
    back.statements = statements(session, last)?;
    Ok(back)
}

fn obstacles(session: &mut dyn Session, last: i64) -> Result<Vec<String>, TargetError> {
    let mut obstacles = Vec::new();
    let mut named = |session: &mut dyn Session, condition: &str, what: &str| -> Result<bool, TargetError> {
        let found = session.query(&format!(
            "SELECT (SELECT count(*) FROM {TABLE} WHERE {condition}), id FROM {TABLE} WHERE {condition} ORDER BY id LIMIT 5"
        ))?;
        if let Some(first) = found.first() {
            let ids: Vec<String> = found.iter().filter_map(|row| text(row.get(1))).collect();
            obstacles.push(format!("{} {what} (id {})", jobs(number(first.first())), ids.join(", ")));
        }
        Ok(!found.is_empty())
    };
    let have_run = named(session, "claim_number > 0", "already started")?;
    let cannot_return = format!(
        "id > {last} AND claim_number = 0 AND (status <> 'pending' OR queue <> 'default' OR run_at IS NOT NULL
         OR unique_key IS NOT NULL OR metadata IS NOT NULL OR expires_at IS NOT NULL OR deadline_at IS NOT NULL)"
    );
    named(
        session,
        &cannot_return,
        "enqueued since cannot be stored in the old table, because of its queue, time or state",
    )?;
    let attempts = session.query("SELECT count(*) FROM job_attempts WHERE claim_number > 0")?;
    if !have_run && attempts.first().is_some_and(|row| number(row.first()) > 0) {
        obstacles.push("jobs already started".to_owned());
    }
    let sealed = facts(session, "digest")?.into_iter().next().and_then(|(_, text)| text);
    if obstacles.is_empty() && sealed != Some(digest(session)?) {
        obstacles.push("adopted jobs were changed or removed since".to_owned());
    }
    Ok(obstacles)
}

fn statements(session: &mut dyn Session, last: i64) -> Result<Vec<String>, TargetError> {
    let columns: Vec<String> = facts(session, "column")?.into_iter().map(|(name, _)| name).collect();
    let carried: Vec<&str> = CARRIED.into_iter().filter(|name| columns.iter().any(|column| column == name)).collect();
    let value = |name: &&str| match *name {
        "created_at" => "strftime('%Y-%m-%d %H:%M:%S', created_at / 1000.0, 'unixepoch') AS created_at".to_owned(),
        name => name.to_owned(),
    };
    let values: Vec<String> = carried.iter().map(value).collect();
    let sequence = session.query(&format!(
        "SELECT max(CAST(seq AS INTEGER)) FROM sqlite_sequence WHERE name = '{TABLE}' COLLATE NOCASE"
    ))?;
    let sequence = sequence.first().map_or(0, |row| number(row.first()));
    let mut statements =
        vec![format!("CREATE TABLE {RETURNED_ROWS} AS SELECT {} FROM {TABLE} WHERE id > {last}", values.join(", "))];
    let rest = migrations::TABLES.into_iter().filter(|table| *table != TABLE);
    statements.extend([TABLE].into_iter().chain(rest).map(|table| format!("DROP TABLE IF EXISTS {table}")));
    let table = old(session, "table")?;
    let counts = table.iter().any(|sql| sql.to_lowercase().contains("autoincrement"));
    statements.extend(table);
    let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let columns = columns.join(", ");
    statements.push(format!("INSERT INTO {TABLE} ({columns}) SELECT {columns} FROM {KEPT_ROWS} ORDER BY rowid"));
    let carried = carried.join(", ");
    statements.push(format!("INSERT INTO {TABLE} ({carried}) SELECT {carried} FROM {RETURNED_ROWS} ORDER BY id"));
    if counts {
        statements.push(format!("DELETE FROM sqlite_sequence WHERE name = '{TABLE}' COLLATE NOCASE"));
        // The sequence is found by the name just as the table's own statement writes it.
        statements.push(format!(
            "INSERT INTO sqlite_sequence (name, seq) SELECT name, {sequence} FROM sqlite_schema
             WHERE type = 'table' AND name = '{TABLE}' COLLATE NOCASE"
        ));
    }
    statements.extend(old(session, "index")?);
    statements.extend(old(session, "trigger")?);
    statements.extend([RETURNED_ROWS, KEPT_ROWS, FACTS].map(|table| format!("DROP TABLE {table}")));
    Ok(statements)
}

fn old(session: &mut dyn Session, kind: &str) -> Result<Vec<String>, TargetError> {
    Ok(facts(session, kind)?.into_iter().filter_map(|(_, sql)| sql).collect())
}

/// The rows of the other manager's ledger as they were.
fn shared(session: &mut dyn Session) -> Result<Vec<(i64, Option<String>)>, TargetError> {
    let mut shared = Vec::new();
    for kind in ["shared", "absent"] {
        let rows = facts(session, kind)?;
        shared.extend(rows.into_iter().filter_map(|(number, text)| Some((number.parse().ok()?, text))));
    }
    Ok(shared)
}
