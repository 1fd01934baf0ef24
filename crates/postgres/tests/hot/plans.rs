use longshore_testkit_postgres::TestDatabase;
use tokio_postgres::Client;

use super::{by_id, limits, reading};
use crate::template;

/// A statement of a busy queue, the types of its parameters, and values that concern a few jobs of [`FILL`].
pub(super) struct HotStatement {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) types: &'static str,
    pub(super) values: &'static str,
}

macro_rules! hot {
    ($name:literal, $types:literal, $values:literal) => {
        HotStatement {
            name: $name,
            text: include_str!(concat!("../../src/sql/", $name, ".sql")),
            types: $types,
            values: $values,
        }
    };
}
pub(super) use hot;

const CLAIM_TYPES: &str = "text, bigint, text[], bigint, text[], bigint[], text[], text[], integer[], bigint[], bigint, \
     text[]";

const HOT: [HotStatement; 22] = [
    HotStatement {
        types: CLAIM_TYPES,
        ..hot!("claim/claim_jobs", "", "'w1', 1, '{work,other}', 5, NULL, NULL, '{}', '{}', '{}', '{}', 0, '{}'")
    },
    HotStatement {
        types: CLAIM_TYPES,
        ..hot!(
            "claim/claim_jobs",
            "",
            "'w1', 2, '{work}', 5, '{default,a}', '{5,2}', '{work}', '{default}', '{-5}', '{50}', 0, '{api}'"
        )
    },
    hot!("claim/promote_due_jobs", "bigint", "5"),
    hot!("claim/select_given_leases", "text, bigint, bigint[]", "'w1', 1, NULL"),
    hot!("claim/select_next_due", "text[], text[]", "'{work}', NULL"),
    hot!("claim/select_ready_kinds", "text[]", "'{work}'"),
    hot!("claim/select_overdue_of_lane", "text, text, integer, boolean, bigint", "'work', 'default', -5, false, 5"),
    hot!(
        "claim/end_overdue_jobs",
        "text[], text[], integer[], boolean[], bigint[], smallint[], text[]",
        "'{work}', '{default}', '{-5}', '{f}', '{60}', '{2}', '{late}'"
    ),
    hot!(
        "outcomes/complete_jobs",
        "text, bigint[], bigint[], bigint[], bigint[], json[], bigint[], bigint[]",
        "'w1', '{300001,300002}', '{1,1}', '{0,0}', '{1,-1}', '{NULL,NULL}', '{300001}', '{1}'"
    ),
    hot!(
        "outcomes/end_attempts",
        "text, bigint[], bigint[], integer[], bigint[], bigint[], smallint[], bigint[], boolean[], smallint[], text[], integer[], integer[], integer[], integer[], boolean[], text[], text[], text[], text[], boolean[], bigint[], bigint[]",
        "'w1', '{300003,300004}', '{1,1}', '{1,1}', '{0,0}', '{1,1}', '{2,3}', '{1000,0}', '{t,f}', '{2,3}', '{NULL,why}', '{1,0}', '{0,0}', '{0,0}', '{NULL,NULL}', '{f,f}', '{retrying,dead_letter}', '{a,a}', '{b,b}', '{NULL,NULL}', '{t,t}', '{300004}', '{}'"
    ),
    hot!(
        "outcomes/report_progress",
        "text, bigint[], bigint[], double precision[], text[], boolean[]",
        "'w1', '{300005}', '{1}', '{0.5}', '{half}', '{t}'"
    ),
    hot!(
        "outcomes/drop_log_chunks",
        "text, bigint[], bigint[], integer[], integer[]",
        "'w1', '{300005}', '{1}', '{0}', '{9}'"
    ),
    hot!(
        "outcomes/insert_log_chunks",
        "text, bigint[], bigint[], integer[], integer[], bigint[], text[]",
        "'w1', '{300005}', '{1}', '{0}', '{1}', '{0}', '{text}'"
    ),
    hot!("outcomes/begin_isolated", "text, bigint, bigint", "'w1', 300005, 1"),
    hot!("jobs/unblock_children", "bigint[]", "'{100001,300001}'"),
    hot!("jobs/select_blocked_children", "bigint[]", "'{100001,300001}'"),
    hot!("schedules/look_for_due", "", ""),
    hot!("schedules/lock_due_schedules", "timestamptz, timestamptz, text, bigint", "'2030-01-01', '1970-01-01', '', 9"),
    hot!("schedules/lock_released_schedules", "text, bigint", "'', 9"),
    hot!("schedules/select_existing_ticks", "text[], timestamptz[]", "'{s1,s2}', '{2026-01-01,2026-01-02}'"),
    hot!(
        "schedules/settle_schedules",
        "text[], timestamptz[], timestamptz[], text[], bigint[]",
        "'{s1}', '{2026-01-01}', '{2027-01-01}', '{NULL}', '{1}'"
    ),
    hot!("schedules/select_last_completed", "text[], bigint", "'{s1,s2}', 100"),
];

/// The tables whose size depends on how many jobs there are.
const GROWING: [&str; 16] = [
    "job",
    "ready",
    "later",
    "blocked",
    "running",
    "ended",
    "story",
    "attempt",
    "log_chunk",
    "unique_key",
    "claim",
    "schedule",
    "tick",
    "laned",
    "lane",
    "limit_key",
];

fn hot_statements() -> impl Iterator<Item = (usize, &'static HotStatement)> + Clone {
    HOT.iter().chain(&limits::HOT).chain(&reading::HOT).chain(&by_id::HOT).enumerate()
}

const WORKER: &str = "
    INSERT INTO longshore.worker_name (worker_id) VALUES ('w1');
    INSERT INTO longshore.worker (worker, host, pid, started_at, heartbeat_at, lease_ms, queues, job_types, concurrency, session_key)
    SELECT worker, 'host', 1, longshore.now(), longshore.now(), 30000, '{}', '{}', 1, 1 FROM longshore.worker_name";

/// Jobs in every state: the first 100,000 are ready, the next ones ended, and so on.
const FILL: &str = "
    INSERT INTO longshore.job (id, job_type, queue, priority, job_data, created_at, unique_key)
    SELECT n, 'work', 'default', 5, '{}', longshore.now(), CASE WHEN n > 300000 THEN n::text END
    FROM generate_series(1, 320000) n;
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at)
    SELECT 'work', 'default', -5, false, n, longshore.now() FROM generate_series(1, 100000) n;
    INSERT INTO longshore.ended (id, status, queue, ended_at, claim_number, worker)
    SELECT n, 1, 'default', longshore.now(), 1, 1 FROM generate_series(100001, 200000) n;
    INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry)
    SELECT n, 'work', 'default', longshore.now() + n * interval '1 second', false FROM generate_series(200001, 300000) n;
    INSERT INTO longshore.running (id, claim_number, worker, job_type, queue, started_at, ready_at)
    SELECT n, 1, 1, 'work', 'default', longshore.now(), longshore.now() FROM generate_series(300001, 310000) n;
    INSERT INTO longshore.type_settings (job_type, priority) VALUES ('work', 7);
    UPDATE longshore.job SET awaits_settings = 2 WHERE id = 100000;
    INSERT INTO longshore.unique_key (unique_key, id) SELECT n::text, n FROM generate_series(300001, 320000) n;
    INSERT INTO longshore.claim (claim_number, worker, request_id, ids)
    SELECT n, n, n, ARRAY[300000 + n] FROM generate_series(1, 10000) n;
    INSERT INTO longshore.blocked (id, parent_job_id, queue)
    SELECT n, 300001 + n % 10000, 'default' FROM generate_series(310001, 320000) n;
    INSERT INTO longshore.story (id) SELECT generate_series(100001, 120000);
    INSERT INTO longshore.attempt (id, claim_number, attempt, finished_at, outcome)
    SELECT n, 1, 1, longshore.now(), 'retrying' FROM generate_series(100001, 120000) n;
    INSERT INTO longshore.log_chunk (id, claim_number, chunk_number, attempt, written_at, text)
    SELECT n, 1, 0, 1, longshore.now(), 'text' FROM generate_series(100001, 120000) n;
    INSERT INTO longshore.schedule (name, definition, revision, source, created_at, changed_at, settled_until, next_due_at,
                                    waiting, last_job_id)
    SELECT 's' || n, '{}', 1, 'config', longshore.now(), longshore.now(), longshore.now(),
           longshore.now() + n * interval '1 second', CASE WHEN n <= 20 THEN '[1]' END, 300000 + n
    FROM generate_series(1, 20000) n;
    INSERT INTO longshore.tick (schedule, due_at, kind, outcome, job_id, decided_at, decided_by, why)
    SELECT 's' || n % 20, '2026-01-01'::timestamptz + n * interval '1 second', 'scheduled', 'enqueued', 100000 + n,
           longshore.now(), 'host', 'due'
    FROM generate_series(1, 100000) n;
    SELECT setval('longshore.claim_number', 20000)";

/// Far more than a claim of a few jobs needs, and far less than a table has.
const PAGES_MAX: u64 = 600;

#[tokio::test]
async fn a_plan_that_was_made_while_the_tables_were_empty_reads_no_table_when_they_are_full() {
    assert_bounded_once_filled(&migrated().await, hot_statements()).await;
}

#[tokio::test]
async fn a_plan_that_was_made_after_the_empty_tables_were_vacuumed_reads_no_table_when_they_are_full() {
    let database = migrated().await;
    // Of such a table the server expects a single row, so every index of it looks as good as any other.
    let tables = GROWING.map(|table| format!("longshore.{table}")).join(", ");
    database.connect().await.batch_execute(&format!("VACUUM (ANALYZE) {tables}")).await.expect("they can be vacuumed");
    let is_planned_so = |name: &str| name.starts_with("limiting/") || name.starts_with("schedules/");
    let statements = hot_statements().filter(|(_, statement)| is_planned_so(statement.name));
    assert_bounded_once_filled(&database, statements).await;
}

/// Every plan is made now, and is kept.
async fn assert_bounded_once_filled(
    database: &TestDatabase,
    statements: impl Iterator<Item = (usize, &'static HotStatement)> + Clone,
) {
    let session = direct(database).await;
    for (place, statement) in statements.clone() {
        prepare(&session, place, statement).await;
        assert_bounded(&session, place, statement, u64::MAX).await;
    }
    fill(database).await;
    for (place, statement) in statements {
        assert_bounded(&session, place, statement, PAGES_MAX).await;
    }
}

#[tokio::test]
async fn the_plans_for_full_tables_are_bounded_before_and_after_they_are_analysed() {
    let database = migrated().await;
    fill(&database).await;
    assert_all_bounded(&direct(&database).await).await;
    assert_all_bounded(&database.connect().await).await;
    database.sql(&format!("ANALYZE {}", GROWING.map(|table| format!("longshore.{table}")).join(", ")));
    assert_all_bounded(&direct(&database).await).await;
    // A session behind a pooler keeps no settings.
    assert_all_bounded(&database.connect().await).await;
}

#[tokio::test]
async fn while_a_snapshot_is_held_a_claim_with_a_hint_reads_as_little_as_before() {
    let database = migrated().await;
    fill(&database).await;
    let analyst = database.connect().await;
    analyst.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.expect("a snapshot is taken");
    database.sql("DELETE FROM longshore.ready WHERE id <= 60000");
    let session = direct(&database).await;
    let claim = |low: i64| {
        HotStatement { types: CLAIM_TYPES, ..hot!("claim/claim_jobs", "", "") }.explained(&format!(
            "'w1', 1, '{{work}}', 5, NULL, NULL, '{{work}}', '{{default}}', '{{-5}}', '{{{low}}}', 0, '{{}}'"
        ))
    };
    let (without, with) = (pages(&session, &claim(0)).await, pages(&session, &claim(60_001)).await);
    assert!(with < PAGES_MAX, "{with} pages");
    assert!(without > with * 2, "{without} pages without the hint, {with} with it: this test shows nothing");
}

async fn migrated() -> TestDatabase {
    let database = template::migrated();
    let client = database.connect().await;
    client.batch_execute(WORKER).await.expect("a worker is made");
    database
}

async fn fill(database: &TestDatabase) {
    let client = database.connect().await;
    client.batch_execute(FILL).await.expect("the tables take it");
    client.batch_execute(limits::FILL).await.expect("the tables take it");
}

/// A session with the settings of the store.
async fn direct(database: &TestDatabase) -> Client {
    let client = database.connect().await;
    client
        .batch_execute("SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan")
        .await
        .expect("they can be set");
    client
}

async fn assert_all_bounded(session: &Client) {
    for (place, statement) in hot_statements() {
        prepare(session, place, statement).await;
        // A session reads much of the catalog when it first calls a function.
        assert_bounded(session, place, statement, u64::MAX).await;
        assert_bounded(session, place, statement, PAGES_MAX).await;
    }
}

async fn prepare(session: &Client, place: usize, statement: &HotStatement) {
    let HotStatement { name, text, types, .. } = statement;
    let types = if types.is_empty() { String::new() } else { format!("({types})") };
    let sql = format!("PREPARE hot_{place} {types} AS {text}");
    session.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
}

async fn assert_bounded(session: &Client, place: usize, statement: &HotStatement, pages_max: u64) {
    let name = statement.name;
    let values = if statement.types.is_empty() { String::new() } else { format!("({})", statement.values) };
    let plan = explain(session, &format!("EXECUTE hot_{place} {values}"), name).await;
    for table in GROWING {
        let reads = plan.lines().any(|line| line.contains("Seq Scan on ") && line.contains(&format!("on {table} ")));
        assert!(!reads, "{name} reads all of {table}:\n{plan}");
    }
    let pages = pages_of(&plan);
    assert!(pages <= pages_max, "{name} reads {pages} pages:\n{plan}");
}

async fn pages(session: &Client, explained: &str) -> u64 {
    session.batch_execute(explained).await.expect("it can be prepared");
    let plan = explain(session, "EXECUTE once", "claim").await;
    session.batch_execute("DEALLOCATE once").await.expect("it was prepared");
    pages_of(&plan)
}

impl HotStatement {
    /// The statement with these values, prepared as `once`.
    fn explained(&self, values: &str) -> String {
        let mut text = self.text.to_owned();
        let values: Vec<&str> = values.split(", ").collect();
        for (place, value) in values.iter().enumerate().rev() {
            text = text.replace(&format!("${}", place + 1), value);
        }
        format!("PREPARE once AS {text}")
    }
}

/// Runs it, undoes it, and gives its plan.
async fn explain(session: &Client, execute: &str, name: &str) -> String {
    session.batch_execute("BEGIN").await.expect("a transaction begins");
    let rows = session.query(&format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {execute}"), &[]).await;
    let rows = rows.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    session.batch_execute("ROLLBACK").await.expect("it is undone");
    rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
}

/// What the whole statement has read: the first line of its kind.
fn pages_of(plan: &str) -> u64 {
    let line = plan.lines().find(|line| line.trim_start().starts_with("Buffers: shared")).unwrap_or_default();
    let number = |word: &str| {
        let found = line.split_whitespace().find_map(|part| part.strip_prefix(word)?.parse().ok());
        found.unwrap_or(0_u64)
    };
    number("hit=") + number("read=")
}
