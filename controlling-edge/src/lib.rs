//! The controlling function: messages to groups and to lists of recipients (requirements §1.7).
//!
//! A message is taken in by [`ingress`](self), becomes a fan-out in the storage service, and its copies are sent
//! by whichever controlling edge the service hands them to. Nothing that matters is held here.

mod app;
pub mod config;
mod copies;
mod documents;
mod edge;
mod event;
mod ingress;
mod legs;
mod metrics;
mod recipients;
mod site;
mod xdms;

pub use app::App;
pub use config::Config;
