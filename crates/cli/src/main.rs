//! The program `longshore`: its arguments (`arguments`), its commands (`commands`, one file each), and its output
//! (`output`, `error_report`).
//!
//! It contains no rules about jobs or migrations; those are in `longshore-core` and `longshore-migrate`. Standard
//! output is only for results, and only `output` writes to it. Start reading at `dispatch`.

mod arguments;
mod bench;
mod commands;
mod completion;
mod context;
mod database;
mod doctor;
mod error_report;
mod exit;
mod output;
mod runtime;
mod settings;
mod suggestion;
mod telemetry;

use std::io;
use std::process::ExitCode;
#[cfg(unix)]
use std::sync::{Arc, atomic::AtomicBool};

use clap::Parser;
use clap::error::ErrorKind;

use crate::arguments::{Arguments, BatchesCommand, Command, Globals};
use crate::context::Context;
use crate::error_report::ErrorReport;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::log_format::LogLevel;
use crate::output::log_sink::LogSink;
use crate::telemetry::Telemetry;

fn main() -> ExitCode {
    #[cfg(unix)]
    survive_size_limit();
    // A worker starts this program again as the supervisor of each command job.
    #[cfg(unix)]
    longshore::command::supervise_if_asked();
    if let Ok(true) = bench::produce_if_asked() {
        return ExitCode::SUCCESS;
    }
    match completion::answer_if_asked() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => return tell_usage(&error).into(),
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return tell_usage(&error).into(),
    };
    let (log, telemetry) = start_logging(&arguments);
    let context = Context::with_log(arguments.globals, log.clone());
    // A move names its two databases itself.
    let has_own_urls = matches!(arguments.command, Command::Move(_));
    let ended = dispatch(&context, arguments.command);
    log.flush();
    let exit = ended.unwrap_or_else(|error| {
        let origin = context.database_origin().filter(|_| !has_own_urls);
        tell(&context.output, &error, origin)
    });
    telemetry.stop();
    log.flush();
    exit.into()
}

/// At a limit on file sizes a write must fail, not end the program. A signal that is caught, unlike one that is ignored,
/// has its default again in the programs that this one starts.
#[cfg(unix)]
fn survive_size_limit() {
    // Without it the program is as sensitive to the limit as any other.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

fn dispatch(context: &Context, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Up(arguments) => commands::work::up(context, &arguments),
        Command::Work(arguments) => commands::work::work(context, &arguments),
        #[cfg(feature = "web")]
        Command::Serve(arguments) => commands::serve::run(context, &arguments),
        #[cfg(feature = "web")]
        Command::Token(command) => commands::token::run(context, command),
        Command::Audit(arguments) => commands::audit::run(context, arguments),
        Command::Enqueue(arguments) => commands::enqueue::run(context, arguments),
        Command::Jobs(command) => commands::jobs::run(context, command),
        Command::Dead(command) => commands::dead::run(context, command),
        Command::Queues(command) => commands::queues::run(context, command),
        Command::Limits(command) => commands::limits::run(context, command),
        Command::Schedules(command) => commands::schedules::run(context, command),
        Command::Batches(arguments) => commands::batches::run(context, arguments),
        Command::Signal(arguments) => commands::batches::signal(context, arguments),
        Command::Workers => commands::workers::run(context),
        Command::Status => commands::status::run(context),
        Command::Top => commands::top::run(context),
        Command::Doctor => commands::doctor::run(context),
        Command::Migrate(arguments) => commands::migrate::run(context, &arguments),
        Command::Adopt(arguments) => commands::migrate::adopt(context, &arguments),
        Command::Move(arguments) => commands::moving::run(context, &arguments),
        Command::Bench(arguments) => commands::bench::run(context, arguments),
        Command::Completions { shell } => commands::completions::run(context, shell),
        Command::Man => commands::man::run(context),
        Command::Reference => commands::reference::run(context),
    }
}

fn tell(output: &Output, error: &anyhow::Error, origin: Option<&str>) -> Exit {
    // A reader that closes early (`| head`) is not an error.
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return Exit::Done;
    }
    let report = ErrorReport::of(error);
    let report = match origin {
        Some(origin) => report.with_origin(origin),
        None => report,
    };
    output.error(&report);
    report.exit
}

/// Prints what clap returns: help and version as a result, everything else as an error.
fn tell_usage(error: &clap::Error) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // This fails only if standard output is closed; then nobody reads it.
        let _ = error.print();
        return Exit::Done;
    }
    let asked_for_json = std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json");
    // clap does not say which argument is not UTF-8.
    if asked_for_json || error.kind() == ErrorKind::InvalidUtf8 {
        let globals = Globals { database: None, config: None, json: asked_for_json, quiet: false, verbose: 0 };
        Output::new(&globals).error(&ErrorReport::of_usage(error));
        return Exit::Usage;
    }
    let _ = error.print();
    Exit::Usage
}

/// Sends the log to standard error, and spans to a collector. If one of them fails, no job is affected.
fn start_logging(arguments: &Arguments) -> (LogSink, Telemetry) {
    let level = match (arguments.globals.quiet, arguments.globals.verbose) {
        _ if matches!(arguments.command, Command::Top) => LogLevel::Off,
        (true, _) => LogLevel::Quiet,
        (false, 0) => LogLevel::Usual,
        (false, 1) => LogLevel::Verbose,
        (false, _) => LogLevel::Everything,
    };
    let sink = LogSink::to_stderr();
    let telemetry = match &arguments.command {
        Command::Up(_) | Command::Work(_) | Command::Enqueue(_) => Telemetry::start(),
        Command::Batches(batches) if matches!(batches.command, Some(BatchesCommand::Add { .. })) => Telemetry::start(),
        #[cfg(feature = "web")]
        Command::Serve(_) => Telemetry::start(),
        _ => Ok(Telemetry::off()),
    };
    let (telemetry, problem) = telemetry.map_or_else(|error| (Telemetry::off(), Some(error)), |found| (found, None));
    let has_colour = Output::new(&arguments.globals).has_colour();
    output::log_format::start(sink.clone(), level, has_colour, telemetry.layer());
    if let Some(error) = problem {
        tracing::warn!(%error, "spans are not exported");
    }
    (sink, telemetry)
}
