//! Where a request goes, and the flow it takes there.

use std::net::SocketAddr;
use std::sync::Arc;

use sip::{Transport, Uri};

use super::core::Core;
use super::error::SendError;
use super::flow::Flow;
use super::pool::Destination;
use crate::hop::Hop;
use crate::resolve::{ResolveError, Sending};
use crate::tls::server_name;

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

impl Target {
    /// Opens a flow for a request of `octets` to the first address that can be reached. Also tells the hops behind it.
    pub(crate) async fn open(
        &self,
        core: &Arc<Core>,
        octets: usize,
    ) -> Result<(Flow, Vec<Hop>), SendError> {
        let uri = match self {
            Target::Flow(flow) if flow.is_open() => {
                return Ok((fitting(flow.clone(), octets)?, Vec::new()));
            }
            Target::Flow(_) => return Err(SendError::FlowGone),
            Target::Uri(uri) => uri,
        };
        let mut hops = hops(core, uri, octets + VIA_OCTETS).await?.into_iter();
        let mut failure = SendError::Unresolved(ResolveError::NoAddress);
        while let Some(hop) = hops.next() {
            match open_hop(core, hop, uri, octets).await {
                Ok(flow) => return Ok((flow, hops.collect())),
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

/// All hops to try, in their order.
async fn hops(core: &Core, uri: &Uri, octets: usize) -> Result<Vec<Hop>, SendError> {
    let udp = (!core.udp.is_empty()).then_some(Transport::Udp);
    let tls = core.tls.is_some().then_some(Transport::Tls);
    let transports: Vec<_> = udp.into_iter().chain([Transport::Tcp]).chain(tls).collect();
    let sending = Sending {
        transports: &transports,
        is_large: octets > core.config.datagram_request_octets,
    };
    Ok(core.config.resolver.hops(uri, &sending).await?)
}

/// Opens a flow for a request of `octets` to one hop of `uri`.
pub(crate) async fn open_hop(
    core: &Arc<Core>,
    hop: Hop,
    uri: &Uri,
    octets: usize,
) -> Result<Flow, SendError> {
    let Hop { transport, address } = hop;
    let destination = match transport {
        Transport::Udp => return fitting(open_udp(core, address)?, octets),
        Transport::Tls if core.tls.is_none() => return Err(SendError::NoTransport(transport)),
        Transport::Tls => secured(uri, address).ok_or(SendError::NoTransport(transport))?,
        Transport::Tcp => Destination::clear(address),
    };
    let connected = core.pool.connect(core, &destination).await;
    connected
        .map(Flow::stream)
        .map_err(|source| SendError::Connect { address, source })
}

fn open_udp(core: &Core, address: SocketAddr) -> Result<Flow, SendError> {
    let mut sockets = core.udp.iter();
    let socket = sockets.find(|socket| socket.local().is_ipv4() == address.is_ipv4());
    let socket = socket.ok_or(SendError::NoTransport(Transport::Udp))?;
    Ok(Flow::udp(Arc::clone(socket), address))
}

/// TLS to whoever the URI names, at whatever address the resolution found.
fn secured(uri: &Uri, address: SocketAddr) -> Option<Destination> {
    let Uri::Sip(uri) = uri else { return None };
    let name = Some(server_name(&uri.host)?);
    Some(Destination { address, name })
}
