use serde_json::{Value, json};

use super::{
    Named, closed, duration, failure_types, flag, instant, list, named, object, or_null, outcomes, text, whole,
};

/// The schemas of what workers over HTTP send and get.
pub(super) fn schemas() -> Vec<Named> {
    [bodies(), answers()].into_iter().flatten().collect()
}

fn names(at_least: u32) -> Value {
    json!({ "type": "array", "minItems": at_least, "maxItems": 1000, "items": { "type": "string", "maxLength": 200 } })
}

fn id() -> (&'static str, Value) {
    ("id", json!({ "type": "integer", "format": "int64", "minimum": 1 }))
}

fn claim_number() -> (&'static str, Value) {
    ("claim_number", whole())
}

fn worker_id() -> (&'static str, Value) {
    ("worker_id", json!({ "type": "string", "pattern": "^http-[A-Za-z0-9_-]{1,59}$" }))
}

fn log() -> (&'static str, Value) {
    ("log", json!({ "type": "string", "description": "Text that is added to the log as it is." }))
}

fn held(of: &str) -> Value {
    json!({ "type": "array", "maxItems": 1000, "items": named(of) })
}

fn bodies() -> Vec<Named> {
    let wait = json!({ "type": "string", "examples": ["0s", "1s"], "description": "Up to 60s; default 0s." });
    let lease = json!({ "type": "string", "examples": ["30s"], "description": "From 1s to 1h; default 30s." });
    let registration = [
        ("job_types", names(1)),
        ("queues", names(0)),
        worker_id(),
        ("host", json!({ "type": "string", "maxLength": 200 })),
        ("pid", json!({ "type": "integer", "minimum": 0 })),
        ("concurrency", json!({ "type": "integer", "minimum": 1, "maximum": 10000 })),
        ("lease", lease),
    ];
    let claim = [
        ("job_types", names(1)),
        ("queues", names(0)),
        ("limit", json!({ "type": "integer", "minimum": 1, "maximum": 100 })),
        ("wait", wait),
        ("holds", held("HeldJob")),
    ];
    let news = [
        id(),
        claim_number(),
        ("progress", json!({ "type": "number", "minimum": 0, "maximum": 1 })),
        ("message", text()),
        log(),
    ];
    let failed = [
        claim_number(),
        ("failure_type", failure_types()),
        ("error_message", text()),
        ("traceback", text()),
        ("retry_after", duration()),
        ("rate_limited", duration()),
        log(),
    ];
    let step = ("step", json!({ "type": "string", "minLength": 1, "maxLength": 200 }));
    vec![
        ("NewWorker", closed(&registration, &["job_types"])),
        ("Claim", closed(&claim, &["job_types", "holds"])),
        ("HeldJob", closed(&[id(), claim_number()], &["id", "claim_number"])),
        ("HeldJobNews", closed(&news, &["id", "claim_number"])),
        ("WorkerHeartbeat", closed(&[("jobs", held("HeldJobNews"))], &["jobs"])),
        ("CompletedAttempt", closed(&[claim_number(), ("result", json!({})), log()], &["claim_number"])),
        ("FailedAttempt", closed(&failed, &["claim_number"])),
        ("SnoozedAttempt", closed(&[claim_number(), ("delay", duration()), log()], &["claim_number", "delay"])),
        ("ReturnedAttempt", closed(&[claim_number(), log()], &["claim_number"])),
        ("NewCheckpoint", closed(&[claim_number(), ("value", json!({})), step], &["claim_number", "value"])),
    ]
}

/// The fields of a job as a worker gets it.
fn claimed_job() -> Value {
    let fields = [
        ("id", whole()),
        ("claim_number", whole()),
        ("job_type", text()),
        ("job_data", json!({})),
        ("attempt", whole()),
        ("max_retries", whole()),
        ("queue", text()),
        ("priority", json!({ "type": "integer", "format": "int32" })),
        ("metadata", json!({})),
        ("checkpoint", json!({})),
        ("dependencies", json!({ "type": "object" })),
        ("timeout_seconds", or_null(json!({ "type": "number" }))),
        ("deadline_at", or_null(instant())),
        ("runs_alone", flag()),
        ("traceparent", or_null(text())),
    ];
    object(&fields, &fields.each_ref().map(|(name, _)| *name))
}

fn answers() -> Vec<Named> {
    let seconds = || json!({ "type": "number" });
    let ids = || list(whole());
    let registered = [worker_id(), ("lease_seconds", seconds()), ("heartbeat_seconds", seconds())];
    let extended = [("lost", ids()), ("cancelled", ids()), ("timed_out", ids())];
    let end = [("id", whole()), claim_number(), ("outcome", outcomes())];
    let saved = [("id", whole()), claim_number(), ("step", or_null(text()))];
    vec![
        ("RegisteredWorker", object(&registered, &registered.each_ref().map(|(name, _)| *name))),
        ("ClaimedJob", claimed_job()),
        ("ClaimedJobs", object(&[("jobs", list(named("ClaimedJob")))], &["jobs"])),
        ("ExtendedWorker", object(&extended, &extended.each_ref().map(|(name, _)| *name))),
        ("RetiredWorker", object(&[worker_id()], &["worker_id"])),
        ("AttemptEnd", object(&end, &end.each_ref().map(|(name, _)| *name))),
        ("SavedCheckpoint", object(&saved, &["id", "claim_number"])),
        ("StepResult", object(&[("step", text()), ("result", json!({}))], &["step", "result"])),
    ]
}
