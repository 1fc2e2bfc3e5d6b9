//! Who watches a session.

use async_trait::async_trait;
use pizzapi_protocol::SessionId;

use super::StoreError;

/// How many people watch, over all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Audience {
    pub viewers: u32,
    /// Of those, how many say that their page is visible.
    pub visible: u32,
    /// Of those, how many never said.
    pub unsaid: u32,
}

#[async_trait]
pub trait PresenceStore: Send + Sync + 'static {
    /// This node's share changed.
    async fn set(&self, session: &SessionId, here: Audience) -> Result<(), StoreError>;

    /// `None`: a node did not answer. Unknown never deletes anything and never suppresses a notification.
    async fn of(&self, session: &SessionId) -> Result<Option<Audience>, StoreError>;
}
