use longshore_core::DeedOutcome;
use longshore_report::AuditPage;

use crate::arguments::AuditArguments;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::exit::Exit;
use crate::output::relative_time::relative;
use crate::output::table::Table;

/// Runs `longshore audit`.
pub(crate) fn run(context: &Context, arguments: AuditArguments) -> anyhow::Result<Exit> {
    context.block_on(async {
        let database = Database::open(context, Prepare::Nothing).await?;
        let request = arguments.request();
        let limit = request.limit;
        let page = AuditPage::new(database.audit_page(request).await?, limit);
        context.output.result(&page, |output| output.table(&table(context, &page)))?;
        if page.entries.is_empty() {
            context.output.note_empty("no entry matches: nobody has changed anything by hand");
        }
        Ok(Exit::Done)
    })
}

fn table(context: &Context, page: &AuditPage) -> Table {
    let mut table = Table::new(&["AT", "WHO", "VIA", "ACTION", "TARGET", "OUTCOME", "CHANGED", "ERROR"]).wrapped();
    for entry in &page.entries {
        let outcome = match entry.outcome {
            DeedOutcome::Unfinished => "not finished".to_owned(),
            outcome => outcome.as_str().to_owned(),
        };
        table.row(&[
            relative(entry.at, context.now()),
            entry.actor.clone(),
            entry.via.clone(),
            entry.action.replace('_', " "),
            entry.target.clone(),
            outcome,
            entry.changed.map_or_else(|| "-".to_owned(), |changed| changed.to_string()),
            entry.error.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table.right(&[6]).text(&[1, 4, 7]).optional(&[7, 2]).state(5)
}
