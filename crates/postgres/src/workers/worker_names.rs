use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::WorkerId;
use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Session;

/// How many numbers are remembered. A store has few workers of its own, but its process may run for years.
const NAMES_MAX: usize = 10_000;

/// The numbers by which the rows of jobs name their workers. A worker keeps its number for ever.
#[derive(Debug, Default)]
pub(crate) struct WorkerNames {
    numbers: Mutex<HashMap<WorkerId, i32>>,
}

impl WorkerNames {
    /// The number of a worker, a new one if it has none.
    pub(crate) async fn assign(&self, session: &Session, worker_id: &WorkerId) -> Result<i32, Fault> {
        if let Some(number) = self.numbers().get(worker_id) {
            return Ok(*number);
        }
        loop {
            let sql = sql!("workers/number_worker");
            if let Some(row) = session.query_opt(sql, &[(&worker_id.as_str(), Type::TEXT)]).await? {
                return Ok(self.remember(worker_id, row.try_get("worker")?));
            }
        }
    }

    /// The number of a worker. `None` if it was never registered.
    pub(crate) async fn number(&self, session: &Session, worker_id: &WorkerId) -> Result<Option<i32>, Fault> {
        if let Some(number) = self.numbers().get(worker_id) {
            return Ok(Some(*number));
        }
        let sql = sql!("workers/select_worker_number");
        let row = session.query_opt(sql, &[(&worker_id.as_str(), Type::TEXT)]).await?;
        Ok(row.map(|row| row.try_get("worker")).transpose()?.map(|number| self.remember(worker_id, number)))
    }

    fn remember(&self, worker_id: &WorkerId, number: i32) -> i32 {
        let mut numbers = self.numbers();
        if numbers.len() >= NAMES_MAX {
            numbers.clear();
        }
        numbers.insert(worker_id.clone(), number);
        number
    }

    fn numbers(&self) -> MutexGuard<'_, HashMap<WorkerId, i32>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
