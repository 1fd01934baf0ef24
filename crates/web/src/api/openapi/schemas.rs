#![allow(clippy::needless_pass_by_value, reason = "each schema is used once, and json! only borrows it")]

mod batches;
mod limits;
mod work;

use longshore_core::{AttemptOutcome, DeadLetterCode, FailureType, Status};
use serde_json::{Map, Value, json};

/// The schemas of bodies and answers. A test compares them with real documents.
pub(super) fn all() -> Value {
    let mut all = Map::new();
    let parts = [bodies(), jobs(), others(), limits::schemas(), batches::schemas(), work::schemas()];
    for (name, schema) in parts.into_iter().flatten() {
        all.insert(name.to_owned(), schema);
    }
    Value::Object(all)
}

type Named = (&'static str, Value);

/// An object whose fields may all be there; `required` lists those that must.
fn object(fields: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// The same as a body, where other fields are an error.
fn closed(fields: &[(&str, Value)], required: &[&str]) -> Value {
    let mut schema = object(fields, required);
    schema["additionalProperties"] = json!(false);
    schema
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn whole() -> Value {
    json!({ "type": "integer", "format": "int64" })
}

fn instant() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn duration() -> Value {
    json!({ "type": "string", "examples": ["30s", "5m"] })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn named(name: &str) -> Value {
    super::reference(name)
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "type": "string", "enum": words.into_iter().collect::<Vec<_>>() })
}

fn statuses() -> Value {
    words(Status::ALL.map(Status::as_str))
}

fn failure_types() -> Value {
    words(FailureType::ALL.map(FailureType::as_str))
}

fn bodies() -> Vec<Named> {
    let priority = json!({ "anyOf": [{ "type": "integer", "format": "int32" }, words(["low", "normal", "high", "urgent", "critical"])] });
    let ids =
        json!({ "type": "array", "maxItems": 1000, "items": { "type": "integer", "format": "int64", "minimum": 1 } });
    let selection = [("ids", ids), ("filter", named("Filter")), ("dry_run", flag())];
    let with_priority: Vec<(&str, Value)> = selection.iter().cloned().chain([("priority", priority.clone())]).collect();
    let retry = [("alone", flag()), ("from_start", flag())];
    let retried: Vec<(&str, Value)> = selection.iter().chain(&retry).cloned().collect();
    let job = [
        ("job_type", text()),
        ("job_data", json!({})),
        ("queue", text()),
        ("priority", priority.clone()),
        ("delay", duration()),
        ("run_at", instant()),
        ("max_retries", json!({ "type": "integer", "minimum": 0 })),
        ("timeout", duration()),
        ("timeout_seconds", json!({ "type": "number" })),
        ("expires_in", duration()),
        ("deadline_in", duration()),
        ("key", json!({ "type": "string", "minLength": 1, "maxLength": 200 })),
        ("unique_key", text()),
        ("on_duplicate", words(["keep", "replace", "push_back"])),
        ("unique_while", words(["unfinished", "waiting"])),
        ("parent_job_id", json!({ "type": "integer", "format": "int64", "minimum": 1 })),
        ("metadata", json!({})),
        // Shorter names of `run_at`, `deadline_in` and `parent_job_id`.
        ("at", instant()),
        ("deadline", duration()),
        ("parent", json!({ "type": "integer", "format": "int64", "minimum": 1 })),
    ];
    let jobs = json!({ "type": "array", "maxItems": 10000, "items": named("JobRequest") });
    vec![
        ("JobRequest", closed(&job, &["job_type"])),
        ("JobRequests", json!({ "anyOf": [jobs, closed(&[("jobs", jobs.clone())], &["jobs"])] })),
        ("Selection", closed(&selection, &[])),
        ("RetrySelection", closed(&retried, &[])),
        ("Retry", closed(&retry, &[])),
        ("Resume", closed(&[("catch_up", flag())], &[])),
        ("PrioritySelection", closed(&with_priority, &["priority"])),
        ("NewPriority", closed(&[("priority", priority)], &["priority"])),
        (
            "Filter",
            closed(
                &[
                    ("status", list(statuses())),
                    ("type", list(text())),
                    ("queue", list(text())),
                    ("failure_type", list(failure_types())),
                    ("reason", list(words(DeadLetterCode::ALL.map(DeadLetterCode::as_str)))),
                ],
                &[],
            ),
        ),
        (
            "JobEdit",
            closed(
                &[
                    ("job_type", text()),
                    ("job_data", json!({})),
                    ("queue", text()),
                    ("delay", duration()),
                    ("run_at", instant()),
                ],
                &[],
            ),
        ),
        (
            "PauseReason",
            closed(&[("reason", json!({ "type": "string", "minLength": 1, "maxLength": 1000 }))], &["reason"]),
        ),
    ]
}

/// The fields of a job, which several documents have.
fn job_fields() -> Vec<(&'static str, Value)> {
    let count = || json!({ "type": "integer", "minimum": 0 });
    vec![
        ("id", whole()),
        ("job_type", text()),
        ("job_data", json!({})),
        ("status", statuses()),
        ("priority", json!({ "type": "integer", "format": "int32" })),
        ("created_at", instant()),
        ("started_at", or_null(instant())),
        ("completed_at", or_null(instant())),
        ("log_file_path", or_null(text())),
        ("error_message", or_null(text())),
        ("retry_count", count()),
        ("max_retries", count()),
        ("worker_id", or_null(text())),
        ("timeout_seconds", or_null(json!({ "type": "number" }))),
        ("parent_job_id", or_null(whole())),
        ("failure_type", or_null(text())),
        ("next_retry_at", or_null(instant())),
        ("last_error_traceback", or_null(text())),
        ("dead_letter_reason", or_null(text())),
        ("moved_to_dead_letter_at", or_null(instant())),
        ("dead_letter_code", or_null(text())),
        ("queue", text()),
        ("run_at", instant()),
        ("claim_number", whole()),
        ("crash_count", count()),
        ("max_crashes", count()),
        ("deferral_count", count()),
        ("max_deferrals", count()),
        ("unique_key", or_null(text())),
        ("cancel_requested_at", or_null(instant())),
        ("progress", or_null(json!({ "type": "number", "minimum": 0, "maximum": 1 }))),
        ("progress_message", or_null(text())),
        ("result", json!({})),
        ("metadata", json!({})),
        ("expires_at", or_null(instant())),
        ("deadline_at", or_null(instant())),
    ]
}

fn all_of(base: &str, fields: &[(&str, Value)], required: &[&str]) -> Value {
    json!({ "allOf": [named(base), object(fields, required)] })
}

fn jobs() -> Vec<Named> {
    let fields = job_fields();
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let attempt = [
        ("attempt", whole()),
        ("claim_number", whole()),
        ("worker_id", or_null(text())),
        ("started_at", or_null(instant())),
        ("finished_at", or_null(instant())),
        ("outcome", outcomes()),
        ("failure_type", or_null(text())),
        ("error_message", or_null(text())),
        ("traceback", or_null(text())),
    ];
    let detail = [
        ("attempts", list(named("Attempt"))),
        ("batch_id", or_null(whole())),
        ("batch_role", or_null(words(["member", "callback"]))),
        ("ref", or_null(text())),
        ("dependencies", list(named("Dependency"))),
    ];
    let attempt_names: Vec<&str> = attempt.iter().map(|(name, _)| *name).collect();
    let cause = || object(&[("code", text()), ("message", text())], &["code", "message"]);
    let entry = [
        ("attempt", whole()),
        ("claim_number", whole()),
        ("chunk_number", whole()),
        ("written_at", instant()),
        ("cut_bytes", whole()),
        ("text", text()),
    ];
    let dependent = [("id", whole()), ("job_type", text()), ("status", statuses()), ("is_child", flag())];
    let changed =
        object(&[("touched", whole()), ("refused", list(json!({ "type": "object" })))], &["touched", "refused"]);
    let counted = object(&[("dry_run", flag()), ("matching", whole())], &["dry_run", "matching"]);
    vec![
        ("Job", object(&fields, &required)),
        ("JobList", object(&[("jobs", list(named("Job"))), ("next", or_null(text()))], &["jobs", "next"])),
        ("DependentList", object(&[("jobs", list(named("Dependent"))), ("next", or_null(whole()))], &["jobs", "next"])),
        ("Dependent", object(&dependent, &dependent.each_ref().map(|(name, _)| *name))),
        ("Attempt", object(&attempt, &attempt_names)),
        ("JobDetail", all_of("Job", &detail, &["attempts", "batch_id", "batch_role", "ref", "dependencies"])),
        (
            "Explanation",
            object(
                &[("id", whole()), ("status", statuses()), ("reason", cause()), ("also", list(cause()))],
                &["id", "status", "reason", "also"],
            ),
        ),
        (
            "JobLog",
            object(
                &[("id", whole()), ("entries", list(object(&entry, &[]))), ("next", or_null(text()))],
                &["id", "entries", "next"],
            ),
        ),
        (
            "EnqueuedJob",
            json!({ "anyOf": [
            all_of("Job", &[("is_duplicate", flag()), ("duplicate", or_null(text()))], &["is_duplicate"]),
            object(&[("id", whole()), ("is_duplicate", flag()), ("duplicate", or_null(text()))], &["id", "is_duplicate"]),
            object(&[("inserted", whole()), ("jobs", list(json!({ "type": "object" })))], &["inserted", "jobs"]),
            object(
                &[("inserted", whole()), ("batch_id", or_null(whole())), ("ids", json!({ "type": "object" }))],
                &["inserted", "batch_id", "ids"],
            ),
        ] }),
        ),
        ("Changed", json!({ "anyOf": [changed, counted] })),
    ]
}

fn outcomes() -> Value {
    words(OUTCOMES.map(AttemptOutcome::as_str))
}

const OUTCOMES: [AttemptOutcome; 8] = [
    AttemptOutcome::Running,
    AttemptOutcome::Completed,
    AttemptOutcome::Retrying,
    AttemptOutcome::DeadLetter,
    AttemptOutcome::Cancelled,
    AttemptOutcome::Deferred,
    AttemptOutcome::Returned,
    AttemptOutcome::Crashed,
];

fn others() -> Vec<Named> {
    let any = || json!({ "type": "object" });
    let documents = |name: &str| object(&[(name, list(any()))], &[name]);
    let error = object(&[("code", text()), ("message", text()), ("hint", or_null(text()))], &["code", "message"]);
    let queue = [
        ("queue", text()),
        ("paused_at", or_null(instant())),
        ("jobs", json!({ "type": "object", "additionalProperties": whole() })),
        ("scheduled", whole()),
        ("has_more_scheduled", flag()),
        ("oldest_waiting_at", or_null(instant())),
        ("depth", whole()),
        ("running", whole()),
        ("oldest_waiting_seconds", or_null(json!({ "type": "number" }))),
    ];
    let point = ["completed", "failed", "retried", "cancelled", "waited_ms", "ran_ms"].map(|name| (name, whole()));
    let point: Vec<(&str, Value)> = [("start", instant()), ("queue", text())].into_iter().chain(point).collect();
    vec![
        ("Error", object(&[("error", error)], &["error"])),
        ("OpenApi", any()),
        ("Health", object(&[("status", words(["ok", "unavailable"])), ("code", text())], &["status"])),
        (
            "QueueList",
            object(&[("queues", list(object(&queue, &queue.each_ref().map(|(name, _)| *name))))], &["queues"]),
        ),
        ("ChangedQueue", object(&[("queue", text()), ("is_paused", flag())], &["queue", "is_paused"])),
        ("WorkerList", documents("workers")),
        ("AuditPage", object(&[("entries", list(any())), ("next", or_null(whole()))], &["entries", "next"])),
        ("ScheduleList", documents("schedules")),
        ("ScheduleDetail", object(&[("name", text()), ("source", text())], &["name", "source"])),
        ("NextTickList", documents("schedules")),
        ("TickPage", object(&[("ticks", list(any())), ("next", or_null(instant()))], &["ticks", "next"])),
        ("ScheduleRun", object(&[("name", text()), ("job_id", whole())], &["name", "job_id"])),
        (
            "StatSeries",
            object(
                &[("minutes", whole()), ("step", whole()), ("points", list(object(&point, &[])))],
                &["minutes", "step", "points"],
            ),
        ),
        ("MigrationStatus", documents("migrations")),
        ("MigrationVerification", object(&[("ok", flag()), ("differences", list(any()))], &["ok", "differences"])),
        ("MigrationHistory", documents("events")),
    ]
}
