//! Views, and what stands on tables: indexes, triggers, rules, policies and statistics.

use std::collections::BTreeSet;

use longshore_migrate::{
    alterer::{Moment, RowCondition},
    files::script::Dialect,
    schema::{DifferenceKind, Facet, ObjectKind, ObjectName},
};

use super::{constraint, order::Stage, rows, work::Work};
use crate::catalog::quoted;

pub(super) fn alter(work: &mut Work<'_>, object: &ObjectName, kinds: &BTreeSet<DifferenceKind>) {
    use DifferenceKind as K;
    let is_view = matches!(object.kind, ObjectKind::View | ObjectKind::MaterializedView);
    if work.alterer.made(object).is_none() {
        return if is_view { work.make_whole(object) } else { work.make(object) };
    }
    let in_place = [K::Comment, K::Options, K::EnabledChanged];
    if kinds.iter().any(|kind| !in_place.contains(kind)) {
        if object.kind == ObjectKind::Index && work.is_large(object.owner()) {
            return rebuild_alone(work, object);
        }
        work.put_object_aside(object);
        return work.make(object);
    }
    if kinds.contains(&K::Options) {
        set_options(work, object);
    }
    if kinds.contains(&K::EnabledChanged) {
        enable(work, object);
    }
}

/// What no migration makes and may go.
pub(super) fn extra(work: &mut Work<'_>, object: &ObjectName) {
    if object.kind.is_constraint() {
        return constraint::drop_only(work, object);
    }
    if object.kind != ObjectKind::Column {
        work.drop(object);
    }
}

fn set_options(work: &mut Work<'_>, object: &ObjectName) {
    let text = |definition: Option<&longshore_migrate::schema::Definition>| {
        definition.and_then(|it| it.facet(Facet::Options)).map(str::to_owned)
    };
    let expected = text(work.request.expected.definition(object));
    let found = text(work.alterer.observed.definition(object));
    let subject = format!("{} {}", object.kind.word().to_uppercase(), name(work, object));
    for what in options(expected.as_deref(), found.as_deref()) {
        work.say(Stage::Settings, object, format!("ALTER {subject} {what}"));
    }
}

/// `SET (…)` and `RESET (…)` that make one list of settings of the other.
pub(super) fn options(expected: Option<&str>, found: Option<&str>) -> Vec<String> {
    let listed = |text: Option<&str>| -> Vec<(String, String)> {
        let options = text.unwrap_or_default().split(", ").filter_map(|option| option.split_once('='));
        options.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let (expected, found) = (listed(expected), listed(found));
    let gone = found.iter().filter(|(key, _)| !expected.iter().any(|(other, _)| other == key));
    let gone: Vec<&str> = gone.map(|(key, _)| key.as_str()).collect();
    let new: Vec<String> =
        expected.iter().filter(|one| !found.contains(one)).map(|(key, value)| format!("{key} = '{value}'")).collect();
    let reset = (!gone.is_empty()).then(|| format!("RESET ({})", gone.join(", ")));
    let set = (!new.is_empty()).then(|| format!("SET ({})", new.join(", ")));
    reset.into_iter().chain(set).collect()
}

fn enable(work: &mut Work<'_>, object: &ObjectName) {
    let how = work.request.expected.definition(object).and_then(|it| it.facet(Facet::Enabled));
    let how = match how {
        None => "ENABLE",
        Some("DISABLED") => "DISABLE",
        Some("ENABLED REPLICA") => "ENABLE REPLICA",
        Some(_) => "ENABLE ALWAYS",
    };
    let word = object.kind.word().to_uppercase();
    let sql = format!("ALTER TABLE {} {how} {word} {}", work.sql(object.owner()), quoted(&object.name));
    work.say(Stage::Part, object, sql);
}

/// The object as SQL names it by itself.
pub(super) fn name(work: &Work<'_>, object: &ObjectName) -> String {
    match object.kind {
        ObjectKind::Index => work.place(object.owner()).0 + &quoted(&object.name),
        // An own schema of theirs is in their statement alone.
        ObjectKind::Statistics | ObjectKind::Sequence if object.table.is_some() => {
            work.statement(object).map_or_else(|| quoted(&object.name), |sql| third_word(&sql))
        }
        ObjectKind::Function => {
            let (schema, _) = work.alterer.names.split(&object.name);
            let signature = work.alterer.names.split(&object.name).1;
            format!("{schema}{signature}")
        }
        ObjectKind::Namespace => quoted(&object.name),
        _ => work.sql(&object.name),
    }
}

/// `CREATE STATISTICS schema.name` and its like.
fn third_word(sql: &str) -> String {
    let words = Dialect::Postgres.words(sql);
    let is_qualified = words.get(3).is_some_and(|word| word.text == ".");
    words.iter().skip(2).take(if is_qualified { 3 } else { 1 }).map(|word| word.text).collect()
}

pub(super) fn drop_statement(work: &Work<'_>, object: &ObjectName, made: &str) -> String {
    let word = object.kind.word().to_uppercase();
    match object.kind {
        kind if kind.is_constraint() => constraint::drop_statement(made),
        ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => {
            format!("DROP {word} {} ON {}", quoted(&object.name), work.sql(object.owner()))
        }
        ObjectKind::Statistics => format!("DROP STATISTICS {}", third_word(made)),
        ObjectKind::Function => format!("DROP ROUTINE {}", name(work, object)),
        _ => format!("DROP {word} {}", name(work, object)),
    }
}

/// Builds an index of a large table by itself, and says whether it did.
pub(super) fn build_alone(work: &mut Work<'_>, object: &ObjectName, sql: &str) -> bool {
    if !work.is_large(object.owner()) {
        return false;
    }
    // PostgreSQL builds no index of a partitioned table concurrently.
    if !work.is_partitioned(object.owner()) {
        let at = if sql.starts_with("CREATE UNIQUE INDEX ") { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " };
        let concurrent = sql.replacen(at, &format!("{at}CONCURRENTLY "), 1);
        for (at, statement) in concurrent.split(";\n").enumerate() {
            work.say_alone(Moment::After, object, statement.to_owned(), BUILT);
            if at == 0 {
                let conditions = conditions(work, object);
                work.condition_last(conditions);
            }
        }
    }
    true
}

/// What the rows must be for a unique index to be built.
pub(super) fn conditions(work: &Work<'_>, object: &ObjectName) -> Vec<RowCondition> {
    let definition = work.request.expected.definition(object).filter(|it| it.facet(Facet::IndexUnique).is_some());
    let Some(definition) = definition.filter(|_| constraint::can_ask_rows(work, object)) else { return Vec::new() };
    let terms = definition.facet(Facet::IndexColumns).and_then(rows::index_terms);
    let nulls_are_equal = definition.facet(Facet::Terms).is_some_and(|rest| rest.contains("NULLS NOT DISTINCT"));
    let (table, predicate) = (work.sql(object.owner()), definition.facet(Facet::IndexPredicate));
    terms.map(|terms| rows::repeated(&table, &terms, predicate, nulls_are_equal)).into_iter().collect()
}

const BUILT: &str = "the index is built by itself, so that nobody waits";

/// The old index serves until it goes: both steps keep nobody waiting.
fn rebuild_alone(work: &mut Work<'_>, object: &ObjectName) {
    let Some(sql) = work.expected(object).map(str::to_owned).filter(|_| !work.is_partitioned(object.owner())) else {
        return;
    };
    let drop = format!("DROP INDEX CONCURRENTLY {}", name(work, object));
    work.say_alone(Moment::After, object, drop, BUILT);
    build_alone(work, object, &sql);
}

/// The owner and the rights of a view that was made anew.
pub(super) fn give_rights_back(work: &mut Work<'_>, object: &ObjectName) {
    if !matches!(object.kind, ObjectKind::View | ObjectKind::MaterializedView) {
        return;
    }
    let Some(fact) = work.alterer.facts.get(&object.name).cloned() else { return };
    for grant in fact.grants {
        work.say(Stage::View, object, grant);
    }
    if let Some(owner) = fact.owner {
        let word = object.kind.word().to_uppercase();
        let sql = format!("ALTER {word} {} OWNER TO {owner}", work.sql(&object.name));
        work.say(Stage::View, object, sql);
    }
}

pub(super) fn comment(work: &mut Work<'_>, object: &ObjectName) {
    let text = work.request.expected.definition(object).and_then(|it| it.facet(Facet::Comment)).unwrap_or("NULL");
    let text = text.to_owned();
    let word = object.kind.word().to_uppercase();
    let subject = match object.kind {
        ObjectKind::Column => format!("COLUMN {}.{}", work.sql(object.owner()), quoted(&object.name)),
        ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => {
            format!("{word} {} ON {}", quoted(&object.name), work.sql(object.owner()))
        }
        ObjectKind::Function => format!("ROUTINE {}", name(work, object)),
        kind if kind.is_constraint() => {
            let Some(made) = work.alterer.made(object) else { return };
            let Some(own_name) = constraint::name_in(made) else { return };
            let on = if made.starts_with("ALTER DOMAIN") { "DOMAIN " } else { "" };
            format!("CONSTRAINT {} ON {on}{}", quoted(&own_name), work.sql(object.owner()))
        }
        _ => format!("{word} {}", name(work, object)),
    };
    work.say(Stage::Comment, object, format!("COMMENT ON {subject} IS {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_set_and_reset_one_by_one() {
        assert_eq!(options(Some("a=1, b=2"), Some("a=1, c=3")), ["RESET (c)", "SET (b = '2')"]);
        assert_eq!(options(None, Some("c=3")), ["RESET (c)"]);
        assert_eq!(options(Some("fillfactor=70"), Some("fillfactor=60")), ["SET (fillfactor = '70')"]);
    }
}
