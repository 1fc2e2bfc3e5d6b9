//! The daemon: starts agent sessions and terminals on a machine.
