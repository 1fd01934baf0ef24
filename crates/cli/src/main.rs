//! The program `longshore`: what can be said (`arguments`), what it means (`commands`, one file each), and how
//! it is told (`output`, `error_report`).
//!
//! It decides nothing about jobs or migrations; those rules are in `longshore-core` and `longshore-migrate`.
//! Standard output is for results alone, and only `output` writes to it. Begin with `dispatch`.

mod arguments;
mod bench;
mod commands;
mod context;
mod database;
mod doctor;
mod error_report;
mod exit;
mod output;
mod settings;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use tracing_subscriber::filter::LevelFilter;

use crate::arguments::{Arguments, Command, Globals};
use crate::context::Context;
use crate::error_report::ErrorReport;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::log_fields::LogFields;
use crate::output::log_sink::LogSink;

fn main() -> ExitCode {
    // A worker starts this program once more as the supervisor of each command.
    #[cfg(unix)]
    longshore::command::supervise_if_asked();
    if let Ok(true) = bench::produce_if_asked() {
        return ExitCode::SUCCESS;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return tell_usage(&error).into(),
    };
    let log = start_logging(&arguments);
    let context = Context::new(arguments.globals);
    let ended = dispatch(&context, arguments.command);
    log.flush();
    ended.unwrap_or_else(|error| tell(&context.output, &error)).into()
}

fn dispatch(context: &Context, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Up(arguments) => commands::work::up(context, &arguments),
        Command::Work(arguments) => commands::work::work(context, &arguments),
        Command::Enqueue(arguments) => commands::enqueue::run(context, arguments),
        Command::Jobs(command) => commands::jobs::run(context, command),
        Command::Dead(command) => commands::dead::run(context, command),
        Command::Queues(command) => commands::queues::run(context, command),
        Command::Workers => commands::workers::run(context),
        Command::Doctor => commands::doctor::run(context),
        Command::Migrate(arguments) => commands::migrate::run(context, &arguments),
        Command::Adopt(arguments) => commands::migrate::adopt(context, &arguments),
        Command::Bench(arguments) => commands::bench::run(context, arguments),
        Command::Completions { shell } => commands::completions::run(context, shell),
        Command::Man => commands::man::run(context),
        Command::Reference => commands::reference::run(context),
    }
}

fn tell(output: &Output, error: &anyhow::Error) -> Exit {
    // A reader that has seen enough (`| head`) is no failure of ours.
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return Exit::Done;
    }
    let report = ErrorReport::of(error);
    output.error(&report);
    report.exit
}

/// Tells what clap has to say: help and version as a result, the rest as an error.
fn tell_usage(error: &clap::Error) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Only a closed standard output can fail here, and then nobody reads on.
        let _ = error.print();
        return Exit::Done;
    }
    let asked_for_json = std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json");
    // Which argument is not text, clap does not say.
    if asked_for_json || error.kind() == ErrorKind::InvalidUtf8 {
        let globals = Globals { database: None, config: None, json: asked_for_json, quiet: false, verbose: 0 };
        Output::new(&globals).error(&ErrorReport::of_usage(error));
        return Exit::Usage;
    }
    let _ = error.print();
    Exit::Usage
}

/// Lets the library's own log out on standard error. Workers say what they do unless told to be quiet, because
/// their terminal would be silent otherwise. No job depends on whether it can be written.
fn start_logging(arguments: &Arguments) -> LogSink {
    let is_worker = matches!(arguments.command, Command::Work(_) | Command::Up(_));
    let level = match (arguments.globals.quiet, arguments.globals.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) if is_worker => LevelFilter::INFO,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let has_colour = Output::new(&arguments.globals).has_colour();
    let sink = LogSink::to_stderr();
    let lines = sink.clone();
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(has_colour)
        .with_writer(move || lines.clone())
        .fmt_fields(LogFields)
        // It would tell of a line that cannot be written by a panic, because standard error is where it tells.
        .log_internal_errors(false)
        .init();
    sink
}
