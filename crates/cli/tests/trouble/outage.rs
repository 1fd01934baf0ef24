//! A worker that cannot write is not dead.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::TransactionBehavior;

use crate::harbour::{Harbour, Worker, until};

/// Much longer than the lease of one second, and longer than a worker waits for a lock.
const OUTAGE: Duration = Duration::from_secs(13);
const JOBS: i64 = 4;

/// Workers that run two jobs each, all of them started.
fn busy(harbour: &Harbour, workers: usize) -> Vec<Worker> {
    (0..JOBS).for_each(|_| harbour.enqueue("work"));
    (0..workers).map(|_| harbour.worker("work")).collect()
}

fn the_lock_is_held_by_another_program(workers: usize) {
    let harbour = Harbour::new();
    let mut workers = busy(&harbour, workers);
    let begun = 2 * workers.len();
    until("the jobs run", || harbour.lines("began").len() == begun);

    let mut connection = harbour.connection();
    let lock = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    harbour.let_jobs_end();
    until("they have ended", || harbour.lines("ended").len() >= begun);
    std::thread::sleep(OUTAGE);
    assert_eq!(harbour.lines("began").len(), begun, "nothing was claimed");
    lock.commit().unwrap();

    harbour.assert_all_completed_once(JOBS);
    assert!(workers.iter_mut().all(|worker| !worker.has_ended()));
}

#[test]
fn one_worker_keeps_its_outcomes_while_another_program_holds_the_lock() {
    the_lock_is_held_by_another_program(1);
}

#[test]
fn two_workers_keep_their_outcomes_while_another_program_holds_the_lock() {
    the_lock_is_held_by_another_program(2);
}

/// A file system of one megabyte.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path) -> Self {
        fs::create_dir(folder).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(folder).output().unwrap();
        // Without a full disk the test would prove nothing.
        assert!(mounted.status.success(), "this test mounts a small tmpfs and must run as root: {mounted:?}");
        Self(folder.to_owned())
    }

    fn fill(&self) {
        use std::io::Write;
        let mut file = fs::File::create(self.0.join("fill")).unwrap();
        while file.write_all(&[1; 1024]).is_ok() {}
        assert!(fs::write(self.0.join("more"), [1; 8192]).is_err(), "it is full");
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("fill")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because the test's own connections may still be open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn the_disk_is_full(workers: usize) {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&folder.path().join("disk"));
    let harbour = Harbour::with_database_in(&folder.path().join("disk"));
    let mut workers = busy(&harbour, workers);
    let begun = 2 * workers.len();
    until("the jobs run", || harbour.lines("began").len() == begun);

    disk.fill();
    harbour.let_jobs_end();
    until("they have ended", || harbour.lines("ended").len() >= begun);
    std::thread::sleep(OUTAGE);
    disk.make_room();

    harbour.assert_all_completed_once(JOBS);
    let logs: Vec<String> = workers.iter().map(Worker::log).collect();
    assert!(workers.iter_mut().all(|worker| !worker.has_ended()), "{logs:?}");
    assert!(logs.iter().any(|log| log.contains("there is no space left")), "the outage was none: {logs:?}");
    drop(workers);
}

#[test]
fn one_worker_keeps_its_outcomes_while_the_disk_is_full() {
    the_disk_is_full(1);
}

#[test]
fn two_workers_keep_their_outcomes_while_the_disk_is_full() {
    the_disk_is_full(2);
}
