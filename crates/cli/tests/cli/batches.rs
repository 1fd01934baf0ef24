//! Workflows as their users meet them: a file of jobs that wait for each other, and the commands on its batch, on both
//! databases.

use longshore_testkit_postgres::{Cluster, TestDatabase};
use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

const CONFIG: &str = r#"
[jobs.step]
run = ["sh", "-c", "cat"]
[jobs.broken]
run = ["sh", "-c", "test -e mended || exit 65"]
max_retries = 0
"#;

const FLOW: &str = r#"
{"batch": {"name": "import 42"}}
{"ref": "a", "job_type": "step"}
{"ref": "b", "job_type": "step", "after": ["a"]}
{"job_type": "step", "after": ["a", {"ref": "b", "needs": "ended"}]}
{"ref": "publish", "job_type": "step", "after": [{"signal": "approved", "timeout": "2d", "otherwise": "cancel"}]}
{"ref": "alert", "job_type": "step", "after": [{"batch": "failed"}]}
"#;

/// The program in a folder of its own, on some database.
struct Site {
    sandbox: Sandbox,
    url: String,
    _database: Option<TestDatabase>,
}

impl Site {
    fn on_sqlite() -> Self {
        Self::on("sqlite:jobs.db".to_owned(), None)
    }

    fn on_postgres() -> Self {
        let database = Cluster::shared().queue();
        Self::on(database.url(), Some(database))
    }

    fn on(url: String, database: Option<TestDatabase>) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("longshore.toml", CONFIG);
        sandbox.write("flow.ndjson", FLOW);
        Self { sandbox, url, _database: database }
    }

    fn both() -> [Self; 2] {
        [Self::on_sqlite(), Self::on_postgres()]
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.sandbox.command(arguments);
        Ran::of(command.env("LONGSHORE_DATABASE", &self.url).output().unwrap())
    }

    fn json_with_exit(&self, arguments: &[&str], exit: i32) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.exit, exit, "{arguments:?}: {ran:?}");
        ran.document()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.json_with_exit(arguments, 0)
    }

    fn drain(&self) {
        let ran = self.run(&["work", "--drain"]);
        assert_eq!(ran.exit, 0, "{ran:?}");
    }

    fn status(&self, id: &Value) -> Value {
        self.json(&["jobs", "show", &id.to_string()])["status"].clone()
    }
}

#[test]
fn a_file_makes_a_batch_whose_jobs_run_in_order() {
    for site in Site::both() {
        let enqueued = site.json(&["enqueue", "--batch", "flow.ndjson"]);
        assert_eq!(enqueued["inserted"], 5);
        let (batch, ids) = (enqueued["batch_id"].to_string(), enqueued["ids"].clone());
        assert_eq!(ids.as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "alert", "b", "publish"]);
        let shown = site.json(&["batches", "show", &batch]);
        assert_eq!(
            [&shown["name"], &shown["status"], &shown["members"], &shown["callbacks"]],
            [&json!("import 42"), &json!("running"), &json!(4), &json!(1)]
        );
        let roles: Vec<&str> =
            shown["jobs"].as_array().unwrap().iter().map(|job| job["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["member", "member", "member", "member", "callback"]);
        assert_eq!(site.json_with_exit(&["batches", "wait", &batch, "--timeout", "0s"], 3)["status"], "running");
        assert_eq!(
            site.json(&["signal", "approved", "--batch", &batch, r#"{"by": "ada"}"#]),
            json!({"signal": "approved", "batch_id": enqueued["batch_id"], "is_first": true})
        );
        assert_eq!(site.json(&["signal", "approved", "--batch", &batch])["is_first"], false);
        site.drain();
        assert_eq!(site.json(&["batches", "wait", &batch, "--timeout", "60s"])["status"], "completed");
        assert_eq!(site.status(&ids["alert"]), "cancelled");
        let listed = site.json(&["batches", "list", "--status", "completed"]);
        assert_eq!(
            [&listed["batches"][0]["batch_id"], &listed["batches"][0]["completed"], &listed["next"]],
            [&enqueued["batch_id"], &json!(4), &Value::Null]
        );
        assert_eq!(site.json(&["batches", "list", "--status", "failed"])["batches"], json!([]));
    }
}

#[test]
fn a_job_shows_its_batch_and_what_it_waits_for() {
    for site in Site::both() {
        let enqueued = site.json(&["enqueue", "--batch", "flow.ndjson"]);
        let (a, b) = (&enqueued["ids"]["a"], &enqueued["ids"]["b"]);
        let shown = site.json(&["jobs", "show", &b.to_string()]);
        assert_eq!(
            [&shown["batch_id"], &shown["ref"], &shown["status"]],
            [&enqueued["batch_id"], &json!("b"), &json!("blocked")]
        );
        let dependency = &shown["dependencies"][0];
        assert_eq!(
            [&dependency["job_id"], &dependency["ref"], &dependency["needs"], &dependency["state"]],
            [a, &json!("a"), &json!("completed"), &json!("waiting")]
        );
        let words = site.run(&["jobs", "show", &b.to_string()]).stdout;
        assert!(words.contains(&format!("job {a}")), "{words}");
        let why = site.run(&["jobs", "explain", &enqueued["ids"]["publish"].to_string()]).stdout;
        assert!(why.contains("the signal approved"), "{why}");
        let child = site.json(&["enqueue", "step", "--parent", &a.to_string()]);
        let shown = site.json(&["jobs", "show", &child["id"].to_string()]);
        assert_eq!([&shown["dependencies"][0]["job_id"], &shown["dependencies"][0]["needs"]], [a, &json!("completed")]);
    }
}

#[test]
fn a_failed_batch_is_retried_and_a_running_one_cancelled() {
    for site in Site::both() {
        let flow = "{\"batch\": {\"name\": \"x\"}}\n{\"ref\": \"a\", \"job_type\": \"broken\"}\n\
                    {\"ref\": \"b\", \"job_type\": \"step\", \"after\": [\"a\"]}\n\
                    {\"ref\": \"done\", \"job_type\": \"step\", \"after\": [{\"batch\": \"completed\"}]}\n";
        site.sandbox.write("flow.ndjson", flow);
        let enqueued = site.json(&["enqueue", "--batch", "flow.ndjson"]);
        let batch = enqueued["batch_id"].to_string();
        site.drain();
        assert_eq!(site.json_with_exit(&["batches", "wait", &batch, "--timeout", "60s"], 3)["status"], "failed");
        assert_eq!(site.status(&enqueued["ids"]["b"]), "dead_letter");
        site.sandbox.write("mended", "");
        let retried = site.json(&["batches", "retry", &batch]);
        assert!(retried["touched"].as_u64().unwrap() >= 1, "{retried}");
        site.drain();
        assert_eq!(site.json(&["batches", "wait", &batch, "--timeout", "60s"])["status"], "completed");
        assert_eq!(site.status(&enqueued["ids"]["done"]), "completed");
        let enqueued = site.json(&["enqueue", "--batch", "flow.ndjson"]);
        let batch = enqueued["batch_id"].to_string();
        assert_eq!(site.json(&["batches", "cancel", &batch])["touched"], 2);
        assert_eq!(site.json_with_exit(&["batches", "wait", &batch, "--timeout", "60s"], 3)["status"], "failed");
        assert_eq!(site.status(&enqueued["ids"]["b"]), "cancelled");
    }
}

/// Nobody else is there to count the members.
#[test]
fn a_large_change_is_counted_without_a_worker() {
    for site in Site::both() {
        let mut flow = "{\"batch\": {\"name\": \"large\"}}\n".to_owned();
        flow.push_str(&"{\"job_type\": \"step\"}\n".repeat(300));
        site.sandbox.write("flow.ndjson", flow);
        let batch = site.json(&["enqueue", "--batch", "flow.ndjson"])["batch_id"].to_string();
        site.json(&["jobs", "cancel", "--all", "--type", "step", "--yes"]);
        let ended = site.json_with_exit(&["batches", "wait", &batch, "--timeout", "0s"], 3);
        assert_eq!([&ended["status"], &ended["cancelled"]], [&json!("failed"), &json!(300)]);
        site.json(&["batches", "retry", &batch]);
        let shown = site.json(&["batches", "show", &batch, "--limit", "1"]);
        assert_eq!([&shown["status"], &shown["cancelled"]], [&json!("running"), &json!(0)]);
    }
}

#[test]
fn a_drain_waits_for_a_signal_as_long_as_its_timeout_lasts() {
    for site in Site::both() {
        site.sandbox.write(
            "flow.ndjson",
            "{\"batch\": {\"name\": \"x\"}}\n\
             {\"ref\": \"timed\", \"job_type\": \"step\", \
             \"after\": [{\"signal\": \"s\", \"timeout\": \"2s\", \"otherwise\": \"run\"}]}\n\
             {\"ref\": \"untimed\", \"job_type\": \"step\", \"after\": [{\"signal\": \"s\"}]}\n",
        );
        let ids = site.json(&["enqueue", "--batch", "flow.ndjson"])["ids"].clone();
        site.drain();
        assert_eq!([site.status(&ids["timed"]), site.status(&ids["untimed"])], ["completed", "blocked"]);
    }
}

#[test]
fn an_open_batch_takes_more_jobs_until_it_is_closed() {
    for site in Site::both() {
        site.sandbox.write("open.ndjson", "{\"batch\": {\"name\": \"x\", \"open\": true}}\n{\"job_type\": \"step\"}\n");
        let batch = site.json(&["enqueue", "--batch", "open.ndjson"])["batch_id"].to_string();
        site.sandbox.write(
            "more.ndjson",
            "{\"ref\": \"c\", \"job_type\": \"step\"}\n{\"job_type\": \"step\", \"after\": [\"c\"]}\n",
        );
        let added = site.json(&["batches", "add", &batch, "more.ndjson"]);
        assert_eq!((&added["inserted"], added["batch_id"].to_string()), (&json!(2), batch.clone()));
        site.drain();
        assert_eq!(site.json(&["batches", "show", &batch])["status"], "open");
        assert_eq!(site.json(&["batches", "close", &batch])["is_open"], false);
        assert_eq!(site.json(&["batches", "wait", &batch, "--timeout", "60s"])["completed"], 3);
        let again = site.run(&["batches", "close", &batch]).stdout;
        assert_eq!(again, format!("batch {batch} is closed, and all members have ended\n"));
        let refused = site.json_with_exit(&["batches", "add", &batch, "more.ndjson"], 1);
        assert_eq!(refused["error"]["code"], "batch_closed");
    }
}

#[test]
fn a_mistake_names_the_file_and_the_line_and_enqueues_nothing() {
    for site in Site::both() {
        for (text, expected) in [
            ("{\"job_type\": \"step\", \"after\": [\"x\"]}", "bad.ndjson, line 1: no job before this one has the ref"),
            ("\n{\"job_type\": \"step\", \"after\": [77]}", "bad.ndjson, line 2: there is no job 77 to wait for"),
            (
                "{\"batch\": {\"name\": \"x\"}}\n{\"ref\": \"a\", \"job_type\": \"step\"}\n\
                 {\"job_type\": \"step\", \"after\": [\"a\", {\"signal\": \"a\"}]}",
                "bad.ndjson, line 3: a job cannot wait for both the job with the ref \"a\" and the signal \"a\", because",
            ),
            (
                "{\"job_type\": \"step\"}\n{\"job_type\": \"step\", \"after\": [{\"batch\": \"failed\"}]}",
                "bad.ndjson, line 2: a job that waits for a batch needs a batch",
            ),
        ] {
            site.sandbox.write("bad.ndjson", text);
            let ran = site.run(&["enqueue", "--batch", "bad.ndjson", "--json"]);
            assert_eq!(ran.exit, 2, "{ran:?}");
            let message = ran.document()["error"]["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with(expected), "{message}");
        }
        assert_eq!(site.json(&["jobs", "list"])["jobs"], json!([]));
    }
}

#[test]
fn what_is_done_to_a_batch_that_does_not_exist_says_so() {
    for site in Site::both() {
        site.json(&["enqueue", "step"]);
        for arguments in [
            &["batches", "show", "7"][..],
            &["batches", "wait", "7"],
            &["batches", "cancel", "7"],
            &["batches", "retry", "7"],
            &["batches", "close", "7"],
            &["batches", "add", "7", "flow.ndjson"],
            &["signal", "approved", "--batch", "7"],
        ] {
            site.sandbox.write("flow.ndjson", "{\"job_type\": \"step\"}\n");
            let ran = site.json_with_exit(arguments, 1);
            assert_eq!(ran["error"]["code"], "no_such_batch", "{arguments:?}");
        }
        assert_eq!(site.run(&["batches", "show", "x"]).exit, 2);
    }
}

#[test]
fn a_batch_is_shown_as_a_tree() {
    let site = Site::on_sqlite();
    let enqueued = site.json(&["enqueue", "--batch", "flow.ndjson"]);
    let shown = site.run(&["batches", "show", &enqueued["batch_id"].to_string()]).stdout;
    let ids = &enqueued["ids"];
    let (a, b) = (&ids["a"], &ids["b"]);
    assert!(shown.contains(&format!("\n{a} step (a) pending\n└ {b} step (b) blocked\n")), "{shown}");
    assert!(shown.contains(", after the signal approved\n"), "{shown}");
    assert!(shown.contains(" blocked, callback, after the failure of batch "), "{shown}");
}

/// The memory of the program is bounded by what it keeps of the names, and all of it is one transaction.
#[test]
fn a_file_of_a_hundred_thousand_lines_is_enqueued_whole() {
    let site = Site::on_sqlite();
    let mut text = String::from("{\"batch\": {\"name\": \"large\"}}\n{\"ref\": \"first\", \"job_type\": \"step\"}\n");
    for number in 0..100_000 {
        text.push_str(&format!("{{\"job_type\": \"step\", \"job_data\": {number}, \"after\": [\"first\"]}}\n"));
    }
    site.sandbox.write("flow.ndjson", text);
    let enqueued = site.json(&["enqueue", "--batch", "flow.ndjson"]);
    assert_eq!(enqueued["inserted"], 100_001);
    let batch = site.json(&["batches", "show", &enqueued["batch_id"].to_string(), "--limit", "3"]);
    assert_eq!((&batch["members"], batch["jobs"].as_array().unwrap().len()), (&json!(100_001), 3));
}
