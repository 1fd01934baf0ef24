use longshore_core::{
    Action, ClaimNumber, Console, JobId, LogChunk, LogRequest, Progress, Record, Recorded, Report, Status, Store,
    StoreError, WorkerId,
};

use crate::suite::world::{data, seconds};
use crate::suite::{Harness, Process, World};
use crate::{RecordBuilder, ended, heartbeat, job};

/// A worker that was found dead, the lease that it lost, and the worker that has the job now.
struct Late<H: Harness> {
    world: World<H>,
    late: WorkerId,
    lost: longshore_core::Lease,
    _successor: Process<H>,
}

async fn late<H: Harness>() -> Late<H> {
    let world = World::<H>::new();
    let doomed = world.process().await;
    world.enqueue(job()).await;
    let lost = doomed.begin_one().await;
    let late = doomed.worker_id.clone();
    world.kill(doomed);
    assert_eq!(world.reclaim().await.jobs, 1);
    let successor = world.process().await;
    successor.begin_one().await;
    Late { world, late, lost, _successor: successor }
}

/// Nothing that the late worker writes is accepted, and the job is not changed.
async fn is_fenced<H: Harness>(end: impl FnOnce(RecordBuilder) -> Record) {
    let Late { world, late, lost, .. } = late::<H>().await;
    let before = world.detail(lost.id).await;
    assert_eq!(world.record(&late, end(ended(&lost))).await, Recorded::Fenced);
    assert_eq!(world.detail(lost.id).await, before);
    assert_eq!(before.job.status, Status::Running);
}

pub async fn a_late_worker_cannot_complete_a_reclaimed_job<H: Harness>() {
    is_fenced::<H>(|end| end.completed_with(data("1"))).await;
}

pub async fn a_late_worker_cannot_retry_a_reclaimed_job<H: Harness>() {
    is_fenced::<H>(|end| end.retrying(seconds(1))).await;
}

pub async fn a_late_worker_cannot_give_a_reclaimed_job_up<H: Harness>() {
    is_fenced::<H>(RecordBuilder::dead_letter).await;
}

pub async fn a_late_worker_cannot_cancel_a_reclaimed_job<H: Harness>() {
    is_fenced::<H>(RecordBuilder::cancelled).await;
}

pub async fn a_late_worker_cannot_defer_a_reclaimed_job<H: Harness>() {
    is_fenced::<H>(|end| end.deferred(seconds(1))).await;
}

pub async fn a_late_worker_cannot_give_a_reclaimed_job_back<H: Harness>() {
    is_fenced::<H>(RecordBuilder::returned).await;
}

pub async fn a_late_worker_cannot_report_progress<H: Harness>() {
    let Late { world, late, lost, .. } = late::<H>().await;
    let progress = Some(Progress { fraction: 0.5, message: Some("half".to_owned()) });
    assert_eq!(report(&world, &late, lost.id, lost.claim_number, progress).await, Recorded::Fenced);
    let job = world.job(lost.id).await;
    assert_eq!((job.progress, job.progress_message), (None, None));
}

pub async fn a_late_worker_cannot_log<H: Harness>() {
    let Late { world, late, lost, .. } = late::<H>().await;
    assert_eq!(report(&world, &late, lost.id, lost.claim_number, None).await, Recorded::Fenced);
    is_log_empty(&world, lost.id).await;
}

pub async fn the_log_of_a_fenced_outcome_is_not_kept<H: Harness>() {
    let Late { world, late, lost, .. } = late::<H>().await;
    let record = ended(&lost).log(vec![line()]).completed();
    assert_eq!(world.record(&late, record).await, Recorded::Fenced);
    is_log_empty(&world, lost.id).await;
}

pub async fn a_late_worker_cannot_extend_its_lease<H: Harness>() {
    let Late { world, late, lost, .. } = late::<H>().await;
    let held = vec![(lost.id, lost.claim_number)];
    let answer = world.store.extend(heartbeat(&late, held)).await;
    assert!(matches!(answer, Err(StoreError::WorkerGone { worker_id }) if worker_id == late));
}

pub async fn a_late_worker_cannot_claim<H: Harness>() {
    let Late { world, late, .. } = late::<H>().await;
    let answer = world.store.claim(crate::claim(&late, 1)).await;
    assert!(matches!(answer, Err(StoreError::WorkerGone { .. })), "{answer:?}");
}

pub async fn an_older_claim_of_the_same_worker_is_fenced<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&first).returned()).await;
    let second = world.claim_one(&worker_id).await;
    assert_eq!(world.record(&worker_id, ended(&first).completed()).await, Recorded::Fenced);
    assert_eq!(report(&world, &worker_id, first.id, first.claim_number, None).await, Recorded::Fenced);
    world.complete(&worker_id, &second).await;
}

pub async fn another_worker_cannot_write_the_outcome<H: Harness>() {
    let world = World::<H>::new();
    let (owner, other) = (world.worker().await, world.worker().await);
    let lease = world.running(&owner, job()).await;
    assert_eq!(world.record(&other, ended(&lease).completed()).await, Recorded::Fenced);
    assert_eq!(world.record(&WorkerId::random(), ended(&lease).completed()).await, Recorded::Fenced);
    world.complete(&owner, &lease).await;
}

pub async fn a_second_outcome_of_one_attempt_is_fenced<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &lease).await;
    assert_eq!(world.record(&worker_id, ended(&lease).dead_letter()).await, Recorded::Fenced);
    assert_eq!(world.status(lease.id).await, Status::Completed);
}

pub async fn an_attempt_that_has_completed_its_job_may_bring_the_rest_of_its_log_and_no_progress<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &lease).await;
    let progress = Some(Progress { fraction: 0.5, message: None });
    assert_eq!(report(&world, &worker_id, lease.id, lease.claim_number, progress).await, Recorded::Recorded);
    let job = world.job(lease.id).await;
    assert_eq!((job.status, job.progress), (Status::Completed, None));
    let page =
        world.store.log(LogRequest { id: lease.id, attempt: None, after: None }).await.expect("logs can be read");
    assert_eq!(page.entries.iter().map(|entry| entry.text.as_str()).collect::<Vec<_>>(), ["line\n"]);
}

pub async fn the_log_of_a_completed_job_takes_nothing_from_others<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &lease).await;
    let (id, claim_number) = (lease.id, lease.claim_number);
    let other = world.worker().await;
    assert_eq!(report(&world, &other, id, claim_number, None).await, Recorded::Fenced);
    assert_eq!(report(&world, &worker_id, id, ClaimNumber(claim_number.0 + 1), None).await, Recorded::Fenced);
    world.act(id, Action::Retry).await;
    assert_eq!(report(&world, &worker_id, id, claim_number, None).await, Recorded::Fenced);
    is_log_empty(&world, id).await;
}

pub async fn of_two_outcomes_in_one_batch_the_first_holds<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let end = || ended(&lease);
    let answers = world.store.record(worker_id, [end().completed(), end().dead_letter()].into()).await;
    assert_eq!(answers.expect("outcomes can be written"), [Recorded::Recorded, Recorded::Fenced]);
    assert_eq!(world.status(lease.id).await, Status::Completed);
}

pub async fn an_outcome_of_a_job_that_is_not_there_is_fenced<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let record = Record { id: JobId(4711), ..ended(&lease).completed() };
    assert_eq!(world.record(&worker_id, record).await, Recorded::Fenced);
    assert_eq!(report(&world, &worker_id, JobId(4711), ClaimNumber(1), None).await, Recorded::Fenced);
}

pub async fn a_retired_worker_cannot_write_an_outcome<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.store.retire(worker_id.clone()).await.expect("it can retire");
    assert_eq!(world.record(&worker_id, ended(&lease).completed()).await, Recorded::Fenced);
    assert_eq!(world.status(lease.id).await, Status::Pending);
}

fn line() -> LogChunk {
    LogChunk { number: 0, text: "line\n".to_owned(), cut_bytes: 0, replaces: 0..0 }
}

async fn report<H: Harness>(
    world: &World<H>,
    worker_id: &WorkerId,
    id: JobId,
    claim_number: ClaimNumber,
    progress: Option<Progress>,
) -> Recorded {
    let report = Report { id, claim_number, attempt: 1, progress, log: vec![line()] };
    world.store.report(worker_id.clone(), [report].into()).await.expect("reports can be written").remove(0)
}

async fn is_log_empty<H: Harness>(world: &World<H>, id: JobId) {
    let page = world.store.log(LogRequest { id, attempt: None, after: None }).await.expect("logs can be read");
    assert!(page.entries.is_empty(), "{page:?}");
}
