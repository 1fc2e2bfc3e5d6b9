//! Fakes, harness and waits shared by the tests.

pub mod model;
