//! A scratch database with transactions, on which every down is tried.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use longshore_migrate::{
    files::script::Dialect,
    ledger::{Event, Ledger, Record, SharedRow},
    schema::Schema,
    target::{
        Checkpoint, Definition, ForeignKeys, Progress, ProgressListener, Rebuild, RunnerLock, SchemaChanges, Session,
        Target, TargetCopy, TargetError, Value, VerifiedSource,
    },
    {Direction, Loss, LossCheck, MigrationId},
};

use super::scratch::{Mark, Scratch};

/// Keeps no ledger and counts nothing: it is empty. A transaction is a place to which the scratch can return.
pub(super) struct Rehearsal {
    scratch: Scratch,
    database: Arc<str>,
    mark: Option<Mark>,
}

impl Rehearsal {
    pub(super) fn on(scratch: Scratch, database: Arc<str>) -> Self {
        Self { scratch, database, mark: None }
    }

    fn unsupported<T>(&self) -> Result<T, TargetError> {
        let what = "this to a rehearsal";
        Err(TargetError::Unsupported { database: self.database.to_string(), what })
    }
}

impl Session for Rehearsal {
    fn execute(&mut self, statement: &str) -> Result<u64, TargetError> {
        self.scratch.execute(statement)
    }

    fn query(&mut self, statement: &str) -> Result<Vec<Vec<Value>>, TargetError> {
        self.scratch.query(statement)
    }

    fn rebuild(&mut self, rebuild: &Rebuild) -> Result<u64, TargetError> {
        self.scratch.rebuild(rebuild)
    }

    fn observe(&mut self) -> Result<Schema, TargetError> {
        self.scratch.observe()
    }

    fn changes(&mut self) -> Result<SchemaChanges, TargetError> {
        self.scratch.changes()
    }

    fn commits_each_statement(&mut self, each: bool) {
        self.scratch.commits_each_statement(each);
    }

    fn definitions(&mut self) -> Result<Vec<Definition>, TargetError> {
        self.scratch.definitions()
    }

    fn report(&mut self, progress: &Progress) {
        self.scratch.report(progress);
    }
}

impl Target for Rehearsal {
    fn name(&self) -> String {
        "the scratch schemas".to_owned()
    }

    fn ledger(&mut self) -> Result<Ledger, TargetError> {
        Ok(Ledger::default())
    }

    fn history(&mut self) -> Result<Vec<Event>, TargetError> {
        Ok(Vec::new())
    }

    fn scratch(&self) -> Result<Box<dyn Session>, TargetError> {
        self.unsupported()
    }

    fn rehearsal(&self) -> Result<Box<dyn Target>, TargetError> {
        self.unsupported()
    }

    fn copy(&self) -> Result<TargetCopy, TargetError> {
        self.unsupported()
    }

    fn lock(&mut self, _wait: Duration) -> Result<Box<dyn RunnerLock>, TargetError> {
        self.unsupported()
    }

    fn begin(&mut self, _keys: ForeignKeys) -> Result<(), TargetError> {
        self.scratch.reset_settings()?;
        self.scratch.commits_each_statement(false);
        self.scratch.would_commit();
        self.mark = Some(self.scratch.mark());
        Ok(())
    }

    fn commit(&mut self) -> Result<(), TargetError> {
        self.scratch.check_constraints()?;
        self.scratch.would_commit();
        self.mark = None;
        Ok(())
    }

    fn roll_back(&mut self) {
        if let Some(mark) = self.mark.take() {
            // Should it fail, so does every statement after it.
            let _ = self.scratch.back_to(mark);
        }
    }

    fn prepare_ledger(&mut self, _ledger: &Ledger) -> Result<(), TargetError> {
        self.unsupported()
    }

    fn record(&mut self, _record: &Record) -> Result<(), TargetError> {
        self.unsupported()
    }

    fn set_shared_row(&mut self, _number: i64, _row: Option<&SharedRow>) -> Result<(), TargetError> {
        self.unsupported()
    }

    fn forget(&mut self, _source: &str) -> Result<(), TargetError> {
        self.unsupported()
    }

    fn checkpoints(&mut self, _id: &MigrationId, _direction: Direction) -> Result<Vec<Checkpoint>, TargetError> {
        Ok(Vec::new())
    }

    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> Result<(), TargetError> {
        self.unsupported()
    }

    fn clear_checkpoints(&mut self, _id: &MigrationId) -> Result<(), TargetError> {
        self.unsupported()
    }

    fn are_keys_enforced(&mut self) -> Result<bool, TargetError> {
        Ok(true)
    }

    fn enforce_keys(&mut self, _enforced: bool) -> Result<(), TargetError> {
        Ok(())
    }

    fn orphans(&mut self) -> Result<BTreeSet<String>, TargetError> {
        Ok(BTreeSet::new())
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn is_outside_transactions(&self, statement: &str) -> bool {
        Dialect::Postgres.is_outside_transactions(statement)
    }

    fn count(&mut self, _table: &str, _column: Option<&str>) -> Result<u64, TargetError> {
        Ok(0)
    }

    fn begin_loss_check(&mut self, _check: LossCheck) -> Result<(), TargetError> {
        Ok(())
    }

    fn end_loss_check(&mut self) -> Result<Vec<Loss>, TargetError> {
        Ok(Vec::new())
    }

    fn back_up(&mut self, _tables: &BTreeSet<String>) -> Result<Option<PathBuf>, TargetError> {
        Ok(None)
    }

    fn remember_verified(&mut self, _source: &VerifiedSource) -> Result<(), TargetError> {
        self.unsupported()
    }

    fn watch(&mut self, _progress: ProgressListener) {}
}
