//! The library scanner of `examples/`: its declarations and its scripts, with a replacement for the command line.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use longshore::declared::{DeclaredJob, DeclaredKind};
use longshore::{FailureType, StopCause};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::run::{Ran, Run, job};

/// Writes enqueued jobs to `batch` and returns `page` to callers that list jobs.
const STAND_IN: &str = r#"#!/bin/sh
here=$(dirname "$0")
case $1 in
    enqueue) cat > "$here/batch" ;;
    jobs) cat "$here/page" ;;
esac
"#;

const DIFFICULT_NAMES: [&str; 12] = [
    "plain",
    "two words",
    "quote\"double",
    "quote'single",
    "back\\slash",
    "\\n",
    "line\nbreak",
    "ends in one\n",
    "tab\tand\rreturn",
    "ünïcode 日本 🎵",
    "$(exit 9) `id` *?[a]",
    "-a=b",
];

#[derive(Deserialize)]
struct Configuration {
    jobs: BTreeMap<String, DeclaredJob>,
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/library-scanner")
}

/// A job of the example, as its configuration declares it.
fn example_job(job_type: &str) -> Run {
    let text = fs::read_to_string(example().join("longshore.toml")).unwrap();
    let configuration: Configuration = toml::from_str(&text).unwrap();
    let declared = &configuration.jobs[job_type];
    declared.validate(job_type).unwrap();
    let DeclaredKind::Run(spec) = declared.kind() else { panic!("{declared:?}") };
    let mut run = job(spec.clone());
    run.spec.directory = Some(example());
    run.grace = spec.grace.unwrap_or(run.grace);
    run
}

/// The directory of one test, with the replacement program.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name} {}", std::process::id()));
        fs::create_dir_all(path.join("library")).unwrap();
        fs::write(path.join("longshore"), STAND_IN).unwrap();
        fs::set_permissions(path.join("longshore"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { path }
    }

    fn text(&self, name: &str) -> String {
        self.path.join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, job_type: &str, payload: &Value) -> Ran {
        let mut run = example_job(job_type).payload(&payload.to_string());
        run.spec.env.insert("LONGSHORE".to_owned(), self.text("longshore"));
        run.finish()
    }

    /// The jobs that the scan enqueued.
    fn batch(&self) -> Vec<Value> {
        let batch = fs::read_to_string(self.path.join("batch")).unwrap();
        batch.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn set_page(&self, jobs: &[Value]) {
        let page = json!({"jobs": jobs, "next": null});
        fs::write(self.path.join("page"), page.to_string()).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

pub(crate) fn a_library_with_difficult_names_gets_a_manifest_that_sha256sum_accepts() {
    let scratch = Scratch::new("difficult \"names\"");
    for name in DIFFICULT_NAMES {
        fs::write(scratch.path.join("library").join(name), name).unwrap();
    }
    let manifest = scratch.text("manifest");
    let scanned = scratch.run("scan", &json!({"directory": scratch.text("library"), "manifest": manifest}));
    assert_eq!(scanned.result().unwrap(), r#"{"files": 12, "skipped": 0}"#);

    let mut jobs = scratch.batch();
    assert!(jobs.remove(0)["batch"]["name"].is_string());
    let report = jobs.pop().unwrap();
    assert_eq!((&report["job_type"], &report["after"]), (&json!("report"), &json!([{"batch": "ended"}])));
    for (job, id) in jobs.iter_mut().zip(2..) {
        let result = scratch.run("checksum", &job["job_data"]).result().unwrap();
        job["id"] = json!(id);
        job["status"] = json!("completed");
        job["result"] = serde_json::from_str(&result).unwrap();
    }
    scratch.set_page(&jobs);
    let reported = scratch.run("report", &report["job_data"]).result().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&reported).unwrap()["files"], 12);

    let checked = Command::new("sha256sum").arg("-c").arg(&manifest).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

pub(crate) fn a_report_names_what_did_not_complete_and_leaves_other_scans_out() {
    let scratch = Scratch::new("reported");
    let job = |id: u32, scan: u32, status: &str| {
        let result = json!({"line": format!("{id}  /file {id}")});
        json!({"id": id, "status": status, "job_data": {"scan": scan, "path": "/"}, "result": result})
    };
    let payload = json!({"scan": 1, "manifest": scratch.text("manifest")});
    let repeated = job(6, 1, "pending");
    scratch.set_page(&[repeated, job(5, 9, "completed"), job(4, 1, "completed"), job(3, 1, "dead_letter")]);
    let reported = scratch.run("report", &payload);
    assert!(reported.log.contains("job 3 dead_letter"), "{}", reported.log);
    assert!(reported.result().unwrap().ends_with(r#""files": 1, "failed": 1}"#));
    assert_eq!(fs::read_to_string(scratch.path.join("manifest")).unwrap(), "4  /file 4\n");
}

pub(crate) fn each_failing_job_fails_as_its_readme_says() {
    let failure = |job_type: &str| example_job(job_type).finish().failure();
    let table = [
        ("flaky", FailureType::NetworkError),
        ("denied", FailureType::PermissionError),
        ("broken", FailureType::ValidationError),
        ("killed", FailureType::ResourceError),
        ("noisy", FailureType::WorkerError),
    ];
    for (job_type, expected) in table {
        assert_eq!(failure(job_type).failure_type, expected, "{job_type}");
    }
    assert_eq!(failure("broken").message, "the payload has no \"title\"");
    assert!(example_job("litter").finish().end.is_ok());
    let slow = example_job("slow").start().await_log("a while").stop(StopCause::TimedOut).finish();
    assert_eq!(slow.failure().failure_type, FailureType::TimeoutError);
}
