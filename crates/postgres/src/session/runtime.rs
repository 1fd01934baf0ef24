use std::io;

use longshore_core::{StoreError, StoreFuture};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::unconstrained;

use super::fault::ErrorContext;

/// The store's own runtime, so that its futures may be polled by any executor, or by none.
#[derive(Debug)]
pub(crate) struct StoreRuntime {
    /// None once it was shut down.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl StoreRuntime {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("longshore-postgres")
            .enable_io()
            .enable_time()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// A future that does its work on this runtime from its first poll. Dropped after that, the work still ends.
    pub(crate) fn run<T, F>(&self, context: &ErrorContext, doing: &'static str, work: F) -> StoreFuture<'static, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (handle, context) = (self.handle.clone(), context.clone());
        Box::pin(async move {
            // It must not use the budget of the caller's task, who may block inside that task.
            match unconstrained(handle.spawn(work)).await {
                Ok(answer) => answer,
                Err(error) => Err(match error.try_into_panic() {
                    Ok(panic) => {
                        StoreError::Panicked { database: context.database, doing, message: message_of(&*panic) }
                    }
                    Err(_) => context.closed(),
                }),
            }
        })
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

impl Drop for StoreRuntime {
    fn drop(&mut self) {
        // A runtime must not wait for its threads on a thread of a runtime, and the last clone may go anywhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
