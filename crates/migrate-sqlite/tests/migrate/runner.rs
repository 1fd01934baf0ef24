//! A runner in a process of its own: this test binary started again, told by its environment what to do.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use longshore_migrate::{
    Migrator, RunRequest,
    target::{Progress, Target},
};
use longshore_migrate_sqlite::{Access, SqliteTarget};

use crate::support::{Database, adopt_now, longshore, repair_now};

const DATABASE: &str = "LONGSHORE_TEST_DATABASE";
const COMMAND: &str = "LONGSHORE_TEST_COMMAND";
const PAUSE_BEFORE: &str = "LONGSHORE_TEST_PAUSE_BEFORE";
const ANSWER: &str = "runner: ";

/// A runner that was started.
pub(crate) struct Runner(Child, BufReader<ChildStdout>);

impl Runner {
    /// Starts `up`, `repair`, `adopt` or `give_back`; with `pause_before` it stops forever before that statement,
    /// counted from 0.
    pub(crate) fn start(database: &Database, command: &str, pause_before: Option<usize>) -> Self {
        let mut program = Command::new(env::current_exe().unwrap());
        program.args(["--exact", "runner::does_what_its_environment_says", "--nocapture"]);
        program.env(DATABASE, &database.path).env(COMMAND, command).stdout(Stdio::piped());
        if let Some(at) = pause_before {
            program.env(PAUSE_BEFORE, at.to_string());
        }
        let mut child = program.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        Self(child, BufReader::new(stdout))
    }

    /// What it says: "paused", or the number of statements that it ran.
    pub(crate) fn answer(&mut self) -> String {
        // Borrowed, so that the pipe stays open: the runner still has its summary to write.
        let mut lines = self.1.by_ref().lines().map(Result::unwrap);
        let answer = lines.find_map(|line| Some(line.split_once(ANSWER)?.1.to_owned()));
        answer.expect("the runner failed")
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}

#[test]
fn does_what_its_environment_says() {
    let Ok(path) = env::var(DATABASE) else { return };
    let pause_before: Option<usize> = env::var(PAUSE_BEFORE).ok().map(|word| word.parse().unwrap());
    let statements = Arc::new(AtomicUsize::new(0));
    let seen = statements.clone();
    let mut target = SqliteTarget::open(path, Access::Write).unwrap();
    target.watch(Arc::new(move |progress: &Progress| {
        if !matches!(progress, Progress::Statement { .. }) {
            return;
        }
        if Some(seen.fetch_add(1, Ordering::SeqCst)) == pause_before {
            say("paused");
            loop {
                thread::park();
            }
        }
    }));
    let mut migrator = Migrator::new(Box::new(target), vec![longshore()]);
    match env::var(COMMAND).as_deref() {
        Ok("repair") => drop(migrator.repair(&repair_now()).unwrap()),
        Ok("adopt") => drop(migrator.adopt(&adopt_now()).unwrap()),
        Ok("give_back") => drop(migrator.give_back(&adopt_now().mode).unwrap()),
        _ => drop(migrator.up(&RunRequest::default()).unwrap()),
    }
    say(&statements.load(Ordering::SeqCst).to_string());
}

fn say(answer: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{ANSWER}{answer}").unwrap();
    out.flush().unwrap();
}
