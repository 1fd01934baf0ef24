use clap_complete::Shell;

use crate::completion;
use crate::context::Context;
use crate::exit::Exit;

/// Prints the completion script for a shell.
pub(crate) fn run(context: &Context, shell: Shell) -> anyhow::Result<Exit> {
    context.output.text(&completion::script(shell)?)?;
    Ok(Exit::Done)
}
