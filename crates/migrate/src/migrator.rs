//! The commands. Each looks first, plans, and only then writes; what it answers is its JSON.

mod adopt;
mod chains;
mod inspect;
mod lint;
mod mark;
mod mend;
mod run;

use std::{env, fs, sync::Arc, time::Duration};

use jiff::Timestamp;
use longshore_cause::OutsideCause;

pub use adopt::AdoptRequest;
pub use chains::Chains;
pub use mark::{Marking, Verification};
pub use mend::{RepairMode, RepairRequest};
pub use run::{Backup, RunMode, RunRequest};

use crate::{
    error::MigrateError,
    execution::apply::in_own_transaction,
    execution::replay::Chain,
    files::migration::{Migration, MigrationId},
    files::source::Source,
    ledger::{Event, EventKind, Ledger, Record, RowChange, SharedRow, report_instant},
    survey::Survey,
    target::{ForeignKeys, ProgressListener, Target, TargetError, VerifiedSource},
};

/// How long a runner waits for another one unless told otherwise.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Who changes the schema, for the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The user.
    pub who: Option<String>,
    /// The host.
    pub host: Option<String>,
}

impl Author {
    /// The user and the host that the environment names.
    pub fn from_environment() -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let file = || fs::read_to_string("/etc/hostname").ok().map(|name| name.trim().to_owned());
        Self {
            who: variable("USER").or_else(|| variable("LOGNAME")).or_else(|| variable("USERNAME")).or_else(account),
            host: variable("HOSTNAME").or_else(|| variable("COMPUTERNAME")).or_else(file),
        }
    }
}

/// The account that this process runs under, for services and timers, which have no such variables.
#[cfg(unix)]
fn account() -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let id = fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = accounts.lines().find(|line| line.split(':').nth(2) == Some(&id));
    Some(own.and_then(|line| line.split(':').next()).map_or_else(|| format!("uid {id}"), str::to_owned))
}

#[cfg(not(unix))]
fn account() -> Option<String> {
    None
}

/// Migrations of some sources on one database.
pub struct Migrator<'t> {
    target: Box<dyn Target + 't>,
    sources: Vec<Source>,
    author: Author,
    clock: fn() -> Timestamp,
    lock_wait: Duration,
    chains: Option<Chains>,
}

impl<'t> Migrator<'t> {
    /// Migrations of `sources`, run in that order, on `target`.
    pub fn new(target: Box<dyn Target + 't>, sources: Vec<Source>) -> Self {
        Self {
            target,
            sources,
            author: Author::from_environment(),
            clock: Timestamp::now,
            lock_wait: LOCK_WAIT,
            chains: None,
        }
    }

    /// The same with another author.
    #[must_use]
    pub fn author(mut self, author: Author) -> Self {
        self.author = author;
        self
    }

    /// The same with another clock.
    #[must_use]
    pub fn clock(mut self, clock: fn() -> Timestamp) -> Self {
        self.clock = clock;
        self
    }

    /// The same with another bound on the wait for another runner.
    #[must_use]
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// The same with a memory of what files make, which other migrators share.
    #[must_use]
    pub fn chains(mut self, chains: Chains) -> Self {
        self.chains = Some(chains);
        self
    }

    /// Tells `listener` of progress.
    pub fn watch(&mut self, listener: ProgressListener) {
        self.target.watch(listener);
    }

    /// The sources, in the order in which they run.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The id that `text` means: `SOURCE:NUMBER`, or a bare number that only one source has.
    pub fn resolve(&mut self, text: &str) -> Result<MigrationId, MigrateError> {
        let unknown = || MigrateError::UnknownId { text: text.to_owned() };
        let (source, number) = match text.split_once(':') {
            Some((source, number)) => (Some(source), number),
            None => (None, text),
        };
        let number: i64 = number.parse().map_err(|_| unknown())?;
        let ledger = self.target.ledger()?;
        let files = self.sources.iter().flat_map(Source::migrations).map(|migration| migration.id.clone());
        let rows = ledger.rows.iter().filter(|row| row.source.is_some()).map(crate::ledger::Row::id);
        let mut ids: Vec<MigrationId> = files.chain(rows).filter(|id| id.number == number).collect();
        ids.retain(|id| source.is_none_or(|source| source == id.source));
        ids.sort();
        ids.dedup();
        if ids.len() > 1 {
            return Err(MigrateError::AmbiguousId { text: text.to_owned(), ids });
        }
        ids.pop().ok_or_else(unknown)
    }

    fn survey(&mut self) -> Result<Survey, MigrateError> {
        let memory = self.chains.clone().zip(chains::identity(&self.target.name(), &self.sources));
        let Some((chains, sources)) = memory else { return Ok(Survey::take(self.target.as_mut(), &self.sources)?) };
        let now = (self.clock)();
        if let Some(chain) = chains.find(&sources, now) {
            return Ok(Survey::take_with(self.target.as_mut(), &self.sources, chain)?);
        }
        let survey = Survey::take(self.target.as_mut(), &self.sources)?;
        chains.keep(sources, now, &survey.chain);
        Ok(survey)
    }

    /// The ledger as it is now, attributed as `survey` was.
    fn ledger(&mut self, survey: &Survey) -> Result<Ledger, MigrateError> {
        let mut ledger = self.target.ledger()?;
        ledger.attribute_by(&self.sources, &survey.chain, &survey.observed);
        Ok(ledger)
    }

    /// Tells another manager what has run of the migrations that it has, too.
    fn tell_other_manager(&mut self, marks: &[SharedRow]) -> Result<(), TargetError> {
        marks.iter().try_for_each(|mark| self.target.set_shared_row(mark.number, Some(mark)))
    }

    fn migration(&self, id: &MigrationId) -> Result<Migration, MigrateError> {
        let source = self.sources.iter().find(|source| source.name() == id.source);
        let found = source.and_then(|source| source.migration(id.number)).cloned();
        found.ok_or_else(|| MigrateError::UnknownId { text: id.to_string() })
    }

    /// Remembers every source that is in order, so that a worker's start is cheap. The cache is no part of the
    /// promise: it is no failure if another program is writing now.
    fn settle(&mut self, chain: Chain) -> Result<(), MigrateError> {
        let survey = Survey::take_with(self.target.as_mut(), &self.sources, chain)?;
        if !survey.broken().is_empty() || !survey.comparison.is_clean() {
            return Ok(());
        }
        let verified: Vec<VerifiedSource> =
            self.sources.iter().filter_map(|source| verified(&survey, source)).collect();
        let result = in_own_transaction(self.target.as_mut(), ForeignKeys::Enforced, |target| {
            verified.iter().try_for_each(|source| target.remember_verified(source))
        });
        match result {
            Err(TargetError::Outside(OutsideCause::Busy { .. })) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Runs `work` in one transaction.
    fn in_transaction<T>(
        &mut self,
        keys: ForeignKeys,
        work: impl FnOnce(&mut Self) -> Result<T, MigrateError>,
    ) -> Result<T, MigrateError> {
        self.target.begin(keys)?;
        let result = work(self).and_then(|done| {
            self.target.commit()?;
            Ok(done)
        });
        if result.is_err() {
            self.target.roll_back();
        }
        result
    }

    fn pen(&self) -> Pen {
        Pen { author: self.author.clone(), clock: self.clock, reason: None }
    }
}

/// The source, where all of it is applied and to be seen.
fn verified(survey: &Survey, source: &Source) -> Option<VerifiedSource> {
    let mut own = survey.standings.iter().filter(|standing| standing.id.source == source.name());
    if !own.all(|standing| standing.is_applied() && standing.agrees()) {
        return None;
    }
    let tables = survey.tables_and_views_of(source.name());
    Some(VerifiedSource { name: source.name().to_owned(), digest: source.digest()?, tables })
}

/// Writes records in the name of an author.
#[derive(Debug, Clone)]
struct Pen {
    author: Author,
    clock: fn() -> Timestamp,
    reason: Option<Arc<str>>,
}

impl Pen {
    fn because(mut self, reason: &str) -> Self {
        self.reason = Some(reason.into());
        self
    }

    fn record(&self, id: &MigrationId, name: &str, event: EventKind, change: RowChange) -> Record {
        let event = Event {
            id: id.clone(),
            name: name.to_owned(),
            event,
            at: report_instant((self.clock)()),
            who: self.author.who.clone(),
            host: self.author.host.clone(),
            reason: self.reason.as_deref().map(str::to_owned),
            duration_ms: None,
            detail: None,
        };
        Record { change, event }
    }
}
