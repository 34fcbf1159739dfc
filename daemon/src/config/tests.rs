//! Claims about reading a configuration.

mod defaults;
mod environment;
mod errors;
mod values;

use std::net::SocketAddr;
use std::time::Duration;

use super::{Document, Environment, Octets};

crate::choice! {
    /// How lines look.
    pub(super) enum Shape {
        /// For people.
        Pretty = "pretty",
        /// For machines.
        Json = "json",
    }
}

crate::section! {
    /// Keys that belong to no section.
    pub(super) struct Common in "" {
        /// Domains served here.
        domains: Vec<String> = ["example.org", "example.net"],
    }
}

crate::section! {
    /// When messages are pushed.
    pub(super) struct Push in "push" {
        /// Time from a registration
        /// to the push it triggers.
        delay: Duration = "1s",
        /// Sessions open at one time.
        sessions: u16 = 256,
        /// Time from a deposit to a push.
        on_deposit: Option<Duration> = "off",
        /// Share of the delay that is drawn by lot.
        jitter: f64 = 0.25,
    }
}

crate::section! {
    /// What the sweeper knows of pushes.
    pub(super) struct Backoff in "push" {
        /// Shared with the other struct of this section.
        delay: Duration = "1s",
        /// Refusals until a message is given up.
        max_refusals: u8 = 3,
    }
}

crate::section! {
    /// The participating function.
    pub(super) struct Edge in "sip-edge" {
        /// Where the admin server listens.
        admin_listen: SocketAddr = "127.0.0.1:9401",
        /// Largest body.
        body: Octets = "64KiB",
        /// Look of the log.
        shape: Shape = "pretty",
        /// Whether it takes part.
        enabled: bool = true,
        /// Networks believed.
        networks: Vec<ipnet::IpNet> = ["127.0.0.0/8", "::1/128"],
    }
}

fn document(text: &str) -> Document {
    Document::parse("restante.toml", text, Environment::default())
}

fn with_environment(text: &str, pairs: &[(&str, &str)]) -> Document {
    Document::parse("restante.toml", text, pairs.iter().copied().collect())
}

/// Reads every section and returns what is wrong.
fn mistakes(mut document: Document) -> Vec<String> {
    document.read::<Common>();
    document.read::<Push>();
    document.read::<Backoff>();
    document.read::<Edge>();
    lines(document)
}

fn lines(document: Document) -> Vec<String> {
    let errors = document.finish().err();
    errors
        .iter()
        .flat_map(|errors| errors.iter())
        .map(ToString::to_string)
        .collect()
}
