use std::time::Duration;

use libtest_mimic::Trial;
use longshore_core::{Console, Status, Store};
use longshore_postgres::{PostgresOptions, PostgresStore};
use longshore_testkit::{FakeClock, worker};
use longshore_testkit_postgres::{Cluster, PgBouncer, TestDatabase};

use crate::{Member, enqueue, read, stepped, template, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("through_a_pooler_a_job_lives_from_enqueue_to_success", a_job_lives),
        trial("through_a_pooler_a_dead_worker_is_found_by_its_lease", a_lease_ends),
        trial("through_a_pooler_a_dropped_session_is_found_at_once", a_dropped_session_is_found),
    ]
}

pub(crate) fn through(pool: &PgBouncer, database: &TestDatabase) -> PostgresOptions {
    let config: tokio_postgres::Config = database.url_through(pool.port()).parse().unwrap();
    PostgresOptions::new(config).pooled(true)
}

async fn a_job_lives() {
    let database = template::migrated();
    // Each transaction may get another connection, and all share one.
    for size in [1, 4] {
        let pool = PgBouncer::with_pool_size(&Cluster::shared(), size);
        let store = PostgresStore::connect_lazily(through(&pool, &database)).unwrap();
        let id = enqueue(&store).await;
        let member = Member::join(store, worker().registration()).await;
        let lease = member.begin_one().await;
        assert_eq!(member.beat(&lease).await.unwrap(), longshore_core::Extended::default());
        assert_eq!(member.store.reclaim().await.unwrap().jobs, 0);
        let workers = member.store.workers().await.unwrap();
        assert!(workers.iter().any(|worker| worker.worker_id == member.worker_id && worker.is_alive));
        member.complete(&lease).await;
        assert_eq!(read(&member.store, id).await.status, Status::Completed);
        member.store.retire(member.worker_id.clone()).await.unwrap();
    }
}

async fn a_lease_ends() {
    let database = template::migrated();
    let pool = PgBouncer::before(&Cluster::shared());
    let clock = FakeClock::new();
    let observer = stepped(through(&pool, &database), &clock);
    let id = enqueue(&observer).await;
    let store = PostgresStore::connect_lazily(through(&pool, &database)).unwrap();
    let member = Member::join(store, worker().lease(Duration::from_secs(10)).registration()).await;
    member.begin_one().await;
    member.store.close();
    let mut jobs = 0;
    for look in 0..60 {
        jobs += observer.reclaim().await.unwrap().jobs;
        assert!(jobs == 0 || look >= 20, "the lease was not over");
        clock.advance(Duration::from_millis(500));
    }
    assert_eq!(jobs, 1);
    let job = read(&observer, id).await;
    assert_eq!((job.status, job.crash_count), (Status::Pending, 0));
}

async fn a_dropped_session_is_found() {
    let database = template::migrated();
    let pool = PgBouncer::before(&Cluster::shared());
    let observer = PostgresStore::connect_lazily(through(&pool, &database)).unwrap();
    let id = enqueue(&observer).await;
    let store = PostgresStore::connect_lazily(through(&pool, &database)).unwrap();
    let Member { store: _living, session, .. } = {
        let member = Member::join(store, worker().lease(Duration::from_secs(3600)).registration()).await;
        member.begin_one().await;
        member
    };
    drop(session);
    crate::look_until_taken(&observer).await;
    let job = read(&observer, id).await;
    assert_eq!((job.status, job.crash_count), (Status::Pending, 0));
}
