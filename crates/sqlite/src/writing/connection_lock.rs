use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::writing::writer_connection::WriterConnection;

/// The lock of the connection that writes. The writer's thread comes first: it waits, and callers do not.
pub(crate) struct ConnectionLock {
    connection: Mutex<WriterConnection>,
    /// The thread is waiting. Otherwise a caller that makes one request after another could keep it waiting.
    is_wanted: AtomicBool,
}

impl ConnectionLock {
    pub(crate) const fn new(connection: WriterConnection) -> Self {
        Self { connection: Mutex::new(connection), is_wanted: AtomicBool::new(false) }
    }

    /// Waits for the connection. Only for the writer's thread.
    pub(crate) fn take(&self) -> MutexGuard<'_, WriterConnection> {
        self.is_wanted.store(true, Ordering::Relaxed);
        // A panic inside a transaction is caught, and its connection is closed. Any other leaves nothing half done.
        let taken = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_wanted.store(false, Ordering::Relaxed);
        taken.wait_on_this_thread();
        taken
    }

    /// The connection, if it is free.
    pub(crate) fn try_take(&self) -> Option<MutexGuard<'_, WriterConnection>> {
        if self.is_wanted.load(Ordering::Relaxed) {
            return None;
        }
        match self.connection.try_lock() {
            Ok(taken) => Some(taken),
            Err(TryLockError::Poisoned(taken)) => Some(taken.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
