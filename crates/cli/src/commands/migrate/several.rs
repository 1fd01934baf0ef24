use longshore_sqlite::Prepare;

use crate::context::Context;
use crate::database::Database;
use crate::error_report::ErrorReport;
use crate::exit::Exit;
use crate::output::Format;
use crate::settings::databases::{Databases, PlacedDatabase};

type OnOne<'a> = &'a dyn Fn(&PlacedDatabase, bool) -> anyhow::Result<Exit>;

/// Runs a command on each database. An error of one is told, and the others go on; the worst exit code counts.
pub(super) fn run(context: &Context, databases: &Databases, on_one: OnOne<'_>) -> anyhow::Result<Exit> {
    let mut worst = Exit::Done;
    for (place, database) in databases.all.iter().enumerate() {
        context.output.begin_part(&database.name);
        if context.output.format() == Format::Words {
            let gap = if place == 0 { "" } else { "\n" };
            context.output.line(format!("{gap}database {database}"))?;
        }
        let exit = match on_one(database, place == 0) {
            Ok(exit) => exit,
            Err(error) => {
                let report = ErrorReport::of(&error);
                if context.output.format() == Format::Json {
                    context.output.document(&report.document())?;
                } else {
                    context.output.error(&report);
                }
                report.exit
            }
        };
        if rank(exit) > rank(worst) {
            worst = exit;
        }
    }
    context.output.end_parts()?;
    Ok(worst)
}

/// Each database gets its range of ids as soon as it has its tables: other programs may enqueue before a worker starts.
pub(super) fn number(context: &Context) {
    let opened = context.block_on(Database::open(context, Prepare::New));
    if let Err(error) = opened {
        let message = ErrorReport::of(&error).message;
        context.output.note(format!("the databases have no ranges of ids yet: {message}"));
    }
}

/// Of several exit codes the one with the highest rank counts.
const fn rank(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::NotYet => 1,
        Exit::Failed => 2,
        Exit::Usage => 3,
        Exit::Locked => 4,
        Exit::Refused => 5,
        Exit::SchemaDisagrees => 6,
        Exit::HistoryBroken => 7,
    }
}
