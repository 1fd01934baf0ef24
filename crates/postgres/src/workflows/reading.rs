use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use longshore_core::{
    BatchId, BatchJob, BatchJobPage, BatchJobsRequest, BatchRecord, BatchRole, BatchStatus, BatchesRequest,
    DependenciesRequest, Dependency, DependencyState, DependencyTarget, Dependent, Dependents, DependentsRequest, Job,
    JobData, JobFacts, JobId, Needs, Otherwise, Status, WorkflowPlace,
};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use super::batches::{batch_statuses, record, records};
use crate::jobs::job_row::select_jobs;
use crate::jobs::reading::selected::statuses;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;

/// The maximum number of batches or jobs in one answer.
const PAGE_MAX: u32 = 1000;
/// How many batches that a filter leaves out are passed over at a time.
const STEP: i64 = 1000;
/// How many jobs that wait for a limited time are listed.
const TIMED_MAX: i64 = 10_000;

/// One batch.
pub(super) async fn batch(parts: Arc<Parts>, id: BatchId) -> Result<Option<BatchRecord>, Fault> {
    Ok(records(&*parts.pool.session().await?, &[id.0]).await?.pop())
}

/// A page of batches, newest first.
pub(super) async fn batches(parts: Arc<Parts>, request: BatchesRequest) -> Result<Vec<BatchRecord>, Fault> {
    let limit = request.limit.clamp(1, PAGE_MAX) as usize;
    let is_meant =
        |record: &BatchRecord| request.statuses.as_ref().is_none_or(|statuses| statuses.contains(&record.status));
    let transaction = parts.pool.begin_reading().await?;
    let mut before = request.before.map_or(i64::MAX, |before| before.0);
    let mut found = Vec::new();
    loop {
        let parameters: [Parameter<'_>; 2] = [(&before, Type::INT8), (&STEP, Type::INT8)];
        let rows = transaction.query(sql!("workflows/select_batches_page"), &parameters).await?;
        let page: Vec<BatchRecord> = rows.iter().map(record).collect::<Result<_, _>>()?;
        let last = page.last().map(|batch| batch.id.0);
        found.extend(page.into_iter().filter(is_meant));
        match last.filter(|_| rows.len() as i64 == STEP && found.len() < limit) {
            Some(last) => before = last,
            None => break,
        }
    }
    transaction.commit().await?;
    found.truncate(limit);
    Ok(found)
}

/// A page of the jobs of a batch.
pub(super) async fn batch_jobs(parts: Arc<Parts>, request: BatchJobsRequest) -> Result<BatchJobPage, Fault> {
    let transaction = parts.pool.begin_reading().await?;
    let (members, next) = members_page(&transaction, &request).await?;
    let ids: Vec<JobId> = members.iter().map(|(id, _)| *id).collect();
    let mut jobs: HashMap<JobId, Job> =
        select_jobs(&transaction, &ids).await?.into_iter().map(|job| (job.id, job)).collect();
    let mut dependencies = all_dependencies(&transaction, jobs.values(), BatchJob::DEPENDENCIES_MAX).await?;
    transaction.commit().await?;
    let shown = members.into_iter().filter_map(|(id, member)| {
        let job = jobs.remove(&id)?;
        let mut dependencies = dependencies.remove(&id).unwrap_or_default();
        dependencies.truncate(BatchJob::DEPENDENCIES_MAX as usize);
        Some(BatchJob {
            id,
            reference: member.reference,
            role: member.role,
            job_type: job.job_type,
            status: job.status,
            dependencies,
        })
    });
    Ok(BatchJobPage { jobs: shown.collect(), next })
}

/// The members of a page, and behind which of them the next one begins.
async fn members_page(
    session: &Session,
    request: &BatchJobsRequest,
) -> Result<(Vec<(JobId, Member)>, Option<JobId>), Fault> {
    let limit = request.limit.clamp(1, PAGE_MAX) as usize;
    let looked_max = BatchJobPage::LOOKED_MAX as usize;
    let (mut found, mut looked, mut last) = (Vec::new(), 0, request.after);
    loop {
        // One more than wanted says whether anything follows.
        let wanted = if request.statuses.is_none() { limit + 1 } else { PAGE_MAX as usize };
        let step = wanted.min(looked_max + 1 - looked) as i64;
        let after = last.map_or(i64::MIN, |after| after.0);
        let parameters: [Parameter<'_>; 3] = [(&request.id.0, Type::INT8), (&after, Type::INT8), (&step, Type::INT8)];
        let rows = session.query(sql!("workflows/select_members_page"), &parameters).await?;
        let members: Vec<(JobId, Member)> = rows.iter().map(Member::of).collect::<Result<_, _>>()?;
        let is_last = (members.len() as i64) < step;
        let known = match &request.statuses {
            Some(_) => statuses(session, members.iter().map(|(id, _)| *id)).await?,
            None => HashMap::new(),
        };
        for (id, member) in members {
            if found.len() == limit || looked == looked_max {
                return Ok((found, last));
            }
            looked += 1;
            last = Some(id);
            let is_wanted = |wanted: &Vec<Status>| known.get(&id).is_some_and(|status| wanted.contains(status));
            if request.statuses.as_ref().is_none_or(is_wanted) {
                found.push((id, member));
            }
        }
        if is_last {
            return Ok((found, None));
        }
    }
}

/// A job's row in `member`.
struct Member {
    batch: Option<i64>,
    reference: Option<String>,
    role: BatchRole,
}

impl Member {
    fn of(row: &Row) -> Result<(JobId, Self), Error> {
        let columns = &mut Columns::of(row);
        let id = columns.id()?;
        let (batch, reference) = (columns.read()?, columns.read()?);
        // A CHECK of the table allows no other word.
        let role = BatchRole::from_stored(columns.read()?).unwrap_or(BatchRole::Member);
        Ok((id, Self { batch, reference, role }))
    }
}

/// Where a job is in its workflow.
pub(crate) async fn place_of(session: &Session, id: JobId) -> Result<WorkflowPlace, Error> {
    let Some(row) = session.query_opt(sql!("workflows/select_member"), &[(&id.0, Type::INT8)]).await? else {
        return Ok(WorkflowPlace::default());
    };
    let (_, Member { batch, reference, role }) = Member::of(&row)?;
    let batch_id = batch.map(BatchId);
    Ok(WorkflowPlace { batch_id, batch_role: batch_id.map(|_| role), reference })
}

/// What a job waits or waited for.
pub(super) async fn dependencies(parts: Arc<Parts>, request: DependenciesRequest) -> Result<Vec<Dependency>, Fault> {
    let transaction = parts.pool.begin_reading().await?;
    let Some(job) = select_jobs(&transaction, &[request.id]).await?.pop() else { return Ok(Vec::new()) };
    let mut found = dependencies_of(&transaction, &job).await?;
    found.retain(|dependency| request.name.as_ref().is_none_or(|name| dependency.is_named(name)));
    if request.result_bytes_max > 0 {
        let mut left = request.result_bytes_max;
        for dependency in &mut found {
            let result = result_of(&transaction, request.id, &dependency.on).await?;
            left = dependency.give(result, left);
        }
    }
    transaction.commit().await?;
    Ok(found)
}

/// The jobs that depend on a job.
pub(super) async fn dependents(parts: Arc<Parts>, request: DependentsRequest) -> Result<Vec<Dependent>, Fault> {
    let statement = match request.which {
        Dependents::Waiting => sql!("workflows/select_waiting_dependents"),
        Dependents::Children => sql!("workflows/select_children"),
    };
    let after = request.after.map_or(i64::MIN, |after| after.0);
    let limit = i64::from(request.limit.clamp(1, PAGE_MAX));
    let parameters: [Parameter<'_>; 3] = [(&request.id.0, Type::INT8), (&after, Type::INT8), (&limit, Type::INT8)];
    let transaction = parts.pool.begin_reading().await?;
    let rows = transaction.query(statement, &parameters).await?;
    let mut are_children = BTreeMap::new();
    for row in &rows {
        let columns = &mut Columns::of(row);
        are_children.insert(columns.id()?, columns.read::<bool>()?);
    }
    let ids: Vec<JobId> = are_children.keys().copied().collect();
    let mut jobs = select_jobs(&transaction, &ids).await?;
    transaction.commit().await?;
    jobs.sort_by_key(|job| job.id);
    let dependents = jobs.into_iter().map(|Job { id, job_type, status, .. }| Dependent {
        id,
        job_type,
        status,
        is_child: are_children[&id],
    });
    Ok(dependents.collect())
}

/// The jobs that run when a signal does not come in time.
pub(super) async fn timed_jobs(parts: Arc<Parts>) -> Result<Vec<JobId>, Fault> {
    let session = parts.pool.session().await?;
    let rows = session.query(sql!("workflows/select_timed_jobs"), &[(&TIMED_MAX, Type::INT8)]).await?;
    Ok(rows.iter().map(|row| row.try_get(0).map(JobId)).collect::<Result<_, _>>()?)
}

/// All dependencies of one job, its parent included, without results.
pub(crate) async fn dependencies_of(session: &Session, job: &Job) -> Result<Vec<Dependency>, Error> {
    Ok(all_dependencies(session, [job], u32::MAX).await?.remove(&job.id).unwrap_or_default())
}

/// What a job still waits for; none if it waits for nothing but perhaps its parent.
pub(crate) async fn unmet(session: &Session, job: &Job) -> Result<Option<Vec<Dependency>>, Error> {
    let rows = stored(session, &[job.id.0], u32::MAX).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let open = rows.into_iter().filter(|(_, row)| !row.state.is_over()).take(JobFacts::UNMET_MAX as usize);
    let open: Vec<(JobId, Stored)> = open.collect();
    let known = Targets::read(session, open.iter().map(|(_, row)| row)).await?;
    Ok(Some(open.into_iter().map(|(_, row)| row.shown(&known)).collect()))
}

async fn all_dependencies<'j>(
    session: &Session,
    jobs: impl IntoIterator<Item = &'j Job>,
    limit: u32,
) -> Result<HashMap<JobId, Vec<Dependency>>, Error> {
    let jobs: Vec<&Job> = jobs.into_iter().collect();
    let ids: Vec<i64> = jobs.iter().map(|job| job.id.0).collect();
    let rows = stored(session, &ids, limit).await?;
    let parents = statuses(session, jobs.iter().filter_map(|job| job.parent_job_id)).await?;
    let known = Targets::read(session, rows.iter().map(|(_, row)| row)).await?;
    let mut all: HashMap<JobId, Vec<Dependency>> = HashMap::new();
    for job in jobs {
        let Some(parent) = job.parent_job_id else { continue };
        let is_blocked = job.status == Status::Blocked;
        let dependency = Dependency::of_parent(parent, parents.get(&parent).copied(), is_blocked);
        all.entry(job.id).or_default().push(dependency);
    }
    for (id, row) in rows {
        all.entry(id).or_default().push(row.shown(&known));
    }
    Ok(all)
}

/// A row of `dependency`.
#[derive(Debug)]
struct Stored {
    kind: String,
    target: i64,
    signal: Option<String>,
    reference: Option<String>,
    needs: Needs,
    otherwise: Otherwise,
    state: DependencyState,
    timeout_at: Option<longshore_core::Timestamp>,
}

async fn stored(session: &Session, ids: &[i64], limit: u32) -> Result<Vec<(JobId, Stored)>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let limit = i64::from(limit);
    let parameters: [Parameter<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&limit, Type::INT8)];
    let rows = session.query(sql!("workflows/select_dependencies"), &parameters).await?;
    rows.iter().map(Stored::of).collect()
}

impl Stored {
    fn of(row: &Row) -> Result<(JobId, Self), Error> {
        let columns = &mut Columns::of(row);
        let id = columns.id()?;
        let stored = Self {
            kind: columns.read()?,
            target: columns.read()?,
            signal: columns.read()?,
            reference: columns.read()?,
            // A CHECK of the table allows no other word.
            needs: Needs::from_stored(columns.read()?).unwrap_or_default(),
            otherwise: Otherwise::from_stored(columns.read()?).unwrap_or(Otherwise::DeadLetter),
            state: DependencyState::from_stored(columns.read()?).unwrap_or(DependencyState::Waiting),
            timeout_at: columns.optional_instant()?,
        };
        Ok((id, stored))
    }

    fn shown(self, known: &Targets) -> Dependency {
        let on = match (self.kind.as_str(), self.signal) {
            ("signal", Some(signal)) => DependencyTarget::Signal { signal },
            ("batch", _) => DependencyTarget::Batch {
                batch_id: BatchId(self.target),
                batch_status: known.batches.get(&self.target).copied(),
            },
            _ => DependencyTarget::Job {
                job_id: JobId(self.target),
                status: known.jobs.get(&JobId(self.target)).copied(),
            },
        };
        Dependency {
            reference: self.reference,
            on,
            needs: self.needs,
            otherwise: self.otherwise,
            state: self.state,
            timeout_at: self.timeout_at,
            result: None,
            is_result_left_out: false,
        }
    }
}

/// How the targets of dependencies are.
struct Targets {
    jobs: HashMap<JobId, Status>,
    batches: BTreeMap<i64, BatchStatus>,
}

impl Targets {
    async fn read<'s>(session: &Session, rows: impl Iterator<Item = &'s Stored>) -> Result<Self, Error> {
        let (mut jobs, mut batches) = (BTreeSet::new(), BTreeSet::new());
        for row in rows {
            match row.kind.as_str() {
                "job" => drop(jobs.insert(JobId(row.target))),
                "batch" => drop(batches.insert(row.target)),
                _ => {}
            }
        }
        let batches: Vec<i64> = batches.into_iter().collect();
        Ok(Self { jobs: statuses(session, jobs).await?, batches: batch_statuses(session, &batches).await? })
    }
}

async fn result_of(session: &Session, id: JobId, on: &DependencyTarget) -> Result<Option<JobData>, Error> {
    let row = match on {
        DependencyTarget::Batch { .. } => return Ok(None),
        DependencyTarget::Job { job_id, .. } => {
            session.query_opt(sql!("workflows/select_result"), &[(&job_id.0, Type::INT8)]).await?
        }
        DependencyTarget::Signal { signal } => {
            let parameters: [Parameter<'_>; 2] = [(&id.0, Type::INT8), (signal, Type::TEXT)];
            session.query_opt(sql!("workflows/select_signal_data"), &parameters).await?
        }
    };
    row.map_or(Ok(None), |row| Columns::of(&row).data())
}
