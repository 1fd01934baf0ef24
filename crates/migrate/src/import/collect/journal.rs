//! Drizzle's journal, and its newer directories without one.

use serde::Deserialize;

use super::{Collection, Foreign, Format, Half, Place, Tree, leading_number, not_of};
use crate::import::tree::File;

#[derive(Deserialize)]
struct Journal {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    tag: String,
}

const JOURNAL: &str = "meta/_journal.json";

pub(super) fn drizzle(tree: &Tree, found: &mut Collection) {
    let order = match tree.settings.get(JOURNAL).map(|text| serde_json::from_str::<Journal>(text)) {
        None => None,
        Some(Ok(journal)) => Some(journal.entries.into_iter().map(|entry| entry.tag).collect::<Vec<_>>()),
        Some(Err(error)) => {
            found.refuse(JOURNAL, format!("it cannot be read: {error}"));
            return;
        }
    };
    let mut tags = Vec::new();
    for file in &tree.files {
        // The newer form has a directory with a snapshot for each migration.
        if file.name() == "snapshot.json" && !file.directory().is_empty() {
            continue;
        }
        let Some(tag) = tag(file) else {
            found.refuse(&file.path, not_of(Format::Drizzle));
            continue;
        };
        let at = match &order {
            None => 0,
            Some(order) => match order.iter().position(|listed| listed == tag) {
                Some(at) => at,
                None => {
                    found.refuse(&file.path, format!("{JOURNAL} does not list it, so Drizzle does not run it"));
                    continue;
                }
            },
        };
        tags.push(tag);
        found.migrations.push(migration(file, tag, at));
    }
    for missing in order.iter().flatten().filter(|tag| !tags.contains(&tag.as_str())) {
        found.refuse(JOURNAL, format!("it lists {missing}, which has no file"));
    }
}

fn tag(file: &File) -> Option<&str> {
    if file.directory().is_empty() {
        return file.path.strip_suffix(".sql");
    }
    (file.name() == "migration.sql" && !file.directory().contains('/')).then(|| file.directory())
}

fn migration(file: &File, tag: &str, at: usize) -> Foreign {
    let (digits, name) = leading_number(tag);
    Foreign {
        origin: file.path.clone(),
        place: Place(vec![u128::try_from(at).unwrap_or(u128::MAX)], tag.to_owned()),
        digits: digits.map(str::to_owned),
        name: name.to_owned(),
        up: Half { text: file.text.clone(), is_bare: false },
        down: None,
        depends: Vec::new(),
    }
}
