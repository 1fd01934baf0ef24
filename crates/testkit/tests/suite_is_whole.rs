//! Every behaviour of the suite is in its list.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_behaviour_is_a_test_of_every_backend() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/suite");
    let list = fs::read_to_string(folder.join("list.rs")).unwrap();
    let listed: BTreeSet<&str> = list.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let mut written = 0;
    for path in entries(&folder).iter().filter(|path| path.is_dir()).flat_map(|room| entries(room)) {
        let source = fs::read_to_string(&path).unwrap();
        for line in source.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
            let name = line.split('<').next().unwrap();
            assert!(listed.contains(name), "{name} is missing in list.rs");
            written += 1;
        }
    }
    assert!(written >= 100, "only {written} behaviours were found: is this still where they are?");
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
