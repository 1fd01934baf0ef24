use longshore_core::{AwaitedState, DependencySettled, DependencyState, JobId, Maintenance, settle_dependency};
use rusqlite::Connection;

use crate::workflows::wait::Wait;
use crate::writing::session::WriteTx;

/// Lets a job that is retried wait again for what had failed: for a signal as long as before, and for what may be retried
/// next a while.
pub(crate) fn wait_again(tx: &WriteTx<'_, '_>, id: JobId) -> rusqlite::Result<()> {
    for wait in Wait::of_job(tx.connection, id)? {
        if wait.state != DependencyState::Failed {
            continue;
        }
        let awaited = wait.target.awaited(tx.connection)?;
        match settle_dependency(wait.needs, wait.otherwise, awaited) {
            DependencySettled::Over(state) => wait.update(tx.connection, state, None)?,
            DependencySettled::Waits | DependencySettled::GivenUp(_) => {
                let timeout = match awaited {
                    _ if wait.target.is_signal() => wait.timeout,
                    AwaitedState::Open => None,
                    _ => Some(Maintenance::PATIENCE),
                };
                wait.update(tx.connection, DependencyState::Waiting, timeout.map(|timeout| tx.now.after(timeout)))?;
            }
        }
    }
    Ok(())
}

/// Whether a job waits for anything but its parent.
pub(crate) fn is_held_back(connection: &Connection, id: JobId) -> rusqlite::Result<bool> {
    let waits = Wait::of_job(connection, id)?;
    Ok(waits.iter().any(|wait| !wait.state.is_over()))
}
