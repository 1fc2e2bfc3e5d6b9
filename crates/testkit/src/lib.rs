//! Fakes, harness and waits shared by the tests.
