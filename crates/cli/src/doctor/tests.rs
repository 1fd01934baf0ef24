use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{
    LimitRow, LimitRule, LimitScope, LimitSource, LimitSubject, LocalHealth, LongAttempt, QueueStats, Timestamp,
    TypeBacklog, WorkerId,
};

use super::*;

const MIB: u64 = 1024 * 1024;
const NOW: Timestamp = Timestamp::from_ms(1_000_000_000);

const LOCAL: LocalHealth = LocalHealth {
    database_bytes: MIB,
    wal_bytes: MIB,
    disk_free_bytes: Some(50 * 1024 * MIB),
    disk_total_bytes: Some(100 * 1024 * MIB),
};

/// A database without problems: a worker that knows `mail`, and free disk space.
fn healthy() -> Health {
    Health {
        now: NOW,
        latest_record_at: Some(NOW),
        local: Some(LOCAL),
        server: None,
        queues: vec![QueueStats {
            queue: "default".to_owned(),
            paused_at: None,
            jobs: BTreeMap::from([(Status::Pending, 3)]),
            scheduled: 0,
            has_more_scheduled: false,
            oldest_waiting_at: Some(NOW),
        }],
        backlog: vec![backlog("mail", 3)],
        dead_workers: Vec::new(),
        known_job_types: vec!["mail".to_owned()],
        living_workers: 1,
        stuck: Vec::new(),
        keepers: Vec::new(),
        broken_keys: Vec::new(),
        long_attempts: Vec::new(),
        dead_letters: 4,
        dead_letters_last_hour: 0,
        moving: None,
    }
}

fn moving(phase: MovePhase) -> longshore_core::MoveState {
    longshore_core::MoveState {
        move_id: "m".to_owned(),
        phase,
        other: "postgres://host/app".to_owned(),
        begun_at: NOW,
        takes_ended: false,
        has_settings: false,
        copied_to: None,
        before: None,
    }
}

#[test]
fn a_queue_that_arrived_is_no_finding() {
    let arrived = Health { moving: Some(moving(MovePhase::Arrived)), ..healthy() };
    assert_eq!(judge(&arrived, &BTreeSet::new()), judge(&healthy(), &BTreeSet::new()));
}

fn backlog(job_type: &str, jobs: u64) -> TypeBacklog {
    TypeBacklog {
        queue: "default".to_owned(),
        job_type: job_type.to_owned(),
        jobs,
        oldest_ready_at: NOW,
        has_valid_names: true,
    }
}

fn codes(health: &Health, configured: &[&str]) -> Vec<&'static str> {
    let configured = configured.iter().map(|word| (*word).to_owned()).collect();
    judge(health, &configured).into_iter().map(|finding| finding.code).collect()
}

#[test]
fn a_healthy_database_has_no_finding() {
    assert_eq!(codes(&healthy(), &[]), [""; 0]);
}

#[test]
fn an_attempt_that_takes_far_longer_than_usual_is_named_with_what_is_usual() {
    let long = |id| LongAttempt {
        id: longshore_core::JobId(id),
        job_type: "mail".to_owned(),
        started_at: NOW.before(Duration::from_secs(7200)),
        usual_ms: 60_000,
    };
    let health = Health { long_attempts: vec![long(7)], ..healthy() };
    let [finding] = judge(&health, &BTreeSet::new()).try_into().unwrap();
    assert_eq!(finding.code, "long_attempts");
    assert_eq!(finding.message, "job 7 has been running for 2h; attempts of mail usually take less than 1m");
    let health = Health { long_attempts: vec![long(7), long(8)], ..healthy() };
    let [finding] = judge(&health, &BTreeSet::new()).try_into().unwrap();
    assert!(finding.message.starts_with("2 attempts take far longer than usual: job 7"), "{}", finding.message);
}

#[test]
fn each_thing_that_goes_wrong_has_its_finding() {
    type Change = fn(&mut Health);
    let table: [(&str, Change); 13] = [
        ("queue_moved", |health| health.moving = Some(moving(MovePhase::MovedAway))),
        ("queue_moving", |health| health.moving = Some(moving(MovePhase::Frozen))),
        ("disk_almost_full", |health| health.local = Some(LocalHealth { disk_free_bytes: Some(100 * MIB), ..LOCAL })),
        ("disk_almost_full", |health| {
            health.local = Some(LocalHealth { disk_free_bytes: Some(4 * 1024 * MIB), ..LOCAL });
        }),
        ("clock_jumped", |health| health.latest_record_at = Some(NOW.after(Duration::from_secs(60)))),
        ("dead_workers", |health| health.dead_workers = vec![(WorkerId::from_stored("worker-1"), 2)]),
        ("no_worker", |health| (health.living_workers, health.known_job_types) = (0, vec!["mail".to_owned()])),
        ("unknown_job_type", |health| health.backlog.push(backlog("odd", 1))),
        ("job_type_without_worker", |health| health.backlog.push(backlog("configured", 1))),
        ("paused_queue", |health| health.queues[0].paused_at = Some(NOW)),
        ("dead_letters_grow", |health| health.dead_letters_last_hour = 1),
        ("wal_does_not_shrink", |health| health.local = Some(LocalHealth { wal_bytes: 65 * MIB, ..LOCAL })),
        ("wal_does_not_shrink", |health| health.local = Some(LocalHealth { wal_bytes: u64::MAX, ..LOCAL })),
    ];
    for (expected, change) in table {
        let mut health = healthy();
        change(&mut health);
        assert_eq!(codes(&health, &["configured"]), [expected]);
    }
}

#[test]
fn a_name_that_is_no_valid_text_is_named_with_what_it_holds_back() {
    let unreadable = TypeBacklog { queue: "\u{fffd}".to_owned(), has_valid_names: false, ..backlog("mail", 3) };
    let health = Health { backlog: vec![unreadable], ..healthy() };

    let findings = judge(&health, &BTreeSet::new());

    assert_eq!(findings.len(), 1, "there is no second finding about the same jobs");
    assert_eq!(findings[0].code, "invalid_name");
    assert!(findings[0].message.contains("3 jobs cannot run"), "{}", findings[0].message);
}

#[test]
fn a_count_that_ended_at_its_bound_says_so() {
    let bound = u64::from(TypeBacklog::JOBS_MAX);
    let backlog = vec![backlog("mail", 1), backlog("thumb", bound)];
    let health = Health { living_workers: 0, known_job_types: Vec::new(), backlog, ..healthy() };

    let messages: Vec<String> = judge(&health, &BTreeSet::new()).into_iter().map(|finding| finding.message).collect();

    assert!(messages[0].contains("at least 10001 jobs could"), "{messages:?}");
    assert!(messages[1].contains("\"mail\"; 1 job of this type could"), "{messages:?}");
}

#[test]
fn what_is_no_trouble_has_no_finding() {
    type Change = fn(&mut Health);
    let table: [Change; 7] = [
        |health| health.local = None,
        |health| health.local = Some(LocalHealth { disk_free_bytes: None, disk_total_bytes: None, ..LOCAL }),
        |health| health.local = Some(LocalHealth { disk_total_bytes: Some(10_000 * 1024 * MIB), ..LOCAL }),
        |health| health.latest_record_at = Some(NOW.after(Duration::from_secs(2))),
        |health| health.dead_workers = vec![(WorkerId::from_stored("worker-1"), 0)],
        |health| (health.backlog, health.living_workers) = (Vec::new(), 0),
        |health| (health.queues[0].paused_at, health.queues[0].jobs) = (Some(NOW), BTreeMap::new()),
    ];
    for change in table {
        let mut health = healthy();
        change(&mut health);
        assert_eq!(codes(&health, &[]), [""; 0], "{health:?}");
    }
}

#[test]
fn a_paused_queue_is_not_blamed_on_missing_workers() {
    let mut health = healthy();
    health.living_workers = 0;
    health.queues[0].paused_at = Some(NOW);
    assert_eq!(codes(&health, &["mail"]), ["paused_queue"]);
}

#[test]
fn every_finding_says_what_to_do() {
    let mut health = healthy();
    health.living_workers = 0;
    health.dead_letters_last_hour = 2;
    health.backlog.push(backlog("odd", 1));
    for finding in judge(&health, &BTreeSet::new()) {
        assert!(!finding.hint.is_empty() && !finding.message.ends_with('.'), "{finding:?}");
    }
}

/// A type at its limit of one, whose oldest job became ready so long ago.
fn at_its_limit(waited: Duration) -> (LimitRow, Health) {
    let rule = LimitRule { concurrency: Some(1), ..LimitRule::default() };
    let subject = LimitSubject::Type("mail".to_owned());
    let row = LimitRow { running: 1, waiting: 3, ..LimitRow::of_rule(&subject, &rule, Some(LimitSource::Config)) };
    let mut health = healthy();
    health.backlog[0].oldest_ready_at = NOW.before(waited);
    (row, health)
}

#[test]
fn a_limit_whose_jobs_wait_for_hours_is_named() {
    let (row, health) = at_its_limit(Duration::from_secs(3 * 3600));
    let found = limits::judge(std::slice::from_ref(&row), &health);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, "limit_saturated");
    assert_eq!(found[0].message, "type mail is at its limit, and its oldest job has waited for 3h");
    assert!(found[0].hint.starts_with("see longshore limits show --type mail"), "{found:?}");
    let (row, health) = at_its_limit(Duration::from_secs(60));
    assert_eq!(limits::judge(&[row], &health), []);
}

#[test]
fn a_limit_that_is_closed_for_days_is_named() {
    let (mut row, health) = at_its_limit(Duration::ZERO);
    (row.scope, row.key) = (LimitScope::Key, Some("acme".to_owned()));
    row.opens_at = Some(NOW.after(Duration::from_secs(3 * 86_400)));
    let found = limits::judge(std::slice::from_ref(&row), &health);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, "limit_closed");
    assert!(found[0].message.starts_with("key acme of type mail is closed for 3d"), "{found:?}");
    row.opens_at = Some(NOW.after(Duration::from_secs(60)));
    assert_eq!(limits::judge(&[row], &health), []);
}
