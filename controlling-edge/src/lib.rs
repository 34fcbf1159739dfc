//! The controlling function: groups and URI-lists.
//!
//! So far it answers OPTIONS, so that dispatchers and compose files can count on the process; every
//! other request is answered 405 with what is allowed. Nothing is accepted here yet.

mod app;
mod config;
mod options;

pub use app::App;
pub use config::Config;
