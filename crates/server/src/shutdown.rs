//! The drain: a flag raised before anything closes, so that disconnect handlers know not to end what they hold.

use std::time::Duration;

use tokio::sync::watch;

/// How long sockets and requests may take to close after the flag is up.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(8);

/// Says whether the server is going away; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown {
    state: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { state: watch::Sender::new(false) }
    }
}

impl Shutdown {
    /// Raise the flag; the second time changes nothing. Says whether this call raised it.
    pub fn begin(&self) -> bool {
        !self.state.send_replace(true)
    }

    /// Disconnect handlers that see this must leave sessions, runners and terminals as they are.
    pub fn is_draining(&self) -> bool {
        *self.state.borrow()
    }

    /// Ends when the flag goes up.
    pub async fn begun(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.state.subscribe().wait_for(|draining| *draining).await;
    }
}
