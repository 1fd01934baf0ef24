use std::time::Duration;

use longshore_core::{Record, WorkerId};
use postgres_types::Type;

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

/// Closes the keys, or else the types, of attempts whose handlers were asked to slow down. Before the statement that ends
/// them, in its transaction.
pub(crate) async fn slow_down<'r>(
    session: &Session,
    worker_id: &WorkerId,
    records: impl IntoIterator<Item = &'r Record>,
) -> Result<(), Fault> {
    let (mut ids, mut claims, mut ended_ago, mut closed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for record in records {
        let Some(span) = record.slow_down else { continue };
        ids.push(record.id.0);
        claims.push(record.claim_number.0);
        ended_ago.push(milliseconds(record.ended_ago));
        closed.push(milliseconds(span.min(SPAN_MAX)));
    }
    if ids.is_empty() {
        return Ok(());
    }
    let worker_id = worker_id.as_str();
    let parameters: [Parameter<'_>; 5] = [
        (&ids, Type::INT8_ARRAY),
        (&claims, Type::INT8_ARRAY),
        (&worker_id, Type::TEXT),
        (&ended_ago, Type::INT8_ARRAY),
        (&closed, Type::INT8_ARRAY),
    ];
    let (mut types, mut until) = (Vec::new(), Vec::new());
    for row in session.query(sql!("limiting/slow_down_keys"), &parameters).await? {
        let columns = &mut Columns::of(&row);
        types.push(columns.read::<String>()?);
        until.push(Instant(columns.instant()?));
    }
    if types.is_empty() {
        return Ok(());
    }
    let parameters: [Parameter<'_>; 2] = [(&types, Type::TEXT_ARRAY), (&until, Type::TIMESTAMPTZ_ARRAY)];
    let row = session.query_opt(sql!("limiting/slow_down_types"), &parameters).await?;
    if row.map_or(Ok(false), |row| row.try_get(0))? {
        session.execute(sql!("limiting/raise_version"), &[]).await?;
    }
    Ok(())
}

/// The longest time for which a handler closes its type.
const SPAN_MAX: Duration = Duration::from_secs(366 * 86_400);

fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
