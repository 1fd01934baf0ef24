//! Turns differences into statements that fix them without losing data.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use super::{alter::alters, repair::Planned};
use crate::{
    alterer::{AlterRequest, Alterer},
    execution::replay::Chain,
    files::migration::MigrationId,
    files::script::{Statement, Token},
    report::RepairAction,
    schema::{Difference, DifferenceKind, ObjectKind, ObjectName, Schema},
    survey::Survey,
    target::Rebuild,
};

/// What repairs are made of, beside what the chain knows: the statements of the files.
#[derive(Debug, Clone, Default)]
pub struct Materials {
    statements: Vec<Vec<Statement>>,
    /// Where statements add a column, by table and column in lower case; in the order in which they run.
    additions: HashMap<(String, String), Vec<Spot>>,
    /// Where statements fill a table.
    fillings: HashMap<String, Vec<Spot>>,
    /// For a database that changes its tables in place.
    alterer: Option<Rc<dyn Alterer>>,
}

/// A migration's place in the chain, and a statement's among its own.
type Spot = (usize, usize);

/// The materials at one version. Each step forward costs what lies between the versions, a step back costs all of them.
#[derive(Debug)]
pub struct Stock<'a> {
    pub(super) definitions: BTreeMap<ObjectName, String>,
    materials: &'a Materials,
    /// How many migrations of the chain have run.
    count: usize,
}

impl Materials {
    /// The statements of each migration of the chain; empty for code.
    pub fn new(statements: Vec<Vec<Statement>>) -> Self {
        let mut materials = Self::default();
        for (place, of_migration) in statements.iter().enumerate() {
            for (at, statement) in of_migration.iter().enumerate() {
                let words = statement.words();
                if let Some(column) = added_column(&words) {
                    materials.additions.entry(column).or_default().push((place, at));
                }
                if let Some(table) = filled_table(&words) {
                    materials.fillings.entry(table).or_default().push((place, at));
                }
            }
        }
        Self { statements, ..materials }
    }

    /// The same for a database that changes its tables in place.
    #[must_use]
    pub fn alterer(mut self, alterer: Option<Box<dyn Alterer>>) -> Self {
        self.alterer = alterer.map(Rc::from);
        self
    }

    /// The statements of the migration at that place of the chain.
    pub(super) fn of(&self, place: usize) -> Option<&[Statement]> {
        self.statements.get(place).map(Vec::as_slice)
    }

    /// Before any migration.
    pub(super) fn stock(&self) -> Stock<'_> {
        Stock { definitions: BTreeMap::new(), materials: self, count: 0 }
    }

    fn text(&self, (place, at): Spot) -> &str {
        &self.statements[place][at].text
    }
}

impl Stock<'_> {
    /// Goes to the version after the migration at that place of the chain.
    pub(super) fn go_to(&mut self, version: usize, chain: &Chain) {
        if self.count > version + 1 {
            self.definitions.clear();
            self.count = 0;
        }
        chain.carry_definitions(&mut self.definitions, self.count, version + 1);
        self.count = version + 1;
    }

    /// What a person would run for a difference.
    pub(super) fn by_hand(&self, difference: &Difference, expected: &Schema) -> Option<String> {
        let differences = std::slice::from_ref(difference);
        let request = AlterRequest { differences, expected, definitions: &self.definitions };
        self.materials.alterer.as_ref()?.by_hand(difference, &request)
    }

    fn texts(&self, spots: Option<&Vec<Spot>>) -> impl DoubleEndedIterator<Item = String> {
        let spots = spots.map(Vec::as_slice).unwrap_or_default();
        spots.iter().filter(|(place, _)| *place < self.count).map(|spot| self.materials.text(*spot).to_owned())
    }
}

/// Steps for those of `differences` that can be fixed without loss. What no migration made is left alone: the final
/// comparison reports it, and a person decides.
pub fn mends(differences: &[Difference], expected: &Schema, survey: &Survey, stock: &Stock<'_>) -> Vec<Planned> {
    if let Some(alterer) = &stock.materials.alterer {
        return alters(alterer.as_ref(), differences, expected, survey, stock);
    }
    let rebuilt: BTreeSet<&str> =
        differences.iter().filter(|one| wants_rebuild(one, stock)).map(|one| one.object.owner()).collect();
    let mut steps: Vec<Planned> = Vec::new();
    for table in &rebuilt {
        steps.extend(rebuild(table, differences, survey, stock));
    }
    let is_left = |one: &&Difference| one.object.kind != ObjectKind::Column || !rebuilt.contains(one.object.owner());
    let mut left: Vec<&Difference> = differences.iter().filter(is_left).collect();
    // Tables before columns before what is made of them; columns in the order of their table.
    left.sort_by_key(|one| (rank(one), position(expected, &one.object)));
    for difference in left {
        steps.extend(mend(difference, expected, survey, stock));
    }
    steps
}

fn rank(difference: &Difference) -> u8 {
    match difference.object.kind {
        ObjectKind::Table => 0,
        ObjectKind::Column => 1,
        ObjectKind::Index => 2,
        ObjectKind::View => 3,
        _ => 4,
    }
}

fn position(expected: &Schema, object: &ObjectName) -> usize {
    let columns = expected.columns(object.owner());
    columns.iter().position(|column| *column == object.name).unwrap_or_default()
}

fn wants_rebuild(difference: &Difference, stock: &Stock<'_>) -> bool {
    use DifferenceKind as K;
    match difference.kind {
        K::ColumnMissing => add_column(&difference.object, stock).is_none(),
        K::Type
        | K::Nullability
        | K::Default
        | K::Generated
        | K::Collation
        | K::ColumnOrder
        | K::PrimaryKey
        | K::Unique
        | K::ForeignKey
        | K::Check
        | K::Strict
        | K::WithoutRowid
        | K::Autoincrement => true,
        _ => false,
    }
}

fn rebuild(table: &str, differences: &[Difference], survey: &Survey, stock: &Stock<'_>) -> Option<Planned> {
    let is_extra = |one: &Difference| one.kind == DifferenceKind::ColumnExtra && one.object.owner() == table;
    if differences.iter().any(is_extra) {
        return None;
    }
    let object = ObjectName::table(table);
    let shape = stock.definitions.get(&object)?.clone();
    let of_table: Vec<String> =
        differences.iter().filter(|one| one.object.owner() == table).take(3).map(ToString::to_string).collect();
    let why = format!(
        "{object} does not have the shape that its migrations give it ({}); its rows are kept",
        of_table.join("; ")
    );
    let mut planned = Planned::new(RepairAction::RebuildTable, owner(survey, &object, stock)?, why).sql(shape.clone());
    planned.rebuild = Some(Rebuild { table: table.to_owned(), shape, values: Vec::new() });
    Some(planned)
}

fn mend(difference: &Difference, expected: &Schema, survey: &Survey, stock: &Stock<'_>) -> Vec<Planned> {
    use DifferenceKind as K;
    let object = &difference.object;
    let Some(id) = owner(survey, object, stock) else {
        return Vec::new();
    };
    let step = |action, sql: String| Planned::new(action, id, difference.to_string()).sql(sql);
    let made = stock.definitions.get(object).cloned();
    match difference.kind {
        K::TableMissing => {
            whole_table(object, expected, stock).into_iter().map(|sql| step(RepairAction::Add, sql)).collect()
        }
        K::ColumnMissing => add_column(object, stock).into_iter().map(|sql| step(RepairAction::Add, sql)).collect(),
        K::IndexMissing | K::TriggerMissing | K::ViewMissing => {
            made.into_iter().map(|sql| step(RepairAction::Add, sql)).collect()
        }
        K::IndexColumns | K::IndexUnique | K::IndexPredicate | K::TriggerChanged | K::ViewChanged => made
            .into_iter()
            .flat_map(|sql| [step(RepairAction::Replace, drop_statement(object)), step(RepairAction::Replace, sql)])
            .collect(),
        // Ours by name, left behind where its migration drops it: nothing but the object itself goes.
        K::IndexExtra | K::TriggerExtra if is_dropped_by_ours(survey, object) => {
            vec![step(RepairAction::Replace, drop_statement(object))]
        }
        _ => Vec::new(),
    }
}

/// Of the migrations up to the version that is fixed: a later one that changes the object again has not run.
pub(super) fn owner<'a>(survey: &'a Survey, object: &ObjectName, stock: &Stock<'_>) -> Option<&'a MigrationId> {
    let because = |object: &ObjectName| survey.because_until(stock.count, object);
    because(object).or_else(|| because(&ObjectName::table(object.owner())))
}

pub(super) fn is_dropped_by_ours(survey: &Survey, object: &ObjectName) -> bool {
    let links = survey.chain.links();
    survey.chain.touching(object).iter().any(|place| links[*place].footprint.drops.contains(object))
}

fn drop_statement(object: &ObjectName) -> String {
    let word = object.kind.word().to_uppercase();
    format!("DROP {word} {}", quoted(&object.name))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The table, the rows that its migration gives it, then its indexes and triggers.
fn whole_table(object: &ObjectName, expected: &Schema, stock: &Stock<'_>) -> Vec<String> {
    let Some(table) = stock.definitions.get(object) else {
        return Vec::new();
    };
    let rows = fillings(object, stock);
    let belongs = |name: &&ObjectName| name.owner() == object.name;
    let of_table = stock.definitions.range(object.clone()..).take_while(|(name, _)| belongs(name));
    let parts =
        of_table.filter(|(name, _)| name.table.is_some() && expected.contains(name)).map(|(_, sql)| sql.clone());
    std::iter::once(table.clone()).chain(rows).chain(parts).collect()
}

/// The statements of the files that fill a table.
pub(super) fn fillings(table: &ObjectName, stock: &Stock<'_>) -> Vec<String> {
    stock.texts(stock.materials.fillings.get(&table.name.to_ascii_lowercase())).collect()
}

/// The table that `INSERT INTO` fills, in lower case, with its schema where the statement names it.
fn filled_table(words: &[Token<'_>]) -> Option<String> {
    let is_insert = words.first()?.is("insert") && words.get(1)?.is("into");
    let name = |at: usize| words.get(at).map(|word| word.name().to_ascii_lowercase());
    let is_qualified = words.get(3).is_some_and(|word| word.text == ".");
    is_insert.then(|| if is_qualified { Some(format!("{}.{}", name(2)?, name(4)?)) } else { name(2) })?
}

/// The file's own `ALTER TABLE … ADD COLUMN` for a column, so that it comes out just as the migration makes it.
fn add_column(column: &ObjectName, stock: &Stock<'_>) -> Option<String> {
    let key = (column.owner().to_ascii_lowercase(), column.name.to_ascii_lowercase());
    stock.texts(stock.materials.additions.get(&key)).next_back()
}

/// The table and the column of `ALTER TABLE … ADD COLUMN`, in lower case.
fn added_column(words: &[Token<'_>]) -> Option<(String, String)> {
    let is_it = words.first()?.is("alter") && words.get(1)?.is("table") && words.get(3)?.is("add");
    let column = words.get(if words.get(4)?.is("column") { 5 } else { 4 })?;
    is_it.then(|| (words[2].name().to_ascii_lowercase(), column.name().to_ascii_lowercase()))
}
