//! The move between two databases of the model: whatever call fails, it is carried on or undone, and no job is in both.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    Action, Console, Filter, JobData, JobId, MovePhase, MovedJobsRequest, Moving, NewJob, QueueChange, Recorded,
    Selection, Status, Store, StoreError, WorkerId,
};
use longshore_moving::{MoveError, MoveListener, MoveOptions, MoveReport, MoveStep, Mover, Place, UndoReport};
use longshore_testkit::{
    FakeClock, Fault, FaultPlan, FaultStore, MemoryStore, claim, ended, job, register_for_good, worker,
};

/// Hears nothing.
struct Deaf;

impl MoveListener for Deaf {
    fn begins(&self, _: MoveStep) {}
    fn passes(&self, _: MoveStep, _: u64, _: u64) {}
    fn waits(&self, _: u64, _: Duration) {}
}

/// Two databases, and what is kept of the first one to compare with.
struct Scene {
    here: MemoryStore,
    there: MemoryStore,
}

fn place(store: impl Moving, name: &str) -> Place {
    Place { store: Arc::new(store), name: name.to_owned() }
}

fn options() -> MoveOptions {
    MoveOptions { takes_ended: true, grace: Duration::ZERO, jobs_max: 3, bytes_max: 1 << 20 }
}

fn mover(from: Place, to: Place) -> Mover {
    Mover::new(from, to, options(), Arc::new(Deaf))
}

impl Scene {
    fn empty() -> Self {
        let clock = FakeClock::new();
        Self { here: MemoryStore::new(clock.clone()), there: MemoryStore::new(clock) }
    }

    /// Jobs in every state, some of them running.
    async fn new() -> Self {
        let scene = Self::empty();
        let store = &scene.here;
        let worker_id = register_for_good(store, worker().concurrency(99).registration()).await;
        for text in ["1", "[2]", r#"{"a":3,"a":4}"#] {
            let data = JobData::parse(text).unwrap();
            store.enqueue(vec![NewJob { job_data: data, ..job() }]).await.unwrap();
        }
        let leases = store.claim(claim(&worker_id, 3)).await.unwrap().leases;
        let records = [
            ended(&leases[0]).completed(),
            ended(&leases[1]).dead_letter(),
            ended(&leases[2]).retrying(Duration::from_secs(99)),
        ];
        store.record(worker_id.clone(), records.into()).await.unwrap();
        store.enqueue(vec![job(), job()]).await.unwrap();
        let running = store.claim(claim(&worker_id, 2)).await.unwrap().leases;
        assert_eq!(running.len(), 2);
        let parent = store.enqueue(vec![job().unique_key("key")]).await.unwrap()[0].id;
        store.enqueue(vec![job().parent(parent), job().delay(Duration::from_secs(5)), job()]).await.unwrap();
        store.change_queue("held".to_owned(), QueueChange::Pause).await.unwrap();
        scene
    }

    fn forth(&self) -> Mover {
        mover(place(self.here.clone(), "here"), place(self.there.clone(), "there"))
    }

    fn back(&self) -> Mover {
        mover(place(self.there.clone(), "there"), place(self.here.clone(), "here"))
    }

    /// The same with a fault at one call.
    fn faulty(&self, plan: FaultPlan) -> Mover {
        let here = FaultStore::new(self.here.clone(), plan);
        let there = here.beside(self.there.clone());
        mover(place(here, "here"), place(there, "there"))
    }

    async fn claimable(&self, store: &MemoryStore) -> Result<Vec<JobId>, StoreError> {
        let registration = worker().concurrency(99).registration();
        let worker_id = registration.worker_id.clone();
        let session = store.register(registration).await?;
        let leases = store.claim(claim(&worker_id, 99)).await?.leases;
        store.retire(worker_id).await?;
        drop(session);
        Ok(leases.into_iter().map(|lease| lease.id).collect())
    }

    /// No job can be claimed in both. Before a move begins and after it is undone, both are open and one is empty.
    async fn assert_open_in_one_place(&self) {
        let here = self.claimable(&self.here).await.unwrap_or_default();
        let there = self.claimable(&self.there).await.unwrap_or_default();
        assert!(here.is_empty() || there.is_empty(), "both give jobs to workers: {here:?}, {there:?}");
    }
}

async fn count(store: &MemoryStore) -> u64 {
    store.count(Selection::from(Filter::all())).await.unwrap()
}

async fn statuses(store: &MemoryStore) -> BTreeMap<JobId, Status> {
    let request = MovedJobsRequest { after: JobId(i64::MIN), jobs_max: 1000, bytes_max: usize::MAX, takes_ended: true };
    let jobs = store.moved_jobs(request).await.unwrap();
    jobs.into_iter().map(|moved| (moved.job.id, moved.job.status)).collect()
}

fn waiting(statuses: &BTreeMap<JobId, Status>) -> BTreeMap<JobId, Status> {
    let taken_back = |status: Status| if status == Status::Running { Status::Pending } else { status };
    statuses.iter().map(|(id, status)| (*id, taken_back(*status))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_queue_moves_with_all_its_jobs_and_is_open_there_alone() {
    let scene = Scene::new().await;
    let before = statuses(&scene.here).await;
    let report: MoveReport = scene.forth().run().await.unwrap();
    assert_eq!(statuses(&scene.there).await, waiting(&before));
    assert_eq!((report.taken_back, report.stayed, report.resumed), (2, 0, false));
    assert_eq!(report.moved.values().sum::<u64>(), before.len() as u64);
    assert!(report.checksum.is_some());
    let error = scene.here.enqueue(vec![job()]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Moving { message, is_final: true } if message.contains("there")), "{error}");
    scene.there.enqueue(vec![job()]).await.unwrap();
    assert!(!scene.claimable(&scene.there).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_move_that_fails_at_any_call_is_carried_on_by_the_next_run() {
    for fault in [Fault::Busy, Fault::Lost] {
        for calls in 0.. {
            let scene = Scene::new().await;
            let before = statuses(&scene.here).await;
            let ended = scene.faulty(FaultPlan::after(calls, fault)).run().await;
            let has_failed = ended.is_err();
            scene.assert_open_in_one_place().await;
            let report = scene.forth().run().await.unwrap_or_else(|error| panic!("{fault:?} {calls}: {error}"));
            assert!(report.moved.is_empty() || report.moved.values().sum::<u64>() == before.len() as u64);
            assert_eq!(statuses(&scene.there).await, waiting(&before), "{fault:?} {calls}");
            scene.there.enqueue(vec![job()]).await.unwrap();
            assert!(scene.here.enqueue(vec![job()]).await.is_err());
            if !has_failed {
                assert!(calls > 20, "only {calls} calls could fail");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_that_fails_at_any_call_before_the_switch_can_be_undone() {
    for fault in [Fault::Busy, Fault::Lost] {
        let mut was_committed = false;
        for calls in 0.. {
            let scene = Scene::new().await;
            let before = statuses(&scene.here).await;
            let ended = scene.faulty(FaultPlan::after(calls, fault)).run().await;
            match scene.forth().undo().await {
                Ok(UndoReport { .. }) => {
                    assert!(!was_committed, "{fault:?} {calls}: it was committed earlier");
                    let now = statuses(&scene.here).await;
                    assert_eq!(waiting(&now), waiting(&before), "{fault:?} {calls}");
                    assert_eq!(count(&scene.there).await, 0);
                    scene.here.enqueue(vec![job()]).await.unwrap();
                    scene.there.enqueue(vec![job()]).await.unwrap();
                }
                Err(MoveError::NothingToUndo { .. }) => {
                    assert!(!was_committed);
                    scene.here.enqueue(vec![job()]).await.unwrap();
                    scene.there.enqueue(vec![job()]).await.unwrap();
                }
                Err(MoveError::Committed { .. }) => {
                    was_committed = true;
                    scene.forth().run().await.unwrap();
                    scene.there.enqueue(vec![job()]).await.unwrap();
                }
                Err(error) => panic!("{fault:?} {calls}: {error}"),
            }
            if ended.is_ok() {
                assert!(was_committed);
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_at_any_call_is_carried_on_by_the_next_one() {
    for fault in [Fault::Busy, Fault::Lost] {
        for calls in 0.. {
            let scene = Scene::new().await;
            let before = statuses(&scene.here).await;
            // All is copied, and the comparison has begun.
            assert!(scene.faulty(FaultPlan::after(60, Fault::Busy)).run().await.is_err());
            assert!(count(&scene.there).await > 0);
            let ended = scene.faulty(FaultPlan::after(calls, fault)).undo().await;
            scene.assert_open_in_one_place().await;
            if ended.is_err() {
                match scene.forth().run().await {
                    Err(MoveError::BeingUndone { .. }) | Ok(_) => {}
                    Err(error) => panic!("{fault:?} {calls}: {error}"),
                }
            }
            match scene.forth().undo().await {
                Ok(_) | Err(MoveError::NothingToUndo { .. }) => {
                    assert_eq!(waiting(&statuses(&scene.here).await), waiting(&before), "{fault:?} {calls}");
                    assert_eq!(count(&scene.there).await, 0);
                    scene.here.enqueue(vec![job()]).await.unwrap();
                    scene.there.enqueue(vec![job()]).await.unwrap();
                }
                // The run above has finished the move.
                Err(MoveError::Committed { .. }) => drop(scene.there.enqueue(vec![job()]).await.unwrap()),
                Err(error) => panic!("{fault:?} {calls}: {error}"),
            }
            if ended.is_ok() {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn running_jobs_end_in_the_old_database_while_their_time_lasts() {
    let scene = Scene::empty();
    let worker_id = register_for_good(&scene.here, worker().registration()).await;
    scene.here.enqueue(vec![job(), job()]).await.unwrap();
    let leases = scene.here.claim(claim(&worker_id, 2)).await.unwrap().leases;
    let slow = MoveOptions { grace: Duration::from_secs(5), ..options() };
    let mover =
        Mover::new(place(scene.here.clone(), "here"), place(scene.there.clone(), "there"), slow, Arc::new(Deaf));
    let outcomes = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let record = [ended(&leases[0]).completed()];
        assert_eq!(scene.here.record(worker_id.clone(), record.into()).await.unwrap(), [Recorded::Recorded]);
    };
    let begun = std::time::Instant::now();
    let (moved, ()) = tokio::join!(mover.run(), outcomes);
    let report = moved.unwrap();
    assert_eq!(report.taken_back, 1);
    assert!(begun.elapsed() < Duration::from_secs(60), "the grace is bounded");
    let there = statuses(&scene.there).await;
    assert_eq!((there[&leases[0].id], there[&leases[1].id]), (Status::Completed, Status::Pending));
    let late = scene.here.record(worker_id, [ended(&leases[1]).completed()].into()).await;
    assert!(matches!(late, Err(StoreError::Moving { .. })), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_database_with_jobs_of_its_own_is_refused_and_stays_open() {
    let scene = Scene::new().await;
    scene.there.enqueue(vec![job()]).await.unwrap();
    let error = scene.forth().run().await.unwrap_err();
    assert!(matches!(&error, MoveError::NotEmpty { jobs: 1, .. }), "{error}");
    assert!(matches!(scene.forth().plan().await.unwrap_err(), MoveError::NotEmpty { .. }));
    scene.there.enqueue(vec![job()]).await.unwrap();
    scene.here.enqueue(vec![job()]).await.unwrap();
    let mover = mover(place(scene.here.clone(), "here"), place(scene.here.clone(), "here"));
    assert!(matches!(mover.run().await.unwrap_err(), MoveError::SameDatabase { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_queue_moves_back_with_what_became_of_its_jobs() {
    let scene = Scene::new().await;
    scene.forth().run().await.unwrap();
    let ids = scene.claimable(&scene.there).await.unwrap();
    scene.there.act(Selection::job(ids[0]), Action::Delete).await.unwrap();
    let new = scene.there.enqueue(vec![job()]).await.unwrap()[0].id;
    let there = statuses(&scene.there).await;
    scene.back().run().await.unwrap();
    assert_eq!(statuses(&scene.here).await, there);
    assert!(!there.contains_key(&ids[0]) && there.contains_key(&new));
    scene.here.enqueue(vec![job()]).await.unwrap();
    assert!(scene.there.enqueue(vec![job()]).await.is_err());
    scene.forth().run().await.unwrap();
    scene.there.enqueue(vec![job()]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ended_jobs_that_had_stayed_are_there_when_the_queue_comes_back() {
    let scene = Scene::new().await;
    let all = statuses(&scene.here).await;
    let of = |takes_ended: bool, from: &MemoryStore, to: &MemoryStore, names: (&str, &str)| {
        let options = MoveOptions { takes_ended, ..options() };
        Mover::new(place(from.clone(), names.0), place(to.clone(), names.1), options, Arc::new(Deaf))
    };
    let report = of(false, &scene.here, &scene.there, ("here", "there")).run().await.unwrap();
    assert_eq!(report.stayed, 1);
    let worker_id = register_for_good(&scene.there, worker().registration()).await;
    let lease = scene.there.claim(claim(&worker_id, 1)).await.unwrap().leases.remove(0);
    scene.there.record(worker_id, [ended(&lease).completed()].into()).await.unwrap();
    let back = of(true, &scene.there, &scene.here, ("there", "here"));
    // An undone way back leaves them, too.
    let faulty = FaultStore::new(scene.there.clone(), FaultPlan::after(40, Fault::Busy));
    let here = faulty.beside(scene.here.clone());
    let options = MoveOptions { takes_ended: true, ..options() };
    let interrupted = Mover::new(place(faulty, "there"), place(here, "here"), options, Arc::new(Deaf));
    assert!(interrupted.run().await.is_err());
    back.undo().await.unwrap();
    let stayed = statuses(&scene.here).await;
    assert_eq!(stayed.values().filter(|status| **status == Status::Completed).count(), 1, "{stayed:?}");
    scene.there.enqueue(vec![job()]).await.unwrap();
    back.run().await.unwrap();
    let here = statuses(&scene.here).await;
    assert_eq!(here.values().filter(|status| **status == Status::Completed).count(), 2, "{here:?}");
    assert_eq!(here.len(), all.len() + 1);
}

#[tokio::test(start_paused = true)]
async fn a_plan_writes_nothing_and_says_what_would_move() {
    let scene = Scene::new().await;
    let plan = scene.forth().plan().await.unwrap();
    assert_eq!((plan.next, plan.running, plan.stays.len()), (MoveStep::Reserve, 2, 0));
    assert_eq!(plan.moves[&Status::Pending], 3);
    assert_eq!((scene.here.move_state().await.unwrap(), scene.there.move_state().await.unwrap()), (None, None));
    scene.forth().run().await.unwrap();
    assert_eq!(scene.forth().plan().await.unwrap().next, MoveStep::Done);
    let again = scene.forth().run().await.unwrap();
    assert!(again.resumed && again.moved.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_has_moved_is_moved_from_where_it_is() {
    let scene = Scene::new().await;
    scene.forth().run().await.unwrap();
    let other = MemoryStore::new(FakeClock::new());
    let wrong = mover(place(scene.here.clone(), "here"), place(other.clone(), "other"));
    let error = wrong.run().await.unwrap_err();
    assert!(matches!(&error, MoveError::Elsewhere { other, .. } if other == "there"), "{error}");
    let onward = mover(place(scene.there.clone(), "there"), place(other.clone(), "other"));
    onward.run().await.unwrap();
    other.enqueue(vec![job()]).await.unwrap();
    // What came from elsewhere is not taken back by the first database.
    let back = mover(place(other, "other"), place(scene.here.clone(), "here"));
    assert!(matches!(back.run().await.unwrap_err(), MoveError::OtherMove { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_old_database_opens_again_without_the_new_one() {
    let scene = Scene::new().await;
    assert!(scene.faulty(FaultPlan::after(60, Fault::Busy)).run().await.is_err());
    let here = place(scene.here.clone(), "here");
    Mover::undo_without(&here).await.unwrap();
    scene.here.enqueue(vec![job()]).await.unwrap();
    // What has arrived is out of date, so it must be removed first.
    assert!(matches!(scene.forth().run().await.unwrap_err(), MoveError::BeingUndone { .. }));
    scene.assert_open_in_one_place().await;
    assert!(matches!(Mover::undo_without(&here).await.unwrap_err(), MoveError::NothingToUndo { .. }));
    scene.forth().undo().await.unwrap();
    assert_eq!(count(&scene.there).await, 0);
    scene.forth().run().await.unwrap();
    assert_eq!(scene.there.move_state().await.unwrap().unwrap().phase, MovePhase::Arrived);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_differs_is_found_before_the_switch() {
    let scene = Scene::new().await;
    // Everything is copied; then the comparison fails, and somebody who passes the fence changes a copy.
    assert!(scene.faulty(FaultPlan::after(60, Fault::Busy)).run().await.is_err());
    let state = scene.there.move_state().await.unwrap().unwrap();
    assert!(scene.there.drop_moved(state, vec![JobId(4)]).await.unwrap());
    let error = scene.forth().run().await.unwrap_err();
    assert!(matches!(&error, MoveError::Differs { id: JobId(4), .. }), "{error}");
    assert!(scene.there.enqueue(vec![job()]).await.is_err());
    scene.forth().undo().await.unwrap();
    scene.here.enqueue(vec![job()]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_worker_is_found_while_running_jobs_are_waited_for() {
    let scene = Scene::empty();
    let dead = scene.here.another_process();
    let worker_id: WorkerId = register_for_good(&dead, worker().registration()).await;
    let id = scene.here.enqueue(vec![job()]).await.unwrap()[0].id;
    let lease = dead.claim(claim(&worker_id, 1)).await.unwrap().leases.remove(0);
    let started =
        longshore_core::StartedAttempt { slot: 0, id, claim_number: lease.claim_number, is_accompanied: false };
    dead.mark_started(worker_id, [started].into()).await.unwrap();
    dead.die();
    let patient = MoveOptions { grace: Duration::from_secs(3600), ..options() };
    let mover =
        Mover::new(place(scene.here.clone(), "here"), place(scene.there.clone(), "there"), patient, Arc::new(Deaf));
    assert_eq!(mover.run().await.unwrap().taken_back, 0);
    let crashes = scene.there.job(id).await.unwrap().unwrap().job.crash_count;
    assert_eq!(crashes, 1, "it counts as always");
}
