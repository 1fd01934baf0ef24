use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use longshore_core::{Status, Store};
use longshore_postgres::{PostgresOptions, PostgresUrl};
use longshore_testkit::worker;
use longshore_testkit_postgres::TestDatabase;

use crate::{Member, enqueue, look_in_vain, look_until_taken, open, read, stepped, template, trial};

/// Makes this program a worker that begins a job and holds it until its input ends.
pub(crate) const HOLD: &str = "hold-a-job";

/// A death must be found within a second. A busy machine gets more.
const FOUND_MAX: Duration = Duration::from_secs(10);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("the_death_of_a_process_is_found_at_once_and_charged", a_death_is_found),
        trial("a_stopped_process_loses_its_jobs_to_the_lease_and_is_not_charged", a_stopped_process_lapses),
        trial("a_worker_whose_session_is_ended_keeps_its_jobs", an_ended_session_takes_nothing),
        trial("a_worker_in_another_schema_is_not_taken_for_this_one", schemas_do_not_meet),
    ]
}

pub(crate) fn hold(url: &str) -> ExitCode {
    let url: PostgresUrl = url.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = longshore_postgres::PostgresStore::connect_lazily(PostgresOptions::new(url)).unwrap();
        let member = Member::join(store, worker().lease(Duration::from_secs(3600)).registration()).await;
        member.begin_one().await;
        let mut out = std::io::stdout();
        out.write_all(b"holds\n").and_then(|()| out.flush()).unwrap();
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    });
    ExitCode::SUCCESS
}

/// A process that holds a job. It is killed with the value.
struct Holder(Child);

impl Holder {
    fn start(database: &TestDatabase) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(HOLD).arg(database.url()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "holds");
        Self(child)
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn a_death_is_found() {
    let database = template::migrated();
    let store = open(&database);
    let id = enqueue(&store).await;
    let holder = Holder::start(&database);
    look_in_vain(&store, Duration::from_secs(1)).await;
    drop(holder);
    let died = Instant::now();
    let reclaimed = look_until_taken(&store).await;
    assert!(died.elapsed() < FOUND_MAX, "found after {:?}", died.elapsed());
    assert_eq!((reclaimed.workers.len(), reclaimed.jobs), (1, 1));
    let job = read(&store, id).await;
    assert_eq!((job.status, job.crash_count), (Status::Pending, 1));
}

/// Its session still holds the lock, so only the lease ends, and a frozen process is no dead one.
async fn a_stopped_process_lapses() {
    let database = template::migrated();
    let clock = longshore_testkit::FakeClock::new();
    let store = stepped(PostgresOptions::new(database.config()), &clock);
    let id = enqueue(&store).await;
    let holder = Holder::start(&database);
    holder.signal("STOP");
    let mut jobs = store.reclaim().await.unwrap().jobs;
    clock.advance(Duration::from_secs(3600));
    for _ in 0..40 {
        jobs += store.reclaim().await.unwrap().jobs;
        clock.advance(Duration::from_millis(500));
    }
    assert_eq!(jobs, 1);
    let job = read(&store, id).await;
    assert_eq!((job.status, job.crash_count), (Status::Pending, 0));
}

async fn an_ended_session_takes_nothing() {
    let database = template::migrated();
    let observer = open(&database);
    let id = enqueue(&observer).await;
    let mut member = Member::join(open(&database), worker().registration()).await;
    let lease = member.begin_one().await;
    for _ in 0..2 {
        let ended = database.admin_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks
             WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        );
        assert_eq!(ended.len(), 1);
        member.lost().await;
        look_in_vain(&observer, Duration::from_secs(1)).await;
        member.beat(&lease).await.unwrap();
        member.join_again().await;
    }
    member.complete(&lease).await;
    assert_eq!(read(&observer, id).await.status, Status::Completed);
}

/// Two queues in one database give their workers the same numbers.
async fn schemas_do_not_meet() {
    let database = template::migrated();
    let observer = open(&database);
    let id = enqueue(&observer).await;
    let member = Member::join(open(&database), worker().registration()).await;
    let _lease = member.begin_one().await;
    // A lock of an application on the number of the worker.
    let application = database.connect().await;
    application.batch_execute("SELECT pg_advisory_lock(1), pg_advisory_lock(0, 1)").await.unwrap();
    member.store.close();
    let reclaimed = look_until_taken(&observer).await;
    assert_eq!(reclaimed.workers, std::slice::from_ref(&member.worker_id));
    assert_eq!(read(&observer, id).await.crash_count, 1);
}
