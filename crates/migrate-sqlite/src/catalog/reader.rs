//! Reads a catalog again and again, and only what has changed since the last time.
//!
//! All that a table, a view or their parts mean follows from their rows in `sqlite_schema`, so a row whose text is the
//! same is not read again. Three things reach beyond one table: a foreign key without columns means the parent's
//! primary key, a word in double quotes is a name only where something has that name, and the tables of a virtual table
//! are its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use longshore_migrate::schema::{MOVE_PREFIX, ObjectKind, ObjectName, Schema};
use longshore_migrate::target::{Definition, SchemaChanges};
use rusqlite::{Connection, Row};

use super::entry::{Entry, EntryKind};
use super::reach::Reach;
use super::table::Table;
use super::text::canonical::{KnownNames, Names};
use super::{CatalogError, Ledgers, shadow, trigger};

/// The catalog of one connection as it was when it was read last.
#[derive(Default)]
pub struct CatalogReader {
    entries: BTreeMap<i64, Entry>,
    owners: BTreeMap<String, Owner>,
    /// The entries of each name, which an index may share with a trigger.
    by_name: HashMap<String, BTreeSet<i64>>,
    names: KnownNames,
    /// The owners with a view or a trigger that has this word in double quotes.
    doubtful: HashMap<String, BTreeSet<String>>,
    /// The tables with a foreign key that means the primary key of this one.
    children: HashMap<String, BTreeSet<String>>,
    schema: Schema,
    /// Which tables are not read.
    ledgers: Ledgers,
    /// The owners that have changed since somebody last asked for the changes.
    untold: BTreeSet<String>,
}

/// A table or a view with what belongs to it.
#[derive(Default)]
struct Owner {
    entries: BTreeSet<i64>,
    module: Option<String>,
    names: Vec<String>,
    doubtful: BTreeSet<String>,
    parents_by_key: BTreeSet<String>,
}

const COLUMNS: &str = "SELECT rowid, type, name, tbl_name, sql FROM main.sqlite_schema";

impl CatalogReader {
    /// The schema of the main database, without what belongs to SQLite and to the ledger, under whichever of its names.
    ///
    /// It only reads. Run it inside a transaction to see one state of the catalog.
    ///
    /// # Errors
    /// When SQLite cannot read its catalog: a corrupt file, a lock that was held too long, a name that is not UTF-8.
    /// The next call reads everything again.
    pub fn read(&mut self, connection: &Connection) -> Result<Schema, CatalogError> {
        self.read_what(connection, &Reach::Everything)
    }

    /// [`CatalogReader::read`] where nothing but statements of that reach have run since the last call.
    pub(crate) fn read_what(&mut self, connection: &Connection, reach: &Reach) -> Result<Schema, CatalogError> {
        self.refresh(connection, reach).inspect_err(|_| *self = Self { ledgers: self.ledgers, ..Self::default() })?;
        Ok(self.schema.clone())
    }

    /// Says which tables belong to ledgers; where that has changed everything is read again.
    pub(crate) fn expect(&mut self, ledgers: Ledgers) {
        if self.ledgers != ledgers {
            *self = Self { ledgers, ..Self::default() };
        }
    }

    /// Which tables it does not read.
    pub(crate) fn ledgers(&self) -> Ledgers {
        self.ledgers
    }

    /// What has changed since the last call, as of the last reading.
    pub(crate) fn changes(&mut self) -> SchemaChanges {
        let owners = std::mem::take(&mut self.untold);
        let schema = self.schema.only(owners.iter().map(String::as_str));
        let definitions = owners.iter().flat_map(|owner| self.definitions_of(owner)).collect();
        SchemaChanges { owners, schema, definitions }
    }

    /// Tables, indexes, views, triggers, each by name, as of the last reading.
    pub(crate) fn definitions(&self) -> Vec<Definition> {
        let mut definitions: Vec<Definition> =
            self.owners.keys().flat_map(|owner| self.definitions_of(owner)).collect();
        let rank = |definition: &Definition| match definition.object.kind {
            ObjectKind::Table => 0,
            ObjectKind::Index => 1,
            ObjectKind::View => 2,
            _ => 3,
        };
        definitions.sort_by(|a, b| (rank(a), &a.object.name).cmp(&(rank(b), &b.object.name)));
        definitions
    }

    fn definitions_of(&self, owner: &str) -> Vec<Definition> {
        if self.is_shadow(owner) {
            return Vec::new();
        }
        let entries = self.owners.get(owner).into_iter().flat_map(|owner| &owner.entries);
        entries.filter_map(|id| self.entries.get(id)).filter_map(Entry::definition).collect()
    }

    fn refresh(&mut self, connection: &Connection, reach: &Reach) -> rusqlite::Result<()> {
        let mut touched = match reach {
            Reach::Everything => self.compare_all(connection)?,
            Reach::Only(_) => self.compare_reached(connection, reach)?,
            Reach::Rows => return Ok(()),
        };
        if touched.is_empty() {
            return Ok(());
        }
        self.extend_to_dependents(&mut touched);
        let mut moved_names = BTreeSet::new();
        for owner in &touched {
            self.retract(owner, &mut moved_names);
        }
        let mut parts: BTreeMap<String, Schema> = BTreeMap::new();
        for owner in &touched {
            let mut part = Schema::new();
            self.read_table(connection, owner, &mut part)?;
            self.announce(owner, &part, &mut moved_names);
            parts.insert(owner.clone(), part);
        }
        let reworded = moved_names.iter().filter_map(|name| self.doubtful.get(name)).flatten().cloned();
        for owner in reworded.collect::<BTreeSet<String>>() {
            parts.entry(owner).or_insert_with_key(|owner| self.schema.only([owner.as_str()]));
        }
        for (owner, mut part) in parts {
            self.read_texts(&owner, &mut part);
            self.schema.replace_owner(&owner, &part);
            if self.owners.get(&owner).is_some_and(|found| found.entries.is_empty()) {
                self.owners.remove(&owner);
            }
            self.untold.insert(owner);
        }
        Ok(())
    }

    /// Compares every row with what is known, and gives the owners of those that differ.
    fn compare_all(&mut self, connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
        let mut statement = connection.prepare_cached(COLUMNS)?;
        let mut rows = statement.query([])?;
        let mut found: Vec<(i64, Option<Entry>)> = Vec::new();
        let mut same: BTreeSet<i64> = BTreeSet::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if self.entries.get(&id).map(|known| known.is(row)).transpose()? == Some(true) {
                same.insert(id);
                continue;
            }
            found.push((id, entry(row, self.ledgers)?));
        }
        drop(rows);
        let there: BTreeSet<i64> = found.iter().map(|(id, _)| *id).collect();
        let is_gone = |id: &&i64| !same.contains(id) && !there.contains(id);
        let gone: Vec<i64> = self.entries.keys().filter(is_gone).copied().collect();
        found.extend(gone.into_iter().map(|id| (id, None)));
        Ok(self.apply(found))
    }

    /// Compares the rows that the statements can have reached: those that are named, and those behind every other row,
    /// where SQLite puts what is new.
    fn compare_reached(&mut self, connection: &Connection, reach: &Reach) -> rusqlite::Result<BTreeSet<String>> {
        let mut named: BTreeSet<i64> = BTreeSet::new();
        for name in reach.names() {
            named.extend(self.by_name.get(name).into_iter().flatten());
            for (_, owner) in self.owners_under(name) {
                named.extend(&owner.entries);
            }
        }
        let low = self.entries.keys().rev().find(|id| !named.contains(id)).copied().unwrap_or(0);
        named.extend(self.entries.range(low + 1..).map(|(id, _)| *id));
        let mut found: BTreeMap<i64, Option<Entry>> = named.into_iter().map(|id| (id, None)).collect();
        let mut one = connection.prepare_cached(&format!("{COLUMNS} WHERE rowid = ?1"))?;
        for (id, there) in found.range_mut(..=low) {
            let mut rows = one.query([id])?;
            *there = rows.next()?.map(|row| entry(row, self.ledgers)).transpose()?.flatten();
        }
        let mut behind = connection.prepare_cached(&format!("{COLUMNS} WHERE rowid > ?1"))?;
        let mut rows = behind.query([low])?;
        while let Some(row) = rows.next()? {
            found.insert(row.get(0)?, entry(row, self.ledgers)?);
        }
        drop(rows);
        let differs = |(id, there): &(i64, Option<Entry>)| self.entries.get(id) != there.as_ref();
        let found: Vec<_> = found.into_iter().filter(differs).collect();
        Ok(self.apply(found))
    }

    /// Takes over rows as they are now, and gives the owners that they have or had.
    fn apply(&mut self, found: Vec<(i64, Option<Entry>)>) -> BTreeSet<String> {
        let mut touched = BTreeSet::new();
        for (id, now) in found {
            if let Some(old) = self.entries.remove(&id) {
                self.forget(id, &old);
                touched.insert(old.owner);
            }
            if let Some(now) = now {
                self.owners.entry(now.owner.clone()).or_default().entries.insert(id);
                self.by_name.entry(now.key()).or_default().insert(id);
                touched.insert(now.owner.clone());
                self.entries.insert(id, now);
            }
        }
        touched
    }

    fn forget(&mut self, id: i64, old: &Entry) {
        if let Some(owner) = self.owners.get_mut(&old.owner) {
            owner.entries.remove(&id);
        }
        if let Some(same) = self.by_name.get_mut(&old.key()) {
            same.remove(&id);
            if same.is_empty() {
                self.by_name.remove(&old.key());
            }
        }
    }

    fn extend_to_dependents(&self, touched: &mut BTreeSet<String>) {
        let children = touched.iter().filter_map(|owner| self.children.get(owner)).flatten();
        let is_virtual = |owner: &&String| self.module_now(owner).is_some() || self.module_before(owner).is_some();
        let parts = touched.iter().filter(is_virtual).flat_map(|owner| self.owners_under(owner));
        let more: Vec<String> = children.cloned().chain(parts.map(|(name, _)| name.clone())).collect();
        touched.extend(more);
    }

    /// A table and those whose names continue behind it, as those of a virtual table do.
    fn owners_under<'a>(&'a self, owner: &str) -> impl Iterator<Item = (&'a String, &'a Owner)> {
        let itself = self.owners.get_key_value(owner);
        let prefix = format!("{owner}_");
        let is_virtual = self.module_before(owner).is_some() || self.module_now(owner).is_some();
        let parts = self.owners.range(prefix.clone()..).take_while(move |(name, _)| name.starts_with(&prefix));
        itself.into_iter().chain(parts.filter(move |_| is_virtual))
    }

    fn module_before(&self, owner: &str) -> Option<&str> {
        self.owners.get(owner)?.module.as_deref()
    }

    fn module_now(&self, owner: &str) -> Option<String> {
        trigger::module(self.table_entry(owner)?.sql.as_deref()?)
    }

    fn table_entry(&self, owner: &str) -> Option<&Entry> {
        let mut entries = self.owners.get(owner)?.entries.iter().filter_map(|id| self.entries.get(id));
        entries.find(|entry| matches!(entry.kind, EntryKind::Table | EntryKind::View))
    }

    fn is_ordinary(&self, owner: &str) -> bool {
        let entry = self.table_entry(owner).filter(|entry| entry.kind == EntryKind::Table);
        entry.is_some_and(|entry| trigger::module(entry.sql.as_deref().unwrap_or_default()).is_none())
    }

    fn is_shadow(&self, owner: &str) -> bool {
        let underscores = owner.match_indices('_').map(|(at, _)| at);
        underscores
            .into_iter()
            .any(|at| self.module_before(&owner[..at]).is_some_and(|module| shadow::is_part(module, &owner[at + 1..])))
    }

    /// Forgets what followed from the rows of an owner as they were.
    fn retract(&mut self, name: &str, moved_names: &mut BTreeSet<String>) {
        let Some(owner) = self.owners.get_mut(name) else { return };
        owner.module = None;
        for one in std::mem::take(&mut owner.names) {
            if let Some(count) = self.names.get_mut(&one) {
                *count -= 1;
                if *count == 0 {
                    self.names.remove(&one);
                    moved_names.insert(one);
                }
            }
        }
        for word in std::mem::take(&mut owner.doubtful) {
            take_away(&mut self.doubtful, &word, name);
        }
        for parent in std::mem::take(&mut owner.parents_by_key) {
            take_away(&mut self.children, &parent, name);
        }
    }

    /// Reads the table or virtual table of that name, with all that belongs to it but its triggers.
    fn read_table(&mut self, connection: &Connection, name: &str, part: &mut Schema) -> rusqlite::Result<()> {
        let Some(entry) = self.table_entry(name).filter(|entry| entry.kind == EntryKind::Table) else { return Ok(()) };
        let sql = entry.sql.as_deref().unwrap_or_default();
        if let Some(module) = trigger::module(sql) {
            part.insert(ObjectName::table(name), trigger::virtual_table(sql));
            self.owners.entry(name.to_owned()).or_default().module = Some(module);
            return Ok(());
        }
        if self.is_shadow(name) {
            return Ok(());
        }
        let entries = self.owners[name].entries.iter().filter_map(|id| self.entries.get(id));
        let indexes: Vec<&Entry> = entries.filter(|entry| entry.kind == EntryKind::Index).collect();
        let texts = indexes.iter().filter_map(|index| Some((index.name.as_str(), index.sql.as_deref()?))).collect();
        let is_table = |name: &str| self.is_ordinary(&name.to_ascii_lowercase());
        let table =
            Table { is_table: &is_table, name: &entry.name, sql, index_texts: (!indexes.is_empty()).then_some(texts) };
        let parents_by_key = table.read_into(connection, part)?;
        for parent in &parents_by_key {
            self.children.entry(parent.clone()).or_default().insert(name.to_owned());
        }
        self.owners.entry(name.to_owned()).or_default().parents_by_key = parents_by_key;
        Ok(())
    }

    /// Makes the names of an owner known, and the words that may or may not be names.
    fn announce(&mut self, name: &str, part: &Schema, moved_names: &mut BTreeSet<String>) {
        let has_view = self.table_entry(name).is_some_and(|entry| entry.kind == EntryKind::View);
        let Some(owner) = self.owners.get_mut(name) else { return };
        let named = [ObjectKind::Table, ObjectKind::Column, ObjectKind::Index];
        owner.names =
            part.objects().filter(|(name, _)| named.contains(&name.kind)).map(|(name, _)| name.name.clone()).collect();
        owner.names.extend(has_view.then(|| name.to_owned()));
        for one in &owner.names {
            let count = self.names.entry(one.clone()).or_default();
            *count += 1;
            // A name that went and came again has not moved, but reading once more does no harm.
            if *count == 1 {
                moved_names.insert(one.clone());
            }
        }
        let texts = owner.entries.iter().filter_map(|id| self.entries.get(id)).filter(|entry| entry.has_words());
        owner.doubtful = texts.filter_map(|entry| entry.sql.as_deref()).flat_map(trigger::doubtful_words).collect();
        for word in &owner.doubtful {
            self.doubtful.entry(word.clone()).or_default().insert(name.to_owned());
        }
    }

    /// Reads the view of that name, and the triggers on it.
    fn read_texts(&self, name: &str, part: &mut Schema) {
        let names = Names::of_schema(&self.names);
        let entries = self.owners.get(name).into_iter().flat_map(|owner| &owner.entries);
        for entry in entries.filter_map(|id| self.entries.get(id)) {
            let sql = entry.sql.as_deref().unwrap_or_default();
            match entry.kind {
                EntryKind::View => part.insert(ObjectName::view(name), trigger::view(sql, &names)),
                EntryKind::Trigger => part.insert(entry.object(), trigger::trigger(sql, &names)),
                _ => {}
            }
        }
    }
}

/// The row as an entry. `None` if it belongs to SQLite itself or to a ledger.
fn entry(row: &Row<'_>, ledgers: Ledgers) -> rusqlite::Result<Option<Entry>> {
    let entry = Entry::read(row)?;
    Ok(Some(entry).filter(|entry| !ledgers.is_apart(&entry.owner) && !entry.name.starts_with(MOVE_PREFIX)))
}

fn take_away(map: &mut HashMap<String, BTreeSet<String>>, key: &str, owner: &str) {
    if let Some(owners) = map.get_mut(key) {
        owners.remove(owner);
        if owners.is_empty() {
            map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
