mod admission;
mod head;
mod key;
mod lanes;
mod locked;
mod pauses;
mod standing;
mod taking;

use longshore_core::{ClaimRequest, Timestamp};
use postgres_types::Type;

use self::locked::Locked;
use self::pauses::{Pauses, SOON};
use super::rules::{Involved, Rules};
use super::sorting::{Kinds, Sorted, Unsorted};
use crate::jobs::claim::request::ClaimValues;
use crate::jobs::claim::round::Round;
use crate::jobs::claim::{PROMOTED_MAX, tell_promoted};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::Call;
use crate::store::Parts;

/// How many notes of ended jobs, and how many lanes that are due, a claim reads.
const REOPENED_MAX: i64 = 2000;

/// What a claim under limits has come to.
pub(crate) enum LimitedRound {
    /// The rules have changed meanwhile: they must be read again.
    Changed,
    /// Nothing that has a rule can start, so the rest is claimed as usual, without these types and queues.
    Closed(Closed),
    /// It has taken some, or there was nothing.
    Taken(Box<Round>),
}

/// What a claim leaves out.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    pub(crate) types: Vec<String>,
    pub(crate) queues: Vec<String>,
    /// When something of it may start.
    pub(crate) next_look: Option<Timestamp>,
    /// Whether others held limits or lanes of it.
    pub(crate) is_busy: bool,
}

/// One round of a claim of which something has a rule.
///
/// The order of the statements is what makes it exact. It locks the limits and lanes, and only then counts what runs and
/// reads the first jobs, each in a statement of its own: a snapshot from before the lock might lack what another claim
/// has started, or what was sorted into a lane. All that it changes is committed together with the jobs it takes.
pub(crate) async fn limited_round(
    parts: &Parts,
    request: &ClaimRequest,
    values: &ClaimValues,
    rules: &Rules,
    involved: &Involved,
) -> Result<LimitedRound, Fault> {
    let kinds = Kinds::of(rules, &involved.types);
    let claim = LimitedClaim { parts, request, values, rules, involved, kinds };
    let mut pauses = Pauses::default();
    if claim.prepare(&mut pauses).await? == Known::Old {
        return Ok(LimitedRound::Changed);
    }
    let Some(locked) = Locked::begin(&claim).await? else { return Ok(LimitedRound::Changed) };
    if claim.is_closed(&locked) {
        return Ok(LimitedRound::Closed(claim.leave(locked, pauses).await?));
    }
    Ok(LimitedRound::Taken(Box::new(claim.take(locked, pauses).await?)))
}

/// A claim, and the rules that it knows.
struct LimitedClaim<'a> {
    parts: &'a Parts,
    request: &'a ClaimRequest,
    values: &'a ClaimValues,
    rules: &'a Rules,
    involved: &'a Involved,
    kinds: Kinds,
}

/// Whether the rules that a claim knows hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Current,
    Old,
}

impl LimitedClaim<'_> {
    /// Promotes due jobs, opens lanes whose time has come or of which a job has ended, and sorts new jobs into theirs.
    async fn prepare(&self, pauses: &mut Pauses) -> Result<Known, Fault> {
        let Self { parts, kinds, rules, .. } = self;
        let promote = [(&PROMOTED_MAX as _, Type::INT8)];
        let reopened = [(&REOPENED_MAX as _, Type::INT8)];
        let unsorted = [(&kinds.keyed as _, Type::TEXT_ARRAY), (&kinds.stale as _, Type::TEXT_ARRAY)];
        let calls = [
            Call { sql: sql!("claim/promote_due_jobs"), parameters: &promote },
            Call { sql: sql!("limiting/reopen_freed"), parameters: &reopened },
            Call { sql: sql!("limiting/reopen_due"), parameters: &reopened },
            Call { sql: sql!("limiting/select_unsorted"), parameters: &unsorted },
        ];
        let answers = parts.pool.session().await?.pipeline(&calls).await?;
        tell_promoted(parts, &answers[0], self.request)?;
        for row in &answers[3] {
            let job_type: String = row.try_get(0)?;
            let pointer = rules.pointer_of(&job_type).map(str::to_owned);
            match (Unsorted { job_type, pointer, version: rules.version }).sort(parts).await? {
                Sorted::All => {}
                Sorted::Some => pauses.add(SOON),
                Sorted::Old => return Ok(Known::Old),
            }
        }
        Ok(Known::Current)
    }

    /// Whether nothing that has a rule can start.
    fn is_closed(&self, locked: &Locked) -> bool {
        let Self { kinds, involved, values, .. } = self;
        let is_closed = |name: &String| locked.closed_types.contains(name) || kinds.keyed.contains(name);
        let all_closed = locked.lanes.lanes.is_empty()
            && involved.types.iter().all(is_closed)
            && involved.queues.iter().all(|name| locked.closed_queues.contains(name));
        all_closed || values.limited_room() == 0 && involved.queues.is_empty()
    }

    /// Leaves what has a rule to other claims.
    async fn leave(&self, locked: Locked, mut pauses: Pauses) -> Result<Closed, Fault> {
        if locked.lanes.are_shared {
            pauses.add(SOON);
        }
        let Locked { transaction, standing, closed_queues, .. } = locked;
        pauses.add_openings(&transaction, self.values, &standing).await?;
        let next_look = pauses.next_look(&transaction, &self.kinds, standing.now).await?;
        // The statement that claims the rest knows nothing of what is left out.
        let next_due = self.commit(transaction).await?;
        let next_look = next_look.into_iter().chain(next_due).min();
        let types = self.involved.types.clone();
        Ok(Closed { types, queues: closed_queues, next_look, is_busy: pauses.is_busy() })
    }

    async fn take(&self, mut locked: Locked, mut pauses: Pauses) -> Result<Round, Fault> {
        let choice = locked.choose(self).await?;
        let mut round = locked.take(self, &choice.chosen).await?;
        // All lanes that gave nothing are closed now, so the next round sees those behind them.
        round.may_find_more |= choice.is_cut_short();
        round.is_in_turn = choice.chosen.iter().any(|chosen| chosen.lane.is_some());
        locked.settle(&choice.chosen, &round).await?;
        let Locked { transaction, standing, lanes, .. } = locked;
        pauses.add_openings(&transaction, self.values, &standing).await?;
        if lanes.are_shared && round.leases.is_empty() && !round.may_find_more {
            pauses.add(SOON);
        }
        let next_look = pauses.next_look(&transaction, &self.kinds, round.now).await?;
        let next_due = self.commit(transaction).await?;
        round.next_due = next_due.into_iter().chain(next_look).min();
        round.is_busy = pauses.is_busy();
        Ok(round)
    }

    /// Commits, and gives when a job may become due.
    async fn commit(&self, transaction: Transaction) -> Result<Option<Timestamp>, Fault> {
        let next_due = transaction.query_opt(sql!("claim/select_next_due"), &self.values.next_due()).await?;
        transaction.commit().await?;
        Ok(next_due.map_or(Ok(None), |row| Columns::of(&row).optional_instant())?)
    }
}
