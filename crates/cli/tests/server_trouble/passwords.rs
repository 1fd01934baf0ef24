use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use longshore_testkit_postgres::{Cluster, Options};

use crate::site::Site;

#[test]
fn a_worker_reads_the_password_file_again_when_its_password_was_changed() {
    let cluster = Cluster::private(&Options::new().host_rules("host all all all scram-sha-256"));
    cluster.sql("ALTER ROLE app PASSWORD 'first'");
    let site = Site::empty_on(&cluster);
    let file = site.path("passwords");
    let write = |password: &str| {
        fs::write(&file, format!("*:*:*:app:{password}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("first");
    let url = format!("{}?passfile={}", site.database.url(), file.display());
    let site = site.at(url);
    assert_eq!(site.run(&["migrate", "up"]).exit, Some(0));
    let (mut worker, id) = site.busy_worker();
    cluster.sql("ALTER ROLE app PASSWORD 'second'");
    site.let_jobs_end();
    // Nothing ends the sessions that began before.
    site.until_completed(id);
    site.run(&["enqueue", "note", "--json"]).assert_fails("login_refused", "refused the login: password");
    site.end_sessions();
    worker.until_log_has("refused the login");
    std::thread::sleep(Duration::from_secs(2));
    write("second");
    worker.until_log_has("the store works again");
    let next = site.enqueue("note");
    site.until_completed(next);
    assert!(worker.log().lines().count() < 20, "{}", worker.log());
    assert!(!worker.log().contains("second"), "{}", worker.log());
    worker.assert_readable();
    worker.stop();
}
