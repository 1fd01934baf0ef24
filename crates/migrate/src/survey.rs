//! Puts the three witnesses side by side: what the files make, what the ledger says, what the schema shows.

mod version;
mod words;

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
};

use crate::{
    adoption::{Choices, Scene, Takeover},
    execution::apply::changed_after_it_ran,
    execution::replay::{Broken, Chain},
    files::checksum::Change,
    files::migration::{Direction, Migration, MigrationId},
    files::script::Bounds,
    files::source::Source,
    ledger::{Ledger, Witness},
    report::finding::{Finding, FindingKind},
    schema::{Comparison, ObjectKind, ObjectName, Presence, Schema, differences},
    target::{Session, Target, TargetError},
};

/// What the ledger says of one migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing.
    Never,
    /// It is applied.
    Applied,
    /// It was applied and rolled back.
    RolledBack,
}

/// One migration before all three witnesses.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The migration.
    pub id: MigrationId,
    /// Its name, from the file or else from the ledger.
    pub name: String,
    /// Whether there is a file or a type for it.
    pub has_file: bool,
    /// What the ledger says.
    pub recorded: Recorded,
    /// How the file stands to what was recorded when it ran.
    pub change: Change,
    /// How the ledger knows.
    pub witness: Witness,
    /// What the schema shows of it; `None` where it could not be replayed.
    pub presence: Option<Presence>,
    /// Whether the schema as a whole looks as if it had run, judged by the version that fits best.
    pub is_reached: bool,
    /// Objects that it adds and that are there already although it is not reached.
    pub already_there: Vec<ObjectName>,
    /// Statements that an interrupted run outside a transaction has done or has found done; the next `up` does the others.
    pub statements_done: usize,
    /// Whether such a run was interrupted, perhaps in its first statement.
    pub is_interrupted: bool,
    /// Statements that an interrupted run of its down outside a transaction has done; `None` where there was none.
    pub down_done: Option<usize>,
    /// What is wrong, in words.
    pub problem: Option<String>,
}

/// Everything that is known before a plan is made. Reading it changes nothing.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The ledger with every row assigned to a source.
    pub ledger: Ledger,
    /// What every known migration makes, in the order in which they run.
    pub chain: Chain,
    /// The real schema.
    pub observed: Schema,
    /// The schema at the version that the ledger records; `None` where its migrations cannot be replayed.
    pub recorded: Option<Schema>,
    /// How `observed` differs from `recorded`.
    pub comparison: Comparison,
    /// Every migration that has a file or a row: sources in order, then by number.
    pub standings: Vec<Standing>,
    /// What is wrong with the files and with the ledger's claims about them.
    pub findings: Vec<Finding>,
    /// What the application has added to our tables and has kept; it is not in `observed`.
    pub accepted: Vec<ObjectName>,
    /// How a table of another program would be taken over, as long as nobody has chosen anything.
    pub takeover: Option<Takeover>,
    /// Where each migration is in `standings`; made when somebody asks first.
    pub(crate) places: OnceLock<HashMap<MigrationId, usize>>,
}

impl Standing {
    /// Whether the ledger counts it as applied.
    pub fn is_applied(&self) -> bool {
        self.recorded == Recorded::Applied
    }

    /// Whether it would have to run: there is a file, and the ledger does not count it as applied.
    pub fn is_pending(&self) -> bool {
        self.has_file && !self.is_applied()
    }

    /// Whether the schema and the ledger agree on it.
    pub fn agrees(&self) -> bool {
        if self.is_applied() {
            return self.has_file && (self.is_shown() || self.witness == Witness::Unverified);
        }
        !self.is_reached && self.already_there.is_empty() || self.is_marked_absent()
    }

    fn is_shown(&self) -> bool {
        matches!(self.presence, Some(Presence::Present | Presence::Invisible) | None)
    }

    // Nothing of it can be seen, so nothing contradicts the ledger.
    fn is_marked_absent(&self) -> bool {
        matches!(self.presence, Some(Presence::Absent | Presence::Invisible)) && self.already_there.is_empty()
    }
}

impl Survey {
    /// Looks at all three witnesses.
    pub fn take(target: &mut dyn Target, sources: &[Source]) -> Result<Self, TargetError> {
        let migrations: Vec<&Migration> = sources.iter().flat_map(Source::migrations).collect();
        let chain = Chain::replay(target, &migrations)?;
        Self::take_with(target, sources, chain)
    }

    /// [`Survey::take`] with the chain of an earlier survey of the same sources: what files make does not change while
    /// they run.
    pub fn take_with(target: &mut dyn Target, sources: &[Source], chain: Chain) -> Result<Self, TargetError> {
        let migrations: Vec<&Migration> = sources.iter().flat_map(Source::migrations).collect();
        let (mut ledger, accepted, observed) = look(target, sources)?;
        ledger.attribute_by(sources, &chain, &observed);
        let mut findings: Vec<Finding> = sources.iter().flat_map(Source::findings).cloned().collect();
        findings.extend(chain.broken().map(Broken::finding));
        let recorded = recorded_schema(target, &migrations, &ledger, &chain)?;
        let comparison = recorded.as_ref().map(|expected| differences(expected, &observed)).unwrap_or_default();
        let mut standings = version::standings(sources, &ledger, &chain, &observed);
        findings.extend(find_interrupted(target, &migrations, &mut standings)?);
        find_interrupted_downs(target, &migrations, &mut standings)?;
        let (takeover, places) = (None, OnceLock::new());
        let mut survey =
            Self { ledger, chain, observed, recorded, comparison, standings, findings, accepted, takeover, places };
        survey.takeover = survey.inspect(target, sources, &Choices::default())?;
        survey.find_broken_history(sources);
        words::say_problems(&mut survey);
        Ok(survey)
    }

    /// How a table of another program is taken over under those choices, where one of the sources can do that.
    pub fn inspect(
        &self,
        session: &mut dyn Session,
        sources: &[Source],
        choices: &Choices,
    ) -> Result<Option<Takeover>, TargetError> {
        let scene = Scene { observed: &self.observed, ledger: &self.ledger, chain: &self.chain, choices };
        for adopter in sources.iter().filter_map(Source::adopter) {
            if let Some(takeover) = adopter.inspect(session, &scene)? {
                return Ok(Some(takeover));
            }
        }
        Ok(None)
    }

    /// The standing of a migration.
    pub fn standing(&self, id: &MigrationId) -> Option<&Standing> {
        let places = self.places.get_or_init(|| {
            let ids = self.standings.iter().map(|standing| standing.id.clone());
            // Of several with one number the first counts.
            ids.enumerate().map(|(place, id)| (id, place)).rev().collect()
        });
        places.get(id).map(|place| &self.standings[*place])
    }

    /// The standing of the migration that a finding speaks of.
    pub(crate) fn standing_of(&self, subject: &str) -> Option<&Standing> {
        let (source, number) = subject.rsplit_once(':')?;
        self.standing(&MigrationId::new(source, number.parse().ok()?))
    }

    /// Findings that forbid to run anything.
    pub fn broken(&self) -> Vec<Finding> {
        self.findings.iter().filter(|finding| finding.kind.breaks_history()).cloned().collect()
    }

    /// Those of one source alone.
    pub fn broken_of(&self, source: &str) -> Vec<Finding> {
        let is_own = |finding: &Finding| finding.subject.split(':').next() == Some(source);
        self.broken().into_iter().filter(is_own).filter(|finding| finding.kind != FindingKind::OutOfOrder).collect()
    }

    /// The migration that an object belongs to: the last one, of those that count, that touched it or its table.
    pub fn because(&self, object: &ObjectName) -> Option<&MigrationId> {
        self.because_until(self.chain.links().len(), object)
    }

    /// [`Survey::because`] among the first so many migrations of the chain.
    pub fn because_until(&self, count: usize, object: &ObjectName) -> Option<&MigrationId> {
        let counts =
            |id: &MigrationId| self.standing(id).is_some_and(|standing| standing.is_applied() || standing.is_reached);
        let last = |object: &ObjectName, is_counted: &dyn Fn(&MigrationId) -> bool| {
            let touching = self.chain.touching(object).iter().filter(|place| **place < count);
            touching.rev().map(|place| &self.chain.links()[*place].id).find(|id| is_counted(id))
        };
        last(object, &counts).or_else(|| last(object, &|_| true)).or_else(|| {
            let is_part = object.kind.is_constraint();
            is_part.then(|| {
                last(&ObjectName { kind: ObjectKind::Table, table: None, name: object.owner().to_owned() }, &counts)
            })?
        })
    }

    /// Tables and views that no migration makes at any version.
    pub fn foreign(&self) -> Vec<ObjectName> {
        let is_ours = |object: &ObjectName| !self.chain.touching(object).is_empty();
        self.comparison.foreign.iter().filter(|object| !is_ours(object)).cloned().collect()
    }

    /// How a schema differs from `expected`, apart from what the application may have added.
    pub(crate) fn compare(&self, expected: &Schema, observed: &Schema) -> Comparison {
        differences(expected, &observed.without(&self.accepted))
    }

    /// The tables and the views that the migrations of a source make.
    pub fn tables_and_views_of(&self, source: &str) -> Vec<String> {
        let makes = |object: &ObjectName| {
            let mut touching = self.chain.touching(object).iter().map(|place| &self.chain.links()[*place]);
            touching.any(|link| link.id.source == source && link.footprint.adds.contains_key(object))
        };
        let last = self.chain.last();
        let all = last.tables().map(ObjectName::table).chain(last.views().map(ObjectName::view));
        all.filter(makes).map(|object| object.name).collect()
    }

    fn find_broken_history(&mut self, sources: &[Source]) {
        for standing in &self.standings {
            if !standing.has_file && standing.is_applied() {
                self.findings.push(missing(standing));
            }
            match standing.change {
                Change::Meaning => self.findings.push(changed(standing)),
                Change::Cosmetic => self.findings.push(Finding::new(
                    FindingKind::CosmeticChange,
                    standing.id.to_string(),
                    "white space or comments changed since it was applied, the statements did not",
                )),
                Change::None | Change::Unknown => {}
            }
        }
        for source in sources {
            self.findings.extend(out_of_order(&self.standings, source));
        }
    }
}

/// The ledger and the schema at one moment: between them another runner may commit a migration.
fn look(target: &mut dyn Target, sources: &[Source]) -> Result<(Ledger, Vec<ObjectName>, Schema), TargetError> {
    let is_begun = target.begin_look()?;
    let found = read(target, sources);
    if is_begun {
        target.end_look();
    }
    found
}

fn read(target: &mut dyn Target, sources: &[Source]) -> Result<(Ledger, Vec<ObjectName>, Schema), TargetError> {
    let ledger = target.ledger()?;
    let accepted = accepted(target, sources)?;
    let observed = target.observe()?.without(&accepted);
    Ok((ledger, accepted, observed))
}

fn accepted(session: &mut dyn Session, sources: &[Source]) -> Result<Vec<ObjectName>, TargetError> {
    let mut accepted = Vec::new();
    for adopter in sources.iter().filter_map(Source::adopter) {
        accepted.extend(adopter.accepted(session)?);
    }
    Ok(accepted)
}

/// Only a file that forbids a transaction can be partly done without an error. Gives those that it must not continue.
fn find_interrupted(
    target: &mut dyn Target,
    migrations: &[&Migration],
    standings: &mut [Standing],
) -> Result<Vec<Finding>, TargetError> {
    let forbids = |migration: &&&Migration| migration.bounds(Direction::Up) == Bounds::Statements;
    let forbidding: HashMap<&MigrationId, &Migration> =
        migrations.iter().filter(forbids).map(|migration| (&migration.id, *migration)).collect();
    let mut changed = Vec::new();
    for standing in standings.iter_mut().filter(|standing| standing.is_pending()) {
        let Some(migration) = forbidding.get(&standing.id) else { continue };
        let found = target.checkpoints(&standing.id, Direction::Up)?;
        changed.extend(changed_after_it_ran(migration, Direction::Up, &found));
        standing.is_interrupted = !found.is_empty();
        standing.statements_done = found.iter().filter(|checkpoint| !checkpoint.is_begun()).count();
    }
    Ok(changed)
}

/// The other way: the ledger counts the migration as applied until its down has run to the end.
fn find_interrupted_downs(
    target: &mut dyn Target,
    migrations: &[&Migration],
    standings: &mut [Standing],
) -> Result<(), TargetError> {
    let forbids = |migration: &&&Migration| migration.bounds(Direction::Down) == Bounds::Statements;
    let forbidding: HashSet<&MigrationId> = migrations.iter().filter(forbids).map(|migration| &migration.id).collect();
    for standing in standings.iter_mut().filter(|standing| standing.is_applied()) {
        if !forbidding.contains(&standing.id) {
            continue;
        }
        let found = target.checkpoints(&standing.id, Direction::Down)?;
        let done = found.iter().filter(|checkpoint| !checkpoint.is_begun()).count();
        standing.down_done = (!found.is_empty()).then_some(done);
    }
    Ok(())
}

fn missing(standing: &Standing) -> Finding {
    let message = format!("{} is applied according to the ledger, but there is no file for it", standing.name);
    Finding::new(FindingKind::MissingMigration, standing.id.to_string(), message)
        .hint("bring its files back, or run the newer version of the program that brought it")
}

fn changed(standing: &Standing) -> Finding {
    Finding::new(
        FindingKind::ChangedMigration,
        standing.id.to_string(),
        "its file says something else than what was applied",
    )
    .hint("restore the file and put the change into a new migration")
}

fn out_of_order(standings: &[Standing], source: &Source) -> Vec<Finding> {
    let own = || standings.iter().filter(|standing| standing.id.source == source.name());
    let Some(last) = own().filter(|standing| standing.is_applied()).map(|standing| standing.id.number).max() else {
        return Vec::new();
    };
    own()
        .filter(|standing| standing.is_pending() && standing.id.number < last)
        .map(|standing| {
            let message = format!("it is not applied, although {}:{last} is", source.name());
            Finding::new(FindingKind::OutOfOrder, standing.id.to_string(), message)
                .hint(format!("give its files a number after {last}"))
        })
        .collect()
}

/// What the migrations that the ledger counts make; a prefix of the whole chain needs no second replay.
fn recorded_schema(
    target: &dyn Target,
    migrations: &[&Migration],
    ledger: &Ledger,
    chain: &Chain,
) -> Result<Option<Schema>, TargetError> {
    let rows = ledger.by_id();
    let is_applied = |id: &MigrationId| rows.get(id).is_some_and(|row| row.is_applied());
    let applied: Vec<&Migration> = migrations.iter().copied().filter(|migration| is_applied(&migration.id)).collect();
    if chain.begins_with(&applied) {
        return Ok(Some(chain.after(applied.len())));
    }
    let replayed = Chain::replay(target, &applied)?;
    Ok(replayed.broken().is_none().then(|| replayed.last()))
}
