//! The real server on a free port, spoken to from outside.

mod contract;
mod db;
mod faults;
mod http;
mod hub;
mod process;
mod relay;
mod runner;
mod sockets;
mod support;
mod terminal;
mod viewer;
