use longshore_core::{AwaitedState, DependencyState, JobId, Maintenance, is_judged_again};
use rusqlite::Connection;

use crate::workflows::followups::note_target;
use crate::workflows::wait::{Target, Wait};
use crate::writing::session::WriteTx;

/// Lets a job that is retried wait again for what had failed, and for ends that may have been taken back: for a signal as
/// long as before, and for what may be retried next a while. What is over now is found when the job is looked at, after
/// everything else that is retried in this transaction.
pub(crate) fn wait_again(tx: &mut WriteTx<'_, '_>, id: JobId) -> rusqlite::Result<()> {
    let mut waits = Wait::of_job(tx.connection, id)?;
    waits.retain(|wait| is_judged_again(wait.state, wait.needs, wait.target.is_signal()));
    for wait in &waits {
        let timeout = match wait.target.awaited(tx.connection)? {
            _ if wait.target.is_signal() => wait.timeout,
            AwaitedState::Open => None,
            _ => Some(Maintenance::PATIENCE),
        };
        wait.update(tx.connection, DependencyState::Waiting, timeout.map(|timeout| tx.now.after(timeout)))?;
    }
    if !waits.is_empty() {
        note_target(tx, &Target::Job(id))?;
    }
    Ok(())
}

/// Whether a job waits for anything but its parent.
pub(crate) fn is_held_back(connection: &Connection, id: JobId) -> rusqlite::Result<bool> {
    let waits = Wait::of_job(connection, id)?;
    Ok(waits.iter().any(|wait| !wait.state.is_over()))
}
