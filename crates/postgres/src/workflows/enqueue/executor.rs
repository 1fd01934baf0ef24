use tokio_postgres::{Error, Row, Transaction};

use crate::session::sql::Sql;
use crate::session::statements::{Parameter, Session};

/// Where the statements that enqueue a workflow run.
#[derive(Clone, Copy)]
pub(super) enum Executor<'e, 't> {
    /// A transaction of the store.
    Own(&'e Session),
    /// The caller's, with the queue in this schema.
    Caller { transaction: &'e Transaction<'t>, schema: &'e str },
}

impl Executor<'_, '_> {
    pub(super) async fn query(&self, sql: &'static Sql, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        match self {
            Self::Own(session) => session.query(sql, parameters).await,
            Self::Caller { transaction, schema } => transaction.query_typed(&sql.text_in(schema), parameters).await,
        }
    }
}
