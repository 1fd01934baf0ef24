use longshore_core::QueueStats;

use super::*;

pub(in crate::commands) const NOW: Timestamp = Timestamp::from_ms(100_000 * 60_000);

fn minute(ago: i64, completed: u64, retried: u64) -> MinuteStats {
    MinuteStats {
        minute: Timestamp::from_ms((NOW.minute() - ago) * 60_000),
        queue: "mail".to_owned(),
        completed,
        failed: 1,
        retried,
        cancelled: 2,
        waited_ms: 200 * (completed + retried + 1),
        ran_ms: 1500 * (completed + retried + 1),
    }
}

#[test]
fn the_hour_has_sixty_minutes_and_the_averages_of_its_attempts() {
    let hour = Hour::new(&[minute(59, 3, 0), minute(1, 5, 2), minute(0, 1, 0), minute(0, 1, 0)], NOW);
    assert_eq!(hour.minutes.len(), 60);
    assert_eq!((hour.minutes[0].completed, hour.minutes[58].retried, hour.minutes[59].completed), (3, 2, 2));
    assert_eq!((hour.total.completed, hour.total.dead_letters, hour.total.cancelled), (10, 4, 8));
    assert_eq!((hour.waited_ms, hour.ran_ms), (Some(200), Some(1500)));
    assert_eq!(Hour::new(&[], NOW).ran_ms, None);
}

/// A database with two queues, a past, and a problem.
pub(in crate::commands) fn busy() -> Report {
    let queue = |name: &str, waiting: u64, paused: bool| QueueStats {
        queue: name.to_owned(),
        paused_at: paused.then_some(NOW),
        jobs: BTreeMap::from([(Status::Pending, waiting), (Status::DeadLetter, 1)]),
        scheduled: 0,
        has_more_scheduled: false,
        oldest_waiting_at: (waiting > 0).then(|| Timestamp::from_ms(99_997 * 60_000)),
    };
    let queues = [queue("mail", 12, false), queue("thumbnails-of-large-pictures", 0, true)];
    Report {
        database: "jobs.db".to_owned(),
        now: NOW,
        jobs: BTreeMap::from([
            (Status::Pending, 12),
            (Status::Running, 0),
            (Status::DeadLetter, 2),
            (Status::Blocked, 0),
        ]),
        queues: queues.map(|stats| QueueSummary::new(stats, NOW)).into(),
        last_hour: Hour::new(&[minute(50, 3, 0), minute(7, 40, 2), minute(0, 80, 0)], NOW),
        workers: Workers { alive: 2, dead: 1, slots: 8, running: 3 },
        next_due_at: Some(NOW.after(Duration::from_secs(300))),
        findings: vec![Finding::new("x", "dead letters grow: 2 in the last hour".to_owned(), "longshore dead list")],
        unreachable: Vec::new(),
    }
}

#[test]
fn a_busy_database_on_eighty_and_on_forty_five_columns() {
    for width in [80, 45] {
        let text = words(&busy(), Some(Screen { width, has_colour: false }));
        assert!(text.lines().all(|line| console::measure_text_width(line) <= width), "{text}");
        insta::assert_snapshot!(format!("status_{width}"), text);
    }
}

#[test]
fn an_empty_database_says_little() {
    let empty = Report {
        jobs: BTreeMap::from([(Status::Pending, 0), (Status::Running, 0)]),
        queues: Vec::new(),
        last_hour: Hour::new(&[], NOW),
        workers: Workers::new(&[]),
        next_due_at: None,
        findings: Vec::new(),
        unreachable: Vec::new(),
        ..busy()
    };
    let expected = "\
jobs.db: 0 pending, 0 running

last hour   0 completed, 0 retried, 0 given up, 0 cancelled
workers     0 alive; 0 jobs in 0 slots

no problems found
";
    assert_eq!(words(&empty, None), expected);
}

#[test]
fn one_job_in_one_slot_is_told_in_the_singular() {
    let one = Report { workers: Workers { alive: 1, dead: 0, slots: 1, running: 1 }, ..busy() };
    assert!(words(&one, None).contains("workers     1 alive; 1 job in 1 slot\n"));
}

#[test]
fn a_name_cannot_turn_the_line_around() {
    let mut report = busy();
    report.queues[0].stats.queue = "user\u{202e}gpj.exe".to_owned();
    report.findings[0].message = "queue \u{2067}x\u{2069} is paused".to_owned();
    for screen in [None, Some(Screen { width: 80, has_colour: false })] {
        let text = words(&report, screen);
        assert!(text.contains("user\u{fffd}gpj.exe") && text.contains("queue \u{fffd}x\u{fffd} is paused"), "{text}");
    }
}
