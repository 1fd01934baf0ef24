//! The Python helper of `examples/`.

use std::path::Path;

use crate::worked::{Program, Scene, program};

/// A program that uses the helper.
fn with_helper(body: &str) -> Program {
    let folder = tempfile::tempdir().unwrap();
    let helper = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python/longshore_worker.py");
    std::fs::copy(helper, folder.path().join("longshore_worker.py")).unwrap();
    let path = folder.path().join("worker.py");
    std::fs::write(&path, format!("from longshore_worker import *\n{body}\nrun()\n")).unwrap();
    program(folder, ["python3", path.to_str().unwrap()])
}

pub(crate) fn the_helper_runs_jobs_and_reports_everything() {
    let body = r#"
seen = []

@job("resize")
def resize(data):
    progress(0.5, "half")
    log("through a message")
    print("printed")
    seen.append(data)
    if data == "snooze" and seen.count(data) == 1:
        checkpoint({"page": 7})
        snooze("10ms")
    if data == "snooze": return last_checkpoint()
    if data == "limited" and seen.count(data) == 1: rate_limited("10ms")
    if data == "invalid": raise Failure("validation_error", "no such image")
    if data == "bug": return {}["width"]
    return {"data": data}
"#;
    let (scene, program) = (Scene::new(), with_helper(body));
    let [plain, snoozed, limited, invalid, bug] =
        ["plain", "snooze", "limited", "invalid", "bug"].map(|word| scene.enqueue(&format!("\"{word}\"")));
    scene.drain(scene.worker(&program));
    assert_eq!(scene.result(plain).as_deref(), Some(r#"{"data": "plain"}"#));
    let job = scene.job(plain);
    assert_eq!((job.progress, job.progress_message.as_deref()), (Some(0.5), Some("half")));
    let log = scene.log(plain);
    assert!(log.contains("through a message\n") && log.contains("printed\n"), "{log}");
    assert_eq!(scene.result(snoozed).as_deref(), Some(r#"{"page": 7}"#));
    for id in [snoozed, limited] {
        assert!(scene.result(id).is_some());
        assert_eq!((scene.job(id).deferral_count, scene.job(id).retry_count), (1, 0));
    }
    assert_eq!(scene.failure(invalid), ("validation_error".to_owned(), "no such image".to_owned()));
    let (failure_type, message) = scene.failure(bug);
    assert_eq!((failure_type.as_str(), message.as_str()), ("worker_error", "KeyError: 'width'"));
    let traceback = scene.job(bug).last_error_traceback.unwrap();
    assert!(traceback.starts_with("Traceback") && traceback.contains("KeyError: 'width'"), "{traceback}");
    program.until_nobody_is_left();
}

pub(crate) fn a_print_without_a_line_end_does_not_disturb_a_message() {
    let body = r#"
import subprocess

@job("resize")
def resize(data):
    print("no line end", end="")
    subprocess.run(["printf", "of a child"])
    return 42
"#;
    let (scene, program) = (Scene::new(), with_helper(body));
    let ids = [scene.enqueue("{}"), scene.enqueue("{}")];
    scene.drain(scene.worker(&program));
    for id in ids {
        assert_eq!(scene.result(id).as_deref(), Some("42"));
        let log = scene.log(id);
        assert!(log.contains("no line end") && log.contains("of a child"), "{log}");
    }
}

pub(crate) fn the_helper_makes_texts_and_numbers_of_what_it_reports() {
    let body = r#"
@job("resize")
def resize(data):
    progress("0.5", 7)
    log(42)
    return data
"#;
    let (scene, program) = (Scene::new(), with_helper(body));
    let id = scene.enqueue("1");
    scene.drain(scene.worker(&program));
    assert_eq!(scene.result(id).as_deref(), Some("1"));
    let job = scene.job(id);
    assert_eq!((job.progress, job.progress_message.as_deref()), (Some(0.5), Some("7")));
    assert_eq!(scene.log(id), "42\n");
}

pub(crate) fn a_result_that_is_no_json_fails_its_job() {
    let body = r#"
@job("resize")
def resize(data):
    return {"mean": float("nan")} if data == "nan" else data
"#;
    let (scene, program) = (Scene::new(), with_helper(body));
    let [nan, sound] = ["nan", "sound"].map(|word| scene.enqueue(&format!("\"{word}\"")));
    scene.drain(scene.worker(&program));
    let (failure_type, message) = scene.failure(nan);
    assert_eq!(failure_type, "worker_error");
    assert!(message.starts_with("ValueError: Out of range float values are not JSON compliant"), "{message}");
    assert_eq!(scene.result(sound).as_deref(), Some("\"sound\""));
}
