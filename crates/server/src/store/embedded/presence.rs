use async_trait::async_trait;
use dashmap::DashMap;
use pizzapi_protocol::SessionId;

use crate::store::{Audience, PresenceStore, StoreError};

/// One node knows its own viewers, and those are all.
#[derive(Default)]
pub struct Presence {
    here: DashMap<SessionId, Audience>,
}

#[async_trait]
impl PresenceStore for Presence {
    async fn set(&self, session: &SessionId, here: Audience) -> Result<(), StoreError> {
        if here.viewers == 0 {
            self.here.remove(session);
        } else {
            self.here.insert(session.clone(), here);
        }
        Ok(())
    }

    async fn of(&self, session: &SessionId) -> Result<Option<Audience>, StoreError> {
        Ok(Some(self.here.get(session).map(|here| *here).unwrap_or_default()))
    }
}
