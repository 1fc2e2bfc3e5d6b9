//! `/runners`: a user's runners, for browsers.

use crate::delivery::{Refresh, Revised};
use crate::events::events;
use crate::ids::{Revision, RunnerId};
use crate::json::wire;
use crate::runner_info::RunnerInfo;

events! {
    /// Browser to relay. Published clients send nothing.
    pub enum FromClient / from_client in "/runners" {
        /// Send the list again: something was missed.
        Refresh = "refresh" (Refresh),
    }
}

events! {
    /// Relay to browser.
    pub enum FromServer / from_server in "/runners" {
        /// The whole list: once after each connect, and on `refresh`.
        Runners = "runners" (Runners),
        /// A runner registered; also when it was listed already.
        RunnerAdded = "runner_added" (Revised<RunnerInfo>),
        RunnerUpdated = "runner_updated" (Revised<RunnerInfo>),
        RunnerRemoved = "runner_removed" (RunnerRemoved),
    }
}

wire! {
    pub struct Runners {
        runners: [RunnerInfo],
        revision?: Revision,
    }

    pub struct RunnerRemoved {
        runner_id: RunnerId,
        revision?: Revision,
    }
}
