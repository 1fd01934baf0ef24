use std::time::Duration;

use super::job_line;
use super::listener::WithoutJob;
use super::process::{Process, Step};
use crate::command::alarm::Alarm;
use crate::command::supervision::protocol::Word;

/// The longest time between SIGTERM and SIGKILL.
const LAST_PART_MAX: Duration = Duration::from_secs(5);
/// How long SIGKILL and the report of it may take.
const SETTLE: Duration = Duration::from_secs(2);

/// Asks a program without a job to end, and waits for that: SIGTERM after the grace period, then SIGKILL.
pub(super) async fn end(mut process: Process, program: &str, grace: Duration) {
    if grace.is_zero() {
        // Dropping it kills it.
        return;
    }
    let mut listener = WithoutJob::new(program);
    let (mut terminate, mut kill, mut give_up) = (Alarm::default(), Alarm::default(), Alarm::default());
    terminate.set_once(grace);
    kill.set_once(grace + grace.min(LAST_PART_MAX));
    give_up.set_once(longest(grace));
    process.send(&job_line::quit());
    loop {
        tokio::select! {
            step = process.go_on(&mut listener) => {
                if matches!(step, Step::Gone(_)) {
                    return;
                }
                if !process.is_writing() {
                    process.close_stdin();
                }
            }
            () = terminate.rings() => process.say(Word::Stop),
            () = kill.rings() => process.say(Word::Kill),
            () = give_up.rings() => return,
        }
    }
}

/// How long [`end`] takes at most.
pub(super) fn longest(grace: Duration) -> Duration {
    grace + grace.min(LAST_PART_MAX) + SETTLE
}
