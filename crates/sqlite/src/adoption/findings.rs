//! What is said of a table before it is taken over, and what a person has to decide.

use longshore_core::{Priority, RetryPolicy};
use longshore_migrate::{
    adoption::Scene,
    report::finding::{Finding, FindingKind},
    schema::{Difference, DifferenceKind, Facet, ObjectKind, ObjectName, Schema},
};

use super::{COLUMNS, TABLE, ancestor::Ancestor, jobs, rows::Rows};
use crate::migrations;

/// So many differences are named in one sentence.
const NAMED_MAX: usize = 2;
/// So many values are named in one sentence.
const EXAMPLES_MAX: usize = 5;
/// What 003 knows; any other becomes a dead letter whose reason names it.
const STATUSES: [&str; 9] =
    ["pending", "running", "completed", "failed", "cancelled", "retrying", "timeout", "zombie", "dead_letter"];

/// What was found, a sentence each; the first says why the table cannot be used as it is.
pub(super) fn found(table: &Ancestor, rows: &Rows, differing: &[Difference], scene: &Scene<'_>) -> Vec<String> {
    let mut found = Vec::new();
    // The order has a sentence of its own.
    let is_told = |one: &&Difference| one.found.is_some() && one.kind != DifferenceKind::ColumnOrder;
    let other: Vec<&Difference> = differing.iter().filter(is_told).collect();
    if !other.is_empty() {
        let named: Vec<String> = other.iter().take(NAMED_MAX).map(ToString::to_string).collect();
        let more = other.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" (and {more} more differences)") } else { String::new() };
        found.push(format!("it is not as the queue's migrations make it: {}{more}", named.join("; ")));
    }
    if rows.misplaced > 0 {
        found.push(misplaced(rows));
    }
    if let Some(order) = table.other_order() {
        found.push(format!("its columns are in another order: {}", order.join(", ")));
    }
    let states: Vec<String> = rows.statuses.iter().map(|(status, count)| format!("{count} {status}")).collect();
    found.push(format!("it holds {}: {}", jobs(table.rows), states.join(", ")).trim_end_matches(": ").to_owned());
    found.extend(missing_columns(table));
    found.extend(COLUMNS.iter().filter_map(|column| of_default(column, scene)));
    found.extend(rows.statuses.iter().filter_map(of_status));
    if rows.orphans > 0 {
        found.push(format!("{} with a parent that is not there: without one from now on", jobs(rows.orphans)));
    }
    found
}

/// What would lose a value or a meaning, with what is known of it.
pub(super) fn obstacles(rows: &Rows, scene: &Scene<'_>) -> Vec<Finding> {
    let mut obstacles = Vec::new();
    if rows.unusable_ids > 0 {
        let message = format!("{} whose id is not a whole number from 1, or is not unique", jobs(rows.unusable_ids));
        let finding = Finding::new(FindingKind::SchemaDisagrees, "column job_queue.id", message);
        obstacles.push(finding.hint("give these jobs ids of their own, then adopt again"));
    }
    let is_decided = scene.choices.leave_out || scene.choices.by_position && rows.fit_by_position;
    if rows.misplaced > 0 && !is_decided {
        let kind = if rows.fit_by_position { FindingKind::CopiedByPosition } else { FindingKind::MisplacedValues };
        obstacles.push(Finding::new(kind, format!("table {TABLE}"), misplaced(rows)));
    }
    obstacles.extend(taken_names(scene));
    obstacles
}

fn misplaced(rows: &Rows) -> String {
    let examples: Vec<&str> = rows.examples.iter().take(EXAMPLES_MAX).map(String::as_str).collect();
    let what = if rows.fit_by_position { "are in the wrong columns" } else { "do not fit their columns" };
    format!("values {what} in {}: {}", jobs(rows.misplaced), examples.join("; "))
}

fn missing_columns(table: &Ancestor) -> Option<String> {
    let missing: Vec<&str> = COLUMNS.into_iter().filter(|column| !table.has(column)).collect();
    (!missing.is_empty()).then(|| format!("it has no column {}; they are empty at first", missing.join(", ")))
}

/// What a program that leaves a column out gets from now on. Instants are made by the database as before.
fn of_default(column: &str, scene: &Scene<'_>) -> Option<String> {
    let default = |schema: &Schema| {
        let definition = schema.definition(&ObjectName::on(ObjectKind::Column, TABLE, column))?;
        Some(definition.facet(Facet::Default).unwrap_or("none").to_owned())
    };
    let (was, now) = (default(scene.observed)?, default(&scene.chain.last())?);
    let is_told = was != now && !column.ends_with("_at");
    is_told.then(|| {
        let now = of_type(column).unwrap_or(now);
        format!("the default of {column} was {was} and is {now} from now on")
    })
}

/// A column that is left out gets what the settings of its job type say, by the triggers of migration 007.
fn of_type(column: &str) -> Option<String> {
    let otherwise = match column {
        "priority" => Priority::NORMAL.0.to_string(),
        "max_retries" => RetryPolicy::RETRIES.to_string(),
        _ => return None,
    };
    Some(format!("that of its type, else {otherwise},"))
}

fn of_status((status, count): &(String, i64)) -> Option<String> {
    let count = jobs(*count);
    match status.trim().to_lowercase().as_str() {
        "running" | "zombie" => {
            Some(format!("{count} with status {status}: stop the old workers first; these run again"))
        }
        "failed" | "timeout" => {
            Some(format!("{count} with status {status}: dead letters from now on, with their error"))
        }
        known if STATUSES.contains(&known) => None,
        _ => Some(format!(
            "{count} with status {status}, which the queue does not know: dead letters from now on, whose reason names it"
        )),
    }
}

/// A table or view of the application that is called as one of the queue's would stop a migration half way.
fn taken_names(scene: &Scene<'_>) -> Vec<Finding> {
    let own = migrations::TABLES.into_iter().chain(migrations::VIEWS).filter(|name| *name != TABLE);
    let taken = own.filter_map(|name| {
        let kinds = [("table", ObjectName::table(name)), ("view", ObjectName::view(name))];
        kinds.into_iter().find(|(_, object)| scene.observed.contains(object)).map(|(kind, _)| (kind, name))
    });
    let finding = |(kind, name): (&str, &str)| {
        let message = format!("the application has a {kind} of its own with the name of one of the queue's objects");
        let finding = Finding::new(FindingKind::SchemaDisagrees, format!("{kind} {name}"), message);
        finding.hint(format!("rename the {kind} {name}, then adopt again"))
    };
    taken.map(finding).collect()
}
