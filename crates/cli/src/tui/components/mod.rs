//! What the screen is made of. Each component holds its own state and never performs an effect.

pub mod approval;
pub mod composer;
pub mod confirm;
pub mod help;
pub mod picker;
pub mod plan;
pub mod question;
pub mod status_line;
pub mod todo;
pub mod transcript;
