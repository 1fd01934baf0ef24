//! The server as its operators start it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// A process that ends with its test, also if the test fails.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Ends it with a signal, and answers with its exit code.
    #[cfg(unix)]
    pub(crate) fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server process, and where it listens.
pub(crate) struct Served {
    process: Process,
    pub(crate) address: String,
}

impl Served {
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        Self::start_at(sandbox, "127.0.0.1:0", arguments)
    }

    pub(crate) fn start_at(sandbox: &Sandbox, listen: &str, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", listen, "--json"], arguments].concat();
        Self::run(sandbox.command(&arguments))
    }

    /// Runs a `serve --json`.
    pub(crate) fn run(mut command: Command) -> Self {
        let mut process = Process(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let mut told = String::new();
        // It says where it is before it answers to anybody.
        BufReader::new(process.0.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
        let told: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told:?}"));
        Self { process, address: told["listen"].as_str().unwrap().to_owned() }
    }

    pub(crate) fn ask(&self, request: &str) -> String {
        ask(&self.address, request)
    }

    #[cfg(unix)]
    pub(crate) fn stop(self) -> Option<i32> {
        self.process.stop()
    }
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let (line, body) = request.split_once('\n').unwrap_or((request, ""));
    let (line, headers) = line.split_once('|').unwrap_or((line, ""));
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nhost: {address}\r\n{headers}content-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(crate) fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
#[cfg(unix)]
fn a_server_serves_what_the_commands_show_and_ends_with_its_signal() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]\nqueue = \"post\"\n");
    let served = Served::start(&sandbox, &[]);
    assert_eq!(body(&served.ask("GET /readyz")), json!({ "status": "ok" }));
    let created = body(&served.ask("POST /api/v1/jobs\n{\"job_type\": \"mail\"}"));
    // The settings of the type are those of the configuration.
    assert_eq!(created["queue"], "post");
    let id = created["id"].to_string();
    assert_eq!(body(&served.ask(&format!("GET /api/v1/jobs/{id}"))), sandbox.json(&["jobs", "show", &id]));
    assert_eq!(body(&served.ask("GET /api/v1/jobs")), sandbox.json(&["jobs", "list"]));
    let shown = body(&served.ask("GET /api/v1/migrations"));
    assert_eq!(shown["migrations"], sandbox.json(&["migrate", "status"])["migrations"]);
    assert_eq!(body(&served.ask("GET /api/v1/migrations/verify"))["ok"], true);
    assert_eq!(served.stop(), Some(0));
}

#[test]
#[cfg(unix)]
fn a_token_is_shown_once_and_has_its_scopes_until_it_is_revoked() {
    let sandbox = Sandbox::new();
    let added = sandbox.json(&["token", "add", "reader", "--scope", "read"]);
    let token = added["token"].as_str().unwrap();
    assert_eq!((&added["name"], &added["scopes"]), (&json!("reader"), &json!(["read"])));
    assert_eq!(sandbox.run(&["token", "add", "reader", "--scope", "read", "--json"]).code(), "token_exists");
    let listed = sandbox.run(&["token", "list", "--json"]);
    assert_eq!(listed.document()["tokens"][0]["name"], "reader");
    assert!(!listed.stdout.contains(token));
    // Nothing of the token is in the file.
    let stored = std::fs::read(sandbox.path("longshore.db")).unwrap();
    assert!(!stored.windows(token.len()).any(|bytes| bytes == token.as_bytes()));
    let served = Served::start(&sandbox, &["--host", "jobs.example"]);
    let with = |method: &str, path: &str| served.ask(&format!("{method} {path}|authorization: Bearer {token}"));
    assert!(with("GET", "/api/v1/jobs").starts_with("HTTP/1.1 200"));
    assert!(with("POST", "/api/v1/queues/a/pause").starts_with("HTTP/1.1 403"));
    assert!(served.ask("GET /api/v1/jobs").starts_with("HTTP/1.1 401"));
    sandbox.json(&["token", "revoke", "reader"]);
    assert!(with("GET", "/api/v1/jobs").starts_with("HTTP/1.1 401"));
    assert_eq!(sandbox.run(&["token", "revoke", "reader", "--json"]).code(), "no_such_token");
    assert_eq!(served.stop(), Some(0));
}

#[test]
#[cfg(unix)]
fn a_token_for_a_queue_sees_no_other_one() {
    let sandbox = Sandbox::new();
    let ids = ["mail", "pay"].map(|queue| sandbox.json(&["enqueue", "send", "--queue", queue])["id"].to_string());
    let added = sandbox.json(&["token", "add", "ada", "--scope", "admin", "--queue", "mail", "--queue", "a b"]);
    assert_eq!(added["scopes"], json!(["admin", "queue:a%20b", "queue:mail"]));
    assert_eq!(sandbox.run(&["token", "add", "eve", "--scope", "read", "--queue", ""]).exit, 2);
    let served = Served::start(&sandbox, &["--host", "jobs.example"]);
    let authorization = format!("authorization: Bearer {}", added["token"].as_str().unwrap());
    let statuses = ids.map(|id| served.ask(&format!("GET /api/v1/jobs/{id}|{authorization}"))[9..12].to_owned());
    assert_eq!(statuses, ["200", "404"]);
    assert_eq!(served.stop(), Some(0));
}

#[test]
#[cfg(unix)]
fn redacted_fields_are_in_no_answer_and_in_no_line_of_a_worker() {
    let sandbox = Sandbox::new();
    let mistake = "[jobs.login]\nrun = [\"false\"]\n[serve]\nredact = [\"password\", \"\"]\n";
    sandbox.write("longshore.toml", mistake);
    let refused = sandbox.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert!(refused.stderr.contains("longshore.toml") && refused.stderr.contains("line 4"), "{refused:?}");
    assert!(refused.stderr.contains("names no field to redact"), "{refused:?}");
    let program = "grep -o hunter2-[0-9]* >&2; exit 65";
    let config = format!("[jobs.login]\nrun = [\"sh\", \"-c\", \"{program}\"]\n[serve]\nredact = [\"password\"]\n");
    sandbox.write("longshore.toml", config);
    let id = sandbox.json(&["enqueue", "login", r#"{"password": "hunter2-17"}"#])["id"].to_string();
    let worked = sandbox.run(&["work", "--drain"]);
    assert!(worked.stderr.contains("[redacted]") && !worked.stderr.contains("hunter2"), "{worked:?}");
    // The command opens the database itself.
    assert_eq!(sandbox.json(&["jobs", "show", &id])["error_message"], "hunter2-17");
    let served = Served::start(&sandbox, &[]);
    for path in [format!("/api/v1/jobs/{id}"), format!("/api/v1/jobs/{id}/logs"), format!("/jobs/{id}"), "/dead".into()]
    {
        let answer = served.ask(&format!("GET {path}"));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("[redacted]"), "{path}: {answer}");
        assert!(!answer.contains("hunter2"), "{path}: {answer}");
    }
    assert_eq!(served.stop(), Some(0));
}

/// One job returns a value. The other gets it, stores one for its next attempt, and repeats all in its error.
#[cfg(unix)]
const REPEATING: &str = r#"
[jobs.gives]
run = ["sh", "-c", '''echo '{"longshore": {"result": {"password": "given-secret"}}}' ''']
[jobs.takes]
max_retries = 0
run = ["sh", "-c", '''
if [ -z "$LONGSHORE_CHECKPOINT" ]; then
  echo '{"longshore": {"checkpoint": {"password": "first-secret"}, "snooze": "1ms"}}'
  exit
fi
echo '{"longshore": {"checkpoint": {"password": "second-secret"}, "result": {"password": "result-secret"}}}'
echo '{"longshore": {"error_message": "bad first-secret, second-secret, result-secret, given-secret"}}'
exit 65
''']
[serve]
redact = ["password"]
"#;

#[test]
#[cfg(unix)]
fn a_worker_prints_no_redacted_value_that_its_commands_have_said_or_were_given() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", REPEATING);
    let parent = sandbox.json(&["enqueue", "gives"])["id"].to_string();
    sandbox.json(&["enqueue", "takes", "--parent", &parent]);
    let worked = sandbox.run(&["work", "--drain"]);
    let expected = "is not retried: bad [redacted], [redacted], [redacted], [redacted]";
    assert!(worked.stderr.contains(expected), "{worked:?}");
    assert!(!worked.stderr.contains("secret"), "{worked:?}");
}

#[test]
fn a_server_that_others_can_reach_needs_a_token() {
    let sandbox = Sandbox::new();
    for arguments in [&["--listen", "0.0.0.0:0"][..], &["--listen", "127.0.0.1:0", "--host", "jobs.example"]] {
        let ran = sandbox.run(&[&["serve", "--json"], arguments].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (2, "no_token"), "{ran:?}");
    }
}

#[test]
fn a_host_that_is_no_name_is_refused() {
    let sandbox = Sandbox::new();
    for command in ["serve", "up"] {
        for host in ["", "*", "http://x/", "jobs.example:80"] {
            let ran = sandbox.run(&[command, "--host", host]);
            assert_eq!(ran.exit, 2, "{host}: {ran:?}");
            assert!(ran.stderr.contains("expected a host name such as jobs.example.org"), "{host}: {ran:?}");
        }
    }
    sandbox.write("longshore.toml", "[serve]\nhosts = [\"*\"]\n");
    let ran = sandbox.run(&["serve"]);
    assert!(ran.exit == 2 && ran.stderr.contains("expected a host name"), "{ran:?}");
}

#[test]
#[cfg(unix)]
fn an_address_that_is_taken_is_named() {
    let sandbox = Sandbox::new();
    let served = Served::start(&sandbox, &[]);
    let ran = sandbox.run(&["serve", "--listen", &served.address, "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "cannot_listen"));
    assert!(ran.stdout.contains(&served.address), "{ran:?}");
    assert_eq!(served.stop(), Some(0));
}

#[test]
#[cfg(unix)]
fn the_configuration_says_what_a_server_permits() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[serve]\nlisten = \"192.0.2.1:1\"\nbase_path = \"/ops\"\nread_only = true\n");
    let served = Served::start(&sandbox, &[]);
    assert!(served.ask("GET /ops/api/v1/queues").starts_with("HTTP/1.1 200"));
    assert!(served.ask("POST /api/v1/jobs\n{\"job_type\": \"mail\"}").starts_with("HTTP/1.1 403"));
    assert_eq!(served.stop(), Some(0));
}

#[test]
#[cfg(unix)]
fn up_runs_jobs_and_serves_in_one_process() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[serve]\nlisten = \"127.0.0.1:0\"\n\n[jobs.mail]\nrun = [\"true\"]\n");
    let mut command = sandbox.command(&["up"]);
    let mut process = Process(command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().expect("it says where it listens").unwrap();
        if let Some((_, url)) = line.split_once("http://") {
            break url.trim_end_matches('/').to_owned();
        }
    };
    // Whoever stops reading must not stop the worker.
    std::thread::spawn(move || lines.for_each(drop));
    let created = body(&ask(&address, "POST /api/v1/jobs\n{\"job_type\": \"mail\"}"));
    let id = created["id"].to_string();
    sandbox.until(|| body(&ask(&address, &format!("GET /api/v1/jobs/{id}")))["status"] == "completed");
    assert_eq!(body(&ask(&address, "GET /api/v1/workers"))["workers"].as_array().unwrap().len(), 1);
    assert_eq!(process.stop(), Some(0));
}
