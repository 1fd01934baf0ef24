//! On PostgreSQL: connections are ended, cut, refused and stalled, servers restart, abort, lose a process and fail over
//! to their replica, become read-only or full of connections, and foreign transactions hold locks and snapshots.
//!
//! Two servers stand behind a proxy each, and every program names both. The primary commits synchronously to its
//! replica (`synchronous_standby_names`): with an asynchronous one a promotion may lose acknowledged jobs by nature.
//! After a promotion a new replica takes the place of the killed server.

mod audit;
mod faults;
mod observer;
mod postgres_queue;
mod producers;
mod servers;
mod worker_program;

use std::sync::atomic::AtomicBool;

use fastrand::Rng;

use crate::account::Account;
use crate::crew::Crew;
use crate::ledger::Ledger;
use crate::produce::{POISON_EVERY, produce, produce_poison};
use crate::workers::{Toll, drain};
use crate::{Plan, StopWhenDropped};
use audit::Audit;
use faults::Faults;
use postgres_queue::PostgresQueue;
use producers::{LateFigures, produce_batches, produce_late};
pub(crate) use worker_program::{WORKER, run_worker};

/// How many transactions at a time commit seconds after later ids.
const LATE_PRODUCERS: u64 = 2;

pub(crate) fn run(plan: &Plan) {
    let queue = PostgresQueue::new();
    let (ledger, crew, toll, late) = (Ledger::default(), Crew::default(), Toll::default(), LateFigures::default());
    let stop = AtomicBool::new(false);
    let faults = Faults::new(&queue, &ledger);
    std::thread::scope(|scope| {
        let (queue, ledger, stop, late) = (&queue, &ledger, &stop, &late);
        scope.spawn(move || produce(queue, ledger, stop, plan.seed));
        scope.spawn(move || produce_batches(queue, ledger, stop, Rng::with_seed(plan.seed ^ 0xba7c)));
        for producer in 0..LATE_PRODUCERS {
            let random = Rng::with_seed(plan.seed ^ 0x1a7e ^ producer);
            scope.spawn(move || produce_late(queue, ledger, stop, late, random));
        }
        scope.spawn(|| produce_poison(queue, stop, POISON_EVERY));
        scope.spawn(|| crew.watch(queue, stop));
        let _stop = StopWhenDropped(stop);
        faults.cause(plan, &crew, &toll);
    });
    drain(&queue, &crew, &toll);
    faults.print();
    toll.print();
    late.print();
    faults.assert_every_kind_happened();
    late.assert_some();
    let account = Account::new(&queue, &crew);
    account.assert_all(&ledger);
    Audit::new(&queue, &account).assert_all();
}
