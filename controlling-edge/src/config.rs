//! Configuration of the controlling function.

use std::net::{IpAddr, SocketAddr};

use daemon::config::{Document, Section as _, SectionDoc};
use sip::Transport;

daemon::section! {
    /// The controlling function: groups and URI-lists.
    pub struct Process in "controlling-edge" {
        /// Addresses for SIP over UDP.
        listen_udp: Vec<SocketAddr> = ["127.0.0.1:5070"],
        /// Addresses for SIP over TCP.
        listen_tcp: Vec<SocketAddr> = ["127.0.0.1:5070"],
        /// Host name or address under which peers reach this edge. `off`: the address of the first
        /// listener.
        advertised_host: Option<String> = "off",
        /// Address of `/livez`, `/readyz` and `/metrics`.
        admin_listen: SocketAddr = "127.0.0.1:9402",
    }
}

/// Everything the process is told before it starts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Listeners.
    pub process: Process,
}

impl Config {
    /// The sections, for the default file and for processes that share one.
    pub const DOCS: [&'static SectionDoc; 1] = [&Process::DOC];

    /// Reads the section; mistakes and contradictions are noted in the document.
    pub fn read(document: &mut Document) -> Self {
        let config = Self {
            process: document.read(),
        };
        if config.listeners().next().is_none() {
            document.error_at(
                "controlling-edge.listen_udp",
                "at least one of listen_udp and listen_tcp must name an address",
            );
        } else if config.advertised_host().is_none() {
            document.error_at(
                "controlling-edge.advertised_host",
                "must be set where the first listener is on all addresses",
            );
        }
        config
    }

    /// The SIP listeners: UDP first, each list in its order.
    pub fn listeners(&self) -> impl Iterator<Item = (Transport, SocketAddr)> + '_ {
        let udp = self
            .process
            .listen_udp
            .iter()
            .map(|address| (Transport::Udp, *address));
        let tcp = self
            .process
            .listen_tcp
            .iter()
            .map(|address| (Transport::Tcp, *address));
        udp.chain(tcp)
    }

    /// Host of our Via; none if it cannot be known.
    #[must_use]
    pub fn advertised_host(&self) -> Option<String> {
        let bound = || self.listeners().next().map(|(_, first)| first.ip());
        let known = || {
            bound()
                .filter(|address| !address.is_unspecified())
                .map(in_sent_by)
        };
        self.process.advertised_host.clone().or_else(known)
    }
}

fn in_sent_by(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use daemon::config::Environment;

    use super::*;

    fn read(text: &str) -> (Config, Option<String>) {
        let mut document = Document::parse("restante.toml", text, Environment::default());
        let config = Config::read(&mut document);
        (
            config,
            document.finish().err().map(|errors| errors.to_string()),
        )
    }

    #[test]
    fn the_defaults_hold() {
        let (config, errors) = read("");
        assert_eq!(errors, None);
        assert_eq!(config, Config::default());
        assert_eq!(config.advertised_host().as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn a_listener_on_all_addresses_needs_a_name() {
        let (_, errors) = read("[controlling-edge]\nlisten_udp = [\"0.0.0.0:5070\"]\n");
        assert!(
            errors
                .expect("a mistake")
                .contains("controlling-edge.advertised_host")
        );
    }
}
