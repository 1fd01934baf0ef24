//! Several databases by configuration, and every command over all of them.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use longshore_testkit_postgres::{Cluster, Options, PausingProxy, StopMode};
use rusqlite::Connection;

use crate::sandbox::{Ran, Sandbox};

const JOBS: &str = r#"
[jobs.note]
run = ["sh", "-c", "echo noted"]
[jobs.mail]
run = ["sh", "-c", "echo sent"]
queue = "mail"
[jobs.asks]
run = ["sh", "-c", "printenv LONGSHORE_DATABASE_MAIL"]
"#;

/// Nothing listens there.
const NOBODY: &str = "postgres://127.0.0.1:1/jobs";

/// Two files, of which the second one has the queue `mail`.
fn two_files() -> Sandbox {
    let sandbox = Sandbox::new();
    with_mail_at(&sandbox, "sqlite:mail.db");
    sandbox
}

fn with_mail_at(sandbox: &Sandbox, url: &str) {
    sandbox.write("longshore.toml", databases_with_mail_at(url) + JOBS);
}

fn databases_with_mail_at(url: &str) -> String {
    format!("database = \"sqlite:main.db\"\n[databases.mail]\nurl = \"{url}\"\nqueues = [\"mail\"]\n")
}

fn id(ran: &Ran) -> i64 {
    ran.stdout.trim().parse().unwrap_or_else(|_| panic!("{ran:?}"))
}

/// The second range of ids begins behind this number.
const SECOND: i64 = 1 << 44;

#[test]
fn a_queue_has_its_database_and_every_command_works_over_all() {
    let sandbox = two_files();
    let note = id(&sandbox.run(&["enqueue", "note"]));
    let mail = id(&sandbox.run(&["enqueue", "mail"]));
    assert_eq!((note, mail), (1, SECOND + 1));
    let of = |file: &str| -> i64 {
        let file = Connection::open(sandbox.path(file)).unwrap();
        file.query_row("SELECT count(*) FROM job_queue", [], |row| row.get(0)).unwrap()
    };
    assert_eq!((of("main.db"), of("mail.db")), (1, 1));
    let list = sandbox.json(&["jobs", "list"]);
    let placed: Vec<_> = list["jobs"].as_array().unwrap().iter().map(|job| (&job["id"], &job["database"])).collect();
    assert_eq!(placed.len(), 2, "{list}");
    assert!(placed.contains(&(&mail.into(), &"mail".into())) && placed.contains(&(&note.into(), &"main".into())));
    assert_eq!(sandbox.json(&["jobs", "show", &mail.to_string()])["database"], "mail");
    let drained = sandbox.run(&["work", "--drain"]);
    assert_eq!(drained.exit, 0, "{drained:?}");
    let status = sandbox.json(&["status"]);
    assert_eq!((&status["jobs"]["completed"], &status["unreachable"]), (&2.into(), &serde_json::Value::Null));
    assert_eq!(sandbox.run(&["jobs", "logs", &mail.to_string()]).stdout.trim(), "sent");
    assert_eq!(sandbox.json(&["queues", "list"])["queues"].as_array().unwrap().len(), 2);
    assert_eq!(sandbox.run(&["doctor"]).exit, 0);
    let one = sandbox.json(&["jobs", "list", "--database", "sqlite:mail.db"]);
    assert_eq!((one["jobs"].as_array().unwrap().len(), one["jobs"][0].get("database")), (1, None), "only that one");
}

#[test]
fn migrations_are_shown_and_applied_for_each_database() {
    let sandbox = two_files();
    sandbox.write("migrations/001_tracks.up.sql", "CREATE TABLE tracks (id INTEGER PRIMARY KEY);");
    sandbox.write("migrations/001_tracks.down.sql", "DROP TABLE tracks;");
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 3);
    let up = sandbox.run(&["migrate", "up"]);
    assert!(
        up.exit == 0 && up.stdout.contains("database main (main.db)") && up.stdout.contains("mail (mail.db)"),
        "{up:?}"
    );
    let status = sandbox.json(&["migrate", "status", "--check"]);
    let databases = status["databases"].as_array().unwrap();
    let shown: Vec<_> = databases.iter().map(|it| (it["database"].as_str().unwrap(), &it["pending_count"])).collect();
    assert_eq!(shown, [("main", &0.into()), ("mail", &0.into())], "{status}");
    assert!(databases[0]["applied_count"].as_i64() > databases[1]["applied_count"].as_i64(), "the application's own");
    assert_eq!(sandbox.json(&["migrate", "verify"])["databases"][1]["ok"], true);
    // A program that inserts before any worker has started gets an id of its database.
    let mail = Connection::open(sandbox.path("mail.db")).unwrap();
    mail.execute("INSERT INTO job_queue (job_type, job_data, queue) VALUES ('mail', '{}', 'mail')", []).unwrap();
    assert_eq!(mail.last_insert_rowid(), SECOND + 1);
}

#[test]
fn a_database_that_does_not_answer_is_named_and_the_others_go_on() {
    let sandbox = two_files();
    sandbox.run(&["enqueue", "mail"]);
    sandbox.run(&["enqueue", "note"]);
    with_mail_at(&sandbox, NOBODY);
    let status = sandbox.run(&["status", "--json"]);
    let document = status.document();
    assert_eq!((status.exit, &document["unreachable"][0]["database"]), (1, &"mail".into()), "{status:?}");
    assert_eq!(document["jobs"]["pending"], 1, "the others are shown");
    let list = sandbox.run(&["jobs", "list"]);
    assert!(list.exit == 1 && list.stderr.contains("database mail does not answer"), "{list:?}");
    assert_eq!(list.stderr.matches("cannot be reached").count(), 1, "the reason is said once: {list:?}");
    let doctor = sandbox.run(&["doctor", "--json"]);
    assert!(doctor.exit == 3 && doctor.stdout.contains("database_unreachable"), "{doctor:?}");
    assert_eq!(sandbox.run(&["enqueue", "note"]).exit, 0);
    let refused = sandbox.run(&["enqueue", "mail"]);
    assert!(refused.exit == 1 && refused.stderr.contains("database mail"), "{refused:?}");
    let migrate = sandbox.run(&["migrate", "status", "--json"]);
    assert_eq!(
        (migrate.exit, &migrate.document()["databases"][1]["error"]["code"]),
        (1, &"database_unreachable".into())
    );
}

#[test]
fn the_schedules_of_a_database_that_does_not_answer_are_missed() {
    let sandbox = two_files();
    // Afterwards both have their numbers.
    sandbox.run(&["enqueue", "mail"]);
    sandbox.run(&["enqueue", "note"]);
    let nightly = "\n[schedules.nightly]\ncron = \"30 2 * * *\"\njob = \"note\"\n";
    sandbox.write("longshore.toml", databases_with_mail_at("sqlite:mail.db") + JOBS + nightly);
    let applied = sandbox.run(&["schedules", "apply"]);
    assert_eq!(applied.exit, 0, "{applied:?}");
    sandbox.write("longshore.toml", databases_with_mail_at(NOBODY) + JOBS + nightly);
    for arguments in [
        ["schedules", "list"].as_slice(),
        &["schedules", "next"],
        &["schedules", "show", "nightly"],
        &["schedules", "ticks", "nightly"],
        &["schedules", "check"],
    ] {
        let ran = sandbox.run(arguments);
        assert!(ran.exit == 1 && ran.stderr.contains("database mail does not answer"), "{ran:?}");
        assert!(!ran.stdout.contains("nothing is overdue\n"), "nobody knows that: {ran:?}");
    }
    // Perhaps the one that does not answer has it.
    let unknown = sandbox.run(&["schedules", "show", "other"]);
    assert!(unknown.exit == 1 && unknown.stderr.contains("database mail"), "{unknown:?}");
    assert!(!unknown.stderr.contains("no schedule"), "{unknown:?}");
}

#[test]
fn what_no_transaction_covers_is_refused_in_one_sentence() {
    let sandbox = two_files();
    let parent = id(&sandbox.run(&["enqueue", "note"])).to_string();
    let child = sandbox.run(&["enqueue", "mail", "--parent", &parent, "--json"]);
    assert_eq!((child.exit, child.code().as_str()), (1, "parent_elsewhere"), "{child:?}");
    sandbox.write("batch.ndjson", "{\"job_type\": \"note\"}\n{\"job_type\": \"mail\"}\n");
    let batch = sandbox.run(&["enqueue", "--batch", "batch.ndjson", "--json"]);
    assert_eq!((batch.exit, batch.code().as_str()), (1, "several_databases"), "{batch:?}");
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn jobs_of_a_queue_that_was_moved_are_named_and_worked() {
    let sandbox = two_files();
    let left = sandbox.run(&["enqueue", "note", "--queue", "mail", "--database", "sqlite:main.db"]);
    assert_eq!(id(&left), 1);
    let doctor = sandbox.json_with_exit(&["doctor"], 3);
    assert!(doctor.to_string().contains("queue_in_other_database"), "{doctor}");
    assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["status"], "completed");
}

#[test]
fn a_file_and_a_server_are_used_together() {
    let (sandbox, database) = (Sandbox::new(), Cluster::shared().database());
    with_mail_at(&sandbox, "sqlite:overridden.db");
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        // A password need not be in the file.
        command.env("LONGSHORE_DATABASE_MAIL", database.url());
        Ran::of(command.output().unwrap())
    };
    assert_eq!(id(&run(&["enqueue", "note"])), 1);
    assert_eq!(id(&run(&["enqueue", "mail"])), SECOND + 1);
    let asks = id(&run(&["enqueue", "asks"])).to_string();
    let drained = run(&["work", "--drain"]);
    assert_eq!(drained.exit, 0, "{drained:?}");
    let status = run(&["status", "--json"]).document();
    assert_eq!(status["jobs"]["completed"], 3, "{status}");
    // A program that a job runs uses the same databases.
    assert_eq!(run(&["jobs", "logs", &asks]).stdout.trim(), database.url());
    assert_eq!(run(&["migrate", "verify"]).exit, 0);
}

#[test]
fn a_configuration_that_names_a_database_wrongly_says_where() {
    let sandbox = Sandbox::new();
    for (lines, expected) in [
        ("[databases.main]\nurl = \"a.db\"\nqueues = [\"a\"]", "is no name for a database"),
        ("[databases.mail]\nurl = \"a.db\"\nqueues = [\"a\"]\nnumber = 512", "at most 511"),
        ("[databases.mail]\nurl = \"a.db\"\nqueues = [\"\"]", "queue"),
        ("[databases.mail]\nqueues = [\"a\"]", "LONGSHORE_DATABASE_MAIL"),
        ("[databases.mail]\nurl = \"mysql://a\"\nqueues = [\"a\"]", "database mail"),
        ("[databases.a]\nurl = \"a.db\"\nqueues = [\"x\"]\n[databases.b]\nurl = \"b.db\"\nqueues = [\"x\"]", "a and b"),
        (
            "[databases.a]\nurl = \"a.db\"\nqueues = [\"x\"]\n[databases.b]\nurl = \"./a.db\"\nqueues = [\"y\"]",
            "the same",
        ),
    ] {
        sandbox.write("longshore.toml", lines);
        let ran = sandbox.run(&["enqueue", "note"]);
        assert!(ran.exit == 2 && ran.stderr.contains(expected), "{lines}: {ran:?}");
    }
}

#[test]
fn two_schemas_of_one_server_are_two_databases() {
    let (sandbox, database) = (Sandbox::new(), Cluster::shared().database());
    let url = database.url();
    let in_schema = |schema: &str| {
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}longshore_schema={schema}")
    };
    let databases = format!(
        "database = \"{}\"\n[databases.mail]\nurl = \"{}\"\nqueues = [\"mail\"]\n",
        in_schema("longshore"),
        in_schema("longshore_mail")
    );
    sandbox.write("longshore.toml", databases + JOBS);
    assert_eq!(id(&sandbox.run(&["enqueue", "note"])), 1);
    assert_eq!(id(&sandbox.run(&["enqueue", "mail"])), SECOND + 1);
    // Plain SQL gets an id of the schema that it names.
    let insert = "INSERT INTO longshore_mail.job_queue (job_type, job_data, queue) VALUES ('mail', '{}', 'mail')";
    database.sql(insert);
    assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
    assert_eq!(sandbox.json(&["jobs", "show", &(SECOND + 2).to_string()])["status"], "completed");
    assert_eq!(sandbox.json(&["status"])["jobs"]["completed"], 3);
}

#[test]
fn a_worker_goes_on_while_one_database_is_away_and_works_its_jobs_afterwards() {
    let (sandbox, cluster) = (Sandbox::new(), Cluster::shared());
    let (database, proxy) = (cluster.database(), PausingProxy::to(cluster.port()));
    with_mail_at(&sandbox, &database.url_through(proxy.port()));
    for job in ["mail", "note"] {
        assert_eq!(sandbox.run(&["enqueue", job]).exit, 0);
    }
    let mut worker = sandbox.command(&["work"]);
    let worker = worker.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let completed = |url: &str| {
        let listed = sandbox.run(&["jobs", "list", "--status", "completed", "--json", "--database", url]);
        listed.document()["jobs"].as_array().map_or(0, Vec::len)
    };
    sandbox.until(|| completed("sqlite:main.db") == 1 && completed(&database.url()) == 1);
    proxy.refuse();
    // An application enqueues beside the worker.
    let note = sandbox.run(&["enqueue", "note", "--database", "sqlite:main.db"]);
    assert_eq!(note.exit, 0, "{note:?}");
    assert_eq!(sandbox.run(&["enqueue", "mail", "--database", &database.url()]).exit, 0);
    sandbox.until(|| completed("sqlite:main.db") == 2);
    assert_eq!(completed(&database.url()), 1);
    proxy.accept();
    sandbox.until(|| completed(&database.url()) == 2);
    let ended = terminate(worker);
    assert!(ended.contains("a database does not answer") && ended.contains("the database answers again"), "{ended}");
}

#[test]
fn a_worker_that_has_never_reached_a_database_works_the_others_and_ends_at_the_first_signal() {
    let sandbox = two_files();
    assert_eq!(sandbox.run(&["enqueue", "note"]).exit, 0);
    let schedules = ["note", "mail"]
        .map(|job| format!("[schedules.each-{job}]\nevery = \"1s\"\njob = \"{job}\"\noverlap = \"allow\"\n"));
    sandbox.write("longshore.toml", databases_with_mail_at(NOBODY) + JOBS + &schedules.concat());
    let mut worker = sandbox.command(&["work"]);
    let worker = worker.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // The job that was enqueued, and one of the schedule.
    sandbox.until(|| {
        let listed = ["jobs", "list", "--status", "completed", "--json", "--database", "sqlite:main.db"];
        sandbox.run(&listed).document()["jobs"].as_array().map_or(0, Vec::len) >= 2
    });
    let ended = terminate(worker);
    assert!(ended.contains("a database does not answer"), "{ended}");
}

/// Sends the first signal to a worker; answers what it has said until its end, which must be a good one.
fn terminate(mut worker: Child) -> String {
    let pid = worker.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut said = String::new();
    worker.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(worker.wait().unwrap().code(), Some(0), "{said}");
    said
}

#[test]
fn a_commit_on_a_server_survives_its_crash_whatever_durability_a_file_would_have() {
    let (sandbox, cluster) = (Sandbox::new(), Cluster::private(&Options::new().with_fsync()));
    let database = cluster.database();
    sandbox.write("longshore.toml", format!("database = \"{}\"\ndurability = \"normal\"\n", database.url()));
    for _ in 0..4 {
        let job = id(&sandbox.run(&["enqueue", "note"])).to_string();
        cluster.restart(StopMode::Immediate);
        assert_eq!(sandbox.json(&["jobs", "show", &job])["status"], "pending", "it was acknowledged");
    }
}
