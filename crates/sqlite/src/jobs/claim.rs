use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{ClaimRequest, Claimed, Clock, JobId, Lease, QueueScope, Status, StoreError, Timestamp};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::jobs::claim::inbox::{Mailbox, Offered};
use crate::jobs::claim::lanes::Scope;
use crate::jobs::claim::next_due::NextDue;
use crate::jobs::claim::nothing_ready::NothingReady;
use crate::jobs::claim::offers::{Offer, Offers, Slots};
use crate::jobs::claim::runs::{Candidates, choose, given_lease};
use crate::jobs::family::Family;
use crate::jobs::outcomes::checkpoint::add_checkpoints;
use crate::jobs::overdue::end_waiting;
use crate::jobs::stuck::unless_refused;
use crate::limits::claim_bounds::ClaimBounds;
use crate::limits::limit_cache::LimitCache;
use crate::limits::limited;
use crate::limits::limited::{Limited, has_open};
use crate::workers::given::GivenClaims;
use crate::workers::held::HeldLease;
use crate::writing::session::{Session, WriteTx, data_version, is_of_a_row};
use crate::writing::work::{Effect, Work};

pub(crate) mod due;
pub(crate) mod inbox;
pub(crate) mod lanes;
mod next_due;
pub(crate) mod nothing_ready;
pub(crate) mod offers;
pub(crate) mod runs;

/// How many due jobs one claim promotes. The next claim continues, because `next_due` has passed.
const PROMOTED_MAX: u32 = 1000;

/// Promotes due jobs and claims runnable ones.
pub(crate) struct Claim {
    request: ClaimRequest,
    inbox: Option<Arc<Mailbox>>,
    given: Arc<GivenClaims>,
    clock: Arc<dyn Clock>,
}

impl Claim {
    pub(crate) fn new(
        mut request: ClaimRequest,
        inbox: Option<Arc<Mailbox>>,
        given: Arc<GivenClaims>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        // A type that is given twice counts once. Otherwise its jobs would be chosen twice.
        let types: BTreeSet<&String> = request.job_types.iter().collect();
        if types.len() < request.job_types.len() {
            request.job_types = types.into_iter().cloned().collect();
        }
        Self { request, inbox, given, clock }
    }
}

/// What the worker offers in addition to its claim.
#[derive(Debug, Default)]
struct BegunOffer {
    /// With SQLite's counter of other connections' commits.
    offered: Option<(Offered, i64)>,
    /// The queues of leases that the worker has not yet taken from its inbox. It asks for that many jobs too many.
    unread: Vec<String>,
}

impl Work for Claim {
    type Answer = Claimed;
    const DOING: &'static str = "claiming jobs";
    const EFFECT: Effect = Effect::Told;

    fn rows(&self) -> usize {
        self.request.limit as usize
    }

    /// An idle worker asks often, so it must not take the write lock to learn that there is nothing to claim.
    fn look(&mut self, session: &Session) -> Result<Option<Claimed>, Fault> {
        self.check_worker(&session.connection)?;
        // Before the read: a commit of another process in between must make the offer outdated.
        let begun = self.begin_offer(&session.offers, &session.connection)?;
        // The rules of a limit that has changed are read by a write.
        if !session.is_schema_checked()? {
            return Ok(None);
        }
        // A repeated request first: its answer is what it was given before, whatever is ready now.
        if let Some(claimed) = self.given_before(&session.connection, self.clock.now())? {
            return Ok(Some(claimed));
        }
        let now = self.clock.now();
        // A due job is not in the claim index until a write promotes it.
        let mut due = NextDue::read(&session.connection, &self.request)?;
        let mut bounds = self.bounds(&session.connection, &session.limits, now)?;
        let opening = bounds.as_ref().map(|bounds| bounds.next_opening(&session.connection)).transpose()?.flatten();
        due.meet(opening);
        if due.of_any.is_some_and(|instant| instant <= now) {
            return Ok(None);
        }
        if self.has_ready(session, bounds.as_mut(), opening)? {
            return Ok(None);
        }
        self.leave_offer(&session.offers, begun, &[], due.of_any);
        Ok(Some(Claimed { leases: Vec::new(), next_due: due.from(now), now }))
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Claimed, Fault> {
        self.check_worker(tx.connection)?;
        let begun = self.begin_offer(tx.offers, tx.connection)?;
        if let Some(claimed) = self.given_before(tx.connection, tx.now)? {
            return Ok(claimed);
        }
        // Due jobs must be in the index before anything is chosen, so that the order is right.
        promote(tx)?;
        let request = self.less(&begun.unread);
        let (mut chosen, opening) = self.choose(tx, &request)?;
        end_overdue(tx, &chosen)?;
        chosen.charge_lapsed(&self.request.worker_id);
        let is_full = chosen.leases().len() >= request.limit as usize || chosen.is_cut_short();
        if !chosen.is_empty() {
            // Before the commit: if the commit fails, it is unknown whether it happened.
            self.given.give(&self.request, chosen.leases());
            self.take(tx, &mut chosen)?;
            chosen.add_checkpoints(tx.connection)?;
        }
        // After the promotion and the end of overdue jobs, which may have left some for the next claim.
        let mut due = NextDue::read(tx.connection, &self.request)?;
        due.meet(opening);
        let next_due = if chosen.is_cut_short() { Some(Duration::ZERO) } else { due.from(tx.now) };
        // A full claim has left ready jobs behind. A new job must not overtake them through an offer.
        if !is_full {
            self.leave_offer(tx.offers, begun, chosen.queues(), due.of_any);
        }
        Ok(Claimed { leases: chosen.into_leases(), next_due, now: tx.now })
    }
}

impl Claim {
    /// While the row exists, no other worker was given its jobs.
    fn check_worker(&self, connection: &Connection) -> Result<(), Fault> {
        let worker_id = &self.request.worker_id;
        let is_registered: bool = connection
            .prepare_cached(include_str!("../sql/claim/is_worker_registered.sql"))?
            .query_row([worker_id.as_str()], |row| row.get(0))?;
        if is_registered {
            return Ok(());
        }
        Err(StoreError::WorkerGone { worker_id: worker_id.clone() }.into())
    }

    /// Reads only if a job has changed since the last read that found nothing. Otherwise each read may visit thousands
    /// of paused queues with jobs of the worker's types.
    fn has_ready(
        &self,
        session: &Session,
        bounds: Option<&mut ClaimBounds>,
        opening: Option<Timestamp>,
    ) -> rusqlite::Result<bool> {
        let ClaimRequest { job_types, scope, .. } = &self.request;
        // Before the read, so that the next call notices a commit that happens during it.
        let nothing = NothingReady {
            job_types: Arc::clone(job_types),
            scope: scope.clone(),
            takes_limited: self.request.limited_max > 0,
            opening,
            mark: session.moves_mark()?,
        };
        if session.nothing_ready.borrow().as_ref() == Some(&nothing) {
            return Ok(false);
        }
        let (scope, connection) = (Scope::of(&self.request), &session.connection);
        let has_ready = match bounds {
            None => scope.has_ready(connection, None)?,
            Some(bounds) => scope.has_ready(connection, Some(&mut *bounds))? || has_open(connection, &scope, bounds)?,
        };
        session.nothing_ready.replace((!has_ready).then_some(nothing));
        Ok(has_ready)
    }

    /// What the limits leave free, if there are any.
    fn bounds(
        &self,
        connection: &Connection,
        limits: &LimitCache,
        now: Timestamp,
    ) -> rusqlite::Result<Option<ClaimBounds>> {
        if limits.is_empty() {
            return Ok(None);
        }
        ClaimBounds::read(connection, limits.set(), &self.request, now).map(Some)
    }

    /// Chooses jobs, and writes what that changes at the limits. Also answers when a closed limit opens.
    fn choose(
        &self,
        tx: &mut WriteTx<'_, '_>,
        request: &ClaimRequest,
    ) -> Result<(Candidates, Option<Timestamp>), Fault> {
        let scope = Scope::of(request);
        if tx.limits.is_empty() {
            return Ok((choose(tx.connection, &scope, request.limit, tx.now, None)?, None));
        }
        let set = tx.limits.set();
        let bounds = limited::prepare(tx, &set, request)?;
        let mut limits = Limited::new(tx.connection, &scope, bounds)?;
        let chosen = choose(tx.connection, &scope, request.limit, tx.now, Some(&mut limits))?;
        Ok((chosen, limits.save(tx.connection)?))
    }

    /// The answer to a request that was committed before: the leases that the worker still has. If the commit failed,
    /// the request was carried out if the worker has any of its leases. Otherwise it runs as if for the first time.
    fn given_before(&self, connection: &Connection, now: Timestamp) -> rusqlite::Result<Option<Claimed>> {
        let Some(given) = self.given.before(&self.request) else { return Ok(None) };
        let mut leases = Vec::with_capacity(given.leases.len());
        for (id, claim_number) in &given.leases {
            leases.extend(given_lease(connection, &self.request.worker_id, *id, *claim_number)?);
        }
        add_checkpoints(connection, &mut leases)?;
        if leases.is_empty() && !given.is_committed {
            return Ok(None);
        }
        let next_due = NextDue::read(connection, &self.request)?.from(now);
        Ok(Some(Claimed { leases, next_due, now }))
    }

    /// This claim ends the worker's earlier offer.
    fn begin_offer(&self, offers: &RefCell<Offers>, connection: &Connection) -> rusqlite::Result<BegunOffer> {
        let Some(inbox) = &self.inbox else { return Ok(BegunOffer::default()) };
        offers.borrow_mut().withdraw(&self.request.worker_id);
        let (offered, unread) = inbox.rest();
        Ok(BegunOffer { offered: Some((offered, data_version(connection)?)), unread })
    }

    /// Nothing more can be claimed now. Stores the worker's offer, reduced by what it got from these queues.
    fn leave_offer(&self, offers: &RefCell<Offers>, begun: BegunOffer, got: &[Arc<str>], next_due: Option<Timestamp>) {
        let (Some(inbox), Some((offered, data_version))) = (&self.inbox, begun.offered) else { return };
        let unread = begun.unread.iter().map(String::as_str);
        offers.borrow_mut().stand(Offer {
            worker_id: self.request.worker_id.clone(),
            mailbox: Arc::clone(inbox),
            job_types: Arc::clone(&self.request.job_types),
            slots: Slots::new(offered, &self.request.scope, got.iter().map(|queue| &**queue).chain(unread)),
            next_due,
            data_version,
        });
    }

    /// The request, reduced by the leases in the worker's inbox that it did not know about.
    fn less(&self, unread: &[String]) -> Cow<'_, ClaimRequest> {
        if unread.is_empty() {
            return Cow::Borrowed(&self.request);
        }
        let mut request = self.request.clone();
        for queue in unread {
            request.limit = request.limit.saturating_sub(1);
            if let QueueScope::Only(limits) = &mut request.scope
                && let Some(limit) = limits.iter_mut().find(|limit| limit.queue == *queue)
            {
                limit.limit = limit.limit.saturating_sub(1);
            }
        }
        Cow::Owned(request)
    }

    fn take(&self, tx: &mut WriteTx<'_, '_>, chosen: &mut Candidates) -> Result<(), Fault> {
        let worker_id = &self.request.worker_id;
        let taken = self.update(tx, chosen.leases());
        if !taken.as_ref().is_ok_and(|taken| *taken == chosen.leases().len()) {
            match taken {
                Err(error) if !is_of_a_row(&error) || tx.connection.is_autocommit() => return Err(error.into()),
                _ => self.take_each(tx, chosen)?,
            }
        }
        if !chosen.lapsed().is_empty() {
            let ids = column::ids(chosen.lapsed().iter().copied());
            let sql = include_str!("../sql/claim/settle_lapsed_jobs.sql");
            tx.connection.prepare_cached(sql)?.execute(params![ids, worker_id.as_str()])?;
        }
        let leases = chosen.leases();
        for lease in leases {
            tx.counts.moved(&lease.queue, Status::Pending, Status::Running);
        }
        let held = leases.iter().zip(chosen.queues()).map(|(lease, queue)| (lease.id, remember(lease, queue)));
        tx.held.give(worker_id, held);
        Ok(())
    }

    fn update(&self, tx: &WriteTx<'_, '_>, leases: &[Lease]) -> rusqlite::Result<usize> {
        let ids = column::ids(leases.iter().map(|lease| lease.id));
        tx.connection.prepare_cached(include_str!("../sql/claim/claim_jobs.sql"))?.execute(params![
            ids,
            self.request.worker_id.as_str(),
            tx.now.as_ms()
        ])
    }

    /// The statement stopped at a row that a constraint rejects. What it took before stays taken, the row is given up,
    /// and the others are taken one by one.
    fn take_each(&self, tx: &mut WriteTx<'_, '_>, chosen: &mut Candidates) -> Result<(), Fault> {
        let mut refused = HashSet::new();
        for lease in chosen.leases() {
            if self.is_taken(tx, lease)? {
                continue;
            }
            let done = self.update(tx, std::slice::from_ref(lease));
            if unless_refused(tx, lease.id, done)? != Some(1) {
                refused.insert(lease.id);
            }
        }
        chosen.leave_out(&refused);
        Ok(())
    }

    fn is_taken(&self, tx: &WriteTx<'_, '_>, lease: &Lease) -> rusqlite::Result<bool> {
        tx.connection.prepare_cached(include_str!("../sql/claim/is_running.sql"))?.exists(params![
            lease.id.0,
            self.request.worker_id.as_str(),
            lease.claim_number.0
        ])
    }
}

fn remember(lease: &Lease, queue: &Arc<str>) -> HeldLease {
    HeldLease { claim_number: lease.claim_number, queue: Arc::clone(queue), ready_at: lease.ready_at }
}

/// In the transaction of the claim, so that no later claim finds them again.
fn end_overdue(tx: &mut WriteTx<'_, '_>, chosen: &Candidates) -> Result<(), Fault> {
    if chosen.overdue().is_empty() {
        return Ok(());
    }
    let family = Family::read(tx.connection)?;
    for (job, overdue) in chosen.overdue() {
        end_waiting(tx, family, job, *overdue)?;
    }
    Ok(())
}

/// A job whose instant has come.
struct DueJob {
    id: JobId,
    queue: String,
    status: Status,
    job_type: String,
}

fn promote(tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
    let mut statement = tx.connection.prepare_cached(include_str!("../sql/claim/select_due_jobs.sql"))?;
    let due: Vec<DueJob> = statement
        .query_map(params![tx.now.as_ms(), PROMOTED_MAX], |row| {
            Ok(DueJob {
                id: column::id(row, 0)?,
                queue: column::text(row, 1)?,
                status: column::status(row, 2)?,
                job_type: column::text(row, 3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    if due.is_empty() {
        return Ok(());
    }
    let promote = |tx: &WriteTx<'_, '_>, jobs: &[DueJob]| {
        let ids = column::ids(jobs.iter().map(|job| job.id));
        tx.connection.prepare_cached(include_str!("../sql/claim/promote_jobs.sql"))?.execute([ids])
    };
    match promote(tx, &due) {
        Ok(_) => due.iter().for_each(|job| tx.counts.moved(&job.queue, job.status, Status::Pending)),
        Err(error) if !is_of_a_row(&error) || tx.connection.is_autocommit() => return Err(error.into()),
        Err(_) => {
            for job in &due {
                let done = promote(tx, std::slice::from_ref(job));
                if unless_refused(tx, job.id, done)? == Some(1) {
                    tx.counts.moved(&job.queue, job.status, Status::Pending);
                }
            }
        }
    }
    // Another worker may be idle and know a type that this one does not know.
    due.iter().for_each(|job| tx.wake_for(Some(&job.job_type), &job.queue));
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
