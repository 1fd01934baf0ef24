use std::collections::{BTreeMap, BTreeSet};

use longshore_core::{BatchJob, BatchRole, Dependency, DependencyTarget, JobId, Needs};

use crate::output::table::printable;

/// The jobs as lines: each below the first of these jobs that it waits for, with what else it waits for.
pub(super) fn tree(jobs: &[BatchJob]) -> Vec<String> {
    let ids: BTreeSet<JobId> = jobs.iter().map(|job| job.id).collect();
    let mut below: BTreeMap<Option<JobId>, Vec<&BatchJob>> = BTreeMap::new();
    for job in jobs {
        below.entry(stem_of(job, &ids)).or_default().push(job);
    }
    let mut lines = Vec::with_capacity(jobs.len());
    // A job waits for older ones alone, so there is no circle. Without recursion, because a chain may be long.
    let mut left: Vec<(&BatchJob, usize)> = below.get(&None).into_iter().flatten().rev().map(|job| (*job, 0)).collect();
    while let Some((job, depth)) = left.pop() {
        lines.push(format!("{}{}", indent(depth), line(job, stem_of(job, &ids))));
        let children = below.get(&Some(job.id)).into_iter().flatten().rev();
        left.extend(children.map(|child| (*child, depth + 1)));
    }
    lines
}

/// How deep lines are indented at most: a chain of a thousand jobs is no use at the right edge.
const DEPTH_MAX: usize = 20;

fn indent(depth: usize) -> String {
    match depth {
        0 => String::new(),
        _ => format!("{}└ ", "  ".repeat(depth.min(DEPTH_MAX) - 1)),
    }
}

fn stem_of(job: &BatchJob, ids: &BTreeSet<JobId>) -> Option<JobId> {
    job.dependencies.iter().find_map(|dependency| match dependency.on {
        DependencyTarget::Job { job_id, .. } => Some(job_id).filter(|id| ids.contains(id) && *id < job.id),
        DependencyTarget::Batch { .. } | DependencyTarget::Signal { .. } => None,
    })
}

fn line(job: &BatchJob, stem: Option<JobId>) -> String {
    let mut line = format!("{} {}", job.id, printable(&job.job_type));
    if let Some(reference) = &job.reference {
        line.push_str(&format!(" ({})", printable(reference)));
    }
    line.push_str(&format!(" {}", job.status));
    if job.role == BatchRole::Callback {
        line.push_str(", callback");
    }
    let mut is_stem_left = stem.is_some();
    let others = job.dependencies.iter().filter(|dependency| {
        let is_stem = matches!(dependency.on, DependencyTarget::Job { job_id, .. } if Some(job_id) == stem);
        // What the place in the tree says already.
        let is_said = is_stem && is_stem_left && dependency.needs == Needs::Completed;
        is_stem_left &= !is_stem;
        !is_said
    });
    let others: Vec<String> = others.map(in_words).collect();
    if !others.is_empty() {
        line.push_str(&format!(", after {}", others.join(" and ")));
    }
    line
}

/// What is waited for, as `jobs show` and the tree say it.
pub(in crate::commands) fn in_words(dependency: &Dependency) -> String {
    let what = match &dependency.on {
        DependencyTarget::Job { job_id, .. } => format!("job {job_id}"),
        DependencyTarget::Batch { batch_id, .. } => format!("batch {batch_id}"),
        DependencyTarget::Signal { signal } => return format!("the signal {}", printable(signal)),
    };
    match dependency.needs {
        Needs::Completed => what,
        Needs::Ended => format!("the end of {what}"),
        Needs::Failed => format!("the failure of {what}"),
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::{BatchId, DependencyState, Otherwise, Status};

    use super::*;

    fn job(id: i64, after: Vec<Dependency>) -> BatchJob {
        BatchJob {
            id: JobId(id),
            reference: None,
            role: BatchRole::Member,
            job_type: "work".to_owned(),
            status: Status::Blocked,
            dependencies: after,
        }
    }

    fn on(target: DependencyTarget, needs: Needs) -> Dependency {
        Dependency {
            reference: None,
            on: target,
            needs,
            otherwise: Otherwise::DeadLetter,
            state: DependencyState::Waiting,
            timeout_at: None,
            result: None,
            is_result_left_out: false,
        }
    }

    fn on_job(id: i64) -> Dependency {
        on(DependencyTarget::Job { job_id: JobId(id), status: None }, Needs::Completed)
    }

    #[test]
    fn each_job_stands_below_the_first_one_that_it_waits_for() {
        let jobs = [
            BatchJob { reference: Some("a".to_owned()), ..job(1, Vec::new()) },
            job(2, vec![on_job(1)]),
            job(3, vec![on_job(2), on_job(1)]),
            job(4, Vec::new()),
            job(5, vec![on_job(1)]),
        ];
        assert_eq!(
            tree(&jobs),
            [
                "1 work (a) blocked",
                "└ 2 work blocked",
                "  └ 3 work blocked, after job 1",
                "└ 5 work blocked",
                "4 work blocked",
            ]
        );
    }

    #[test]
    fn what_the_place_does_not_say_is_in_words() {
        let signal = on(DependencyTarget::Signal { signal: "approved".to_owned() }, Needs::Completed);
        let failed = on(DependencyTarget::Batch { batch_id: BatchId(9), batch_status: None }, Needs::Failed);
        let ended = on(DependencyTarget::Job { job_id: JobId(1), status: None }, Needs::Ended);
        let callback = BatchJob { role: BatchRole::Callback, ..job(2, vec![failed]) };
        let jobs = [job(1, vec![signal, on_job(700)]), callback, job(3, vec![ended])];
        assert_eq!(
            tree(&jobs),
            [
                "1 work blocked, after the signal approved and job 700",
                "└ 3 work blocked, after the end of job 1",
                "2 work blocked, callback, after the failure of batch 9",
            ]
        );
    }

    #[test]
    fn a_long_chain_stays_on_the_screen() {
        let jobs: Vec<BatchJob> =
            (1..=5000).map(|id| job(id, if id == 1 { Vec::new() } else { vec![on_job(id - 1)] })).collect();
        let lines = tree(&jobs);
        assert_eq!(lines.len(), 5000);
        assert!(lines[4999].starts_with(&format!("{}└ 5000", " ".repeat(38))), "{}", lines[4999]);
    }
}
