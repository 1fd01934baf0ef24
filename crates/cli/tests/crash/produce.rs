use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harbour::Harbour;

pub(crate) const PRODUCERS: u64 = 2;
pub(crate) const POISON_EVERY: Duration = Duration::from_secs(12);

/// Enqueues one job after another, each in a new process. Every fourth process is killed at a random time.
pub(crate) fn produce(harbour: &Harbour, acknowledged: &Mutex<BTreeSet<i64>>, stop: &AtomicBool, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    while !stop.load(Ordering::SeqCst) {
        let mut child = harbour.command(&["enqueue", "note", "{}"]).stdout(Stdio::piped()).spawn().unwrap();
        if random.u8(0..4) == 0 {
            std::thread::sleep(Duration::from_micros(random.u64(0..12_000)));
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        if let Ok(id) = printed.trim().parse() {
            acknowledged.lock().unwrap().insert(id);
        }
    }
}

/// Enqueues a job that kills its worker at intervals.
pub(crate) fn produce_poison(harbour: &Harbour, stop: &AtomicBool, every: Duration) {
    while !stop.load(Ordering::SeqCst) {
        let enqueued = harbour.command(&["enqueue", "poison", "{}"]).stdout(Stdio::null()).status().unwrap();
        assert!(enqueued.success(), "nobody kills this producer");
        let begun = Instant::now();
        while begun.elapsed() < every && !stop.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
