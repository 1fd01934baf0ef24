//! What a program gets and what its messages do.

use std::time::Duration;

use longshore::{JobData, RetryPolicy, Status};

use crate::worked::{PID, Scene, python};

pub(crate) fn one_program_runs_job_after_job() {
    let (scene, program) = (Scene::new(), python(PID));
    let ids: Vec<_> = (0..20).map(|_| scene.enqueue("{}")).collect();
    scene.drain(scene.worker(&program));
    let first = scene.result(ids[0]);
    assert!(ids.into_iter().all(|id| scene.result(id) == first));
    assert_eq!((program.marks("started"), program.marks("quit")), (1, 1));
    program.until_nobody_is_left();
}

pub(crate) fn there_are_as_many_programs_as_jobs_at_once() {
    let body = "
for job in jobs():
    mark('job')
    while os.path.getsize(os.path.join(os.environ['FOLDER'], 'job')) < 3: time.sleep(0.005)
    say(job=job['id'], done=os.getpid())";
    let (scene, program) = (Scene::new(), python(body));
    let ids: Vec<_> = (0..12).map(|_| scene.enqueue("{}")).collect();
    scene.drain(scene.worker(&program).concurrency(3));
    let mut pids: Vec<_> = ids.into_iter().map(|id| scene.result(id)).collect();
    pids.sort();
    pids.dedup();
    assert!((1..=3).contains(&pids.len()), "{pids:?}");
    assert_eq!(program.marks("started"), 3);
}

pub(crate) fn the_job_line_says_everything_about_the_job() {
    let (scene, program) = (Scene::new(), python("for job in jobs(): say(job=job['id'], done=job)"));
    let metadata = JobData::parse(r#"{"tenant": 7}"#).unwrap();
    let id = scene.enqueue_as("{\n\"a\": [1,\n 2]\r\n}", |job| job.queue("media").metadata(metadata).max_retries(4));
    scene.drain(scene.worker(&program));
    let said: serde_json::Value = serde_json::from_str(&scene.result(id).unwrap()).unwrap();
    let expected = serde_json::json!({
        "id": id.0, "job_type": "resize", "job_data": {"a": [1, 2]}, "attempt": 1, "max_retries": 4,
        "queue": "media", "metadata": {"tenant": 7}, "checkpoint": null, "dependencies": {},
    });
    assert_eq!(said, expected);
}

pub(crate) fn a_payload_larger_than_a_pipe_arrives() {
    let body = "
for job in jobs():
    print('x' * 300000)  # before anything more is read
    say(job=job['id'], done=len(job['job_data']))";
    let (scene, program) = (Scene::new(), python(body));
    let ids: Vec<_> = (0..3).map(|_| scene.enqueue(&format!("\"{}\"", "y".repeat(900_000)))).collect();
    scene.drain(scene.worker(&program));
    for id in ids {
        assert_eq!(scene.result(id).as_deref(), Some("900000"));
    }
}

pub(crate) fn what_a_program_prints_is_the_log_of_its_job() {
    let body = r#"
print("before the first job")
for job in jobs():
    print("out", job["id"])
    print("err", job["id"], file=sys.stderr)
    print('{"longshore": {"job": 1, "nothing": true}}')
    sys.stdout.buffer.write(b"\xff no text\n"); sys.stdout.flush()
    print("the end", job["id"], end="", file=sys.stderr)
    say(job=job["id"], done=None)"#;
    let (scene, program) = (Scene::new(), python(body));
    let ids: Vec<_> = (0..3).map(|_| scene.enqueue("{}")).collect();
    scene.drain(scene.worker(&program));
    for id in ids {
        let log = scene.log(id);
        for expected in [
            format!("out {id}\n"),
            format!("err {id}\n"),
            format!("the end {id}\n"),
            "{\"longshore\": {\"job\": 1, \"nothing\": true}}\n".to_owned(),
            "\u{fffd} no text\n".to_owned(),
        ] {
            assert!(log.contains(&expected), "{expected:?} is not in {log:?}");
        }
        assert_eq!(log.matches("out ").count(), 1, "{log}");
        assert!(!log.contains("before the first job"), "{log}");
    }
}

pub(crate) fn messages_become_progress_log_result_and_failures() {
    let body = r#"
for job in jobs():
    say(job=job["id"], progress=0.5, message="half")
    say(job=job["id"], log="a line")
    say(job=job["id"], **job["job_data"])"#;
    let (scene, program) = (Scene::new(), python(body));
    let done = scene.enqueue(r#"{"done": {"b": 1.5}}"#);
    let failed = scene.enqueue(
        r#"{"failure_type": "validation_error", "error_message": "no such image", "traceback": "line 1\nline 2"}"#,
    );
    scene.drain(scene.worker(&program));
    assert_eq!(scene.result(done).as_deref(), Some(r#"{"b": 1.5}"#));
    let job = scene.job(done);
    assert_eq!((job.progress, job.progress_message.as_deref()), (Some(0.5), Some("half")));
    assert_eq!(scene.log(done), "a line\n");
    assert_eq!(scene.failure(failed), ("validation_error".to_owned(), "no such image".to_owned()));
    assert_eq!(scene.job(failed).last_error_traceback.as_deref(), Some("line 1\nline 2"));
    assert_eq!(program.marks("started"), 1, "a failure does not end the program");
}

pub(crate) fn a_snooze_and_a_rate_limit_spend_no_attempt() {
    let body = r#"
seen = set()
for job in jobs():
    if job["id"] in seen: say(job=job["id"], done=job["attempt"])
    else:
        seen.add(job["id"])
        say(job=job["id"], **job["job_data"])
        if job["id"] % 2: say(job=job["id"], done="of the first attempt")"#;
    let (scene, program) = (Scene::new(), python(body));
    let ids: Vec<_> = [r#"{"snooze": "10ms"}"#, r#"{"rate_limited": "10ms"}"#]
        .into_iter()
        .flat_map(|data| [scene.enqueue(data), scene.enqueue(data)])
        .collect();
    scene.drain(scene.worker(&program));
    for id in ids {
        assert_eq!(scene.result(id).as_deref(), Some("1"), "{id}");
        assert_eq!((scene.job(id).retry_count, scene.job(id).deferral_count), (0, 1));
    }
}

pub(crate) fn an_end_of_another_job_ends_nothing() {
    let body = r#"
for job in jobs():
    say(job=job["id"] + 1, done="wrong")
    say(done="without an id")
    say(job=job["id"], done="right")
    say(job=job["id"], done="late")"#;
    let (scene, program) = (Scene::new(), python(body));
    let ids: Vec<_> = (0..3).map(|_| scene.enqueue("{}")).collect();
    scene.drain(scene.worker(&program));
    for id in &ids {
        assert_eq!(scene.result(*id).as_deref(), Some("\"right\""));
    }
    assert!(scene.log(ids[0]).contains("which it does not have; ignored"));
}

pub(crate) fn a_message_that_is_too_long_fails_its_job_alone() {
    let body = r#"
for job in jobs(): say(job=job["id"], done="x" * job["job_data"])"#;
    let (scene, program) = (Scene::new(), python(body));
    let (huge, large, small) = (scene.enqueue("9000000"), scene.enqueue("1048576"), scene.enqueue("5"));
    scene.drain(scene.worker(&program));
    for id in [huge, large] {
        let (failure_type, message) = scene.failure(id);
        assert_eq!(failure_type, "validation_error");
        assert!(message.contains("too long") || message.contains("the limit is"), "{message}");
    }
    assert_eq!(scene.job(small).status, Status::Completed);
    assert_eq!(program.marks("started"), 1);
}

pub(crate) fn a_message_that_cannot_be_read_fails_its_job_and_the_program_stays() {
    let body = r#"
for job in jobs():
    print(job["job_data"].replace("ID", str(job["id"])), flush=True)"#;
    let (scene, program) = (Scene::new(), python(body));
    let lines = [
        r#"{"longshore": {"job": ID, "done": {"mean": NaN}}}"#,
        r#"{"longshore": {"job": ID, "snooze": "bananas"}}"#,
        r#"{"longshore": {"job": ID, "rate_limited": 30}}"#,
        r#"{"longshore": {"job": "ID", "done": null}}"#,
        r#"{"longshore": 5}"#,
    ];
    let ids = lines.map(|line| scene.enqueue(&serde_json::to_string(line).unwrap()));
    let sound = scene.enqueue(r#""{\"longshore\": {\"job\": ID, \"done\": 7}}""#);
    scene.drain(scene.worker(&program));
    for (id, line) in ids.into_iter().zip(lines) {
        let (failure_type, message) = scene.failure(id);
        assert_eq!(failure_type, "validation_error", "{line}");
        assert!(scene.log(id).ends_with(&format!("\nlongshore: {message}\n")), "{line}");
    }
    assert_eq!(scene.result(sound).as_deref(), Some("7"));
    assert_eq!(program.marks("started"), 1);
}

pub(crate) fn news_that_cannot_be_read_do_not_end_the_job() {
    let body = r#"
for job in jobs():
    say(job=job["id"], progress=0.25)
    say(job=job["id"], progress="50%")
    say(log=42)
    say(job=job["id"], log="still at work")
    say(job=job["id"], done=job["id"])"#;
    let (scene, program) = (Scene::new(), python(body));
    let ids = [scene.enqueue("{}"), scene.enqueue("{}")];
    scene.drain(scene.worker(&program));
    for id in ids {
        assert_eq!(scene.result(id).as_deref(), Some(id.to_string().as_str()));
        assert_eq!(scene.job(id).progress, Some(0.25));
        let log = scene.log(id);
        assert_eq!(log.matches("longshore: a message was not understood: ").count(), 2, "{log}");
        assert_eq!(log.matches("still at work\n").count(), 1, "{log}");
    }
}

pub(crate) fn the_next_attempt_gets_the_last_checkpoint() {
    let body = r#"
for job in jobs():
    if job["checkpoint"] is None:
        say(job=job["id"], checkpoint={"page": 1})
        say(job=job["id"], checkpoint={"page": 2})
        if job["job_data"] == "dies": os.abort()
        say(job=job["id"], snooze="10ms")
    else: say(job=job["id"], done=job["checkpoint"])"#;
    let (scene, program) = (Scene::new(), python(body));
    let snoozed = scene.enqueue("\"snoozes\"");
    let died = scene.enqueue_as("\"dies\"", |job| job.max_retries(1));
    let worker = scene.worker(&program).retry("resize", RetryPolicy::fixed(Duration::from_millis(10)));
    scene.drain(worker);
    assert_eq!(scene.result(snoozed).as_deref(), Some(r#"{"page": 2}"#));
    assert_eq!(scene.result(died).as_deref(), Some(r#"{"page": 2}"#));
}
