use std::collections::BTreeMap;

use longshore_core::JobId;

/// The jobs of a workflow by the names that it gave them. At most as many as the check of a workflow allows.
#[derive(Debug, Default)]
pub(super) struct References(BTreeMap<String, Named>);

/// A job with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: JobId,
    pub(super) kind: NamedKind,
}

/// What a job is to the workflow that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedKind {
    Member,
    Callback,
    /// It has the unique key of the line and was there before, so it may have ended.
    Older,
}

impl References {
    pub(super) fn insert(&mut self, reference: &str, named: Named) {
        self.0.insert(reference.to_owned(), named);
    }

    pub(super) fn get(&self, reference: &str) -> Named {
        *self.0.get(reference).expect("the check of the workflow knows every reference")
    }

    pub(super) fn into_ids(self) -> BTreeMap<String, JobId> {
        self.0.into_iter().map(|(reference, named)| (reference, named.id)).collect()
    }
}
