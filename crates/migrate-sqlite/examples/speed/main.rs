//! Measures the migrations beside plain SQLite that executes the same files, in one run:
//! `cargo run --release -p longshore-migrate-sqlite --example speed`; `speed PATTERN` takes the layouts of that name,
//! and `speed PATTERN lint,up` those commands alone.
//!
//! Plain is rusqlite, one transaction a migration: `up` is compared with a file, everything else with a database in
//! memory. `lint` runs the files there, with their downs and with foreign keys; `status`, `verify` and `repair` run
//! them and compare a whole database; `mend` is a repair after every other index was dropped by hand. Each layout is
//! measured at its size and at a quarter of it: where a cost is linear the two ratios are alike.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and stops when it cannot go on")]

mod layout;
mod rounds;

pub(crate) fn main() {
    let argument = |at| std::env::args().nth(at).unwrap_or_default();
    let (pattern, chosen) = (argument(1), argument(2));
    let commands: Vec<&str> = if chosen.is_empty() { rounds::COMMANDS.to_vec() } else { chosen.split(',').collect() };
    for layout in layout::ALL.iter().filter(|layout| layout.name.contains(&pattern)) {
        rounds::measure(layout, layout.size / 4, &commands);
        rounds::measure(layout, layout.size, &commands);
    }
    println!("at most {} MiB of memory", rounds::memory_mib());
}
