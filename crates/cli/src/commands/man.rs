use clap::CommandFactory;
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::exit::Exit;

/// Prints the manual page: the program, then a section for each command.
pub(crate) fn run(context: &Context) -> anyhow::Result<Exit> {
    let mut program = Arguments::command();
    program.build();
    let mut page = Vec::new();
    Man::new(program.clone()).render(&mut page)?;
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        render_command(command, &mut page)?;
    }
    context.output.text(&page)?;
    Ok(Exit::Done)
}

fn render_command(command: &clap::Command, page: &mut Vec<u8>) -> anyhow::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_uppercase();
    page.extend_from_slice(format!(".SH {name}\n").as_bytes());
    let man = Man::new(command.clone());
    let mut section = Vec::new();
    man.render_description_section(&mut section)?;
    man.render_synopsis_section(&mut section)?;
    man.render_options_section(&mut section)?;
    // The sections of a command become subsections of its own heading.
    page.extend_from_slice(String::from_utf8_lossy(&section).replace(".SH ", ".SS ").as_bytes());
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        render_command(command, page)?;
    }
    Ok(())
}
