use std::collections::{BinaryHeap, HashSet};
use std::sync::{Arc, LazyLock};

use longshore_core::{Budgets, ClaimNumber, JobId, Lease, Overdue, Status, Timestamp, WorkerId};
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, Rows, Statement, params};

use crate::database::column;
use crate::database::column::Columns;
use crate::jobs::claim::lanes::{Head, Lane, Scope};
use crate::jobs::outcomes::checkpoint::add_checkpoints;
use crate::jobs::overdue::{WaitingJob, time_bounds};
use crate::limits::limited::Limited;
use crate::limits::turns::Turns;

/// How many statements read runs side by side. Further runs are read job by job.
const RUNS_MAX: usize = 64;
/// The same statement as often as one claim uses it at a time. The connection keeps one statement for each text, so
/// the texts differ in a comment.
static RUN_STATEMENTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let sql = include_str!("../../sql/claim/select_claim_run.sql").trim_end();
    (0..RUNS_MAX).map(|place| format!("{sql} -- {place}")).collect()
});
/// How many overdue jobs one claim ends. The next claim continues after them.
const OVERDUE_MAX: usize = 1000;

/// Jobs that a claim has chosen. Their claim numbers are already increased.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    leases: Vec<Lease>,
    queues: Vec<Arc<str>>,
    /// Jobs that a worker lost because it did not extend its lease, with that worker. Usually empty.
    lapsed: Vec<(usize, WorkerId)>,
    lapsed_ids: Vec<JobId>,
    /// Jobs that came first but may not start any more. Usually empty.
    overdue: Vec<(WaitingJob, Overdue)>,
    has_left_out: bool,
}

impl Candidates {
    pub(crate) fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    pub(crate) fn leases(&self) -> &[Lease] {
        &self.leases
    }

    /// The queue of each lease, shared.
    pub(crate) fn queues(&self) -> &[Arc<str>] {
        &self.queues
    }

    /// Claiming a job that another worker lost spends a crash. The lease must say what the row will say.
    pub(crate) fn charge_lapsed(&mut self, worker_id: &WorkerId) {
        for (place, lost_by) in std::mem::take(&mut self.lapsed) {
            let lease = &mut self.leases[place];
            self.lapsed_ids.push(lease.id);
            if lost_by != *worker_id {
                lease.budgets.crash_count = lease.budgets.crash_count.saturating_add(1);
            }
        }
    }

    /// Jobs that were charged, or that the same worker claims again.
    pub(crate) fn lapsed(&self) -> &[JobId] {
        &self.lapsed_ids
    }

    /// Overdue jobs that the claim must end instead.
    pub(crate) fn overdue(&self) -> &[(WaitingJob, Overdue)] {
        &self.overdue
    }

    /// Whether there may be more behind: the claim met too many overdue jobs, or jobs that could not be taken.
    pub(crate) const fn is_cut_short(&self) -> bool {
        self.has_left_out || self.overdue.len() >= OVERDUE_MAX
    }

    /// Removes the jobs that could not be taken.
    pub(crate) fn leave_out(&mut self, refused: &HashSet<JobId>) {
        self.has_left_out |= !refused.is_empty();
        let kept = self.leases.iter().map(|lease| !refused.contains(&lease.id)).collect::<Vec<_>>();
        let mut keeps = kept.iter().copied();
        self.leases.retain(|_| keeps.next().unwrap_or(true));
        let mut keeps = kept.iter().copied();
        self.queues.retain(|_| keeps.next().unwrap_or(true));
    }

    /// Adds the first job of a run or a lane, whatever is to be done with it.
    pub(crate) fn add(&mut self, found: Found, queue: &Arc<str>) {
        match found {
            Found::Job { lease, lost_by } => self.take(*lease, lost_by, queue),
            Found::Overdue(job, overdue) => self.overdue.push((job, overdue)),
            Found::Unusable => {}
        }
    }

    /// The claim has not looked at all that may be there.
    pub(crate) const fn cut_short(&mut self) {
        self.has_left_out = true;
    }

    fn take(&mut self, mut lease: Lease, lost_by: Option<String>, queue: &Arc<str>) {
        if let Some(lost_by) = lost_by {
            self.lapsed.push((self.leases.len(), WorkerId::from_stored(&lost_by)));
        }
        // The claim increases it. The lease must say what the row will say.
        lease.claim_number = ClaimNumber(lease.claim_number.0.saturating_add(1));
        self.leases.push(lease);
        self.queues.push(Arc::clone(queue));
    }

    /// Adds what earlier attempts of the jobs have stored.
    pub(crate) fn add_checkpoints(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        add_checkpoints(connection, &mut self.leases)
    }

    pub(crate) fn into_leases(self) -> Vec<Lease> {
        self.leases
    }
}

/// Chooses up to `limit` ready jobs by priority and then by id, within the limit of each queue.
///
/// Each lane is one sorted run of the claim index. The runs are merged by their first jobs, and only a run that
/// contributes is read. So the cost depends only on what is taken.
///
/// Jobs of limited types are not in the claim index. Each queue of such a type is one more run, whose first job is that of
/// the lane whose turn it is.
pub(crate) fn choose(
    connection: &Connection,
    scope: &Scope<'_>,
    limit: u32,
    now: Timestamp,
    mut limits: Option<&mut Limited>,
) -> rusqlite::Result<Candidates> {
    let lanes = scope.lanes(connection, limits.as_deref().map(|limits| &limits.bounds))?;
    if let Some(limits) = &mut limits {
        limits.meet_queues(connection, &lanes)?;
    }
    let texts = RUN_STATEMENTS.iter().take(lanes.len().min(limit as usize));
    let mut statements = texts.map(|sql| connection.prepare_cached(sql)).collect::<Result<Vec<_>, _>>()?;
    let heads = lanes.iter().enumerate().map(|(place, lane)| (lane.head, place)).collect();
    let runs = lanes.into_iter().map(Run::new).collect();
    let (rooms, chosen) = (scope.rooms(), Candidates::default());
    let mut merge = Merge { connection, heads, runs, rooms, now, chosen, limits };
    merge.add_turns()?;
    let mut free = statements.iter_mut();
    while merge.chosen.leases.len() < limit as usize && !merge.chosen.is_cut_short() {
        let Some((head, place)) = merge.heads.pop() else { break };
        if place < merge.runs.len() {
            merge.take(head, place, &mut free)?;
        } else {
            merge.take_turn(head, place)?;
        }
    }
    merge.finish()
}

/// The ready jobs of a lane while they are merged with those of the others.
struct Run<'r, 's> {
    lane: Lane<'r>,
    state: RunState<'s>,
}

enum RunState<'s> {
    /// Nothing was taken yet, and it is unknown whether the queue is paused.
    Unread,
    /// At the first job of the run.
    Reading(Rows<'s>),
    /// No statement was left for it, so each job is looked up separately.
    JobByJob,
}

impl<'r> Run<'r, '_> {
    const fn new(lane: Lane<'r>) -> Self {
        Self { lane, state: RunState::Unread }
    }
}

struct Merge<'r, 's, 'c, 'l> {
    connection: &'c Connection,
    heads: BinaryHeap<(Head, usize)>,
    runs: Vec<Run<'r, 's>>,
    rooms: Vec<u32>,
    now: Timestamp,
    chosen: Candidates,
    limits: Option<&'l mut Limited>,
}

impl<'s, 'c: 's> Merge<'_, 's, 'c, '_> {
    /// Takes the first job of a run, unless its queue has no room, and moves the run to its next job.
    fn take(
        &mut self,
        head: Head,
        place: usize,
        free: &mut impl Iterator<Item = &'s mut CachedStatement<'c>>,
    ) -> rusqlite::Result<()> {
        let Run { lane, state } = &mut self.runs[place];
        if let Some(room) = lane.room
            && self.rooms[room] == 0
        {
            // The queue has reached its limit; its runs stay where they are.
            return Ok(());
        }
        if self.limits.as_ref().is_some_and(|limits| !limits.bounds.has_room(&lane.queue)) {
            return Ok(());
        }
        if matches!(state, RunState::Unread) {
            if lane.is_paused(self.connection)? {
                return Ok(());
            }
            *state = match free.next() {
                Some(statement) => RunState::Reading(open(statement, params![lane.job_type, &*lane.queue])?),
                None => RunState::JobByJob,
            };
        }
        let taken_before = self.chosen.leases.len();
        let next = match state {
            RunState::Reading(rows) => take_row(rows, lane, self.now, &mut self.chosen)?,
            RunState::Unread | RunState::JobByJob => {
                let sql = include_str!("../../sql/claim/select_claim_run_from.sql");
                let mut statement = self.connection.prepare_cached(sql)?;
                let from = params![lane.job_type, &*lane.queue, head.start(), head.id.0];
                let mut rows = open(&mut statement, from)?;
                // A job that cannot be found again by its priority waits for the next claim.
                take_row(&mut rows, lane, self.now, &mut self.chosen)?.filter(|next| next.has_number())
            }
        };
        if self.chosen.leases.len() > taken_before {
            if let Some(room) = lane.room {
                self.rooms[room] -= 1;
            }
            if let Some(limits) = &mut self.limits {
                limits.bounds.take_room(&lane.queue, false);
            }
        }
        self.heads.extend(next.map(|head| (head, place)));
        Ok(())
    }
}

impl Merge<'_, '_, '_, '_> {
    /// Each queue of a limited type that may give a job is one more run.
    fn add_turns(&mut self) -> rusqlite::Result<()> {
        let Some(limits) = &mut self.limits else { return Ok(()) };
        for (index, turns) in limits.turns.iter_mut().enumerate() {
            let head = turns.new_head(self.connection, &mut limits.bounds)?;
            self.heads.extend(head.map(|head| (head, self.runs.len() + index)));
        }
        Ok(())
    }

    /// Takes the job whose turn it is, unless something that was taken meanwhile has closed its lane, its type or its queue.
    fn take_turn(&mut self, head: Head, place: usize) -> rusqlite::Result<()> {
        let Some(limits) = &mut self.limits else { return Ok(()) };
        let turns = &mut limits.turns[place - self.runs.len()];
        if !turns.is_current(head) {
            return Ok(());
        }
        if let Some(room) = turns.room
            && self.rooms[room] == 0
        {
            return Ok(());
        }
        let mut closed_key = None;
        if turns.head(self.connection, &mut limits.bounds)? == Some(head) {
            let taken = turns.take(self.connection, &mut limits.bounds, &mut self.chosen)?;
            if let (true, Some(room)) = (taken.is_lease, turns.room) {
                self.rooms[room] -= 1;
            }
            closed_key = taken.closed_key;
        }
        let limit = Arc::clone(&turns.limit);
        let next = turns.new_head(self.connection, &mut limits.bounds)?;
        self.heads.extend(next.map(|head| (head, place)));
        // Where this key was next in another queue, another one is now, whose job may come before what is listed.
        if let Some(key) = closed_key {
            for (index, turns) in limits.turns.iter_mut().enumerate() {
                if turns.limit.job_type == limit.job_type && turns.is_next(&key) {
                    let head = turns.new_head(self.connection, &mut limits.bounds)?;
                    self.heads.extend(head.map(|head| (head, self.runs.len() + index)));
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> rusqlite::Result<Candidates> {
        if let Some(limits) = &mut self.limits
            && (limits.bounds.is_unsorted() || limits.turns.iter().any(Turns::is_cut_short))
        {
            self.chosen.cut_short();
        }
        Ok(self.chosen)
    }
}

/// Opens a run at its first job, which is the head of the lane.
fn open<'s>(statement: &'s mut Statement<'_>, run: impl Params) -> rusqlite::Result<Rows<'s>> {
    let mut rows = statement.query(run)?;
    FallibleStreamingIterator::advance(&mut rows)?;
    Ok(rows)
}

/// What a claim has found at the front of a run or a lane.
#[derive(Debug)]
pub(crate) enum Found {
    /// A job that may start.
    Job {
        /// Its lease.
        lease: Box<Lease>,
        /// The worker that lost it because it did not extend its lease.
        lost_by: Option<String>,
    },
    /// A job that may not start any more.
    Overdue(WaitingJob, Overdue),
    /// Its claim number cannot grow, which only another program writes and which would break the fence. It is skipped, and
    /// reclaim gives it up.
    Unusable,
}

/// Reads a row of a run or a lane.
pub(crate) fn find(row: &Row<'_>, job_type: &str, queue: &str, now: Timestamp) -> rusqlite::Result<Found> {
    if !matches!(row.get_ref(2)?, ValueRef::Integer(number) if (0..i64::MAX).contains(&number)) {
        return Ok(Found::Unusable);
    }
    let mut columns = Columns::of(row);
    let (job_type, queue) = (job_type.to_owned(), queue.to_owned());
    let lease = Lease { job_type, queue, ..lease(&mut columns)? };
    Ok(match lease.budgets.time.overdue_at(now) {
        Some(overdue) => Found::Overdue(waiting(lease), overdue),
        None => Found::Job { lease: Box::new(lease), lost_by: columns.read(column::optional_text)? },
    })
}

/// Takes the current job of the run, or notes that it is overdue, and moves to the next job.
fn take_row(
    rows: &mut Rows<'_>,
    lane: &Lane<'_>,
    now: Timestamp,
    chosen: &mut Candidates,
) -> rusqlite::Result<Option<Head>> {
    let Some(row) = FallibleStreamingIterator::get(rows) else { return Ok(None) };
    chosen.add(find(row, lane.job_type, &lane.queue, now)?, &lane.queue);
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Head::read(row, 1, 0)?))
}

fn waiting(lease: Lease) -> WaitingJob {
    WaitingJob { id: lease.id, status: Status::Pending, queue: lease.queue.into(), time: lease.budgets.time }
}

/// A lease that an earlier claim gave, if the worker still has it.
pub(crate) fn given_lease(
    connection: &Connection,
    worker_id: &WorkerId,
    id: JobId,
    claim_number: ClaimNumber,
) -> rusqlite::Result<Option<Lease>> {
    connection
        .prepare_cached(include_str!("../../sql/claim/select_given_lease.sql"))?
        .query_row(params![id.0, worker_id.as_str(), claim_number.0], |row| {
            let mut columns = Columns::of(row);
            let lease = lease(&mut columns)?;
            Ok(Lease { job_type: columns.read(column::text)?, queue: columns.read(column::text)?, ..lease })
        })
        .optional()
}

/// What a lease needs and every claim reads alike; its type and its queue are the caller's to add.
fn lease(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Lease> {
    Ok(Lease {
        id: columns.read(column::id)?,
        priority: columns.read(column::priority)?,
        claim_number: ClaimNumber(columns.read(column::integer)?),
        job_data: columns.read(column::data)?,
        budgets: budgets(columns)?,
        timeout: columns.read(column::optional_seconds)?,
        ready_at: columns.read(column::timestamp)?,
        metadata: columns.read(column::optional_data)?,
        has_dependencies: columns.read(column::integer)? != 0,
        checkpoint: None,
        step_count: 0,
        job_type: String::new(),
        queue: String::new(),
    })
}

/// The three budgets and the time, in the order in which every statement names them.
pub(crate) fn budgets(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Budgets> {
    Ok(Budgets {
        retry_count: columns.read(column::count)?,
        max_retries: columns.read(column::optional_count)?,
        crash_count: columns.read(column::count)?,
        max_crashes: columns.read(column::count)?,
        deferral_count: columns.read(column::count)?,
        max_deferrals: columns.read(column::count)?,
        time: time_bounds(columns)?,
    })
}
