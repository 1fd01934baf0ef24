//! diesel's and Prisma's directories.

use std::collections::BTreeMap;

use super::{Collection, Flag, Foreign, Format, Half, Place, Tree, diesel_version, leading_number, not_of, versions};
use crate::import::tree::File;

/// The files of each directory at the top; what lies elsewhere is a problem.
fn directories<'t>(format: Format, tree: &'t Tree, found: &mut Collection) -> BTreeMap<&'t str, Vec<&'t File>> {
    let mut directories: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    for file in &tree.files {
        let directory = file.directory();
        if directory.is_empty() || directory.contains('/') {
            found.refuse(&file.path, not_of(format));
        } else {
            directories.entry(directory).or_default().push(file);
        }
    }
    directories
}

/// `VERSION_name/up.sql`, `down.sql` and `metadata.toml`, by the version without its dashes.
pub(super) fn diesel(tree: &Tree, found: &mut Collection) {
    let Flag::Beside(metadata, wanted) = Format::Diesel.layout().flag else { return };
    for (directory, files) in directories(Format::Diesel, tree, found) {
        let text = |name: &str| files.iter().find(|file| file.name() == name).map(|file| file.text.clone());
        let known = ["up.sql", "down.sql", metadata];
        for file in files.iter().filter(|file| !known.contains(&file.name())) {
            found.refuse(&file.path, not_of(Format::Diesel));
        }
        let (digits, name) = diesel_version(directory);
        let Some(up) = text("up.sql") else {
            found.refuse(directory, "it has no up.sql");
            continue;
        };
        if digits.is_none() {
            found.refuse(directory, "its name does not begin with a number");
        }
        let is_bare = text(metadata).is_some_and(|settings| versions::has_setting(&settings, wanted));
        found.migrations.push(Foreign {
            origin: directory.to_owned(),
            place: Place::by_name(digits.as_deref().unwrap_or(directory)),
            digits,
            name: name.to_owned(),
            up: Half { text: up, is_bare },
            down: text("down.sql").map(|text| Half { text, is_bare }),
            depends: Vec::new(),
        });
    }
}

/// `TIMESTAMP_name/migration.sql`, by the directory's name; the lock file names the database.
pub(super) fn prisma(tree: &Tree, found: &mut Collection) {
    const LOCK: &str = "migration_lock.toml";
    let lock = tree.settings.get(LOCK);
    let provider = lock.and_then(|text| text.lines().find_map(|line| line.trim().strip_prefix("provider")));
    let provider = provider.map(|rest| rest.trim_matches(|letter: char| " =\"'".contains(letter)));
    if let Some(provider) = provider.filter(|provider| *provider != "sqlite") {
        found.refuse(LOCK, format!("its migrations are for {provider}, not for SQLite"));
    }
    for (directory, files) in directories(Format::Prisma, tree, found) {
        for file in &files {
            if !["migration.sql", "down.sql"].contains(&file.name()) {
                found.refuse(&file.path, not_of(Format::Prisma));
            }
        }
        let text = |name: &str| files.iter().find(|file| file.name() == name).map(|file| file.text.clone());
        let Some(up) = text("migration.sql") else {
            found.refuse(directory, "it has no migration.sql");
            continue;
        };
        let (digits, name) = leading_number(directory);
        found.migrations.push(Foreign {
            origin: directory.to_owned(),
            place: Place::by_name(directory),
            digits: digits.map(str::to_owned),
            name: name.to_owned(),
            // Prisma itself begins no transaction; ours is what keeps a failure from leaving half of it.
            up: Half { text: up, is_bare: false },
            // Prisma's own guide for rolling back keeps a down.sql beside it.
            down: text("down.sql").map(|text| Half { text, is_bare: false }),
            depends: Vec::new(),
        });
    }
}
