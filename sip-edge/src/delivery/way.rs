//! Where the INVITE of a push goes: to the core, or, without one, to a binding (REG-03, design 4).
//!
//! The Request-URI is the public user identity in either case (DLV-07). In the laptop mode there is
//! no core to fork: the binding that lasts longest is taken, which is the one refreshed last.

use net::sip::Target;
use sip::{NameAddr, Transport, Uri};
use storage_client::registration::Binding;

use crate::edge::Edge;

/// How a request of ours gets to the user.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// The hop.
    pub(crate) target: Target,
    /// Values of Route.
    pub(crate) routes: Vec<String>,
    /// By which transport we want to be reached in return.
    pub(crate) transport: Transport,
}

/// The way to a user with these bindings; `None` if there is neither a core nor a usable binding.
pub(crate) fn way(edge: &Edge, bindings: &[Binding]) -> Option<Way> {
    if let Some(next_hop) = &edge.site.next_hop {
        let mut route = next_hop.clone();
        route.params.set("lr", None);
        let uri = Uri::from(next_hop.clone());
        return Some(to_uri(
            edge,
            uri,
            vec![NameAddr::new(route.into()).to_string()],
        ));
    }
    let binding = preferred(bindings)?;
    let flow = binding
        .flow
        .as_ref()
        .filter(|flow| flow.edge == edge.config.process.name);
    if let Some(flow) = flow.and_then(|flow| edge.flows.find(&flow.token)) {
        let transport = flow.transport();
        return Some(Way {
            target: Target::Flow(flow),
            routes: binding.path.clone(),
            transport,
        });
    }
    let first_hop = match binding.path.first() {
        Some(path) => path.parse::<NameAddr>().ok()?.uri,
        None => binding.contact.parse().ok()?,
    };
    Some(to_uri(edge, first_hop, binding.path.clone()))
}

fn to_uri(edge: &Edge, uri: Uri, routes: Vec<String>) -> Way {
    let asked = uri.as_sip().and_then(sip::SipUri::transport);
    let first = edge
        .sip
        .local_addresses()
        .first()
        .map(|(transport, _)| *transport);
    let transport = asked.or(first).unwrap_or(Transport::Udp);
    Way {
        target: Target::Uri(uri),
        routes,
        transport,
    }
}

/// Of the bindings of IM clients the one that lasts longest.
fn preferred(bindings: &[Binding]) -> Option<&Binding> {
    bindings
        .iter()
        .filter(|binding| binding.has_im_tag)
        .max_by_key(|binding| binding.expires_at)
}
