//! The first opening of a database, by several processes and by some that are killed. The test binary is also the
//! program that opens it.

#![allow(clippy::unwrap_used, reason = "tests of a harness of their own are not seen as tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use longshore::{JobData, NewJob, OutsideCause, Queue, QueueError, Status, StoreError, rusqlite};

/// Makes this program open a queue and exit.
const OPEN: &str = "open-queue";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(OPEN) {
        Queue::open_blocking(&arguments.next().unwrap()).unwrap();
        return ExitCode::SUCCESS;
    }
    let trials: [(&str, fn()); 7] = [
        ("processes_killed_at_the_first_opening_leave_a_database_that_opens", killed),
        ("several_processes_that_open_at_once_make_one_database", at_once),
        ("the_database_has_the_permissions_that_the_umask_leaves", umask),
        ("a_link_to_nothing_makes_the_file_that_it_leads_to", dangling_link),
        ("another_executor_than_tokio_may_await_the_opening", foreign_executor),
        ("a_missing_folder_is_named_and_not_made", missing_folder),
        ("addresses_that_are_not_understood_make_no_file", not_understood),
    ];
    let trials = trials.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn start(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap()).arg(OPEN).arg(path).spawn().unwrap()
}

/// Opens it in this process, and works with it.
fn assert_usable(path: &Path) {
    let queue = Queue::open_blocking(path.to_str().unwrap()).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let id = queue.enqueue_job_blocking(NewJob::new("any", JobData::default())).unwrap().id;
    assert_eq!(queue.job_blocking(id).unwrap().unwrap().job.status, Status::Pending);
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// What a file may contain before it has the queue's tables.
const BEFORE: [fn(&Path); 3] = [
    |_| {},
    |path| fs::write(path, "").unwrap(),
    |path| {
        let application = rusqlite::Connection::open(path).unwrap();
        application.execute_batch("CREATE TABLE songs (id INTEGER PRIMARY KEY); INSERT INTO songs VALUES (7)").unwrap();
    },
];

fn killed() {
    let folder = tempfile::tempdir().unwrap();
    let whole = opening_takes(folder.path());
    let mut interrupted = 0;
    for round in 0..18 {
        let path = folder.path().join(format!("{round}.db"));
        BEFORE[round % 3](&path);
        for _ in 0..3 {
            let mut child = start(&path);
            thread::sleep(whole.mul_f64(fastrand::f64()));
            child.kill().unwrap();
            interrupted += usize::from(!child.wait().unwrap().success());
        }
        assert_usable(&path);
        if round % 3 == 2 {
            let application = rusqlite::Connection::open(&path).unwrap();
            let song: i64 = application.query_row("SELECT id FROM songs", [], |row| row.get(0)).unwrap();
            assert_eq!(song, 7);
        }
        let strangers: Vec<String> = names(folder.path())
            .into_iter()
            .filter(|name| name.contains("longshore") || name.ends_with("-journal"))
            .collect();
        assert!(strangers.is_empty(), "{strangers:?}");
    }
    assert!(interrupted > 5, "only {interrupted} openings were interrupted");
}

fn opening_takes(folder: &Path) -> Duration {
    let begun = Instant::now();
    assert!(start(&folder.join("whole.db")).wait().unwrap().success());
    begun.elapsed()
}

fn at_once() {
    let folder = tempfile::tempdir().unwrap();
    for (at, prepare) in BEFORE.into_iter().enumerate() {
        let path = folder.path().join(format!("{at}.db"));
        prepare(&path);
        let children: Vec<Child> = (0..6).map(|_| start(&path)).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success(), "{path:?}");
        }
        assert_usable(&path);
    }
}

fn umask() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let program = std::env::current_exe().unwrap();
    let script = "umask 027; exec \"$0\" \"$@\"";
    let mut child = Command::new("sh").args(["-c", script]).arg(program).arg(OPEN).arg(&path).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.mode() & 0o777, found.nlink()), (0o640, 1));
}

fn dangling_link() {
    let folder = tempfile::tempdir().unwrap();
    let (link, file) = (folder.path().join("link.db"), folder.path().join("elsewhere.db"));
    symlink("elsewhere.db", &link).unwrap();
    assert_usable(&link);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_usable(&file);
    let queue = Queue::open_blocking(link.to_str().unwrap()).unwrap();
    assert!(queue.job_blocking(longshore::JobId(2)).unwrap().is_some(), "both names are one queue");
    assert!(!names(folder.path()).iter().any(|name| name.starts_with("link.db-")), "{:?}", names(folder.path()));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// An executor without Tokio.
fn foreign_executor() {
    let folder = tempfile::tempdir().unwrap();
    let mut opening = std::pin::pin!(Queue::open(folder.path().join("a.db").display().to_string()));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let queue = loop {
        match opening.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(opened) => break opened.unwrap(),
            Poll::Pending => thread::park(),
        }
    };
    queue.enqueue_job_blocking(NewJob::new("any", JobData::default())).unwrap();
}

fn missing_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("no/such/a.db");
    let refused = Queue::open_blocking(path.to_str().unwrap()).unwrap_err();
    assert!(matches!(refused, QueueError::Store(StoreError::Outside(OutsideCause::NoFolder { .. }))), "{refused:?}");
    assert!(refused.to_string().contains("there is no folder"), "{refused}");
    assert!(names(folder.path()).is_empty());
}

fn not_understood() {
    let folder = tempfile::tempdir().unwrap();
    std::env::set_current_dir(folder.path()).unwrap();
    for url in ["postgres:app", "file:app.db", ":memory:", "sqlite:a.db?mode=ro", "odd:a"] {
        assert!(matches!(Queue::open_blocking(url), Err(QueueError::InvalidUrl(_))), "{url}");
    }
    assert!(names(folder.path()).is_empty());
    Queue::open_blocking("sqlite:z.db?mode=rwc").unwrap();
    assert!(names(folder.path()).contains(&"z.db".to_owned()));
    std::env::set_current_dir("/").unwrap();
}
