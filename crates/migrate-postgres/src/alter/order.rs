use longshore_migrate::{
    files::script::Dialect,
    schema::{ObjectKind, ObjectName},
};

/// In which order the statements of a repair run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// What keeps the next ones from being dropped.
    First,
    Aside,
    /// Columns that are computed anew.
    Dropped,
    Namespace,
    Type,
    Sequence,
    Function,
    Table,
    NewColumn,
    Column,
    /// Those that are computed from other columns.
    Computed,
    Settings,
    ReadingFunction,
    Constraint,
    View,
    LateFunction,
    Index,
    ForeignKey,
    Part,
    Comment,
    Validation,
}

/// Where the statement that makes an object has its place.
pub(super) fn stage(object: &ObjectName, sql: &str) -> Stage {
    match object.kind {
        ObjectKind::Namespace => Stage::Namespace,
        ObjectKind::Type | ObjectKind::Domain => Stage::Type,
        ObjectKind::Sequence => Stage::Sequence,
        ObjectKind::Function => function_stage(sql),
        ObjectKind::Table => Stage::Table,
        ObjectKind::Column => Stage::Column,
        ObjectKind::View | ObjectKind::MaterializedView => Stage::View,
        ObjectKind::Index => Stage::Index,
        ObjectKind::ForeignKey => Stage::ForeignKey,
        ObjectKind::Unique | ObjectKind::Check | ObjectKind::Exclusion => Stage::Constraint,
        _ => Stage::Part,
    }
}

/// A function in SQL is looked at when it is made, and may read tables; an aggregate wants its functions.
fn function_stage(sql: &str) -> Stage {
    let words = Dialect::Postgres.words(sql);
    let is_aggregate = words.iter().take(4).any(|word| word.is("aggregate"));
    let reads = ["from", "join", "into", "update"].iter().any(|word| sql.to_lowercase().contains(&format!("{word} ")));
    let is_sql = words.windows(2).any(|pair| pair[0].is("language") && pair[1].is("sql"));
    if is_aggregate || is_sql && reads { Stage::ReadingFunction } else { Stage::Function }
}

/// Views behind those that they read, by their words.
pub(super) fn views_in_order(mut views: Vec<(ObjectName, String)>) -> Vec<(ObjectName, String)> {
    let mut ordered: Vec<(ObjectName, String)> = Vec::new();
    while !views.is_empty() {
        let base = |object: &ObjectName| object.name.rsplit('.').next().unwrap_or_default().to_owned();
        let bases: Vec<String> = views.iter().map(|(object, _)| base(object)).collect();
        let reads_another = |at: usize| {
            let names: Vec<String> =
                Dialect::Postgres.words(&views[at].1).iter().map(|word| Dialect::Postgres.name(word)).collect();
            bases.iter().enumerate().any(|(other, base)| other != at && names.contains(base))
        };
        // Two that name each other do so by a column; then any order is as good.
        let next = (0..views.len()).find(|at| !reads_another(*at)).unwrap_or_default();
        ordered.push(views.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_comes_behind_those_that_it_reads() {
        let view = |name: &str, sql: &str| (ObjectName::view(name), sql.to_owned());
        let views = vec![view("a", "CREATE VIEW a AS SELECT * FROM public.b"), view("b", "CREATE VIEW b AS SELECT 1")];
        let ordered: Vec<String> = views_in_order(views).into_iter().map(|(object, _)| object.name).collect();
        assert_eq!(ordered, ["b", "a"]);
    }

    #[test]
    fn a_function_that_reads_tables_comes_behind_them() {
        for (sql, expected) in [
            ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$", Stage::Function),
            (
                "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT a FROM t $$",
                Stage::ReadingFunction,
            ),
            ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN END $$", Stage::Function),
            ("CREATE OR REPLACE AGGREGATE g(int) (SFUNC = f)", Stage::ReadingFunction),
        ] {
            assert_eq!(function_stage(sql), expected, "{sql}");
        }
    }
}
