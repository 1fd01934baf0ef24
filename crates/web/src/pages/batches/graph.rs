use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use longshore_core::{BatchJob, BatchRole, DependencyState, DependencyTarget, JobId, Status};

/// How many steps are drawn, and how many nodes one above the other. Whatever is left out is counted.
pub(super) const STEPS_MAX: usize = 12;
pub(super) const ROWS_MAX: usize = 10;

/// The jobs of a batch in steps: each stands behind everything that it waits for.
#[derive(Debug, PartialEq)]
pub(super) struct Graph<'a> {
    /// From left to right, each from top to bottom.
    pub(super) steps: Vec<Vec<Node<'a>>>,
    pub(super) edges: Vec<Edge>,
    /// How many jobs stand in steps behind those that are drawn.
    pub(super) later: usize,
}

/// Something that is drawn as a box.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node<'a> {
    Job(&'a BatchJob),
    Signal {
        name: &'a str,
        has_come: bool,
    },
    /// The end of the batch itself, which callbacks wait for.
    End {
        has_come: bool,
    },
    /// So many other jobs of this step.
    More(usize),
}

/// Where a box is: its step and its row.
pub(super) type Place = (usize, usize);

/// A line from what is waited for to who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) is_over: bool,
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key<'a> {
    Job(JobId),
    Signal(&'a str),
    End,
}

impl<'a> Graph<'a> {
    /// Places jobs, which are in the order of their ids: a job waits for older ones alone.
    pub(super) fn new(jobs: &'a [BatchJob]) -> Self {
        let steps = steps_of(jobs);
        let mut columns: Vec<Vec<(Key<'a>, Node<'a>)>> = Vec::new();
        columns.resize_with(steps.values().max().map_or(0, |last| last + 1).min(STEPS_MAX), Vec::new);
        let mut later = 0;
        for (key, node) in nodes(jobs) {
            match columns.get_mut(steps[&key]) {
                Some(column) => column.push((key, node)),
                None => later += usize::from(matches!(node, Node::Job(_))),
            }
        }
        let mut places: HashMap<Key<'a>, Place> = HashMap::new();
        let mut drawn = Vec::with_capacity(columns.len());
        for (step, column) in columns.into_iter().enumerate() {
            let mut rows = Vec::new();
            for (row, (key, node)) in chosen(column, &places).into_iter().enumerate() {
                if let Some(key) = key {
                    places.insert(key, (step, row));
                }
                rows.push(node);
            }
            drawn.push(rows);
        }
        Self { steps: drawn, edges: edges(jobs, &places), later }
    }
}

/// What a job waits for. Jobs of other batches are none of this graph.
fn awaited(job: &BatchJob) -> impl Iterator<Item = (Key<'_>, DependencyState)> {
    job.dependencies.iter().map(|dependency| {
        let key = match &dependency.on {
            DependencyTarget::Job { job_id, .. } => Key::Job(*job_id),
            DependencyTarget::Batch { .. } => Key::End,
            DependencyTarget::Signal { signal } => Key::Signal(signal),
        };
        (key, dependency.state)
    })
}

/// The step of everything: members first, then the end of the batch, then the callbacks.
fn steps_of(jobs: &[BatchJob]) -> HashMap<Key<'_>, usize> {
    let mut steps: HashMap<Key<'_>, usize> = HashMap::new();
    for role in [BatchRole::Member, BatchRole::Callback] {
        if role == BatchRole::Callback && jobs.iter().flat_map(awaited).any(|(key, _)| key == Key::End) {
            steps.insert(Key::End, steps.values().max().map_or(0, |last| last + 1));
        }
        for job in jobs.iter().filter(|job| job.role == role) {
            let mut step = 0;
            for (key, _) in awaited(job) {
                step = match key {
                    // A signal has no place of its own: it stands before who waits for it.
                    Key::Signal(_) => step.max(1),
                    _ => step.max(steps.get(&key).map_or(0, |before| before + 1)),
                };
            }
            steps.insert(Key::Job(job.id), step);
            for (key, _) in awaited(job).filter(|(key, _)| matches!(key, Key::Signal(_))) {
                let before = steps.entry(key).or_insert(step - 1);
                *before = (*before).min(step - 1);
            }
        }
    }
    steps
}

/// Everything that has a step, once.
fn nodes(jobs: &[BatchJob]) -> BTreeMap<Key<'_>, Node<'_>> {
    let mut nodes = BTreeMap::new();
    for job in jobs {
        nodes.insert(Key::Job(job.id), Node::Job(job));
        for (key, state) in awaited(job) {
            let has_come = state == DependencyState::Met;
            match key {
                Key::Signal(name) => drop(nodes.insert(key, Node::Signal { name, has_come })),
                Key::End => drop(nodes.entry(key).or_insert(Node::End { has_come })),
                Key::Job(_) => {}
            }
        }
    }
    nodes
}

/// The boxes of a step from top to bottom, each near to what it waits for. Of too many, the jobs that an operator looks
/// for are kept.
fn chosen<'a>(
    mut column: Vec<(Key<'a>, Node<'a>)>,
    places: &HashMap<Key<'a>, Place>,
) -> Vec<(Option<Key<'a>>, Node<'a>)> {
    let mut left_out = 0;
    if column.len() > ROWS_MAX {
        column.sort_by_key(|(key, node)| (Reverse(interest(node)), *key));
        left_out = column.len() - (ROWS_MAX - 1);
        column.truncate(ROWS_MAX - 1);
    }
    column.sort_by_key(|(key, node)| (height(node, places), *key));
    let mut rows: Vec<_> = column.into_iter().map(|(key, node)| (Some(key), node)).collect();
    rows.extend((left_out > 0).then_some((None, Node::More(left_out))));
    rows
}

const fn interest(node: &Node<'_>) -> u8 {
    match node {
        Node::Job(job) => match job.status {
            Status::DeadLetter => 5,
            Status::Running => 4,
            Status::Retrying => 3,
            Status::Pending | Status::Blocked => 2,
            Status::Cancelled => 1,
            Status::Completed => 0,
        },
        Node::Signal { .. } | Node::End { .. } | Node::More(_) => 6,
    }
}

/// The average row of what a job waits for, in thousandths.
fn height(node: &Node<'_>, places: &HashMap<Key<'_>, Place>) -> usize {
    let Node::Job(job) = node else { return 0 };
    let rows: Vec<usize> = awaited(job).filter_map(|(key, _)| places.get(&key)).map(|(_, row)| *row).collect();
    rows.iter().sum::<usize>() * 1000 / rows.len().max(1)
}

fn edges<'a>(jobs: &'a [BatchJob], places: &HashMap<Key<'a>, Place>) -> Vec<Edge> {
    let mut edges = Vec::new();
    for job in jobs {
        let Some(to) = places.get(&Key::Job(job.id)) else { continue };
        for (key, state) in awaited(job) {
            if let Some(from) = places.get(&key) {
                edges.push(Edge { from: *from, to: *to, is_over: state.is_over() });
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use longshore_core::{BatchId, Dependency, Needs, Otherwise};

    use super::*;

    fn job(id: i64, on: impl IntoIterator<Item = DependencyTarget>) -> BatchJob {
        let dependency = |on| Dependency {
            reference: None,
            on,
            needs: Needs::Completed,
            otherwise: Otherwise::DeadLetter,
            state: DependencyState::Waiting,
            timeout_at: None,
            result: None,
            is_result_left_out: false,
        };
        let dependencies: Vec<Dependency> = on.into_iter().map(dependency).collect();
        let is_callback = dependencies.iter().any(|it| matches!(it.on, DependencyTarget::Batch { .. }));
        let role = if is_callback { BatchRole::Callback } else { BatchRole::Member };
        let job_type = "work".to_owned();
        BatchJob { id: JobId(id), reference: None, role, job_type, status: Status::Pending, dependencies }
    }

    fn on(id: i64) -> DependencyTarget {
        DependencyTarget::Job { job_id: JobId(id), status: None }
    }

    fn ids(graph: &Graph<'_>) -> Vec<Vec<i64>> {
        let id = |node: &Node<'_>| match node {
            Node::Job(job) => job.id.0,
            Node::Signal { .. } => -1,
            Node::End { .. } => -2,
            Node::More(count) => -100 - i64::try_from(*count).unwrap(),
        };
        graph.steps.iter().map(|step| step.iter().map(id).collect()).collect()
    }

    #[test]
    fn a_job_stands_behind_everything_that_it_waits_for() {
        let batch = DependencyTarget::Batch { batch_id: BatchId(1), batch_status: None };
        let signal = DependencyTarget::Signal { signal: "approved".to_owned() };
        let jobs = [
            job(1, []),
            job(2, []),
            job(3, [on(2)]),
            job(4, [on(1)]),
            job(5, [on(1), on(3)]),
            job(6, [batch]),
            job(7, [signal]),
        ];
        let graph = Graph::new(&jobs);
        assert_eq!(ids(&graph), [vec![1, 2, -1], vec![4, 3, 7], vec![5], vec![-2], vec![6]]);
        let edge = |from, to| Edge { from, to, is_over: false };
        assert!(graph.edges.contains(&edge((0, 0), (2, 0))) && graph.edges.contains(&edge((3, 0), (4, 0))));
        assert_eq!((graph.edges.len(), graph.later), (6, 0));
    }

    #[test]
    fn what_is_left_out_is_counted_and_dead_letters_stay() {
        let mut jobs: Vec<BatchJob> = (1..=321).map(|id| job(id, [])).collect();
        jobs[320].status = Status::DeadLetter;
        let graph = Graph::new(&jobs);
        assert_eq!(ids(&graph)[0].last(), Some(&-412));
        assert_eq!(graph.steps[0].len(), ROWS_MAX);
        assert!(ids(&graph)[0].contains(&321));
        let chain: Vec<BatchJob> = (1..=1000).map(|id| job(id, (id > 1).then(|| on(id - 1)))).collect();
        let graph = Graph::new(&chain);
        assert_eq!((graph.steps.len(), graph.later), (STEPS_MAX, 1000 - STEPS_MAX));
    }

    #[test]
    fn a_job_of_another_batch_is_none_of_the_graph() {
        let jobs = [job(5, [on(1)])];
        let graph = Graph::new(&jobs);
        assert_eq!((ids(&graph), graph.edges), (vec![vec![5]], Vec::new()));
    }
}
