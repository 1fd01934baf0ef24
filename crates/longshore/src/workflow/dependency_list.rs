use std::collections::BTreeMap;

use longshore_core::{DependenciesRequest, Dependency, DependencyTarget, JobData, Lease, StoreError};
use serde::Serialize;

use crate::{CurrentAttempt, HandlerError, Queue};

/// The dependencies of a job as a program gets them: an object by reference and by job id, the name of a signal, or
/// `batch`.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct DependencyList(BTreeMap<String, Dependency>);

impl DependencyList {
    fn of(dependencies: Vec<Dependency>) -> Self {
        let (mut list, mut by_reference) = (BTreeMap::new(), Vec::new());
        for dependency in dependencies {
            let name = match &dependency.on {
                DependencyTarget::Job { job_id, .. } => job_id.to_string(),
                DependencyTarget::Batch { .. } => "batch".to_owned(),
                DependencyTarget::Signal { signal } => signal.clone(),
            };
            match dependency.reference.clone() {
                Some(reference) => {
                    list.insert(reference, dependency.clone());
                    by_reference.push((name, dependency));
                }
                None => drop(list.insert(name, dependency)),
            }
        }
        // Last, so that the id of a job which has a reference hides no other name.
        for (id, dependency) in by_reference {
            list.entry(id).or_insert(dependency);
        }
        Self(list)
    }

    fn results(&self) -> impl Iterator<Item = &JobData> {
        self.0.values().filter_map(|dependency| dependency.result.as_ref())
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
    let dependencies = dependencies_of(attempt.queue(), attempt.lease(), result_bytes_max).await?;
    attempt.note_given(dependencies.results().cloned().collect());
    Ok(dependencies)
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
    use longshore_core::JobId;

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

    #[test]
    fn the_id_of_a_job_with_a_reference_hides_no_other_name() {
        let named = |id, reference: &str| Dependency {
            reference: Some(reference.to_owned()),
            ..Dependency::of_parent(JobId(id), None, false)
        };
        let signal = DependencyTarget::Signal { signal: "3".to_owned() };
        let signal = Dependency { on: signal, ..Dependency::of_parent(JobId(9), None, false) };
        let list = vec![named(1, "2"), named(2, "1"), named(3, "a"), signal];
        let list = serde_json::to_value(DependencyList::of(list)).unwrap();
        assert_eq!((&list["1"]["job_id"], &list["2"]["job_id"]), (&2.into(), &1.into()));
        assert_eq!((&list["3"]["signal"], &list["a"]["job_id"]), (&"3".into(), &3.into()));
    }
}
