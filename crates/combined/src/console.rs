use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    Action, Actioned, Backend, Condition, Console, Health, IdRange, JobDetail, JobEdit, JobId, JobPage, JobPageRequest,
    LogEndRequest, LogPage, LogRequest, Maintained, Maintenance, MinuteStats, QueueChange, Selection, Stats,
    StoreError, StoreFuture, WaitingFacts, WorkerRecord, WriteReading,
};

use crate::combined_store::CombinedStore;
use crate::member::Member;
use crate::members::{LONG, every, reachable};
use crate::merge::pages::Part;
use crate::merge::{health, pages, stats, worker_records};

const PAGE_MAX: u32 = 1000;
/// The most refusals of an action on a filter that are listed.
const REFUSED_MAX: usize = 100;
/// When to keep house again in a database that has not answered.
const SWEEP_AGAIN: Duration = Duration::from_secs(60);

type Store = Arc<dyn Backend>;

impl Console for CombinedStore {
    fn job(&self, id: JobId) -> StoreFuture<'_, Option<JobDetail>> {
        Box::pin(async move {
            let place = self.shared.members.of_job(id)?;
            self.shared.members.ask_one(place, move |store| Box::pin(async move { store.job(id).await })).await
        })
    }

    fn jobs(&self, request: JobPageRequest) -> StoreFuture<'_, JobPage> {
        Box::pin(async move {
            let limit = request.limit.clamp(1, PAGE_MAX) as usize;
            let parts = self.selected(&request.selection)?.into_iter().map(|(place, selection)| {
                let range = self.shared.members.all()[place].range();
                let id = request.after.as_ref().zip(range).and_then(|(after, range)| after.in_range(range));
                (
                    place,
                    JobPageRequest {
                        selection,
                        after: id.map(Into::into),
                        limit: request.limit,
                        looked_max: request.looked_max,
                    },
                )
            });
            let parts: Vec<_> = parts.collect();
            let afters: Vec<_> = parts
                .iter()
                .map(|(place, own)| (*place, own.after.as_ref().map(longshore_core::PageCursor::id)))
                .collect();
            let call = |store: Store, own: JobPageRequest| -> StoreFuture<'static, _> {
                Box::pin(async move { store.jobs(own).await })
            };
            let answers = self.shared.members.ask(LONG, parts, call).await;
            let parts = reachable(answers)?.into_iter().filter_map(|(place, page)| {
                let (_, after) = afters.iter().find(|(of, _)| *of == place)?;
                Some(Part { range: self.shared.members.all()[place].range()?, after: *after, page })
            });
            Ok(pages::merge(parts.collect(), limit))
        })
    }

    fn count(&self, selection: Selection) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let call = |store: Store, own: Selection| -> StoreFuture<'static, _> {
                Box::pin(async move { store.count(own).await })
            };
            let answers = self.shared.members.ask(LONG, self.selected(&selection)?, call).await;
            Ok(every(answers)?.into_iter().map(|(_, count)| count).sum())
        })
    }

    fn act(&self, selection: Selection, action: Action) -> StoreFuture<'_, Actioned> {
        Box::pin(async move {
            let mut all = Actioned::default();
            // One after the other: an action may take long, and none of them is given up halfway.
            for (place, own) in self.selected(&selection)? {
                let acted = self
                    .shared
                    .members
                    .ask_one(place, move |store| Box::pin(async move { store.act(own, action).await }));
                let Actioned { touched, refused } = acted.await?;
                all.touched += touched;
                all.refused.extend(refused);
            }
            if matches!(selection, Selection::Matching(_)) {
                all.refused.truncate(REFUSED_MAX);
            }
            Ok(all)
        })
    }

    fn edit(&self, id: JobId, edit: JobEdit) -> StoreFuture<'_, Actioned> {
        Box::pin(async move {
            let place = self.shared.members.of_job(id)?;
            self.shared.members.ask_one(place, move |store| Box::pin(async move { store.edit(id, edit).await })).await
        })
    }

    fn waiting_facts(&self, id: JobId) -> StoreFuture<'_, Option<WaitingFacts>> {
        Box::pin(async move {
            let place = self.shared.members.of_job(id)?;
            let call = move |store: Store| -> StoreFuture<'static, _> {
                Box::pin(async move { store.waiting_facts(id).await })
            };
            self.shared.members.ask_one(place, call).await
        })
    }

    fn log(&self, request: LogRequest) -> StoreFuture<'_, LogPage> {
        Box::pin(async move {
            let place = self.shared.members.of_job(request.id)?;
            self.shared.members.ask_one(place, move |store| Box::pin(async move { store.log(request).await })).await
        })
    }

    fn log_end(&self, request: LogEndRequest) -> StoreFuture<'_, LogPage> {
        Box::pin(async move {
            let place = self.shared.members.of_job(request.id)?;
            self.shared.members.ask_one(place, move |store| Box::pin(async move { store.log_end(request).await })).await
        })
    }

    fn stats(&self, minutes: u32) -> StoreFuture<'_, Stats> {
        Box::pin(async move {
            let answers =
                self.shared.members.ask_all(LONG, move |store| Box::pin(async move { store.stats(minutes).await }));
            Ok(stats::merge(reachable(answers.await)?, |queue| self.shared.members.home(queue)))
        })
    }

    fn history(&self, minutes: u32, per: NonZero<u32>) -> StoreFuture<'_, Vec<MinuteStats>> {
        Box::pin(async move {
            let call = move |store: Store| -> StoreFuture<'static, _> {
                Box::pin(async move { store.history(minutes, per).await })
            };
            let answers = self.shared.members.ask_all(LONG, call);
            let parts = reachable(answers.await)?.into_iter().map(|(_, minutes)| minutes);
            Ok(stats::merge_minutes(parts))
        })
    }

    fn workers(&self) -> StoreFuture<'_, Vec<WorkerRecord>> {
        Box::pin(async move {
            let answers = self.shared.members.ask_all(LONG, |store| Box::pin(async move { store.workers().await }));
            Ok(worker_records::merge(reachable(answers.await)?))
        })
    }

    /// In every database: jobs of a queue that was moved by a change of the configuration may be in any.
    fn change_queue(&self, queue: String, change: QueueChange) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let queue = queue.clone();
                Box::pin(async move { store.change_queue(queue, change).await })
            });
            every(answers.await).map(drop)
        })
    }

    fn maintain(&self, maintenance: Maintenance) -> StoreFuture<'_, Maintained> {
        Box::pin(async move {
            let due = self.shared.upkeep.due().into_iter().map(|place| (place, ())).collect();
            let call = move |store: Store, ()| -> StoreFuture<'static, _> {
                Box::pin(async move { store.maintain(maintenance).await })
            };
            let answers = self.shared.members.ask(LONG, due, call).await;
            for (place, answer) in &answers {
                let next = answer.as_ref().map_or(SWEEP_AGAIN, |maintained| maintained.next);
                self.shared.upkeep.put_off(*place, next);
            }
            let mut all = Maintained::default();
            for (_, maintained) in reachable(answers)? {
                let Maintained { pruned, kept, settled, reconciled, has_more, next: _ } = maintained;
                all.pruned += pruned;
                all.kept += kept;
                all.settled += settled;
                all.reconciled += reconciled;
                all.has_more |= has_more;
            }
            all.next = self.shared.upkeep.next();
            Ok(all)
        })
    }

    fn health(&self) -> StoreFuture<'_, Health> {
        Box::pin(async move {
            let answers = self.shared.members.ask_all(LONG, |store| Box::pin(async move { store.health().await }));
            let merged = health::merge(reachable(answers.await)?, |queue| self.shared.members.home(queue));
            merged.ok_or_else(|| StoreError::Closed { database: "no database".into() })
        })
    }

    /// As long as one database accepts writes, there is work that can be done.
    fn check_schema(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let answers =
                self.shared.members.ask_all(LONG, |store| Box::pin(async move { store.check_schema().await }));
            reachable(answers.await).map(drop)
        })
    }

    fn condition(&self) -> StoreFuture<'_, Condition> {
        Box::pin(async move {
            let answers = self.shared.members.ask_all(LONG, |store| Box::pin(async move { store.condition().await }));
            let parts = reachable(answers.await)?.into_iter().map(|(_, condition)| condition);
            let merged = parts.reduce(health::both);
            merged.ok_or_else(|| StoreError::Closed { database: "no database".into() })
        })
    }

    /// That of the first database. The others have their own.
    fn writes(&self) -> Vec<WriteReading> {
        let open = self.shared.members.all().iter().filter_map(|member| Some((member, member.store().ok()?)));
        let named = |(member, store): (&Arc<Member>, &Store)| {
            let name = Arc::clone(&member.name);
            store.writes().into_iter().map(move |reading| WriteReading { database: Some(Arc::clone(&name)), ..reading })
        };
        open.flat_map(named).collect()
    }

    fn id_range(&self) -> StoreFuture<'_, Option<IdRange>> {
        Box::pin(async move { self.shared.members.ask_one(0, |it| Box::pin(async move { it.id_range().await })).await })
    }

    /// For the first database, unless another one has that range.
    fn take_id_range(&self, range: IdRange) -> StoreFuture<'_, Option<IdRange>> {
        Box::pin(async move {
            let (first, others) = self.shared.members.all().split_first().expect("there is a first database");
            if others.iter().any(|other| other.range() == Some(range)) {
                return self.id_range().await;
            }
            let take =
                |store: Store| -> StoreFuture<'static, _> { Box::pin(async move { store.take_id_range(range).await }) };
            let range = self.shared.members.ask_one(0, take).await?;
            first.set_range(range.unwrap_or_default());
            Ok(range)
        })
    }
}

impl CombinedStore {
    /// The part of a selection in each database. Ids are looked for only where they can be.
    fn selected(&self, selection: &Selection) -> Result<Vec<(usize, Selection)>, StoreError> {
        let Selection::Jobs(ids) = selection else {
            return Ok((0..self.shared.members.all().len()).map(|place| (place, selection.clone())).collect());
        };
        let mut parts: Vec<(usize, Vec<JobId>)> = Vec::new();
        for id in ids {
            let place = self.shared.members.of_job(*id)?;
            match parts.iter_mut().find(|(of, _)| *of == place) {
                Some((_, part)) => part.push(*id),
                None => parts.push((place, vec![*id])),
            }
        }
        Ok(parts.into_iter().map(|(place, ids)| (place, Selection::Jobs(ids))).collect())
    }
}
