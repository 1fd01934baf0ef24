use longshore_core::{JobId, Overdue, Timestamp};
use postgres_types::Type;

use super::claim_row::FoundJob;
use crate::jobs::outcomes::ended_attempts::{ended_code, status_of};
use crate::jobs::outcomes::family::{GivenUp, give_up_children};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};
use crate::store::Parts;

/// How many jobs of a lane one look for overdue ones reads.
const LOOKED_AT_MAX: i64 = 1000;

/// Ready jobs that no attempt may begin any more, as the columns of `claim/end_overdue_jobs.sql`.
#[derive(Debug, Default)]
pub(super) struct OverdueJobs {
    job_types: Vec<String>,
    queues: Vec<String>,
    ranks: Vec<i32>,
    agains: Vec<bool>,
    ids: Vec<i64>,
    statuses: Vec<i16>,
    reasons: Vec<String>,
}

/// Where a ready job is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) job_type: String,
    pub(super) queue: String,
    pub(super) rank: i32,
    pub(super) again: bool,
}

impl OverdueJobs {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn add(&mut self, found: &FoundJob, overdue: Overdue) {
        self.push(found.lane(), found.lease.id, overdue);
    }

    fn push(&mut self, lane: Lane, id: JobId, overdue: Overdue) {
        self.job_types.push(lane.job_type);
        self.queues.push(lane.queue);
        self.ranks.push(lane.rank);
        self.agains.push(lane.again);
        self.ids.push(id.0);
        self.statuses.push(ended_code(overdue.status()));
        self.reasons.push(overdue.reason().to_string());
    }

    /// The lanes that they are in.
    fn lanes(&self) -> Vec<Lane> {
        let mut lanes: Vec<Lane> = Vec::new();
        for place in 0..self.ids.len() {
            let lane = Lane {
                job_type: self.job_types[place].clone(),
                queue: self.queues[place].clone(),
                rank: self.ranks[place],
                again: self.agains[place],
            };
            if !lanes.contains(&lane) {
                lanes.push(lane);
            }
        }
        lanes
    }

    /// Adds what else is overdue at the start of their lanes, so that any number of them costs few rounds of a claim.
    pub(super) async fn look_around(&mut self, parts: &Parts, now: Timestamp) -> Result<(), Fault> {
        let session = parts.pool.session().await?;
        for lane in self.lanes() {
            let values: [Parameter<'_>; 5] = [
                (&lane.job_type, Type::TEXT),
                (&lane.queue, Type::TEXT),
                (&lane.rank, Type::INT4),
                (&lane.again, Type::BOOL),
                (&LOOKED_AT_MAX, Type::INT8),
            ];
            for row in session.query(sql!("claim/select_overdue_of_lane"), &values).await? {
                let columns = &mut Columns::of(&row);
                let (id, time) = (columns.id()?, columns.time_bounds()?);
                if let Some(overdue) = time.overdue_at(now).filter(|_| !self.ids.contains(&id.0)) {
                    self.push(lane.clone(), id, overdue);
                }
            }
        }
        Ok(())
    }

    /// Ends them, and gives up their children.
    pub(super) async fn end(&self, parts: &Parts) -> Result<(), Fault> {
        let values = self.values();
        let calls = [Call { sql: sql!("claim/end_overdue_jobs"), parameters: &values }];
        let (transaction, answers) = parts.pool.begin_with(&calls).await?;
        let mut given_up = Vec::new();
        for row in answers.into_iter().flatten() {
            let columns = &mut Columns::of(&row);
            let (id, at) = (columns.id()?, columns.instant()?);
            let place = self.ids.iter().position(|known| *known == id.0);
            let status = place.map(|place| status_of(self.statuses[place]));
            given_up.extend(status.map(|status| GivenUp { id, status, at }));
        }
        give_up_children(&transaction, given_up).await?;
        Ok(transaction.commit().await?)
    }

    fn values(&self) -> [Parameter<'_>; 7] {
        [
            (&self.job_types, Type::TEXT_ARRAY),
            (&self.queues, Type::TEXT_ARRAY),
            (&self.ranks, Type::INT4_ARRAY),
            (&self.agains, Type::BOOL_ARRAY),
            (&self.ids, Type::INT8_ARRAY),
            (&self.statuses, Type::INT2_ARRAY),
            (&self.reasons, Type::TEXT_ARRAY),
        ]
    }
}
