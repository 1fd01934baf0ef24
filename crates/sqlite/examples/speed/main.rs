//! Measures the store and raw SQLite in one run: `cargo run --release -p longshore-sqlite --example speed`.
//!
//! Raw is rusqlite with prepared statements on one thread, the same columns and the same claim index, but without
//! CHECKs, other indexes and counts. Rounds of both alternate and medians are compared, because the machine may be
//! busy. `speed PATTERN` runs only the measurements whose name contains the pattern.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and stops when it cannot go on")]

mod idle;
mod raw;
mod rounds;
mod store;

use rounds::Rounds;

fn main() {
    let pattern = std::env::args().nth(1).unwrap_or_default();
    let is_wanted = |name: &str| name.contains(&pattern);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if is_wanted("enqueue_1") {
        let mut rounds = Rounds::new("enqueue_1 / raw insert_1", 0.9);
        rounds.run(7, || raw::insert(2000, 1), || runtime.block_on(store::enqueue(2000, 1)));
    }
    if is_wanted("enqueue_1") {
        let mut rounds = Rounds::new("enqueue_1 / plain INSERT by another program", 1.0);
        rounds.run(7, || raw::insert_into(&store::File::new(), 2000), || runtime.block_on(store::enqueue(2000, 1)));
    }
    if is_wanted("enqueue_64") {
        let mut rounds = Rounds::new("enqueue_64 / raw insert_1", 15.0);
        rounds.run(5, || raw::insert(2000, 1), || runtime.block_on(store::enqueue(30_000, 64)));
    }
    if is_wanted("bulk") {
        let mut rounds = Rounds::new("bulk / raw insert_1000", 0.6);
        rounds.run(5, || raw::insert(100_000, 1000), || runtime.block_on(store::bulk(100_000)));
    }
    if is_wanted("drain") {
        let mut rounds = Rounds::new("drain / raw lifecycle of 1000", 0.75);
        rounds.run(5, || raw::drain(50_000, 1000), || runtime.block_on(store::drain(50_000, store::Burden::None)));
    }
    if is_wanted("drain") {
        let mut rounds = Rounds::new("drain, claiming ahead / raw lifecycle", 0.75);
        rounds.run(5, || raw::drain(50_000, 1000), || runtime.block_on(store::drain_ahead(50_000)));
    }
    if is_wanted("burden") {
        burdened(&runtime, "drain with 2,000,000 waiting / drain", store::Burden::Waiting);
        burdened(&runtime, "drain with 2,000,000 ended / drain", store::Burden::Ended);
    }
    if is_wanted("latency") {
        runtime.block_on(idle::latency());
    }
    if is_wanted("idle") {
        runtime.block_on(idle::cost());
    }
}

fn burdened(runtime: &tokio::runtime::Runtime, name: &'static str, burden: store::Burden) {
    let file = store::prepare(burden, 2_000_000);
    let mut rounds = Rounds::new(name, 0.9);
    let light = store::prepare(store::Burden::None, 0);
    rounds.run(
        5,
        || runtime.block_on(store::drain_in(&light, 50_000)),
        || runtime.block_on(store::drain_in(&file, 50_000)),
    );
}
