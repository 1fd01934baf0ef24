use std::sync::{Arc, Weak};
use std::time::Duration;

use longshore_core::StoreError;
use postgres_types::Type;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;
use tokio_postgres::Notification;

use super::payload::{CHANNEL, Payload};
use super::{Changes, Hints};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::standing::StandingSession;
use crate::store::Parts;
use crate::workers;

/// How long until the first attempt to listen again, and how long at most. While nobody listens, it looks that often.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Hears what other processes tell as soon as somebody waits for it. Without a connection that can listen, it looks
/// once a second.
pub(super) async fn run(parts: Weak<Parts>, hints: Arc<Hints>) {
    hints.first_subscriber.notified().await;
    let (mut has_listened, mut pause) = (false, PAUSE_MIN);
    loop {
        let Some(open) = parts.upgrade().filter(|parts| !parts.pool.is_closed()) else { return };
        match listen(&open).await {
            Ok(Some((session, notifications))) => {
                pause = PAUSE_MIN;
                if has_listened {
                    // Nobody knows what was told meanwhile.
                    hints.give_here(&Changes::unknown());
                } else {
                    look_or_give_up(&open, &hints).await;
                }
                has_listened = true;
                let schema = Arc::clone(&open.options.schema);
                drop(open);
                hear(&hints, &schema, notifications, &session).await;
            }
            Ok(None) => {
                pause = PAUSE_MAX;
                look_or_give_up(&open, &hints).await;
            }
            Err(Fault::Store(StoreError::Closed { .. })) => return,
            Err(_) => {
                look_or_give_up(&open, &hints).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
        sleep(pause.mul_f64(fastrand::f64().midpoint(1.0))).await;
    }
}

/// None behind a pooler, where no session can listen.
async fn listen(parts: &Parts) -> Result<Option<(Arc<StandingSession>, Receiver<Notification>)>, Fault> {
    if parts.options.is_pooled {
        return Ok(None);
    }
    let notifications = parts.standing.notifications();
    let standing = parts.standing.session().await?;
    standing.session.query(sql!("claim/listen"), &[]).await?;
    Ok(Some((standing, notifications)))
}

/// Passes on what it hears until the connection ends.
async fn hear(hints: &Hints, schema: &str, mut notifications: Receiver<Notification>, session: &StandingSession) {
    let mut ended = std::pin::pin!(session.ended());
    loop {
        let heard = tokio::select! {
            heard = notifications.recv() => heard,
            _ = &mut ended => return,
        };
        match heard {
            Ok(told) if told.channel() == CHANNEL => {
                if let Some(changes) = Payload::changes(told.payload(), schema, hints.own) {
                    hints.give_here(&changes);
                }
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => hints.give_here(&Changes::unknown()),
            Err(RecvError::Closed) => return,
        }
    }
}

/// What cannot be looked up now is found by the claims of whoever waits.
async fn look_or_give_up(parts: &Arc<Parts>, hints: &Hints) {
    match look(parts, hints).await {
        Ok(changes) => hints.give_here(&changes),
        Err(fault) => tracing::debug!(reason = %fault.reason(), "no look for jobs that others have enqueued"),
    }
}

/// What waits for the subscribers, whoever has enqueued it. Whoever waits for anything, or for schedules, is told in any
/// case.
async fn look(parts: &Arc<Parts>, hints: &Hints) -> Result<Changes, Fault> {
    let interests = hints.interests();
    let mut changes = Changes { schedules: true, ..Changes::default() };
    if !interests.job_types.is_empty() {
        let job_types: Vec<String> = interests.job_types.into_iter().collect();
        let session = parts.pool.session().await?;
        for row in session.query(sql!("claim/select_ready_kinds"), &[(&job_types, Type::TEXT_ARRAY)]).await? {
            let columns = &mut Columns::of(&row);
            let (job_type, queue): (&str, &str) = (columns.read()?, columns.read()?);
            changes.add_job(Some(job_type), queue);
        }
    }
    for worker_id in interests.workers {
        // One that is not registered any more is asked to cancel nothing.
        if let Ok(asked) = workers::cancel_requests(Arc::clone(parts), worker_id.clone()).await {
            asked.into_iter().for_each(|(id, number)| changes.add_cancellation(worker_id.clone(), id, number));
        }
    }
    Ok(changes)
}
