//! Tells from a directory alone which tool wrote it, or which ones may have.

use std::collections::BTreeSet;

use super::{
    adapt::BREAKPOINT,
    format::Format,
    names::{Versioned, leading_number},
    sections::tool_of,
    tree::{File, Tree},
};

/// Which tools the directory may be of: none, the one, or several between which only a person can tell.
pub(super) fn candidates(tree: &Tree) -> BTreeSet<Format> {
    let mut found: BTreeSet<Format> = BTreeSet::new();
    let mut numbers: Vec<&str> = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".sql")) {
        match sign(file, tree) {
            Sign::Of(format) => _ = found.insert(format),
            Sign::Numbered(digits) => numbers.push(digits),
            Sign::None => {}
        }
    }
    if tree.settings.contains_key("meta/_journal.json") {
        found.insert(Format::Drizzle);
    }
    if tree.settings.contains_key("migration_lock.toml") {
        found.insert(Format::Prisma);
    }
    if found.contains(&Format::Flyway) {
        found.extend(refinery(tree));
    }
    // A file with nothing but a number is also one of these tools'.
    let is_plain = !numbers.is_empty() && found.iter().all(|format| *format == Format::GolangMigrate);
    if is_plain {
        found.clear();
        found.insert(plain(&numbers));
    }
    found
}

enum Sign<'t> {
    Of(Format),
    /// `NUMBER_name.sql`, which says no more.
    Numbered(&'t str),
    None,
}

fn sign<'t>(file: &'t File, tree: &Tree) -> Sign<'t> {
    if let Some(tool) = tool_of(&file.text) {
        return Sign::Of(tool);
    }
    if file.text.contains(BREAKPOINT) {
        return Sign::Of(Format::Drizzle);
    }
    let stem = file.name().strip_suffix(".sql").unwrap_or(file.name());
    if stem.starts_with("R__") || Versioned::parse(stem).is_some() {
        return Sign::Of(Format::Flyway);
    }
    if !file.directory().is_empty() {
        return match file.name() {
            "up.sql" | "down.sql" => Sign::Of(Format::Diesel),
            "migration.sql" if has_snapshot(file.directory(), tree) => Sign::Of(Format::Drizzle),
            "migration.sql" => Sign::Of(Format::Prisma),
            _ => Sign::None,
        };
    }
    let depends = file.text.lines().map_while(|line| line.trim_start().strip_prefix("--"));
    if stem.ends_with(".rollback") || depends.into_iter().any(|comment| comment.trim_start().starts_with("depends:")) {
        return Sign::Of(Format::Yoyo);
    }
    if stem.ends_with(".up") || stem.ends_with(".down") {
        return Sign::Of(Format::GolangMigrate);
    }
    leading_number(stem).0.map_or(Sign::None, Sign::Numbered)
}

fn has_snapshot(directory: &str, tree: &Tree) -> bool {
    tree.files.iter().any(|file| file.directory() == directory && file.name() == "snapshot.json")
}

/// Flyway's U undoes the V of its version; refinery's U is its own migration.
fn refinery(tree: &Tree) -> Option<Format> {
    let versioned = || tree.files.iter().filter_map(|file| Versioned::parse(file.name().strip_suffix(".sql")?));
    let mut undos = versioned().filter(|it| it.letter == 'U').peekable();
    undos.peek()?;
    let has_partner = |undo: &Versioned| versioned().any(|it| it.letter == 'V' && it.key() == undo.key());
    undos.all(|undo| !has_partner(&undo)).then_some(Format::Refinery)
}

/// sqlx and wrangler order such files alike; only wrangler permits one number twice.
fn plain(numbers: &[&str]) -> Format {
    let different: BTreeSet<Option<u128>> = numbers.iter().map(|digits| digits.parse().ok()).collect();
    if different.len() == numbers.len() { Format::Sqlx } else { Format::Wrangler }
}
