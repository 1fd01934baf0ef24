//! A migrated database, made by the first test that needs one and copied by all others: each test is a process, and
//! most of its time would be spent on the migrations.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use std::{env, fs, process};

use longshore_sqlite::schema;

/// Creates a migrated database at this path.
pub(crate) fn create_migrated(path: &Path) {
    fs::copy(template(), path).expect("the folder is there");
}

/// Tests that begin at the same time may each make one. The last rename wins, and all of them are alike.
fn template() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let template = folder.join(format!("migrated-{}.db", age_of_this_program()));
    if !template.exists() {
        let made = folder.join(format!("making-{}.db", process::id()));
        schema::latest_up(&made).expect("the released migrations apply to an empty file");
        fs::rename(made, &template).expect("the folder is there");
    }
    template
}

/// A program that was built anew may have other migrations.
fn age_of_this_program() -> u128 {
    let built = env::current_exe().and_then(fs::metadata).and_then(|file| file.modified());
    built.expect("the program is a file").duration_since(UNIX_EPOCH).expect("it is younger than 1970").as_nanos()
}
