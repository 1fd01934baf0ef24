use std::collections::BTreeMap;
use std::sync::Arc;

use longshore_core::{HeartbeatSession, Presence, Registration, TypeSettings, WorkerSession};
use postgres_types::Type;
use tokio::sync::watch;

use crate::jobs::type_settings::apply_settings;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::standing::HeldLock;
use crate::session::statements::{Call, Session};
use crate::session::text::storable;
use crate::store::Parts;
use crate::workers::own::{Evidence, OwnWorker};
use crate::workers::session::{PostgresSession, guard};
use crate::workers::started::HEARTBEATS_ONLY;

/// How many steps of a registration give jobs the settings of its types. The rest follows with the looks for lost workers.
const SETTINGS_STEPS_MAX: u32 = 2;

/// Makes a worker known.
pub(crate) async fn register(parts: Arc<Parts>, registration: Registration) -> Result<Box<dyn WorkerSession>, Fault> {
    if registration.presence == Presence::Heartbeats {
        write(&parts, &registration, HEARTBEATS_ONLY, None).await?;
        parts.workers.told.forget(&registration.worker_id);
        settle_types(&parts).await;
        return Ok(Box::new(HeartbeatSession));
    }
    // Before the row names it, or others would find the worker dead.
    let lock = match parts.options.is_pooled {
        true => None,
        false => Some(parts.standing.hold(session_key()).await?),
    };
    let session_key = lock.as_ref().map_or_else(session_key, |lock| lock.key);
    let worker = write(&parts, &registration, session_key, lock.as_ref().map(HeldLock::run)).await?;
    let worker_id = registration.worker_id;
    parts.workers.told.forget(&worker_id);
    let evidence = lock.map(|lock| show(&parts, lock, worker));
    let is_lost = evidence.as_ref().map(|evidence| evidence.is_lost.clone());
    let session = parts.workers.own.next_session();
    let own = OwnWorker { worker, session, session_key, evidence };
    // The lock of the earlier session goes now, when no row names it any more.
    drop(parts.workers.own.insert(worker_id.clone(), own));
    settle_types(&parts).await;
    Ok(Box::new(PostgresSession { worker_id, session, is_lost, parts: Arc::downgrade(&parts) }))
}

/// A new key of a session.
fn session_key() -> i64 {
    fastrand::i64(1..)
}

async fn settle_types(parts: &Parts) {
    if let Err(fault) = apply_settings(parts, SETTINGS_STEPS_MAX).await {
        // The worker is registered all the same, and the next look for lost workers goes on with this.
        tracing::warn!(reason = %fault.reason(), "jobs that came before their types were known wait for their settings");
    }
}

fn show(parts: &Parts, lock: HeldLock, worker: i32) -> Evidence {
    let (say_lost, is_lost) = watch::channel(None);
    let guarding = guard(parts.pool.clone(), Arc::clone(&lock.standing), (worker, lock.key), say_lost);
    let guard = parts.runtime.handle().spawn(guarding).abort_handle();
    Evidence { _lock: lock, is_lost, guard }
}

async fn write(
    parts: &Parts,
    registration: &Registration,
    session_key: i64,
    server_run: Option<i64>,
) -> Result<i32, Fault> {
    let Registration { worker_id, host, pid, lease, queues, job_types, concurrency, settings, presence: _ } =
        registration;
    // On its own, because a number that was given to a transaction that is taken back would still be remembered.
    let worker = parts.workers.names.assign(&*parts.pool.session().await?, worker_id).await?;
    let calls = [Call { sql: sql!("workers/limit_idle_transaction"), parameters: &[] }];
    let (transaction, _) = parts.pool.begin_with(&calls).await?;
    if !parts.workers.own.contains(worker_id) {
        // What had begun in an earlier life of this identity says nothing about this one.
        transaction.execute(sql!("workers/delete_started"), &[(&worker, Type::INT4)]).await?;
    }
    let parameters: [(&(dyn postgres_types::ToSql + Sync), Type); 9] = [
        (&worker, Type::INT4),
        (&storable(host), Type::TEXT),
        (&i32::try_from(*pid).unwrap_or(i32::MAX), Type::INT4),
        (&i64::try_from(lease.as_millis()).unwrap_or(i64::MAX), Type::INT8),
        (&queues, Type::TEXT_ARRAY),
        (&&job_types[..], Type::TEXT_ARRAY),
        (&i32::try_from(*concurrency).unwrap_or(i32::MAX), Type::INT4),
        (&session_key, Type::INT8),
        (&server_run, Type::INT8),
    ];
    let name: [(&(dyn postgres_types::ToSql + Sync), Type); 2] =
        [(&worker, Type::INT4), (&worker_id.as_str(), Type::TEXT)];
    transaction.execute(sql!("workers/keep_name"), &name).await?;
    transaction.execute(sql!("workers/upsert_worker"), &parameters).await?;
    keep_settings(&transaction, settings).await?;
    transaction.commit().await?;
    Ok(worker)
}

/// Keeps the settings of types for the jobs that plain SQL inserts.
pub(crate) async fn keep_settings(session: &Session, settings: &[TypeSettings]) -> Result<(), Fault> {
    // The last word on a type holds.
    let settings: BTreeMap<&str, &TypeSettings> =
        settings.iter().map(|of_type| (of_type.job_type.as_str(), of_type)).collect();
    if settings.is_empty() {
        return Ok(());
    }
    let job_types: Vec<&str> = settings.keys().copied().collect();
    let settings: Vec<&TypeSettings> = settings.into_values().collect();
    let queues: Vec<Option<&str>> = settings.iter().map(|of_type| of_type.queue.as_deref()).collect();
    let priorities: Vec<Option<i32>> =
        settings.iter().map(|of_type| of_type.priority.map(|priority| priority.0)).collect();
    let retries: Vec<Option<i32>> = settings
        .iter()
        .map(|of_type| of_type.max_retries.map(|retries| i32::try_from(retries).unwrap_or(i32::MAX)))
        .collect();
    let timeouts: Vec<Option<i64>> = settings
        .iter()
        .map(|of_type| of_type.timeout.map(|timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)))
        .collect();
    let parameters: [(&(dyn postgres_types::ToSql + Sync), Type); 5] = [
        (&job_types, Type::TEXT_ARRAY),
        (&queues, Type::TEXT_ARRAY),
        (&priorities, Type::INT4_ARRAY),
        (&retries, Type::INT4_ARRAY),
        (&timeouts, Type::INT8_ARRAY),
    ];
    session.execute(sql!("workers/upsert_type_settings"), &parameters).await?;
    Ok(())
}
