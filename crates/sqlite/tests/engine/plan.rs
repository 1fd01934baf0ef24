//! The plan of every statement, so that none ever walks through the waiting jobs.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use longshore_sqlite::rusqlite::{params_from_iter, vtab::array};

use crate::database::Database;

/// Statements that may walk through the table or sort, because a person requests them, they contain a limit, or they end
/// at the first row.
const MAY_WALK: [&str; 12] = [
    "begin_given_ids",
    "count_jobs",
    "count_named_jobs",
    "select_ended_page",
    "select_ids_page",
    "select_jobs_page",
    "select_last_id",
    "select_latest_record",
    "select_named_jobs_page",
    "select_recent_runs",
    "select_statuses",
    "take_id_range",
];
/// The backlog of a limited type is counted up to a limit. Each part of what waits for a job is limited before both are
/// joined. The next pair of type and queue is one of two. The schema has a few dozen rows. The jobs of one worker are
/// sorted for the page that shows them; it holds no more than it prefetched. A move reads once what the keys have spent.
const MAY_SORT: [&str; 6] = [
    "select_backlog_in_lanes",
    "select_keepers",
    "select_moved_limit_keys",
    "select_next_pair",
    "select_running_jobs",
    "select_waiting_dependents",
];

#[test]
fn no_statement_walks_what_waits_or_sorts_it() {
    let database = Database::new();
    let mut shown = String::new();
    for (name, plan) in plans(&database) {
        writeln!(shown, "{name}\n{plan}").unwrap();
        let walks = plan.lines().any(|line| line.trim() == "SCAN job_queue");
        assert!(!walks || MAY_WALK.contains(&name.as_str()), "{name}\n{plan}");
        let sorts = plan.contains("USE TEMP B-TREE");
        assert!(!sorts || MAY_SORT.contains(&name.as_str()), "{name}\n{plan}");
    }
    insta::assert_snapshot!("plans", shown);
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn plans(database: &Database) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql");
    let mut files: Vec<_> = entries(&folder).iter().flat_map(|room| entries(room)).collect();
    files.sort_by_key(|file| file.file_name().map(ToOwned::to_owned));
    let connection = database.foreign();
    array::load_module(&connection).unwrap();
    let mut plans = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "configure_writer" {
            continue;
        }
        let sql = format!("EXPLAIN QUERY PLAN\n{}", fs::read_to_string(&file).unwrap());
        let mut statement = connection.prepare(&sql).unwrap();
        let parameters = vec![None::<i64>; statement.parameter_count()];
        let mut rows = statement.query(params_from_iter(parameters)).unwrap();
        let mut plan = String::new();
        while let Some(row) = rows.next().unwrap() {
            writeln!(plan, "    {}", row.get::<_, String>(3).unwrap()).unwrap();
        }
        plans.push((name, plan));
    }
    plans
}
