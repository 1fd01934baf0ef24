use std::sync::{Arc, Weak};
use std::time::Duration;

use postgres_types::Type;
use tokio::time::sleep;

use super::Hints;
use super::payload::{CHANNEL, Payload};
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::store::Parts;

/// The shortest time between two notifications. The first one after a pause is sent at once.
const REST: Duration = Duration::from_millis(3);
/// Without a server nobody can be told; who reconnects looks anyway.
const PAUSE: Duration = Duration::from_millis(500);

/// Tells other processes what the commits of this store have made possible.
pub(super) async fn run(parts: Weak<Parts>, hints: Arc<Hints>) {
    loop {
        hints.has_unsent.notified().await;
        let Some(parts) = parts.upgrade().filter(|parts| !parts.pool.is_closed()) else { return };
        let text = Payload::text(&hints.take_unsent(), &parts.options.schema, hints.own);
        let sent = send(&parts, &text).await;
        hints.note_sent();
        drop(parts);
        match sent {
            Ok(()) => sleep(REST).await,
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn send(parts: &Parts, text: &str) -> Result<(), Fault> {
    let standing = parts.standing.session().await?;
    standing.session.query(sql!("claim/notify"), &[(&CHANNEL, Type::TEXT), (&text, Type::TEXT)]).await?;
    Ok(())
}
