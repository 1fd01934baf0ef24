//! The examples run to their end; what they show, they assert themselves.

#[path = "../examples/code_migration.rs"]
mod code_migration;
#[path = "../examples/library.rs"]
mod library;

#[test]
fn an_application_without_a_queue_migrates_notices_repairs_and_goes_back() {
    library::main().unwrap();
}

#[test]
fn a_code_migration_replaces_a_table_that_others_refer_to() {
    code_migration::main().unwrap();
}
