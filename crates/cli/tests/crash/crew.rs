use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harbour::Harbour;

/// The history of the worker processes, for the check at the end.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    /// Which process registered with which identity.
    pids: Mutex<BTreeMap<String, u32>>,
    killed: Mutex<BTreeSet<u32>>,
    frozen: Mutex<BTreeSet<u32>>,
}

impl Crew {
    /// Records registrations often enough that no worker dies unnoticed: a row disappears only when its jobs are taken.
    pub(crate) fn watch(&self, harbour: &Harbour, stop: &AtomicBool) {
        let database = harbour.database();
        while !stop.load(Ordering::SeqCst) {
            self.note_workers(&database);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn note_workers(&self, database: &rusqlite::Connection) {
        let mut select = database.prepare_cached("SELECT worker_id, pid FROM job_workers").unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        self.pids.lock().unwrap().extend(rows.map(Result::unwrap));
    }

    pub(crate) fn note_killed(&self, pid: u32) {
        self.killed.lock().unwrap().insert(pid);
    }

    pub(crate) fn note_frozen(&self, pid: u32) {
        self.frozen.lock().unwrap().insert(pid);
    }

    pub(crate) fn was_killed(&self, worker_id: &str) -> bool {
        self.is_among(worker_id, &self.killed)
    }

    pub(crate) fn was_frozen(&self, worker_id: &str) -> bool {
        self.is_among(worker_id, &self.frozen)
    }

    fn is_among(&self, worker_id: &str, pids: &Mutex<BTreeSet<u32>>) -> bool {
        let pid = self.pids.lock().unwrap().get(worker_id).copied();
        pid.is_some_and(|pid| pids.lock().unwrap().contains(&pid))
    }
}

/// Where the log of a worker goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LogReader {
    /// Nobody reads it.
    Null,
    /// A full disk.
    Full,
    /// A reader that ends after the first lines.
    Leaves,
}

/// The process of one worker.
pub(crate) struct WorkerProcess {
    child: Child,
}

impl WorkerProcess {
    pub(crate) fn spawn(harbour: &Harbour, concurrency: u32, reader: LogReader) -> Self {
        let concurrency = concurrency.to_string();
        let mut command = harbour.command(&["-v", "work", "--concurrency", &concurrency]);
        command.stdout(Stdio::null());
        match reader {
            LogReader::Null => {}
            LogReader::Full => {
                command.stderr(File::options().write(true).open("/dev/full").unwrap());
            }
            LogReader::Leaves => {
                command.stderr(Stdio::piped());
            }
        }
        let mut child = command.spawn().unwrap();
        if let Some(log) = child.stderr.take() {
            // The thread ends with the second line or with the worker, whichever comes first.
            std::thread::spawn(move || BufReader::new(log).lines().take(2).for_each(drop));
        }
        Self { child }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Whether a job has killed it. Nothing else may end a worker.
    pub(crate) fn is_dead(&mut self) -> bool {
        let Some(status) = self.child.try_wait().unwrap() else { return false };
        assert_eq!(status.signal(), Some(9), "a worker ended by itself: {status}");
        true
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // Only a failed test still has a process. Both calls fail if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
