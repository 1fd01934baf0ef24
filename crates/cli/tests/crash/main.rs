//! Real processes with every kind of fault at once: producers and workers die by SIGKILL, workers are frozen for longer
//! than their lease, another program holds the write lock for longer than a lease, readers of the workers' logs end,
//! and some jobs kill their worker. At the end every acknowledged job has run and ended, and no job was charged a crash
//! that did not happen.
//!
//! `LONGSHORE_CRASH_SECONDS` makes the run longer, `LONGSHORE_SEED` repeats its choices.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by unwrap and prints its figures")]

mod account;
mod crew;
mod faults;
mod harbour;
mod produce;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use account::Account;
use faults::Faults;
use harbour::Harbour;
use produce::{POISON_EVERY, PRODUCERS, produce, produce_poison};

#[test]
fn nothing_is_lost_or_wrongly_charged_though_processes_are_killed_frozen_and_kept_from_writing() {
    let harbour = Harbour::new();
    let seed = number_from("LONGSHORE_SEED").unwrap_or(68);
    let seconds = number_from("LONGSHORE_CRASH_SECONDS").unwrap_or(120);
    println!("seed {seed}, {seconds} seconds");

    let acknowledged = Mutex::new(BTreeSet::new());
    let stop = AtomicBool::new(false);
    let faults = Faults::new(&harbour, seed);
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let (harbour, acknowledged, stop) = (&harbour, &acknowledged, &stop);
            scope.spawn(move || produce(harbour, acknowledged, stop, seed + producer));
        }
        scope.spawn(|| produce_poison(&harbour, &stop, POISON_EVERY));
        scope.spawn(|| faults.crew().watch(&harbour, &stop));
        let _stop = StopWhenDropped(&stop);
        faults.run(Duration::from_secs(seconds));
    });
    faults.drain();

    let acknowledged = acknowledged.into_inner().unwrap();
    println!("{} jobs were acknowledged", acknowledged.len());
    faults.print();
    assert!(acknowledged.len() > 20, "too few jobs to mean anything");
    let account = Account::new(&harbour, faults.crew());
    account.assert_sound();
    account.assert_nothing_is_lost(&acknowledged);
    account.assert_nothing_is_wrongly_charged();
    account.assert_every_poison_is_given_up();
}

/// Ends the other threads also when this one panics. Otherwise the scope would wait for them for ever.
struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
