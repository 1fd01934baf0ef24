use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use postgres_types::{ToSql, Type};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Row, Statement};

use super::in_order::{Boxed, in_order};
use super::sql::Sql;

/// A value with its type. The types make an unnamed statement one round trip.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// A statement with its values, for those that are sent together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) sql: &'static Sql,
    pub(crate) parameters: &'a [Parameter<'a>],
}

/// A connection on which the statements of `src/sql/` run. Queries that are polled together are sent together, and the
/// server runs them in the order in which they were first polled.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    schema: Arc<str>,
    is_pooled: bool,
    /// Whether the server refused to write in it.
    is_read_only: AtomicBool,
    /// Empty behind a pooler.
    prepared: Mutex<HashMap<&'static str, Statement>>,
}

impl Session {
    pub(crate) fn new(client: Client, schema: Arc<str>, is_pooled: bool) -> Self {
        Self { client, schema, is_pooled, is_read_only: AtomicBool::new(false), prepared: Mutex::default() }
    }

    /// Whether it can be used again. One that could not write is of no use: another one may be of another server, or of a
    /// role that may write again.
    pub(super) fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.is_read_only.load(Ordering::Relaxed)
    }

    /// The schema of our objects.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// Whether it is behind a pooler, so that nothing may be left in the session.
    pub(crate) const fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// Runs a statement and gives its rows.
    pub(crate) async fn query(&self, sql: &'static Sql, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        if self.is_pooled {
            let answer = self.client.query_typed(&sql.text_in(&self.schema), parameters).await;
            return answer.inspect_err(|error| self.learn_from(error));
        }
        let statement = self.prepare(sql, parameters).await?;
        let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        self.client.query(&statement, &values).await.inspect_err(|error| self.learn_from(error))
    }

    /// Runs a statement that gives at most one row.
    pub(crate) async fn query_opt(
        &self,
        sql: &'static Sql,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Row>, Error> {
        let mut rows = self.query(sql, parameters).await?;
        debug_assert!(rows.len() <= 1, "{} gave {} rows", sql.name, rows.len());
        Ok(rows.pop())
    }

    /// Runs a statement and gives the number of rows that it changed.
    pub(crate) async fn execute(&self, sql: &'static Sql, parameters: &[Parameter<'_>]) -> Result<u64, Error> {
        if self.is_pooled {
            let answer = self.client.execute_typed(&sql.text_in(&self.schema), parameters).await;
            return answer.inspect_err(|error| self.learn_from(error));
        }
        let statement = self.prepare(sql, parameters).await?;
        let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        self.client.execute(&statement, &values).await.inspect_err(|error| self.learn_from(error))
    }

    /// Runs statements one after the other in one round trip, each for itself, and gives the rows of each. The error is
    /// that of the first one that failed; those behind it may have been carried out.
    pub(crate) async fn pipeline(&self, calls: &[Call<'_>]) -> Result<Vec<Vec<Row>>, Error> {
        self.prepare_all(calls).await?;
        in_order(calls.iter().map(|call| self.boxed(*call)).collect()).await.into_iter().collect()
    }

    /// The same with each statement in a transaction of our isolation.
    pub(super) async fn pipeline_committed(&self, calls: &[Call<'_>]) -> Result<Vec<Vec<Row>>, Error> {
        let all = calls.iter().flat_map(|call| [self.command(BEGIN), self.boxed(*call), self.command("COMMIT")]);
        let answers: Result<Vec<_>, Error> = in_order(all.collect()).await.into_iter().collect();
        Ok(answers?.into_iter().skip(1).step_by(3).collect())
    }

    /// Runs statements in a transaction of their own, in one round trip. After an error nothing of it happened, unless
    /// the connection was lost, when nobody knows.
    pub(crate) async fn transact(&self, calls: &[Call<'_>]) -> Result<Vec<Vec<Row>>, Error> {
        self.prepare_all(calls).await?;
        let mut all: Vec<Boxed<'_>> = Vec::with_capacity(calls.len() + 2);
        all.push(self.command(BEGIN));
        all.extend(calls.iter().map(|call| self.boxed(*call)));
        all.push(self.command("COMMIT"));
        let answers: Result<Vec<_>, Error> = in_order(all).await.into_iter().collect();
        let mut answers = answers?;
        answers.remove(0);
        answers.pop();
        Ok(answers)
    }

    /// Begins a transaction and runs statements in it, in one round trip.
    pub(super) async fn begin_with(&self, calls: &[Call<'_>]) -> Result<Vec<Vec<Row>>, Error> {
        let mut all: Vec<Boxed<'_>> = Vec::with_capacity(calls.len() + 1);
        all.push(self.command(BEGIN));
        all.extend(calls.iter().map(|call| self.boxed(*call)));
        let answers: Result<Vec<_>, Error> = in_order(all).await.into_iter().collect();
        answers.map(|mut answers| answers.split_off(1))
    }

    fn boxed<'a>(&'a self, call: Call<'a>) -> Boxed<'a> {
        Box::pin(self.query(call.sql, call.parameters))
    }

    fn command(&self, command: &'static str) -> Boxed<'_> {
        Box::pin(async move { self.client.batch_execute(command).await.map(|()| Vec::new()) })
    }

    /// Before several are sent together: a wait for one of them would let those behind it overtake.
    pub(super) async fn prepare_all(&self, calls: &[Call<'_>]) -> Result<(), Error> {
        if !self.is_pooled {
            for call in calls {
                self.prepare(call.sql, call.parameters).await?;
            }
        }
        Ok(())
    }

    async fn prepare(&self, sql: &'static Sql, parameters: &[Parameter<'_>]) -> Result<Statement, Error> {
        if let Some(statement) = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(sql.name) {
            return Ok(statement.clone());
        }
        let types: Vec<_> = parameters.iter().map(|(_, kind)| kind.clone()).collect();
        let statement = self.client.prepare_typed(&sql.text_in(&self.schema), &types).await?;
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).insert(sql.name, statement.clone());
        Ok(statement)
    }

    /// A migration may change what a statement gives, and somebody may discard the statements of the session.
    fn learn_from(&self, error: &Error) {
        if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) {
            self.is_read_only.store(true, Ordering::Relaxed);
        }
        if is_stale_statement(error) {
            self.prepared.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

/// Whatever the role's default is: the statements expect to see what others have committed meanwhile. Whether the
/// transaction may write is left to the server: an administrator may have made it read-only.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Whether the server does not know, or cannot use any more, a statement that was prepared before.
pub(super) fn is_stale_statement(error: &Error) -> bool {
    error.as_db_error().is_some_and(|said| {
        *said.code() == SqlState::INVALID_SQL_STATEMENT_NAME
            || *said.code() == SqlState::FEATURE_NOT_SUPPORTED && said.message().contains("cached plan")
    })
}
