use longshore_core::{ApplyLimits, LimitRule, LimitSubject, StoreError};
use tokio::sync::Mutex;

use crate::WorkerError;
use crate::runtime::quiet;
use crate::worker::trouble::StoreCall;
use crate::worker::worker_run::WorkerRun;

/// The limits in the code or the configuration of a worker, which are applied once, before its first claim.
#[derive(Debug, Default)]
pub(crate) struct OwnLimits {
    pending: Mutex<Option<ApplyLimits>>,
}

impl OwnLimits {
    /// Checks the limits. Of several for one subject the last one counts.
    pub(crate) fn new(
        limits: impl IntoIterator<Item = (LimitSubject, Option<LimitRule>)>,
    ) -> Result<Self, WorkerError> {
        let rules: Vec<_> = limits.into_iter().collect();
        for (subject, rule) in &rules {
            if let Some(Err(error)) = rule.as_ref().map(|rule| rule.check(subject)) {
                return Err(WorkerError::Limit { subject: subject.clone(), error });
            }
        }
        let pending = (!rules.is_empty()).then_some(ApplyLimits { rules });
        Ok(Self { pending: Mutex::new(pending) })
    }

    /// Makes them known, if that has not been done, unless the worker stops before the store answers. No job may start
    /// before.
    pub(crate) async fn apply(&self, worker_run: &WorkerRun) -> Result<(), StoreError> {
        let mut pending = self.pending.lock().await;
        let Some(apply) = pending.as_ref() else { return Ok(()) };
        let make = || worker_run.queue.backend().apply_limits(apply.clone());
        let applied = tokio::select! {
            applied = worker_run.patiently(StoreCall::Limits, make) => applied?,
            // A store that does not answer must not keep the worker from ending.
            () = worker_run.stopping() => return Ok(()),
        };
        *pending = None;
        for subject in applied.changed {
            quiet::info!(%subject, "applied the limit of this program");
        }
        for subject in applied.overridden {
            quiet::warning!(%subject, "a limit that was set by hand holds; `longshore limits unset` ends that");
        }
        Ok(())
    }
}
