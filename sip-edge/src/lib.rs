//! The participating function: defers messages for users who are away, learns who is back, and
//! pushes what waits.
//!
//! * `ingress`: requests in. A MESSAGE becomes a deposit; 202 only for what is on disk (P1).
//! * `reception`: INVITE in. A large message comes over MSRP and streams to the store; the final 200 only
//!   for what is on disk (DEF rows).
//! * `registration`: REGISTER in, committed before it is answered (DLV-01).
//! * `delivery`: push jobs from the store, each an INVITE and an MSRP session (DLV, PSH rows), or one
//!   MESSAGE after the other (DLM rows).
//! * `message_waiting`: SUBSCRIBE for the message summary, and the NOTIFYs that follow (MWI rows).
//! * `reports`: delivery reports to senders, claimed from the store (IMD rows).
//! * `settings`: PUBLISH of service settings, composed in the store (SET rows).
//! * `retrieval`: one deferred message for its own user, in a session that he opens (requirements §3.14).
//! * `xcap`: the list of deferred messages for their own user, over HTTP (requirements §3.14).
//!
//! It is not a registrar of a network, not a proxy and not a store: everything durable is in the
//! storage service, so any edge may die at any instant.
//!
//! Limits: [`config::Limits`], [`config::Push::sessions`], [`config::Registrar::kept`].

mod app;
pub mod config;
mod delivery;
mod edge;
mod event;
mod flows;
mod im_tag;
mod ingress;
mod message_waiting;
mod metrics;
mod reception;
mod registration;
mod reports;
mod retrieval;
mod settings;
mod site;
mod unsuited;
mod xcap;

pub use app::App;
pub use config::Config;
