use serde_json::json;

use crate::sandbox::Sandbox;

/// A program for each job, and one that stays: both use what came before.
const CONFIG: &str = r#"
[jobs.measure]
run = ["sh", "-c", '''echo '{"longshore": {"result": {"width": 21}}}' ''']

[jobs.double]
run = ["python3", "double.py"]

[jobs.report]
serve = ["python3", "report.py"]
"#;

const DOUBLE: &str = r#"
import json, os
before = json.loads(os.environ["LONGSHORE_DEPENDENCIES"])
assert before["measured"] == before["1"], before
print(json.dumps({"longshore": {"result": 2 * before["measured"]["result"]["width"]}}))
"#;

const REPORT: &str = r#"
import json, sys
print(json.dumps({"longshore": {"ready": 1}}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "job" in message:
        job = message["job"]
        before = job["dependencies"]
        done = [before["doubled"]["result"], before["approved"]["result"]["by"]]
        print(json.dumps({"longshore": {"job": job["id"], "done": done}}), flush=True)
    if "quit" in message:
        break
"#;

const FLOW: &str = r#"{"batch": {"name": "import"}}
{"ref": "measured", "job_type": "measure"}
{"ref": "doubled", "job_type": "double", "after": ["measured"]}
{"ref": "told", "job_type": "report", "after": ["doubled", {"signal": "approved"}]}
"#;

#[test]
fn programs_use_the_results_of_earlier_steps_and_the_data_of_a_signal() {
    let sandbox = Sandbox::new();
    for (name, text) in
        [("longshore.toml", CONFIG), ("double.py", DOUBLE), ("report.py", REPORT), ("import.ndjson", FLOW)]
    {
        sandbox.write(name, text);
    }
    let made = sandbox.json(&["enqueue", "--batch", "import.ndjson"]);
    let batch = made["batch_id"].to_string();
    sandbox.run(&["signal", "approved", "--batch", &batch, r#"{"by": "ada"}"#]);
    sandbox.json(&["work", "--drain", "-q"]);
    let result = |reference: &str| {
        let id = made["ids"][reference].to_string();
        let job = sandbox.json(&["jobs", "show", &id]);
        assert_eq!(job["status"], json!("completed"), "{job:#}");
        job["result"].clone()
    };
    assert_eq!(result("doubled"), json!(42));
    assert_eq!(result("told"), json!([42, "ada"]));
    assert_eq!(sandbox.json(&["batches", "show", &batch])["status"], json!("completed"));
}
