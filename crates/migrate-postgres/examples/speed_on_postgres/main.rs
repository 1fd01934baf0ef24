//! Measures the migrations beside plain statements that run the same files, in one run, on a throw-away server:
//! `cargo run --release -p longshore-migrate-postgres --example speed_on_postgres`. With a pattern it takes the layouts of
//! that name, and with `PATTERN status,verify` those commands alone.
//!
//! Plain is tokio-postgres, one transaction and one round trip a migration. Time is what passes, because most of it is
//! spent by the server. Each layout is measured at its size and at a quarter of it: where a cost is linear the two
//! ratios are alike.
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
}
