use std::collections::BTreeMap;

use longshore_core::{DependenciesRequest, Dependency, DependencyTarget, Lease, StoreError};
use serde::Serialize;

use crate::{CurrentAttempt, HandlerError, Queue};

/// The dependencies of a job as a program gets them: an object by reference and by job id, the name of a signal, or
/// `batch`.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct DependencyList(BTreeMap<String, Dependency>);

impl DependencyList {
    fn of(dependencies: Vec<Dependency>) -> Self {
        let mut list = BTreeMap::new();
        for dependency in dependencies {
            let name = match &dependency.on {
                DependencyTarget::Job { job_id, .. } => job_id.to_string(),
                DependencyTarget::Batch { .. } => "batch".to_owned(),
                DependencyTarget::Signal { signal } => signal.clone(),
            };
            if let Some(reference) = &dependency.reference {
                list.insert(reference.clone(), dependency.clone());
            }
            list.entry(name).or_insert(dependency);
        }
        Self(list)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads what the job of an attempt waited for, with results up to so many bytes. Reads nothing if it waited for nothing.
pub(crate) async fn read_dependencies(
    attempt: &CurrentAttempt,
    result_bytes_max: usize,
) -> Result<DependencyList, HandlerError> {
    Ok(dependencies_of(attempt.queue(), attempt.lease(), result_bytes_max).await?)
}

/// The same of a lease.
pub(crate) async fn dependencies_of(
    queue: &Queue,
    lease: &Lease,
    result_bytes_max: usize,
) -> Result<DependencyList, StoreError> {
    if !lease.has_dependencies {
        return Ok(DependencyList::default());
    }
    let request = DependenciesRequest { id: lease.id, name: None, result_bytes_max };
    Ok(DependencyList::of(queue.backend().dependencies(request).await?))
}

#[cfg(test)]
mod tests {
    use longshore_core::{JobData, JobId};

    use super::*;

    #[test]
    fn a_dependency_is_found_by_its_reference_and_by_its_id() {
        let mut named = Dependency::of_parent(JobId(101), None, false);
        named.reference = Some("a".to_owned());
        named.result = Some(JobData::parse("7").unwrap());
        let signal = DependencyTarget::Signal { signal: "approved".to_owned() };
        let signal = Dependency { on: signal, ..Dependency::of_parent(JobId(1), None, false) };
        let list = serde_json::to_value(DependencyList::of(vec![named, signal])).unwrap();
        let keys: Vec<&str> = list.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["101", "a", "approved"]);
        assert_eq!((&list["a"]["result"], &list["101"]["job_id"]), (&7.into(), &101.into()));
    }
}
