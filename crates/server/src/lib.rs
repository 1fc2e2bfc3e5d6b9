//! The relay: accounts, namespaces, the durable session log and the web UI.
