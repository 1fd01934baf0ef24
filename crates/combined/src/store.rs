use std::cmp::Reverse;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use longshore_core::{
    ClaimNumber, ClaimRequest, Claimed, Enqueued, Extended, HELD_LEASES_MAX, Heartbeat, Held, Inbox, Interest, JobData,
    JobId, Lease, Limits, NewCheckpoint, Reclaimed, Record, Recorded, Registration, Report, StartedAttempt, StepName,
    Store, StoreError, StoreFuture, Stream, ValidJob, ValidJobStream, Wakeups, WorkerId, WorkerSession, next_of,
};

use crate::combined_store::{CombinedStore, Shared};
use crate::member::is_of_database;
use crate::members::{Answers, SHORT, reachable};
use crate::workers::claims;
use crate::workers::inbox::CombinedInbox;
use crate::workers::sessions::{CombinedSession, Sessions};
use crate::workers::wakeups::CombinedWakeups;

/// When to look for dead workers again in a database that has not answered.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Store for CombinedStore {
    /// The smallest of all: what it accepts, every database accepts.
    fn limits(&self) -> Limits {
        let opened = self.shared.members.all().iter().filter_map(|member| member.opened());
        let smallest = opened.map(|store| store.limits().payload_bytes_max).min();
        smallest.map_or_else(Limits::default, |payload_bytes_max| Limits { payload_bytes_max })
    }

    /// The smallest of all: a claim goes to each of them.
    fn prefetch_max(&self) -> u32 {
        let opened = self.shared.members.all().iter().filter_map(|member| member.opened());
        opened.map(|store| store.prefetch_max()).min().unwrap_or(1024)
    }

    fn enqueue_valid(&self, jobs: Vec<ValidJob>) -> StoreFuture<'_, Vec<Enqueued>> {
        Box::pin(async move {
            let member = &self.shared.members.all()[self.shared.home_of_all(&jobs)?];
            let enqueued = member.store()?.enqueue_valid(jobs).await;
            enqueued.map_err(|error| member.meet(error))
        })
    }

    fn enqueue_valid_stream(&self, mut jobs: ValidJobStream) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let first = next_of(&mut jobs).await;
            let home = match &first {
                Some(Ok(job)) => self.shared.home_of(job)?,
                _ => 0,
            };
            let member = &self.shared.members.all()[home];
            let jobs = OfOneDatabase { shared: Arc::clone(&self.shared), home, first, jobs };
            let enqueued = member.store()?.enqueue_valid_stream(Box::pin(jobs)).await;
            enqueued.map_err(|error| member.meet(error))
        })
    }

    fn register(&self, registration: Registration) -> StoreFuture<'_, Box<dyn WorkerSession>> {
        Box::pin(register(&self.shared, registration))
    }

    fn retire(&self, worker_id: WorkerId) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let id = worker_id.clone();
            let answers = self.shared.members.ask_all(SHORT, move |store| {
                let id = id.clone();
                Box::pin(async move { store.retire(id).await })
            });
            let answers = answers.await;
            self.shared.workers.forget(&worker_id);
            // Where it is not heard, the end of its session says the same.
            reachable(answers).map(drop)
        })
    }

    fn claim(&self, request: ClaimRequest) -> StoreFuture<'_, Claimed> {
        Box::pin(claims::claim(&self.shared, request))
    }

    fn held_leases(&self, worker_id: WorkerId, beyond: Vec<(JobId, ClaimNumber)>) -> StoreFuture<'_, Vec<Lease>> {
        Box::pin(held_leases(&self.shared, worker_id, beyond))
    }

    fn inbox(&self, worker_id: &WorkerId) -> Box<dyn Inbox> {
        Box::new(CombinedInbox::new(&self.shared, worker_id))
    }

    fn mark_started(&self, worker_id: WorkerId, attempts: Arc<[StartedAttempt]>) -> StoreFuture<'_, ()> {
        Box::pin(mark_started(&self.shared, worker_id, attempts))
    }

    fn begin_isolated(&self, worker_id: WorkerId, id: JobId, claim_number: ClaimNumber) -> StoreFuture<'_, Recorded> {
        Box::pin(async move {
            let place = self.shared.members.of_job(id)?;
            let begun = self.shared.members.ask_one(place, move |store| {
                Box::pin(async move { store.begin_isolated(worker_id, id, claim_number).await })
            });
            match begun.await {
                // The jobs of other databases wait until it has begun.
                Err(error) if is_of_database(&error) => {
                    self.shared.trouble.notify_one();
                    Ok(unanswered(&error))
                }
                begun => begun,
            }
        })
    }

    fn extend(&self, heartbeat: Heartbeat) -> StoreFuture<'_, Extended> {
        Box::pin(extend(&self.shared, heartbeat))
    }

    fn cancel_requests(&self, worker_id: WorkerId) -> StoreFuture<'_, Vec<(JobId, ClaimNumber)>> {
        Box::pin(async move {
            let parts = self.shared.registered(&worker_id).into_iter().map(|place| (place, worker_id.clone()));
            let call = |store: Arc<dyn longshore_core::Backend>, worker_id: WorkerId| -> StoreFuture<'static, _> {
                Box::pin(async move { store.cancel_requests(worker_id).await })
            };
            let answers = self.shared.members.ask(SHORT, parts.collect(), call).await;
            Ok(reachable(answers)?.into_iter().flat_map(|(_, requests)| requests).collect())
        })
    }

    fn record(&self, worker_id: WorkerId, records: Arc<[Record]>) -> StoreFuture<'_, Vec<Recorded>> {
        Box::pin(async move {
            let id = worker_id.clone();
            let call =
                move |store: Arc<dyn longshore_core::Backend>, records: Vec<Record>| -> StoreFuture<'static, _> {
                    let id = id.clone();
                    Box::pin(async move { store.record(id, records.into()).await })
                };
            let recorded = self.shared.write(&records, |record| record.id, call).await?;
            let is_over = |recorded: &Recorded| matches!(recorded, Recorded::Recorded | Recorded::Fenced);
            let ended = records.iter().zip(&recorded).filter(|(_, recorded)| is_over(recorded));
            let ended: Vec<_> = ended.map(|(record, _)| (record.id, record.claim_number)).collect();
            self.shared.workers.starts.end(&worker_id, &ended);
            Ok(recorded)
        })
    }

    fn report(&self, worker_id: WorkerId, reports: Arc<[Report]>) -> StoreFuture<'_, Vec<Recorded>> {
        Box::pin(async move {
            let call =
                move |store: Arc<dyn longshore_core::Backend>, reports: Vec<Report>| -> StoreFuture<'static, _> {
                    let id = worker_id.clone();
                    Box::pin(async move { store.report(id, reports.into()).await })
                };
            self.shared.write(&reports, |report| report.id, call).await
        })
    }

    fn save_checkpoint(&self, worker_id: WorkerId, checkpoint: NewCheckpoint) -> StoreFuture<'_, Recorded> {
        Box::pin(async move {
            let place = self.shared.members.of_job(checkpoint.id)?;
            let call = move |store: Arc<dyn longshore_core::Backend>| -> StoreFuture<'static, Recorded> {
                Box::pin(async move { store.save_checkpoint(worker_id, checkpoint).await })
            };
            self.shared.members.ask_one(place, call).await
        })
    }

    fn step_result(&self, id: JobId, step: StepName) -> StoreFuture<'_, Option<JobData>> {
        Box::pin(async move {
            let place = self.shared.members.of_job(id)?;
            let call = move |store: Arc<dyn longshore_core::Backend>| -> StoreFuture<'static, Option<JobData>> {
                Box::pin(async move { store.step_result(id, step).await })
            };
            self.shared.members.ask_one(place, call).await
        })
    }

    fn reclaim(&self) -> StoreFuture<'_, Reclaimed> {
        Box::pin(async move {
            let due = self.shared.reclaims.due().into_iter().map(|place| (place, ())).collect();
            let call = |store: Arc<dyn longshore_core::Backend>, ()| -> StoreFuture<'static, _> {
                Box::pin(async move { store.reclaim().await })
            };
            let answers = self.shared.members.ask(SHORT, due, call).await;
            for (place, answer) in &answers {
                let next = answer.as_ref().map_or(LOOK_AGAIN, |reclaimed| reclaimed.next);
                self.shared.reclaims.put_off(*place, next);
            }
            self.shared.note_missing(&answers);
            let mut all = Reclaimed::default();
            for (_, reclaimed) in reachable(answers)? {
                let Reclaimed { workers, jobs, overdue, next: _ } = reclaimed;
                all.workers
                    .extend(workers.into_iter().filter(|worker| !all.workers.contains(worker)).collect::<Vec<_>>());
                all.jobs += jobs;
                all.overdue += overdue;
            }
            all.next = self.shared.reclaims.next();
            Ok(all)
        })
    }

    fn wakeups(&self, interest: Interest) -> Box<dyn Wakeups> {
        Box::new(CombinedWakeups::new(&self.shared, interest))
    }
}

impl Shared {
    /// Where a worker is registered.
    fn registered(&self, worker_id: &WorkerId) -> Vec<usize> {
        (0..self.members.all().len()).filter(|place| self.workers.is_registered(worker_id, *place)).collect()
    }

    /// Writes of attempts, each in the database of its job. The answers are in the order of the writes; those whose
    /// database did not answer say so, unless no database did.
    async fn write<P, F>(&self, writes: &[P], id: fn(&P) -> JobId, call: F) -> Result<Vec<Recorded>, StoreError>
    where
        P: Clone + Send + 'static,
        F: Fn(Arc<dyn longshore_core::Backend>, Vec<P>) -> StoreFuture<'static, Vec<Recorded>> + Send + Sync + 'static,
    {
        let places = writes.iter().map(|write| self.members.of_job(id(write))).collect::<Result<Vec<_>, _>>()?;
        let mut parts: Vec<(usize, Vec<P>)> = Vec::new();
        for (place, write) in places.iter().zip(writes) {
            match parts.iter_mut().find(|(of, _)| of == place) {
                Some((_, part)) => part.push(write.clone()),
                None => parts.push((*place, vec![write.clone()])),
            }
        }
        let answers = self.members.ask(SHORT, parts, call).await;
        self.note_missing(&answers);
        let mut recorded: Vec<(usize, std::vec::IntoIter<Recorded>)> = Vec::new();
        let mut missed: Vec<(usize, StoreError)> = Vec::new();
        for (place, answer) in answers {
            match answer {
                Ok(answer) => recorded.push((place, answer.into_iter())),
                Err(error) if is_of_database(&error) => missed.push((place, error)),
                Err(error) => return Err(error),
            }
        }
        let mut in_order = Vec::with_capacity(writes.len());
        for place in places {
            let answer = recorded.iter_mut().find(|(of, _)| *of == place).and_then(|(_, answers)| answers.next());
            let missing = || missed.iter().find(|(of, _)| *of == place).map(|(_, error)| unanswered(error));
            in_order.extend(answer.or_else(missing));
        }
        Ok(in_order)
    }

    /// Somebody is to look after a database that did not answer.
    pub(crate) fn note_missing<T>(&self, answers: &Answers<T>) {
        if answers.iter().any(|(_, answer)| answer.as_ref().is_err_and(is_of_database)) {
            self.trouble.notify_one();
        }
    }
}

fn unanswered(error: &StoreError) -> Recorded {
    Recorded::Unanswered { reason: error.to_string().into() }
}

/// Registers a worker wherever it can; the rest follows as soon as the other databases answer.
async fn register(shared: &Arc<Shared>, registration: Registration) -> Result<Box<dyn WorkerSession>, StoreError> {
    let asked = registration.clone();
    let answers = shared.members.ask_all(SHORT, move |store| {
        let registration = asked.clone();
        Box::pin(async move { store.register(registration).await })
    });
    let answers = answers.await;
    shared.note_missing(&answers);
    let databases = answers.len();
    let (sessions, mut is_registered) = (Arc::new(Sessions::new(databases)), vec![false; databases]);
    for (place, evidence) in reachable(answers)? {
        sessions.begin(place, evidence);
        is_registered[place] = true;
    }
    if let Some(earlier) = shared.workers.sessions(&registration.worker_id) {
        sessions.succeed(&earlier);
    }
    shared.workers.add(registration, &sessions, is_registered);
    Ok(Box::new(CombinedSession(sessions)))
}

/// What a database does not take is noted as soon as it answers again: the attempts of the others need not wait for it.
async fn mark_started(shared: &Shared, worker_id: WorkerId, attempts: Arc<[StartedAttempt]>) -> Result<(), StoreError> {
    let placed = attempts.iter().map(|attempt| Ok((shared.members.of_job(attempt.id)?, *attempt)));
    let notes = shared.workers.starts.begin(&worker_id, &placed.collect::<Result<Vec<_>, StoreError>>()?);
    for note in notes {
        let told = note.clone();
        let call = move |store: Arc<dyn longshore_core::Backend>, ()| -> StoreFuture<'static, _> {
            let (worker_id, attempts) = (told.worker_id.clone(), told.attempts.clone().into());
            Box::pin(async move { store.mark_started(worker_id, attempts).await })
        };
        if shared.members.all()[note.place].trouble().is_some() {
            shared.trouble.notify_one();
            continue;
        }
        let answers = shared.members.ask(SHORT, vec![(note.place, ())], call).await;
        shared.note_missing(&answers);
        match answers.into_iter().next() {
            Some((_, Ok(()))) => shared.workers.starts.noted(&note),
            Some((_, Err(error))) if !is_of_database(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What a worker holds, in all databases that answer.
async fn held_leases(
    shared: &Shared,
    worker_id: WorkerId,
    beyond: Vec<(JobId, ClaimNumber)>,
) -> Result<Vec<Lease>, StoreError> {
    let parts = shared.registered(&worker_id).into_iter().map(|place| (place, beyond.clone()));
    let call = move |store: Arc<dyn longshore_core::Backend>, beyond: Vec<_>| -> StoreFuture<'static, Vec<Lease>> {
        let worker_id = worker_id.clone();
        Box::pin(async move { store.held_leases(worker_id, beyond).await })
    };
    let answers = shared.members.ask(SHORT, parts.collect(), call).await;
    shared.note_missing(&answers);
    let mut leases: Vec<Lease> = reachable(answers)?.into_iter().flat_map(|(_, leases)| leases).collect();
    leases.sort_by_key(|lease| Reverse(lease.priority));
    leases.truncate(HELD_LEASES_MAX);
    Ok(leases)
}

/// Each database is told of its own jobs.
async fn extend(shared: &Shared, heartbeat: Heartbeat) -> Result<Extended, StoreError> {
    let Heartbeat { worker_id, number, held } = heartbeat;
    let parts = shared.registered(&worker_id).into_iter().map(|place| {
        let held = of_database(shared, &held, place);
        (place, Heartbeat { worker_id: worker_id.clone(), number, held })
    });
    let call = |store: Arc<dyn longshore_core::Backend>, heartbeat: Heartbeat| -> StoreFuture<'static, _> {
        Box::pin(async move { store.extend(heartbeat).await })
    };
    let answers = shared.members.ask(SHORT, parts.collect(), call).await;
    shared.note_missing(&answers);
    let mut all = Extended::default();
    for (_, extended) in reachable(answers)? {
        all.lost.extend(extended.lost);
        all.cancel_requested.extend(extended.cancel_requested);
        all.asks_for_all |= extended.asks_for_all;
    }
    Ok(all)
}

fn of_database(shared: &Shared, held: &Held, place: usize) -> Held {
    let own = |claims: &[(JobId, ClaimNumber)]| {
        let is_own = |id: JobId| shared.members.of_job(id).is_ok_and(|of| of == place);
        claims.iter().copied().filter(|(id, _)| is_own(*id)).collect()
    };
    match held {
        Held::All(all) => Held::All(own(all)),
        Held::Changes { since, taken, given_up } => {
            Held::Changes { since: *since, taken: own(taken), given_up: own(given_up) }
        }
    }
}

/// A stream whose jobs all belong to one database.
struct OfOneDatabase {
    shared: Arc<Shared>,
    home: usize,
    first: Option<Result<ValidJob, StoreError>>,
    jobs: ValidJobStream,
}

impl Stream for OfOneDatabase {
    type Item = Result<ValidJob, StoreError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { shared, home, first, jobs } = self.get_mut();
        if let Some(first) = first.take() {
            return Poll::Ready(Some(first));
        }
        let check = |job: Result<ValidJob, StoreError>| {
            let job = job?;
            shared.together(*home, shared.home_of(&job)?)?;
            Ok(job)
        };
        jobs.as_mut().poll_next(context).map(|job| job.map(check))
    }
}
