//! The reader of files under random texts and names.

use crate::files_fuzz::FilesFuzz;

#[test]
fn random_files_are_read_or_told_and_cut_where_sqlite_cuts_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut fuzz = FilesFuzz::new(20_250_628);
    for _ in 0..60 {
        for _ in 0..50 {
            fuzz.read_one();
        }
        fuzz.read_directory(folder.path());
    }
    assert!(fuzz.figures.compared > 100, "{:?}", fuzz.figures);
}
