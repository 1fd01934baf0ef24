use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use longshore_core::{
    AttemptEnd, DeadLetterCode, Due, Failure, FailureType, Filter, JobData, JobEdit, JobId, LogChunk, NewJob,
    OnDuplicate, Priority, Progress, QueueLimit, QueueScope, Selection, Status, StepName, Suspects, Timestamp,
    UniqueWhile,
};

pub(super) const JOB_TYPES: [&str; 3] = ["a", "b", "c"];
pub(super) const QUEUES: [&str; 3] = ["q", "r", "s"];
/// A type and a queue that may have a limit.
pub(super) const LIMITED_TYPE: &str = "c";
pub(super) const LIMITED_QUEUE: &str = "s";
const PRIORITIES: [i32; 4] = [0, 5, 5, 10];

/// Draws a value. There are few names, so that jobs meet.
pub(super) fn pick<'a, T>(random: &mut Rng, from: &'a [T]) -> &'a T {
    &from[random.usize(..from.len())]
}

pub(super) fn is_lucky(random: &mut Rng, share: f64) -> bool {
    random.f64() < share
}

pub(super) fn new_job(random: &mut Rng, now: Timestamp, known: &[JobId]) -> NewJob {
    let mut job = NewJob::new(*pick(random, &JOB_TYPES), data(random)).queue(*pick(random, &QUEUES));
    job.priority = Priority(*pick(random, &PRIORITIES));
    job.due = due(random, now);
    job.max_retries = random.bool().then(|| random.u32(..3));
    job.max_crashes = random.u32(..3);
    job.max_deferrals = random.u32(..3);
    job.timeout = is_lucky(random, 0.2).then(|| milliseconds(random, 1..100_000));
    job.expires_in = is_lucky(random, 0.15).then(|| milliseconds(random, 1..30_000));
    job.deadline_in = is_lucky(random, 0.15).then(|| milliseconds(random, 1..60_000));
    job.unique_key = is_lucky(random, 0.3).then(|| format!("key {}", random.u32(..6)));
    job.on_duplicate = *pick(random, &[OnDuplicate::Keep, OnDuplicate::Replace, OnDuplicate::PushBack]);
    if random.bool() && job.unique_key.as_deref().is_some_and(|key| !is_strict(key)) {
        job.unique_while = UniqueWhile::Waiting;
    }
    job.metadata = is_lucky(random, 0.2).then(|| data(random));
    job.limit_key = is_lucky(random, 0.3).then(|| format!("tenant {}", random.u32(..2)));
    if is_lucky(random, 0.25) {
        job.parent = Some(parent(random, known));
    }
    if is_lucky(random, 0.01) {
        job.queue.clear();
    }
    job
}

/// Whether every job with this unique key is enqueued only while no other one is unfinished.
pub(super) fn is_strict(unique_key: &str) -> bool {
    unique_key < "key 3"
}

/// Usually one of the latest, so that chains grow; sometimes one that does not exist.
fn parent(random: &mut Rng, known: &[JobId]) -> JobId {
    if known.is_empty() || is_lucky(random, 0.05) {
        return JobId(random.i64(900_000..1_000_000));
    }
    let latest = if random.bool() { known.len().min(4) } else { known.len() };
    *pick(random, &known[..latest])
}

fn due(random: &mut Rng, now: Timestamp) -> Due {
    match random.u32(..10) {
        0 => Due::After(milliseconds(random, 0..20_000)),
        1 => Due::At(now.after(milliseconds(random, 0..20_000))),
        2 => Due::At(Timestamp::from_ms(random.i64(0..now.as_ms()))),
        _ => Due::Now,
    }
}

/// Sometimes it changes nothing, or is invalid for every job.
pub(super) fn edit(random: &mut Rng, now: Timestamp) -> JobEdit {
    JobEdit {
        job_type: is_lucky(random, 0.3).then(|| (*pick(random, &JOB_TYPES)).to_owned()),
        job_data: random.bool().then(|| data(random)),
        queue: is_lucky(random, 0.4).then(|| (*pick(random, &["q", "r", "s", "q", "r", "s", ""])).to_owned()),
        due: random.bool().then(|| due(random, now)),
    }
}

pub(super) fn data(random: &mut Rng) -> JobData {
    JobData::encode(&random.u32(..)).expect("a number is JSON")
}

/// The name of a step, or none for a checkpoint.
pub(super) fn step(random: &mut Rng) -> Option<StepName> {
    let name = *pick(random, &["", "charge", "Charge", "größer"]);
    (!name.is_empty()).then(|| StepName::new(name).expect("the name is plain text"))
}

pub(super) fn milliseconds(random: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

pub(super) fn job_types(random: &mut Rng) -> Arc<[String]> {
    JOB_TYPES.iter().filter(|_| is_lucky(random, 0.8)).map(ToString::to_string).collect()
}

pub(super) fn scope(random: &mut Rng) -> QueueScope {
    if is_lucky(random, 0.5) {
        return QueueScope::All;
    }
    let named: Vec<&str> = QUEUES.into_iter().filter(|_| is_lucky(random, 0.7)).collect();
    let limit = |queue: &str| QueueLimit { queue: queue.to_owned(), limit: random.u32(..5) };
    QueueScope::Only(named.into_iter().map(limit).collect())
}

pub(super) fn end(random: &mut Rng) -> AttemptEnd {
    match random.u32(..12) {
        0 => AttemptEnd::Cancelled,
        1 => AttemptEnd::Interrupted,
        2 => AttemptEnd::Crashed(if random.bool() { Suspects::One } else { Suspects::Several }),
        3 => AttemptEnd::Lapsed,
        4 => AttemptEnd::Snoozed { delay: milliseconds(random, 0..9000) },
        5..=7 => {
            let failure = Failure::new(*pick(random, &FailureType::ALL), format!("failure {}", random.u32(..100)));
            let failure = if random.bool() { failure.with_traceback("its story") } else { failure };
            if is_lucky(random, 0.3) {
                return AttemptEnd::RetryRequested { failure, delay: milliseconds(random, 0..9000) };
            }
            AttemptEnd::Failed(failure)
        }
        _ => AttemptEnd::Completed { result: random.bool().then(|| data(random)) },
    }
}

pub(super) fn log(random: &mut Rng) -> Vec<LogChunk> {
    (0..random.u32(..3))
        .map(|_| {
            let number = random.u32(..6);
            let replaces = if random.bool() { 0..0 } else { random.u32(..number + 1)..number };
            LogChunk { number, text: format!("line {}\n", random.u32(..)), cut_bytes: random.u64(..9), replaces }
        })
        .collect()
}

pub(super) fn progress(random: &mut Rng) -> Option<Progress> {
    let message = random.bool().then(|| format!("at {}", random.u32(..9)));
    random.bool().then(|| Progress { fraction: f64::from(random.u32(..12)) / 10.0, message })
}

pub(super) fn selection(random: &mut Rng, known: &[JobId]) -> Selection {
    if is_lucky(random, 0.7) {
        let number = random.usize(..4);
        let ids = (0..number).map(|_| if known.is_empty() { JobId(1) } else { *pick(random, known) });
        return Selection::Jobs(ids.collect());
    }
    let mut filter = Filter::all().statuses([*pick(random, &Status::ALL)]);
    if is_lucky(random, 0.05) {
        filter = filter.statuses([]);
    }
    if random.bool() {
        filter = filter.queues([*pick(random, &QUEUES)]);
    }
    if random.bool() {
        filter = filter.job_types([*pick(random, &JOB_TYPES)]);
    }
    if is_lucky(random, 0.05) {
        filter = filter.failure_types([*pick(random, &FailureType::ALL)]);
    }
    if is_lucky(random, 0.05) {
        filter = filter.reasons([*pick(random, &DeadLetterCode::ALL)]);
    }
    filter.into()
}
