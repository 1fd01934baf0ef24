use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use longshore_core::Arrival;
use postgres_types::Type;

use super::rules::Rules;
use super::sorting::{Kinds, Sorted, Unsorted};
use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};
use crate::store::Parts;
use crate::upkeep::stats::now;

/// For how long an idle lane keeps its turn.
const IDLE: Duration = Duration::from_secs(3600);

/// The walks over the keys of each type that look for idle ones.
#[derive(Debug, Default)]
pub(crate) struct IdleKeys {
    after: Mutex<BTreeMap<String, String>>,
}

/// One bounded step: sorts jobs by rules that have changed, removes idle keys and their lanes, and limits without a rule.
/// Says whether there is more to do.
pub(crate) async fn step(parts: &Parts, rows_max: u32) -> Result<bool, Fault> {
    let (rules, types) = {
        let session = parts.pool.session().await?;
        let mut types = Vec::new();
        for row in session.query(sql!("limiting/select_types_with_lanes"), &[]).await? {
            types.push(row.try_get::<_, String>(0)?);
        }
        (parts.limiting.rules.read(&session).await?, types)
    };
    let mut has_more = sort(parts, &rules).await?;
    for job_type in types {
        has_more |= parts.limiting.idle.remove(parts, &job_type, rows_max).await?;
    }
    remove_unused_rules(parts).await?;
    Ok(has_more)
}

/// Jobs whose type nobody claims are sorted here.
async fn sort(parts: &Parts, rules: &Rules) -> Result<bool, Fault> {
    let kinds = Kinds::of(rules, &rules.type_names());
    let types = [(&kinds.keyed as _, Type::TEXT_ARRAY), (&kinds.stale as _, Type::TEXT_ARRAY)];
    let rows = parts.pool.session().await?.query(sql!("limiting/select_unsorted"), &types).await?;
    let mut has_more = false;
    for row in rows {
        let job_type: String = row.try_get(0)?;
        let pointer = rules.pointer_of(&job_type).map(str::to_owned);
        has_more |= (Unsorted { job_type, pointer, version: rules.version }).sort(parts).await? != Sorted::All;
    }
    Ok(has_more)
}

async fn remove_unused_rules(parts: &Parts) -> Result<(), Fault> {
    let row = parts.pool.session().await?.query_opt(sql!("limiting/has_unused_rules"), &[]).await?;
    if !row.map_or(Ok(false), |row| row.try_get::<_, bool>(0))? {
        return Ok(());
    }
    let calls = [
        Call { sql: sql!("limiting/raise_version"), parameters: &[] },
        Call { sql: sql!("limiting/delete_unused_rules"), parameters: &[] },
    ];
    parts.pool.session().await?.transact(&calls).await?;
    Ok(())
}

impl IdleKeys {
    /// Takes one step of the walk over the keys of a type. Says whether it goes on.
    async fn remove(&self, parts: &Parts, job_type: &str, rows_max: u32) -> Result<bool, Fault> {
        let after = self.with(|after| after.get(job_type).cloned()).unwrap_or_default();
        let rows_max = i64::from(rows_max);
        let lock = [(&job_type as _, Type::TEXT)];
        let (transaction, answers) =
            parts.pool.begin_with(&[Call { sql: sql!("limiting/try_sorting"), parameters: &lock }]).await?;
        if !answers[0].first().map_or(Ok(false), |row| row.try_get::<_, bool>(0))? {
            return Ok(true);
        }
        let now = now(&transaction).await?;
        let idle_since = Instant(now.before(IDLE));
        let lanes: [Parameter<'_>; 3] =
            [(&job_type, Type::TEXT), (&rows_max, Type::INT8), (&idle_since, Type::TIMESTAMPTZ)];
        let removed = transaction.execute(sql!("limiting/delete_idle_lanes"), &lanes).await?;
        // An arrival that is not ahead of the clock permits as much as none.
        let arrival = Arrival(now.as_ms().saturating_mul(1000)).0;
        let keys: [Parameter<'_>; 4] =
            [(&job_type, Type::TEXT), (&after, Type::TEXT), (&rows_max, Type::INT8), (&arrival, Type::INT8)];
        let row = transaction.query_opt(sql!("limiting/delete_idle_keys"), &keys).await?;
        transaction.commit().await?;
        let Some(row) = row else { return Ok(false) };
        let columns = &mut Columns::of(&row);
        let (last, looked): (Option<String>, i64) = (columns.read()?, columns.read()?);
        let goes_on = looked == rows_max;
        self.with(|after| match last.filter(|_| goes_on) {
            Some(last) => drop(after.insert(job_type.to_owned(), last)),
            None => drop(after.remove(job_type)),
        });
        Ok(goes_on || i64::try_from(removed).unwrap_or(i64::MAX) == rows_max)
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, String>) -> T) -> T {
        act(&mut self.after.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
