use std::sync::{Arc, Weak};
use std::time::Duration;

use longshore_core::{ApplyLimits, Backend, IdRange, StoreError};
use tokio::time::{sleep, timeout};

use crate::combined_store::Shared;
use crate::member::{Member, source_of};
use crate::members::too_late;
use crate::missed::{LIMITS_MISSED, SCHEDULES_MISSED};
use crate::numbering::Numbering;
use crate::schedules::{apply_here, tell_applied};

/// How long to wait between two tries.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a database may take to answer that it is there again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Brings back what does not answer, as long as the store lives: opens databases, registers workers there, and tells
/// what could not be told. Where nothing is missing it does nothing.
pub(crate) fn start(shared: &Arc<Shared>, numbering: Numbering) {
    let (weak, trouble) = (Arc::downgrade(shared), Arc::clone(&shared.trouble));
    if shared.members.all().iter().any(|member| member.trouble().is_some()) {
        trouble.notify_one();
    }
    shared.members.handle().spawn(async move {
        loop {
            trouble.notified().await;
            while attend(&weak, numbering).await {
                sleep(AGAIN).await;
            }
            if weak.strong_count() == 0 {
                return;
            }
        }
    });
}

/// One try; says whether something is still missing.
async fn attend(weak: &Weak<Shared>, numbering: Numbering) -> bool {
    let Some(shared) = weak.upgrade() else { return false };
    let mut is_missing = false;
    for (place, member) in shared.members.all().iter().enumerate() {
        if member.opened().is_none() && !reopen(&shared, member, numbering).await {
            is_missing = true;
            continue;
        }
        if member.trouble().is_some() && !answers(member).await {
            is_missing = true;
            continue;
        }
        // First: a job that is limited must not be claimed before its limit is known.
        if !tell_limits(&shared, place).await {
            is_missing = true;
            continue;
        }
        is_missing |= !tell_schedules(&shared, place).await;
        is_missing |= !register(&shared, place).await;
    }
    is_missing |= !tell_starts(&shared).await;
    is_missing
}

async fn reopen(shared: &Arc<Shared>, member: &Arc<Member>, numbering: Numbering) -> bool {
    let Some(open) = member.open.clone() else { return false };
    let opened = tokio::task::spawn_blocking(move || open()).await;
    let opened = opened.map_err(|_| StoreError::Closed { database: Arc::clone(&member.name) }).flatten();
    let taken_over = match opened {
        Ok(store) => take_over(shared, member, store, numbering).await,
        Err(error) => Err(error),
    };
    match taken_over {
        Ok(()) => {
            member.pass();
            shared.opened.send_replace(());
            true
        }
        Err(error) => {
            member.note_trouble(&Arc::new(error));
            false
        }
    }
}

/// Uses a database that was opened late, if its ids are of a range of its own.
async fn take_over(
    shared: &Shared,
    member: &Arc<Member>,
    store: Arc<dyn Backend>,
    numbering: Numbering,
) -> Result<(), StoreError> {
    let others = || shared.members.all().iter().filter(|other| !Arc::ptr_eq(other, member));
    let is_free = |range: &IdRange| others().all(|other| other.range() != Some(*range));
    let lowest = || (0..=IdRange::NUMBER_MAX).filter_map(IdRange::new).find(is_free);
    let found = store.id_range().await?;
    let wanted = member.configured.or(found.filter(is_free)).or_else(lowest).unwrap_or_default();
    let range = match numbering {
        Numbering::Assign if found != Some(wanted) => store.take_id_range(wanted).await?,
        _ => found,
    };
    let range = range.unwrap_or(wanted);
    if range != wanted || !is_free(&range) {
        let message = format!(
            "database {} gives ids of range {range}, which is not its own: only a database without jobs takes another one",
            member.name
        );
        return Err(StoreError::Backend {
            database: Arc::clone(&member.name),
            doing: "opening it",
            source: message.into(),
        });
    }
    member.set_range(range);
    member.set_store(store);
    Ok(())
}

async fn answers(member: &Member) -> bool {
    let Some(store) = member.opened() else { return false };
    let answer = match timeout(PATIENCE, store.id_range()).await {
        Ok(answer) => answer,
        Err(_) => Err(too_late()),
    };
    match answer {
        Ok(_) => {
            member.pass();
            true
        }
        Err(error) => {
            member.note_trouble(&Arc::new(error));
            false
        }
    }
}

/// Tells a database the limits that it missed.
async fn tell_limits(shared: &Shared, place: usize) -> bool {
    let Some(rules) = shared.missed_limits.of(place) else { return true };
    let missed = ApplyLimits { rules };
    let member = &shared.members.all()[place];
    let Ok(store) = member.store() else { return false };
    match timeout(PATIENCE, store.apply_limits(missed.clone())).await {
        Ok(Ok(applied)) => {
            shared.missed_limits.told(place, &missed);
            for subject in applied.overridden {
                tracing::warn!(
                    database = &*member.name,
                    %subject,
                    "a limit that was set by hand holds; `longshore limits unset` ends that"
                );
            }
            // Its jobs may be claimed from now on.
            shared.opened.send_replace(());
            true
        }
        Ok(Err(error)) => {
            let error = source_of(member.meet(error));
            if shared.missed_limits.note(place, &error) {
                member.tell_missed(&error, LIMITS_MISSED);
            }
            false
        }
        Err(_) => false,
    }
}

/// Applies the schedules that a database missed. Each is applied once: a change by hand after that holds.
async fn tell_schedules(shared: &Shared, place: usize) -> bool {
    let member = &shared.members.all()[place];
    for missed in shared.missed_schedules.of(place).unwrap_or_default() {
        let Ok(store) = member.store() else { return false };
        let Ok(applied) = timeout(PATIENCE, apply_here(shared, place, store, &missed)).await else { return false };
        match applied {
            Ok(applied) => tell_applied(member, &applied),
            Err(error) if error.is_passing() => {
                let error = source_of(member.meet(error));
                if shared.missed_schedules.note(place, &error) {
                    member.tell_missed(&error, SCHEDULES_MISSED);
                }
                return false;
            }
            Err(error) => {
                tracing::error!(database = &*member.name, %error, "the schedules could not be applied in a database");
            }
        }
        shared.missed_schedules.told(place, &missed);
    }
    true
}

/// Registers the workers that this database does not know.
async fn register(shared: &Shared, place: usize) -> bool {
    let member = &shared.members.all()[place];
    let mut is_done = true;
    for (registration, sessions) in shared.workers.missing(place) {
        let Ok(store) = member.store() else { return false };
        let worker_id = registration.worker_id.clone();
        match timeout(PATIENCE, store.register(registration)).await {
            Ok(Ok(evidence)) => {
                sessions.begin(place, evidence);
                shared.workers.with(&worker_id, |entry| entry.is_registered[place] = true);
                shared.opened.send_replace(());
            }
            Ok(Err(error)) => {
                member.meet(error);
                is_done = false;
            }
            Err(_) => is_done = false,
        }
    }
    is_done
}

async fn tell_starts(shared: &Shared) -> bool {
    let mut is_done = true;
    for note in shared.workers.starts.open() {
        let member = &shared.members.all()[note.place];
        let Some(store) = member.opened().filter(|_| member.trouble().is_none()) else {
            is_done = false;
            continue;
        };
        let told = store.mark_started(note.worker_id.clone(), note.attempts.clone().into());
        match timeout(PATIENCE, told).await {
            Ok(Ok(())) => shared.workers.starts.noted(&note),
            Ok(Err(error)) => {
                member.meet(error);
                is_done = false;
            }
            Err(_) => is_done = false,
        }
    }
    is_done
}
