use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread::Scope;
use std::time::{Duration, Instant};

use fastrand::Rng;
use longshore_testkit_postgres::{PausingProxy, StopMode};
use rustix::process::{Pid, Signal, kill_process};

use super::postgres_queue::PostgresQueue;
use super::producers::INSERT;
use crate::Plan;
use crate::crew::Crew;
use crate::ledger::{Expected, Ledger};
use crate::workers::{Toll, Workers};

const WORKERS: usize = 4;

/// A fault, in the words of the report at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    WorkerKilled,
    WorkerFrozen,
    SessionsEnded,
    ConnectionsCut,
    ConnectionsRefused,
    NetworkStalled,
    ServerRestarted,
    ServerAborted,
    BackendKilled,
    FailedOver,
    ReadOnly,
    ConnectionsUsedUp,
    TableLocked,
    SnapshotHeld,
    LongWriter,
}

/// How often each fault is in a deck. The decks of a run are shuffled.
const DECK: [(Fault, usize); 15] = [
    (Fault::WorkerKilled, 6),
    (Fault::WorkerFrozen, 2),
    (Fault::SessionsEnded, 1),
    (Fault::ConnectionsCut, 1),
    (Fault::ConnectionsRefused, 1),
    (Fault::NetworkStalled, 2),
    (Fault::ServerRestarted, 1),
    (Fault::ServerAborted, 1),
    (Fault::BackendKilled, 1),
    (Fault::FailedOver, 1),
    (Fault::ReadOnly, 1),
    (Fault::ConnectionsUsedUp, 1),
    (Fault::TableLocked, 1),
    (Fault::SnapshotHeld, 1),
    (Fault::LongWriter, 1),
];

/// Causes one fault after the other, beside which transactions may hold a snapshot or write.
pub(crate) struct Faults<'a> {
    queue: &'a PostgresQueue,
    ledger: &'a Ledger,
    counts: Mutex<BTreeMap<Fault, u32>>,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(queue: &'a PostgresQueue, ledger: &'a Ledger) -> Self {
        Self { queue, ledger, counts: Mutex::default() }
    }

    /// Lasts as long as the plan says, or until each fault of the first deck has happened.
    pub(crate) fn cause(&self, plan: &Plan, crew: &Crew, toll: &Toll) {
        let mut random = Rng::with_seed(plan.seed ^ 0xdead);
        let mut workers = Workers::start(self.queue, crew, toll, WORKERS, random.fork());
        let begin = Instant::now();
        std::thread::scope(|scope| {
            let mut deck = shuffled(&mut random);
            let mut is_first = true;
            while is_first || begin.elapsed() < plan.span {
                std::thread::sleep(Duration::from_millis(random.u64(200..900)));
                workers.replace_dead();
                let Some(fault) = deck.pop() else {
                    (deck, is_first) = (shuffled(&mut random), false);
                    continue;
                };
                println!("{:>6.1} s {fault:?}", begin.elapsed().as_secs_f64());
                self.cause_one(fault, &mut workers, &mut random, scope);
            }
        });
        workers.kill_all();
    }

    fn cause_one<'scope>(
        &'scope self,
        fault: Fault,
        workers: &mut Workers<'_>,
        random: &mut Rng,
        scope: &'scope Scope<'scope, '_>,
    ) {
        let servers = &self.queue.servers;
        // Some are shorter than a lease, most are longer.
        let span = Duration::from_millis(random.u64(1000..4500));
        match fault {
            Fault::WorkerKilled => workers.kill_one(),
            Fault::WorkerFrozen => workers.freeze_one(Duration::from_secs(2) + span),
            Fault::SessionsEnded => self.end_sessions(),
            Fault::ConnectionsCut => servers.on_network(PausingProxy::cut),
            Fault::ConnectionsRefused => self.between(span, PausingProxy::refuse, PausingProxy::accept),
            Fault::NetworkStalled => self.between(span, PausingProxy::pause, PausingProxy::resume),
            Fault::ServerRestarted => servers.restart(StopMode::Fast),
            Fault::ServerAborted => servers.restart(StopMode::Immediate),
            Fault::BackendKilled => self.kill_backend(),
            Fault::FailedOver => servers.fail_over(),
            Fault::ReadOnly => self.be_read_only(span),
            Fault::ConnectionsUsedUp => self.use_connections_up(span),
            Fault::TableLocked => self.lock_a_table(span),
            Fault::SnapshotHeld => drop(scope.spawn(move || self.hold_a_snapshot(span * 2))),
            Fault::LongWriter => drop(scope.spawn(move || self.write_long(span * 2))),
        }
        *self.counts.lock().unwrap().entry(fault).or_default() += 1;
    }

    fn end_sessions(&self) {
        self.queue
            .servers
            .observer
            .rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
    }

    fn between(&self, span: Duration, begin: fn(&PausingProxy), end: fn(&PausingProxy)) {
        self.queue.servers.on_network(begin);
        std::thread::sleep(span);
        self.queue.servers.on_network(end);
    }

    /// The server ends all its sessions and recovers, because its shared memory may be damaged.
    fn kill_backend(&self) {
        let backend = "SELECT pid FROM pg_stat_activity WHERE usename = 'app' ORDER BY random() LIMIT 1";
        let pid = self.queue.servers.observer.rows(backend)[0][0].parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    fn be_read_only(&self, span: Duration) {
        let servers = &self.queue.servers;
        servers.set("default_transaction_read_only", "on");
        std::thread::sleep(span);
        servers.set("default_transaction_read_only", "off");
    }

    /// The role may have two connections, and those that it has end.
    fn use_connections_up(&self, span: Duration) {
        let observer = &self.queue.servers.observer;
        observer.rows("ALTER ROLE app CONNECTION LIMIT 2");
        self.end_sessions();
        std::thread::sleep(span);
        observer.rows("ALTER ROLE app CONNECTION LIMIT -1");
    }

    fn lock_a_table(&self, span: Duration) {
        self.transact("LOCK TABLE longshore.running IN ACCESS EXCLUSIVE MODE", span);
    }

    /// A server that restarts meanwhile ends it sooner.
    fn hold_a_snapshot(&self, span: Duration) {
        self.transact("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM longshore.ended", span);
    }

    fn transact(&self, sql: &str, span: Duration) {
        let Some((runtime, client)) = self.queue.servers.observer.apart() else { return };
        runtime.block_on(async {
            if client.batch_execute(&format!("BEGIN; {sql}")).await.is_ok() {
                tokio::time::sleep(span).await;
                // After a fault of the server there is nothing to end.
                drop(client.batch_execute("COMMIT").await);
            }
        });
    }

    /// A transaction of the application that enqueues among other things. It is expected if its commit was acknowledged.
    fn write_long(&self, span: Duration) {
        let Some((runtime, client)) = self.queue.servers.observer.apart() else { return };
        let committed = runtime.block_on(async {
            client.batch_execute("SET ROLE app; BEGIN").await?;
            let mut ids = Vec::new();
            for _ in 0..100 {
                ids.push(client.query_one(INSERT, &[]).await?.get::<_, i64>(0));
            }
            tokio::time::sleep(span).await;
            client.batch_execute("COMMIT").await?;
            Ok::<_, longshore_postgres::tokio_postgres::Error>(ids)
        });
        committed.unwrap_or_default().into_iter().for_each(|id| self.ledger.note(id, Expected::Marked));
    }

    pub(crate) fn print(&self) {
        println!("{:?}", self.counts.lock().unwrap());
    }

    pub(crate) fn assert_every_kind_happened(&self) {
        let counts = self.counts.lock().unwrap();
        for (fault, times) in DECK {
            assert!(counts.get(&fault).is_some_and(|count| *count as usize >= times), "too few of {fault:?}");
        }
    }
}

fn shuffled(random: &mut Rng) -> Vec<Fault> {
    let mut deck: Vec<Fault> = DECK.iter().flat_map(|(fault, times)| vec![*fault; *times]).collect();
    random.shuffle(&mut deck);
    deck
}
