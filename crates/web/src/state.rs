use std::fmt;
use std::sync::Arc;

use longshore::Queue;
use longshore::backend::Backend;
use tokio::sync::watch;

use crate::access::Identify;

/// What [`Web`](crate::Web) was told.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) users: Arc<dyn Identify>,
    /// Whether everybody is let in, so that only the host name keeps a foreign web page out.
    pub(crate) is_open: bool,
    pub(crate) is_read_only: bool,
    pub(crate) hosts: Vec<String>,
    /// Empty, or with a slash in front and none at the end.
    pub(crate) base_path: String,
    pub(crate) database: String,
}

impl Settings {
    pub(crate) fn new(users: Arc<dyn Identify>) -> Self {
        Self {
            users,
            is_open: false,
            is_read_only: false,
            hosts: Vec::new(),
            base_path: String::new(),
            database: String::new(),
        }
    }

    /// Whether there is a page to log in at.
    pub(crate) fn has_log_in(&self) -> bool {
        false
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("base_path", &self.base_path)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

/// What every request needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct WebState {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Queue,
    settings: Settings,
    secret: [u8; 32],
    closing: watch::Sender<bool>,
}

impl WebState {
    pub(crate) fn new(queue: Queue, settings: Settings) -> Self {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the operating system gives random bytes");
        Self { shared: Arc::new(Shared { queue, settings, secret, closing: watch::Sender::new(false) }) }
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        self.shared.queue.backend().as_ref()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// A path of a page or an asset below the base path.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.shared.settings.base_path)
    }

    /// Ends event streams and long polls, which would outlast every grace period.
    pub(crate) fn close(&self) {
        self.shared.closing.send_replace(true);
    }

    /// Resolves after [`WebState::close`]. Cancellation safe.
    pub(crate) async fn closed(&self) {
        // The sender is in the state itself, so it is still there.
        let _ = self.shared.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Random bytes of this process, never shown.
    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.shared.secret
    }
}
