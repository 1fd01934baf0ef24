//! What the statements of a migration move, by their words: tables and columns that take another name, copies, and
//! what is made or dropped by name. Numbers decide whether something is lost; this says with what to compare.

use std::collections::BTreeSet;

use super::movement::{Copy, Move, Words};
use crate::files::script::{Dialect, Script, Statement};

/// Collected from statements in the order in which they run. Names are in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    dialect: Dialect,
    table_renames: Vec<(String, String)>,
    column_renames: Vec<(String, String, String)>,
    made: BTreeSet<String>,
    dropped: BTreeSet<String>,
    dropped_tables: BTreeSet<String>,
    copies: Vec<Copy>,
    /// Indexes with the table and what each term begins with.
    indexes: Vec<(String, Vec<String>)>,
    sets_counters: bool,
}

impl Moves {
    /// Those of a whole script.
    pub fn of(script: &Script) -> Self {
        let mut moves = Self { dialect: script.dialect(), ..Self::default() };
        script.statements().iter().for_each(|statement| moves.note(&statement.text));
        moves
    }

    /// Adds what `statement` does.
    pub fn note(&mut self, statement: &str) {
        let words = Words::of(self.dialect, statement);
        self.copies.extend(words.copy());
        self.indexes.extend(words.index());
        self.sets_counters |= words.names("sqlite_sequence");
        match words.movement() {
            Some(Move::RenamesTable { from, to }) => self.table_renames.push((from, to)),
            Some(Move::RenamesColumn { table, from, to }) => self.column_renames.push((table, from, to)),
            Some(Move::Makes(name)) => _ = self.made.insert(name),
            Some(Move::DropsTable(name)) => {
                self.dropped_tables.insert(name.clone());
                self.dropped.insert(name);
            }
            Some(Move::DropsPart(name) | Move::DropsView(name)) => _ = self.dropped.insert(name),
            Some(Move::DropsColumn { .. } | Move::Empties(_)) | None => {}
        }
    }

    /// The tables that the first statements of a script made for themselves: whatever they hold, nobody else has put it
    /// there. One that takes the place of a table of before holds what that one held.
    pub fn made_before(script: &Script, statement: usize) -> BTreeSet<String> {
        let whole = Self::of(script);
        let is_in_a_place = |name: &String| {
            whole.table_renames.iter().any(|(from, to)| from == name && whole.dropped_tables.contains(to) || to == name)
        };
        let done = script.statements().iter().take(statement);
        let makes = |statement: &Statement| match movement(statement) {
            // Where it says so, the table may have been there before.
            Some(Move::Makes(name)) if !statement.words().iter().any(|word| word.is("exists")) => Some(name),
            _ => None,
        };
        done.filter_map(makes).filter(|name| !is_in_a_place(name)).collect()
    }

    /// What one statement of SQLite does to names.
    pub fn movement(statement: &str) -> Option<Move> {
        Words::of(Dialect::Sqlite, statement).movement()
    }

    /// The table of an UPDATE with the columns that it sets to NULL by that very word: whoever wrote it means it.
    pub fn nulled(statement: &str) -> Option<(String, BTreeSet<String>)> {
        Self::nulled_in(Dialect::Sqlite, statement)
    }

    /// [`Moves::nulled`] in those words.
    pub fn nulled_in(dialect: Dialect, statement: &str) -> Option<(String, BTreeSet<String>)> {
        Words::of(dialect, statement).nulled()
    }

    /// Whether a statement drops an index, a trigger, a view or a table of that name.
    pub fn drops(&self, name: &str) -> bool {
        self.dropped.contains(name)
    }

    /// The tables that statements drop, each under the names that it had before as well.
    pub fn dropped_tables(&self) -> BTreeSet<String> {
        let renamed = self.table_renames.iter().filter(|(_, to)| self.dropped_tables.contains(to));
        renamed.map(|(from, _)| from).chain(&self.dropped_tables).cloned().collect()
    }

    /// Whether a statement makes something of that name.
    pub fn makes(&self, name: &str) -> bool {
        self.made.contains(name)
    }

    /// Whether a statement makes an index over those columns of a table, under any name.
    pub fn indexes(&self, table: &str, columns: &[Option<String>]) -> bool {
        let is_same = |terms: &Vec<String>| {
            terms.len() == columns.len()
                && terms.iter().zip(columns).all(|(term, column)| Some(term) == column.as_ref())
        };
        self.indexes.iter().any(|(of, terms)| of == table && is_same(terms))
    }

    /// Whether a statement writes where AUTOINCREMENT counters stand.
    pub fn sets_counters(&self) -> bool {
        self.sets_counters
    }

    /// Whether a statement gives the table another name.
    pub fn renames_table(&self, table: &str) -> bool {
        self.table_renames.iter().any(|(from, _)| from == table)
    }

    /// Whether a statement gives the column another name.
    pub fn renames_column(&self, table: &str, column: &str) -> bool {
        self.column_renames.iter().any(|(of, from, _)| of == table && from == column)
    }

    /// The table of the same script that takes the place of `table`: it takes its name, or it was made under the name
    /// that `table` gave up.
    pub fn stand_in(&self, table: &str) -> Option<&str> {
        let puts = |(from, to): &&(String, String)| to == table && self.makes(from);
        self.table_renames.iter().find(puts).map(|(from, _)| from.as_str())
    }

    /// Whether a statement puts rows into the table.
    pub fn fills(&self, table: &str) -> bool {
        self.copies_into(table).next().is_some()
    }

    /// Whether a copy writes that column of a table, under any name the table had then.
    pub fn writes(&self, table: &str, column: &str) -> bool {
        self.copies_into(table).any(|copy| copy.columns.as_ref().is_none_or(|columns| columns.contains(column)))
    }

    /// Whether a copy into a table reads a column of that name.
    pub fn carries(&self, table: &str, column: &str) -> bool {
        self.copies_into(table).any(|copy| copy.selected.as_ref().is_none_or(|selected| selected.contains(column)))
    }

    fn copies_into<'m>(&'m self, table: &str) -> impl Iterator<Item = &'m Copy> {
        let earlier = self.table_renames.iter().filter(|(_, to)| to == table).map(|(from, _)| from.clone());
        let names: BTreeSet<String> = earlier.chain([table.to_owned()]).collect();
        self.copies.iter().filter(move |copy| names.contains(&copy.table))
    }
}

/// What each statement of a script does to names.
pub(crate) fn movements(script: &Script) -> Vec<Move> {
    script.statements().iter().filter_map(movement).collect()
}

pub(crate) fn movement(statement: &Statement) -> Option<Move> {
    Words::of(statement.dialect, &statement.text).movement()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(text: &str) -> Moves {
        Moves::of(&Script::parse(text).unwrap())
    }

    #[test]
    fn a_copy_says_which_columns_it_writes_and_reads() {
        let found = moves(
            "CREATE TABLE new (id, full, note); INSERT OR IGNORE INTO main.\"new\" (id, \"full\")
             SELECT a.id, trim(a.name) || ' x' FROM old AS a WHERE note > 1; ALTER TABLE new RENAME TO old",
        );
        assert!(found.writes("old", "full") && !found.writes("old", "note"));
        assert!(found.carries("old", "name") && !found.carries("old", "note"));
        assert_eq!(found.stand_in("old"), Some("new"));
        let whole = moves("WITH x AS (SELECT 1) INSERT INTO new SELECT *, 2 * 3 FROM old");
        assert!(whole.writes("new", "anything") && whole.carries("new", "anything"));
        assert!(!moves("INSERT INTO new SELECT a * b FROM old").carries("new", "c"));
        assert!(moves("CREATE TABLE new AS SELECT b FROM old").carries("new", "b"));
    }

    #[test]
    fn a_table_that_was_renamed_away_is_replaced_by_the_one_made_in_its_place() {
        let found = moves("ALTER TABLE a RENAME TO a_old; CREATE TABLE a (b); DROP TABLE a_old");
        assert_eq!(found.stand_in("a_old"), Some("a"));
        assert!(found.renames_table("a") && found.drops("a_old"));
    }

    #[test]
    fn a_table_that_a_script_made_for_itself_is_told_from_one_that_takes_a_place() {
        let made = |text: &str| Moves::made_before(&Script::parse(text).unwrap(), 3);
        assert!(made("CREATE TABLE t (a); INSERT INTO t VALUES (1); SELECT 1; DROP TABLE t").contains("t"));
        assert!(made("CREATE TABLE IF NOT EXISTS t (a); DROP TABLE t").is_empty());
        assert!(made("CREATE TABLE b (a); DROP TABLE a; ALTER TABLE b RENAME TO a").is_empty());
        assert!(made("ALTER TABLE a RENAME TO b; CREATE TABLE a (a); DROP TABLE b").is_empty());
    }

    #[test]
    fn an_index_is_known_by_its_columns() {
        let found = moves("CREATE UNIQUE INDEX IF NOT EXISTS main.i ON \"A\" (b DESC, c COLLATE NOCASE) WHERE d = (1)");
        let columns = |names: &[&str]| names.iter().map(|name| Some((*name).to_owned())).collect::<Vec<_>>();
        assert!(found.indexes("a", &columns(&["b", "c"])));
        assert!(!found.indexes("a", &columns(&["b"])) && !found.indexes("a", &[None, None]));
    }
}
