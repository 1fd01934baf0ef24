//! The spans that a collector of OpenTelemetry gets.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Content;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;

use crate::sandbox::{Ran, Sandbox};
use crate::serve::{Served, body};
use crate::worker::push_jobs::read;

const CONFIG: &str = r#"
[jobs.good]
run = ["sh", "-c", 'echo "<$TRACEPARENT>"']

[jobs.bad]
run = ["sh", "-c", "echo hunter2 >&2; exit 3"]
max_retries = 0
"#;
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;
const ERROR: i32 = 2;

/// What has arrived at a collector.
#[derive(Default)]
struct Arrived {
    heads: Vec<String>,
    bodies: Vec<Vec<u8>>,
}

/// A collector on the loopback address. It refuses the first requests.
struct FakeCollector {
    port: u16,
    arrived: Arc<Mutex<Arrived>>,
}

impl FakeCollector {
    fn start() -> Self {
        Self::refusing(0)
    }

    fn refusing(first: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrived = Arc::new(Mutex::new(Arrived::default()));
        let filled = Arc::clone(&arrived);
        // Ends with the process of the test.
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let (head, body) = read(&stream);
                let status = if number < first { "400 Bad Request" } else { "200 OK" };
                if number >= first {
                    let mut filled = filled.lock().unwrap();
                    filled.heads.push(head);
                    filled.bodies.push(body);
                }
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, arrived }
    }

    fn exports(&self) -> Vec<ExportTraceServiceRequest> {
        let arrived = self.arrived.lock().unwrap();
        arrived.bodies.iter().map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap()).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let exports = self.exports().into_iter().flat_map(|export| export.resource_spans);
        exports.flat_map(|spans| spans.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// The only span of this name.
    fn span(&self, name: &str) -> Span {
        let spans = self.spans();
        let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
        let [span] = found[..] else { panic!("{name}: {spans:?}") };
        span.clone()
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The command with this collector.
    fn command(&self, sandbox: &Sandbox, arguments: &[&str]) -> Command {
        let mut command = sandbox.command(arguments);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", self.endpoint());
        command
    }

    fn run(&self, sandbox: &Sandbox, arguments: &[&str]) -> Ran {
        succeed(&mut self.command(sandbox, arguments))
    }
}

fn succeed(command: &mut Command) -> Ran {
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.exit, 0, "{ran:?}");
    ran
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn place_of(span: &Span) -> String {
    format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id))
}

fn text_of(attributes: &[KeyValue], name: &str) -> String {
    let value = attributes.iter().find(|attribute| attribute.key == name).and_then(|found| found.value.clone());
    match value {
        Some(AnyValue { value: Some(Content::StringValue(text)) }) => text,
        value => format!("{value:?}"),
    }
}

fn status_of(span: &Span) -> i32 {
    span.status.as_ref().map_or(0, |status| status.code)
}

#[test]
fn a_caller_an_enqueue_an_attempt_and_its_program_are_one_trace() {
    let (sandbox, collector) = (Sandbox::new(), FakeCollector::start());
    sandbox.write("longshore.toml", CONFIG);
    let mut enqueue = collector.command(&sandbox, &["enqueue", "good"]);
    succeed(enqueue.env("TRACEPARENT", format!("00-{TRACE}-{CALLER}-01")));
    collector.run(&sandbox, &["work", "--drain"]);

    let produced = collector.span("enqueue default");
    assert_eq!((hex(&produced.trace_id), hex(&produced.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
    assert_eq!((produced.kind, status_of(&produced)), (PRODUCER, 0));
    assert_eq!(text_of(&produced.attributes, "messaging.message.id"), "1");
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["metadata"], json!({ "traceparent": place_of(&produced) }));
    let consumed = collector.span("process default");
    assert_eq!((&consumed.trace_id, &consumed.parent_span_id), (&produced.trace_id, &produced.span_id));
    assert_eq!((consumed.kind, status_of(&consumed)), (CONSUMER, 0));
    assert_eq!(text_of(&consumed.attributes, "job_type"), "good");
    assert_eq!(sandbox.run(&["jobs", "logs", "1"]).stdout, format!("<{}>\n", place_of(&consumed)));
    let took = consumed.end_time_unix_nano - consumed.start_time_unix_nano;
    assert!((1_000_000..60_000_000_000).contains(&took), "{took}");
}

#[test]
fn a_failed_attempt_is_an_error_and_no_span_has_a_payload_or_the_text_of_an_error() {
    let (sandbox, collector) = (Sandbox::new(), FakeCollector::start());
    sandbox.write("longshore.toml", CONFIG);
    collector.run(&sandbox, &["enqueue", "bad", r#"{"password": "hunter2"}"#]);
    collector.run(&sandbox, &["work", "--drain"]);
    let failed = collector.span("process default");
    assert_eq!(status_of(&failed), ERROR);
    let failure_type = sandbox.json(&["jobs", "show", "1"])["failure_type"].as_str().unwrap().to_owned();
    assert_eq!(text_of(&failed.attributes, "error.type"), failure_type);
    // Without a caller the enqueue begins the trace.
    assert_eq!(collector.span("enqueue default").parent_span_id, b"");
    assert_eq!(failed.parent_span_id, collector.span("enqueue default").span_id);
    for body in &collector.arrived.lock().unwrap().bodies {
        assert!(!body.windows(7).any(|window| window == b"hunter2"));
    }
}

#[test]
fn all_jobs_of_a_file_or_a_request_belong_to_the_span_of_their_enqueue() {
    let (sandbox, collector) = (Sandbox::new(), FakeCollector::start());
    sandbox.write("jobs.ndjson", "{\"job_type\": \"a\"}\n{\"job_type\": \"b\", \"metadata\": {\"n\": 1}}\n");
    collector.run(&sandbox, &["enqueue", "--batch", "jobs.ndjson"]);
    let span = collector.span("enqueue");
    let count = span.attributes.iter().find(|attribute| attribute.key == "messaging.batch.message_count").unwrap();
    assert_eq!(count.value, Some(AnyValue { value: Some(Content::IntValue(2)) }));
    let metadata = |id: u32| sandbox.json(&["jobs", "show", &id.to_string()])["metadata"].clone();
    assert_eq!(metadata(1), json!({ "traceparent": place_of(&span) }));
    assert_eq!(metadata(2), json!({ "traceparent": place_of(&span), "n": 1 }));

    let served = Served::run(collector.command(&sandbox, &["serve", "--listen", "127.0.0.1:0", "--json"]));
    let ask = |content: &str| served.ask(&format!("POST /api/v1/jobs|traceparent: 00-{TRACE}-{CALLER}-01\n{content}"));
    assert_eq!(body(&ask(r#"{"job_type": "c"}"#))["id"], 3);
    assert_eq!(body(&ask(r#"[{"job_type": "d", "queue": "x"}, {"job_type": "d", "queue": "x"}]"#))["inserted"], 2);
    assert!(ask(r#"{"job_type": "d", "queue": "y", "parent_job_id": 4711}"#).contains("unknown_parent"));
    // What waits is sent before the server has ended.
    assert_eq!(served.stop(), Some(0));
    let (one, list) = (collector.span("enqueue default"), collector.span("enqueue x"));
    for span in [&one, &list] {
        assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
    }
    let traced = |span: &Span| json!({ "traceparent": place_of(span) });
    assert_eq!([metadata(3), metadata(4), metadata(5)], [traced(&one), traced(&list), traced(&list)]);
    let refused = collector.span("enqueue y");
    assert_eq!((status_of(&refused), text_of(&refused.attributes, "error.type")), (ERROR, "unknown_parent".to_owned()));
}

#[test]
fn the_service_the_headers_and_the_path_are_those_of_the_environment() {
    let (sandbox, collector) = (Sandbox::new(), FakeCollector::start());
    let services = || -> Vec<String> {
        let resources = collector.exports().into_iter().flat_map(|export| export.resource_spans);
        resources.map(|spans| text_of(&spans.resource.unwrap().attributes, "service.name")).collect()
    };
    collector.run(&sandbox, &["enqueue", "a"]);
    let with = |name: &str, value: &str| {
        let mut command = collector.command(&sandbox, &["enqueue", "a"]);
        succeed(command.env(name, value));
    };
    with("OTEL_SERVICE_NAME", "shop");
    with("OTEL_RESOURCE_ATTRIBUTES", "service.name=store,deployment.environment=test");
    with("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hush");
    with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/here", collector.endpoint()));
    assert_eq!(services(), ["longshore", "shop", "store", "longshore", "longshore"]);
    let heads = &collector.arrived.lock().unwrap().heads;
    assert!(heads[3].contains("authorization: Bearer hush\r\n"), "{}", heads[3]);
    assert!(heads[0].starts_with("POST /v1/traces ") && heads[4].starts_with("POST /here "), "{heads:?}");
}

#[test]
fn no_span_is_sent_where_the_environment_says_so() {
    let (sandbox, collector) = (Sandbox::new(), FakeCollector::start());
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
    ] {
        let mut command = collector.command(&sandbox, &["enqueue", "a"]);
        let ran = succeed(command.env(name, value));
        assert!(!ran.stderr.contains("span"), "{name}: {ran:?}");
    }
    // A command without spans connects to nothing.
    collector.run(&sandbox, &["jobs", "list"]);
    assert!(collector.arrived.lock().unwrap().heads.is_empty());
    // Whoever is not sampled is in a trace nevertheless.
    let metadata = sandbox.json(&["jobs", "show", "4"])["metadata"].clone();
    assert!(metadata["traceparent"].as_str().unwrap().ends_with("-00"), "{metadata}");
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["metadata"], json!(null));
}

#[test]
fn a_mistake_in_the_environment_is_one_warning_without_its_value_and_the_job_is_enqueued() {
    let sandbox = Sandbox::new();
    let address = "is no address that begins with http:// or https://";
    for (name, value, expected) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", format!("OTEL_EXPORTER_OTLP_ENDPOINT {address}")),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/x", format!("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT {address}")),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:hush@a b/", address.to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://u:hush@a/", address.to_owned()),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "grpc",
            "OTEL_EXPORTER_OTLP_PROTOCOL is grpc: set it to http/protobuf".to_owned(),
        ),
        ("OTEL_TRACES_EXPORTER", "zipkin", "OTEL_TRACES_EXPORTER is zipkin: set it to otlp or none".to_owned()),
        ("OTEL_TRACES_SAMPLER", "xray", "OTEL_TRACES_SAMPLER is xray: set it to".to_owned()),
        ("OTEL_TRACES_SAMPLER_ARG", "2", "OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "0", "OTEL_BSP_SCHEDULE_DELAY must be a number from 1 to 3600000".to_owned()),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "OTEL_BSP_MAX_QUEUE_SIZE must be a number from 1 to 100000".to_owned()),
    ] {
        let mut command = sandbox.command(&["enqueue", "a"]);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").env("OTEL_TRACES_SAMPLER", "traceidratio");
        let ran = succeed(command.env(name, value));
        let warnings: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("spans are not exported")).collect();
        assert_eq!(warnings.len(), 1, "{ran:?}");
        assert!(warnings[0].contains(&expected) && !ran.stderr.contains("hush"), "{expected}: {ran:?}");
    }
}

#[test]
fn an_enqueue_that_fails_is_an_error_wherever_it_fails() {
    let (sandbox, collector) = (Sandbox::new(), FakeCollector::start());
    sandbox.write("jobs.ndjson", "{\"job_type\": \"a\"}\nno job\n");
    sandbox.json(&["enqueue", "a"]);
    sandbox.json(&["batches", "list"]);
    let fails = |arguments: &[&str]| {
        let ran = Ran::of(collector.command(&sandbox, arguments).output().unwrap());
        assert_ne!(ran.exit, 0, "{ran:?}");
    };
    fails(&["enqueue", "a", "--queue", ""]);
    fails(&["enqueue", "a", "--parent", "4711"]);
    fails(&["enqueue", "--batch", "jobs.ndjson"]);
    fails(&["enqueue", "a", "--database", "sqlite:missing/folder.db"]);
    fails(&["batches", "add", "4711", "jobs.ndjson"]);
    let statuses: Vec<i32> = collector.spans().iter().map(status_of).collect();
    assert_eq!(statuses, [ERROR; 5], "{:?}", collector.spans());
}

#[test]
fn a_collector_that_does_not_answer_keeps_nobody_waiting_and_is_told_once() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    // Connections are accepted by the system, and nobody ever answers them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), gone] {
        let endpoint = format!("http://{address}");
        let began = Instant::now();
        let run = |arguments: &[&str]| {
            let mut command = sandbox.command(arguments);
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
            // Without a second attempt.
            command.env("OTEL_BSP_SCHEDULE_DELAY", "10").env("OTEL_EXPORTER_OTLP_TIMEOUT", "1");
            succeed(&mut command).stderr
        };
        run(&["enqueue", "good"]);
        let told = run(&["work", "--drain", "--concurrency", "1"]);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let counts = ["spans are lost", "were not sent in time"].map(|words| told.matches(words).count());
        assert_eq!(counts, if address == gone { [1, 0] } else { [0, 1] }, "{told}");
    }
    assert_eq!(sandbox.json(&["jobs", "list", "--status", "completed"])["jobs"].as_array().unwrap().len(), 2);
}

#[test]
fn a_collector_that_works_again_is_told_once() {
    let (sandbox, collector) = (Sandbox::new(), FakeCollector::refusing(2));
    sandbox.write("longshore.toml", CONFIG);
    for _ in 0..3 {
        sandbox.json(&["enqueue", "good"]);
    }
    let mut command = collector.command(&sandbox, &["work", "--drain", "--concurrency", "1"]);
    // Each span by itself.
    command.env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1").env("OTEL_BSP_SCHEDULE_DELAY", "1");
    let ran = succeed(&mut command);
    assert_eq!(collector.spans().len(), 1);
    let counts = ["spans are lost", "takes spans again"].map(|words| ran.stderr.matches(words).count());
    assert_eq!(counts, [1, 1], "{ran:?}");
}
