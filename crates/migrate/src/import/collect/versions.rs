//! Flyway's and refinery's `V1__name.sql`.

use std::collections::BTreeMap;

use super::{Collection, Flag, Foreign, Format, Half, Place, Tree, Versioned, not_of};
use crate::import::tree::File;

/// `V1.2__name.sql` with `U1.2__name.sql`, in whichever subdirectory.
pub(super) fn flyway(tree: &Tree, found: &mut Collection) {
    let mut undos: BTreeMap<Vec<u128>, &File> = BTreeMap::new();
    let mut ups: BTreeMap<Vec<u128>, (&File, Versioned)> = BTreeMap::new();
    for file in &tree.files {
        if file.name().ends_with(".sql.conf") {
            continue;
        }
        let Some((versioned, key)) = versioned(file, found, Format::Flyway) else { continue };
        if has_placeholder(&file.text) {
            found.refuse(&file.path, "Flyway puts a value in place of `${…}` in it; write the value there");
        }
        let earlier = match versioned.letter {
            'V' => ups.insert(key, (file, versioned)).map(|(file, _)| file),
            'U' => undos.insert(key, file),
            _ => {
                found.refuse(
                    &file.path,
                    "it is a baseline, which stands for the migrations before it; move it elsewhere",
                );
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
    if stem.is_some_and(|stem| stem.starts_with("R__")) {
        found.refuse(
            &file.path,
            "it is repeatable: it runs again whenever it is changed, which nothing here does; move it elsewhere and \
             write its SQL as a migration after the others",
        );
        return None;
    }
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

fn has_placeholder(text: &str) -> bool {
    text.split("${")
        .skip(1)
        .any(|rest| rest.split('}').next().is_some_and(|name| !name.is_empty() && !name.contains('\n')))
}
