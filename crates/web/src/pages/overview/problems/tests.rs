use longshore_core::{
    JobId, LimitRule, LimitSource, LimitSubject, MinuteStats, RunningJob, StuckCause, StuckJob, WorkerId,
};

use super::*;

const NOW: Timestamp = Timestamp::from_ms(10_000_000);

fn queue(name: &str, jobs: &[(Status, u64)]) -> QueueStats {
    let jobs = jobs.iter().copied().collect();
    QueueStats {
        queue: name.to_owned(),
        paused_at: None,
        jobs,
        scheduled: 0,
        has_more_scheduled: false,
        oldest_waiting_at: None,
    }
}

fn late_queue(name: &str, minutes: u64) -> QueueStats {
    QueueStats { oldest_waiting_at: Some(ago(minutes)), ..queue(name, &[(Status::Pending, 1)]) }
}

fn ago(minutes: u64) -> Timestamp {
    NOW.before(Duration::from_secs(60 * minutes))
}

fn waiting(queue: &str, job_type: &str, minutes: u64) -> TypeBacklog {
    TypeBacklog {
        queue: queue.to_owned(),
        job_type: job_type.to_owned(),
        jobs: 1,
        oldest_ready_at: ago(minutes),
        has_valid_names: true,
    }
}

fn worker(queues: &[&str], is_alive: bool) -> WorkerRecord {
    WorkerRecord {
        worker_id: WorkerId::from_stored("w"),
        host: "h".to_owned(),
        pid: 1,
        started_at: NOW,
        heartbeat_at: NOW,
        queues: queues.iter().map(|name| (*name).to_owned()).collect(),
        job_types: vec!["mail".to_owned()],
        concurrency: 1,
        is_alive,
        running: Vec::new(),
    }
}

fn diagnosis(backlog: Vec<TypeBacklog>) -> Diagnosis {
    let health = Health { backlog, ..unread(NOW) };
    Diagnosis { health, schedules: Vec::new(), saturated: Vec::new(), schema: None }
}

fn found(stats: &Stats, workers: &[WorkerRecord], diagnosis: Option<&Diagnosis>) -> Vec<Problem> {
    problems(&Facts { stats, workers, diagnosis, sees_all: true, is_configured: &|_| false, now: NOW })
}

fn told(stats: &Stats, workers: &[WorkerRecord], diagnosis: &Diagnosis) -> Vec<String> {
    found(stats, workers, Some(diagnosis)).into_iter().map(|problem| problem.message).collect()
}

fn stats(queues: Vec<QueueStats>) -> Stats {
    Stats { queues, ..Stats::default() }
}

#[test]
fn where_all_is_well_nothing_is_told() {
    let idle = stats(vec![queue("a", &[(Status::Completed, 9), (Status::DeadLetter, 3)])]);
    assert_eq!(told(&idle, &[], &diagnosis(Vec::new())), Vec::<String>::new());
    let busy = stats(vec![queue("a", &[(Status::Pending, 9)])]);
    assert_eq!(told(&busy, &[worker(&[], true)], &diagnosis(vec![waiting("a", "mail", 1)])), Vec::<String>::new());
}

#[test]
fn a_schema_that_is_not_what_the_ledger_says_is_told_before_all_others() {
    let of = |differences, pending| {
        let schema = Some(SchemaState::Read { differences, pending });
        told(&stats(Vec::new()), &[], &Diagnosis { schema, ..diagnosis(vec![waiting("a", "mail", 1)]) })
    };
    assert_eq!(of(0, 0)[0], "No worker is running, but 1 job could run now.");
    assert_eq!(of(2, 1)[0], "Ledger, files and schema do not agree: 2 differences.");
    assert_eq!(of(0, 1)[0], "1 migration pending.");
}

#[test]
fn jobs_that_nobody_takes_are_told() {
    let waits = stats(vec![late_queue("a", 1), late_queue("b", 1)]);
    let both = diagnosis(vec![waiting("a", "mail", 1), waiting("b", "mail", 1)]);
    assert_eq!(told(&waits, &[worker(&["b"], true)], &both), ["No worker takes from queue a, where 1 job waits."]);
    let none = told(&waits, &[worker(&[], false)], &both);
    assert_eq!(none[0], "No worker is running, but 2 jobs could run now.");
}

#[test]
fn a_type_that_nobody_knows_is_told_in_the_words_of_doctor_and_is_the_cause_of_the_wait() {
    let stuck = stats(vec![late_queue("stuck", 6)]);
    let unknown = diagnosis(vec![waiting("stuck", "no_handler_type", 6)]);
    assert_eq!(
        told(&stuck, &[worker(&[], true)], &unknown),
        ["No worker and no configuration file knows the type \"no_handler_type\"; 1 job of this type could run now."]
    );
}

#[test]
fn types_that_nobody_knows_are_one_problem_with_their_names() {
    let stuck = stats(vec![late_queue("stuck", 6)]);
    let told_of = |types: &[&str]| {
        let backlog = types.iter().map(|job_type| waiting("stuck", job_type, 6)).collect();
        found(&stuck, &[worker(&[], true)], Some(&diagnosis(backlog)))
    };
    let three = told_of(&["a", "b", "c"]);
    assert_eq!(three.len(), 1, "{three:?}");
    assert_eq!(
        three[0].message,
        "No worker and no configuration file knows the types \"a\", \"b\" and \"c\"; 3 jobs of these types could run \
         now."
    );
    assert!(three[0].is_bad);
    assert_eq!(three[0].remedy, Remedy::Look { path: "/types".to_owned(), words: "Look" });
    let five = told_of(&["a", "b", "c", "d", "e"]);
    assert_eq!(five.len(), 1, "{five:?}");
    assert!(five[0].message.contains("the types \"a\", \"b\", \"c\" and 2 more; 5 jobs of these types"), "{five:?}");
}

#[test]
fn queues_that_no_worker_takes_from_are_one_problem() {
    let waits = stats(vec![late_queue("a", 1), late_queue("b", 2), late_queue("c", 3)]);
    let backlog = vec![waiting("a", "mail", 1), waiting("b", "mail", 2), waiting("c", "mail", 3)];
    assert_eq!(
        told(&waits, &[worker(&["c"], true)], &diagnosis(backlog)),
        ["No worker takes from the queues \"b\" and \"a\", where 2 jobs wait."]
    );
}

#[test]
fn what_waits_longest_is_told_first_and_no_kind_hides_another() {
    let mut queues: Vec<QueueStats> = (1..=6_u64).map(|number| late_queue(&format!("q{number}"), 5 + number)).collect();
    queues.push(QueueStats { paused_at: Some(ago(1)), ..queue("paused", &[(Status::Pending, 2)]) });
    let backlog = (1..=6_u64).map(|number| waiting(&format!("q{number}"), "mail", 5 + number)).collect();
    assert_eq!(
        told(&stats(queues), &[worker(&[], true)], &diagnosis(backlog)),
        [
            "The oldest job of queue q6 has waited 11m.",
            "The oldest job of queue q5 has waited 10m.",
            "The oldest job of queue q4 has waited 9m.",
            "The oldest job of queue q3 has waited 8m.",
            "And 2 more queues whose jobs wait.",
            "Queue paused has been paused for 1m, with 2 jobs waiting in it.",
        ]
    );
}

#[test]
fn a_limit_is_named_as_the_cause_of_a_wait() {
    let rule = LimitRule { concurrency: Some(1), ..LimitRule::default() };
    let subject = LimitSubject::Type("mail".to_owned());
    let full = LimitRow { running: 1, waiting: 3, ..LimitRow::of_rule(&subject, &rule, Some(LimitSource::Config)) };
    let limited = Diagnosis { saturated: vec![full], ..diagnosis(vec![waiting("a", "mail", 16)]) };
    assert_eq!(
        told(&stats(vec![late_queue("a", 16)]), &[worker(&[], true)], &limited),
        ["The oldest job of queue a has waited 16m: the limit of type mail is full."]
    );
}

#[test]
fn new_dead_letters_are_told_and_old_ones_are_not() {
    let minute = MinuteStats {
        minute: NOW,
        queue: "a".to_owned(),
        completed: 0,
        failed: 1,
        retried: 0,
        cancelled: 0,
        waited_ms: 0,
        ran_ms: 0,
    };
    let grown = Stats { minutes: vec![minute], ..stats(vec![queue("a", &[(Status::DeadLetter, 1200)])]) };
    let mut read = diagnosis(Vec::new());
    read.health.dead_letters_last_hour = 1;
    let found = found(&grown, &[], Some(&read));
    assert_eq!(found[0].message, "The number of dead letters grows: 1 in the last hour, 1200 in total.");
    assert_eq!(found[0].remedy, Remedy::RetryDeadLetters);
}

#[test]
fn a_paused_queue_is_told_only_if_something_waits_in_it() {
    let paused = |jobs| QueueStats { paused_at: Some(ago(1)), ..queue("a", jobs) };
    let (workers, read) = ([worker(&[], true)], diagnosis(Vec::new()));
    assert_eq!(told(&stats(vec![paused(&[])]), &workers, &read), Vec::<String>::new());
    let found = found(&stats(vec![paused(&[(Status::Pending, 2)])]), &workers, Some(&read));
    assert_eq!(found[0].message, "Queue a has been paused for 1m, with 2 jobs waiting in it.");
    assert_eq!(found[0].remedy, Remedy::Resume { queue: "a".to_owned() });
}

#[test]
fn a_dead_worker_with_jobs_and_a_stuck_job_are_told() {
    let running = vec![RunningJob { id: JobId(1), job_type: "t".to_owned(), started_at: NOW }];
    let dead = WorkerRecord { running, ..worker(&[], false) };
    let mut read = diagnosis(Vec::new());
    read.health.stuck = vec![StuckJob { id: JobId(7), cause: StuckCause::ParentMissing }];
    assert_eq!(
        told(&stats(Vec::new()), &[worker(&[], true), dead], &read),
        [
            "Dead workers hold 1 job; one of them is w.",
            "1 job cannot continue, such as job 7, which waits for a job that does not exist.",
        ]
    );
}

#[test]
fn a_check_that_could_not_be_read_is_told() {
    let found = found(&stats(vec![late_queue("a", 16)]), &[worker(&[], true)], None);
    assert!(found[0].message.contains("could not be read in time"), "{found:?}");
    assert_eq!(found[1].message, "The oldest job of queue a has waited 16m.");
}
