use longshore_core::{Due, Status, Timestamp};

/// The time that a job waits for; `None` if it has passed.
pub(crate) fn later_than(now: Timestamp, due: Due) -> Option<Timestamp> {
    let instant = match due {
        Due::Now => return None,
        Due::After(delay) => now.after(delay),
        Due::At(instant) => instant,
    };
    (instant > now).then_some(instant)
}

/// The status of a waiting job with a new time. A retrying job is found by its time, so without one it becomes
/// `pending`.
pub(crate) fn status_under(status: Status, later: Option<Timestamp>) -> Status {
    if status == Status::Retrying && later.is_none() { Status::Pending } else { status }
}
