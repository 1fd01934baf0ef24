mod compare;
mod copy;
mod drain;
mod names;
mod undo;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_core::{
    Clock, Filter, JobId, MoveChange, MovePhase, MoveState, MovedJobsRequest, Moving, NameBounds, Selection, Status,
    StoreError, SystemClock, WorkerId,
};

use crate::error::MoveError;
use crate::report::{MoveListener, MovePlan, MoveReport, MoveStep};
use crate::standing::{Standing, States};
use compare::Compared;
use copy::FIRST;
use names::Names;

/// One of the two databases of a move.
#[derive(Clone)]
pub struct Place {
    /// The database.
    pub store: Arc<dyn Moving>,
    /// How it is named to people and in the other database: without a password, and the same each time.
    pub name: String,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A database that a queue could move to, and that has no tables yet.
#[derive(Clone, Debug)]
pub struct NewPlace {
    /// How it is named to people.
    pub name: String,
    /// The longest names of jobs that it will keep.
    pub bounds: NameBounds,
}

/// What a person decides about a move.
#[derive(Clone, Debug)]
pub struct MoveOptions {
    /// Whether completed and cancelled jobs move, too. An interrupted move keeps what it began with.
    pub takes_ended: bool,
    /// How long running jobs may go on before they are taken back.
    pub grace: Duration,
    /// The most jobs of one page.
    pub jobs_max: u32,
    /// About the most bytes of one page.
    pub bytes_max: usize,
}

impl MoveOptions {
    /// How long running jobs may go on, unless somebody says otherwise.
    pub const GRACE: Duration = Duration::from_secs(30);

    const fn page(&self, after: JobId, takes_ended: bool) -> MovedJobsRequest {
        MovedJobsRequest { after, jobs_max: self.jobs_max, bytes_max: self.bytes_max, takes_ended }
    }
}

impl Default for MoveOptions {
    fn default() -> Self {
        Self { takes_ended: false, grace: Self::GRACE, jobs_max: 500, bytes_max: 8 << 20 }
    }
}

/// Moves a running queue from one database to another.
pub struct Mover {
    from: Place,
    to: Place,
    options: MoveOptions,
    listener: Arc<dyn MoveListener>,
}

/// The states of a move that goes on.
struct Underway {
    from: Option<MoveState>,
    to: MoveState,
}

impl Mover {
    /// A mover between two open databases. The new one must have the queue's tables.
    pub fn new(from: Place, to: Place, options: MoveOptions, listener: Arc<dyn MoveListener>) -> Self {
        Self { from, to, options, listener }
    }

    /// What [`Mover::run`] would do. Only reads.
    pub async fn plan(&self) -> Result<MovePlan, MoveError> {
        let states = self.states().await?;
        let standing = states.standing(&self.from, &self.to)?;
        if standing == Standing::NotBegun && !is_return(states.to.as_ref()) {
            self.expect_empty().await?;
        }
        let takes_ended = states.to.as_ref().filter(|_| standing != Standing::NotBegun);
        let takes_ended = takes_ended.map_or(self.options.takes_ended, |state| state.takes_ended);
        if standing.is_open() {
            self.expect_names_to_fit(takes_ended).await?;
        }
        let names = (self.from.name.clone(), self.to.name.clone());
        Ok(plan(counts(&self.from).await?, names, next_step(&standing), takes_ended))
    }

    /// What a move to a database would do that has not even the queue's tables. Only reads.
    pub async fn plan_to_new(from: &Place, to: &NewPlace, options: &MoveOptions) -> Result<MovePlan, MoveError> {
        match from.store.move_state().await? {
            Some(state) if state.phase == MovePhase::MovedAway => {
                return Err(MoveError::Elsewhere { database: from.name.clone(), other: state.other });
            }
            Some(state) if state.phase != MovePhase::Arrived => {
                return Err(MoveError::OtherMove { database: from.name.clone(), state: state.to_string() });
            }
            _ => {}
        }
        let takes_ended = options.takes_ended;
        let mut names = Names::new(to.bounds);
        if to.bounds != NameBounds::NONE {
            names.look_at_all(from, options.page(FIRST, takes_ended)).await?;
        }
        names.refuse(&to.name)?;
        Ok(plan(counts(from).await?, (from.name.clone(), to.name.clone()), MoveStep::Reserve, takes_ended))
    }

    /// Moves the queue, or carries on with a move that was interrupted.
    ///
    /// After Ok the queue is in the new database alone. After Err, or if the process is killed at any moment, no job runs
    /// in both: until the old database says that it moved, the new one is closed, and the old one gives no job to anybody.
    pub async fn run(&self) -> Result<MoveReport, MoveError> {
        let states = self.states().await?;
        let standing = states.standing(&self.from, &self.to)?;
        let mut report = self.new_report(standing != Standing::NotBegun);
        if standing.is_open() {
            // First what one count tells.
            if standing == Standing::NotBegun && !is_return(states.to.as_ref()) {
                self.expect_empty().await?;
            }
            let reserved = states.to.as_ref().filter(|_| standing == Standing::Reserved);
            let takes_ended = reserved.map_or(self.options.takes_ended, |state| state.takes_ended);
            self.expect_names_to_fit(takes_ended).await?;
        }
        let mut underway = match (standing, states.to) {
            (Standing::Done, _) => return Ok(report),
            (Standing::Committed, Some(to)) => {
                self.open(&to).await?;
                return Ok(report);
            }
            (Standing::NotBegun, to) => Underway { to: self.reserve(to).await?, from: states.from },
            (Standing::Reserved, Some(to)) => Underway { to: self.check_reserved(to).await?, from: states.from },
            (_, Some(to)) => Underway { from: states.from, to },
            (_, None) => unreachable!("a move that has begun has a state in the new database"),
        };
        // What is stale here must be gone before the old database stops: it may take a while.
        self.clear_stale(&mut underway).await?;
        self.fence(&mut underway).await?;
        self.freeze(&mut underway, &mut report).await?;
        let begun = Instant::now();
        self.copy(&mut underway).await?;
        report.copied = begun.elapsed();
        let begun = Instant::now();
        let Compared { moved, checksum } = self.compare(&underway).await?;
        report.compared = begun.elapsed();
        report.stayed = self.stayed(&moved).await?;
        (report.moved, report.checksum) = (moved, Some(checksum));
        // The commit: from here on the new database has the queue, whatever happens next.
        self.listener.begins(MoveStep::Switch);
        self.set_from(&mut underway, MovePhase::MovedAway).await?;
        self.open(&underway.to).await?;
        Ok(report)
    }

    fn new_report(&self, resumed: bool) -> MoveReport {
        MoveReport {
            from: self.from.name.clone(),
            to: self.to.name.clone(),
            moved: BTreeMap::new(),
            stayed: 0,
            taken_back: 0,
            checksum: None,
            resumed,
            waited: Duration::ZERO,
            copied: Duration::ZERO,
            compared: Duration::ZERO,
        }
    }

    async fn states(&self) -> Result<States, MoveError> {
        if self.from.name == self.to.name {
            return Err(MoveError::SameDatabase { database: self.from.name.clone() });
        }
        Ok(States { from: self.from.store.move_state().await?, to: self.to.store.move_state().await? })
    }

    /// Closes the new database to everybody else. First, so that nothing is enqueued in it that is not of this queue.
    async fn reserve(&self, before: Option<MoveState>) -> Result<MoveState, MoveError> {
        if !is_return(before.as_ref()) {
            self.expect_empty().await?;
        }
        self.listener.begins(MoveStep::Reserve);
        let state = MoveState {
            // Random, like the identity of a worker.
            move_id: WorkerId::random().as_str().to_owned(),
            phase: MovePhase::Arriving,
            other: self.from.name.clone(),
            begun_at: SystemClock::new().now(),
            takes_ended: self.options.takes_ended,
            has_settings: false,
            copied_to: None,
            before: before.clone().map(|state| Box::new(MoveState { before: None, ..state })),
        };
        self.change(&self.to, before.clone(), Some(state.clone())).await?;
        // Under two names it may be one database.
        if self.from.store.move_state().await?.is_some_and(|other| other.move_id == state.move_id) {
            self.change(&self.to, Some(state), before).await?;
            return Err(MoveError::SameDatabase { database: self.from.name.clone() });
        }
        self.check_reserved(state).await
    }

    /// Once more behind the fence, because somebody may have enqueued before it was up.
    async fn check_reserved(&self, state: MoveState) -> Result<MoveState, MoveError> {
        if is_return(state.before.as_deref()) {
            return Ok(state);
        }
        if let Err(error) = self.expect_empty().await {
            let before = state.before.clone().map(|before| *before);
            self.change(&self.to, Some(state), before).await?;
            return Err(error);
        }
        Ok(state)
    }

    async fn expect_empty(&self) -> Result<(), MoveError> {
        let jobs = self.to.store.count(Selection::from(Filter::all())).await?;
        if jobs > 0 { Err(MoveError::NotEmpty { database: self.to.name.clone(), jobs }) } else { Ok(()) }
    }

    /// Before anything is closed, so that whoever has to change these jobs still can.
    async fn expect_names_to_fit(&self, takes_ended: bool) -> Result<(), MoveError> {
        let bounds = self.to.store.name_bounds();
        if bounds == NameBounds::NONE {
            return Ok(());
        }
        self.listener.begins(MoveStep::Check);
        let mut names = Names::new(bounds);
        names.look_at_all(&self.from, self.page(FIRST, takes_ended)).await?;
        names.refuse(&self.to.name)
    }

    /// Stops the old database: no job is enqueued or claimed there from here on.
    async fn fence(&self, underway: &mut Underway) -> Result<(), MoveError> {
        if underway.from.as_ref().is_some_and(|state| state.move_id == underway.to.move_id) {
            return Ok(());
        }
        self.listener.begins(MoveStep::Fence);
        let before = underway.from.clone();
        let fenced = MoveState {
            phase: MovePhase::Draining,
            other: self.to.name.clone(),
            has_settings: false,
            copied_to: None,
            before: before.clone().map(|state| Box::new(MoveState { before: None, ..state })),
            ..underway.to.clone()
        };
        self.change(&self.from, before, Some(fenced.clone())).await?;
        underway.from = Some(fenced);
        Ok(())
    }

    async fn freeze(&self, underway: &mut Underway, report: &mut MoveReport) -> Result<(), MoveError> {
        if underway.from.as_ref().is_some_and(|state| state.phase == MovePhase::Frozen) {
            return Ok(());
        }
        self.listener.begins(MoveStep::Drain);
        let begun = Instant::now();
        report.taken_back = self.drain().await?;
        report.waited = begun.elapsed();
        self.set_from(underway, MovePhase::Frozen).await
    }

    async fn set_from(&self, underway: &mut Underway, phase: MovePhase) -> Result<(), MoveError> {
        let now = underway.from.clone().expect("the old database is fenced");
        let next = now.in_phase(phase);
        self.change(&self.from, Some(now), Some(next.clone())).await?;
        underway.from = Some(next);
        Ok(())
    }

    /// Opens the new database: the end of the move.
    async fn open(&self, state: &MoveState) -> Result<(), MoveError> {
        let arrived = MoveState { before: None, ..state.in_phase(MovePhase::Arrived) };
        self.change(&self.to, Some(state.clone()), Some(arrived)).await
    }

    async fn change(
        &self,
        place: &Place,
        expected: Option<MoveState>,
        next: Option<MoveState>,
    ) -> Result<(), MoveError> {
        let changed = place.store.change_move_state(MoveChange { expected, next: next.clone() }).await?;
        // An answer that was lost may have been a success.
        if changed || place.store.move_state().await? == next { Ok(()) } else { Err(self.raced()) }
    }

    fn raced(&self) -> MoveError {
        MoveError::Raced { from: self.from.name.clone(), to: self.to.name.clone() }
    }

    fn page(&self, after: JobId, takes_ended: bool) -> MovedJobsRequest {
        self.options.page(after, takes_ended)
    }

    async fn stayed(&self, moved: &BTreeMap<Status, u64>) -> Result<u64, StoreError> {
        let all: u64 = counts(&self.from).await?.values().sum();
        Ok(all.saturating_sub(moved.values().sum()))
    }
}

impl fmt::Debug for Mover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mover").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

/// How many jobs there are with each status, from the stored counts.
async fn counts(place: &Place) -> Result<BTreeMap<Status, u64>, StoreError> {
    let mut counts = BTreeMap::new();
    for status in Status::ALL {
        let jobs = place.store.count(Selection::from(Filter::all().statuses([status]))).await?;
        if jobs > 0 {
            counts.insert(status, jobs);
        }
    }
    Ok(counts)
}

fn plan(counts: BTreeMap<Status, u64>, (from, to): (String, String), next: MoveStep, takes_ended: bool) -> MovePlan {
    let running = counts.get(&Status::Running).copied().unwrap_or(0);
    let moves = |status: &Status| takes_ended || !matches!(status, Status::Completed | Status::Cancelled);
    let (moves, stays) = counts.into_iter().partition(|(status, _)| moves(status));
    MovePlan { from, to, next, moves, stays, running }
}

/// Whether the queue came from the database that it moves to.
fn is_return(before: Option<&MoveState>) -> bool {
    before.is_some_and(|state| state.phase == MovePhase::MovedAway)
}

const fn next_step(standing: &Standing) -> MoveStep {
    match standing {
        Standing::NotBegun => MoveStep::Reserve,
        Standing::Reserved => MoveStep::Fence,
        Standing::Draining => MoveStep::Drain,
        Standing::Frozen => MoveStep::Copy,
        Standing::Committed => MoveStep::Switch,
        Standing::Done => MoveStep::Done,
    }
}
