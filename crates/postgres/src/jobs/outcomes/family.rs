use longshore_core::{DeadLetterReason, JobId, Status, Timestamp};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Session;

/// A job that has ended without completing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GivenUp {
    pub(crate) id: JobId,
    pub(crate) status: Status,
    pub(crate) at: Timestamp,
}

/// Gives up the jobs that wait for these ones, and those that wait for them. It must come after the statement that ended
/// them, in the same transaction.
pub(crate) async fn give_up_children(session: &Session, mut ended: Vec<GivenUp>) -> Result<(), Fault> {
    // A blocked job is no longer blocked when its own children are looked for, so even a circle comes to an end.
    while !ended.is_empty() {
        let children = blocked_children(session, &ended).await?;
        if children.is_empty() {
            return Ok(());
        }
        ended = bury(session, &children).await?;
    }
    Ok(())
}

/// A job that waits for one that was given up.
struct Child {
    id: JobId,
    parent: GivenUp,
}

async fn blocked_children(session: &Session, parents: &[GivenUp]) -> Result<Vec<Child>, Error> {
    let ids: Vec<i64> = parents.iter().map(|parent| parent.id.0).collect();
    let rows = session.query(sql!("jobs/select_blocked_children"), &[(&ids, Type::INT8_ARRAY)]).await?;
    let mut children = Vec::with_capacity(rows.len());
    for row in &rows {
        let columns = &mut Columns::of(row);
        let (id, parent) = (columns.id()?, columns.id()?);
        children.extend(parents.iter().find(|ended| ended.id == parent).map(|parent| Child { id, parent: *parent }));
    }
    Ok(children)
}

async fn bury(session: &Session, children: &[Child]) -> Result<Vec<GivenUp>, Error> {
    let ids: Vec<i64> = children.iter().map(|child| child.id.0).collect();
    let reason = |parent: &GivenUp| DeadLetterReason::ParentEnded { parent: parent.id, status: parent.status };
    let reasons: Vec<String> = children.iter().map(|child| reason(&child.parent).to_string()).collect();
    let ends: Vec<Instant> = children.iter().map(|child| Instant(child.parent.at)).collect();
    let values: [_; 3] =
        [(&ids as _, Type::INT8_ARRAY), (&reasons as _, Type::TEXT_ARRAY), (&ends as _, Type::TIMESTAMPTZ_ARRAY)];
    let rows = session.query(sql!("jobs/bury_blocked_jobs"), &values).await?;
    let buried: Vec<JobId> = rows.iter().map(|row| Columns::of(row).id()).collect::<Result<_, _>>()?;
    let given_up = children.iter().filter(|child| buried.contains(&child.id));
    Ok(given_up.map(|child| GivenUp { id: child.id, status: Status::DeadLetter, at: child.parent.at }).collect())
}
