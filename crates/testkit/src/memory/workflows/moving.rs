use longshore_core::{BatchRecord, JobId, MovedDependency, MovedMember, MovedSignal, MovedTarget, Status};

use crate::memory::state::State;
use crate::memory::workflows::{Batch, Member, Target, Wait};

impl State {
    pub(in crate::memory) fn moved_batches(&self) -> Vec<BatchRecord> {
        self.flows.batches.keys().filter_map(|id| self.batch_record(*id)).collect()
    }

    pub(in crate::memory) fn moved_signals(&self) -> Vec<MovedSignal> {
        let signals = self.flows.signals.iter();
        signals
            .map(|((batch, name), data)| MovedSignal { batch: *batch, name: name.clone(), data: data.clone() })
            .collect()
    }

    /// A job's place in its workflow, and what it waits for.
    pub(in crate::memory) fn moved_place(&self, id: JobId) -> (Option<MovedMember>, Vec<MovedDependency>) {
        let member = self.flows.members.get(&id).map(|member| MovedMember {
            batch: member.batch,
            role: member.role,
            reference: member.reference.clone(),
            counted: member.counted,
        });
        let waits = self.flows.waits.get(&id).into_iter().flatten().map(|wait| MovedDependency {
            target: match wait.target.clone() {
                Target::Job(id) => MovedTarget::Job(id),
                Target::Batch(id) => MovedTarget::Batch(id),
                Target::Signal(batch, name) => MovedTarget::Signal { batch, name },
            },
            reference: wait.reference.clone(),
            needs: wait.needs,
            otherwise: wait.otherwise,
            state: wait.state,
            timeout: wait.timeout,
            timeout_at: wait.timeout_at,
        });
        (member, waits.collect())
    }

    /// Whether a job that moves by itself waits for this one, or will read its result.
    pub(in crate::memory) fn is_awaited_by_one_that_moves(&self, id: JobId) -> bool {
        let moves = |owner: &JobId| {
            let status = self.rows.get(owner).map(|row| row.job.status);
            status.is_some_and(|status| !matches!(status, Status::Completed | Status::Cancelled))
        };
        let names_it = |waits: &[Wait]| waits.iter().any(|wait| wait.target == Target::Job(id));
        self.flows.waits.iter().any(|(owner, waits)| names_it(waits) && moves(owner))
    }

    pub(in crate::memory) fn keep_batches(&mut self, batches: Vec<BatchRecord>, signals: Vec<MovedSignal>) {
        self.flows.batches.clear();
        self.flows.signals.clear();
        for BatchRecord { id, name, status: _, created_at, closed_at, ended_at, counts, callbacks } in batches {
            self.flows.last_batch = self.flows.last_batch.max(id.0);
            self.flows.batches.insert(id, Batch { name, created_at, closed_at, ended_at, counts, callbacks });
        }
        let signals = signals.into_iter().map(|signal| ((signal.batch, signal.name), signal.data));
        self.flows.signals.extend(signals);
    }

    pub(in crate::memory) fn keep_place(
        &mut self,
        id: JobId,
        member: Option<MovedMember>,
        dependencies: Vec<MovedDependency>,
    ) {
        if let Some(MovedMember { batch, role, reference, counted }) = member {
            self.flows.members.insert(id, Member { batch, role, reference, counted });
        }
        let waits: Vec<Wait> = dependencies
            .into_iter()
            .map(|dependency| Wait {
                reference: dependency.reference,
                target: match dependency.target {
                    MovedTarget::Job(id) => Target::Job(id),
                    MovedTarget::Batch(id) => Target::Batch(id),
                    MovedTarget::Signal { batch, name } => Target::Signal(batch, name),
                },
                needs: dependency.needs,
                otherwise: dependency.otherwise,
                state: dependency.state,
                timeout: dependency.timeout,
                timeout_at: dependency.timeout_at,
            })
            .collect();
        if !waits.is_empty() {
            self.flows.waits.insert(id, waits);
        }
    }

    /// A copy that moved away counts nowhere.
    pub(in crate::memory) fn drop_place(&mut self, id: JobId) {
        self.flows.members.remove(&id);
        self.flows.waits.remove(&id);
    }
}
