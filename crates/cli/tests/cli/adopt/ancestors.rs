//! Ancestors of the job table, each of another kind: the other manager before, the adoption, its undo, the adoption
//! again, the other manager between, a worker, the refusal of another undo, the other manager after.

use super::{FOUNDING, Harbour, INCIDENT, with_numbers};

/// What a database must show after its whole life.
struct Life<'a> {
    sql: String,
    /// What a person has to decide; without it the adoption is refused.
    choices: &'a [&'a str],
    /// Numbers of the other manager that the adoption adds.
    told: &'a [i64],
}

impl Life<'_> {
    fn of(sql: String) -> Self {
        Self { sql, choices: &[], told: &[] }
    }

    /// Lives it, and gives the database at its end.
    fn live(&self) -> Harbour {
        let harbour = Harbour::with(&self.sql);
        let numbers = harbour.manager(&[]);
        let before = harbour.content();
        if !self.choices.is_empty() {
            let refused = harbour.adopt(&[]);
            assert_eq!(refused.exit, 7, "{refused:?}");
            assert!(refused.stderr.contains(&format!("longshore adopt {}", self.choices[0])), "{refused:?}");
            assert_eq!(harbour.content(), before);
        }
        let adopted = harbour.adopt(self.choices);
        assert_eq!(adopted.exit, 0, "{adopted:?}");
        assert_eq!(harbour.manager(&[]), with_numbers(&numbers, self.told));
        assert_eq!(harbour.run(&["migrate", "verify"]).exit, 0);

        let undone = harbour.run(&["adopt", "--undo", "--reason", "once more"]);
        assert_eq!(undone.exit, 0, "{undone:?}");
        assert_eq!(harbour.content(), before);
        assert_eq!(harbour.manager(&[]), numbers);
        assert_eq!(harbour.adopt(self.choices).exit, 0);

        harbour.manager(&["run", "14"]);
        harbour.manager(&["run", "3"]);
        let worked = harbour.run(&["work", "--drain"]);
        assert_eq!(worked.exit, 0, "{worked:?}");
        let left = "SELECT id, job_type FROM job_queue WHERE status = 'pending' AND job_type <> 'unknown'";
        assert_eq!(harbour.rows(left), [""; 0]);
        let refused = harbour.run(&["adopt", "--undo", "--reason", "too late"]);
        assert_eq!(refused.exit, 7, "{refused:?}");
        let now = [self.told, &[3, 14]].concat();
        assert_eq!(harbour.manager(&[]), with_numbers(&numbers, &now));
        assert_eq!(harbour.run(&["migrate", "status", "--check"]).exit, 0);
        harbour
    }
}

fn founding(changes: &[(&str, &str)]) -> String {
    changed(FOUNDING, changes)
}

fn changed(sql: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(sql.to_owned(), |sql, (from, to)| {
        assert!(sql.contains(from), "{from}");
        sql.replace(from, to)
    })
}

const LAST_COLUMN: &str = "moved_to_dead_letter_at TIMESTAMP,\n";

#[test]
fn the_founding_table_itself() {
    let harbour = Life::of(FOUNDING.to_owned()).live();
    assert_eq!(harbour.rows("SELECT count(*) FROM job_queue"), ["5"]);
}

#[test]
fn extra_columns_are_kept_with_their_data_their_index_and_their_references() {
    let columns = "moved_to_dead_letter_at TIMESTAMP, tenant TEXT NOT NULL DEFAULT 'acme', note TEXT NOT NULL CHECK (note <> ''),\n  \
        playlist_id INTEGER REFERENCES playlists (id), label TEXT GENERATED ALWAYS AS (job_type || '!') VIRTUAL,\n";
    let more = "UPDATE job_queue SET tenant = 't' || id, playlist_id = 1; CREATE INDEX by_tenant ON job_queue (tenant, status);";
    let sql = founding(&[
        (LAST_COLUMN, columns),
        ("(job_type, job_data, ", "(note, job_type, job_data, "),
        ("VALUES ('", "VALUES ('n', '"),
    ]);
    let sql = sql.replace(
        "INSERT INTO playlists (name) VALUES ('n', 'evening')",
        "INSERT INTO playlists (name) VALUES ('evening')",
    );
    let sql = sql.replace(
        "INSERT INTO tracks (name, play_count) VALUES ('n', 'one', 1)",
        "INSERT INTO tracks (name, play_count) VALUES ('one', 1)",
    );

    let harbour = Life::of(format!("{sql}{more}")).live();

    let kept = "SELECT id, tenant, note, playlist_id, label FROM job_queue WHERE id IN (1, 4) ORDER BY id";
    assert_eq!(harbour.rows(kept), ["1|t1|n|1|library_scan!", "4|t4|n|1|metadata_extraction!"]);
    assert_eq!(harbour.rows("SELECT count(*) FROM sqlite_schema WHERE name = 'by_tenant'"), ["1"]);
    // The queue knows nothing of them: a job without is made all the same.
    harbour.sandbox.json(&["enqueue", "library_scan"]);
    assert_eq!(harbour.rows("SELECT tenant, note FROM job_queue WHERE id = 6"), ["acme|NULL"]);
}

#[test]
fn other_types_defaults_and_words_become_the_queues() {
    let sql = founding(&[
        ("priority INTEGER NOT NULL DEFAULT 0", "priority TEXT DEFAULT 'normal'"),
        ("max_retries INTEGER DEFAULT 3", "max_retries TEXT DEFAULT '5'"),
        ("created_at TEXT DEFAULT (datetime('now', 'utc'))", "created_at REAL"),
        ("'pending', 10, '2025-07-05 12:00:00'", "'pending', 'high', 1751716800.5"),
        ("'running', 5, '2025-07-05 12:00:30'", "'running', '15', 1751716830"),
    ]);
    let harbour = Harbour::with(&sql);
    harbour.adopt(&[]);
    let read = "SELECT id, priority, max_retries, created_at FROM job_queue WHERE id < 3 ORDER BY id";
    assert_eq!(harbour.rows(read), ["1|10|5|1751716800500", "2|15|5|1751716830000"]);
    assert_eq!(harbour.rows("SELECT priority FROM job_queue WHERE id = 3"), ["5"]);
    Life::of(sql).live();
}

#[test]
fn wider_checks_keep_every_state() {
    let sql = founding(&[(
        "'failed', 'cancelled')",
        "'failed', 'cancelled', 'timeout', 'zombie', 'retrying', 'dead_letter', 'paused')",
    )]);
    let more = "INSERT INTO job_queue (job_type, job_data, status, next_retry_at) VALUES
            ('file_cleanup', '{}', 'retrying', '2025-07-05 12:00:00'), ('file_cleanup', '{}', 'timeout', NULL),
            ('file_cleanup', '{}', 'zombie', NULL), ('file_cleanup', '{}', 'paused', NULL);
        INSERT INTO job_queue (job_type, job_data, status, dead_letter_reason, moved_to_dead_letter_at)
            VALUES ('file_cleanup', '{}', 'dead_letter', 'too many', '2025-07-05 12:00:00');";
    let harbour = Life::of(format!("{sql}{more}")).live();
    let states = "SELECT id, status, failure_type, dead_letter_reason FROM job_queue WHERE id > 5 ORDER BY id";
    assert_eq!(
        harbour.rows(states),
        [
            "6|completed|NULL|NULL",
            "7|dead_letter|timeout_error|was \"timeout\" before the queue was upgraded",
            "8|completed|NULL|NULL",
            "9|dead_letter|unknown|was \"paused\" before the queue was upgraded",
            "10|dead_letter|unknown|too many",
        ]
    );
}

#[test]
fn a_check_on_priority_goes_and_is_told() {
    let check = "priority INTEGER NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 20),";
    let harbour = Life::of(founding(&[("priority INTEGER NOT NULL DEFAULT 0,", check)])).live();
    assert!(harbour.run(&["migrate", "history"]).stdout.contains("CHECK (priority BETWEEN 0 AND 20)"));
}

#[test]
fn a_table_of_fifteen_columns_gets_the_other_five_and_the_other_manager_learns_of_002() {
    let sql = founding(&[
        (
            "  failure_type TEXT, next_retry_at TIMESTAMP, last_error_traceback TEXT, dead_letter_reason TEXT, moved_to_dead_letter_at TIMESTAMP,\n",
            "",
        ),
        ("CREATE INDEX idx_job_queue_next_retry ON job_queue (next_retry_at);\n", ""),
        ("CREATE INDEX idx_job_queue_failure_type ON job_queue (failure_type);\n", ""),
        ("CREATE INDEX idx_job_queue_dead_letter ON job_queue (moved_to_dead_letter_at);\n", ""),
        ("(2, 'Migration002', '2025-06-28 16:05:40'), ", ""),
        ("error_message, failure_type, retry_count", "error_message, retry_count"),
        ("'boom', 'network_error', 3", "'boom', 3"),
    ]);
    Life { told: &[2], ..Life::of(sql) }.live();
}

#[test]
fn the_incidents_table_with_a_narrow_check_and_another_default() {
    let sql = changed(
        INCIDENT,
        &[
            ("status TEXT NOT NULL DEFAULT 'pending'", "status TEXT NOT NULL DEFAULT 'pending' CHECK (status <> '')"),
            ("priority INTEGER NOT NULL DEFAULT 5", "priority INTEGER NOT NULL DEFAULT 7"),
        ],
    );
    Life { told: &[1, 2], ..Life::of(sql) }.live();
}

#[test]
fn a_table_without_autoincrement_and_one_that_is_strict_and_written_in_capitals() {
    Life::of(founding(&[("id INTEGER PRIMARY KEY AUTOINCREMENT, job_type", "id INTEGER PRIMARY KEY, job_type")]))
        .live();
    let strict = founding(&[
        ("REFERENCES job_queue (id));", "REFERENCES job_queue (id)) STRICT;"),
        ("TIMESTAMP", "TEXT"),
        ("CREATE TABLE job_queue (", "CREATE TABLE \"Job_Queue\" ("),
    ]);
    Life::of(strict).live();
}

#[test]
fn a_view_a_trigger_and_a_reference_of_the_application_go_on() {
    let more = "CREATE VIEW open_jobs AS SELECT id, job_type FROM job_queue WHERE status = 'pending';
        CREATE TRIGGER scans AFTER INSERT ON playlists BEGIN
            INSERT INTO job_queue (job_type, job_data) VALUES ('library_scan', '{}');
        END;
        CREATE TABLE job_notes (id INTEGER PRIMARY KEY, job_id INTEGER REFERENCES job_queue (id) ON DELETE CASCADE);
        INSERT INTO job_notes (job_id) VALUES (1), (4);";
    let harbour = Life::of(format!("{FOUNDING}{more}")).live();
    assert_eq!(harbour.rows("SELECT job_id FROM job_notes ORDER BY 1"), ["1", "4"]);
    harbour.execute("INSERT INTO playlists (name) VALUES ('morning')");
    assert_eq!(harbour.rows("SELECT id, job_type FROM open_jobs"), ["6|library_scan"]);
}

#[test]
fn a_unique_index_and_a_trigger_on_the_table_are_a_persons_to_decide() {
    let unique = format!("{FOUNDING}CREATE UNIQUE INDEX once ON job_queue (job_type, job_data);");
    let harbour = Life { choices: &["--drop", "once"], ..Life::of(unique.clone()) }.live();
    assert_eq!(harbour.rows("SELECT count(*) FROM sqlite_schema WHERE name = 'once'"), ["0"]);
    let harbour = Life { choices: &["--keep", "once"], ..Life::of(unique) }.live();
    assert_eq!(harbour.rows("SELECT count(*) FROM sqlite_schema WHERE name = 'once'"), ["1"]);
    let watching = format!(
        "{FOUNDING}CREATE TRIGGER watch AFTER INSERT ON job_queue BEGIN UPDATE tracks SET play_count = play_count + 1; END;"
    );
    Life { choices: &["--keep", "watch"], ..Life::of(watching) }.live();
}

#[test]
fn a_reference_and_a_column_that_the_queue_cannot_have_are_a_persons_to_decide() {
    let workers = "CREATE TABLE workers (id TEXT PRIMARY KEY); INSERT INTO workers VALUES ('worker_1');";
    let sql = founding(&[("worker_id TEXT NULL", "worker_id TEXT NULL REFERENCES workers (id)")]);
    Life { choices: &["--drop", "worker_id REFERENCES workers"], ..Life::of(format!("{sql}{workers}")) }
        .live_quoted("--drop 'worker_id REFERENCES workers'");
    let sql = founding(&[(LAST_COLUMN, "moved_to_dead_letter_at TIMESTAMP, progress INTEGER,\n")]);
    let sql = format!("{sql}UPDATE job_queue SET progress = id * 10;");
    let harbour = Life { choices: &["--keep", "progress"], ..Life::of(sql) }.live();
    assert_eq!(harbour.rows("SELECT app_progress FROM job_queue ORDER BY id LIMIT 2"), ["10", "20"]);
}

impl Life<'_> {
    /// The same where the choice that is offered has a quoted name.
    fn live_quoted(&self, offered: &str) -> Harbour {
        let refused = Harbour::with(&self.sql).adopt(&[]);
        assert!(refused.stderr.contains(offered), "{refused:?}");
        self.live()
    }
}

/// The order of a rebuilt table, as a function-style migration of the application made it.
const OTHER_ORDER: &str = "CREATE TABLE rebuilt (
    id INTEGER PRIMARY KEY AUTOINCREMENT, job_type TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'pending',
    priority INTEGER NOT NULL DEFAULT 0, job_data TEXT NOT NULL DEFAULT '{}', created_at TEXT, started_at TEXT,
    completed_at TEXT, error_message TEXT, log_file_path TEXT, retry_count INTEGER DEFAULT 0, max_retries INTEGER DEFAULT 3,
    worker_id TEXT, timeout_seconds INTEGER, parent_job_id INTEGER, failure_type TEXT, next_retry_at TIMESTAMP,
    last_error_traceback TEXT, dead_letter_reason TEXT, moved_to_dead_letter_at TIMESTAMP,
    FOREIGN KEY (parent_job_id) REFERENCES job_queue (id));";

#[test]
fn another_order_of_the_columns_is_read_by_name() {
    let columns = "id, job_type, job_data, status, priority, created_at, started_at, completed_at, error_message, failure_type, retry_count, worker_id, parent_job_id";
    let sql = format!(
        "{FOUNDING}{OTHER_ORDER} INSERT INTO rebuilt ({columns}) SELECT {columns} FROM job_queue;
         DROP TABLE job_queue; ALTER TABLE rebuilt RENAME TO job_queue;"
    );
    let harbour = Life::of(sql).live();
    let jobs = "SELECT id, job_type, job_data, priority FROM job_queue WHERE id IN (1, 5) ORDER BY id";
    assert_eq!(harbour.rows(jobs), ["1|library_scan|{\"path\": \"/m\"}|10", "5|file_cleanup|{\"päth\": \"ü\"}|0"]);
}

#[test]
fn values_in_the_wrong_columns_are_found_and_read_by_position_only_when_a_person_says_so() {
    let sql = format!(
        "{FOUNDING}{OTHER_ORDER} INSERT INTO rebuilt SELECT * FROM job_queue;
         DROP TABLE job_queue; ALTER TABLE rebuilt RENAME TO job_queue;
         INSERT INTO job_queue (job_type, job_data, status, created_at) VALUES ('file_cleanup', '[1]', 'pending', '2025-08-01 00:00:00');"
    );
    let harbour = Harbour::with(&sql);
    let told = harbour.adopt(&[]);
    assert!(told.stderr.contains("values are in the wrong columns in 5 jobs"), "{told:?}");
    assert!(told.stderr.contains("status of job 1 is '{\"path\": \"/m\"}'"), "{told:?}");
    assert!(told.stderr.contains("longshore adopt --leave-out"), "{told:?}");

    let harbour = Life { choices: &["--by-position"], ..Life::of(sql.clone()) }.live();
    let jobs = "SELECT id, job_type, job_data, priority, created_at FROM job_queue WHERE id IN (1, 6) ORDER BY id";
    assert_eq!(
        harbour.rows(jobs),
        ["1|library_scan|{\"path\": \"/m\"}|10|1751716800000", "6|file_cleanup|[1]|0|1754006400000"]
    );

    let without = Harbour::with(&sql);
    assert_eq!(without.adopt(&["--leave-out"]).exit, 0);
    assert_eq!(without.rows("SELECT id FROM job_queue"), ["6"]);
    assert_eq!(without.rows("SELECT count(*) FROM longshore_adopted_jobs"), ["6"]);
}

#[test]
fn a_value_that_nobody_can_read_is_asked_for() {
    let cases = [
        ("UPDATE job_queue SET created_at = '05/07/2025' WHERE id = 1;", "created_at of job 1 is '05/07/2025'"),
        ("UPDATE job_queue SET priority = 'soon' WHERE id = 1;", "priority of job 1 is 'soon'"),
        ("UPDATE job_queue SET max_retries = -1 WHERE id = 1;", "max_retries of job 1 is -1"),
    ];
    for (change, told) in cases {
        let harbour = Harbour::with(&format!("{FOUNDING}{change}"));
        let before = harbour.content();

        for command in [&["adopt", "--reason", "x"][..], &["migrate", "repair", "--apply", "--reason", "x"]] {
            let refused = harbour.run(command);
            assert_eq!(refused.exit, 7, "{change}: {refused:?}");
            assert!(refused.stderr.contains(told), "{change}: {refused:?}");
            assert!(refused.stderr.contains("longshore adopt --leave-out"), "{change}: {refused:?}");
        }
        assert_eq!(harbour.content(), before);
    }
}

#[test]
fn what_is_no_table_of_jobs_and_names_that_are_taken_are_left_alone() {
    let cases = [
        (founding(&[("job_data", "payload")]), "it has no column job_data"),
        (format!("{FOUNDING}CREATE TABLE job_logs (id INTEGER PRIMARY KEY, line TEXT);"), "table job_logs"),
        (
            founding(&[(
                "id INTEGER PRIMARY KEY AUTOINCREMENT, job_type",
                "id TEXT DEFAULT (hex(randomblob(8))), job_type",
            )]),
            "id",
        ),
    ];
    for (sql, told) in cases {
        let harbour = Harbour::with(&sql);
        let before = harbour.content();

        let refused = harbour.adopt(&[]);

        assert_eq!(refused.exit, 7, "{refused:?}");
        assert!(refused.stderr.contains(told), "{refused:?}");
        assert_eq!(harbour.run(&["work", "--drain"]).exit, 5);
        assert_eq!(harbour.run(&["up", "--drain"]).exit, 5);
        assert_eq!(harbour.content(), before);
    }
}
