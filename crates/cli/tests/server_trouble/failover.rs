use longshore_testkit_postgres::{Cluster, Options, PausingProxy, StopMode};

use crate::site::Site;

/// An asynchronous replica lacks the last commits of the primary when it takes its place.
#[test]
fn jobs_whose_outcomes_the_new_primary_does_not_know_run_again_while_their_worker_lives() {
    let primary = Cluster::private(&Options::new());
    let replica = primary.replica();
    let proxy = PausingProxy::to(primary.port());
    let site = Site::on(&primary);
    let url = site.database.url_through(proxy.port());
    let site = site.at(url);
    let (mut worker, id) = site.busy_worker();
    primary.wait_for_replica(&replica);
    replica.stop(StopMode::Fast);
    site.let_jobs_end();
    site.until_completed(id);

    primary.kill();
    replica.start();
    replica.promote();
    proxy.forward_to(replica.port());

    site.until("the job has run again", || site.ids("marks") == [id, id]);
    let status = || site.run(&["jobs", "show", &id.to_string(), "--json"]).stdout;
    site.until("its outcome is stored", || status().contains("\"completed\""));
    let job: serde_json::Value = serde_json::from_str(&status()).unwrap();
    assert_eq!((&job["retry_count"], &job["crash_count"]), (&0.into(), &0.into()), "{job}");
    assert_eq!(worker.lines_with("that it does not run"), 1, "{}", worker.log());
    worker.assert_readable();
    worker.stop();
}
