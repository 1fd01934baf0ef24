//! Fuzzes the comparison of schemas: `cargo run --release --example fuzz_schema -- SECONDS [SEED]`.
//!
//! It ends with a panic at the first text that breaks the comparison, and with the figures otherwise.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for developers that stops where it fails")]

use std::time::{Duration, Instant};

#[path = "../tests/schema/fuzz.rs"]
mod fuzz;
#[path = "../tests/schema/parentheses.rs"]
mod parentheses;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap());
    let seconds = arguments.next().unwrap_or(10);
    let seed = arguments.next().unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}, {seconds} s");
    let script = include_str!("../tests/data/app.sql");
    let tables = script.split("CREATE VIRTUAL").next().unwrap();
    let mut fuzz = fuzz::Fuzz::new(seed, tables, &[]);
    let mut judge = parentheses::Judge::new(seed);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        for _ in 0..200 {
            fuzz.break_one();
        }
        for _ in 0..20 {
            fuzz.break_one_in_sqlite();
        }
        fuzz.reword();
        for _ in 0..100 {
            judge.judge();
            judge.judge_canonical();
        }
    }
    println!("{:?}", fuzz.figures);
    println!("{:?}", judge.verdicts);
}
