use std::time::Duration;

use longshore_testkit_postgres::{Cluster, Options};

use crate::site::Site;

/// Long enough for many attempts of a worker.
const TROUBLE: Duration = Duration::from_secs(2);

#[test]
fn a_server_that_becomes_read_only_in_the_middle_is_told_once_and_outcomes_are_stored_afterwards() {
    let cluster = Cluster::private(&Options::new());
    let site = Site::on(&cluster);
    let (mut worker, id) = site.busy_worker();
    cluster.set("default_transaction_read_only", "on");
    worker.until_log_has("takes no writes");
    site.let_jobs_end();
    std::thread::sleep(TROUBLE);
    assert_eq!((site.ids("marks"), site.status(id)), (vec![id], "running".to_owned()));
    site.run(&["enqueue", "note", "--json"]).assert_fails("database_read_only", "takes no writes");
    for look in [&["jobs", "list"][..], &["status"], &["workers"], &["migrate", "status"]] {
        let ran = site.run(look);
        assert!(ran.stderr.is_empty() && ran.exit == Some(0), "{look:?} only looks: {ran:?}");
    }
    let doctor = site.run(&["doctor"]);
    assert!(doctor.exit == Some(3) && doctor.stdout.contains("the database takes no writes"), "{doctor:?}");
    cluster.set("default_transaction_read_only", "off");
    site.assert_goes_on(id);
    worker.assert_told_once("takes no writes");
    worker.stop();
}

#[test]
fn sessions_that_began_read_only_are_replaced_when_the_role_may_write_again() {
    let site = Site::on(&Cluster::shared());
    let (mut worker, id) = site.busy_worker();
    site.alter_role("SET default_transaction_read_only = on");
    site.end_sessions();
    worker.until_log_has("takes no writes");
    site.let_jobs_end();
    std::thread::sleep(TROUBLE);
    assert_eq!(site.status(id), "running");
    site.alter_role("RESET default_transaction_read_only");
    site.assert_goes_on(id);
    worker.until_log_has("the store works again");
    worker.assert_readable();
    worker.stop();
}

/// As far as a client can tell: what the server says when a file cannot grow.
#[test]
fn a_full_disk_is_told_once_and_outcomes_are_stored_when_there_is_space() {
    let site = Site::on(&Cluster::shared());
    let (mut worker, id) = site.busy_worker();
    let full = "CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$";
    site.database.admin_sql(full);
    for table in ["job", "ended", "running", "claim", "started"] {
        let sql = "BEFORE INSERT OR UPDATE";
        site.database.admin_sql(&format!(
            "CREATE TRIGGER full_disk {sql} ON longshore.{table} EXECUTE FUNCTION public.full_disk()"
        ));
    }
    site.let_jobs_end();
    worker.until_log_has("there is no space left");
    std::thread::sleep(TROUBLE);
    assert_eq!(site.status(id), "running");
    site.database.admin_sql("DROP FUNCTION public.full_disk() CASCADE");
    site.assert_goes_on(id);
    worker.assert_told_once("there is no space left");
    worker.stop();
}
