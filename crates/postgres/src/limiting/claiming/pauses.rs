use std::time::Duration;

use longshore_core::Timestamp;
use postgres_types::Type;

use super::standing::{Opening, Standing};
use crate::jobs::claim::request::ClaimValues;
use crate::limiting::sorting::Kinds;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::Parameter;

/// When to look again behind another claim, or while jobs are sorted.
pub(super) const SOON: Duration = Duration::from_millis(10);
/// When to look again while all places are taken. Whoever frees one says so; this is for a hint that was lost.
const FULL: Duration = Duration::from_millis(250);

/// When to look again because of limits.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    after: Option<Duration>,
    at: Option<Timestamp>,
}

impl Pauses {
    pub(super) fn add(&mut self, pause: Duration) {
        self.after = self.after.into_iter().chain([pause]).min();
    }

    pub(super) fn is_busy(&self) -> bool {
        self.after.is_some_and(|after| after <= SOON)
    }

    /// The limits that let nothing start now although jobs wait.
    pub(super) async fn add_openings(
        &mut self,
        transaction: &Transaction,
        values: &ClaimValues,
        standing: &Standing,
    ) -> Result<(), Fault> {
        let now = standing.now;
        let closed: Vec<_> = standing.limits.iter().filter(|limit| !limit.opening(now).is_open()).collect();
        if closed.is_empty() {
            return Ok(());
        }
        let names = |is_queue: bool| -> Vec<&str> {
            closed.iter().filter(|limit| limit.is_queue == is_queue).map(|limit| limit.name.as_str()).collect()
        };
        let (types, queues) = (names(false), names(true));
        let parameters: [Parameter<'_>; 3] =
            [(&types, Type::TEXT_ARRAY), (&queues, Type::TEXT_ARRAY), (&values.job_types, Type::TEXT_ARRAY)];
        for row in transaction.query(sql!("limiting/select_waiting"), &parameters).await? {
            let (name, is_queue): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
            let of = closed.iter().filter(|limit| limit.is_queue == is_queue && limit.name == name);
            of.for_each(|limit| self.add_opening(limit.opening(now), now));
        }
        Ok(())
    }

    pub(super) fn add_opening(&mut self, opening: Opening, now: Timestamp) {
        match opening {
            Opening::Open(_) => {}
            Opening::Busy => self.add(SOON),
            Opening::Full => self.add(FULL),
            Opening::At(at) => self.at = self.at.into_iter().chain([at.max(now)]).min(),
        }
    }

    pub(super) async fn next_look(
        &mut self,
        transaction: &Transaction,
        kinds: &Kinds,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Fault> {
        let mut of_lanes = None;
        if !kinds.keyed.is_empty() {
            let types = [(&kinds.keyed as _, Type::TEXT_ARRAY)];
            if let Some(row) = transaction.query_opt(sql!("limiting/select_next_opening"), &types).await? {
                let columns = &mut Columns::of(&row);
                of_lanes = columns.optional_instant()?;
                if columns.read()? {
                    self.add(FULL);
                }
            }
        }
        Ok(self.after.map(|after| now.after(after)).into_iter().chain(self.at).chain(of_lanes).min())
    }
}
