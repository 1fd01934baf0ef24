use rusqlite::Connection;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// A directory of another tool and what becomes of it.
struct Layout {
    /// What `--from` would be; it is found out without it.
    format: &'static str,
    files: &'static [(&'static str, &'static str)],
    /// The up files, in order.
    ups: &'static [&'static str],
    /// The tables that are there when all of them ran.
    tables: &'static [&'static str],
    /// Whether each of them can be rolled back.
    reversible: bool,
}

const LAYOUTS: [Layout; 18] = [
    Layout {
        format: "goose",
        files: &[
            (
                "00001_users.sql",
                "-- +goose Up\nCREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);\n-- +goose StatementBegin\n\
                 CREATE TRIGGER named AFTER INSERT ON users BEGIN\n  UPDATE users SET name = 'x' WHERE id = new.id;\nEND\n\
                 -- +goose StatementEnd\n\n-- +goose Down\nDROP TABLE users;\n",
            ),
            (
                "00002_vacuum.sql",
                "-- +goose NO TRANSACTION\n-- +goose Up\nVACUUM;\nCREATE TABLE posts (id INTEGER);\n-- +goose Down\nDROP TABLE posts;\n",
            ),
            ("embed.go", "package migrations\n"),
        ],
        ups: &["00001_users.up.sql", "00002_vacuum.up.sql"],
        tables: &["users", "posts"],
        reversible: true,
    },
    Layout {
        format: "dbmate",
        files: &[
            (
                "20240101120000_users.sql",
                "-- migrate:up\nCREATE TABLE users (id INTEGER);\n\n-- migrate:down\nDROP TABLE users;\n",
            ),
            (
                "20240102120000_posts.sql",
                "-- migrate:up transaction:false\nCREATE TABLE posts (id INTEGER);\n-- migrate:down transaction:false\nDROP TABLE posts;\n",
            ),
        ],
        ups: &["20240101120000_users.up.sql", "20240102120000_posts.up.sql"],
        tables: &["users", "posts"],
        reversible: true,
    },
    Layout {
        format: "sql-migrate",
        files: &[
            ("9_users.sql", "-- +migrate Up\nCREATE TABLE users (id INTEGER);\n-- +migrate Down\nDROP TABLE users;\n"),
            (
                "11_tags.sql",
                "-- +migrate Up\nCREATE TABLE tags (post INTEGER REFERENCES posts (id));\n-- +migrate Down\nDROP TABLE tags;\n",
            ),
            (
                "10_posts.sql",
                "-- +migrate Up notransaction\nCREATE TABLE posts (id INTEGER PRIMARY KEY);\n-- +migrate Down\nDROP TABLE posts;\n",
            ),
        ],
        ups: &["9_users.up.sql", "10_posts.up.sql", "11_tags.up.sql"],
        tables: &["users", "posts", "tags"],
        reversible: true,
    },
    Layout {
        format: "sections",
        files: &[
            ("001-users.sql", "-- Up\nCREATE TABLE users (id INTEGER);\n\n-- Down\nDROP TABLE users;\n"),
            ("002-posts.sql", "-- Up\nCREATE TABLE posts (id INTEGER);\n\n-- Down\nDROP TABLE posts;\n"),
        ],
        ups: &["001_users.up.sql", "002_posts.up.sql"],
        tables: &["users", "posts"],
        reversible: true,
    },
    Layout {
        format: "sections",
        files: &[
            (
                "001_users.sql",
                "CREATE TABLE users (id INTEGER);\n---- create above / drop below ----\nDROP TABLE users;\n",
            ),
            ("002_posts.sql", "CREATE TABLE posts (id INTEGER);\n-- //@UNDO\nDROP TABLE posts;\n"),
        ],
        ups: &["001_users.up.sql", "002_posts.up.sql"],
        tables: &["users", "posts"],
        reversible: true,
    },
    Layout {
        format: "golang-migrate",
        files: &[
            ("V0001.users.up.sql", "CREATE TABLE users (id INTEGER);"),
            ("V0001.users.down.sql", "DROP TABLE users;"),
            ("2.up.sql", "CREATE TABLE posts (id INTEGER);"),
            ("2.down.sql", "DROP TABLE posts;"),
            ("003_add tags.up.sql", "CREATE TABLE tags (id INTEGER);"),
            ("003_add tags.down.sql", "DROP TABLE tags;"),
        ],
        ups: &["0001_users.up.sql", "2_migration.up.sql", "003_add_tags.up.sql"],
        tables: &["users", "posts", "tags"],
        reversible: true,
    },
    Layout {
        format: "sqlx",
        files: &[
            ("8_users.sql", "CREATE TABLE users (id INTEGER);"),
            ("9_vacuum.sql", "-- no-transaction\nVACUUM;\nCREATE TABLE posts (id INTEGER);"),
            ("10_tags.sql", "CREATE TABLE tags (id INTEGER);"),
        ],
        ups: &["8_users.up.sql", "9_vacuum.up.sql", "10_tags.up.sql"],
        tables: &["users", "posts", "tags"],
        reversible: false,
    },
    Layout {
        format: "flyway",
        files: &[
            ("V1.1__users.sql", "CREATE TABLE users (id INTEGER);"),
            ("U1.1__users.sql", "DROP TABLE users;"),
            ("V1.2__posts.sql", "CREATE TABLE posts (id INTEGER);"),
            ("U1.2__posts.sql", "DROP TABLE posts;"),
            ("V1_10__tags.sql", "VACUUM;\nCREATE TABLE tags (id INTEGER);"),
            ("V1_10__tags.sql.conf", "executeInTransaction = false\n"),
            ("U1_10__tags.sql", "DROP TABLE tags;"),
        ],
        ups: &["001_users.up.sql", "002_posts.up.sql", "003_tags.up.sql"],
        tables: &["users", "posts", "tags"],
        reversible: true,
    },
    Layout {
        format: "flyway",
        files: &[
            ("V1__users.sql", "CREATE TABLE users (id INTEGER);"),
            ("V2__posts.sql", "CREATE TABLE posts (id INTEGER);"),
            ("mod.rs", "refinery::embed_migrations!();\n"),
        ],
        ups: &["1_users.up.sql", "2_posts.up.sql"],
        tables: &["users", "posts"],
        reversible: false,
    },
    Layout {
        format: "diesel",
        files: &[
            ("00000000000000_initial/up.sql", "-- nothing to do\n"),
            ("00000000000000_initial/down.sql", "-- nothing to do\n"),
            ("2025-06-28-113515_users/up.sql", "CREATE TABLE users (id INTEGER);"),
            ("2025-06-28-113515_users/down.sql", "DROP TABLE users;"),
            ("2025-07-01-000000_posts/up.sql", "VACUUM;\nCREATE TABLE posts (id INTEGER);"),
            ("2025-07-01-000000_posts/down.sql", "DROP TABLE posts;"),
            ("2025-07-01-000000_posts/metadata.toml", "# by hand\nrun_in_transaction = false\n"),
        ],
        ups: &["20250628113515_users.up.sql", "20250701000000_posts.up.sql"],
        tables: &["users", "posts"],
        reversible: true,
    },
    Layout {
        format: "yoyo",
        files: &[
            ("0001.users.sql", "-- depends: 0002.posts\nCREATE TABLE users (post INTEGER REFERENCES posts (id));"),
            ("0001.users.rollback.sql", "DROP TABLE users;"),
            ("0002.posts.sql", "-- transactional: false\nVACUUM;\nCREATE TABLE posts (id INTEGER PRIMARY KEY);"),
            ("0002.posts.rollback.sql", "DROP TABLE posts;"),
        ],
        ups: &["001_posts.up.sql", "002_users.up.sql"],
        tables: &["users", "posts"],
        reversible: true,
    },
    Layout {
        format: "drizzle",
        files: &[
            (
                "0000_odd_hulk.sql",
                "CREATE TABLE users (\n\tid integer PRIMARY KEY\n)\n--> statement-breakpoint\nCREATE TABLE posts (id integer);\n",
            ),
            (
                "0001_calm_ant.sql",
                "ALTER TABLE users ADD name text;--> statement-breakpoint\nCREATE TABLE tags (id integer);",
            ),
            (
                "meta/_journal.json",
                r#"{"version":"7","dialect":"sqlite","entries":[{"idx":0,"version":"6","when":1,"tag":"0000_odd_hulk","breakpoints":true},{"idx":1,"version":"6","when":2,"tag":"0001_calm_ant","breakpoints":true}]}"#,
            ),
            ("meta/0000_snapshot.json", "{}"),
        ],
        ups: &["0000_odd_hulk.up.sql", "0001_calm_ant.up.sql"],
        tables: &["users", "posts", "tags"],
        reversible: false,
    },
    Layout {
        format: "prisma",
        files: &[
            (
                "20240101000000_init/migration.sql",
                "-- CreateTable\nCREATE TABLE \"users\" (\"id\" INTEGER NOT NULL PRIMARY KEY);\n",
            ),
            (
                "20240102000000_more/migration.sql",
                "PRAGMA defer_foreign_keys=ON;\nPRAGMA foreign_keys=OFF;\nCREATE TABLE \"new_users\" (\"id\" INTEGER NOT NULL PRIMARY KEY, \"name\" TEXT);\n\
                 INSERT INTO \"new_users\" (\"id\") SELECT \"id\" FROM \"users\";\nDROP TABLE \"users\";\n\
                 ALTER TABLE \"new_users\" RENAME TO \"users\";\nPRAGMA foreign_keys=ON;\nPRAGMA defer_foreign_keys=OFF;\n",
            ),
            ("migration_lock.toml", "provider = \"sqlite\"\n"),
        ],
        ups: &["20240101000000_init.up.sql", "20240102000000_more.up.sql"],
        tables: &["users"],
        reversible: false,
    },
    Layout {
        format: "wrangler",
        files: &[
            (
                "0001_users.sql",
                "-- Migration number: 0001 \t 2024-01-01T00:00:00.000Z\nCREATE TABLE users (id INTEGER);",
            ),
            ("0002_posts.sql", "CREATE TABLE posts (id INTEGER);"),
            ("0002_tags.sql", "CREATE TABLE tags (id INTEGER);"),
        ],
        ups: &["001_users.up.sql", "002_posts.up.sql", "003_tags.up.sql"],
        tables: &["users", "posts", "tags"],
        reversible: false,
    },
    Layout {
        format: "sections",
        files: &[(
            "1_users.sql",
            "-- Up Migration\nCREATE TABLE users (id INTEGER);\n-- Down Migration\nDROP TABLE users;\n",
        )],
        ups: &["1_users.up.sql"],
        tables: &["users"],
        reversible: true,
    },
    Layout {
        format: "flyway",
        files: &[
            ("V1__users.sql", "CREATE TABLE users (id INTEGER);"),
            ("R__tags.sql", "DROP TABLE IF EXISTS tags; CREATE TABLE tags (id INTEGER);"),
            ("R__names.sql", "DROP VIEW IF EXISTS names; CREATE VIEW names AS SELECT id FROM posts;"),
            ("V3__posts.sql", "CREATE TABLE posts (id INTEGER);"),
        ],
        ups: &["1_users.up.sql", "3_posts.up.sql", "4_names.up.sql", "5_tags.up.sql"],
        tables: &["users", "posts", "tags"],
        reversible: false,
    },
    Layout {
        format: "goose",
        files: &[
            ("00001_users.sql", "-- +goose Up\nCREATE TABLE users (id INTEGER);\n-- +goose Down\nDROP TABLE users;\n"),
            (
                "00007_posts.sql",
                "-- +goose NO TRANSACTION\n-- +goose Up\nVACUUM;\nCREATE TABLE posts (id INTEGER);\n-- +goose Down\nDROP TABLE posts;\n",
            ),
        ],
        ups: &["00001_users.up.sql", "00007_posts.up.sql"],
        tables: &["users", "posts"],
        reversible: true,
    },
    Layout {
        format: "sqlx",
        files: &[
            ("2_users.sql", "CREATE TABLE users (id INTEGER);"),
            ("5_posts.sql", "-- no-transaction\nVACUUM;\nCREATE TABLE posts (id INTEGER);"),
        ],
        ups: &["2_users.up.sql", "5_posts.up.sql"],
        tables: &["users", "posts"],
        reversible: false,
    },
];

fn directory(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in files {
        sandbox.write(&format!("db/{name}"), text);
    }
    sandbox
}

fn tables(sandbox: &Sandbox) -> Vec<String> {
    let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    let query =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('users', 'posts', 'tags') ORDER BY name";
    let mut prepared = connection.prepare(query).unwrap();
    prepared.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn names(migrations: &Value, key: &str) -> Vec<String> {
    let migrations = migrations.as_array().unwrap();
    migrations.iter().filter_map(|it| Some(it[key].as_str()?.to_owned())).collect()
}

#[test]
fn a_directory_of_each_tool_is_imported_and_runs_up_and_down() {
    for Layout { format, files, ups, tables: wanted, reversible } in LAYOUTS {
        let sandbox = directory(files);

        let report = sandbox.json(&["migrate", "import", "--dir", "db"]);

        assert_eq!((&report["format"], &report["directory"]), (&json!(format), &json!("db-longshore")), "{report}");
        assert_eq!(names(&report["migrations"], "up"), ups, "{format}");
        let on =
            |arguments: &[&str]| sandbox.run(&[&["migrate"], arguments, &["--dir", "db-longshore", "--json"]].concat());
        let lint = on(&["lint"]);
        assert_eq!(lint.exit, 0, "{format}: {lint:?}");
        assert_eq!(
            sandbox.files().iter().filter(|name| name.ends_with(".db")).count(),
            0,
            "nothing is marked anywhere"
        );
        let up = on(&["up"]);
        assert_eq!(up.exit, 0, "{format}: {up:?}");
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        assert_eq!(tables(&sandbox), wanted, "{format}");
        assert_eq!(on(&["verify"]).exit, 0, "{format}");
        let down = on(&["down", "--steps", &ups.len().to_string()]);
        assert_eq!(down.exit, if reversible { 0 } else { 7 }, "{format}: {down:?}");
        assert_eq!(tables(&sandbox).is_empty(), reversible, "{format}");
        assert_eq!(on(&["verify"]).exit, 0, "{format}");
    }
}

#[test]
fn transaction_flags_are_kept_in_both_directions() {
    for (format, file, is_down_bare) in [
        ("goose", "00002_vacuum", true),
        ("dbmate", "20240102120000_posts", true),
        ("sql-migrate", "10_posts", false),
        ("diesel", "20250701000000_posts", true),
        ("yoyo", "001_posts", true),
    ] {
        let layout = LAYOUTS.iter().find(|layout| layout.format == format).unwrap();
        let sandbox = directory(layout.files);
        sandbox.json(&["migrate", "import", "--dir", "db"]);
        let is_bare = |half: &str| {
            let text = std::fs::read_to_string(sandbox.path(&format!("db-longshore/{file}.{half}.sql"))).unwrap();
            text.starts_with("-- longshore: no transaction\n")
        };
        assert_eq!((is_bare("up"), is_bare("down")), (true, is_down_bare), "{format}");
    }
}

#[test]
fn a_table_that_prisma_or_drizzle_replaces_keeps_its_children() {
    let first = "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY);\n\
         CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id) ON DELETE CASCADE);\n";
    let second = "PRAGMA foreign_keys=OFF;--> statement-breakpoint\nCREATE TABLE `__new_users` (id INTEGER NOT NULL PRIMARY KEY, name TEXT);--> statement-breakpoint\n\
         INSERT INTO `__new_users` (id) SELECT id FROM `users`;--> statement-breakpoint\nDROP TABLE `users`;--> statement-breakpoint\n\
         ALTER TABLE `__new_users` RENAME TO `users`;--> statement-breakpoint\nPRAGMA foreign_keys=ON;";
    let sandbox = directory(&[("0000_a.sql", first), ("0001_b.sql", second)]);
    let report = sandbox.json(&["migrate", "import", "--dir", "db", "--to", "own"]);
    assert!(report["notes"].to_string().contains("`-- longshore: rebuild`"), "{report}");
    sandbox.json(&["migrate", "up", "--dir", "own", "--to", "app:0"]);
    let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    connection.execute_batch("INSERT INTO users VALUES (1); INSERT INTO posts VALUES (1, 1), (2, 1)").unwrap();

    sandbox.json(&["migrate", "up", "--dir", "own"]);

    assert_eq!(connection.query_row("SELECT count(*) FROM posts", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
}

#[test]
fn a_dry_run_shows_the_same_and_writes_nothing() {
    let sandbox = directory(LAYOUTS[0].files);
    let shown = sandbox.json(&["migrate", "import", "--dir", "db", "--dry-run"]);
    assert_eq!((sandbox.files(), &shown["dry_run"]), (vec!["db".to_owned()], &json!(true)));
    let written = sandbox.json(&["migrate", "import", "--dir", "db"]);
    assert_eq!(shown["migrations"], written["migrations"]);
    assert_eq!(sandbox.files(), ["db", "db-longshore"], "nothing unfinished is left");
}

#[test]
fn nothing_is_ever_overwritten() {
    for dry_run in [false, true] {
        let sandbox = directory(LAYOUTS[0].files);
        sandbox.write("db-longshore/mine.txt", "mine");
        let mut arguments = vec!["migrate", "import", "--dir", "db", "--json"];
        arguments.extend(dry_run.then_some("--dry-run"));
        let ran = sandbox.run(&arguments);
        assert_eq!((ran.exit, ran.code().as_str()), (7, "target_exists"));
        let kept = std::fs::read_dir(sandbox.path("db-longshore")).unwrap().count();
        assert_eq!((kept, sandbox.files()), (1, vec!["db".to_owned(), "db-longshore".to_owned()]));
        let inside = sandbox.run(&["migrate", "import", "--dir", "db", "--to", "db/own", "--json"]);
        assert_eq!((inside.exit, inside.code().as_str()), (7, "target_exists"));
    }
}

#[test]
fn what_cannot_be_imported_is_refused_before_anything_is_written() {
    let goose = "-- +goose Up\nCREATE TABLE a (b);\n-- +goose Down\nDROP TABLE a;\n";
    let cases: [(&[(&str, &str)], &str); 13] = [
        (&[("1_a.sql", goose), ("01_b.sql", goose)], "it has the same number as"),
        (&[("V1__a.sql", "SELECT 1;"), ("V1.0__b.sql", "SELECT 1;")], "has the same version"),
        (&[("V1__a.sql", "CREATE TABLE ${name} (b);")], "puts a value in place of"),
        (&[("1_a.sql", goose), ("2_b.go", "package m")], "not a migration of goose"),
        (&[("1_a.sql", goose), ("2_b.sql", "CREATE TABLE c (d);")], "there is a statement before the up section"),
        (&[("1_a.sql", "-- +goose Up\n-- +goose ENVSUB ON\nSELECT '$A';")], "environment variables"),
        (
            &[("1_a.sql", "-- +goose Up\nCREATE TABLE a (b);\nBEGIN;\nSELECT 1;\nCOMMIT;\n")],
            "begins or ends a transaction",
        ),
        (
            &[("1_a.sql", "-- depends: 9_z\nSELECT 1;"), ("2_b.rollback.sql", "SELECT 1;")],
            "no migration of the same name",
        ),
        (
            &[
                ("1_a.rollback.sql", "SELECT 1;"),
                ("1_a.sql", "-- depends: 2_b\nSELECT 1;"),
                ("2_b.sql", "-- depends: 1_a\nSELECT 1;"),
            ],
            "depends on",
        ),
        (
            &[("1_a/migration.sql", "SELECT 1;"), ("migration_lock.toml", "provider = \"postgresql\"\n")],
            "for postgresql",
        ),
        (
            &[
                ("0000_a.sql", "SELECT 1;"),
                ("meta/_journal.json", r#"{"entries":[{"tag":"0000_a"},{"tag":"0001_b"}]}"#),
            ],
            "lists 0001_b",
        ),
        (&[("1_a.rb", "class A < ActiveRecord::Migration[7.0]\nend\n")], "a Rails migration"),
        (&[("1_a.ts", "export async function up(knex) {}\n")], "JavaScript or TypeScript"),
    ];
    for (files, words) in cases {
        let sandbox = directory(files);
        let ran = sandbox.run(&["migrate", "import", "--dir", "db", "--json"]);
        let error = &ran.document()["error"];
        assert_eq!((ran.exit, error["code"].as_str().unwrap()), (4, "not_importable"), "{files:?}: {error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
        assert_eq!(sandbox.files(), ["db"]);
    }
}

#[test]
fn where_two_tools_read_a_directory_differently_both_are_named() {
    let sandbox = directory(&[("V1__a.sql", "CREATE TABLE a (b);"), ("U2__b.sql", "CREATE TABLE c (d);")]);
    let ran = sandbox.run(&["migrate", "import", "--dir", "db", "--json"]);
    let error = &ran.document()["error"];
    assert_eq!((ran.exit, &error["code"]), (7, &json!("ambiguous_format")));
    assert_eq!(error["hint"], "add --from flyway or --from refinery");
    let refinery = sandbox.json(&["migrate", "import", "--dir", "db", "--from", "refinery"]);
    assert_eq!(names(&refinery["migrations"], "up"), ["1_a.up.sql", "2_b.up.sql"]);

    let mixed = directory(&[
        ("1_a.sql", "-- +goose Up\nSELECT 1;"),
        ("2_b.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down\n"),
    ]);
    let error = mixed.run(&["migrate", "import", "--dir", "db", "--json"]).document();
    assert_eq!(error["error"]["hint"], "add --from goose or --from dbmate");
    let unknown = mixed.run(&["migrate", "import", "--from", "rails"]);
    assert_eq!(unknown.exit, 2);
}

#[test]
fn a_directory_that_is_read_as_it_is_needs_no_import() {
    let sandbox = directory(&[("1_a.up.sql", "CREATE TABLE a (b);"), ("1_a.down.sql", "DROP TABLE a;")]);
    let ran = sandbox.run(&["migrate", "import", "--dir", "db", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (2, "own_format"));
    assert_eq!(sandbox.run(&["migrate", "import", "--json"]).exit, 2, "there is no directory of that name");
}

#[test]
fn a_hint_is_one_command_that_overwrites_nothing() {
    let hint = |files: &[(&str, &str)]| {
        let sandbox = directory(files);
        let ran = sandbox.run(&["migrate", "up", "--dir", "db", "--json"]);
        assert_eq!(ran.exit, 4, "{ran:?}");
        ran.document()["error"]["hint"].as_str().unwrap().to_owned()
    };
    let pair =
        |name: &'static str| [(format!("{name}.up.sql"), "SELECT 1;"), (format!("{name}.down.sql"), "SELECT 1;")];
    let odd = pair("V0001.X");
    let odd: Vec<(&str, &str)> = odd.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    assert_eq!(hint(&odd), "longshore migrate import --from golang-migrate --dir db");
    assert_eq!(
        hint(&[("V1.1__a.sql", "SELECT 1;"), ("V1.2__b.sql", "SELECT 1;")]),
        "longshore migrate import --from flyway --dir db"
    );
    assert_eq!(hint(&[("1_a.rollback.sql", "SELECT 1;")]), "longshore migrate import --from yoyo --dir db");
    assert_eq!(hint(&[("2025-06-28-113515_a/up.sql", "SELECT 1;")]), "longshore migrate import --from diesel --dir db");
    assert_eq!(
        hint(&[("003_add users.down.sql", "SELECT 1;"), ("003_add_users.up.sql", "SELECT 1;")]),
        "mv -n 'db/003_add users.down.sql' db/003_add_users.down.sql"
    );

    // What is typed leads on: each half gets a name of its own.
    let sandbox = directory(&[("1.up.sql", "CREATE TABLE a (b);"), ("1.down.sql", "DROP TABLE a;")]);
    for _ in 0..2 {
        let ran = sandbox.run(&["migrate", "up", "--dir", "db", "--json"]).document();
        let hint = ran["error"]["hint"].as_str().unwrap().to_owned();
        let mut words = std::process::Command::new("sh");
        assert!(words.args(["-c", &hint]).current_dir(sandbox.path("")).status().unwrap().success(), "{hint}");
    }
    assert_eq!(sandbox.run(&["migrate", "up", "--dir", "db"]).exit, 0);
    let mut left: Vec<String> = std::fs::read_dir(sandbox.path("db"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["1_migration.down.sql", "1_migration.up.sql"]);
}

#[test]
fn both_halves_of_a_file_are_never_run_as_one() {
    for text in [
        "-- Up\nCREATE TABLE a (b);\n-- Down\nDROP TABLE a;\n",
        "-- +migrate Up\nCREATE TABLE a (b);\n-- +migrate Down\nDROP TABLE a;\n",
        "-- +goose Up\nCREATE TABLE a (b);\n-- +goose Down\nDROP TABLE a;\n",
        "-- migrate:up\nCREATE TABLE a (b);\n-- migrate:down\nDROP TABLE a;\n",
        "CREATE TABLE a (b);\n---- create above / drop below ----\nDROP TABLE a;\n",
        "-- rambler up\nCREATE TABLE a (b);\n-- rambler down\nDROP TABLE a;\n",
    ] {
        for (name, commands) in [("1_a.up.sql", &["lint", "up", "status", "verify"][..]), ("1_a.sql", &["up"])] {
            let sandbox = directory(&[(name, text)]);
            for command in commands.iter().copied() {
                let mut arguments = vec!["migrate", command, "--dir", "db", "--json"];
                arguments.extend((command == "status").then_some("--check"));
                if command == "verify" {
                    sandbox.json(&["migrate", "up"]);
                }
                let ran = sandbox.run(&arguments);
                assert_eq!(ran.exit, 4, "{command} {name} {text}: {ran:?}");
                assert!(ran.stdout.contains("longshore migrate import --from "), "{command}: {ran:?}");
            }
        }
    }
}

#[test]
fn a_heading_alone_is_no_other_half() {
    let sandbox = directory(&[
        ("1_a.up.sql", "-- Up\nCREATE TABLE a (b);\n"),
        ("1_a.down.sql", "-- Down\nDROP TABLE a;\n-- rollback ends here\n"),
    ]);
    assert_eq!(sandbox.run(&["migrate", "lint", "--dir", "db"]).exit, 0);
    sandbox.json(&["migrate", "up", "--dir", "db"]);
    assert_eq!(sandbox.run(&["migrate", "down", "--dir", "db"]).exit, 0);
}

#[test]
fn a_gap_that_was_imported_is_kept_and_a_file_that_goes_missing_later_is_noticed() {
    let sandbox = directory(&[
        ("1_a.up.sql", "CREATE TABLE a (b);"),
        ("1_a.down.sql", "DROP TABLE a;"),
        ("2 b.up.sql", "CREATE TABLE b (b);"),
        ("2 b.down.sql", "DROP TABLE b;"),
        ("6_c.up.sql", "CREATE TABLE c (b);"),
        ("6_c.down.sql", "DROP TABLE c;"),
    ]);
    let report = sandbox.json(&["migrate", "import", "--dir", "db"]);
    assert!(report["notes"].to_string().contains("there is no number between 2 and 6"), "{report}");
    let on = |command: &str| sandbox.run(&["migrate", command, "--dir", "db-longshore", "--json"]);
    assert_eq!(on("lint").exit, 0);
    assert_eq!(on("up").exit, 0);
    for half in ["up", "down"] {
        std::fs::remove_file(sandbox.path(&format!("db-longshore/2_b.{half}.sql"))).unwrap();
    }
    let lint = on("lint");
    let said = lint.document()["findings"].to_string();
    assert!(lint.exit == 4 && said.contains("the number before it is 1") && said.contains("follows 1"), "{said}");
}

#[test]
fn a_repeatable_migration_runs_once_behind_the_others_and_a_note_says_so() {
    let sandbox =
        directory(&[("V1.1__a.sql", "CREATE TABLE a (b);"), ("R__v.sql", "CREATE VIEW v AS SELECT b FROM a;")]);
    let report = sandbox.json(&["migrate", "import", "--dir", "db"]);
    assert_eq!(names(&report["migrations"], "up"), ["001_a.up.sql", "002_v.up.sql"]);
    assert!(report["notes"].to_string().contains("R__v.sql: it runs once"), "{report}");
    let placeholder =
        directory(&[("V1__a.sql", "CREATE TABLE a (b);"), ("R__v.sql", "CREATE VIEW v AS SELECT ${column};")]);
    let refused = placeholder.run(&["migrate", "import", "--dir", "db", "--json"]);
    assert!(refused.exit == 4 && refused.document().to_string().contains("${column}"), "{refused:?}");
}
