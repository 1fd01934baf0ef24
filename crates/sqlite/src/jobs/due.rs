use longshore_core::{Due, Status, Timestamp};

/// The instant that a job waits for; one that has passed is none.
pub(crate) fn later_than(now: Timestamp, due: Due) -> Option<Timestamp> {
    let instant = match due {
        Due::Now => return None,
        Due::After(delay) => now.after(delay),
        Due::At(instant) => instant,
    };
    (instant > now).then_some(instant)
}

/// The state of a job that waits, under a new time. What waits for its retry is found by its instant, so without one it
/// is ready.
pub(crate) fn status_under(status: Status, later: Option<Timestamp>) -> Status {
    if status == Status::Retrying && later.is_none() { Status::Pending } else { status }
}
