use longshore_core::{
    ClaimNumber, Console, JobId, Lease, LogBuffer, LogChunk, LogEndRequest, LogEntry, LogLimits, LogRequest, Progress,
    Recorded, Report, Store, WorkerId,
};

use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, job};

fn chunk(number: u32, text: &str) -> LogChunk {
    LogChunk { number, text: text.to_owned(), cut_bytes: 0, replaces: 0..0 }
}

async fn report<H: Harness>(world: &World<H>, worker_id: &WorkerId, report: Report) {
    let answer = world.store.report(worker_id.clone(), [report].into()).await.expect("reports can be written");
    assert_eq!(answer, [Recorded::Recorded]);
}

async fn log<H: Harness>(world: &World<H>, worker_id: &WorkerId, lease: &Lease, chunks: Vec<LogChunk>) {
    report(world, worker_id, news(lease, None, chunks)).await;
}

fn news(lease: &Lease, progress: Option<Progress>, log: Vec<LogChunk>) -> Report {
    Report { id: lease.id, claim_number: lease.claim_number, attempt: lease.attempt(), progress, log }
}

async fn entries<H: Harness>(world: &World<H>, request: LogRequest) -> Vec<LogEntry> {
    world.store.log(request).await.expect("logs can be read").entries
}

const fn whole(id: JobId) -> LogRequest {
    LogRequest { id, attempt: None, after: None }
}

fn text(entries: &[LogEntry]) -> String {
    entries.iter().map(|entry| entry.text.as_str()).collect()
}

pub async fn what_an_attempt_logs_is_kept_in_order<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    log(&world, &worker_id, &lease, vec![chunk(0, "one\n"), chunk(1, "two\n")]).await;
    world.clock.advance(seconds(1));
    log(&world, &worker_id, &lease, vec![chunk(2, "three\n")]).await;
    let found = entries(&world, whole(lease.id)).await;
    assert_eq!(text(&found), "one\ntwo\nthree\n");
    assert_eq!(found.iter().map(|entry| entry.chunk_number).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((found[2].written_at, found[2].claim_number, found[2].attempt), (world.now(), lease.claim_number, 1));
}

pub async fn a_log_that_is_too_long_keeps_its_head_and_its_tail<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let mut buffer = LogBuffer::new(LogLimits { head_bytes: 20, tail_bytes: 20 });
    for number in 0..100 {
        buffer.push(&format!("line {number:3}\n"));
        log(&world, &worker_id, &lease, buffer.take()).await;
    }
    let found = entries(&world, whole(lease.id)).await;
    assert_eq!(text(&found), "line   0\nline   1\nliline  98\nline  99\n");
    assert!(found.iter().any(|entry| entry.cut_bytes > 0));
}

pub async fn a_chunk_takes_the_place_of_those_that_it_replaces<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    log(&world, &worker_id, &lease, vec![chunk(0, "a"), chunk(1, "b"), chunk(2, "c"), chunk(3, "d")]).await;
    let last = LogChunk { number: 4, text: "e".to_owned(), cut_bytes: 2, replaces: 1..3 };
    log(&world, &worker_id, &lease, vec![last]).await;
    let found = entries(&world, whole(lease.id)).await;
    assert_eq!(text(&found), "ade");
    assert_eq!(found[2].cut_bytes, 2);
}

pub async fn a_chunk_that_comes_twice_is_kept_once<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    for _ in 0..2 {
        log(&world, &worker_id, &lease, vec![chunk(0, "once\n")]).await;
    }
    assert_eq!(text(&entries(&world, whole(lease.id)).await), "once\n");
}

pub async fn the_last_of_the_log_comes_with_the_outcome<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    log(&world, &worker_id, &lease, vec![chunk(0, "begun\n")]).await;
    let record = ended(&lease).log(vec![chunk(1, "done\n")]).completed();
    world.finish(&worker_id, record).await;
    assert_eq!(text(&entries(&world, whole(lease.id)).await), "begun\ndone\n");
}

pub async fn each_attempt_has_a_log_of_its_own<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    let record = ended(&first).log(vec![chunk(0, "first\n")]).retrying(seconds(0));
    world.finish(&worker_id, record).await;
    let second = world.claim_one(&worker_id).await;
    log(&world, &worker_id, &second, vec![chunk(0, "second\n")]).await;
    assert_eq!(text(&entries(&world, whole(first.id)).await), "first\nsecond\n");
    let only = LogRequest { attempt: Some(2), ..whole(first.id) };
    assert_eq!(text(&entries(&world, only).await), "second\n");
}

pub async fn a_log_is_read_on_from_where_it_was_left<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    log(&world, &worker_id, &lease, vec![chunk(0, "a"), chunk(1, "b")]).await;
    let after = Some((lease.claim_number, 0));
    assert_eq!(text(&entries(&world, LogRequest { after, ..whole(lease.id) }).await), "b");
    let after = Some((lease.claim_number, 1));
    assert!(entries(&world, LogRequest { after, ..whole(lease.id) }).await.is_empty());
}

pub async fn the_end_of_a_log_is_read_without_its_beginning<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    let record = ended(&first).log(vec![chunk(0, "first\n")]).returned();
    world.finish(&worker_id, record).await;
    let second = world.claim_one(&worker_id).await;
    // More pieces than one page of a log has. A letter of two bytes counts as two.
    let pieces = (0..1200).map(|number| chunk(number, &format!("é{number:04}\n"))).collect();
    log(&world, &worker_id, &second, pieces).await;
    for (claim_number, bytes_max, expected) in [
        (second.claim_number, 14, "é1198\né1199\n"),
        (second.claim_number, 15, "é1197\né1198\né1199\n"),
        (first.claim_number, 15, "first\n"),
        (ClaimNumber(second.claim_number.0 + 1), 15, ""),
    ] {
        let request = LogEndRequest { id: first.id, claim_number, bytes_max };
        let end = world.store.log_end(request).await.expect("logs can be read").entries;
        assert_eq!(text(&end), expected, "{request:?}");
    }
}

pub async fn a_job_that_is_not_there_has_an_empty_log<H: Harness>() {
    let world = World::<H>::new();
    assert!(entries(&world, whole(JobId(4711))).await.is_empty());
}

pub async fn progress_is_kept_and_held_between_zero_and_one<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    for (said, kept) in [(0.25, 0.25), (-3.0, 0.0), (7.0, 1.0)] {
        let progress = Progress { fraction: said, message: Some(format!("at {said}")) };
        report(&world, &worker_id, news(&lease, Some(progress), Vec::new())).await;
        let job = world.job(lease.id).await;
        assert_eq!((job.progress, job.progress_message), (Some(kept), Some(format!("at {said}"))));
    }
}

pub async fn a_report_without_progress_leaves_it_alone<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let progress = Progress { fraction: 0.5, message: None };
    report(&world, &worker_id, news(&lease, Some(progress), Vec::new())).await;
    log(&world, &worker_id, &lease, vec![chunk(0, "on\n")]).await;
    assert_eq!(world.job(lease.id).await.progress, Some(0.5));
}

pub async fn a_new_attempt_begins_without_progress<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let progress = Progress { fraction: 0.5, message: Some("half".to_owned()) };
    report(&world, &worker_id, news(&lease, Some(progress), Vec::new())).await;
    world.finish(&worker_id, ended(&lease).returned()).await;
    world.claim_one(&worker_id).await;
    let job = world.job(lease.id).await;
    assert_eq!((job.progress, job.progress_message), (None, None));
}
