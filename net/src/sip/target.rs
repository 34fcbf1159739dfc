//! Where a request goes, and the flow it takes there.

use std::net::SocketAddr;
use std::sync::Arc;

use sip::{SipUri, Transport, Uri};

use super::core::Core;
use super::error::SendError;
use super::flow::Flow;
use crate::resolve::{self, ResolveError};

/// Octets our Via adds to a request at most, as far as the choice of the transport is concerned.
const VIA_OCTETS: usize = 160;

/// Largest payload of a UDP datagram over IPv4.
const MAX_DATAGRAM: usize = 65_507;

/// Where a request goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// To a URI: the remote target, the first Route or a configured next hop (RFC 3263).
    Uri(Uri),
    /// Along the connection or UDP five-tuple a binding registered on (RFC 5626 §5.3, `REG-03`).
    Flow(Flow),
}

/// One address to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
}

impl Target {
    /// Opens a flow for a request of `octets` to the first address that can be reached.
    pub(crate) async fn open(&self, core: &Arc<Core>, octets: usize) -> Result<Flow, SendError> {
        let hops = match self {
            Target::Flow(flow) if flow.is_open() => return fitting(flow.clone(), octets),
            Target::Flow(_) => return Err(SendError::FlowGone),
            Target::Uri(uri) => hops(core, uri, octets + VIA_OCTETS).await?,
        };
        let mut failure = SendError::Unresolved(ResolveError::NoAddress);
        for hop in hops {
            match open_hop(core, hop)
                .await
                .and_then(|flow| fitting(flow, octets))
            {
                Ok(flow) => return Ok(flow),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

fn fitting(flow: Flow, octets: usize) -> Result<Flow, SendError> {
    match flow.transport() {
        Transport::Udp if octets + VIA_OCTETS > MAX_DATAGRAM => Err(SendError::TooLarge),
        _ => Ok(flow),
    }
}

/// All addresses to try, in their order.
async fn hops(core: &Core, uri: &Uri, octets: usize) -> Result<Vec<Hop>, SendError> {
    let Uri::Sip(uri) = uri else {
        return Err(ResolveError::NotSip.into());
    };
    let transports = transports(uri, octets > core.config.datagram_request_octets);
    let host = uri
        .params
        .value("maddr")
        .and_then(|maddr| maddr.parse().ok())
        .unwrap_or_else(|| uri.host.clone());
    let mut hops = Vec::new();
    for transport in transports {
        let port = uri.port.unwrap_or(transport.default_port());
        let addresses = resolve::addresses(&host, port).await?;
        hops.extend(
            addresses
                .into_iter()
                .map(|address| Hop { transport, address }),
        );
    }
    Ok(hops)
}

/// The transports to try. A URI that names one gets it; else UDP, but for a large request TCP, and UDP only if nobody
/// listens there (RFC 3261 §18.1.1).
fn transports(uri: &SipUri, large: bool) -> Vec<Transport> {
    match uri.transport() {
        Some(Transport::Tcp) if uri.secure => vec![Transport::Tls],
        Some(transport) => vec![transport],
        None if uri.secure => vec![Transport::Tls],
        None if large => vec![Transport::Tcp, Transport::Udp],
        None => vec![Transport::Udp],
    }
}

async fn open_hop(core: &Arc<Core>, hop: Hop) -> Result<Flow, SendError> {
    let Hop { transport, address } = hop;
    match transport {
        Transport::Udp => {
            let socket = core
                .udp
                .iter()
                .find(|socket| socket.local().is_ipv4() == address.is_ipv4());
            let socket = socket.ok_or(SendError::NoTransport(transport))?;
            Ok(Flow::udp(Arc::clone(socket), address))
        }
        Transport::Tcp => {
            let connected = core.pool.connect(core, address).await;
            connected
                .map(Flow::stream)
                .map_err(|source| SendError::Connect { address, source })
        }
        Transport::Tls => Err(SendError::NoTransport(transport)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transports_of(uri: &str, large: bool) -> Vec<Transport> {
        let Ok(Uri::Sip(uri)) = uri.parse() else {
            panic!("a SIP URI")
        };
        transports(&uri, large)
    }

    #[test]
    fn large_requests_prefer_tcp_unless_the_uri_names_a_transport() {
        assert_eq!(transports_of("sip:a@example.org", false), [Transport::Udp]);
        assert_eq!(
            transports_of("sip:a@example.org", true),
            [Transport::Tcp, Transport::Udp]
        );
        assert_eq!(
            transports_of("sip:a@example.org;transport=udp", true),
            [Transport::Udp]
        );
        assert_eq!(
            transports_of("sip:a@example.org;transport=tcp", false),
            [Transport::Tcp]
        );
        assert_eq!(
            transports_of("sips:a@example.org;transport=tcp", false),
            [Transport::Tls]
        );
    }
}
