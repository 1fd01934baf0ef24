use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{ScheduleRow, SettleSchedules, SettledSchedules, Settling, Timestamp};
use postgres_types::Type;

use super::schedule_row::schedule_rows;
use super::settlement::Settlement;
use crate::instant::Instant;
use crate::jobs::claim::hints::Changes;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::stats::now;

/// How many schedules that cannot be settled one step passes over.
const PASSED_MAX: usize = 1000;

/// What one look says.
struct Look {
    is_due: bool,
    next_due: Option<Duration>,
}

/// Settles what is due. Only reads if nothing is.
pub(super) async fn settle(parts: Arc<Parts>, request: SettleSchedules) -> Result<SettledSchedules, Fault> {
    let looked = {
        let session = parts.pool.session().await?;
        // A statement by itself, whatever the isolation of the role is.
        read_look(session.query_opt(sql!("schedules/look_for_due"), &[]).await?)?
    };
    if !looked.is_due {
        return Ok(SettledSchedules { next_due: looked.next_due, ..SettledSchedules::default() });
    }
    let (answer, changes) = repeated(async || attempt(&parts, &request).await).await?;
    parts.claims.hints.give(changes);
    Ok(answer)
}

async fn attempt(parts: &Parts, request: &SettleSchedules) -> Result<(SettledSchedules, Changes), Fault> {
    let transaction = parts.pool.begin().await?;
    let now = now(&transaction).await?;
    let mut step = Step {
        parts,
        transaction: &transaction,
        request,
        now,
        visited: BTreeSet::new(),
        changes: Changes::default(),
        answer: SettledSchedules::default(),
    };
    step.settle_due().await?;
    step.settle_released().await?;
    let Step { visited, changes, mut answer, .. } = step;
    answer.has_more |= visited.len() - answer.unsettled.len() >= request.limit.max(1) as usize;
    answer.next_due = look(&transaction).await?.next_due;
    transaction.commit().await?;
    Ok((answer, changes))
}

/// One step of a scheduler.
struct Step<'a> {
    parts: &'a Parts,
    transaction: &'a Transaction,
    request: &'a SettleSchedules,
    now: Timestamp,
    visited: BTreeSet<String>,
    changes: Changes,
    answer: SettledSchedules,
}

impl Step<'_> {
    /// How many schedules may still be settled; none once enough were passed over.
    fn left(&self) -> i64 {
        if self.answer.unsettled.len() >= PASSED_MAX {
            return 0;
        }
        let settled = i64::try_from(self.visited.len() - self.answer.unsettled.len()).unwrap_or(i64::MAX);
        i64::from(self.request.limit.max(1)).saturating_sub(settled)
    }

    async fn settle_due(&mut self) -> Result<(), Fault> {
        let (mut due_at, mut name) = (Timestamp::MIN, String::new());
        while self.left() > 0 {
            let (until, after, limit) = (Instant(self.now), Instant(due_at), self.left());
            let parameters: [Parameter<'_>; 4] =
                [(&until, Type::TIMESTAMPTZ), (&after, Type::TIMESTAMPTZ), (&name, Type::TEXT), (&limit, Type::INT8)];
            let rows = self.transaction.query(sql!("schedules/lock_due_schedules"), &parameters).await?;
            let page = schedule_rows(&rows)?;
            let Some(last) = page.last() else { return Ok(()) };
            due_at = last.next_due_at.unwrap_or(self.now);
            name.clone_from(&last.name);
            self.visit(page).await?;
        }
        Ok(())
    }

    async fn settle_released(&mut self) -> Result<(), Fault> {
        let mut after = String::new();
        while self.left() > 0 {
            let limit = self.left();
            let parameters: [Parameter<'_>; 2] = [(&after, Type::TEXT), (&limit, Type::INT8)];
            let rows = self.transaction.query(sql!("schedules/lock_released_schedules"), &parameters).await?;
            let page = schedule_rows(&rows)?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.name);
            self.visit(page).await?;
        }
        Ok(())
    }

    async fn visit(&mut self, page: Vec<ScheduleRow>) -> Result<(), Fault> {
        let mut understood = Vec::with_capacity(page.len());
        for row in page {
            if !self.visited.insert(row.name.clone()) {
                continue;
            }
            match row.parsed() {
                Ok(definition) => understood.push((row, definition)),
                Err(reason) => {
                    self.answer.unsettled.push((row.name, format!("its definition is not understood: {reason}")));
                }
            }
        }
        let SettleSchedules { planner, decided_by, .. } = self.request;
        let settlement = Settlement {
            parts: self.parts,
            transaction: self.transaction,
            planner: &**planner,
            decided_by,
            settling: Settling::Planned,
            now: self.now,
        };
        for settled in settlement.settle(understood, &mut self.changes).await? {
            match settled {
                Ok(settled) => {
                    self.answer.has_more |= settled.row.next_due_at.is_some_and(|at| at <= self.now);
                    self.answer.ticks.extend(settled.ticks);
                    self.answer.warnings.extend(settled.warning.map(|warning| (settled.row.name, warning)));
                }
                Err((name, reason)) => self.answer.unsettled.push((name, reason.to_string())),
            }
        }
        Ok(())
    }
}

async fn look(session: &Session) -> Result<Look, Fault> {
    read_look(session.query_opt(sql!("schedules/look_for_due"), &[]).await?)
}

fn read_look(row: Option<tokio_postgres::Row>) -> Result<Look, Fault> {
    let row = row.expect("a look at one instant is one row");
    let columns = &mut Columns::of(&row);
    let (is_due, next_due_at) = (columns.read()?, columns.optional_instant()?);
    let (has_waiting, now): (bool, Timestamp) = (columns.read()?, columns.instant()?);
    let waiting = has_waiting.then_some(SettledSchedules::WAITING_LOOK);
    Ok(Look { is_due, next_due: next_due_at.map(|at| at.since(now)).into_iter().chain(waiting).min() })
}
