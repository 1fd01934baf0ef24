//! Every behaviour of the suite is in its list.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const NOT_BEHAVIOURS: [&str; 2] = ["list.rs", "world.rs"];

#[test]
fn every_behaviour_is_a_test_of_every_backend() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/suite");
    let list = fs::read_to_string(folder.join("list.rs")).unwrap();
    let listed: BTreeSet<&str> = list.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let mut written = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if NOT_BEHAVIOURS.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for line in source.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
            let name = line.split('<').next().unwrap();
            assert!(listed.contains(name), "{name} is missing in list.rs");
            written += 1;
        }
    }
    assert!(written >= 100, "only {written} behaviours were found: is this still where they are?");
}
