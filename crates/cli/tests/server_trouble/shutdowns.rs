use std::time::Duration;

use longshore_testkit_postgres::{Cluster, Options, StopMode};

use crate::site::Site;

#[test]
fn a_server_that_shuts_down_fast_gets_the_outcomes_when_it_is_back() {
    let cluster = Cluster::private(&Options::new());
    let site = Site::on(&cluster);
    let (mut worker, id) = site.busy_worker();
    cluster.stop(StopMode::Fast);
    worker.until_log_has("the store fails");
    site.let_jobs_end();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(site.ids("marks"), [id]);
    for words in [&["enqueue", "note", "--json"][..], &["jobs", "list", "--json"], &["work", "--json"]] {
        site.run(words).assert_fails("database_unreachable", "cannot be reached");
    }
    cluster.start();
    site.assert_goes_on(id);
    worker.until_log_has("the store works again");
    assert!(worker.lines_with("the store fails") <= 2, "{}", worker.log());
    assert!(worker.log().lines().count() < 20, "{}", worker.log());
    worker.assert_readable();
    worker.stop();
}

/// Such a server waits for its sessions, and lets nobody else in.
#[test]
fn a_server_that_shuts_down_smart_waits_for_the_worker_and_its_jobs() {
    let cluster = Cluster::private(&Options::new());
    let site = Site::on(&cluster);
    let (mut worker, id) = site.busy_worker();
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| cluster.stop(StopMode::Smart));
        site.until("nobody is let in", || site.run(&["jobs", "list"]).exit == Some(1));
        site.run(&["enqueue", "note", "--json"]).assert_fails("server_stopping", "shutting down");
        site.let_jobs_end();
        site.until("the job has ended", || site.ids("marks") == [id]);
        assert!(!stopping.is_finished(), "the worker has sessions");
        worker.stop();
        stopping.join().unwrap();
    });
    worker.assert_readable();
    cluster.start();
    assert_eq!(site.status(id), "completed");
    let workers = site.database.admin_sql("SELECT count(*) FROM longshore.worker");
    assert_eq!(workers[0][0].as_deref(), Some("0"), "it has retired");
}
