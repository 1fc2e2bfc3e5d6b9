//! The `pizzapi` program as a library.
