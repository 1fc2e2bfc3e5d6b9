//! Reading, writing, editing and listing files.

mod diff;
mod edit;
mod list;
mod matching;
mod read;
mod write;

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

pub use edit::{Edit, EditArgs, edit};
pub use list::{ListArgs, list};
pub use read::{ReadArgs, read};
pub use write::{WriteArgs, write};

use crate::ToolError;

/// One change at a time per real path, whichever tool makes it. Cheap to clone; share one among all tools of a process.
#[derive(Debug, Clone, Default)]
pub struct Files {
    locks: Arc<Mutex<HashMap<PathBuf, Weak<tokio::sync::Mutex<()>>>>>,
}

impl Files {
    pub fn new() -> Self {
        Self::default()
    }

    /// Run `change` when no other change of the same file runs. Once begun it runs to its end even if the caller goes away: a
    /// file half written, or a queue released too early, would be worse than a change nobody waits for.
    async fn exclusively<T, F>(&self, path: &Path, change: F) -> Result<T, ToolError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ToolError>> + Send + 'static,
    {
        let real = crate::path_guard::real_path(path).map_err(ToolError::io("resolve", path))?;
        let lock = {
            let mut locks = self.locks.lock();
            locks.retain(|_, lock| lock.strong_count() > 0);
            match locks.get(&real).and_then(Weak::upgrade) {
                Some(lock) => lock,
                None => {
                    let lock = Arc::new(tokio::sync::Mutex::new(()));
                    locks.insert(real, Arc::downgrade(&lock));
                    lock
                }
            }
        };
        let turn = lock.lock_owned().await;
        let running = tokio::spawn(async move {
            let outcome = change.await;
            drop(turn);
            outcome
        });
        running.await.map_err(|error| ToolError::invalid(format!("the change failed unexpectedly: {error}")))?
    }
}

/// Run blocking file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ToolError::invalid(format!("the operation failed unexpectedly: {error}")))?
}
