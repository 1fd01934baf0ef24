use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use longshore_core::{
    AppliedSchedules, ApplySchedules, ScheduleDefinition, ScheduleFit, ScheduleRow, Settling, Timestamp,
};
use postgres_types::Type;

use super::schedule_row::{self, schedule_rows};
use super::settlement::Settlement;
use crate::jobs::claim::hints::Changes;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::stats::now;

/// How many schedules one statement reads or writes.
const PART: usize = 1000;

/// Makes schedules known. Only reads if nothing differs, or if that was asked for.
pub(super) async fn apply(parts: Arc<Parts>, request: ApplySchedules) -> Result<AppliedSchedules, Fault> {
    let would = {
        let transaction = parts.pool.begin_reading().await?;
        Compared::read(&transaction, &request).await?.applied
    };
    if request.dry_run || !would.has_changes() {
        return Ok(would);
    }
    let (applied, changes) = repeated(async || attempt(&parts, &request).await).await?;
    parts.claims.hints.give(changes);
    Ok(applied)
}

async fn attempt(parts: &Parts, request: &ApplySchedules) -> Result<(AppliedSchedules, Changes), Fault> {
    let transaction = parts.pool.begin().await?;
    transaction.execute(sql!("schedules/lock_schedules"), &[]).await?;
    let now = now(&transaction).await?;
    let compared = Compared::read(&transaction, request).await?;
    let mut changes = Changes { schedules: true, ..Changes::default() };
    let mut rows = compared.rows;
    for settling in [Settling::Planned, Settling::GivenUp] {
        let due = compared.due.iter().filter(|(_, of)| *of == settling);
        let due: Vec<_> = due.filter_map(|(name, _)| rows.get(*name).cloned()).collect();
        for row in settle_before(parts, &transaction, request, settling, due, now, &mut changes).await? {
            if let Some(own) = rows.get_mut(row.name.as_str()) {
                *own = row;
            }
        }
    }
    let ApplySchedules { source, planner, .. } = request;
    let mut written = Vec::new();
    for (definition, fit) in &compared.fits {
        match (fit, rows.remove(definition.name.as_str())) {
            (ScheduleFit::Same, _) => {}
            (_, None) => written.push(ScheduleRow::begin(definition, *source, &**planner, now)),
            (_, Some(mut row)) => {
                row.define(definition, *source, &**planner, now);
                written.push(row);
            }
        }
    }
    for part in written.chunks(PART) {
        schedule_row::write(&transaction, part).await?;
    }
    schedule_row::delete(&transaction, &compared.applied.removed).await?;
    transaction.commit().await?;
    Ok((compared.applied, changes))
}

/// Decides what is due before the definitions are replaced.
async fn settle_before(
    parts: &Parts,
    transaction: &Transaction,
    request: &ApplySchedules,
    settling: Settling,
    due: Vec<ScheduleRow>,
    now: Timestamp,
    changes: &mut Changes,
) -> Result<Vec<ScheduleRow>, Fault> {
    let ApplySchedules { planner, decided_by, .. } = request;
    let settlement = Settlement { parts, transaction, planner: &**planner, decided_by, settling, now };
    let due: Vec<_> = due.into_iter().filter_map(|row| row.parsed().ok().map(|own| (row, own))).collect();
    let settled = settlement.settle(due, changes).await?;
    // One that cannot be settled is replaced all the same, and starts from where it was.
    Ok(settled.into_iter().filter_map(|settled| settled.ok().map(|settled| settled.row)).collect())
}

/// The definitions beside what is there.
struct Compared<'r> {
    fits: Vec<(&'r ScheduleDefinition, ScheduleFit)>,
    /// What must be settled first, and how.
    due: Vec<(&'r str, Settling)>,
    rows: HashMap<String, ScheduleRow>,
    applied: AppliedSchedules,
}

impl<'r> Compared<'r> {
    async fn read(session: &Session, request: &'r ApplySchedules) -> Result<Self, Fault> {
        // Of several with one name the last one counts.
        let by_name: BTreeMap<&str, &ScheduleDefinition> =
            request.definitions.iter().map(|definition| (definition.name.as_str(), definition)).collect();
        let names: Vec<&str> = by_name.keys().copied().collect();
        let rows = read(session, &names).await?;
        let mut applied = AppliedSchedules::default();
        let (mut fits, mut due) = (Vec::new(), Vec::new());
        for (name, definition) in by_name {
            let row = rows.get(name);
            let fit = row.map_or(ScheduleFit::New, |row| row.fit(definition, request.source));
            applied.add(name, fit);
            due.extend(row.and_then(|row| row.settling_before(definition, fit)).map(|settling| (name, settling)));
            fits.push((definition, fit));
        }
        applied.removed = pruned(session, request, &names).await?;
        Ok(Self { fits, due, rows, applied })
    }
}

async fn read(session: &Session, names: &[&str]) -> Result<HashMap<String, ScheduleRow>, Fault> {
    let mut rows = HashMap::new();
    for part in names.chunks(PART) {
        let (after, limit) = ("", part.len() as i64);
        let parameters: [Parameter<'_>; 3] = [(&part, Type::TEXT_ARRAY), (&after, Type::TEXT), (&limit, Type::INT8)];
        let page = session.query(sql!("schedules/select_schedules"), &parameters).await?;
        rows.extend(schedule_rows(&page)?.into_iter().map(|row| (row.name.clone(), row)));
    }
    Ok(rows)
}

/// The schedules of the source that are not among the definitions, if these are to go.
async fn pruned(session: &Session, request: &ApplySchedules, names: &[&str]) -> Result<Vec<String>, Fault> {
    if !request.prune {
        return Ok(Vec::new());
    }
    let given: BTreeSet<&str> = names.iter().copied().collect();
    let source = request.source.as_str();
    let rows = session.query(sql!("schedules/select_names_of_source"), &[(&source, Type::TEXT)]).await?;
    let mut pruned: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    pruned.retain(|name| !given.contains(name.as_str()));
    Ok(pruned)
}
