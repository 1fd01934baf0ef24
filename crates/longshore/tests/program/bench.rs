//! The cost of a job beyond its program: `cargo test --release --test program -- measure-program-jobs` prints it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use longshore::Handler;
use longshore::command::{CommandHandler, CommandSpec, SupervisorProgram};
use longshore::testing::{AttemptProbe, EnqueueRecorder};
use longshore::{JobData, NewJob};

use crate::processes::median;
use crate::worked::python;

pub(crate) const MEASURE: &str = "measure-program-jobs";

const ROUNDS: u32 = 2000;
const STARTS: u32 = 50;

/// Prints the time of a job of a program that stays, of the same exchange by hand, and of a program for each job.
pub(crate) fn measure() -> ! {
    let program = python("for job in jobs(): say(job=job['id'], done=None)");
    let by_hand = by_hand(&program.spec.command.run, program.path().to_str().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let handler = program.handler();
    let attempt = || {
        let job = NewJob::new("resize", JobData::default());
        AttemptProbe::new(job, EnqueueRecorder::queue().1).attempt()
    };
    let job = |handler: &dyn Handler| {
        let done = runtime.block_on(runtime.spawn(handler.run(attempt()))).unwrap();
        assert!(done.is_ok(), "{done:?}");
    };
    job(&*handler);
    let stays = median(ROUNDS, || job(&*handler));
    let command = CommandSpec::new(["python3", "-c", "import json, sys; json.load(sys.stdin)"]);
    let command = CommandHandler::new(command, SupervisorProgram::this_program().unwrap()).unwrap();
    let runs = median(STARTS, || job(&command));
    runtime.block_on(handler.end(Duration::from_secs(5)));
    let ratio = runs.as_secs_f64() / stays.as_secs_f64();
    println!("by hand {by_hand:?}, program that stays {stays:?}, beyond it {:?}", stays.saturating_sub(by_hand));
    println!("a program for each job {runs:?}, {ratio:.0} times as long");
    std::process::exit(0);
}

/// The same lines through two pipes, without Longshore.
fn by_hand(run: &[String], folder: &str) -> Duration {
    let mut child = Command::new(&run[0])
        .args(&run[1..])
        .env("FOLDER", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let span = median(ROUNDS, || {
        let job = "{\"job\":{\"id\":1,\"job_type\":\"resize\",\"job_data\":{},\"attempt\":1}}\n";
        stdin.write_all(job.as_bytes()).unwrap();
        line.clear();
        stdout.read_line(&mut line).unwrap();
    });
    drop(stdin);
    child.wait().unwrap();
    span
}
