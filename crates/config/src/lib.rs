//! The home directory, its files and the variables that override them.
