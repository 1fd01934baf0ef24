use crate::arguments::MigrateArguments;
use crate::context::Context;
use crate::exit::Exit;

/// Creates and changes the schema, and mends its history.
pub(crate) fn run(_context: &Context, _arguments: &MigrateArguments) -> anyhow::Result<Exit> {
    anyhow::bail!("not yet")
}
