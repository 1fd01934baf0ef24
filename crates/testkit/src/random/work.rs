use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    AttemptEnd, ClaimRequest, Claimed, Console, Lease, NewCheckpoint, Outcome, Record, Recorded, Report, RequestId,
    RetryPolicy, StartedAttempt, Status, WorkerId, decide,
};

use super::actor::{Actor, Holding, Told};
use super::draw;
use super::pair::Sessions;
use super::run::Run;
use crate::suite::Harness;
use crate::{ended, worker};

/// More workers find no further differences, and each is a process with its own threads.
const ACTORS_MAX: usize = 4;
const SLOTS: u32 = 3;

impl<H: Harness> Run<H> {
    pub(super) async fn register(&mut self) {
        if self.actors.len() >= ACTORS_MAX {
            return;
        }
        // Drawn from the run's random numbers, so that the same seed is the same run.
        let worker_id = WorkerId::from_stored(&format!("worker-{:016x}", self.random.u64(..)));
        let lease = Duration::from_secs(*draw::pick(&mut self.random, &[10, 30, 300]));
        let job_types: Arc<[String]> = draw::job_types(&mut self.random);
        let mut registration = worker().id(worker_id.clone()).lease(lease).concurrency(SLOTS).registration();
        registration.job_types = job_types;
        let pair = self.open();
        let what = format!("register {worker_id} with a lease of {lease:?}");
        let sessions = Sessions::default();
        let answer = self.trail.both(&pair, &what, |store| sessions.register(store, registration.clone())).await;
        let (holds, told) = (Vec::new(), Told::default());
        let actor = Actor { pair, worker_id, registration, sessions, holds, told, inbox: None, last_claim: None };
        match answer {
            Some(()) => self.actors.push(actor),
            // It does not know whether it is registered, so it ends and starts again with another name.
            None => actor.pair.kill(&self.harness),
        }
    }

    /// A worker loses its session, learns of it and registers itself again, which takes nothing from it.
    pub(super) async fn lose_session(&mut self) {
        let Some(place) = self.some_actor() else { return };
        let actor = &mut self.actors[place];
        self.trail.tell(&format!("{} loses its session and is registered again", actor.worker_id));
        self.harness.lose_session(&actor.worker_id);
        actor.pair.model.lose_session(&actor.worker_id);
        let (sessions, registration) = (Sessions::default(), &actor.registration);
        self.trail.both_calmly(&actor.pair, |store| sessions.register(store, registration.clone())).await;
        (actor.sessions, actor.told) = (sessions, Told::default());
    }

    pub(super) async fn claim(&mut self) {
        let Some(place) = self.some_actor() else { return };
        let request = self.draw_claim(place);
        let what = format!("{request:?}");
        let opens = draw::is_lucky(&mut self.random, 0.5);
        let actor = &mut self.actors[place];
        actor.offer(&request, opens);
        let had_limit = self.had_limit;
        let call = self.trail.both(&actor.pair, &what, |store| {
            let claim = store.claim(request.clone());
            Box::pin(async move {
                let claimed = claim.await?;
                Ok(if had_limit { Claimed { next_due: None, ..claimed } } else { claimed })
            })
        });
        let claimed = call.await;
        actor.last_claim = Some((request, claimed.is_some()));
        actor.hold(claimed.map(|claimed| claimed.leases).unwrap_or_default());
    }

    /// A claim without an answer is repeated, and sometimes one with an answer.
    fn draw_claim(&mut self, place: usize) -> ClaimRequest {
        let actor = &self.actors[place];
        if let Some((request, is_answered)) = &actor.last_claim
            && (!is_answered || draw::is_lucky(&mut self.random, 0.1))
        {
            return request.clone();
        }
        ClaimRequest {
            request_id: RequestId(self.random.u64(..)),
            worker_id: actor.worker_id.clone(),
            job_types: draw::job_types(&mut self.random),
            scope: draw::scope(&mut self.random),
            limit: self.random.u32(..6),
            limited_max: self.random.u32(..6),
        }
    }

    /// Starts the attempts that are not started yet, usually each in its own slot.
    pub(super) async fn begin(&mut self) {
        let now = self.now();
        let Some(place) = self.some_actor() else { return };
        for index in 0..self.actors[place].holds.len() {
            let held = self.actors[place].holds[index].clone();
            if held.began.is_some() || draw::is_lucky(&mut self.random, 0.3) {
                continue;
            }
            if held.lease.budgets.is_suspect() && !self.begin_isolated(place, &held).await {
                continue;
            }
            let actor = &mut self.actors[place];
            let attempt = StartedAttempt {
                slot: u32::try_from(index).unwrap_or(0) % SLOTS,
                id: held.lease.id,
                claim_number: held.lease.claim_number,
                is_accompanied: draw::is_lucky(&mut self.random, 0.2),
            };
            let what = format!("{} begins {attempt:?}", actor.worker_id);
            let call = || (actor.worker_id.clone(), [attempt].into());
            let noted = self
                .trail
                .both(&actor.pair, &what, |store| {
                    let (worker_id, attempts) = call();
                    store.mark_started(worker_id, attempts)
                })
                .await;
            // Without an answer its handler does not begin, though it may count as begun.
            actor.holds[index].began = noted.map(|()| now);
        }
    }

    /// Whether the attempt of a suspect may start.
    async fn begin_isolated(&mut self, place: usize, held: &Holding) -> bool {
        let actor = &self.actors[place];
        let Lease { id, claim_number, .. } = held.lease;
        let what = format!("{} begins {id} alone under {claim_number}", actor.worker_id);
        let call = || actor.worker_id.clone();
        let begun = self.trail.both(&actor.pair, &what, |store| store.begin_isolated(call(), id, claim_number)).await;
        begun == Some(Recorded::Recorded)
    }

    pub(super) async fn record(&mut self) {
        let Some(place) = self.some_actor() else { return };
        let number = self.random.usize(..=self.actors[place].holds.len().min(4));
        let mut records = Vec::new();
        for _ in 0..number {
            let held = draw::pick(&mut self.random, &self.actors[place].holds).clone();
            records.push(self.draw_record(&held));
        }
        let actor = &mut self.actors[place];
        let what = format!("{} records {records:?}", actor.worker_id);
        let worker_id = actor.worker_id.clone();
        let answers =
            self.trail.both(&actor.pair, &what, |store| store.record(worker_id.clone(), records.clone().into())).await;
        if answers.is_some() {
            actor.holds.retain(|held| records.iter().all(|record| record.id != held.lease.id));
        }
    }

    pub(super) fn draw_record(&mut self, held: &Holding) -> Record {
        let now = self.now();
        let end = draw::end(&mut self.random);
        let overdue = held.lease.budgets.time.overdue_at(now);
        let outcome = match (held.began, end) {
            // A good worker does not start it in that case.
            (None, AttemptEnd::Completed { .. }) => overdue.map_or(Outcome::Returned, |overdue| overdue.outcome(None)),
            (_, end) => decide(&held.lease.budgets, end, &RetryPolicy::default(), now, self.random.f64()),
        };
        let mut record = ended(&held.lease).log(draw::log(&mut self.random)).outcome(outcome);
        record.ran = held.began.map(|began| now.since(began));
        // Now and then it had to wait in memory, because nothing could be written.
        if draw::is_lucky(&mut self.random, 0.3) {
            record.ended_ago = Duration::from_millis(self.random.u64(..5000));
        }
        record
    }

    pub(super) async fn report(&mut self) {
        let Some(place) = self.some_actor() else { return };
        if self.actors[place].holds.is_empty() {
            return;
        }
        let held = draw::pick(&mut self.random, &self.actors[place].holds).clone();
        let report = self.draw_report(&held);
        let actor = &self.actors[place];
        let what = format!("{} reports {report:?}", actor.worker_id);
        let call = || (actor.worker_id.clone(), vec![report.clone()]);
        self.trail
            .both(&actor.pair, &what, |store| {
                let (worker_id, reports) = call();
                store.report(worker_id, reports.into())
            })
            .await;
    }

    pub(super) async fn save_checkpoint(&mut self) {
        let Some(place) = self.some_actor() else { return };
        if self.actors[place].holds.is_empty() {
            return;
        }
        let held = draw::pick(&mut self.random, &self.actors[place].holds).clone();
        let checkpoint = self.draw_checkpoint(&held);
        let actor = &self.actors[place];
        let what = format!("{} stores {checkpoint:?}", actor.worker_id);
        let worker_id = actor.worker_id.clone();
        self.trail.both(&actor.pair, &what, |store| store.save_checkpoint(worker_id.clone(), checkpoint.clone())).await;
        if let Some(step) = checkpoint.step {
            let what = format!("the result of step {step} of {}", checkpoint.id);
            self.trail.both(&self.main, &what, |store| store.step_result(checkpoint.id, step.clone())).await;
        }
    }

    /// There are few steps, so that a job has some of them already.
    fn draw_checkpoint(&mut self, held: &Holding) -> NewCheckpoint {
        NewCheckpoint {
            id: held.lease.id,
            claim_number: held.lease.claim_number,
            attempt: held.lease.attempt(),
            step: draw::step(&mut self.random),
            value: draw::data(&mut self.random),
        }
    }

    pub(super) fn draw_report(&mut self, held: &Holding) -> Report {
        Report {
            id: held.lease.id,
            claim_number: held.lease.claim_number,
            attempt: held.lease.attempt(),
            progress: draw::progress(&mut self.random),
            log: draw::log(&mut self.random),
        }
    }

    pub(super) async fn extend(&mut self) {
        let Some(place) = self.some_actor() else { return };
        let actor = &mut self.actors[place];
        if self.random.bool() {
            let (what, worker_id) = (format!("{} asks what to cancel", actor.worker_id), actor.worker_id.clone());
            self.trail.both(&actor.pair, &what, |store| store.cancel_requests(worker_id.clone())).await;
        }
        let held = actor.held();
        let heartbeat = actor.told.next(&actor.worker_id, held.clone(), draw::is_lucky(&mut self.random, 0.8));
        let what = format!("{heartbeat:?}");
        let extended = self.trail.both(&actor.pair, &what, |store| store.extend(heartbeat.clone())).await;
        if let Some(extended) = extended {
            if !extended.asks_for_all {
                actor.told.answered(held);
            }
            // Half of the lost attempts are dropped, as a good worker does. The other half writes late.
            let drops = self.random.bool();
            actor.holds.retain(|held| !(drops && extended.lost.contains(&held.lease.id)));
        }
    }

    pub(super) async fn retire(&mut self) {
        let Some(place) = self.some_actor() else { return };
        let actor = &self.actors[place];
        let (what, worker_id) = (format!("{} retires", actor.worker_id), actor.worker_id.clone());
        let answer = self.trail.both(&actor.pair, &what, |store| store.retire(worker_id.clone())).await;
        if answer.is_some() {
            let actor = self.actors.swap_remove(place);
            self.ghosts.extend(actor.ghosts());
            actor.pair.kill(&self.harness);
        }
    }

    pub(super) fn kill(&mut self) {
        let Some(place) = self.some_actor() else { return };
        let actor = self.actors.swap_remove(place);
        self.trail.tell(&format!("{} is killed", actor.worker_id));
        self.ghosts.extend(actor.ghosts());
        actor.pair.kill(&self.harness);
    }

    /// A worker that was given up writes its outcome through another process.
    pub(super) async fn write_late(&mut self) {
        if self.ghosts.is_empty() {
            return;
        }
        let ghost = self.ghosts.swap_remove(self.random.usize(..self.ghosts.len()));
        // Until it is found dead it is not late: it still holds its jobs.
        self.reclaim_calmly().await;
        let (record, report) = (self.draw_record(&ghost.held), self.draw_report(&ghost.held));
        let checkpoint = self.draw_checkpoint(&ghost.held);
        let worker_id = ghost.worker_id;
        let what = format!("{worker_id} stores late {checkpoint:?}");
        let call = (worker_id.clone(), checkpoint);
        let answer =
            self.trail.both(&self.main, &what, |store| store.save_checkpoint(call.0.clone(), call.1.clone())).await;
        let is_refused = answer.is_none_or(|answer| answer == Recorded::Fenced);
        self.trail.must(is_refused, || "a late checkpoint was accepted".to_owned());
        let what = format!("{worker_id} reports late {report:?}");
        let is_fenced = |answers: Option<Vec<Recorded>>| answers.is_none_or(|answers| answers == [Recorded::Fenced]);
        // The answer to its outcome may have been lost. Then it has completed the job, and may still write its log.
        let is_own_success = self.has_completed(&worker_id, &ghost.held.lease).await;
        let call = (worker_id.clone(), vec![report]);
        let answers =
            self.trail.both(&self.main, &what, |store| store.report(call.0.clone(), call.1.clone().into())).await;
        self.trail.must(is_own_success || is_fenced(answers), || "a late report was accepted".to_owned());
        let what = format!("{worker_id} records late {record:?}");
        let call = (worker_id, vec![record]);
        let answers =
            self.trail.both(&self.main, &what, |store| store.record(call.0.clone(), call.1.clone().into())).await;
        self.trail.must(is_fenced(answers), || "a late outcome was accepted".to_owned());
    }

    async fn has_completed(&self, worker_id: &WorkerId, lease: &Lease) -> bool {
        let found = self.main.model.job(lease.id).await.expect("the model can be read");
        found.is_some_and(|found| {
            let job = found.job;
            job.status == Status::Completed
                && job.worker_id.as_ref() == Some(worker_id)
                && job.claim_number == lease.claim_number
        })
    }
}
