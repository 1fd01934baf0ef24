use std::collections::{BTreeMap, BTreeSet};

use longshore_core::{BatchJob, BatchRole, Dependency, DependencyTarget, JobId, Needs};

use crate::output::table::printable;

/// The jobs as lines: each below the newest of these jobs that it waits for, with what else it waits for.
pub(super) fn tree(jobs: &[BatchJob]) -> Vec<String> {
    let ids: BTreeSet<JobId> = jobs.iter().map(|job| job.id).collect();
    let mut below: BTreeMap<Option<JobId>, Vec<&BatchJob>> = BTreeMap::new();
    for job in jobs {
        below.entry(stem_of(job, &ids)).or_default().push(job);
    }
    let mut lines = Vec::with_capacity(jobs.len());
    // A job waits for older ones alone, so there is no circle. Without recursion, because a chain may be long.
    let roots = below.get(&None).into_iter().flatten().rev();
    let mut left: Vec<(&BatchJob, Option<JobId>, String, &str)> =
        roots.map(|job| (*job, None, String::new(), "")).collect();
    while let Some((job, stem, trunk, branch)) = left.pop() {
        lines.push(format!("{trunk}{branch}{}", line(job, stem)));
        let (stem, trunk) = (Some(job.id), trunk_below(trunk, branch));
        let children = below.get(&stem).into_iter().flatten().rev().enumerate();
        left.extend(
            children.map(|(after, child)| (*child, stem, trunk.clone(), if after == 0 { LAST } else { MIDDLE })),
        );
    }
    lines
}

/// How wide a trunk is at most: a chain of a thousand jobs is no use at the right edge.
const TRUNK_MAX: usize = 38;
const MIDDLE: &str = "├ ";
const LAST: &str = "└ ";

fn trunk_below(trunk: String, branch: &str) -> String {
    let is_wide = trunk.chars().count() >= TRUNK_MAX;
    match branch {
        MIDDLE if !is_wide => trunk + "│ ",
        LAST if !is_wide => trunk + "  ",
        _ => trunk,
    }
}

fn stem_of(job: &BatchJob, ids: &BTreeSet<JobId>) -> Option<JobId> {
    let jobs = job.dependencies.iter().filter_map(|dependency| match dependency.on {
        DependencyTarget::Job { job_id, .. } => Some(job_id),
        DependencyTarget::Batch { .. } | DependencyTarget::Signal { .. } => None,
    });
    jobs.filter(|id| ids.contains(id) && *id < job.id).max()
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
    let mut others: Vec<String> = others.map(in_words).collect();
    if others.len() > NAMED_MAX {
        let more = others.split_off(NAMED_MAX - 1).len();
        others.push(format!("{more} more"));
    }
    if !others.is_empty() {
        line.push_str(&format!(", after {}", others.join(" and ")));
    }
    line
}

/// How many things that a job waits for are named: `jobs show` names all.
const NAMED_MAX: usize = 6;

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
    fn each_job_stands_below_the_newest_one_that_it_waits_for() {
        let jobs = [
            BatchJob { reference: Some("a".to_owned()), ..job(1, Vec::new()) },
            job(2, vec![on_job(1)]),
            job(3, vec![on_job(1), on_job(2)]),
            job(4, Vec::new()),
            job(5, vec![on_job(1)]),
            job(6, vec![on_job(5)]),
            job(7, vec![on_job(4)]),
        ];
        assert_eq!(
            tree(&jobs),
            [
                "1 work (a) blocked",
                "├ 2 work blocked",
                "│ └ 3 work blocked, after job 1",
                "└ 5 work blocked",
                "  └ 6 work blocked",
                "4 work blocked",
                "└ 7 work blocked",
            ]
        );
    }

    #[test]
    fn of_a_wide_join_the_first_jobs_are_named_and_the_rest_is_counted() {
        let parents = (1..=1000).map(|id| job(id, Vec::new()));
        let join = job(1001, (1..=1000).map(on_job).collect());
        let jobs: Vec<BatchJob> = parents.chain([join]).collect();
        let expected = "└ 1001 work blocked, after job 1 and job 2 and job 3 and job 4 and job 5 and 994 more";
        assert_eq!(tree(&jobs).last().map(String::as_str), Some(expected));
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
