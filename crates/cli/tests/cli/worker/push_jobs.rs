//! Job types that are sent to an HTTP target.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::json;

use crate::sandbox::Sandbox;

/// Answers every request as the test says, and passes on its head and body.
pub(crate) struct Target {
    port: u16,
    requests: Receiver<String>,
}

impl Target {
    pub(crate) fn start(answer: impl Fn(u32) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = channel();
        // Ends with the process of the test.
        thread::spawn(move || {
            for (number, stream) in (0..).zip(listener.incoming()) {
                let mut stream = stream.unwrap();
                let (head, body) = read(&stream);
                let _ = sender.send(head + std::str::from_utf8(&body).unwrap());
                let _ = stream.write_all(answer(number).as_bytes());
            }
        });
        Self { port, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/jobs/receipt?token=hush", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

/// The head and the body of a request.
pub(crate) fn read(stream: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0);
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, body)
}

pub(crate) fn ok(json: &str) -> String {
    let length = json.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}")
}

fn declared(target: &Target, more: &str) -> String {
    format!("[jobs.receipt]\npost = \"{}\"\n{more}\n", target.url())
}

#[test]
fn a_job_is_posted_and_its_answer_is_the_result() {
    let target = Target::start(|_| ok(r#"{"sent": true}"#));
    let sandbox = Sandbox::new();
    let more = "allow_private = true\nsecret_env = \"RECEIPT_SECRET\"\nheaders = { \"x-env\" = \"prod\" }";
    sandbox.write("longshore.toml", declared(&target, more));
    sandbox.write(".env", "RECEIPT_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    sandbox.json(&["enqueue", "receipt", r#"{"order": 7}"#]);
    let ran = sandbox.run(&["work", "--drain"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["status"], &job["result"]), (&json!("completed"), &json!({"sent": true})));
    let requests = target.requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    for expected in ["x-env: prod\r\n", "longshore-job-id: 1\r\n", "webhook-signature: v1,", "\r\n\r\n{\"order\": 7}"] {
        assert!(request.contains(expected), "{expected:?} is not in {request}");
    }
    let log = sandbox.run(&["jobs", "logs", "1"]).stdout;
    assert_eq!(log, format!("127.0.0.1:{} answered 200 OK\n", target.port));
    assert!(!ran.stderr.contains("hush") && !ran.stderr.contains("prod"), "{ran:?}");
}

#[test]
fn a_busy_target_defers_its_job_and_an_angry_one_ends_it() {
    let target = Target::start(|number| match number {
        0 => "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n".to_owned(),
        1 => ok("7"),
        _ => "HTTP/1.1 422 Unprocessable Entity\r\ncontent-length: 13\r\n\r\nno such order".to_owned(),
    });
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", declared(&target, "allow_private = true"));
    sandbox.json(&["enqueue", "receipt"]);
    sandbox.json(&["work", "--drain", "-q"]);
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["status"], &job["retry_count"], &job["result"]), (&json!("completed"), &json!(0), &json!(7)));
    assert_eq!(job["attempts"][0]["outcome"], "deferred");
    sandbox.json(&["enqueue", "receipt"]);
    sandbox.json(&["work", "--drain", "-q"]);
    let job = sandbox.json(&["jobs", "show", "2"]);
    assert_eq!((&job["status"], &job["failure_type"]), (&json!("dead_letter"), &json!("validation_error")));
    let expected = format!("127.0.0.1:{} answered 422 Unprocessable Entity: no such order", target.port);
    assert_eq!(job["error_message"], expected);
}

#[test]
fn nothing_is_sent_to_this_machine_unless_that_is_allowed() {
    let target = Target::start(|_| ok("1"));
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", declared(&target, ""));
    sandbox.json(&["enqueue", "receipt"]);
    sandbox.json(&["work", "--drain", "-q"]);
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["status"], &job["failure_type"]), (&json!("dead_letter"), &json!("config_error")));
    let message = job["error_message"].as_str().unwrap();
    assert!(message.contains("allow_private = true") && !message.contains("hush"), "{message}");
    assert_eq!(target.requests(), [""; 0]);
}

#[test]
fn a_secret_that_is_missing_or_invalid_is_an_error_before_a_job_runs() {
    let target = Target::start(|_| ok("1"));
    let sandbox = Sandbox::new();
    let text = format!("# a comment\n\n{}", declared(&target, "allow_private = true\nsecret_env = \"S\""));
    sandbox.write("longshore.toml", text);
    sandbox.json(&["enqueue", "receipt"]);
    for (value, expected) in
        [("", "the variable S, which \"secret_env\" of receipt names, is not set"), ("pass%word", "S cannot be used")]
    {
        let mut command = sandbox.command(&["work", "--drain"]);
        let ran = crate::sandbox::Ran::of(command.env("S", value).output().unwrap());
        assert_eq!(ran.exit, 2, "{ran:?}");
        assert!(ran.stderr.contains(&format!("longshore.toml, line 6: {expected}")), "{ran:?}");
        assert!(!ran.stderr.contains("pass%word"), "{ran:?}");
    }
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["status"], "pending");
}

#[test]
fn a_file_of_certificates_that_is_missing_is_an_error_before_a_job_runs() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.receipt]\npost = \"https://shop.internal/\"\nca_file = \"none.pem\"\n");
    let ran = sandbox.run(&["work", "--drain"]);
    assert_eq!(ran.exit, 2, "{ran:?}");
    assert!(ran.stderr.contains("line 3: \"ca_file\" cannot be used: none.pem cannot be read"), "{ran:?}");
}
