//! The agent: turns, providers, tools and transcripts.
