//! Counts what a migration's transaction can lose, before and after.
//!
//! Words say which tables to count before a statement runs. Whether they said enough is decided by facts when the
//! statements are done: which tables are gone, have other files or lack columns, and in which of them this transaction
//! updated or deleted rows, behind triggers, foreign keys and functions too. If one of them was not counted, the
//! transaction begins again and counts it first. So nothing is missed, and only surprises cost a second run. Begin
//! reading at [`PostgresTarget::end_watch`].

mod count;
mod facts;

use std::collections::{BTreeMap, BTreeSet};

use longshore_migrate::{
    DataLoss, Loss, LossCheck, Moves,
    files::script::{Dialect, Token},
    schema::ObjectName,
    target::TargetError,
};

use super::{PostgresTarget, Retry};
use count::{Counts, Locked};
use facts::{Fact, Known};

/// What is known of one transaction.
pub(super) struct Watch {
    check: LossCheck,
    /// Every table as it was when the check began.
    known: BTreeMap<u32, Known>,
    counts: BTreeMap<u32, Counts>,
    /// Columns that a statement sets to NULL by that word: whoever wrote it means it.
    nulled: BTreeSet<(String, String)>,
}

/// How the words of a statement say that it writes.
enum Writes {
    /// Rows are changed, so nobody else may change them between the two counts.
    Rows(BTreeSet<String>),
    /// Something goes as a whole.
    Whole(BTreeSet<String>),
    Nothing,
}

impl Watch {
    fn is_watched(&self, oid: u32) -> bool {
        let Some(known) = self.known.get(&oid) else { return false };
        let object = ObjectName::table(&known.name);
        !self.check.made.contains(&known.name) && !self.check.intended.iter().any(|one| one.covers(&object))
    }

    fn named(&self, names: &BTreeSet<String>) -> Vec<u32> {
        let is_named = |(_, known): &(&u32, &Known)| names.contains(&known.base);
        self.known.iter().filter(is_named).map(|(oid, _)| *oid).collect()
    }
}

impl PostgresTarget {
    pub(super) fn begin_watch(&mut self, check: LossCheck) -> Result<(), TargetError> {
        self.watch = None;
        // What refuses a transaction writes no rows, and the server counts rows by transactions.
        if check.data_loss == DataLoss::Allow || !self.is_open {
            return Ok(());
        }
        let known = self.known_tables()?;
        self.watch = Some(Watch { check, known, counts: BTreeMap::new(), nulled: BTreeSet::new() });
        for oid in self.uncounted.clone() {
            self.count_table(oid, Locked::Yes)?;
        }
        Ok(())
    }

    /// Counts what the words of a statement say that it writes.
    pub(super) fn count_before(&mut self, statement: &str) -> Result<(), TargetError> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        if let Some((table, columns)) = Moves::nulled_in(Dialect::Postgres, statement) {
            watch.nulled.extend(columns.into_iter().map(|column| (table.clone(), column)));
        }
        let (tables, locked) = match writes(statement) {
            Writes::Nothing => return Ok(()),
            Writes::Rows(names) => (watch.named(&names), Locked::Yes),
            Writes::Whole(names) => (watch.named(&names), Locked::No),
        };
        tables.into_iter().try_for_each(|oid| self.count_table(oid, locked))
    }

    /// Compares, and gives what there is less of. Ends the check.
    pub(super) fn end_watch(&mut self) -> Result<Vec<Loss>, TargetError> {
        let Some(watch) = self.watch.take() else { return Ok(Vec::new()) };
        let facts = self.facts(&watch.known)?;
        let is_uncounted = |(oid, fact): &(&u32, &Fact)| {
            fact.needs_counts() && !watch.counts.contains_key(*oid) && watch.is_watched(**oid)
        };
        let uncounted: Vec<u32> = facts.iter().filter(is_uncounted).map(|(oid, _)| *oid).collect();
        if !uncounted.is_empty() {
            let names = uncounted.iter().filter_map(|oid| watch.known.get(oid)).map(|known| known.name.clone());
            let names = names.collect::<Vec<_>>().join(", ");
            self.uncounted.extend(uncounted);
            self.retry = Some(Retry::Uncounted);
            let source = format!("it writes to {names} by ways that change from run to run").into();
            return Err(TargetError::Statement { statement: "counting what is lost".to_owned(), source });
        }
        let mut losses = Vec::new();
        for (oid, fact) in facts.iter().filter(|(oid, fact)| fact.is_touched() && watch.is_watched(**oid)) {
            losses.extend(self.compare(&watch, *oid, fact)?);
        }
        losses.extend(self.deleted(&watch, &facts)?);
        losses.sort();
        losses.dedup_by(|a, b| a.object == b.object && a.kind == b.kind);
        Ok(losses)
    }
}

/// Which tables a statement writes to or takes away, by its words.
fn writes(statement: &str) -> Writes {
    let words = Dialect::Postgres.words(statement);
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    let has = |word: &str| words.iter().any(|token| token.is(word));
    let names = |from: usize| words.iter().skip(from).map(|token| Dialect::Postgres.name(token)).collect();
    let target = |from: usize, until: &[&str]| {
        let ends = |token: &&Token<'_>| !until.iter().any(|word| token.is(word)) && token.text != "(";
        words.iter().skip(from).take_while(ends).map(|token| Dialect::Postgres.name(token)).collect()
    };
    if is(0, "update") {
        return Writes::Rows(target(1, &["set"]));
    }
    if is(0, "merge") {
        return Writes::Rows(target(2, &["using"]));
    }
    // How many rows this transaction has deleted the server counts.
    if is(0, "insert") && has("conflict") && has("update") {
        return Writes::Rows(target(2, &["values", "select", "default"]));
    }
    let alters = is(0, "alter") && is(1, "table") && (has("drop") || has("type"));
    if is(0, "truncate") || is(0, "drop") && is(1, "table") || alters && !has("type") {
        return Writes::Whole(names(1));
    }
    // A change of type goes through every row.
    if alters { Writes::Rows(target(2, &["alter", "add", "drop"])) } else { Writes::Nothing }
}
