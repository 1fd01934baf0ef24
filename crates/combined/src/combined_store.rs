use std::fmt;
use std::sync::Arc;

use longshore_core::{Backend, JobId, StoreError, ValidJob};
use tokio::sync::{Notify, watch};

use crate::attendant;
use crate::member::{Member, NamedDatabase, UnreachableDatabase};
use crate::members::Members;
use crate::missed::{MissedLimits, MissedSchedules};
use crate::numbering::{CombineError, Numbering, number};
use crate::pace::Pace;
use crate::workers::Workers;

/// Several databases as one store: each queue has its database, and an id says where its job is.
///
/// Workers claim from all of them, in turns; jobs of a queue that was moved by a change of the configuration are worked
/// where they are. Each database keeps its own order by priority. A database that does not answer holds up nobody: its
/// jobs wait, and the others go on. Reads over all of them ([`Console::stats`](longshore_core::Console::stats), pages,
/// workers) then leave it out, and [`CombinedStore::unreachable`] names it; a count is an error, because it would be
/// wrong.
///
/// What no transaction can cover is refused: a parent in another database, and one call with jobs for several
/// databases. A unique key holds among the jobs of one database.
#[derive(Clone)]
pub struct CombinedStore {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) members: Members,
    pub(crate) workers: Workers,
    pub(crate) missed_limits: MissedLimits,
    pub(crate) missed_schedules: MissedSchedules,
    pub(crate) reclaims: Pace,
    pub(crate) upkeep: Pace,
    /// A database was opened later than the others.
    pub(crate) opened: watch::Sender<()>,
    /// Something is to be tried again.
    pub(crate) trouble: Arc<Notify>,
}

impl CombinedStore {
    /// Combines these databases. The first one has every queue that no other one names. Each gets the range of its ids,
    /// which needs those that can be reached to answer.
    pub async fn open(databases: Vec<NamedDatabase>, numbering: Numbering) -> Result<Self, CombineError> {
        let members: Vec<Arc<Member>> = databases.into_iter().map(|database| Arc::new(Member::new(database))).collect();
        number(&members, numbering).await?;
        let count = members.len();
        let members = Members::new(members).map_err(CombineError::Thread)?;
        let shared = Arc::new(Shared {
            members,
            workers: Workers::default(),
            missed_limits: MissedLimits::default(),
            missed_schedules: MissedSchedules::default(),
            reclaims: Pace::new(count),
            upkeep: Pace::new(count),
            opened: watch::Sender::new(()),
            trouble: Arc::new(Notify::new()),
        });
        if numbering == Numbering::Assign {
            shared.members.all().iter().for_each(|member| member.tell_trouble());
        }
        attendant::start(&shared, numbering);
        Ok(Self { shared })
    }

    /// The databases that are open, by their names.
    pub fn databases(&self) -> Vec<(Arc<str>, Arc<dyn Backend>)> {
        let members = self.shared.members.all().iter();
        members.filter_map(|member| Some((Arc::clone(&member.name), Arc::clone(member.opened()?)))).collect()
    }

    /// The databases that did not answer when they were last asked.
    pub fn unreachable(&self) -> Vec<UnreachableDatabase> {
        let members = self.shared.members.all().iter();
        members
            .filter_map(|it| Some(UnreachableDatabase { name: Arc::clone(&it.name), error: it.trouble()? }))
            .collect()
    }

    /// The database that holds a job, if it exists.
    pub fn database_of(&self, id: JobId) -> Result<Arc<str>, StoreError> {
        let place = self.shared.members.of_job(id)?;
        Ok(Arc::clone(&self.shared.members.all()[place].name))
    }

    /// The database in which jobs of a queue are enqueued.
    pub fn database_for(&self, queue: &str) -> Arc<str> {
        Arc::clone(&self.shared.members.all()[self.shared.members.home(queue)].name)
    }
}

impl Shared {
    /// Where a job is enqueued. Its parent must be there.
    pub(crate) fn home_of(&self, job: &ValidJob) -> Result<usize, StoreError> {
        let home = self.members.home(&job.queue);
        if let Some(parent) = job.parent {
            let place = self.members.of_job(parent)?;
            if place != home {
                let name = |place: usize| Arc::clone(&self.members.all()[place].name);
                let (parent_database, database) = (name(place), name(home));
                return Err(StoreError::ParentElsewhere { parent, parent_database, database });
            }
        }
        Ok(home)
    }

    /// Where all of these jobs are enqueued; the first database for none.
    pub(crate) fn home_of_all(&self, jobs: &[ValidJob]) -> Result<usize, StoreError> {
        let mut home = None;
        for job in jobs {
            let own = self.home_of(job)?;
            self.together(*home.get_or_insert(own), own)?;
        }
        Ok(home.unwrap_or(0))
    }

    /// Whether jobs of these databases may be in one call.
    pub(crate) fn together(&self, first: usize, second: usize) -> Result<(), StoreError> {
        if first == second {
            return Ok(());
        }
        let [first, second] = [first, second].map(|place| Arc::clone(&self.members.all()[place].name));
        Err(StoreError::SeveralDatabases { first, second })
    }
}

impl fmt::Debug for CombinedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CombinedStore").field("databases", &self.shared.members.all()).finish_non_exhaustive()
    }
}
