use crate::arguments::BenchArguments;
use crate::bench::{self, BenchRequest};
use crate::context::Context;
use crate::exit::Exit;

/// Measures this machine and prints rates and ratios.
pub(crate) fn run(context: &Context, arguments: BenchArguments) -> anyhow::Result<Exit> {
    let request = BenchRequest { jobs: arguments.jobs, durability: arguments.durability, folder: arguments.folder };
    let report = bench::run(&request)?;
    context.output.result(&report, |output| {
        output.table(&report.to_table())?;
        report.to_lines().iter().try_for_each(|line| output.line(line))
    })?;
    Ok(Exit::Done)
}
