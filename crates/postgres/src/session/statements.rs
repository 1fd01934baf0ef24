use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use postgres_types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement};

use super::sql::Sql;

/// A value with its type. The types make an unnamed statement one round trip.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection on which the statements of `src/sql/` run. Queries that are polled together are sent together, and the
/// server runs them in the order in which they were first polled.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    schema: Arc<str>,
    is_pooled: bool,
    /// Empty behind a pooler.
    prepared: Mutex<HashMap<&'static str, Statement>>,
}

impl Session {
    pub(crate) fn new(client: Client, schema: Arc<str>, is_pooled: bool) -> Self {
        Self { client, schema, is_pooled, prepared: Mutex::default() }
    }

    /// Runs a statement and gives its rows.
    pub(crate) async fn query(&self, sql: &'static Sql, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        if self.is_pooled {
            return self.client.query_typed(&sql.text_in(&self.schema), parameters).await;
        }
        let statement = self.prepare(sql, parameters).await?;
        let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        self.client.query(&statement, &values).await
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
            return self.client.execute_typed(&sql.text_in(&self.schema), parameters).await;
        }
        let statement = self.prepare(sql, parameters).await?;
        let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        self.client.execute(&statement, &values).await
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
}
