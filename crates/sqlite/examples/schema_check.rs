//! Measures the schema check at the start of a worker: with the remembered hash, and with a replay.

use std::{io::Write, time::Instant};

use longshore_sqlite::schema::{check, check_thoroughly, latest_up};
use rusqlite::Connection;

const RUNS: u32 = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("jobs.db");
    latest_up(&path)?;
    let begun = Instant::now();
    for _ in 0..RUNS {
        check(&Connection::open(&path)?)?;
    }
    let remembered = begun.elapsed() / RUNS;
    let begun = Instant::now();
    for _ in 0..RUNS {
        check_thoroughly(&Connection::open(&path)?)?;
    }
    let thorough = begun.elapsed() / RUNS;
    writeln!(std::io::stdout(), "opened and checked by hash in {remembered:?}, by replay in {thorough:?}")?;
    Ok(())
}
