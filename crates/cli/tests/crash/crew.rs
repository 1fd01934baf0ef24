use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::crashed_queue::CrashedQueue;

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
    pub(crate) fn watch(&self, queue: &dyn CrashedQueue, stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            self.pids.lock().unwrap().extend(queue.workers());
            std::thread::sleep(Duration::from_millis(20));
        }
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
#[derive(Clone, Debug)]
pub(crate) enum LogReader {
    /// Nobody reads it.
    Null,
    /// A full disk.
    Full,
    /// A reader that ends after the first lines.
    Leaves,
    /// A file.
    File(PathBuf),
}

/// The process of one worker.
pub(crate) struct WorkerProcess {
    child: Child,
    log: LogReader,
}

/// How a worker ended that nobody else has killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// A job killed it.
    Killed,
    /// It found no database when it started.
    NeverBegan,
}

impl WorkerProcess {
    pub(crate) fn spawn(mut command: Command, log: LogReader) -> Self {
        command.stdout(Stdio::null());
        match &log {
            LogReader::Null => {}
            LogReader::Full => {
                command.stderr(File::options().write(true).open("/dev/full").unwrap());
            }
            LogReader::Leaves => {
                command.stderr(Stdio::piped());
            }
            LogReader::File(path) => {
                command.stderr(File::create(path).unwrap());
            }
        }
        let mut child = command.spawn().unwrap();
        if let Some(log) = child.stderr.take() {
            // The thread ends with the second line or with the worker, whichever comes first.
            std::thread::spawn(move || BufReader::new(log).lines().take(2).for_each(drop));
        }
        Self { child, log }
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

    /// How it ended, if it did. One that had begun may only be killed.
    pub(crate) fn ended(&mut self) -> Option<Ended> {
        let status = self.child.try_wait().unwrap()?;
        if status.signal() == Some(9) {
            return Some(Ended::Killed);
        }
        let log = match &self.log {
            LogReader::File(path) => std::fs::read_to_string(path).unwrap(),
            _ => "registered".to_owned(),
        };
        assert!(!log.contains("registered"), "a worker ended by itself: {status}\n{log}");
        Some(Ended::NeverBegan)
    }

    /// Waits for the end of a worker that was told to stop.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // Only a failed test still has a process. Both calls fail if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
