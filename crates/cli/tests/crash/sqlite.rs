//! On SQLite: another program holds the write lock for longer than a lease, and readers of the workers' logs end.

mod sqlite_queue;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::account::Account;
use crate::crew::Crew;
use crate::ledger::Ledger;
use crate::produce::{POISON_EVERY, produce, produce_poison};
use crate::workers::{Toll, Workers, drain};
use crate::{Plan, StopWhenDropped};
use sqlite_queue::SqliteQueue;

const WORKERS: usize = 3;
const PRODUCERS: u64 = 2;

pub(crate) fn run(plan: &Plan) {
    let queue = SqliteQueue::new();
    let (ledger, crew, toll) = (Ledger::default(), Crew::default(), Toll::default());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let (queue, ledger, stop, seed) = (&queue, &ledger, &stop, plan.seed + producer);
            scope.spawn(move || produce(queue, ledger, stop, seed));
        }
        scope.spawn(|| assert_eq!(produce_poison(&queue, &stop, POISON_EVERY), 0, "nobody kills this producer"));
        scope.spawn(|| crew.watch(&queue, &stop));
        let _stop = StopWhenDropped(&stop);
        cause_faults(plan, &queue, &crew, &toll);
    });
    drain(&queue, &crew, &toll);
    toll.print();
    queue.assert_intact();
    Account::new(&queue, &crew).assert_all(&ledger);
}

/// Kills more often than anything else, because a death needs the most cleanup.
fn cause_faults(plan: &Plan, queue: &SqliteQueue, crew: &Crew, toll: &Toll) {
    let mut random = Rng::with_seed(plan.seed ^ 0xdead);
    let mut workers = Workers::start(queue, crew, toll, WORKERS, random.fork());
    let mut outages = 0;
    let begin = Instant::now();
    while begin.elapsed() < plan.span {
        std::thread::sleep(Duration::from_millis(random.u64(200..900)));
        workers.replace_dead();
        let span = Duration::from_millis(random.u64(1200..4000));
        match random.u8(0..10) {
            0 => {
                keep_from_writing(queue, span);
                outages += 1;
            }
            1 => workers.freeze_one(span),
            _ => workers.kill_one(),
        }
    }
    workers.kill_all();
    println!("{outages} write outages");
}

/// Another program holds the write lock for longer than a lease.
fn keep_from_writing(queue: &SqliteQueue, span: Duration) {
    let other = queue.other_program();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::sleep(span);
    other.execute_batch("COMMIT").unwrap();
}
