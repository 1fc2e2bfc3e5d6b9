//! Routes, by resource.

mod accounts;
mod api_keys;
mod attachments;
mod attacks;
mod envelope;
mod mobile_link;
mod push;
mod runners;
mod service;
mod sessions;
mod settings;
mod setup_claim;
mod triggers;
mod webhooks;
