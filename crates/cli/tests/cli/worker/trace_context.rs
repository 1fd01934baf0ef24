use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

/// A job that says which trace it belongs to, and enqueues another one.
const CONFIG: &str = r#"
[jobs.first]
run = ["sh", "-c", 'echo "<$TRACEPARENT$TRACESTATE>"; exec "$LONGSHORE" enqueue second']
env = { LONGSHORE = "PROGRAM" }

[jobs.second]
run = ["sh", "-c", 'echo "<$TRACEPARENT>"']
"#;
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OF_THE_WORKER: &str = "00-11111111111111111111111111111111-2222222222222222-01";

#[test]
fn a_job_belongs_to_the_trace_in_which_it_was_enqueued_and_not_to_that_of_the_worker() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG.replace("PROGRAM", env!("CARGO_BIN_EXE_longshore")));
    sandbox.write("jobs.ndjson", "{\"job_type\": \"second\"}\n");
    let run = |trace: &str, arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        let ran = Ran::of(command.env("TRACEPARENT", trace).env("TRACESTATE", "a=1").output().unwrap());
        assert_eq!(ran.exit, 0, "{ran:?}");
    };
    run(TRACE, &["enqueue", "first"]);
    run(TRACE, &["enqueue", "--batch", "jobs.ndjson"]);
    run("no trace", &["enqueue", "second"]);
    run(OF_THE_WORKER, &["work", "--drain", "-q", "--concurrency", "1"]);
    let seen: Vec<(Value, String)> = (1..=4)
        .map(|id: u32| {
            let id = id.to_string();
            (sandbox.json(&["jobs", "show", &id])["metadata"].clone(), sandbox.run(&["jobs", "logs", &id]).stdout)
        })
        .collect();
    let traced = json!({ "traceparent": TRACE });
    assert_eq!(seen[0], (traced.clone(), format!("<{TRACE}>\n4\n")));
    assert_eq!(seen[1], (traced.clone(), format!("<{TRACE}>\n")));
    assert_eq!(seen[2], (Value::Null, "<>\n".to_owned()));
    assert_eq!(seen[3], (traced, format!("<{TRACE}>\n")), "what the first one enqueued");
}
