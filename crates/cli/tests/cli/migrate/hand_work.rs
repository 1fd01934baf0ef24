//! What somebody did by hand, left out or lost: each command says it and names what mends it.

use rusqlite::Connection;
use serde_json::json;

use crate::sandbox::{QUEUE_MIGRATIONS, Ran, Sandbox};

fn with(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in files {
        sandbox.write(&format!("migrations/{name}"), text);
    }
    sandbox
}

fn connection(sandbox: &Sandbox) -> Connection {
    Connection::open(sandbox.path("longshore.db")).unwrap()
}

fn hint(ran: &Ran) -> String {
    ran.document()["error"]["hint"].as_str().unwrap_or_default().to_owned()
}

fn message(ran: &Ran) -> String {
    ran.document()["error"]["message"].as_str().unwrap_or_default().to_owned()
}

const SONGS: [(&str, &str); 2] = [
    ("001_songs.up.sql", "CREATE TABLE songs (id INTEGER PRIMARY KEY, title TEXT);\n"),
    ("001_songs.down.sql", "DROP TABLE songs;\n"),
];
const LENGTH: [(&str, &str); 2] = [
    ("002_length.up.sql", "ALTER TABLE songs ADD COLUMN seconds INTEGER;\nUPDATE songs SET seconds = 60;\n"),
    ("002_length.down.sql", "ALTER TABLE songs DROP COLUMN seconds;\n"),
];
const GENRE: [(&str, &str); 2] = [
    ("003_genre.up.sql", "ALTER TABLE songs ADD COLUMN genre TEXT;\n"),
    ("003_genre.down.sql", "ALTER TABLE songs DROP COLUMN genre;\n"),
];

#[test]
fn data_work_of_a_migration_that_is_partly_there_is_asked_for_and_not_claimed() {
    let sandbox = with(&SONGS);
    sandbox.json(&["migrate", "up"]);
    connection(&sandbox)
        .execute_batch("INSERT INTO songs (title) VALUES ('a'); ALTER TABLE songs ADD COLUMN seconds INTEGER")
        .unwrap();
    for (name, text) in LENGTH {
        sandbox.write(&format!("migrations/{name}"), text);
    }

    let ran = sandbox.run(&["migrate", "repair", "--json"]);

    assert_eq!(ran.exit, 7, "{ran:?}");
    assert!(message(&ran).contains("line 2: UPDATE songs SET seconds = 60"), "{ran:?}");
    let both =
        "longshore migrate mark-applied app:2 --reason TEXT if that was done, longshore migrate up --only app:2 if not";
    assert_eq!(hint(&ran), both);
    assert_eq!(sandbox.run(&["migrate", "repair", "--apply", "--reason", "x"]).exit, 7);

    let dry = sandbox.json(&["migrate", "up", "--only", "app:2", "--dry-run"]);
    assert_eq!(dry["migrations"][0]["sql"], json!(["UPDATE songs SET seconds = 60"]));
    sandbox.json(&["migrate", "up", "--only", "app:2"]);
    let seconds = connection(&sandbox).query_row("SELECT seconds FROM songs", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((seconds, sandbox.run(&["migrate", "status", "--check"]).exit), (60, 0));
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
}

#[test]
fn data_work_that_arrives_by_a_merge_behind_a_later_migration_is_asked_for() {
    let sandbox = with(&[&SONGS[..], &GENRE[..]].concat());
    sandbox.json(&["migrate", "up"]);
    connection(&sandbox).execute_batch("INSERT INTO songs (title) VALUES ('a')").unwrap();
    sandbox.write("migrations/002_titles.up.sql", "UPDATE songs SET title = upper(title);\n");
    let title = || {
        let query = "SELECT title FROM songs";
        connection(&sandbox).query_row(query, [], |row| row.get::<_, String>(0)).unwrap()
    };

    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 4);
    let ran = sandbox.run(&["migrate", "repair", "--json"]);

    assert_eq!((ran.exit, title().as_str()), (7, "a"), "{ran:?}");
    assert!(hint(&ran).ends_with("longshore migrate up --only app:2 if not"), "{ran:?}");
    sandbox.json(&["migrate", "up", "--only", "app:2"]);
    assert_eq!((title().as_str(), sandbox.run(&["migrate", "status", "--check"]).exit), ("A", 0));
    assert_eq!(sandbox.json(&["migrate", "up", "--only", "app:2"])["migrations"], json!([]), "once is enough");
}

#[test]
fn data_work_that_somebody_did_is_marked_on_that_persons_word() {
    let sandbox = with(&[&SONGS[..], &GENRE[..]].concat());
    sandbox.json(&["migrate", "up"]);
    sandbox.write("migrations/002_titles.up.sql", "UPDATE songs SET title = upper(title);\n");

    let marked = sandbox.json(&["migrate", "mark-applied", "app:2", "--reason", "run in the console"]);

    assert!(marked["notes"].to_string().contains("because you say so"), "{marked}");
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 0);
}

#[test]
fn a_migration_without_data_work_that_was_made_by_hand_is_still_marked() {
    let sandbox = with(&[&SONGS[..], &GENRE[..]].concat());
    sandbox.json(&["migrate", "up", "--to", "app:1"]);
    sandbox.json(&["migrate", "up", "--to", &format!("longshore:{QUEUE_MIGRATIONS}")]);
    connection(&sandbox).execute_batch("ALTER TABLE songs ADD COLUMN genre TEXT").unwrap();
    let plan = sandbox.json(&["migrate", "repair"]);
    assert_eq!((&plan["steps"][0]["action"], &plan["steps"][0]["id"]), (&json!("mark_applied"), &json!("app:3")));
}

#[test]
fn up_down_and_redo_say_which_column_the_ledger_only_claims() {
    let sandbox = with(&[&SONGS[..], &LENGTH[..]].concat());
    sandbox.json(&["migrate", "up"]);
    connection(&sandbox).execute_batch("ALTER TABLE songs DROP COLUMN seconds").unwrap();
    for (name, text) in GENRE {
        sandbox.write(&format!("migrations/{name}"), text);
    }
    for command in [&["up"][..], &["up", "--dry-run"], &["up", "--only", "app:3"], &["down"], &["redo"]] {
        let ran = sandbox.run(&[&["migrate"], command, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (5, "not_there"), "{command:?}: {ran:?}");
        assert!(message(&ran).ends_with("but column songs.seconds is missing"), "{ran:?}");
        assert!(hint(&ran).starts_with("longshore migrate repair"), "{ran:?}");
    }
    sandbox.json(&["migrate", "repair", "--apply", "--reason", "dropped by hand"]);
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 0);
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
}

#[test]
fn a_ledger_that_claims_the_incidents_columns_is_named_with_the_command_that_mends_it() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up", "--to", "longshore:1"]);
    let mark = ["migrate", "mark-applied", "longshore:2", "--reason", "hope", "--unverified"];
    sandbox.json(&mark);
    let ledger = "UPDATE schema_migrations SET is_verified = 1 WHERE migration_number = 2";
    let ledger_of_its_own = "UPDATE longshore_migrations SET is_verified = 1 WHERE migration_number = 2";
    let connection = connection(&sandbox);
    assert!(connection.execute_batch(ledger).is_ok() | connection.execute_batch(ledger_of_its_own).is_ok());
    for command in [&["migrate", "up"][..], &["migrate", "down"], &["work", "--drain"]] {
        let ran = sandbox.run(&[command, &["--json"]].concat());
        assert_eq!(ran.exit, 5, "{command:?}: {ran:?}");
        assert!(ran.stdout.contains("longshore migrate repair") || command[0] == "work", "{command:?}: {ran:?}");
        assert!(ran.stdout.len() < 900, "no page of SQL: {ran:?}");
    }
    sandbox.json(&["migrate", "repair", "--apply", "--reason", "the columns were never made"]);
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 0);
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
}

#[test]
fn what_a_person_marked_against_the_schema_does_not_stop_the_others() {
    let sandbox = with(&[&SONGS[..], &LENGTH[..]].concat());
    sandbox.json(&["migrate", "up", "--to", "app:1"]);
    sandbox.json(&["migrate", "up", "--to", &format!("longshore:{QUEUE_MIGRATIONS}")]);
    sandbox.json(&["migrate", "mark-applied", "app:2", "--reason", "not wanted here", "--unverified"]);
    for (name, text) in GENRE {
        sandbox.write(&format!("migrations/{name}"), text);
    }
    assert_eq!(sandbox.json(&["migrate", "up"])["migrations"][0]["id"], "app:3");
}

#[test]
fn an_error_in_a_long_statement_names_its_line_and_shows_that_line_alone() {
    let columns: String = (1..60).map(|number| format!("    column_{number} TEXT,\n")).collect();
    let text = format!("-- why\nCREATE TABLE wide (\n{columns}    last TEXT NOT NUL\n);\n");
    let sandbox = with(&[("001_wide.up.sql", &text)]);
    for command in ["up", "lint"] {
        let ran = sandbox.run(&["migrate", command, "--json"]);
        assert_eq!(ran.exit, 4, "{ran:?}");
        let told = ran.stdout.replace('\n', "");
        assert!(told.contains("line 62: `last TEXT NOT NUL`"), "{told}");
        assert!(!told.contains("column_7"), "{told}");
    }
}

#[test]
fn what_a_rebuild_would_do_is_named_where_it_is_lacking() {
    let library = "CREATE TABLE songs (id INTEGER PRIMARY KEY, title TEXT);\n\
         CREATE TABLE plays (song_id INTEGER NOT NULL REFERENCES songs (id));\n";
    let replace = "CREATE TABLE made (id INTEGER PRIMARY KEY, title TEXT NOT NULL);\nINSERT INTO made SELECT * FROM songs;\n\
         DROP TABLE songs;\nALTER TABLE made RENAME TO songs;\n";
    for more in [
        "INSERT INTO songs VALUES (1, 'a'); INSERT INTO plays VALUES (1)",
        "CREATE VIEW titles AS SELECT title FROM songs",
    ] {
        let sandbox = with(&[("001_library.up.sql", library)]);
        sandbox.json(&["migrate", "up"]);
        connection(&sandbox).execute_batch(more).unwrap();
        sandbox.write("migrations/002_replace.up.sql", replace);

        let ran = sandbox.run(&["migrate", "up", "--json"]);

        assert_ne!(ran.exit, 0, "{ran:?}");
        assert!(hint(&ran).contains("`-- longshore: rebuild`"), "{ran:?}");
        sandbox.write("migrations/002_replace.up.sql", format!("-- longshore: rebuild\n{replace}"));
        assert_eq!(sandbox.run(&["migrate", "up"]).exit, 0);
    }
}

#[test]
fn the_status_of_an_interrupted_file_names_up() {
    let text = "-- longshore: no transaction\nCREATE TABLE b (id INTEGER NOT NULL);\nINSERT INTO b SELECT id FROM a;\n";
    let sandbox = with(&[("001_a.up.sql", "CREATE TABLE a (id INTEGER);\n"), ("002_b.up.sql", text)]);
    sandbox.json(&["migrate", "up", "--to", "app:1"]);
    sandbox.json(&["migrate", "up", "--to", &format!("longshore:{QUEUE_MIGRATIONS}")]);
    connection(&sandbox).execute_batch("INSERT INTO a VALUES (NULL)").unwrap();
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 1);

    let status = sandbox.run(&["migrate", "status"]);

    assert!(status.stdout.contains("app:2: interrupted after 1 of its statements"), "{status:?}");
    assert!(status.stdout.ends_with("next: longshore migrate up\n"), "{status:?}");
    connection(&sandbox).execute_batch("UPDATE a SET id = 1").unwrap();
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 0);
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
}

#[test]
fn what_a_file_without_a_transaction_has_done_stays_and_its_rest_can_be_added() {
    let down = "-- longshore: no transaction\nDROP TABLE b;\n";
    let sandbox = with(&[
        ("001_pair.up.sql", "CREATE TABLE a (id INTEGER);\nCREATE TABLE b (id INTEGER);\n"),
        ("001_pair.down.sql", down),
    ]);
    sandbox.json(&["migrate", "up"]);

    let ran = sandbox.run(&["migrate", "down", "--json"]);

    assert_eq!((ran.exit, hint(&ran).contains("its changes stay")), (5, true), "{ran:?}");
    sandbox.write("migrations/001_pair.down.sql", format!("{down}DROP TABLE a;\n"));
    assert_eq!(sandbox.run(&["migrate", "down"]).exit, 0);
}

#[test]
fn lint_runs_each_down_and_runs_each_up_with_foreign_keys_as_they_act() {
    let lint = |files: &[(&str, &str)]| {
        let ran = with(files).run(&["migrate", "lint", "--json"]);
        (ran.exit, ran.stdout)
    };
    let parent = "CREATE TABLE a (id INTEGER PRIMARY KEY);\n";
    let (exit, told) = lint(&[("001_a.up.sql", parent), ("001_a.down.sql", "DROP TABLE b;\n")]);
    assert!(exit == 4 && told.contains("its down does not run on an empty database: line 1"), "{told}");
    let (exit, told) = lint(&[("001_a.up.sql", parent), ("001_a.down.sql", "SELECT 1;\n")]);
    assert!(exit == 4 && told.contains("after its down its up does not run again"), "{told}");
    let broken = ("002_b.up.sql", "CREATE TABLE a (id);\n");
    let (exit, told) = lint(&[("001_a.up.sql", parent), ("001_a.down.sql", "SELECT 1;\n"), broken]);
    assert!(exit == 4 && told.contains("table a already exists") && told.contains("app:2"), "{told}");
    let over = [
        ("001_a.up.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\nCREATE VIEW v AS SELECT a.id FROM a;\n"),
        ("002_b.up.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY);\nDROP TABLE a;\nALTER TABLE b RENAME TO a;\n"),
    ];
    let (exit, told) = lint(&over);
    assert!(exit == 4 && told.contains("`-- longshore: rebuild`"), "{told}");
    let child = "CREATE TABLE b (a INTEGER REFERENCES a (id));\nINSERT INTO b VALUES (1);\n";
    let (exit, told) = lint(&[("001_a.up.sql", parent), ("002_b.up.sql", child)]);
    assert!(exit == 4 && told.contains("FOREIGN KEY constraint failed"), "{told}");
    let deferred = "CREATE TABLE b (a INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO b VALUES (1);\nINSERT INTO a VALUES (1);\n";
    let (exit, told) = lint(&[("001_a.up.sql", parent), ("002_b.up.sql", deferred)]);
    assert_eq!(exit, 0, "{told}");
    let greedy = "DROP TABLE b;\nDROP TABLE a;\n";
    let files = [
        ("001_a.up.sql", parent),
        ("001_a.down.sql", "DROP TABLE a;\n"),
        ("002_b.up.sql", "CREATE TABLE b (id INTEGER);\n"),
        ("002_b.down.sql", greedy),
    ];
    let (exit, told) = lint(&files);
    assert!(exit == 4 && told.contains("a down undoes more than its up makes"), "{told}");
}

#[test]
fn a_new_pair_does_not_stop_the_others_and_is_not_forgotten() {
    let sandbox = with(&SONGS);
    sandbox.json(&["migrate", "new", "later"]);
    let status = sandbox.json(&["migrate", "status"]);
    assert_eq!(status["skipped"][1]["name"], "002_later.up.sql", "{status}");
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 0);
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 0);
    let lint = sandbox.run(&["migrate", "lint"]);
    assert!(lint.exit == 4 && lint.stdout.contains("002_later.up.sql: it has no statement yet"), "{lint:?}");

    // A file that lost its text is no new one.
    sandbox.write("migrations/002_later.up.sql", "");
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 4);
    sandbox.write("migrations/002_later.up.sql", "CREATE TABLE later (id INTEGER);\n");
    assert_eq!(sandbox.json(&["migrate", "up"])["migrations"][0]["id"], "app:2");
}

#[cfg(unix)]
#[test]
fn what_stands_beside_migrations_is_named_and_never_opened() {
    let sandbox = with(&SONGS);
    for name in ["embed.go", "mod.rs", "index.ts", "atlas.sum", "meta/_journal.json", "README.md", "001_songs.up.sql~"]
    {
        sandbox.write(&format!("migrations/{name}"), "nothing");
    }
    std::os::unix::fs::symlink("ann@dock.1234", sandbox.path("migrations/.#001_songs.up.sql")).unwrap();
    let pipe = |name: &str| {
        let made = std::process::Command::new("mkfifo").arg(sandbox.path(&format!("migrations/{name}"))).status();
        assert!(made.unwrap().success());
    };
    pipe("pipe");

    for command in [&["migrate", "lint"][..], &["migrate", "status"], &["migrate", "up"]] {
        assert_eq!(sandbox.run(command).exit, 0, "{command:?}");
    }
    let status = sandbox.json(&["migrate", "status"]);
    let names: Vec<&str> =
        status["skipped"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            ".#001_songs.up.sql",
            "001_songs.up.sql~",
            "README.md",
            "atlas.sum",
            "embed.go",
            "index.ts",
            "meta",
            "mod.rs",
            "pipe"
        ]
    );
    assert!(sandbox.run(&["migrate", "lint"]).stdout.contains("skipped: .#001_songs.up.sql (a hidden file)"));

    // Under the name of a migration each is an error: one that is not run must not look like one that was.
    pipe("002_pipe.up.sql");
    let ran = sandbox.run(&["migrate", "up", "--json"]);
    assert!(ran.exit == 4 && message(&ran).contains("so it was not opened"), "{ran:?}");
    std::fs::remove_file(sandbox.path("migrations/002_pipe.up.sql")).unwrap();
    std::os::unix::fs::symlink("nowhere", sandbox.path("migrations/002_link.up.sql")).unwrap();
    let ran = sandbox.run(&["migrate", "up", "--json"]);
    assert!(ran.exit == 4 && message(&ran).contains("a link to a file that is not there"), "{ran:?}");
}
