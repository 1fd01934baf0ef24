//! Finds the migrations of one format in a directory, with both halves and their flags.

use std::collections::BTreeMap;

use super::{
    adapt::Half,
    foreign::{Foreign, Place},
    format::{Flag, Format, Halves, Order},
    names::{Versioned, diesel_version, leading_number},
    sections::cut,
    tree::{File, Tree},
};
use crate::report::finding::{Finding, FindingKind};

mod directories;
mod journal;
mod versions;

/// What was found, and the obstacles.
#[derive(Debug, Default)]
pub(super) struct Collection {
    pub(super) migrations: Vec<Foreign>,
    pub(super) problems: Vec<Finding>,
    /// What is not as the other tool has it, in words.
    pub(super) notes: Vec<String>,
}

impl Collection {
    fn refuse(&mut self, file: &str, message: impl Into<String>) {
        self.problems.push(Finding::new(FindingKind::UnrecognisedFile, file, message));
    }
}

/// Every migration of `format` in `tree`. Each file is used, or it is a problem.
pub(super) fn collect(format: Format, tree: &Tree) -> Collection {
    let mut found = Collection { problems: tree.problems.clone(), ..Collection::default() };
    match format.layout().halves {
        Halves::Sections => sections(format, tree, &mut found),
        Halves::Pair => pairs(format, tree, &mut found),
        Halves::Rollback => rollbacks(format, tree, &mut found),
        Halves::Undo => versions::flyway(tree, &mut found),
        Halves::UpFile if format == Format::Refinery => versions::refinery(tree, &mut found),
        Halves::UpFile if format == Format::Drizzle => journal::drizzle(tree, &mut found),
        Halves::UpFile => up_files(format, tree, &mut found),
        Halves::Directory => directories::diesel(tree, &mut found),
        Halves::UpDirectory => directories::prisma(tree, &mut found),
    }
    found
}

/// Each `.sql` file at the top; everything else is a problem.
fn sql_files<'t>(format: Format, tree: &'t Tree, found: &mut Collection) -> Vec<(&'t File, &'t str)> {
    let mut files = Vec::new();
    for file in &tree.files {
        match file.path.strip_suffix(".sql") {
            Some(stem) if file.directory().is_empty() => files.push((file, stem)),
            _ => found.refuse(&file.path, not_of(format)),
        }
    }
    files
}

fn not_of(format: Format) -> String {
    format!("it is not a migration of {format} that can be imported; move it elsewhere, or write its SQL as one")
}

fn place(format: Format, digits: Option<&str>, name: &str) -> Place {
    match format.layout().order {
        Order::Number => Place::by_number(digits, name),
        _ => Place::by_name(name),
    }
}

fn sections(format: Format, tree: &Tree, found: &mut Collection) {
    for (file, stem) in sql_files(format, tree, found) {
        let (digits, name) = leading_number(stem);
        // sql-migrate alone runs files without a number.
        if digits.is_none() && format != Format::SqlMigrate {
            found.refuse(&file.path, "its name does not begin with a number");
            continue;
        }
        match cut(tree.dialect, format, &file.text) {
            Ok(sections) => found.migrations.push(Foreign {
                origin: file.path.clone(),
                place: place(format, digits, &file.path),
                digits: digits.map(str::to_owned),
                name: name.to_owned(),
                up: Half { text: sections.up.text, is_bare: sections.up.is_bare },
                down: Some(Half { text: sections.down.text, is_bare: sections.down.is_bare }),
                depends: Vec::new(),
            }),
            Err(error) => found.refuse(&file.path, error.to_string()),
        }
    }
}

/// `NAME.up.sql` with `NAME.down.sql`; sqlx also has `NAME.sql` without a down.
fn pairs(format: Format, tree: &Tree, found: &mut Collection) {
    let mut downs: BTreeMap<&str, &File> = BTreeMap::new();
    let mut ups: Vec<(&File, &str)> = Vec::new();
    for (file, stem) in sql_files(format, tree, found) {
        match (stem.strip_suffix(".up"), stem.strip_suffix(".down")) {
            (Some(stem), _) => ups.push((file, stem)),
            (_, Some(stem)) => _ = downs.insert(stem, file),
            _ if format == Format::Sqlx => ups.push((file, stem)),
            _ => found.refuse(&file.path, "it is neither an up nor a down"),
        }
    }
    for (file, stem) in ups {
        // Some write V before the number.
        let numbered = stem.strip_prefix(['V', 'v']).unwrap_or(stem);
        let (digits, name) = leading_number(numbered);
        if digits.is_none() {
            found.refuse(&file.path, "its name does not begin with a number");
        }
        let down = downs.remove(stem).map(|file| half(format, &file.text));
        found.migrations.push(Foreign {
            origin: file.path.clone(),
            place: place(format, digits, &file.path),
            digits: digits.map(str::to_owned),
            name: name.to_owned(),
            up: half(format, &file.text),
            down,
            depends: Vec::new(),
        });
    }
    for file in downs.into_values() {
        found.refuse(&file.path, "this down has no up of the same name");
    }
}

fn half(format: Format, text: &str) -> Half {
    let is_bare = match format.layout().flag {
        Flag::FirstLine(flag) => text.trim_start_matches('\u{feff}').starts_with(flag),
        _ => false,
    };
    Half { text: text.to_owned(), is_bare }
}

fn rollbacks(format: Format, tree: &Tree, found: &mut Collection) {
    let files = sql_files(format, tree, found);
    let mut downs: BTreeMap<&str, &File> = BTreeMap::new();
    downs.extend(files.iter().filter_map(|(file, stem)| Some((stem.strip_suffix(".rollback")?, *file))));
    for (file, stem) in files.into_iter().filter(|(_, stem)| !stem.ends_with(".rollback")) {
        if stem.starts_with("post-apply") {
            found.refuse(&file.path, "it runs after every run of yoyo, which nothing here does; move it elsewhere");
            continue;
        }
        let (digits, name) = leading_number(stem);
        let settings = |file: &File, key| setting(&file.text, key);
        let is_bare = |file: &File| settings(file, "transactional").is_some_and(|value| value == "false");
        let depends = settings(file, "depends").unwrap_or_default();
        let down = downs.remove(stem);
        found.migrations.push(Foreign {
            origin: file.path.clone(),
            place: Place::by_name(&file.path),
            digits: digits.map(str::to_owned),
            name: name.to_owned(),
            up: Half { text: file.text.clone(), is_bare: is_bare(file) },
            down: down.map(|down| Half { text: down.text.clone(), is_bare: is_bare(file) || is_bare(down) }),
            depends: depends.split_whitespace().map(str::to_owned).collect(),
        });
    }
    for file in downs.into_values() {
        found.refuse(&file.path, "this rollback has no migration of the same name");
    }
}

/// The value of `-- key: value` among the comments before the first statement.
fn setting(text: &str, key: &str) -> Option<String> {
    let comments = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with("--"));
    comments.filter_map(|line| line.trim_start_matches('-').split_once(':')).find_map(|(found, value)| {
        let is_it = found.trim().eq_ignore_ascii_case(key);
        is_it.then(|| value.trim().to_owned())
    })
}

fn up_files(format: Format, tree: &Tree, found: &mut Collection) {
    for (file, stem) in sql_files(format, tree, found) {
        let (digits, name) = leading_number(stem);
        if digits.is_none() {
            found.refuse(&file.path, "its name does not begin with a number");
        }
        found.migrations.push(Foreign {
            origin: file.path.clone(),
            place: place(format, digits, &file.path),
            digits: digits.map(str::to_owned),
            name: name.to_owned(),
            up: half(format, &file.text),
            down: None,
            depends: Vec::new(),
        });
    }
}
