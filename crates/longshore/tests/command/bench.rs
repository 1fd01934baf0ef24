//! The cost of a supervisor: `cargo test --release --test command -- measure-command-start` prints it.

use std::process::{Command, Stdio};

use longshore::Handler;

use crate::processes::median;
use crate::run::command;

pub(crate) const MEASURE: &str = "measure-command-start";

const ROUNDS: u32 = 300;

/// Prints the time of `true` by itself and as a command job, and ends.
pub(crate) fn measure() -> ! {
    let plain = median(ROUNDS, || {
        let status = Command::new("true").stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(status.unwrap().success());
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = command(["true"]);
    let handler = run.handler();
    let supervised = median(ROUNDS, || {
        let done = runtime.block_on(handler.run(run.probe().attempt()));
        assert!(done.is_ok());
    });
    println!("plain spawn {plain:?}, command job {supervised:?}, supervisor {:?}", supervised.saturating_sub(plain));
    std::process::exit(0);
}
