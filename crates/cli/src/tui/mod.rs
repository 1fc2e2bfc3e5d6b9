//! The terminal interface. State in [`app`], changes in [`update`], pictures in [`view`], deeds in [`perform`].

pub mod app;
pub mod component;
pub mod components;
pub mod effect;
pub mod event;
pub mod keymap;
pub mod markdown;
pub mod redraw;
pub mod terminal;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod screens;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;
