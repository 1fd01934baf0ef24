use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::crashed_queue::CrashedQueue;
use crate::ledger::{Expected, Ledger};

pub(crate) const POISON_EVERY: Duration = Duration::from_secs(12);

/// Enqueues one job after another, each in a new process. Every fourth process is killed at a random time.
pub(crate) fn produce(queue: &dyn CrashedQueue, ledger: &Ledger, stop: &AtomicBool, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    while !stop.load(Ordering::SeqCst) {
        let mut child = queue.command(&["enqueue", "note", "{}"]).stdout(Stdio::piped()).spawn().unwrap();
        if random.u8(0..4) == 0 {
            std::thread::sleep(Duration::from_micros(random.u64(0..12_000)));
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        if let Ok(id) = printed.trim().parse() {
            ledger.note(id, Expected::Marked);
        }
    }
}

/// Enqueues a job that kills its worker at intervals; an enqueue that fails is repeated. Gives how many failed.
pub(crate) fn produce_poison(queue: &dyn CrashedQueue, stop: &AtomicBool, every: Duration) -> u32 {
    let mut failed = 0;
    while !stop.load(Ordering::SeqCst) {
        let enqueued = queue.command(&["enqueue", "poison", "{}"]).stdout(Stdio::null()).status().unwrap();
        failed += u32::from(!enqueued.success());
        let begun = Instant::now();
        while enqueued.success() && begun.elapsed() < every && !stop.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    failed
}
