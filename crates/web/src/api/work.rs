//! Workers in any language over HTTP: they register, claim, say that they live, and end their attempts.

mod attempts;
mod bodies;
mod claiming;
mod errors;
mod living;
mod path;

use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::endpoint::document::{Body, Parameter};

pub(super) fn endpoints() -> Vec<Endpoint> {
    [of_workers(), of_attempts()].into_iter().flatten().collect()
}

fn of_workers() -> Vec<Endpoint> {
    vec![
        Endpoint::post("/api/v1/workers", Scope::Work, living::register)
            .says(
                "Registers a worker over HTTP. Only its heartbeats show that it lives: one that sends none for its whole \
                 lease loses its jobs. With its `worker_id` it registers again and keeps what it still holds.",
            )
            .body(Body { schemas: &["NewWorker"], is_required: true })
            .answers(201, "RegisteredWorker")
            .fails(&["404"]),
        Endpoint::post("/api/v1/workers/{worker}/claim", Scope::Work, claiming::claim)
            .says(
                "Claims jobs, and waits up to `wait` for one. `holds` names all that the worker holds; what it holds \
                 beyond that comes first, so a claim whose answer was lost is repeated. One claim at a time.",
            )
            .body(Body { schemas: &["Claim"], is_required: true })
            .answers(200, "ClaimedJobs"),
        Endpoint::post("/api/v1/workers/{worker}/heartbeat", Scope::Work, living::heartbeat)
            .says(
                "Extends the lease of a worker over all that it holds, which it names with progress and log, and says what \
                 it must stop. Send it several times a lease.",
            )
            .body(Body { schemas: &["WorkerHeartbeat"], is_required: true })
            .answers(200, "ExtendedWorker"),
        Endpoint::delete("/api/v1/workers/{worker}", Scope::Work, living::retire)
            .says("Retires a worker: what it still holds is given back, and no attempt counts")
            .answers(200, "RetiredWorker"),
    ]
}

fn of_attempts() -> Vec<Endpoint> {
    vec![
        Endpoint::post("/api/v1/workers/{worker}/jobs/{id}/complete", Scope::Work, attempts::complete)
            .says("Completes a job, with its result. Repeated, it answers the same.")
            .body(Body { schemas: &["CompletedAttempt"], is_required: true })
            .answers(200, "AttemptEnd"),
        Endpoint::post("/api/v1/workers/{worker}/jobs/{id}/fail", Scope::Work, attempts::fail)
            .says(
                "Fails an attempt. The failure type decides whether the job is retried; `retry_after` chooses when; \
                 `rate_limited` defers the job and others of its type or key, and counts no attempt.",
            )
            .body(Body { schemas: &["FailedAttempt"], is_required: true })
            .answers(200, "AttemptEnd"),
        Endpoint::post("/api/v1/workers/{worker}/jobs/{id}/snooze", Scope::Work, attempts::snooze)
            .says("Lets a job run again later; the attempt does not count")
            .body(Body { schemas: &["SnoozedAttempt"], is_required: true })
            .answers(200, "AttemptEnd"),
        Endpoint::post("/api/v1/workers/{worker}/jobs/{id}/return", Scope::Work, attempts::give_back)
            .says("Gives a job back at once; the attempt does not count")
            .body(Body { schemas: &["ReturnedAttempt"], is_required: true })
            .answers(200, "AttemptEnd"),
        Endpoint::post("/api/v1/workers/{worker}/jobs/{id}/checkpoint", Scope::Work, attempts::checkpoint)
            .says("Stores where an attempt stands, or with `step` the result of a step, for the attempts after it")
            .body(Body { schemas: &["NewCheckpoint"], is_required: true })
            .answers(200, "SavedCheckpoint"),
        Endpoint::get("/api/v1/workers/{worker}/jobs/{id}/steps/{step}", Scope::Work, attempts::step)
            .says("Reads the result of a step that this or an earlier attempt has stored")
            .query([Parameter::number("claim_number", "The claim number of the attempt.", 1..=u32::MAX).required()])
            .answers(200, "StepResult")
            .fails(&["409", "422"]),
    ]
}
