use std::collections::BTreeMap;

use longshore_core::{AppliedLimits, ApplyLimits, ChangeLimit, KeyPointer, LimitRule, LimitSubject};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::limits::sorting::sort;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// How many lanes of an earlier key a change closes. Those behind them cost each claim a look until they are settled.
const CLOSED_MAX: u32 = 100_000;

/// Applies the rules of a program.
pub(crate) struct Apply {
    pub(crate) request: ApplyLimits,
}

/// Sets or unsets a rule by hand.
pub(crate) struct Change {
    pub(crate) request: ChangeLimit,
}

/// The rules of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(super) configured: Option<String>,
    pub(super) manual: Option<String>,
}

impl Rules {
    pub(crate) fn read(connection: &Connection, subject: &LimitSubject) -> rusqlite::Result<Self> {
        let (scope, name) = words(subject);
        let read = connection
            .prepare_cached(include_str!("../sql/limits/select_limit.sql"))?
            .query_row([scope, name], |row| {
                Ok(Self { configured: column::optional_text(row, 1)?, manual: column::optional_text(row, 2)? })
            })
            .optional()?;
        Ok(read.unwrap_or_default())
    }

    /// The rule in force.
    fn in_force(&self) -> LimitRule {
        let document = self.manual.as_deref().or(self.configured.as_deref());
        document.map(LimitRule::from_document).unwrap_or_default()
    }
}

impl Work for Apply {
    type Answer = AppliedLimits;
    const DOING: &'static str = "applying limits";

    fn rows(&self) -> usize {
        self.request.rules.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<AppliedLimits, Fault> {
        let (applied, changes) = compare(tx.connection, &self.request)?;
        for (subject, rules) in changes {
            write(tx, subject, &rules)?;
        }
        if !applied.changed.is_empty() {
            finish(tx)?;
        }
        Ok(applied)
    }
}

impl Work for Change {
    type Answer = bool;
    const DOING: &'static str = "changing a limit";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        let ChangeLimit { subject, rule } = &self.request;
        let before = Rules::read(tx.connection, subject)?;
        let rules = match rule {
            Some(rule) => Rules { manual: document(rule), configured: before.configured.clone() },
            None if before.manual.is_some() => Rules { manual: None, configured: before.configured.clone() },
            None => Rules::default(),
        };
        if rules == before {
            return Ok(false);
        }
        write(tx, subject, &rules)?;
        finish(tx)?;
        Ok(true)
    }
}

/// What applying would do. Only reads.
pub(crate) fn applied(connection: &Connection, request: &ApplyLimits) -> rusqlite::Result<AppliedLimits> {
    compare(connection, request).map(|(applied, _)| applied)
}

/// The subjects whose configured rule differs, with their new rules.
type Changes<'r> = Vec<(&'r LimitSubject, Rules)>;

fn compare<'r>(connection: &Connection, request: &'r ApplyLimits) -> rusqlite::Result<(AppliedLimits, Changes<'r>)> {
    let (mut applied, mut changes) = (AppliedLimits::default(), Vec::new());
    // Of several for one subject the last one counts.
    let by_subject: BTreeMap<&LimitSubject, Option<&LimitRule>> =
        request.rules.iter().map(|(subject, rule)| (subject, rule.as_ref())).collect();
    for (subject, rule) in by_subject {
        let before = Rules::read(connection, subject)?;
        let rules = Rules { configured: rule.and_then(document), manual: before.manual.clone() };
        if rules.manual.is_some() && rules.manual != rules.configured {
            applied.overridden.push(subject.clone());
        }
        if rules.configured != before.configured {
            applied.changed.push(subject.clone());
            changes.push((subject, rules));
        }
    }
    Ok((applied, changes))
}

/// Writes the rules of a subject. Jobs of a type that run count under its new rule at once.
pub(super) fn write(tx: &mut WriteTx<'_, '_>, subject: &LimitSubject, rules: &Rules) -> Result<(), Fault> {
    let (scope, name) = words(subject);
    let rule = rules.in_force();
    let has_lanes = scope == TYPE && !rule.is_empty();
    let key_paths = rule.key.as_ref().filter(|_| has_lanes).map(paths);
    let keys_before = tx.limits.set().of_type(name).map(|limit| limit.key_revision);
    tx.connection.prepare_cached(include_str!("../sql/limits/upsert_limit.sql"))?.execute(params![
        scope,
        name,
        rules.configured,
        rules.manual,
        has_lanes,
        key_paths
    ])?;
    if scope == QUEUE && *rules == Rules::default() {
        tx.connection.prepare_cached(include_str!("../sql/limits/delete_queue_limit.sql"))?.execute([name])?;
    }
    // The triggers must be there before the running jobs get their lanes.
    tx.limits.refresh_within(tx.connection)?;
    if scope == TYPE {
        change_keys(tx, name, keys_before)?;
    }
    Ok(())
}

/// If the jobs of a type have other keys now: those that run count under them at once, and no lane of an earlier key gives a
/// job any more. Those that wait are sorted later, by claims and housekeeping.
fn change_keys(tx: &mut WriteTx<'_, '_>, job_type: &str, before: Option<i64>) -> Result<(), Fault> {
    let set = tx.limits.set();
    let Some(limit) = set.of_type(job_type).filter(|limit| before != Some(limit.key_revision)) else { return Ok(()) };
    tx.connection.prepare_cached(include_str!("../sql/limits/close_stale_lanes.sql"))?.execute(params![
        job_type,
        limit.key_revision,
        CLOSED_MAX
    ])?;
    let running = tx
        .connection
        .prepare_cached(include_str!("../sql/limits/select_running_of_type.sql"))?
        .query_map([job_type], |row| column::id(row, 0))?
        .collect::<Result<Vec<_>, _>>()?;
    sort(tx, &running)
}

/// Every store reads the rules again, because the schema version has changed, and no offer holds any more.
pub(super) fn finish(tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
    move_schema_version(tx.connection)?;
    tx.limits.refresh_within(tx.connection)?;
    tx.offers.borrow_mut().end();
    tx.wake_all();
    Ok(())
}

/// A view that comes and goes changes SQLite's schema version.
pub(crate) fn move_schema_version(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("CREATE VIEW longshore_limits_moved AS SELECT 1; DROP VIEW longshore_limits_moved")
}

pub(super) const QUEUE: &str = "queue";
const TYPE: &str = "type";

pub(crate) const fn words(subject: &LimitSubject) -> (&str, &str) {
    match subject {
        LimitSubject::Queue(name) => (QUEUE, name.as_str()),
        LimitSubject::Type(name) => (TYPE, name.as_str()),
    }
}

/// The rule as it is stored; none if it limits nothing.
pub(crate) fn document(rule: &LimitRule) -> Option<String> {
    (!rule.is_empty()).then(|| rule.to_document())
}

/// The paths of SQLite that a pointer may mean, as a JSON array: a number is the name of a member or a place in an array.
fn paths(pointer: &KeyPointer) -> String {
    let mut paths = vec!["$".to_owned()];
    for part in pointer.parts() {
        let is_place = part == "0" || !part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_place = is_place && !part.is_empty();
        let by_name = paths.iter().map(|path| format!("{path}.\"{part}\""));
        let by_place = paths.iter().filter(|_| is_place).map(|path| format!("{path}[{part}]"));
        paths = by_name.chain(by_place).collect();
    }
    serde_json::to_string(&paths).expect("texts are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_a_pointer_is_a_name_or_a_place() {
        let of = |pointer: &str| paths(&pointer.parse().unwrap());
        assert_eq!(of("/tenant_id"), r#"["$.\"tenant_id\""]"#);
        assert_eq!(of("/a~1b/c d"), r#"["$.\"a/b\".\"c d\""]"#);
        assert_eq!(of("/a/1"), r#"["$.\"a\".\"1\"","$.\"a\"[1]"]"#);
        assert_eq!(of("/01"), r#"["$.\"01\""]"#);
        assert_eq!(of("/"), r#"["$.\"\""]"#);
    }
}
