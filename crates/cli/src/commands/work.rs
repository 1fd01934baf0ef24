use crate::arguments::WorkArguments;
use crate::context::Context;
use crate::exit::Exit;

/// Runs jobs on a database whose schema is understood.
pub(crate) fn work(_context: &Context, _arguments: &WorkArguments) -> anyhow::Result<Exit> {
    anyhow::bail!("not yet")
}

/// Migrates, then works.
pub(crate) fn up(_context: &Context, _arguments: &WorkArguments) -> anyhow::Result<Exit> {
    anyhow::bail!("not yet")
}
