//! The live screen, through a real pseudo-terminal.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::sandbox::Sandbox;

const ENTER_SCREEN: &str = "\x1b[?1049h";
const LEAVE_SCREEN: &str = "\x1b[?1049l";

/// `longshore top` on a terminal of its own, and after it the settings of that terminal.
struct OnTerminal<'a> {
    sandbox: &'a Sandbox,
    child: Child,
    keys: Option<ChildStdin>,
    told: Arc<Mutex<Vec<u8>>>,
    /// How much of it was waited for.
    seen: usize,
}

impl<'a> OnTerminal<'a> {
    fn start(sandbox: &'a Sandbox, columns: usize, variables: &str) -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_longshore"));
        let top = format!("sh -c 'echo $$ > pid; exec {variables} \"{}\" top'", program.display());
        let line = format!("stty cols {columns} rows 24; {top}; echo \"exit $?\"; stty -a");
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(sandbox.path("")).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("TERM", "xterm");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("\"script\" of Debian's package bsdutils is there");
        let (keys, mut output) = (child.stdin.take(), child.stdout.take().unwrap());
        let told: Arc<Mutex<Vec<u8>>> = Arc::default();
        let read = Arc::clone(&told);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                read.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self { sandbox, child, keys, told, seen: 0 }
    }

    fn told(&self) -> String {
        String::from_utf8_lossy(&self.told.lock().unwrap()).into_owned()
    }

    /// Waits until the terminal has got this text, after the one before. Only cells that change are written, so it must
    /// have no letter in common with what stood there.
    fn await_text(&mut self, text: &str) {
        let place = || self.told()[self.seen..].find(text);
        self.sandbox.until(|| place().is_some());
        self.seen += place().unwrap() + text.len();
    }

    fn press(&mut self, keys: &str) {
        let input = self.keys.as_mut().unwrap();
        input.write_all(keys.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.sandbox.path("pid")).unwrap();
        assert!(Command::new("kill").args(["-s", name, pid.trim()]).status().unwrap().success());
    }

    /// Waits for the end, and asserts that the terminal is as before.
    fn assert_restored(&mut self, exit: &str) {
        self.sandbox.until(|| self.told().contains(" icanon"));
        let told = self.told();
        let left = told.find(LEAVE_SCREEN).unwrap_or_else(|| panic!("{told:?}"));
        let ended = told.find(&format!("exit {exit}")).unwrap_or_else(|| panic!("{told:?}"));
        assert!(left < ended && told[..ended].contains("\x1b[?25h"), "{told:?}");
        assert!(told.contains(" icanon") && told.contains(" echo "), "{told:?}");
    }
}

impl Drop for OnTerminal<'_> {
    fn drop(&mut self) {
        drop(self.keys.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn some_jobs() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.bad]\nrun = [\"sh\", \"-c\", \"echo /ZZYZX/; false\"]\nmax_retries = 0\n");
    sandbox.json(&["enqueue", "bad"]);
    sandbox.json(&["work", "--drain", "-q"]);
    sandbox.json(&["enqueue", "mail", "--queue", "post"]);
    sandbox
}

#[test]
fn jobs_and_queues_are_shown_and_changed_live_and_q_restores_the_terminal() {
    let sandbox = some_jobs();
    let mut top = OnTerminal::start(&sandbox, 80, "");
    top.await_text(ENTER_SCREEN);
    top.await_text("Tab queues");
    sandbox.json(&["enqueue", "zzyzx", "--delay", "1h"]);
    top.await_text("zzyzx");

    // The rows are zzyzx, mail and bad; mail was the first one, and is still selected.
    top.press("c");
    top.await_text("[y/N]");
    top.press("y");
    sandbox.until(|| sandbox.json(&["jobs", "show", "2"])["status"] == "cancelled");
    top.press("jr");
    sandbox.until(|| sandbox.json(&["jobs", "show", "1"])["status"] == "pending");
    top.press("\tp");
    sandbox.until(|| sandbox.json(&["queues"])["queues"][0]["paused_at"].is_string());
    top.press("\tl");
    top.await_text("/ZZYZX/");

    top.press("q");
    top.assert_restored("0");
}

#[test]
fn a_signal_restores_the_terminal() {
    for name in ["TERM", "INT", "HUP"] {
        let sandbox = some_jobs();
        let mut top = OnTerminal::start(&sandbox, 45, "");
        top.await_text("Tab queues");
        top.signal(name);
        top.assert_restored("0");
    }
}

#[test]
fn a_database_that_goes_away_is_told_and_read_again_when_it_is_back() {
    let sandbox = some_jobs();
    let mut top = OnTerminal::start(&sandbox, 80, "");
    top.await_text("Tab queues");
    std::fs::rename(sandbox.path("longshore.db"), sandbox.path("elsewhere.db")).unwrap();
    top.await_text("cannot read: ");
    std::fs::rename(sandbox.path("elsewhere.db"), sandbox.path("longshore.db")).unwrap();
    sandbox.json(&["enqueue", "zzyzx"]);
    top.await_text("zzyzx");
    top.press("\x03");
    top.assert_restored("0");
}

#[test]
fn without_colours_only_weights_are_used() {
    let sandbox = some_jobs();
    let mut top = OnTerminal::start(&sandbox, 80, "env NO_COLOR=1");
    sandbox.until(|| top.told().contains("dead_letter"));
    top.press("q");
    top.assert_restored("0");
    let told = top.told();
    assert!(!told.contains("\x1b[38;5;1m") && !told.contains("\x1b[31m") && !told.contains("\x1b[33m"), "{told:?}");
}

#[test]
fn without_a_terminal_it_is_an_error_that_names_status() {
    let sandbox = some_jobs();
    let ran = sandbox.run(&["top"]);
    assert_eq!(ran.exit, 2);
    assert_eq!(
        ran.stderr,
        "error: this command needs a terminal, and prints no JSON\nhint: \"longshore status\" prints the same once, with \
         --json as JSON\n"
    );
    let ran = sandbox.run(&["top", "--json"]);
    assert_eq!((ran.exit, ran.code()), (2, "no_terminal".to_owned()));
    assert!(sandbox.run_on_terminal(80, "longshore top </dev/null; TERM=dumb longshore top; true").contains("status"));
}

#[test]
fn without_a_database_it_is_the_error_of_status_and_nothing_is_created() {
    let sandbox = Sandbox::new();
    let told = sandbox.run_on_terminal(80, "longshore top; echo exit $?");
    assert!(told.ends_with("exit 1\n") && !told.contains(ENTER_SCREEN), "{told:?}");
    assert_eq!(json!(sandbox.files()), json!([]));
}
