use std::time::Duration;

use longshore_core::{Action, Console, JobId, Maintained, Maintenance, Priority, QueueChange, Retention};

use super::draw;
use super::listeners::Listeners;
use super::run::Run;
use crate::suite::Harness;

/// The time between two searches for lost workers.
const LOOK: Duration = Duration::from_millis(750);
/// The maximum number of housekeeping steps for a database of this size.
const MAINTENANCE_STEPS_MAX: u32 = 10_000;

impl<H: Harness> Run<H> {
    pub(super) async fn reclaim(&mut self) {
        self.trail.both(&self.main, "reclaim", |store| store.reclaim()).await;
    }

    /// Without faults, so that the store has certainly seen every heartbeat.
    pub(super) async fn reclaim_calmly(&mut self) {
        self.trail.tell("reclaim without faults");
        self.trail.both_calmly(&self.main, |store| store.reclaim()).await;
    }

    /// In short steps with a search after each, as in production: a lease ends only under continuous observation.
    pub(super) async fn pass_time(&mut self) {
        let mut span = draw::milliseconds(&mut self.random, 1..5000);
        self.trail.tell(&format!("{span:?} pass"));
        while !span.is_zero() {
            let step = span.min(LOOK);
            self.clock.advance(step);
            self.reclaim_calmly().await;
            span -= step;
        }
    }

    pub(super) fn jump(&mut self) {
        let span = draw::milliseconds(&mut self.random, 1..100_000);
        if self.random.bool() {
            self.trail.tell(&format!("the clock jumps {span:?} ahead"));
            self.clock.jump_forwards(span);
        } else {
            self.trail.tell(&format!("the clock jumps {span:?} back"));
            self.clock.jump_backwards(span);
        }
    }

    pub(super) async fn act(&mut self) {
        let known = self.known();
        let selection = draw::selection(&mut self.random, &known);
        let priority = Priority(self.random.i32(-3..30));
        let actions = [
            Action::Cancel,
            Action::Retry,
            Action::Retry,
            Action::RetryAlone,
            Action::RetryFromStart,
            Action::RetryAloneFromStart,
            Action::Delete,
            Action::Discard,
            Action::Reprioritise(priority),
        ];
        let action = *draw::pick(&mut self.random, &actions);
        let what = format!("{action:?} on {selection:?}");
        self.trail.both(&self.main, &what, |store| store.act(selection.clone(), action)).await;
        if matches!(action, Action::Delete | Action::Discard) {
            self.expect_what_is_there().await;
        }
    }

    pub(super) async fn edit(&mut self) {
        let (now, known) = (self.now(), self.known());
        let edit = draw::edit(&mut self.random, now);
        let id = if known.is_empty() { JobId(1) } else { *draw::pick(&mut self.random, &known) };
        let what = format!("edit {id}: {edit:?}");
        self.trail.both(&self.main, &what, |store| store.edit(id, edit.clone())).await;
    }

    pub(super) async fn change_queue(&mut self) {
        let queue = *draw::pick(&mut self.random, &draw::QUEUES);
        let change = if draw::is_lucky(&mut self.random, 0.4) { QueueChange::Pause } else { QueueChange::Resume };
        let what = format!("{change:?} of queue {queue}");
        self.trail.both(&self.main, &what, |store| store.change_queue(queue.to_owned(), change)).await;
    }

    /// Stores choose how much one step does, so each runs housekeeping to its end.
    pub(super) async fn maintain(&mut self) {
        let retention = self.retention();
        let dead_letter_retention = self.retention();
        let maintenance = Maintenance { retention, dead_letter_retention, rows_max: self.random.u32(1..50) };
        self.trail.tell(&format!("{maintenance:?}"));
        let found = self.maintain_to_the_end(self.main.subject.inner(), maintenance).await;
        let expected = self.maintain_to_the_end(&self.main.model, maintenance).await;
        self.trail.must_be(&found, &expected, "the housekeeping");
        self.expect_what_is_there().await;
    }

    fn retention(&mut self) -> Retention {
        let span = Duration::from_secs(self.random.u64(..600));
        *draw::pick(&mut self.random, &[Retention::Forever, Retention::After(span), Retention::Default(span)])
    }

    /// Housekeeping that removes nothing.
    pub(super) async fn settle(&self) {
        let maintenance =
            Maintenance { retention: Retention::Forever, dead_letter_retention: Retention::Forever, rows_max: 50 };
        let found = self.maintain_to_the_end(self.main.subject.inner(), maintenance).await;
        let expected = self.maintain_to_the_end(&self.main.model, maintenance).await;
        self.trail.must_be(&found, &expected, "what was settled");
    }

    async fn maintain_to_the_end(&self, store: &dyn Console, maintenance: Maintenance) -> (u64, u64, u64) {
        let (mut pruned, mut settled, mut reconciled) = (0, 0, 0);
        for _ in 0..MAINTENANCE_STEPS_MAX {
            let maintained: Maintained = store.maintain(maintenance).await.expect("without faults house can be kept");
            pruned += maintained.pruned;
            settled += maintained.settled;
            reconciled += maintained.reconciled;
            if !maintained.has_more {
                return (pruned, settled, reconciled);
            }
        }
        self.trail.must(false, || "housekeeping does not come to an end".to_owned());
        (pruned, settled, reconciled)
    }

    /// The main process dies and is replaced by another one, which has seen no heartbeat yet.
    pub(super) async fn restart(&mut self) {
        self.trail.tell("the main process dies");
        let fresh = self.open();
        std::mem::replace(&mut self.main, fresh).kill(&self.harness);
        self.listeners = Listeners::new(&self.main);
        self.reclaim_calmly().await;
    }
}
