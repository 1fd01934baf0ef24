use std::fmt::Write;

use clap::CommandFactory;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::exit::Exit;

/// Prints the reference of all commands as Markdown; `docs/cli.md` is this text, and a test keeps it so.
pub(crate) fn run(context: &Context) -> anyhow::Result<Exit> {
    let mut program = Arguments::command();
    program.build();
    let mut page = "# Command line reference\n\nWritten by `longshore reference`; a test keeps it true.\n".to_owned();
    render(&mut program, &mut page);
    context.output.text(page.as_bytes())?;
    Ok(Exit::Done)
}

fn render(command: &mut clap::Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or("longshore").to_owned();
    let mut help = command.render_long_help().to_string();
    help.truncate(help.trim_end().len());
    // A String takes every write.
    let _ = write!(page, "\n## {name}\n\n```text\n{help}\n```\n");
    for command in command.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
        render(command, page);
    }
}
