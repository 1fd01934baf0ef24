use std::time::Duration;

use longshore::{NewJob, Queue};
use longshore_core::JobData;
use longshore_testkit_postgres::Cluster;

use crate::site::Site;

#[test]
fn a_worker_that_finds_no_free_connection_at_its_start_says_so() {
    let site = Site::on(&Cluster::shared());
    site.limit_connections(0);
    for words in [
        &["work", "--json"][..],
        &["enqueue", "note", "--json"],
        &["jobs", "list", "--json"],
        &["migrate", "up", "--json"],
    ] {
        site.run(words).assert_fails("too_many_connections", "has no free connection");
    }
}

#[test]
fn a_worker_whose_connections_are_taken_by_others_goes_on_when_it_gets_them_back() {
    let site = Site::on(&Cluster::shared());
    let (mut worker, id) = site.busy_worker();
    site.limit_connections(0);
    site.end_sessions();
    worker.until_log_has("has no free connection");
    site.let_jobs_end();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((site.ids("marks"), site.status(id)), (vec![id], "running".to_owned()));
    site.limit_connections(-1);
    site.assert_goes_on(id);
    worker.until_log_has("the store works again");
    assert!(worker.lines_with("the store fails") <= 2, "{}", worker.log());
    assert!(worker.log().lines().count() < 20, "{}", worker.log());
    worker.assert_readable();
    worker.stop();
}

/// A process works with fewer connections than it may have, as long as it has one.
#[tokio::test(flavor = "multi_thread")]
async fn producers_under_load_share_the_few_connections_that_the_server_gives() {
    let site = Site::on(&Cluster::shared());
    let queue = Queue::open(site.url()).await.unwrap();
    site.limit_connections(1);
    let mut producers = Vec::new();
    for _ in 0..32 {
        let queue = queue.clone();
        producers.push(tokio::spawn(async move {
            for round in 0..20 {
                let jobs = vec![NewJob::new("note", JobData::parse("{}").unwrap()); 1 + round % 3];
                queue.enqueue_all(jobs).await?;
                queue.job(longshore_core::JobId(1)).await?;
            }
            Ok::<_, longshore_core::StoreError>(())
        }));
    }
    for producer in producers {
        producer.await.unwrap().unwrap();
    }
}
