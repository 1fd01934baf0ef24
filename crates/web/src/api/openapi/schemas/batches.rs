use longshore_core::BatchStatus;
use serde_json::json;

use super::{Named, all_of, closed, flag, instant, list, named, object, or_null, statuses, text, whole, words};

/// Batches, their jobs and signals.
pub(super) fn schemas() -> Vec<Named> {
    let batch = [
        ("batch_id", whole()),
        ("name", text()),
        ("status", words(BatchStatus::ALL.map(BatchStatus::as_str))),
        ("created_at", instant()),
        ("closed_at", or_null(instant())),
        ("ended_at", or_null(instant())),
        ("members", whole()),
        ("completed", whole()),
        ("cancelled", whole()),
        ("dead_letter", whole()),
        ("callbacks", whole()),
    ];
    let job = [
        ("id", whole()),
        ("ref", or_null(text())),
        ("role", words(["member", "callback"])),
        ("job_type", text()),
        ("status", statuses()),
        ("dependencies", list(named("Dependency"))),
    ];
    let dependency = [
        ("ref", or_null(text())),
        ("job_id", whole()),
        ("status", or_null(statuses())),
        ("batch_id", whole()),
        ("batch_status", or_null(text())),
        ("signal", text()),
        ("needs", words(["completed", "ended", "failed"])),
        ("otherwise", words(["dead_letter", "cancel", "run", "wait"])),
        ("state", words(["waiting", "met", "passed", "failed"])),
        ("timeout_at", or_null(instant())),
    ];
    let id = ("batch_id", whole());
    let refused = list(json!({ "type": "object" }));
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 1000 });
    vec![
        ("Batch", object(&batch, &batch.each_ref().map(|(name, _)| *name))),
        ("BatchList", object(&[("batches", list(named("Batch"))), ("next", or_null(text()))], &["batches", "next"])),
        ("Dependency", object(&dependency, &["ref", "needs", "otherwise", "state", "timeout_at"])),
        ("BatchJob", object(&job, &job.each_ref().map(|(name, _)| *name))),
        (
            "BatchDetail",
            all_of(
                "Batch",
                &[("jobs", list(named("BatchJob"))), ("has_more", flag()), ("next", or_null(whole()))],
                &["jobs", "has_more", "next"],
            ),
        ),
        (
            "ChangedMembers",
            object(&[id.clone(), ("touched", whole()), ("refused", refused)], &["batch_id", "touched", "refused"]),
        ),
        ("ClosedBatch", object(&[id.clone(), ("is_open", flag())], &["batch_id", "is_open"])),
        ("NewSignal", closed(&[("name", name), ("data", json!({}))], &["name"])),
        ("SentSignal", object(&[("signal", text()), id, ("is_first", flag())], &["signal", "batch_id", "is_first"])),
    ]
}
