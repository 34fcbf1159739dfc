//! Where requests of ours go that begin something: to the core, or straight to a URI.

use net::sip::Target;
use sip::{NameAddr, Transport, Uri};
use storage_client::delivery::DeliveryOutcome;

use crate::next_hop::NextHop;
use crate::user_agent::UserAgent;

/// How a request of ours gets to a user.
#[derive(Debug, Clone)]
pub struct Way {
    /// The hop.
    pub target: Target,
    /// Values of Route.
    pub routes: Vec<String>,
    /// By which transport we want to be reached in return.
    pub transport: Transport,
    /// Whether the hop is the core.
    pub is_core: bool,
}

impl Way {
    /// The way to the core, if there is one.
    #[must_use]
    pub fn to_core(ua: &UserAgent) -> Option<Self> {
        let next_hop = ua.next_hop.as_ref()?.uri();
        let mut route = next_hop.clone();
        route.params.set("lr", None);
        let routes = vec![NameAddr::new(route.into()).to_string()];
        Some(Self {
            is_core: true,
            ..Self::to_uri(ua, next_hop.clone().into(), routes)
        })
    }

    /// The way to this URI with these values of Route.
    #[must_use]
    pub fn to_uri(ua: &UserAgent, uri: Uri, routes: Vec<String>) -> Self {
        let addresses = ua.sip.local_addresses();
        let first = addresses.first().map(|(transport, _)| *transport);
        let transport = asked_transport(&uri).or(first).unwrap_or(Transport::Udp);
        Self {
            target: Target::Uri(uri),
            routes,
            transport,
            is_core: false,
        }
    }

    /// By the core, or, without one, to where the domain of this URI is.
    #[must_use]
    pub fn to_user(ua: &UserAgent, uri: &str) -> Option<Self> {
        let straight = || Some(Self::to_uri(ua, uri.parse().ok()?, Vec::new()));
        Self::to_core(ua).or_else(straight)
    }

    /// The core, if it leads there.
    pub fn next_hop<'a>(&self, ua: &'a UserAgent) -> Option<&'a NextHop> {
        ua.next_hop.as_ref().filter(|_| self.is_core)
    }

    /// Whether nothing may go this way now, for as long as that is known to last.
    ///
    /// # Errors
    /// The outcome of a delivery that cannot begin, or go on.
    pub fn admit(&self, ua: &UserAgent) -> Result<(), DeliveryOutcome> {
        self.next_hop(ua).map_or(Ok(()), NextHop::admit)
    }

    /// Whether it leads to a sips URI (RFC 3261 §8.1.1.8).
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(&self.target, Target::Uri(Uri::Sip(uri)) if uri.secure)
    }
}

/// The transport a URI asks for (RFC 3263 §4.1).
#[must_use]
pub fn asked_transport(uri: &Uri) -> Option<Transport> {
    let uri = uri.as_sip()?;
    let secure = Some(Transport::Tls).filter(|_| uri.secure);
    secure.or_else(|| uri.transport())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_asks_for_a_transport_by_its_scheme_or_its_parameter() {
        for (uri, expected) in [
            ("sip:bob@203.0.113.9", None),
            ("sip:bob@203.0.113.9;transport=TCP", Some(Transport::Tcp)),
            ("sip:bob@203.0.113.9;transport=sctp", None),
            ("sips:bob@203.0.113.9", Some(Transport::Tls)),
            ("sips:bob@203.0.113.9;transport=tcp", Some(Transport::Tls)),
            ("tel:+15550100", None),
        ] {
            let parsed: Uri = uri.parse().expect("a URI");
            assert_eq!(asked_transport(&parsed), expected, "{uri}");
        }
    }
}
