//! Measures the migrations beside plain SQLite that executes the same files, in one run:
//! `cargo run --release -p longshore-migrate-sqlite --example speed`; `speed PATTERN` takes the layouts of that name.
//!
//! Plain is rusqlite, one transaction a migration: `up` is compared with a file, everything else with a database in
//! memory. `lint` runs the files there twice, with downs and foreign keys the second time; `status`, `verify` and `repair`
//! run them once and compare a whole database. Each layout is measured at its size and at a quarter of it:
//! where a cost is linear the two ratios are alike.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and stops when it cannot go on")]

mod layout;
mod rounds;

pub(crate) fn main() {
    let pattern = std::env::args().nth(1).unwrap_or_default();
    for layout in layout::ALL.iter().filter(|layout| layout.name.contains(&pattern)) {
        rounds::measure(layout, layout.size / 4);
        rounds::measure(layout, layout.size);
    }
    println!("at most {} MiB of memory", rounds::memory_mib());
}
