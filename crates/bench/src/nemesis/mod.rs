//! Faults on purpose, and the proof that nothing was lost and nothing lied.
//!
//! Real relay processes behind TCP proxies that misbehave; writers that speak the protocol with resend and receipts; viewers that fold what they
//! get and check every frame. One seed decides everything that is chosen here, so a failure can be looked at again.

pub mod proxy;
pub mod report;
pub mod run;
pub mod viewer;
pub mod writer;

pub use run::{Options, run};
