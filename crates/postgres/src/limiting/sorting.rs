use postgres_types::Type;

use super::rules::Rules;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};
use crate::store::Parts;

/// How many jobs one statement sorts, and how many statements one claim makes for a type.
const SORTED_MAX: i64 = 2000;
const SORTS_MAX: u32 = 5;

/// Whether jobs of a type may be left in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sorted {
    All,
    Some,
    /// The rules have changed, and nothing was moved.
    Old,
}

/// A type some of whose jobs are in the wrong place.
#[derive(Debug)]
pub(super) struct Unsorted {
    pub(super) job_type: String,
    /// Where the payloads have the key; none if the keys of the type do not take turns any more.
    pub(super) pointer: Option<String>,
    /// The version of the rules that says so.
    pub(super) version: i64,
}

impl Unsorted {
    /// Puts ready jobs into the lanes of their keys, and those in lanes of an earlier rule out of these. Bounded. One at a
    /// time does it for a type, so that nobody else makes or removes its keys and lanes.
    pub(super) async fn sort(&self, parts: &Parts) -> Result<Sorted, Fault> {
        for _ in 0..SORTS_MAX {
            let lock = [(&self.job_type as _, Type::TEXT)];
            // Whoever changes the rule waits for this lock, so behind it the version says whether it has changed.
            let calls = [
                Call { sql: sql!("limiting/try_sorting"), parameters: &lock },
                Call { sql: sql!("limiting/select_version"), parameters: &[] },
            ];
            let (transaction, answers) = parts.pool.begin_with(&calls).await?;
            let is_mine: bool = answers[0].first().map_or(Ok(false), |row| row.try_get(0))?;
            if !is_mine {
                return Ok(Sorted::Some);
            }
            let version: Option<i64> = answers[1].first().map(|row| row.try_get(0)).transpose()?;
            if version != Some(self.version) {
                return Ok(Sorted::Old);
            }
            let unsorted = self.unsort(&transaction).await?;
            let (found, moved) = self.sort_some(&transaction).await?;
            transaction.commit().await?;
            let has_more = unsorted == SORTED_MAX || found == SORTED_MAX;
            if !has_more || unsorted + moved == 0 {
                return Ok(if has_more || moved < found { Sorted::Some } else { Sorted::All });
            }
        }
        Ok(Sorted::Some)
    }

    async fn unsort(&self, transaction: &Transaction) -> Result<i64, Fault> {
        let values: [Parameter<'_>; 2] = [(&self.job_type, Type::TEXT), (&SORTED_MAX, Type::INT8)];
        let row = transaction.query_opt(sql!("limiting/unsort_jobs"), &values).await?;
        let moved = row.map_or(Ok(0), |row| row.try_get(0))?;
        transaction.execute(sql!("limiting/empty_stale_lanes"), &values[..1]).await?;
        Ok(moved)
    }

    async fn sort_some(&self, transaction: &Transaction) -> Result<(i64, i64), Fault> {
        let Some(pointer) = &self.pointer else { return Ok((0, 0)) };
        let values: [Parameter<'_>; 3] =
            [(&self.job_type, Type::TEXT), (pointer, Type::TEXT), (&SORTED_MAX, Type::INT8)];
        let Some(row) = transaction.query_opt(sql!("limiting/sort_jobs"), &values).await? else { return Ok((0, 0)) };
        let columns = &mut Columns::of(&row);
        Ok((columns.read()?, columns.read()?))
    }
}

/// The types of a claim whose keys take turns, and those that have lanes though their keys do not any more.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    pub(super) keyed: Vec<String>,
    pub(super) stale: Vec<String>,
}

impl Kinds {
    /// Those of these types whose jobs stand in no lanes.
    pub(super) fn of_plain(&self, types: &[String]) -> Vec<String> {
        types.iter().filter(|name| !self.keyed.contains(name)).cloned().collect()
    }

    pub(super) fn of(rules: &Rules, types: &[String]) -> Self {
        let is_keyed = |name: &&String| rules.pointer_of(name).is_some();
        let is_stale = |name: &&String| !is_keyed(name) && rules.of_type(name).is_some_and(|of| of.has_stale_lanes);
        Self {
            keyed: types.iter().filter(is_keyed).cloned().collect(),
            stale: types.iter().filter(is_stale).cloned().collect(),
        }
    }
}
