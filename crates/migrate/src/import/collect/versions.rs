//! Flyway's and refinery's `V1__name.sql`.

use std::collections::BTreeMap;

use super::{Collection, Flag, Foreign, Format, Half, Place, Tree, Versioned, not_of};
use crate::import::tree::File;

/// `V1.2__name.sql` with `U1.2__name.sql`, in any subdirectory.
pub(super) fn flyway(tree: &Tree, found: &mut Collection) {
    let mut undos: BTreeMap<Vec<u128>, &File> = BTreeMap::new();
    let mut ups: BTreeMap<Vec<u128>, (&File, Versioned)> = BTreeMap::new();
    let mut repeatable: Vec<(&File, &str)> = Vec::new();
    for file in &tree.files {
        if file.name().ends_with(".sql.conf") {
            continue;
        }
        if let Some(placeholder) = placeholder(&file.text) {
            let message = format!("Flyway puts a value in place of `${{{placeholder}}}` in it; write the value there");
            found.refuse(&file.path, message);
        }
        if let Some(name) = file.name().strip_suffix(".sql").and_then(|stem| stem.strip_prefix("R__")) {
            repeatable.push((file, name));
            continue;
        }
        let Some((versioned, key)) = versioned(file, found, Format::Flyway) else { continue };
        let earlier = match versioned.letter {
            'V' => ups.insert(key, (file, versioned)).map(|(file, _)| file),
            'U' => undos.insert(key, file),
            _ => {
                found
                    .refuse(&file.path, "it is a baseline, which replaces the migrations before it; move it elsewhere");
                None
            }
        };
        if let Some(earlier) = earlier {
            found.refuse(&file.path, format!("{} has the same version", earlier.path));
        }
    }
    for (key, (file, versioned)) in ups {
        let down = undos.remove(&key).map(|undo| Half { text: undo.text.clone(), is_bare: is_bare(undo, tree) });
        let up = Half { text: file.text.clone(), is_bare: is_bare(file, tree) };
        found.migrations.push(migration(file, key, &versioned, up, down));
    }
    for undo in undos.into_values() {
        found.refuse(&undo.path, "this undo has no migration of the same version");
    }
    add_repeatable(repeatable, tree, found);
}

/// Flyway runs `R__name.sql` behind every version, by name, and again whenever it is changed. On a new database it runs
/// once, at the end, and that is what a migration behind the others does.
fn add_repeatable(mut repeatable: Vec<(&File, &str)>, tree: &Tree, found: &mut Collection) {
    repeatable.sort_by_key(|(_, name)| *name);
    let versions = found.migrations.iter().map(|migration| migration.digits.as_ref()?.parse::<i64>().ok());
    // Where the versions are no plain numbers, all of them are renumbered.
    let last: Option<i64> = versions.collect::<Option<Vec<i64>>>().map(|all| all.into_iter().max().unwrap_or(0));
    for (at, (file, name)) in (1..).zip(repeatable) {
        let digits = last.and_then(|last| last.checked_add(at)).map(|number| number.to_string());
        found.notes.push(format!(
            "{}: it runs once, after the others; Flyway runs it again whenever it is changed, so write each later change \
             as a new migration",
            file.path
        ));
        found.migrations.push(Foreign {
            origin: file.path.clone(),
            place: Place(vec![u128::MAX], name.to_owned()),
            digits,
            name: name.to_owned(),
            up: Half { text: file.text.clone(), is_bare: is_bare(file, tree) },
            down: None,
            depends: Vec::new(),
        });
    }
}

/// `V1__name.sql` and `U1__name.sql`: for refinery both run, and a U may run out of order.
pub(super) fn refinery(tree: &Tree, found: &mut Collection) {
    let mut ups: BTreeMap<Vec<u128>, (&File, Versioned)> = BTreeMap::new();
    for file in &tree.files {
        let Some((versioned, key)) = versioned(file, found, Format::Refinery) else { continue };
        if versioned.digits().is_none() || versioned.letter == 'B' {
            found.refuse(&file.path, not_of(Format::Refinery));
            continue;
        }
        if let Some((earlier, _)) = ups.insert(key, (file, versioned)) {
            found.refuse(&file.path, format!("{} has the same version", earlier.path));
        }
    }
    for (key, (file, versioned)) in ups {
        let up = Half { text: file.text.clone(), is_bare: false };
        found.migrations.push(migration(file, key, &versioned, up, None));
    }
}

fn versioned(file: &File, found: &mut Collection, format: Format) -> Option<(Versioned, Vec<u128>)> {
    let stem = file.name().strip_suffix(".sql");
    let versioned = stem.and_then(Versioned::parse).and_then(|it| it.key().map(|key| (it, key)));
    if versioned.is_none() {
        found.refuse(&file.path, not_of(format));
    }
    versioned
}

fn migration(file: &File, key: Vec<u128>, versioned: &Versioned, up: Half, down: Option<Half>) -> Foreign {
    Foreign {
        origin: file.path.clone(),
        place: Place(key, file.path.clone()),
        digits: versioned.digits().map(str::to_owned),
        name: versioned.name.clone(),
        up,
        down,
        depends: Vec::new(),
    }
}

/// `V1__name.sql.conf` beside it says so.
fn is_bare(file: &File, tree: &Tree) -> bool {
    let Flag::Beside(ending, wanted) = Format::Flyway.layout().flag else { return false };
    let beside = format!("{}{ending}", file.path);
    let settings = tree.files.iter().find(|file| file.path == beside);
    settings.is_some_and(|settings| has_setting(&settings.text, wanted))
}

/// Whether a line is `key=value`, white space aside.
pub(super) fn has_setting(text: &str, wanted: &str) -> bool {
    let plain = |line: &str| line.split('#').next().unwrap_or_default().split_whitespace().collect::<String>();
    text.lines().any(|line| plain(line).eq_ignore_ascii_case(wanted))
}

/// The name in the first `${…}`.
fn placeholder(text: &str) -> Option<&str> {
    let mut names = text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    names.find(|name| !name.is_empty() && !name.contains('\n'))
}
