//! Which tables drain fastest: one row a claim, one row a running job, or updates in place. Plain statements without the
//! store, `fsync` on, server and workers on this machine.
//!
//! `cargo run --release -p longshore-postgres --example shapes [SHAPE…]`; `LONGSHORE_SHAPES_JOBS` is the number of jobs
//! of a drain, 200000 by default.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use longshore_testkit_postgres::{Cluster, Options, TestDatabase};
use tokio_postgres::{Client, Statement};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const SHAPES: [Shape; 4] = [
    Shape { name: "claim-row", sql: include_str!("claim_row.sql"), has_hint: true },
    Shape { name: "running-row", sql: include_str!("running_row.sql"), has_hint: true },
    Shape { name: "update", sql: include_str!("update.sql"), has_hint: false },
    Shape { name: "update-hint", sql: include_str!("update.sql"), has_hint: true },
];

/// The tables and their three statements, divided by comments in the file.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    sql: &'static str,
    has_hint: bool,
}

/// What one drain has shown.
struct Drained {
    jobs_per_second: f64,
    wal_bytes_per_job: f64,
}

/// The lowest id that is worth looking at: all below the first id of a claim a second ago have been claimed.
#[derive(Default)]
struct Hint {
    seen: Mutex<VecDeque<(Instant, i64)>>,
    id: AtomicI64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let jobs = std::env::var("LONGSHORE_SHAPES_JOBS").map_or(Ok(200_000), |text| text.parse())?;
    let options = Options::new().with_fsync().setting("shared_buffers", "512MB").setting("max_wal_size", "16GB");
    let cluster = Cluster::private(&options.setting("checkpoint_timeout", "1h"));
    print(&["shape", "2 x 1000", "4 x 50", "5x waiting", "snapshot held", "last third", "WAL a job", "growth a job"]);
    for shape in SHAPES {
        if wanted.is_empty() || wanted.iter().any(|name| name == shape.name) {
            let database = cluster.database();
            print(&measure(shape, &database, jobs).await?.each_ref().map(String::as_str));
        }
    }
    Ok(())
}

async fn measure(shape: Shape, database: &TestDatabase, jobs: i64) -> Result<[String; 8]> {
    let admin = database.connect().await;
    admin.batch_execute(shape.part(0)).await?;
    let hint = Arc::new(Hint::default());
    let mut filled = 0;
    fill(&admin, shape, &mut filled, jobs).await?;
    let large = drain(database, shape, &hint, 2, 1000, jobs).await?;
    fill(&admin, shape, &mut filled, jobs).await?;
    let small = drain(database, shape, &hint, 4, 50, jobs).await?;
    fill(&admin, shape, &mut filled, jobs * 5).await?;
    let waiting = drain(database, shape, &hint, 2, 1000, jobs).await?;
    // Like a backup: it keeps every old version of a row.
    let analyst = database.connect().await;
    analyst.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class").await?;
    let size = size(&admin).await?;
    let held = drain(database, shape, &hint, 2, 1000, jobs * 2).await?;
    let last = drain(database, shape, &hint, 2, 1000, jobs).await?;
    let growth = (self::size(&admin).await? - size) as f64 / (jobs * 3) as f64;
    let under_snapshot = 3.0 / (2.0 / held.jobs_per_second + 1.0 / last.jobs_per_second);
    let rates = [large.jobs_per_second, small.jobs_per_second, waiting.jobs_per_second, under_snapshot];
    let [large_rate, small_rate, waiting_rate, held_rate] = rates.map(|rate| format!("{rate:.0}"));
    Ok([
        shape.name.to_owned(),
        large_rate,
        small_rate,
        waiting_rate,
        held_rate,
        format!("{:.0}", last.jobs_per_second),
        format!("{:.0} B", large.wal_bytes_per_job),
        format!("{growth:.0} B"),
    ])
}

async fn fill(admin: &Client, shape: Shape, filled: &mut i64, jobs: i64) -> Result<()> {
    let statement = admin.prepare(shape.part(1)).await?;
    let last = *filled + jobs;
    while *filled < last {
        let end = last.min(*filled + 50_000);
        admin.execute(&statement, &[&(*filled + 1), &end]).await?;
        *filled = end;
    }
    admin.batch_execute("VACUUM ANALYZE").await?;
    Ok(())
}

/// Takes `jobs` jobs from the tables with several claimers, each of which claims, then finishes.
async fn drain(
    database: &TestDatabase,
    shape: Shape,
    hint: &Arc<Hint>,
    claimers: i32,
    batch: i64,
    jobs: i64,
) -> Result<Drained> {
    let admin = database.connect().await;
    let left = Arc::new(AtomicI64::new(jobs));
    let mut clients = Vec::new();
    for worker in 0..claimers {
        clients.push(Claimer::connect(database, shape, worker, batch).await?);
    }
    let (began, written) = (Instant::now(), wal(&admin).await?);
    let tasks: Vec<_> =
        clients.into_iter().map(|claimer| tokio::spawn(claimer.run(Arc::clone(hint), Arc::clone(&left)))).collect();
    for task in tasks {
        task.await??;
    }
    let taken = jobs - left.load(Ordering::Relaxed);
    Ok(Drained {
        jobs_per_second: taken as f64 / began.elapsed().as_secs_f64(),
        wal_bytes_per_job: (wal(&admin).await? - written) as f64 / taken as f64,
    })
}

struct Claimer {
    client: Client,
    claim: Statement,
    finish: Statement,
    worker: i32,
    batch: i64,
    has_hint: bool,
}

impl Claimer {
    async fn connect(database: &TestDatabase, shape: Shape, worker: i32, batch: i64) -> Result<Self> {
        let client = database.connect().await;
        client.batch_execute("SET enable_seqscan = off").await?;
        let (claim, finish) = (client.prepare(shape.part(2)).await?, client.prepare(shape.part(3)).await?);
        Ok(Self { client, claim, finish, worker, batch, has_hint: shape.has_hint })
    }

    async fn run(self, hint: Arc<Hint>, left: Arc<AtomicI64>) -> Result<()> {
        while left.load(Ordering::Relaxed) > 0 {
            let from = if self.has_hint { hint.id.load(Ordering::Relaxed) } else { 0 };
            let rows = self.client.query(&self.claim, &[&from, &self.batch, &self.worker]).await?;
            let Some(first) = rows.first() else { return Ok(()) };
            let claim_number: i64 = first.try_get("claim_number")?;
            let ids: Vec<i64> = rows.iter().map(|row| row.try_get("id")).collect::<std::result::Result<_, _>>()?;
            let finished = self.client.execute(&self.finish, &[&claim_number, &self.worker, &ids]).await?;
            if finished != ids.len() as u64 {
                return Err(format!("{finished} of {} jobs were finished", ids.len()).into());
            }
            left.fetch_sub(ids.len() as i64, Ordering::Relaxed);
            hint.note(ids.iter().copied().min().unwrap_or(0));
        }
        Ok(())
    }
}

impl Hint {
    fn note(&self, id: i64) {
        let (now, mut seen) = (Instant::now(), self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        seen.push_back((now, id));
        while seen.front().is_some_and(|(at, _)| now - *at > Duration::from_secs(1)) {
            if let Some((_, old)) = seen.pop_front() {
                self.id.fetch_max(old - 1, Ordering::Relaxed);
            }
        }
    }
}

impl Shape {
    /// 0: tables, 1: fill, 2: claim, 3: finish.
    fn part(self, number: usize) -> &'static str {
        let marks = ["\n-- fill\n", "\n-- claim\n", "\n-- finish\n"];
        let rest = number
            .checked_sub(1)
            .map_or(self.sql, |before| self.sql.split_once(marks[before]).map_or("", |(_, rest)| rest));
        marks.get(number).and_then(|mark| rest.split_once(*mark)).map_or(rest, |(part, _)| part)
    }
}

async fn wal(admin: &Client) -> Result<i64> {
    let row = admin.query_one("SELECT (pg_current_wal_lsn() - '0/0')::bigint", &[]).await?;
    Ok(row.try_get(0)?)
}

/// The bytes of all tables and indexes.
async fn size(admin: &Client) -> Result<i64> {
    let sql = "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    Ok(admin.query_one(sql, &[]).await?.try_get(0)?)
}

#[expect(clippy::print_stdout, reason = "the table is the result of this program")]
fn print(columns: &[&str]) {
    let cells: Vec<String> = columns.iter().map(|text| format!("{text:>13}")).collect();
    println!("{}", cells.join(" "));
}
