//! `lint` and `new`.

use super::Migrator;
use crate::{
    error::MigrateError,
    execution::rehearsal::rehearse,
    execution::replay::{Broken, Chain},
    files::lint::lint,
    files::source::{APP, LONGSHORE, NewPair, Source},
    report::LintReport,
    report::finding::{Finding, FindingKind},
};

impl Migrator<'_> {
    /// Looks at the files alone, and at what they do up and down on an empty database; the real one is not read. Of the
    /// queue's own migrations it says only what does not run: nobody can change them.
    pub fn lint(&mut self) -> Result<LintReport, MigrateError> {
        let is_changeable = |source: &&Source| source.name() != LONGSHORE;
        let mut findings: Vec<Finding> = self.sources.iter().filter(is_changeable).flat_map(lint).collect();
        let migrations: Vec<_> = self.sources.iter().flat_map(Source::migrations).collect();
        let rehearsed = rehearse(self.target.rehearsal()?.as_mut(), &migrations)?;
        let is_of = |kind| rehearsed.iter().any(|finding| finding.kind == kind);
        // A rehearsal ends at a down after which the schema is not known; the ups behind it are read all the same.
        if is_of(FindingKind::BrokenDown) && !is_of(FindingKind::BrokenReplay) {
            findings.extend(Chain::replay(self.target.as_ref(), &migrations)?.broken().map(Broken::finding));
        }
        findings.extend(rehearsed);
        let skipped = self.sources.iter().flat_map(Source::skipped).cloned().collect();
        Ok(LintReport::of(findings, skipped))
    }

    /// The next empty pair in the user's directory.
    pub fn new_pair(&self, name: &str) -> Result<NewPair, MigrateError> {
        let source = self.sources.iter().find(|source| source.name() == APP);
        let directory = source.and_then(Source::path).ok_or(MigrateError::NoDirectory)?;
        Ok(NewPair::create(directory, name, (self.clock)())?)
    }
}
