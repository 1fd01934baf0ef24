use crate::arguments::BenchArguments;
use crate::exit::Exit;

/// Measures this machine.
pub(crate) fn run(arguments: &BenchArguments) -> anyhow::Result<Exit> {
    anyhow::bail!("this build cannot measure yet ({} jobs, {:?})", arguments.jobs, arguments.durability)
}
