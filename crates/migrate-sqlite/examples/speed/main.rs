//! Measures the migrations beside plain SQLite that executes the same files, in one run:
//! `cargo run --release -p longshore-migrate-sqlite --example speed`; `speed PATTERN` takes the layouts of that name.
//!
//! Plain is rusqlite on a file of its own, one transaction a migration. `lint` runs the files on an empty database,
//! `status`, `verify` and `repair` compare a whole one. Each layout is measured at its size and at a quarter of it:
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
