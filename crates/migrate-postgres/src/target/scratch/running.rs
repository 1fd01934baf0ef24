//! Statements in the form that a scratch runs, in bounded time, away from the real tables.

use longshore_migrate::{
    files::script::{Dialect, Statement},
    target::{StatementError, TargetError},
};

use super::Scratch;
use crate::{
    target::rewrite::{Form, is_row_work},
    wire::{Param, Query},
};

/// How long the work of one statement on rows may take.
const ROW_WORK_MS: u32 = 2000;

impl Scratch {
    /// Checks what a commit would check: what waits for it would forbid to alter its table.
    pub(in crate::target) fn check_constraints(&mut self) -> Result<(), TargetError> {
        if !(self.may_defer && std::mem::take(&mut self.has_row_work)) {
            return Ok(());
        }
        let query = Query::new(
            "SELECT string_agg(quote_ident(n.nspname) || '.' || quote_ident(k.conname), ', ')
             FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
             WHERE k.condeferred AND n.nspname = ANY ($1)",
            vec![Param::Texts(Some(self.names.schemas()))],
        );
        let found = self.wire.query(query).map_err(|fault| self.failures.told("reading constraints", fault))?;
        let Some(deferred) = found.first().and_then(|row| row.try_get::<_, Option<String>>(0).ok().flatten()) else {
            return Ok(());
        };
        self.run("SET CONSTRAINTS ALL IMMEDIATE".to_owned())?;
        self.run(format!("SET CONSTRAINTS {deferred} DEFERRED"))
    }

    pub(super) fn run_form(&mut self, form: Form, statement: &str) -> Result<u64, TargetError> {
        match form {
            Form::Skip => Ok(0),
            Form::Run(sql) if is_row_work(&sql) => self.run_rows(sql, statement),
            Form::Run(sql) => self.run(sql).map(|()| 0),
            Form::RunUnlessThere(sql) => {
                let tag = "$longshore$";
                let sql = format!(
                    "DO {tag} BEGIN EXECUTE '{}'; EXCEPTION WHEN duplicate_object THEN NULL; END {tag}",
                    sql.replace('\'', "''")
                );
                self.run(sql).map(|()| 0)
            }
        }
    }

    /// Work on rows goes on for a limited time; beyond it the statement has no rows.
    fn run_rows(&mut self, sql: String, statement: &str) -> Result<u64, TargetError> {
        self.has_row_work = true;
        let answers = self.wire.row(vec![
            format!("SET LOCAL statement_timeout = {ROW_WORK_MS}"),
            sql.clone(),
            "SET LOCAL statement_timeout = 0".to_owned(),
        ]);
        let Some(fault) = answers.into_iter().find_map(Result::err) else {
            self.journal.push(sql);
            return Ok(0);
        };
        if self.makes_values_usable(&fault) {
            return self.run_rows(sql, statement);
        }
        let is_too_much = fault.code() == "57014";
        let error = self.told(&sql, fault);
        self.again()?;
        if !is_too_much {
            return Err(error);
        }
        // A table that is made of a query is there all the same, only empty.
        let words = Dialect::Postgres.words(statement);
        if words.first().is_some_and(|word| word.is("create")) {
            return self.run(format!("{} WITH NO DATA", sql.trim_end_matches(';'))).map(|()| 0);
        }
        Ok(0)
    }

    /// A name that no migration has made must not be found among the real tables.
    pub(super) fn refuse_real_tables(&mut self, statement: &str) -> Result<(), TargetError> {
        if self.guarded.is_empty() {
            return Ok(());
        }
        let query = Query::new(
            "SELECT n.nspname::text, c.relname::text
             FROM pg_catalog.pg_locks l
             JOIN pg_catalog.pg_class c ON c.oid = l.relation
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND n.nspname = ANY ($1)
                 AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
             LIMIT 1",
            vec![Param::Texts(Some(self.guarded.clone()))],
        );
        let found = self.wire.query(query).map_err(|fault| self.failures.told(statement, fault))?;
        let Some(row) = found.first() else { return Ok(()) };
        let name: String = row.try_get(1).unwrap_or_default();
        self.journal.pop();
        self.again()?;
        let message = format!("relation \"{name}\" does not exist in what the migrations before it make");
        let statement = Statement::alone(Dialect::Postgres, statement).in_short();
        Err(TargetError::Statement { statement, source: Box::new(StatementError { message, line: 0 }) })
    }
}
