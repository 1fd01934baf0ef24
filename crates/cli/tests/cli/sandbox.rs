use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How many migrations the queue has.
pub(crate) const QUEUE_MIGRATIONS: usize = 15;

/// A directory in which the program runs, without the environment of this machine.
pub(crate) struct Sandbox {
    dir: TempDir,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The names of the existing files.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(arguments).current_dir(self.dir.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Runs a line of shell on a terminal of this width, and answers with what it printed there.
    #[cfg(target_os = "linux")]
    pub(crate) fn run_on_terminal(&self, columns: usize, line: &str) -> String {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_longshore"));
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("script");
        command.args(["-qec", &format!("stty cols {columns} rows 40; {line}"), "/dev/null"]);
        command.current_dir(self.dir.path()).env_clear().stdin(Stdio::null()).env("TERM", "xterm");
        command.env("PATH", format!("{}:{path}", program.parent().unwrap().display()));
        let output = command.output().expect("\"script\" of Debian's package bsdutils is there");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().replace('\r', "")
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        self.run_command_with_input(self.command(arguments), input)
    }

    pub(crate) fn run_command_with_input(&self, mut command: Command, input: &[u8]) -> Ran {
        let mut child: Child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A program that fails before it has read everything may close its end.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ran::of(child.wait_with_output().unwrap())
    }

    /// Checks repeatedly until the condition is true. Fails if it does not become true.
    pub(crate) fn until(&self, mut is_so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < Duration::from_secs(60), "it never became so");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a command that must succeed, and returns its one JSON document.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.json_with_exit(arguments, 0)
    }

    /// Runs a command that must end with this exit code, and returns its one JSON document.
    pub(crate) fn json_with_exit(&self, arguments: &[&str], exit: i32) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.exit, exit, "{arguments:?}: {ran:?}");
        ran.document()
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            exit: output.status.code().expect("the program ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one JSON document on standard output.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of the error.
    pub(crate) fn code(&self) -> String {
        self.document()["error"]["code"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}
