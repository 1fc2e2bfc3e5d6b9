//! Routes, by resource.

mod accounts;
mod api_keys;
mod attacks;
mod attachments;
mod envelope;
mod service;
mod setup_claim;
mod settings;
