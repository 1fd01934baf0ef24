use std::collections::BTreeMap;

use longshore_migrate::{
    schema::{Definition, ObjectKind, ObjectName, Schema},
    target::{self, SchemaChanges},
};

/// What stands by itself, a table or a view or a type, with all that belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// Its name without its schema and without arguments, by which statements name it.
    pub(super) base: String,
    pub(super) objects: BTreeMap<ObjectName, Definition>,
    pub(super) statements: Vec<Statement>,
    /// How many tables it stands upon, so that a partition is made after its parent.
    pub(super) depth: usize,
    /// Whether it has something from another table.
    pub(super) is_child: bool,
}

/// The statement that makes an object, with its place among all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) rank: Rank,
    pub(super) object: ObjectName,
    pub(super) sql: String,
}

/// In which order a schema is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Namespace,
    Type,
    Sequence,
    Function,
    Table,
    /// One that takes or gives rows of tables, or whose body reads them, which PostgreSQL looks for when it is made.
    ReadingFunction,
    Constraint,
    View,
    /// The same of views.
    LateFunction,
    Index,
    ForeignKey,
    Part,
}

impl Owner {
    pub(super) fn new(base: &str) -> Self {
        Self { base: base.to_owned(), ..Self::default() }
    }

    pub(super) fn add(&mut self, name: ObjectName, definition: Definition) {
        self.objects.insert(name, definition);
    }

    /// Adds a constraint; a second one of the same name has a number behind it.
    pub(super) fn add_constraint(
        &mut self,
        kind: ObjectKind,
        owner: &str,
        name: &str,
        definition: Definition,
    ) -> ObjectName {
        let mut object = ObjectName::on(kind, owner, name);
        let mut count = 1;
        while self.objects.contains_key(&object) {
            count += 1;
            object.name = format!("{name} {count}");
        }
        self.objects.insert(object.clone(), definition);
        object
    }

    pub(super) fn make(&mut self, rank: Rank, object: ObjectName, sql: String) {
        self.statements.push(Statement { rank, object, sql });
    }

    /// Whether a part of it has that name.
    pub(super) fn has_part(&self, name: &str) -> bool {
        self.objects.keys().any(|object| object.table.is_some() && !object.kind.is_constraint() && object.name == name)
    }
}

/// Everything that was read, by the name of the owner.
#[derive(Debug, Clone, Default)]
pub(super) struct Owners(pub(super) BTreeMap<String, Owner>);

impl Owners {
    pub(super) fn of(&mut self, name: &str, base: &str) -> &mut Owner {
        self.0.entry(name.to_owned()).or_insert_with(|| Owner::new(base))
    }

    pub(super) fn schema(&self) -> Schema {
        let mut schema = Schema::new();
        for (name, definition) in self.0.values().flat_map(|owner| &owner.objects) {
            schema.insert(name.clone(), definition.clone());
        }
        schema
    }

    /// Puts what reads tables and views behind them: a function in SQL behind tables, a view behind those that it reads.
    pub(super) fn put_in_order(&mut self) {
        let of_rank = |owners: &Self, rank: Rank| -> Vec<(String, String)> {
            let every = owners.0.iter().flat_map(|(name, owner)| owner.statements.iter().map(move |one| (name, one)));
            let those = every.filter(|(_, one)| one.rank == rank);
            those.map(|(name, one)| (name.clone(), one.sql.clone())).collect()
        };
        let bases = |owners: &Self, names: &[(String, String)]| -> Vec<String> {
            names.iter().filter_map(|(name, _)| owners.0.get(name)).map(|owner| owner.base.clone()).collect()
        };
        let views = of_rank(self, Rank::View);
        let view_bases = bases(self, &views);
        let tables = bases(self, &of_rank(self, Rank::Table));
        for owner in self.0.values_mut() {
            for one in &mut owner.statements {
                let is_function = matches!(one.rank, Rank::Function | Rank::ReadingFunction);
                if is_function && names_any(&one.sql, &view_bases) {
                    one.rank = Rank::LateFunction;
                } else if is_function && names_any(&one.sql, &tables) {
                    one.rank = Rank::ReadingFunction;
                }
            }
        }
        // As often as views can stand on one another.
        for _ in 0..views.len() {
            let depths: Vec<usize> =
                views.iter().map(|(name, _)| self.0.get(name).map_or(0, |owner| owner.depth)).collect();
            let mut has_moved = false;
            for (at, (name, sql)) in views.iter().enumerate() {
                let reads = |other: &usize| *other != at && sql.contains(&format!(".{}", view_bases[*other]));
                let depth = (0..views.len()).filter(reads).map(|other| depths[other] + 1).max().unwrap_or_default();
                let depth = depth.min(views.len());
                if let Some(owner) = self.0.get_mut(name).filter(|owner| owner.depth < depth) {
                    owner.depth = depth;
                    has_moved = true;
                }
            }
            if !has_moved {
                break;
            }
        }
    }

    /// Every statement in an order in which they can run.
    pub(super) fn definitions(&self) -> Vec<target::Definition> {
        let every = self.0.values().flat_map(|owner| owner.statements.iter().map(|one| (owner.depth, one)));
        let mut every: Vec<(usize, &Statement)> = every.collect();
        every.sort_by(|(depth, a), (other, b)| (a.rank, depth, &a.object).cmp(&(b.rank, other, &b.object)));
        let definition =
            |(_, one): (usize, &Statement)| target::Definition { object: one.object.clone(), sql: one.sql.clone() };
        every.into_iter().map(definition).collect()
    }

    /// What is there of those owners.
    pub(super) fn changes(&self, owners: impl IntoIterator<Item = String>) -> SchemaChanges {
        let owners: std::collections::BTreeSet<String> = owners.into_iter().collect();
        let found = owners.iter().filter_map(|name| Some((name.clone(), self.0.get(name)?.clone())));
        let part = Self(found.collect());
        SchemaChanges { schema: part.schema(), definitions: part.definitions(), owners }
    }
}

/// Whether a function has one of the names where PostgreSQL looks for it: in its arguments and its result, and in the
/// body where that is SQL.
pub(crate) fn names_any(function: &str, names: &[String]) -> bool {
    let head = function.split("\n LANGUAGE ").next().unwrap_or(function);
    let is_sql = function.to_lowercase().contains("\n language sql");
    let looked_at = if is_sql { function } else { head };
    let words = looked_at.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '$'));
    let words: std::collections::BTreeSet<&str> = words.collect();
    names.iter().any(|name| words.contains(name.as_str()) || name.contains(' ') && looked_at.contains(name.as_str()))
}
