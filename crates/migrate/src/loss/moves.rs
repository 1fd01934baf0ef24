//! What the statements of a migration move, by their words: tables and columns that take another name, copies, and
//! what is made or dropped by name. Numbers decide whether something is lost; this says with what to compare.

use std::collections::BTreeSet;

use crate::script::{Script, Statement, Token, TokenKind};

/// Collected from statements in the order in which they run. Names are in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
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

/// `INSERT INTO table … SELECT …`, or `CREATE TABLE table AS SELECT …`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Copy {
    table: String,
    /// The columns that it writes; `None` for all of them.
    columns: Option<BTreeSet<String>>,
    /// Every name between SELECT and FROM; `None` where a star stands there.
    selected: Option<BTreeSet<String>>,
}

/// What one statement does to names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// A table takes another name.
    RenamesTable {
        /// Before.
        from: String,
        /// After.
        to: String,
    },
    /// A column takes another name.
    RenamesColumn {
        /// The table.
        table: String,
        /// Before.
        from: String,
        /// After.
        to: String,
    },
    /// A column goes.
    DropsColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A table goes.
    DropsTable(String),
    /// A view goes, and with it its triggers.
    DropsView(String),
    /// An index or a trigger goes.
    DropsPart(String),
    /// A table, an index, a trigger or a view is made.
    Makes(String),
    /// Every row of a table goes.
    Empties(String),
}

impl Moves {
    /// Those of a whole script.
    pub fn of(script: &Script) -> Self {
        let mut moves = Self::default();
        script.statements().iter().for_each(|statement| moves.note(&statement.text));
        moves
    }

    /// Adds what `statement` does.
    pub fn note(&mut self, statement: &str) {
        let words = Words::of(statement);
        self.copies.extend(words.copy());
        self.indexes.extend(words.index());
        self.sets_counters |= words.0.iter().any(|token| token.name().eq_ignore_ascii_case("sqlite_sequence"));
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
        let makes = |statement: &Statement| match Self::movement(&statement.text) {
            // Where it says so, the table may have been there before.
            Some(Move::Makes(name)) if !statement.words().iter().any(|word| word.is("exists")) => Some(name),
            _ => None,
        };
        done.filter_map(makes).filter(|name| !is_in_a_place(name)).collect()
    }

    /// What one statement does to names.
    pub fn movement(statement: &str) -> Option<Move> {
        Words::of(statement).movement()
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

    /// Whether a statement makes an index over those columns of a table, under whichever name.
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

    /// Whether a copy writes that column of a table, under whichever name the table had then.
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

/// The words of one statement.
struct Words<'a>(Vec<Token<'a>>);

impl<'a> Words<'a> {
    fn of(statement: &'a str) -> Self {
        Self(crate::script::tokens(statement).into_iter().filter(Token::has_meaning).collect())
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.0.get(at).is_some_and(|token| token.is(word))
    }

    fn name(&self, at: usize) -> Option<String> {
        self.0.get(at).filter(|token| is_name(token)).map(|token| token.name().to_lowercase())
    }

    /// The name at `at`, which may begin with that of its database, and the place behind it.
    fn qualified(&self, at: usize) -> Option<(String, usize)> {
        let at = if self.0.get(at + 1).is_some_and(|token| token.text == ".") { at + 2 } else { at };
        Some((self.name(at)?, at + 1))
    }

    /// The place behind `IF [NOT] EXISTS`, where that stands at `at`.
    fn behind_exists(&self, at: usize) -> usize {
        match (self.is(at, "if"), self.is(at + 1, "not")) {
            (true, true) => at + 3,
            (true, false) => at + 2,
            _ => at,
        }
    }

    fn movement(&self) -> Option<Move> {
        if self.is(0, "alter") && self.is(1, "table") {
            return self.alteration();
        }
        if self.is(0, "create") {
            let at = (1..5).find(|at| ["table", "index", "trigger", "view"].iter().any(|kind| self.is(*at, kind)))?;
            return self.qualified(self.behind_exists(at + 1)).map(|(name, _)| Move::Makes(name));
        }
        if self.is(0, "drop") {
            let (name, _) = self.qualified(self.behind_exists(2))?;
            return match self.0[1].text.to_ascii_lowercase().as_str() {
                "table" => Some(Move::DropsTable(name)),
                "view" => Some(Move::DropsView(name)),
                "index" | "trigger" => Some(Move::DropsPart(name)),
                _ => None,
            };
        }
        if self.is(0, "delete") && self.is(1, "from") && !self.0.iter().any(|token| token.is("where")) {
            return self.qualified(2).map(|(name, _)| Move::Empties(name));
        }
        if self.is(0, "truncate") {
            return self.qualified(if self.is(1, "table") { 2 } else { 1 }).map(|(name, _)| Move::Empties(name));
        }
        None
    }

    fn alteration(&self) -> Option<Move> {
        let (table, at) = self.qualified(2)?;
        if self.is(at, "rename") && self.is(at + 1, "to") {
            return Some(Move::RenamesTable { from: table, to: self.name(at + 2)? });
        }
        if self.is(at, "rename") {
            let at = if self.is(at + 1, "column") && !self.is(at + 2, "to") { at + 2 } else { at + 1 };
            return Some(Move::RenamesColumn { table, from: self.name(at)?, to: self.name(at + 2)? });
        }
        if self.is(at, "drop") {
            let at = if self.is(at + 1, "column") && self.0.len() > at + 2 { at + 2 } else { at + 1 };
            return Some(Move::DropsColumn { table, column: self.name(at)? });
        }
        None
    }

    fn index(&self) -> Option<(String, Vec<String>)> {
        let at = (1..3).find(|at| self.is(0, "create") && self.is(*at, "index"))?;
        let (_, on) = self.qualified(self.behind_exists(at + 1))?;
        let table = self.name(on + 1).filter(|_| self.is(on, "on"))?;
        let mut depth = 0_i32;
        let mut is_first = true;
        let mut terms = Vec::new();
        for token in &self.0[on + 2..] {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                "," if depth == 1 => is_first = true,
                _ if is_first && depth == 1 => {
                    terms.push(token.name().to_lowercase());
                    is_first = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        Some((table, terms))
    }

    fn copy(&self) -> Option<Copy> {
        let is_create = self.is(0, "create");
        let head = if is_create {
            self.0.iter().position(|token| token.is("table"))
        } else {
            self.0.iter().position(|token| token.is("into"))
        };
        let (table, mut at) = self.qualified(self.behind_exists(head? + 1))?;
        if !is_create && self.is(at, "as") {
            at += 2;
        }
        let columns = if is_create { None } else { self.listed(at) };
        let from = |at: &usize| self.is(*at, "select");
        let select = (at..self.0.len()).find(from);
        if is_create && select.is_none() {
            return None;
        }
        Some(Copy { table, columns, selected: select.map_or(Some(BTreeSet::new()), |at| self.selected(at)) })
    }

    /// The names in the brackets at `at`; `None` where none stand there.
    fn listed(&self, at: usize) -> Option<BTreeSet<String>> {
        if self.0.get(at)?.text != "(" || self.is(at + 1, "select") || self.is(at + 1, "with") {
            return None;
        }
        let inside = self.0[at + 1..].iter().take_while(|token| token.text != ")");
        Some(inside.filter(|token| is_name(token)).map(|token| token.name().to_lowercase()).collect())
    }

    /// The names between SELECT at `at` and its FROM.
    fn selected(&self, at: usize) -> Option<BTreeSet<String>> {
        let mut depth = 0_i32;
        let mut found = BTreeSet::new();
        let mut before = ",";
        for token in &self.0[at + 1..] {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                // Not a product: a star behind a comma, a dot or SELECT itself.
                "*" if depth == 0 && [",", "."].contains(&before) => return None,
                _ if depth == 0 && token.is("from") => break,
                _ if is_name(token) => _ = found.insert(token.name().to_lowercase()),
                _ => {}
            }
            before = token.text;
        }
        Some(found)
    }
}

fn is_name(token: &Token<'_>) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::Quoted)
}

/// What each statement of a script does to names.
pub(crate) fn movements(script: &Script) -> Vec<Move> {
    script.statements().iter().filter_map(|Statement { text, .. }| Moves::movement(text)).collect()
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

    #[test]
    fn names_are_read_in_every_spelling() {
        let movement = |text: &str| Moves::movement(text).unwrap();
        let column =
            |from: &str| Move::RenamesColumn { table: "a b".to_owned(), from: from.to_owned(), to: "c".to_owned() };
        assert_eq!(movement("ALTER TABLE main.[A b] RENAME COLUMN x TO c"), column("x"));
        assert_eq!(movement("ALTER TABLE 'a b' RENAME column TO c"), column("column"));
        let dropped = Move::DropsColumn { table: "a".to_owned(), column: "b".to_owned() };
        assert_eq!(movement("ALTER TABLE a DROP b"), dropped);
        assert_eq!(movement("CREATE UNIQUE INDEX IF NOT EXISTS i ON a (b)"), Move::Makes("i".to_owned()));
        assert_eq!(movement("CREATE TEMP TABLE t (a)"), Move::Makes("t".to_owned()));
        assert_eq!(movement("DROP TRIGGER IF EXISTS main.t"), Move::DropsPart("t".to_owned()));
        assert_eq!(movement("/* x */ DELETE FROM a -- y"), Move::Empties("a".to_owned()));
        assert_eq!(Moves::movement("DELETE FROM a WHERE 1"), None);
    }
}
