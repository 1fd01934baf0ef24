//! A short request that is alone runs on the thread of its caller, with the same guarantees as on the writer's thread.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use longshore_core::{Clock, Console, Enqueued, JobId, OutsideCause, Store, StoreError, SystemClock, Timestamp};
use longshore_sqlite::rusqlite::{Connection, TransactionBehavior};
use longshore_sqlite::{Durability, SqliteStore};

use crate::database::{Database, job};

const PATIENCE: Duration = Duration::from_secs(60);

/// The writer reads the clock once for each transaction, on the thread that runs it.
#[derive(Debug)]
struct WatchedClock {
    inner: SystemClock,
    transactions: AtomicU64,
    last_thread: Mutex<Option<ThreadId>>,
    panics: AtomicBool,
}

impl Clock for WatchedClock {
    fn now(&self) -> Timestamp {
        self.transactions.fetch_add(1, Ordering::SeqCst);
        *self.last_thread.lock().unwrap() = Some(thread::current().id());
        assert!(!self.panics.swap(false, Ordering::SeqCst), "the clock is broken");
        self.inner.now()
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }
}

struct Scene {
    database: Database,
    store: SqliteStore,
    clock: Arc<WatchedClock>,
}

impl Scene {
    fn new() -> Self {
        let database = Database::new();
        let clock = Arc::new(WatchedClock {
            inner: SystemClock::new(),
            transactions: AtomicU64::default(),
            last_thread: Mutex::default(),
            panics: AtomicBool::default(),
        });
        // Not flushed, so that a commit is quick on any disk.
        let options = database.options().durability(Durability::Normal).clock(Arc::clone(&clock) as Arc<dyn Clock>);
        let store = SqliteStore::open(options).unwrap();
        Self { database, store, clock }
    }

    async fn enqueue(&self) -> Result<Enqueued, StoreError> {
        self.store.enqueue(vec![job()]).await.map(|enqueued| enqueued[0])
    }

    fn ran_here(&self) -> bool {
        *self.clock.last_thread.lock().unwrap() == Some(thread::current().id())
    }

    /// Makes one request after another until one has run on this thread. On a busy machine commits may be slow for a
    /// while.
    async fn settle(&self) {
        let begun = Instant::now();
        loop {
            self.enqueue().await.unwrap();
            if self.ran_here() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "no request runs on the thread of its caller");
        }
    }

    fn jobs(&self) -> i64 {
        self.database.number("SELECT count(*) FROM job_queue")
    }

    fn wait_for_lock(&self, foreign: &mut Connection) {
        foreign.busy_timeout(PATIENCE).unwrap();
        foreign.transaction_with_behavior(TransactionBehavior::Immediate).unwrap().commit().unwrap();
    }
}

#[tokio::test]
async fn a_lone_short_request_runs_on_its_callers_thread_and_a_large_one_does_not() {
    let scene = Scene::new();
    scene.settle().await;

    scene.store.enqueue(vec![job(); 17]).await.unwrap();

    assert!(!scene.ran_here());
    let worker_id = crate::database::register(&scene.store).await;
    scene.store.claim(crate::database::request(&worker_id, 1)).await.unwrap();
    assert!(!scene.ran_here());
    scene.database.assert_counts_are_true();
    scene.store.close();
}

#[tokio::test]
async fn callers_on_one_thread_who_come_together_share_transactions() {
    const TOGETHER: usize = 30;
    let scene = Arc::new(Scene::new());
    let begun = Instant::now();
    loop {
        scene.settle().await;
        let before = scene.clock.transactions.load(Ordering::SeqCst);
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..TOGETHER {
            let scene = Arc::clone(&scene);
            callers.spawn(async move { scene.enqueue().await.unwrap() });
        }
        assert_eq!(callers.join_all().await.len(), TOGETHER);
        let transactions = scene.clock.transactions.load(Ordering::SeqCst) - before;
        if transactions < TOGETHER as u64 / 2 {
            break;
        }
        // This thread may have been interrupted between any two requests.
        assert!(begun.elapsed() < PATIENCE, "{transactions} transactions for {TOGETHER} requests");
    }
    scene.database.assert_counts_are_true();
    scene.store.close();
}

#[tokio::test]
async fn a_caller_that_makes_one_request_after_another_lets_the_other_tasks_of_its_thread_run() {
    const REQUESTS: u64 = 200;
    let scene = Scene::new();
    scene.settle().await;
    let turns = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    });

    for _ in 0..REQUESTS {
        scene.enqueue().await.unwrap();
    }

    assert!(turns.load(Ordering::SeqCst) >= REQUESTS - 1);
    other.abort();
    scene.store.close();
}

/// A foreign lock may be held for seconds, and must not stop the other tasks of the thread. Here one of them releases
/// the lock.
#[tokio::test]
async fn no_caller_waits_on_its_own_thread_for_another_programs_lock() {
    let scene = Scene::new();
    for _ in 0..20 {
        scene.settle().await;
        let mut foreign = scene.database.foreign();
        let lock = foreign.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let release = async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            lock.commit().unwrap();
        };

        let (enqueued, ()) = tokio::join!(scene.enqueue(), release);

        enqueued.unwrap();
    }
    scene.database.assert_counts_are_true();
    scene.store.close();
}

#[tokio::test]
async fn a_panic_on_the_callers_thread_is_an_error_and_leaves_neither_a_job_nor_a_lock() {
    let scene = Scene::new();
    for _ in 0..5 {
        scene.settle().await;
        let before = scene.jobs();
        scene.clock.panics.store(true, Ordering::SeqCst);

        let refused = scene.enqueue().await;

        let Err(StoreError::Panicked { message, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(message, "the clock is broken");
        scene.wait_for_lock(&mut scene.database.foreign());
        assert_eq!(scene.jobs(), before);
    }
    scene.enqueue().await.unwrap();
    scene.database.assert_counts_are_true();
    scene.store.close();
}

#[tokio::test]
async fn a_future_that_is_dropped_after_any_poll_has_made_its_job_once_or_not_at_all() {
    let scene = Scene::new();
    let mut context = Context::from_waker(Waker::noop());
    for polls in [0, 1, 2, 3, 1, 2, 3] {
        scene.settle().await;
        let before = scene.jobs();
        let mut is_answered = false;
        {
            let mut enqueue = pin!(scene.enqueue());
            for _ in 0..polls {
                if let Poll::Ready(enqueued) = enqueue.as_mut().poll(&mut context) {
                    enqueued.unwrap();
                    is_answered = true;
                    break;
                }
            }
        }
        // This one comes behind it.
        scene.enqueue().await.unwrap();
        let made = scene.jobs() - before - 1;
        assert!(made == 1 || (made == 0 && !is_answered), "{made} {is_answered}");
        assert!(made == 0 || polls > 0);
    }
    scene.database.assert_counts_are_true();
    scene.store.close();
}

#[cfg(unix)]
#[tokio::test]
async fn a_job_that_is_refused_because_the_file_was_moved_is_not_in_the_moved_file() {
    let scene = Scene::new();
    scene.settle().await;
    let (before, moved) = (scene.jobs(), scene.database.path().with_file_name("moved.db"));
    std::fs::rename(scene.database.path(), &moved).unwrap();

    for _ in 0..3 {
        let refused = scene.enqueue().await;
        assert!(matches!(refused, Err(StoreError::Outside(OutsideCause::Moved { .. }))), "{refused:?}");
    }

    scene.store.close();
    let there = Connection::open(&moved).unwrap();
    assert_eq!(there.query_row("SELECT count(*) FROM job_queue", [], |row| row.get::<_, i64>(0)).unwrap(), before);
}

#[tokio::test]
async fn after_a_migration_nothing_is_written_on_the_callers_thread_either() {
    let scene = Scene::new();
    scene.settle().await;
    scene.database.foreign().execute_batch("CREATE TABLE photos (id INTEGER PRIMARY KEY)").unwrap();
    scene.enqueue().await.unwrap();
    scene.settle().await;
    let before = scene.jobs();
    scene.database.foreign().execute_batch("ALTER TABLE job_queue ADD COLUMN colour TEXT").unwrap();

    for _ in 0..3 {
        let refused = scene.enqueue().await;
        assert!(matches!(refused, Err(StoreError::SchemaChanged { .. })), "{refused:?}");
    }

    assert_eq!(scene.jobs(), before);
    scene.store.close();
}

#[tokio::test]
async fn a_store_that_is_closed_under_a_lone_caller_keeps_what_it_acknowledged() {
    let scene = Scene::new();
    scene.settle().await;
    let before = scene.jobs();
    let store = scene.store.clone();
    let (sender, acknowledged) = std::sync::mpsc::channel();
    let producer = thread::spawn(move || {
        futures_executor(async {
            loop {
                match store.enqueue(vec![job()]).await {
                    Ok(enqueued) => sender.send(enqueued[0].id).unwrap(),
                    Err(error) => return error,
                }
            }
        })
    });
    let mut known: Vec<JobId> = (0..20).map(|_| acknowledged.recv().unwrap()).collect();

    scene.store.close();

    let error = producer.join().unwrap();
    known.extend(acknowledged.try_iter());
    assert!(matches!(error, StoreError::Closed { .. }), "{error}");
    assert_eq!(scene.jobs() - before, i64::try_from(known.len()).unwrap());
    scene.database.assert_counts_are_true();
}

/// Runs a future on this thread, without a runtime.
fn futures_executor<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// The writer's thread may wait for the connection, which a caller on another thread takes again and again.
#[tokio::test]
async fn requests_without_a_permit_and_reads_come_through_beside_a_lone_caller() {
    let scene = Scene::new();
    let worker_id = crate::database::register(&scene.store).await;
    scene.settle().await;
    let (store, is_over) = (scene.store.clone(), Arc::new(AtomicBool::new(false)));
    let over = Arc::clone(&is_over);
    let producer = thread::spawn(move || {
        futures_executor(async {
            while !over.load(Ordering::SeqCst) {
                store.enqueue(vec![job()]).await.unwrap();
            }
        });
    });

    for _ in 0..50 {
        let claimed = scene.store.claim(crate::database::request(&worker_id, 1)).await.unwrap();
        let id = claimed.leases[0].id;
        assert!(scene.store.job(id).await.unwrap().is_some());
    }

    is_over.store(true, Ordering::SeqCst);
    producer.join().unwrap();
    scene.database.assert_counts_are_true();
    scene.store.close();
}
