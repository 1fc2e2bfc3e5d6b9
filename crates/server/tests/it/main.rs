//! The real server on a free port, spoken to from outside.

mod db;
mod http;
mod process;
mod support;
