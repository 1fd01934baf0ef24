//! Keys and constraints, each by its own name.

use std::collections::BTreeSet;

use longshore_migrate::{
    alterer::Moment,
    files::script::Dialect,
    report::RepairAction,
    schema::{Difference, DifferenceKind, Facet, ObjectKind, ObjectName},
    target::Definition,
};

use super::{
    PostgresAlterer,
    order::{Stage, stage},
    rows,
    work::{Reach, Work},
};

/// How the primary key of a table is named here, where it is part of its table everywhere else.
const KEY: &str = "PRIMARY KEY";

pub(super) fn key_of(table: &str) -> ObjectName {
    ObjectName::on(ObjectKind::Unique, table, KEY)
}

/// A definition, and that of its primary key where it is a table.
pub(super) fn with_key(made: Definition) -> Vec<Definition> {
    let key = (made.object.kind == ObjectKind::Table).then(|| key_in(&made)).flatten();
    std::iter::once(made).chain(key).collect()
}

fn key_in(made: &Definition) -> Option<Definition> {
    let is_key = |line: &&str| line.starts_with("    CONSTRAINT ") && line.contains(" PRIMARY KEY (");
    let line = made.sql.lines().find(is_key)?.trim().trim_end_matches(',');
    let words = Dialect::Postgres.words(&made.sql);
    let at = words.iter().position(|word| word.is("table"))? + 1;
    let is_qualified = words.get(at + 1)?.text == ".";
    let name: String = words[at..if is_qualified { at + 3 } else { at + 1 }].iter().map(|word| word.text).collect();
    Some(Definition { object: key_of(&made.object.name), sql: format!("ALTER TABLE {name} ADD {line}") })
}

/// Behind `ADD CONSTRAINT`: its name as SQL, and its terms.
fn parts(sql: &str) -> Option<(String, String)> {
    let statement = sql.split(";\nCOMMENT ON CONSTRAINT").next()?;
    let (_, rest) = statement.split_once(" ADD CONSTRAINT ")?;
    let words = Dialect::Postgres.words(rest);
    let name = words.first()?.text.to_owned();
    Some((name.clone(), rest.strip_prefix(&name)?.trim().to_owned()))
}

/// The name of the constraint that a statement adds.
pub(super) fn name_in(sql: &str) -> Option<String> {
    let (name, _) = parts(sql)?;
    Dialect::Postgres.words(&name).first().map(|word| Dialect::Postgres.name(word))
}

/// The constraint of that name.
pub(super) fn named(alterer: &PostgresAlterer, table: &str, name: &str) -> Option<ObjectName> {
    let of_table = alterer.made.iter().filter(|made| made.object.kind.is_constraint() && made.object.owner() == table);
    let mut found = of_table.filter(|made| name_in(&made.sql).as_deref() == Some(name));
    found.next().map(|made| made.object.clone())
}

pub(super) fn drop_statement(sql: &str) -> String {
    let (head, _) = sql.split_once(" ADD CONSTRAINT ").unwrap_or((sql, ""));
    let (name, _) = parts(sql).unwrap_or_default();
    format!("{head} DROP CONSTRAINT {name}")
}

pub(super) fn alter(work: &mut Work<'_>, object: &ObjectName, kinds: &BTreeSet<DifferenceKind>) {
    use DifferenceKind as K;
    // The constraint that is there in its place has another name in the meaning.
    drop_surplus(work, object);
    let Some(expected) = work.expected(object).map(str::to_owned) else { return };
    let is_there = work.alterer.made(object).is_some();
    let only = |kind: K| kinds.iter().all(|one| *one == kind || *one == K::Comment);
    if is_there && only(K::Comment) {
        return;
    }
    if is_there && only(K::Validity) && !expected.ends_with(" NOT VALID") {
        return validate(work, object, &expected);
    }
    if !is_there && can_wait(work, object, &expected) || is_there && !work.is_large(object.owner()) {
        if is_there {
            work.put_object_aside(object);
        }
        work.make(object);
    }
}

/// Whether the constraint can be added to a large table without keeping others waiting.
fn can_wait(work: &Work<'_>, object: &ObjectName, sql: &str) -> bool {
    !work.is_large(object.owner())
        || matches!(object.kind, ObjectKind::Check | ObjectKind::ForeignKey)
        || !work.is_partitioned(object.owner()) && parts(sql).is_some_and(|(_, terms)| of_index(&terms).is_some())
}

/// Constraints of the same kind that no migration makes.
fn drop_surplus(work: &mut Work<'_>, object: &ObjectName) {
    let differs = |one: &&Difference| one.object == *object && one.found.is_some();
    if !work.request.differences.iter().any(|one| differs(&one)) {
        return;
    }
    let of_owner = work.alterer.made.iter().map(|made| &made.object);
    let surplus = of_owner.filter(|other| other.kind == object.kind && other.owner() == object.owner());
    let surplus: Vec<ObjectName> = surplus.filter(|other| !is_expected(work, other)).cloned().collect();
    for other in surplus {
        drop_only(work, &other);
    }
}

fn is_expected(work: &Work<'_>, object: &ObjectName) -> bool {
    work.expected(object).is_some()
}

/// Drops a constraint; what stands on it is made again, which fails where it cannot.
pub(super) fn drop_only(work: &mut Work<'_>, object: &ObjectName) {
    if !work.drop(object) {
        return;
    }
    if let Some(name) = work.alterer.made(object).and_then(name_in) {
        let ground = super::edges::Ground::Constraint(object.owner().to_owned(), name);
        work.put_aside(&ground, Reach::Everything);
    }
}

fn validate(work: &mut Work<'_>, object: &ObjectName, sql: &str) {
    let made = work.alterer.made(object).unwrap_or(sql).to_owned();
    let Some((name, _)) = parts(&made) else { return };
    let (head, _) = made.split_once(" ADD CONSTRAINT ").unwrap_or((&made, ""));
    let statement = format!("{head} VALIDATE CONSTRAINT {name}");
    let conditions = conditions(work, object);
    if work.is_large(object.owner()) {
        work.say_alone(Moment::After, object, statement, VALIDATED);
        work.condition_last(conditions);
    } else {
        work.say_if(Stage::Validation, object, statement, conditions);
    }
}

const VALIDATED: &str = "the constraint is validated by itself, so that nobody waits";

/// What the rows must be for the constraint to be true of all of them.
fn conditions(work: &Work<'_>, object: &ObjectName) -> Vec<longshore_migrate::alterer::RowCondition> {
    let definition = work.request.expected.definition(object);
    let is_valid = definition.is_some_and(|it| it.facet(Facet::Validity).is_none());
    if !can_ask_rows(work, object) || !(is_valid || object.name == KEY) {
        return Vec::new();
    }
    let table = work.sql(object.owner());
    let columns = if object.name == KEY { key_columns(work, object.owner()) } else { Some(object.name.clone()) };
    // A second constraint of the same name has a number behind it.
    let expression = object.name.strip_suffix(" 2").unwrap_or(&object.name);
    match object.kind {
        ObjectKind::Check => vec![rows::breaking(&table, expression)],
        ObjectKind::ForeignKey => {
            let references = definition.and_then(|it| it.facet(Facet::References)).unwrap_or_default();
            rows::orphans(&table, expression, references).into_iter().collect()
        }
        ObjectKind::Unique => {
            let terms = definition.and_then(|it| it.facet(Facet::Terms)).unwrap_or_default();
            let nulls_are_equal = terms.contains("NULLS NOT DISTINCT");
            if terms.contains("WITHOUT OVERLAPS") {
                return Vec::new();
            }
            columns.map(|columns| rows::duplicates(&table, &columns, nulls_are_equal)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Rows are asked only where the question means the same before and after.
pub(super) fn can_ask_rows(work: &Work<'_>, object: &ObjectName) -> bool {
    let is_other = |one: &Difference| {
        use DifferenceKind as K;
        let of_table = matches!(one.kind, K::ColumnMissing | K::Type | K::Collation | K::Generated);
        let of_all = matches!(one.kind, K::TableMissing | K::TypeMissing | K::DomainMissing | K::FunctionMissing);
        of_all || of_table && (one.object.owner() == object.owner() || object.kind == ObjectKind::ForeignKey)
    };
    let is_table = work.alterer.observed.contains(&ObjectName::table(object.owner()));
    is_table && !work.request.differences.iter().any(is_other)
}

fn key_columns(work: &Work<'_>, table: &str) -> Option<String> {
    let definition = work.request.expected.definition(&ObjectName::table(table))?;
    definition.facet(Facet::PrimaryKey).map(str::to_owned)
}

/// Queues what adds a constraint: at once on a small table, in steps that keep nobody waiting on a large one.
pub(super) fn add(work: &mut Work<'_>, object: &ObjectName, sql: &str) {
    let action = if work.alterer.made(object).is_some() { RepairAction::Replace } else { RepairAction::Add };
    let conditions = if work.alterer.made(object).is_some() { Vec::new() } else { conditions(work, object) };
    let Some((name, terms)) = parts(sql).filter(|_| work.is_large(object.owner())) else {
        return work.queue(stage(object, sql), action, object, sql.to_owned(), conditions);
    };
    let (head, _) = sql.split_once(" ADD CONSTRAINT ").unwrap_or((sql, ""));
    if let Some(index) = of_index(&terms).filter(|_| object.kind == ObjectKind::Unique) {
        let table = work.sql(object.owner());
        let why = "the key is built by itself, so that nobody waits";
        let build = format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} {}", index.terms);
        work.say_alone(Moment::After, object, build, why);
        work.condition_last(conditions);
        let using = format!("{head} ADD CONSTRAINT {name} {} USING INDEX {name}{}", index.kind, index.behind);
        return work.say_alone(Moment::After, object, using, why);
    }
    if terms.ends_with(" NOT VALID") || object.kind == ObjectKind::Exclusion {
        return work.queue(stage(object, sql), action, object, sql.to_owned(), conditions);
    }
    let later = format!("{head} ADD CONSTRAINT {name} {terms} NOT VALID");
    work.queue(stage(object, sql), action, object, later, conditions);
    work.say_alone(Moment::After, object, format!("{head} VALIDATE CONSTRAINT {name}"), VALIDATED);
}

/// A key as the index that is built for it.
struct KeyIndex {
    kind: &'static str,
    terms: String,
    behind: String,
}

fn of_index(terms: &str) -> Option<KeyIndex> {
    if terms.contains("WITHOUT OVERLAPS") {
        return None;
    }
    let (kind, rest) = match terms.strip_prefix(KEY) {
        Some(rest) => (KEY, rest),
        None => ("UNIQUE", terms.strip_prefix("UNIQUE")?),
    };
    let (rest, behind) = rest
        .split_once(" DEFERRABLE")
        .map_or((rest, String::new()), |(rest, tail)| (rest, format!(" DEFERRABLE{tail}")));
    let rest = rest.trim();
    let terms = match rest.strip_prefix("NULLS NOT DISTINCT ") {
        Some(columns) => format!("{columns} NULLS NOT DISTINCT"),
        None => rest.to_owned(),
    };
    terms.starts_with('(').then_some(KeyIndex { kind, terms, behind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_its_table() {
        let sql =
            "CREATE TABLE billing.\"In\" (\n    id integer NOT NULL,\n    CONSTRAINT \"my key\" PRIMARY KEY (id)\n)";
        let made = Definition { object: ObjectName::table("billing.In"), sql: sql.to_owned() };
        let key = with_key(made).pop().unwrap();
        assert_eq!(key.sql, "ALTER TABLE billing.\"In\" ADD CONSTRAINT \"my key\" PRIMARY KEY (id)");
        assert_eq!(name_in(&key.sql).as_deref(), Some("my key"));
        assert_eq!(drop_statement(&key.sql), "ALTER TABLE billing.\"In\" DROP CONSTRAINT \"my key\"");
    }

    #[test]
    fn a_key_says_the_index_that_it_wants() {
        let index = of_index("UNIQUE NULLS NOT DISTINCT (a, b) INCLUDE (c) DEFERRABLE INITIALLY DEFERRED").unwrap();
        assert_eq!(index.terms, "(a, b) INCLUDE (c) NULLS NOT DISTINCT");
        assert_eq!(index.behind, " DEFERRABLE INITIALLY DEFERRED");
        assert_eq!(of_index("PRIMARY KEY (a)").unwrap().kind, "PRIMARY KEY");
        assert!(of_index("PRIMARY KEY (a, b WITHOUT OVERLAPS)").is_none());
    }
}
