use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longshore_core::{QueueLimit, RequestId, SystemClock, WorkerId};
use rusqlite::vtab::array;

use super::*;

/// A database, and the number of SQLite steps that a read takes: the cost without a clock.
pub(crate) struct Counted {
    connection: Connection,
    steps: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

impl Counted {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        crate::schema::latest_up(&path).unwrap();
        let mut connection = Connection::open(path).unwrap();
        array::load_module(&connection).unwrap();
        let steps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&steps);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.progress_handler(1, Some(count)).unwrap();
        Self { connection, steps, _folder: folder }
    }

    pub(crate) fn insert(&self, queues: u32, types: u32, name: &str) {
        let insert = format!(
            "WITH RECURSIVE q(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q WHERE n < {queues}),
                  t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {types})
             INSERT INTO job_queue (job_type, job_data, queue)
             SELECT '{name} ' || t.n, '{{}}', 'tenant ' || q.n FROM q, t"
        );
        self.connection.execute_batch(&format!("BEGIN; {insert}; COMMIT")).unwrap();
    }

    /// Jobs of another type that become due one after the other.
    fn schedule(&self, jobs: u32, payload_bytes: u32) {
        let insert = format!(
            "WITH RECURSIVE j(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM j WHERE n < {jobs})
             INSERT INTO job_queue (job_type, job_data, run_at)
             SELECT 'foreign', json_quote(hex(zeroblob({payload_bytes} / 2))), 631152005000 + n FROM j"
        );
        self.connection.execute_batch(&format!("BEGIN; {insert}; COMMIT")).unwrap();
    }

    /// The steps of one look for what becomes due, and what it says.
    fn next_due(&self) -> (u64, Option<Duration>) {
        let request = request(QueueScope::All);
        let (steps, due) = self.read(|connection| NextDue::read(connection, &request).unwrap());
        (steps, due.from(Timestamp::from_ms(631_152_001_000)))
    }

    /// The steps of one choice with prepared statements, and the number of chosen jobs.
    fn choose(&self, request: &ClaimRequest) -> (u64, usize) {
        let now = Timestamp::from_ms(0);
        self.read(|connection| {
            choose(connection, &Scope::of(request), request.limit, now, None).unwrap().leases().len()
        })
    }

    /// The steps of a read with prepared statements, and what it finds.
    pub(crate) fn read<T>(&self, read: impl Fn(&Connection) -> T) -> (u64, T) {
        read(&self.connection);
        let before = self.steps.load(Ordering::Relaxed);
        let found = read(&self.connection);
        (self.steps.load(Ordering::Relaxed) - before, found)
    }
}

fn request(scope: QueueScope) -> ClaimRequest {
    let job_types = (1..=11).map(|number| format!("own {number}")).collect();
    ClaimRequest {
        request_id: RequestId(1),
        worker_id: WorkerId::random(),
        job_types,
        scope,
        limit: 16,
        limited_max: 16,
    }
}

fn named(count: u32) -> QueueScope {
    QueueScope::Only((1..=count).map(|n| QueueLimit { queue: format!("tenant {n}"), limit: 16 }).collect())
}

#[test]
fn queues_that_hold_only_foreign_types_cost_a_claim_nothing() {
    let database = Counted::new();
    database.insert(1, 1, "own");
    let alone = database.choose(&request(QueueScope::All));
    let alone_named = database.choose(&request(named(500)));

    database.insert(500, 10, "foreign");

    assert_eq!(database.choose(&request(QueueScope::All)), alone);
    assert_eq!(database.choose(&request(named(500))), alone_named);
    assert_eq!(alone.1, 1);
}

#[test]
fn what_waits_behind_the_chosen_jobs_costs_a_claim_nothing() {
    let database = Counted::new();
    (0..16).for_each(|_| database.insert(1, 1, "own"));
    let few = database.choose(&request(QueueScope::All));

    (0..500).for_each(|_| database.insert(1, 1, "own"));

    let many = database.choose(&request(QueueScope::All));
    assert_eq!(many.1, few.1);
    assert!(many.0 < few.0 + 50, "{many:?} {few:?}");
}

#[test]
fn a_queue_of_an_own_type_costs_a_claim_one_seek() {
    let database = Counted::new();
    database.insert(100, 1, "own");
    let (few, _) = database.choose(&request(QueueScope::All));

    let database = Counted::new();
    database.insert(1100, 1, "own");
    let (many, chosen) = database.choose(&request(QueueScope::All));

    assert_eq!(chosen, 16);
    assert!((many - few) / 1000 < 40, "{few} {many}");
}

#[test]
fn jobs_of_others_that_become_due_first_cost_a_claim_a_bounded_look() {
    let database = Counted::new();
    database.schedule(65, 20);
    let few = database.next_due();
    database.schedule(3000, 20);
    let many = database.next_due();

    assert_eq!(many.0, few.0);
    // It names the instant up to which it has looked, in place of the one that it does not know.
    assert!(many.1.is_some_and(|due| due > Duration::from_secs(4)), "{many:?}");
    let nobodys = Counted::new();
    nobodys.schedule(63, 20);
    assert_eq!(nobodys.next_due().1, None);
}

#[test]
fn large_jobs_of_others_that_become_due_first_cost_a_claim_no_more_than_their_bound() {
    let database = Counted::new();
    database.schedule(64, 20);
    let small = database.next_due();

    let database = Counted::new();
    database.schedule(64, 300_000);
    let large = database.next_due();

    assert!(large.0 * 8 < small.0, "{large:?} {small:?}");
    assert!(large.1.is_some());
}

/// Thousands of paused queues hold jobs of the worker's types, and it asks repeatedly.
#[test]
fn a_look_that_found_nothing_is_not_repeated_while_no_job_moves() {
    let database = Counted::new();
    database.insert(300, 11, "own");
    database.connection.execute_batch("INSERT INTO job_queues SELECT DISTINCT queue, 1 FROM job_queue").unwrap();
    let Counted { connection, steps: counted, _folder } = database;
    let session = Session::begin(connection, String::new());
    let claim = Claim::new(request(QueueScope::All), None, Arc::default(), Arc::new(SystemClock::new()));
    let steps = || {
        let before = counted.load(Ordering::Relaxed);
        let has_ready = claim.has_ready(&session, None, None).unwrap();
        (has_ready, counted.load(Ordering::Relaxed) - before)
    };

    let (found, first) = steps();
    let (found_again, second) = steps();
    assert!(!found && !found_again);
    assert!(first > 3000 && second < 50, "{first} {second}");

    // By another connection, and by the session itself.
    let foreign = Connection::open(session.connection.path().unwrap()).unwrap();
    foreign.execute_batch("UPDATE job_queues SET paused_at = NULL WHERE queue = 'tenant 300'").unwrap();
    assert!(steps().0);
    foreign.execute_batch("UPDATE job_queues SET paused_at = 1").unwrap();
    assert!(!steps().0);
    session.connection.execute_batch("UPDATE job_queues SET paused_at = NULL").unwrap();
    session.note_moves();
    assert!(steps().0);
}
