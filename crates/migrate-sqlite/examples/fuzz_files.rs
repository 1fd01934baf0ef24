//! Fuzzes the reader of migration files: `cargo run --release --example fuzz_files -- SECONDS [SEED]`.
//!
//! It ends with a panic at the first text that breaks it, and with the figures otherwise.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for developers that stops where it fails")]

use std::time::{Duration, Instant};

#[path = "../tests/migrate/files_fuzz.rs"]
mod files_fuzz;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap());
    let seconds = arguments.next().unwrap_or(10);
    let seed = arguments.next().unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}, {seconds} s");
    let folder = tempfile::tempdir().unwrap();
    let mut fuzz = files_fuzz::FilesFuzz::new(seed);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        for _ in 0..50 {
            fuzz.read_one();
        }
        fuzz.read_directory(folder.path());
    }
    println!("{:?}", fuzz.figures);
}
