use std::fmt::Write;

use clap::{Arg, CommandFactory};

use crate::arguments::{Arguments, EVERYWHERE};
use crate::context::Context;
use crate::exit::Exit;

const TOP: &str = "# Command line reference

Written by `longshore reference`; a test keeps it true. The options under *Everywhere* and `--help` work with every
command and are listed once, with `longshore` itself.
";

/// Prints the reference of all commands as Markdown; `docs/cli.md` is this text, and a test keeps it so.
pub(crate) fn run(context: &Context) -> anyhow::Result<Exit> {
    let mut program = Arguments::command();
    program.build();
    let mut page = TOP.to_owned();
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
        let mut own =
            command.clone().mut_args(|argument| if is_common(&argument) { argument.hide(true) } else { argument });
        render(&mut own, page);
    }
}

/// Whether every command has this option.
fn is_common(argument: &Arg) -> bool {
    argument.get_help_heading() == Some(EVERYWHERE) || argument.get_id() == "help"
}
