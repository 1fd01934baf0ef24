//! How a group of requests runs on the connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::{Open, WriterConnection};
use crate::database::connection::never_wait_on_this_thread;
use crate::database::database_file::FileChange;
use crate::database::fault::{panic_message, spoils_connection};
use crate::workers::held::HeldLeases;
use crate::writing::checkpoints::Step;
use crate::writing::group::{Committed, Group, NotRun, Place, refuse_fenced};
use crate::writing::work::Task;

/// What became of a request that its caller wanted to run on its own thread.
pub(crate) struct RanHere {
    /// The request, if it was not run. Then it was not answered, and nothing of it is kept.
    pub(crate) left: Option<Box<dyn Task>>,
    /// Whether the writer's thread has something to do now.
    pub(crate) leaves_work: bool,
}

impl WriterConnection {
    /// Runs a group on the writer's thread and answers each request.
    pub(crate) fn run(&mut self, mut group: Vec<Box<dyn Task>>) {
        let committed = self.run_group(&mut group, Place::WriterThread);
        self.after_group(committed);
        let step = std::mem::take(&mut self.next_step);
        if let Some(open) = &self.open
            && !self.is_spoilt
        {
            // Last, because everybody has an answer by now and nobody waits for it.
            self.checkpoints.carry_out(step, &open.session.connection);
        }
    }

    /// Runs a short request on the thread of its caller, if this waits for nothing but the commit.
    pub(crate) fn run_here(&mut self, task: Box<dyn Task>) -> RanHere {
        if self.open.is_none() || self.is_spoilt || self.next_step != Step::Nothing {
            return RanHere { left: Some(task), leaves_work: false };
        }
        let mut group = vec![task];
        never_wait_on_this_thread();
        let committed = self.run_group(&mut group, Place::CallersThread);
        self.wait_on_this_thread();
        let left = group.pop();
        if left.is_none() {
            self.after_group(committed);
        }
        RanHere { left, leaves_work: self.is_spoilt || self.next_step != Step::Nothing }
    }

    /// What follows from a commit once everybody has an answer.
    fn after_group(&mut self, committed: Committed) {
        self.awake.note_callers(committed.callers);
        self.is_spoilt |= committed.is_spoilt;
        let Some(Open { session, watch }) = &mut self.open else { return };
        if committed.wakes {
            // Heartbeats and checks for dead workers also run in an idle queue. Only work that wakes workers counts as
            // activity.
            watch.note_activity();
            self.hints.give(&session.changes.take());
        }
        if !self.is_spoilt {
            if self.next_step == Step::Nothing {
                self.next_step = self.checkpoints.after_commit();
            }
            self.look();
        }
    }

    /// Runs a group. If a request panics, all requests of its transaction get that as their answer. The transaction is
    /// rolled back with its connection, and everything remembered about it is dropped.
    ///
    /// On a caller's thread, the group may be left as it is.
    fn run_group(&mut self, group: &mut Vec<Box<dyn Task>>, place: Place) -> Committed {
        let run = catch_unwind(AssertUnwindSafe(|| self.run_guarded(group, place)));
        run.unwrap_or_else(|payload| {
            crate::database::quiet::error!(database = %self.context.database, panic = panic_message(payload.as_ref()), "the writer panicked");
            self.held = HeldLeases::default();
            group.drain(..).for_each(|task| task.give_up(payload.as_ref()));
            Committed { is_spoilt: true, ..Committed::default() }
        })
    }

    fn run_guarded(&mut self, group: &mut Vec<Box<dyn Task>>, place: Place) -> Committed {
        if place == Place::WriterThread
            && let Some(committed) = self.answer_by_look(group)
        {
            return committed;
        }
        let Some(Open { session, .. }) = &self.open else { return Committed::default() };
        let is_lone = group.len() == 1;
        let begun = Instant::now();
        let now = self.options.clock.now();
        let (held, file, context, permits) = (&mut self.held, &*self.file, &self.context, &self.permits);
        let writes = &self.writes;
        match (Group { session, place, held, file, context, permits, writes, now }).run(group) {
            Ok(committed) => {
                if is_lone {
                    self.awake.note_commit(begun.elapsed());
                }
                committed
            }
            Err(NotRun::FileChanged(change)) if place == Place::WriterThread => self.dismiss_all(group, change),
            Err(NotRun::FileChanged(_) | NotRun::MustWait) => Committed::default(),
        }
    }

    /// Answers a lone request if a read is enough for it. `None` if it must write.
    fn answer_by_look(&mut self, group: &mut Vec<Box<dyn Task>>) -> Option<Committed> {
        let Open { session, .. } = self.open.as_ref()?;
        let [task] = group.as_mut_slice() else { return None };
        let looked = task.look(session);
        // The read sees whatever tables exist. Its answer counts only if the schema is supported, which is checked
        // afterwards: a migration in between would be missed in the other order.
        if !matches!(looked, Ok(false)) && matches!(session.is_schema_understood(), Ok(false)) {
            group.drain(..).for_each(|task| task.dismiss(self.context.schema_changed()));
            return Some(Committed::default());
        }
        if !matches!(looked, Ok(false))
            && let Some(state) = session.fence()
        {
            refuse_fenced(&state, group);
            if group.is_empty() {
                return Some(Committed::default());
            }
        }
        match looked {
            Ok(false) => None,
            Ok(true) => {
                group.drain(..).for_each(Task::answer);
                Some(Committed::default())
            }
            Err(error) => {
                if let Err(change) = self.file.check() {
                    return Some(self.dismiss_all(group, change));
                }
                group.drain(..).for_each(|task| task.refuse(&error));
                Some(Committed { is_spoilt: spoils_connection(&error), ..Committed::default() })
            }
        }
    }

    /// The requests are answered with the change once earlier commits are safe.
    fn dismiss_all(&mut self, group: &mut Vec<Box<dyn Task>>, change: FileChange) -> Committed {
        self.part_if_changed();
        group.drain(..).for_each(|task| task.dismiss(change.error(&self.context).into()));
        Committed { is_spoilt: true, ..Committed::default() }
    }
}
