use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::arguments::BenchArguments;
use crate::bench::{self, BenchRequest, BenchServer, StepTeller};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::relative_time::span;
use crate::output::table::Table;

/// How many times as many jobs as each measurement runs are in the way of those that are measured among others.
const BACKLOG: u64 = 10;

/// Measures this machine and prints rates and ratios.
pub(crate) fn run(context: &Context, arguments: BenchArguments) -> anyhow::Result<Exit> {
    let request = BenchRequest {
        jobs: arguments.jobs,
        backlog: arguments.backlog.unwrap_or(arguments.jobs.saturating_mul(BACKLOG)),
        rounds: arguments.rounds,
        durability: arguments.durability,
        folder: arguments.folder,
        held_snapshot: arguments.held_snapshot,
    };
    let step = Arc::new(Mutex::new(String::new()));
    let (shown, began) = (Arc::clone(&step), Instant::now());
    let text = move || format!("{} ({})", shown.lock().unwrap_or_else(PoisonError::into_inner), span(began.elapsed()));
    let is_live = context.show_live(Box::new(text));
    let mut tell = |words: String| {
        if !is_live {
            context.output.note(&words);
        }
        *step.lock().unwrap_or_else(PoisonError::into_inner) = words;
    };
    let steps = StepTeller::new(&mut tell);
    if let Some((url, text)) = context.server_named_by_flag()? {
        let report = bench::run_on_server(BenchServer { url, text }, &request, steps);
        context.hide_live();
        let report = report?;
        context.output.result(&report, |output| show(output, &report.to_table(), &report.to_lines()))?;
        return Ok(Exit::Done);
    }
    let report = bench::run(&request, steps);
    context.hide_live();
    let report = report?;
    context.output.result(&report, |output| show(output, &report.to_table(), &report.to_lines()))?;
    Ok(Exit::Done)
}

fn show(output: &Output, table: &Table, lines: &[String]) -> std::io::Result<()> {
    output.table(table)?;
    lines.iter().try_for_each(|line| output.line(line))
}
