//! The one home of `tokio::spawn`: every task has a name, a span, and ends when the server does.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Tasks of one server; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Tasks {
    /// Run `work` until it ends or the server stops. A panic ends this task only and is logged with its name.
    pub fn spawn<F>(&self, name: &'static str, work: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let cancel = self.cancel.clone();
        self.tracker.spawn(
            async move {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    outcome = AssertUnwindSafe(work).catch_unwind() => {
                        if let Err(panic) = outcome {
                            tracing::error!(task = name, reason = panic_text(&*panic), "task panicked");
                        }
                    }
                }
            }
            .instrument(tracing::debug_span!("task", name)),
        )
    }

    /// Run `work` to its end, also while the server stops (bounded by the drain's deadline).
    pub fn spawn_to_completion<F>(&self, name: &'static str, work: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(
            async move {
                if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
                    tracing::error!(task = name, reason = panic_text(&*panic), "task panicked");
                }
            }
            .instrument(tracing::debug_span!("task", name)),
        )
    }

    /// Call `work` every `period`, first after one period, one call at a time.
    pub fn every<W, F>(&self, name: &'static str, period: Duration, mut work: W)
    where
        W: FnMut() -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn(name, async move {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                if AssertUnwindSafe(work()).catch_unwind().await.is_err() {
                    tracing::error!(task = name, "periodic work panicked; it runs again next period");
                }
            }
        });
    }

    /// Cancelled when the server stops; for loops that must clean up behind themselves.
    pub fn cancelled(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Cancel everything and wait until all is gone, at most `deadline`. Says whether all ended in time.
    pub async fn stop(&self, deadline: Duration) -> bool {
        self.cancel.cancel();
        self.tracker.close();
        tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok()
    }
}

/// What a panic said, when it said it in words.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_own_task_only() {
        let tasks = Tasks::default();
        tasks.spawn("broken", async { panic!("as planned") }).await.expect("the panic was caught");
        assert!(tasks.stop(Duration::from_secs(1)).await);
    }

    #[tokio::test]
    async fn stopping_ends_a_task_that_would_wait_for_ever() {
        let tasks = Tasks::default();
        tasks.spawn("endless", std::future::pending());
        assert!(tasks.stop(Duration::from_secs(1)).await);
    }
}
