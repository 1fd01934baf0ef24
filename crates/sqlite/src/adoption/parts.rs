//! What the application has added to the table: kept, dropped, or for a person to decide.
//!
//! The rule: columns are kept with their data, and so is what stands on them. An index that only makes reading faster
//! goes, because each one costs every move of every job. What refuses rows or does something by itself (a unique index
//! or constraint, a trigger, a reference to another table) carries a meaning, so a person decides.

use longshore_migrate::{
    adoption::Scene,
    report::finding::{Finding, FindingKind},
    report::{RepairAction, RepairStep},
    schema::{ObjectKind, ObjectName},
};

use super::{
    COLUMNS, TABLE,
    ancestor::{Ancestor, Column, Part},
    quoted,
    shape::{Item, mentions},
};

/// What becomes of everything that the application has added.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Columns and constraints that the new table gets, too.
    pub(super) items: Vec<Item>,
    /// `(name in the old table, name in the new one)` of the columns whose values are carried over.
    pub(super) values: Vec<(String, String)>,
    /// Indexes and triggers that are made again.
    pub(super) statements: Vec<String>,
    /// What is said of each.
    pub(super) steps: Vec<RepairStep>,
    /// What a person must decide.
    pub(super) obstacles: Vec<Finding>,
}

/// What is to become of one thing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Drop,
    Ask,
}

impl Parts {
    pub(super) fn sort(table: &Ancestor, scene: &Scene<'_>) -> Self {
        let mut parts = Self::default();
        for column in table.extras() {
            parts.column(column, table, scene);
        }
        let extras: Vec<&str> = table.extras().iter().map(|column| column.name.as_str()).collect();
        for item in table.items.iter().filter(|item| item.column().is_none()) {
            parts.constraint(item, &extras, scene);
        }
        for item in table.items.iter().filter(|item| is_own(item)) {
            parts.own_column(item, scene);
        }
        for (column, other) in &table.references {
            let name = format!("{column} REFERENCES {other}");
            let meaning = format!("the reference of {column} to {other} would refuse what the queue writes there");
            parts.only_drop(&name, meaning, scene);
        }
        for index in &table.indexes {
            parts.index(index, &extras, scene);
        }
        for trigger in &table.triggers {
            let meaning = format!("the trigger {} would not see what the queue itself writes", trigger.name);
            parts.part(trigger, decided(scene, &trigger.name, Fate::Ask), "trigger", meaning);
        }
        parts
    }

    /// Kept with its data. Where the queue has a column of that name, a person decides whether it gets another one.
    fn column(&mut self, column: &Column, table: &Ancestor, scene: &Scene<'_>) {
        let name = &column.name;
        let Some(item) = table.items.iter().find(|item| item.column().as_ref() == Some(name)) else { return };
        if !scene.chain.last().contains(&ObjectName::on(ObjectKind::Column, TABLE, name.as_str())) {
            if !column.is_generated {
                self.values.push((name.clone(), name.clone()));
            }
            let kept = item.optional();
            let why = if kept == *item {
                format!("the column {name} is the application's, and stays with its data")
            } else {
                format!(
                    "the column {name} is the application's, and stays with its data; a job may be without it, because the queue does not know it"
                )
            };
            self.say(RepairAction::Keep, &kept.text, why);
            self.items.push(kept);
            return;
        }
        let new_name = format!("app_{name}");
        match decided(scene, name, Fate::Ask) {
            Fate::Ask => self.obstacles.push(ask(
                name,
                format!(
                    "the application's column {name} has the name of one of the queue's; kept, it is called {new_name}"
                ),
            )),
            Fate::Keep => {
                self.values.push((name.clone(), new_name.clone()));
                let item = Item { text: quoted(&new_name) };
                self.say(
                    RepairAction::Keep,
                    &item.text,
                    format!("the application's column {name} is renamed to {new_name}"),
                );
                self.items.push(item);
            }
            Fate::Drop => self.say(RepairAction::Drop, &item.text, format!("the application's column {name} goes")),
        }
    }

    /// Of the whole table: what is about the application's columns stays, the queue's own columns have its constraints.
    fn constraint(&mut self, item: &Item, extras: &[&str], scene: &Scene<'_>) {
        let words = item.words();
        let is = |word: &str| words.iter().take(3).any(|token| token.is(word));
        if item.names(extras) {
            self.say(RepairAction::Keep, &item.text, "it is about the application's columns".to_owned());
            self.items.push(item.clone());
        } else if is("unique") {
            let meaning = format!("{} would refuse jobs that the queue makes", item.text);
            self.only_drop(&item.text, meaning, scene);
        } else if is("check") {
            let why = "the queue has its own conditions for its columns".to_owned();
            self.say(RepairAction::Drop, &item.text, why);
        }
    }

    /// A column of ours whose definition carries more than its type.
    fn own_column(&mut self, item: &Item, scene: &Scene<'_>) {
        let words = item.words();
        let name = item.column().unwrap_or_default();
        if words.iter().any(|word| word.is("unique")) && name != "id" {
            let meaning = format!("UNIQUE on {name} would refuse jobs that the queue makes");
            self.only_drop(&format!("UNIQUE ({name})"), meaning, scene);
        }
        if words.iter().any(|word| word.is("check")) {
            let why = format!("the queue has its own conditions for {name}");
            self.say(RepairAction::Drop, &item.text, why);
        }
    }

    fn index(&mut self, index: &Part, extras: &[&str], scene: &Scene<'_>) {
        let object = ObjectName::on(ObjectKind::Index, TABLE, index.name.to_lowercase());
        let is_ours = |name: &ObjectName| scene.chain.links().iter().any(|link| link.footprint.adds.contains_key(name));
        if is_ours(&object) {
            return;
        }
        let is_unique = index.sql.get(..14).is_some_and(|start| start.to_lowercase().starts_with("create unique"));
        let usual = match (mentions(&index.sql, extras), is_unique) {
            (true, _) => Fate::Keep,
            (false, true) => Fate::Ask,
            (false, false) => Fate::Drop,
        };
        let meaning = format!("the unique index {} would refuse jobs that the queue makes", index.name);
        self.part(index, decided(scene, &index.name, usual), "index", meaning);
    }

    fn part(&mut self, part: &Part, fate: Fate, kind: &str, meaning: String) {
        let name = &part.name;
        match fate {
            Fate::Ask => self.obstacles.push(ask(name, meaning)),
            Fate::Keep => {
                self.say(RepairAction::Keep, &part.sql, format!("the {kind} {name} is the application's, and stays"));
                self.statements.push(part.sql.clone());
            }
            Fate::Drop => {
                let why = match kind {
                    "index" => {
                        format!("the index {name} only makes reading faster, and would cost every move of every job")
                    }
                    _ => format!("the {kind} {name} goes"),
                };
                self.say(RepairAction::Drop, &part.sql, why);
            }
        }
    }

    fn only_drop(&mut self, name: &str, meaning: String, scene: &Scene<'_>) {
        if decided(scene, name, Fate::Ask) == Fate::Drop {
            return self.say(RepairAction::Drop, name, format!("{name} goes"));
        }
        self.obstacles.push(Finding::new(FindingKind::MeaningLost, name, meaning));
    }

    fn say(&mut self, action: RepairAction, sql: &str, why: String) {
        self.steps.push(RepairStep { action, id: None, sql: Some(sql.to_owned()), why });
    }
}

fn is_own(item: &Item) -> bool {
    item.column().is_some_and(|name| COLUMNS.contains(&name.as_str()))
}

fn ask(name: &str, meaning: String) -> Finding {
    Finding::new(FindingKind::KeepOrDrop, name, meaning)
}

fn decided(scene: &Scene<'_>, name: &str, usual: Fate) -> Fate {
    let is_named = |names: &[String]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    if is_named(&scene.choices.keep) {
        return Fate::Keep;
    }
    if is_named(&scene.choices.drop) { Fate::Drop } else { usual }
}
