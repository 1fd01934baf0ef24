//! One migration as another tool has it, in the order in which that tool runs it.

use std::collections::{BTreeMap, BTreeSet};

use super::adapt::Half;

/// One migration of another tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    /// Its file or directory.
    pub(super) origin: String,
    pub(super) place: Place,
    /// The number in its name, as written, where it has one.
    pub(super) digits: Option<String>,
    pub(super) name: String,
    pub(super) up: Half,
    pub(super) down: Option<Half>,
    /// Names of those that must run before it.
    pub(super) depends: Vec<String>,
}

/// Where it stands among the others: numbers first, then the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(pub(super) Vec<u128>, pub(super) String);

impl Place {
    /// By number, and what has none last.
    pub(super) fn by_number(digits: Option<&str>, name: &str) -> Self {
        Self(vec![digits.and_then(|digits| digits.parse().ok()).unwrap_or(u128::MAX)], name.to_owned())
    }

    /// By name alone.
    pub(super) fn by_name(name: &str) -> Self {
        Self(Vec::new(), name.to_owned())
    }
}

/// In order; where something must run after another it does, and otherwise names decide. The error names what waits
/// for itself or for what is not there.
pub(super) fn ordered(mut migrations: Vec<Foreign>) -> Result<Vec<Foreign>, Vec<String>> {
    migrations.sort_by(|a, b| a.place.cmp(&b.place));
    let mut left: BTreeMap<usize, Foreign> = migrations.into_iter().enumerate().collect();
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut found = Vec::new();
    while !left.is_empty() {
        let is_ready = |migration: &Foreign| migration.depends.iter().all(|name| done.contains(name));
        let Some(next) = left.iter().find(|(_, migration)| is_ready(migration)).map(|(at, _)| *at) else {
            return Err(left.into_values().map(|migration| migration.origin).collect());
        };
        let Some(migration) = left.remove(&next) else { break };
        done.insert(stem(&migration.origin).to_owned());
        found.push(migration);
    }
    Ok(found)
}

fn stem(origin: &str) -> &str {
    origin.strip_suffix(".sql").unwrap_or(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(origin: &str, depends: &[&str]) -> Foreign {
        Foreign {
            origin: origin.to_owned(),
            place: Place::by_name(origin),
            digits: None,
            name: origin.to_owned(),
            up: Half { text: String::new(), is_bare: false },
            down: None,
            depends: depends.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn what_depends_on_another_comes_after_it() {
        let found = ordered(vec![migration("a.sql", &["c"]), migration("b.sql", &[]), migration("c.sql", &["b"])]);
        let origins: Vec<String> = found.unwrap().into_iter().map(|migration| migration.origin).collect();
        assert_eq!(origins, ["b.sql", "c.sql", "a.sql"]);
    }

    #[test]
    fn a_circle_and_a_missing_one_are_named() {
        let circle = ordered(vec![migration("a.sql", &["b"]), migration("b.sql", &["a"])]);
        assert_eq!(circle.unwrap_err(), ["a.sql", "b.sql"]);
        assert_eq!(ordered(vec![migration("a.sql", &["x"])]).unwrap_err(), ["a.sql"]);
    }
}
