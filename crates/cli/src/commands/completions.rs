use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::exit::Exit;

/// Prints the completion script for a shell.
pub(crate) fn run(context: &Context, shell: Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "longshore", &mut script);
    context.output.text(&script)?;
    Ok(Exit::Done)
}
