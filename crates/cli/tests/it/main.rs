//! The built program: in a terminal, in a pipe, and as a server.

mod print;
mod screen;
mod support;
