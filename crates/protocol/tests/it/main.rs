//! What crosses a wire, held against files that browsers and other programs are tested with too.

mod golden;
mod properties;
mod typescript;
