//! Routes, by resource.

mod accounts;
mod api_keys;
mod attacks;
mod attachments;
mod envelope;
mod runners;
mod service;
mod sessions;
mod setup_claim;
mod settings;
mod triggers;
