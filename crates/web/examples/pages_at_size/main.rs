//! How long the pages and the API take with a million jobs that wait, a million that have ended and 100,000 dead letters.
//!
//! `fill URL [WAITING]` fills an empty database, `ask ADDRESS [ROUNDS]` measures a server on this machine:
//!
//! ```text
//! longshore migrate up --database sqlite:big.db
//! cargo run --release -p longshore-web --example pages_at_size -- fill sqlite:big.db
//! longshore serve --database sqlite:big.db &
//! cargo run --release -p longshore-web --example pages_at_size -- ask 127.0.0.1:7070
//! ```

#![expect(clippy::print_stdout, reason = "what was measured is the result of the program")]

mod ask;
mod fill;

use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "usage: pages_at_size fill URL [WAITING] | ask 127.0.0.1:PORT [ROUNDS]";
const WAITING: u64 = 1_000_000;
const ROUNDS: usize = 40;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(words: &[String]) -> Result<(), Box<dyn Error>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", url] => fill::fill(url, WAITING).await,
        ["fill", url, waiting] => fill::fill(url, waiting.parse()?).await,
        ["ask", address] => ask::ask(address.parse()?, ROUNDS).await,
        ["ask", address, rounds] => ask::ask(address.parse()?, rounds.parse()?).await,
        _ => Err(USAGE.into()),
    }
}
