//! Losses and what reaches past the database, as the command line tells them.

use rusqlite::Connection;
use serde_json::json;

use super::library;
use crate::sandbox::Sandbox;

const REBUILD: &str = "CREATE TABLE songs_2 (id INTEGER PRIMARY KEY, title TEXT NOT NULL DEFAULT 'untitled');
INSERT INTO songs_2 SELECT * FROM songs;
DROP TABLE songs;
ALTER TABLE songs_2 RENAME TO songs;
CREATE INDEX songs_title ON songs (title);
";

fn with_rows(up: &str) -> (Sandbox, Connection) {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);
    let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    connection
        .execute_batch("INSERT INTO songs VALUES (1, 'a'), (2, 'b'); INSERT INTO plays (song_id) VALUES (1), (2), (2);")
        .unwrap();
    sandbox.write("migrations/002_songs.up.sql", up);
    sandbox.write("migrations/002_songs.down.sql", up);
    (sandbox, connection)
}

fn plays(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM plays", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_cascade_that_empties_a_table_ends_with_7_and_the_numbers() {
    let (sandbox, connection) = with_rows(REBUILD);

    let ran = sandbox.run(&["migrate", "up", "--json"]);

    assert_eq!((ran.exit, ran.code().as_str()), (7, "data_loss"));
    let error = &ran.document()["error"];
    assert_eq!(error["message"], "app:2 up would lose data: table plays (3 rows)");
    let loss = json!({"object": "table plays", "table": "plays", "kind": "rows", "before": 3, "after": 0, "lost": 3});
    assert_eq!(error["losses"], json!([loss]));
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("`-- longshore: loses plays`") && hint.contains("migrate up"), "{hint}");
    assert_eq!(plays(&connection), 3);
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 3);
}

#[test]
fn the_queues_own_migrations_have_no_file_that_could_declare_a_loss() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "mail"]);
    let ran = sandbox.run(&["migrate", "down", "--to", "longshore:1", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (7, "data_loss"));
    let hint = ran.document()["error"]["hint"].as_str().unwrap().to_owned();
    assert_eq!(hint, "if the data may be lost, add --allow-data-loss to longshore migrate down");
}

#[test]
fn a_rebuild_header_keeps_the_rows_and_a_declaration_or_a_flag_lets_them_go() {
    let ways: [(&str, &[&str], i64); 3] =
        [("-- longshore: rebuild\n", &[], 3), ("-- longshore: loses plays\n", &[], 0), ("", &["--allow-data-loss"], 0)];
    for (header, flags, left) in ways {
        let (sandbox, connection) = with_rows(&format!("{header}{REBUILD}"));
        sandbox.json(&[&["migrate", "up"][..], flags].concat());
        assert_eq!(plays(&connection), left, "{header}{flags:?}");
        assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
    }
}

#[test]
fn redo_stops_at_a_loss_of_its_down() {
    let (sandbox, connection) = with_rows(&format!("-- longshore: rebuild\n{REBUILD}"));
    sandbox.write("migrations/002_songs.down.sql", REBUILD);
    sandbox.json(&["migrate", "up"]);
    for command in ["down", "redo"] {
        let ran = sandbox.run(&["migrate", command, "--json"]);
        assert_eq!((ran.exit, ran.code().as_str()), (7, "data_loss"), "{command}");
        assert!(ran.document()["error"]["message"].as_str().unwrap().starts_with("app:2 down would lose data"));
    }
    assert_eq!(plays(&connection), 3);
}

#[test]
fn a_repair_that_would_lose_rows_is_undone() {
    let (sandbox, connection) = with_rows(REBUILD);
    sandbox.json(&["migrate", "repair"]);

    let ran = sandbox.run(&["migrate", "repair", "--apply", "--reason", "x", "--json"]);

    assert_eq!((ran.exit, ran.code().as_str()), (7, "data_loss"), "{ran:?}");
    assert_eq!(plays(&connection), 3);
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 3);
}

#[test]
fn a_pragma_that_does_nothing_is_an_error_of_lint_and_of_up() {
    let (sandbox, connection) = with_rows(&format!("PRAGMA foreign_keys = OFF;\n{REBUILD}"));
    for command in ["lint", "up", "repair"] {
        let ran = sandbox.run(&["migrate", command]);
        assert_eq!(ran.exit, 4, "{command}: {ran:?}");
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("PRAGMA foreign_keys does nothing inside a transaction"), "{told}");
        assert!(told.contains("-- longshore: rebuild"), "{told}");
    }
    assert_eq!(plays(&connection), 3);
}

#[test]
fn a_file_that_attaches_the_live_database_empties_it_neither_when_looked_at_nor_when_run() {
    let (sandbox, connection) = with_rows(REBUILD);
    let live = sandbox.path("longshore.db").display().to_string();
    for declared in ["", "-- longshore: other files\n"] {
        let text =
            format!("{declared}ATTACH DATABASE '{live}' AS d;\nDELETE FROM d.plays;\nCREATE TABLE marker (x);\n");
        sandbox.write("migrations/002_songs.up.sql", &text);
        for command in [&["lint"][..], &["status"], &["verify"], &["repair"], &["up", "--dry-run"]] {
            sandbox.run(&[&["migrate"], command].concat());
            assert_eq!(plays(&connection), 3, "{command:?} {declared}");
        }
    }
    let text = format!("ATTACH DATABASE '{live}' AS d;\nDELETE FROM d.plays;\n");
    sandbox.write("migrations/002_songs.up.sql", &text);
    let ran = sandbox.run(&["migrate", "up"]);
    assert_eq!(ran.exit, 4, "{ran:?}");
    assert!(ran.stderr.contains("other files"), "{ran:?}");
    assert_eq!(plays(&connection), 3);
}
