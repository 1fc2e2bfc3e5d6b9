//! What crosses a wire: events, types, limits and versions.
