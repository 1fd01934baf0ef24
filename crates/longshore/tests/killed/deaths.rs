use std::path::Path;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use longshore::rusqlite::Connection;

/// How long processes are killed, at most. After that, the rest is run without kills.
const TROUBLE: Duration = Duration::from_secs(8);
/// The steps of attempts after which a process has killed itself, at most. Each test has over a hundred of them, so that
/// processes die often enough whatever the dice say.
const STEPS_MAX: u32 = 20;
/// Fewer deaths would mean nothing.
const DEATHS_MIN: u32 = 5;

/// The step at which this process kills itself, counted down.
static STEPS_LEFT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(fastrand::u32(1..=STEPS_MAX)));

/// When a worker may kill itself.
#[derive(Clone, Copy)]
pub(crate) enum Mood {
    Suicidal,
    Calm,
}

pub(crate) fn may_die(mood: Mood) {
    if matches!(mood, Mood::Suicidal) && STEPS_LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        signal_hook::low_level::raise(9).unwrap();
    }
}

/// Starts one worker after the other until all is done or the time is over. Each kills itself or is killed.
pub(crate) fn kill_workers(command: &str, path: &Path) {
    let mut deaths = 0;
    let begun = Instant::now();
    while begun.elapsed() < TROUBLE {
        let mut child = WorkerProcess::start(command, path);
        let killed_at = Instant::now() + Duration::from_millis(fastrand::u64(100..800));
        let ended = loop {
            if let Some(ended) = child.0.try_wait().unwrap() {
                break ended;
            }
            if Instant::now() >= killed_at {
                child.0.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(5));
        };
        if ended.success() {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= DEATHS_MIN, "only {deaths} workers died: too few to mean anything");
}

struct WorkerProcess(Child);

impl WorkerProcess {
    fn start(command: &str, path: &Path) -> Self {
        Self(Command::new(std::env::current_exe().unwrap()).arg(command).arg(path).spawn().unwrap())
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // Both fail if it has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(60)).unwrap();
    connection
}
