use longshore_core::{Awaited, JobId, NewDependency};
use postgres_types::Type;

use super::references::References;
use crate::session::statements::Parameter;

/// New dependencies as the columns of `workflows/insert_dependencies.sql`.
#[derive(Debug, Default)]
pub(super) struct DependencyColumns<'a> {
    ids: Vec<i64>,
    positions: Vec<i32>,
    kinds: Vec<&'static str>,
    targets: Vec<i64>,
    signals: Vec<Option<&'a str>>,
    references: Vec<Option<&'a str>>,
    needs: Vec<&'static str>,
    otherwise: Vec<&'static str>,
    timeouts_ms: Vec<Option<i64>>,
}

impl<'a> DependencyColumns<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn push(
        &mut self,
        id: JobId,
        position: usize,
        dependency: &'a NewDependency,
        batch: Option<i64>,
        references: &References,
    ) {
        let own_batch = || batch.expect("the check of a workflow refuses this without a batch");
        let NewDependency { awaited, needs, otherwise } = dependency;
        let (kind, target, signal, reference, timeout) = match awaited {
            Awaited::Job(job) => ("job", job.0, None, None, None),
            Awaited::Reference(reference) => {
                ("job", references.get(reference).id.0, None, Some(reference.as_str()), None)
            }
            Awaited::Batch => ("batch", own_batch(), None, None, None),
            Awaited::Signal { name, timeout } => ("signal", own_batch(), Some(name.as_str()), None, *timeout),
        };
        self.ids.push(id.0);
        self.positions.push(i32::try_from(position).unwrap_or(i32::MAX));
        self.kinds.push(kind);
        self.targets.push(target);
        self.signals.push(signal);
        self.references.push(reference);
        self.needs.push(needs.as_str());
        self.otherwise.push(otherwise.as_str());
        self.timeouts_ms.push(timeout.map(|timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)));
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 9] {
        [
            (&self.ids, Type::INT8_ARRAY),
            (&self.positions, Type::INT4_ARRAY),
            (&self.kinds, Type::TEXT_ARRAY),
            (&self.targets, Type::INT8_ARRAY),
            (&self.signals, Type::TEXT_ARRAY),
            (&self.references, Type::TEXT_ARRAY),
            (&self.needs, Type::TEXT_ARRAY),
            (&self.otherwise, Type::TEXT_ARRAY),
            (&self.timeouts_ms, Type::INT8_ARRAY),
        ]
    }
}
