//! The plan of an adoption: what was found, what is done with it, and the statements that do it.

use longshore_migrate::{
    adoption::{Scene, Takeover},
    execution::replay::Link,
    files::script::Statement,
    files::source::LONGSHORE,
    ledger::{Form, Row},
    report::finding::{Finding, FindingKind},
    report::{RepairAction, RepairStep},
    schema::{Difference, ObjectKind, ObjectName, Schema, differences},
    target::{Rebuild, Session, TargetError},
};

use super::{
    COLUMNS, FACTS, KEPT_ROWS, REQUIRED, TABLE, VERSION,
    ancestor::Ancestor,
    fact,
    findings::{found, obstacles},
    parts::Parts,
    quoted,
    reading::Reading,
    rows::Rows,
    shape::with_items,
};
use crate::migrations;

pub(super) fn plan(session: &mut dyn Session, scene: &Scene<'_>) -> Result<Takeover, TargetError> {
    let base = Takeover { table: TABLE.to_owned(), version: VERSION, ..Takeover::default() };
    let Some(table) = Ancestor::read(session)? else {
        return Ok(base);
    };
    let missing: Vec<&str> = REQUIRED.into_iter().filter(|column| !table.has(column)).collect();
    if !missing.is_empty() {
        return Ok(no_job_table(base, &missing));
    }
    let rows = Rows::read(session, &table)?;
    let parts = Parts::sort(&table, scene);
    let differing = differing(scene);
    // A CHECK is replaced by those of 003 in any case.
    let is_extra = |one: &Difference| one.expected.is_none() && one.object.kind != ObjectKind::Check;
    let has_extras = differing.iter().any(is_extra);
    let has_own_rows = |row: &Row| row.source.as_deref() == Some(LONGSHORE);
    let is_begun =
        matches!(scene.ledger.form, Form::Current | Form::Combined) && scene.ledger.rows.iter().any(has_own_rows);
    let is_other = differing.iter().any(|one| one.found.is_some());
    let mut takeover = Takeover {
        is_needed: has_extras || rows.misplaced > 0 || rows.unusable_ids > 0 || !is_begun && is_other,
        is_plain: rows.is_plain && rows.unusable_ids == 0,
        found: found(&table, &rows, &differing, scene),
        obstacles: obstacles(&rows, scene),
        ..base
    };
    takeover.steps.push(RepairStep {
        action: RepairAction::TakeOver,
        id: None,
        sql: None,
        why: format!(
            "{TABLE} gets the shape of its migrations with all it holds; the old rows stay in {KEPT_ROWS} for --undo"
        ),
    });
    takeover.statements = statements(&table, &rows, scene);
    takeover.steps[0].sql = Some(takeover.statements.join(";\n"));
    takeover.rebuild = rebuild(&parts, scene);
    takeover.statements_after = parts.statements;
    takeover.steps.extend(parts.steps);
    takeover.obstacles.extend(parts.obstacles);
    Ok(takeover)
}

fn no_job_table(base: Takeover, missing: &[&str]) -> Takeover {
    let missing = missing.join(", ");
    let message = format!("it is not a table of jobs: it has no column {missing}");
    let finding = Finding::new(FindingKind::SchemaDisagrees, format!("table {TABLE}"), message.clone());
    Takeover {
        is_needed: true,
        found: vec![message],
        obstacles: vec![finding.hint("rename it, or use another database for the queue")],
        ..base
    }
}

/// How the table differs from what 001 and 002 make; what is merely missing is left to them.
fn differing(scene: &Scene<'_>) -> Vec<Difference> {
    let is_last = |link: &Link| link.id.source == LONGSHORE && link.id.number == VERSION;
    let at = scene.chain.links().iter().position(is_last);
    let expected = at.map_or_else(Schema::default, |at| scene.chain.after(at + 1));
    let mut found = differences(&expected, scene.observed).differences;
    found.retain(|one| one.object.owner() == TABLE);
    found
}

/// Everything up to the shape of 002: the old rows are kept, the table is made as its migrations make it, and the rows
/// come back.
fn statements(table: &Ancestor, rows: &Rows, scene: &Scene<'_>) -> Vec<String> {
    let every: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let mut statements = vec![
        format!("CREATE TABLE {FACTS} (kind TEXT NOT NULL, name TEXT NOT NULL, text TEXT)"),
        format!("CREATE TABLE {KEPT_ROWS} AS SELECT {} FROM {TABLE} ORDER BY id", every.join(", ")),
        format!("CREATE INDEX {KEPT_ROWS}_id ON {KEPT_ROWS} (id)"),
    ];
    statements.extend(old_definitions(table));
    statements.extend(shared_rows(scene));
    statements.push(format!("DROP TABLE {TABLE}"));
    statements.extend(migrations::statements_up_to(VERSION).into_iter().map(|Statement { text, .. }| text));
    statements.extend(copies(table, rows, scene));
    let sequence = table.sequence;
    statements.push(format!("DELETE FROM sqlite_sequence WHERE name = '{TABLE}'"));
    statements.push(format!("INSERT INTO sqlite_sequence (name, seq) VALUES ('{TABLE}', {sequence})"));
    statements
}

fn old_definitions(table: &Ancestor) -> Vec<String> {
    let mut facts = vec![fact("table", TABLE, Some(&table.sql))];
    facts.extend(table.indexes.iter().map(|index| fact("index", &index.name, Some(&index.sql))));
    facts.extend(table.triggers.iter().map(|trigger| fact("trigger", &trigger.name, Some(&trigger.sql))));
    facts.extend(table.writable().into_iter().map(|column| fact("column", column, None)));
    facts.push(fact("last_id", "", Some(&table.sequence.to_string())));
    facts
}

/// What the other manager's ledger says of 001 and 002, where the adoption may change it.
fn shared_rows(scene: &Scene<'_>) -> Vec<String> {
    let own = || scene.ledger.shared.iter().filter(|row| row.source.as_deref() == Some(LONGSHORE));
    if own().next().is_none() {
        return Vec::new();
    }
    let is_theirs = |number: i64| scene.ledger.theirs.iter().any(|row| row.number == number);
    let state = |number: i64| match own().find(|row| row.number == number) {
        Some(row) if row.is_applied() => None,
        Some(row) => Some(fact("shared", &number.to_string(), row.rolled_back_at.as_deref())),
        None => (!is_theirs(number)).then(|| fact("absent", &number.to_string(), None)),
    };
    (1..=VERSION).filter_map(state).collect()
}

/// Rows that had been copied into another order are read by position, as far as that was decided.
fn copies(table: &Ancestor, rows: &Rows, scene: &Scene<'_>) -> Vec<String> {
    let named = Reading::by_name(table);
    let positional = Reading::by_position(table).filter(|_| scene.choices.by_position && rows.fit_by_position);
    let boundary = rows.last_misplaced;
    match positional {
        Some(positional) => vec![
            copy(&positional, &format!("id <= {boundary}")),
            copy(&named, &format!("id > {boundary} AND {}", named.fits_whole())),
        ],
        None => vec![copy(&named, &named.fits_whole())],
    }
}

fn copy(reading: &Reading, condition: &str) -> String {
    let values: Vec<String> = COLUMNS.iter().map(|column| reading.value(column)).collect();
    format!(
        "INSERT INTO {TABLE} ({}) SELECT {} FROM {KEPT_ROWS} WHERE {condition} ORDER BY id",
        COLUMNS.join(", "),
        values.join(", ")
    )
}

/// The last shape of the table with what the application has added, and the values of that.
fn rebuild(parts: &Parts, scene: &Scene<'_>) -> Option<Rebuild> {
    if parts.items.is_empty() {
        return None;
    }
    let last = scene.chain.links().iter().rposition(|link| link.id.source == LONGSHORE)?;
    let definitions = scene.chain.definitions(last + 1);
    let shape = definitions.get(&ObjectName::table(TABLE))?;
    let value = |(old, new): &(String, String)| {
        let old = quoted(old);
        (new.clone(), format!("(SELECT kept.{old} FROM {KEPT_ROWS} AS kept WHERE kept.id = {}.id)", quoted(TABLE)))
    };
    Some(Rebuild {
        table: TABLE.to_owned(),
        shape: with_items(TABLE, shape, &parts.items),
        values: parts.values.iter().map(value).collect(),
    })
}
