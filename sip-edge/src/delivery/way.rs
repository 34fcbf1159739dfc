//! Where requests of a delivery go: to the core, or, without one, to a binding (REG-03, design 4).
//!
//! In the laptop mode there is no core to fork: the binding that lasts longest is taken, which is
//! the one refreshed last.

use net::sip::{Target, TransactionFailure};
use sip::{NameAddr, Request, Response, Transport, Uri};
use storage_client::delivery::DeliveryOutcome;
use storage_client::registration::{Binding, RegistrationKind};

use super::outcome::MessageEnd;
use crate::edge::Edge;
use edge::next_hop::NextHop;

/// How a request of ours gets to the user.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// The hop.
    pub(crate) target: Target,
    /// Values of Route.
    pub(crate) routes: Vec<String>,
    /// By which transport we want to be reached in return.
    pub(crate) transport: Transport,
    /// Whether the hop is the core.
    pub(crate) is_core: bool,
    /// The binding it leads to; of several behind the core the one refreshed last.
    pub(crate) binding: Option<Binding>,
}

impl Way {
    /// The Request-URI of a MESSAGE (DLM-02). That of an INVITE is always the user (DLV-07).
    pub(crate) fn message_uri<'a>(&'a self, served_user: &'a str) -> &'a str {
        match &self.binding {
            Some(binding) if !self.is_core && binding.kind == RegistrationKind::Direct => {
                &binding.contact
            }
            _ => served_user,
        }
    }

    /// The core, if it leads there.
    pub(crate) fn next_hop<'a>(&self, edge: &'a Edge) -> Option<&'a NextHop> {
        edge.next_hop.as_ref().filter(|_| self.is_core)
    }

    /// Whether nothing may go this way now, for as long as that is known to last.
    ///
    /// # Errors
    /// The outcome of a delivery that cannot begin, or go on.
    pub(crate) fn admit(&self, edge: &Edge) -> Result<(), DeliveryOutcome> {
        self.next_hop(edge).map_or(Ok(()), NextHop::admit)
    }

    /// Sends a MESSAGE for this user this way, other hops of the same name where one fails; its final
    /// response.
    ///
    /// # Errors
    /// How it ended without one.
    pub(crate) async fn send(
        &self,
        edge: &Edge,
        request: Request,
        branch: String,
        served_user: &str,
    ) -> Result<Response, MessageEnd> {
        let hop = self.next_hop(edge);
        let call_id = request.headers().call_id().unwrap_or_default().into_owned();
        let further = || edge.further_branches(&call_id);
        let sent = edge
            .sip
            .request_failing_over(request, &self.target, branch, further);
        let mut transaction = sent.await.map_err(|error| {
            hop.inspect(|hop| hop.not_sent(&error));
            MessageEnd::Unreachable
        })?;
        while let Some(answer) = transaction.next().await {
            match (hop, &answer) {
                (Some(hop), Ok(response)) => hop.answered(response),
                (Some(hop), Err(failure)) => hop.failed(*failure, served_user),
                (None, _) => {}
            }
            match answer {
                Ok(response) if response.status().is_final() => return Ok(response),
                Ok(_) => {}
                // Where the hop is paused for a timeout, that is the hop's fault.
                Err(TransactionFailure::Timeout) if self.admit(edge).is_ok() => break,
                Err(_) => return Err(MessageEnd::Unreachable),
            }
        }
        Err(MessageEnd::NoAnswer)
    }

    /// Whether it leads to a sips URI (RFC 3261 §8.1.1.8).
    pub(crate) fn is_secure(&self) -> bool {
        matches!(&self.target, Target::Uri(Uri::Sip(uri)) if uri.secure)
    }

    /// Whether the binding is one of an IM client.
    pub(crate) fn has_im_tag(&self) -> bool {
        self.binding
            .as_ref()
            .is_some_and(|binding| binding.has_im_tag)
    }

    /// Whether nothing stands between us and the device, and a stream leads there (DLM-04).
    pub(crate) fn is_stream_to_device(&self) -> bool {
        let is_stream = match &self.target {
            Target::Flow(flow) => flow.transport().is_reliable(),
            Target::Uri(uri) => asked_transport(uri).is_some_and(Transport::is_reliable),
        };
        is_stream && !self.is_core && self.routes.is_empty()
    }
}

/// The way to a user by one of these bindings; `None` if there is neither a core nor a usable one.
pub(crate) fn way(edge: &Edge, bindings: &[&Binding]) -> Option<Way> {
    let binding = bindings.iter().max_by_key(|binding| binding.expires_at);
    if let Some(next_hop) = &edge.site.next_hop {
        let mut route = next_hop.clone();
        route.params.set("lr", None);
        let routes = vec![NameAddr::new(route.into()).to_string()];
        return Some(Way {
            is_core: true,
            binding: binding.copied().cloned(),
            ..to_uri(edge, next_hop.clone().into(), routes)
        });
    }
    let binding = *binding?;
    Some(Way {
        binding: Some(binding.clone()),
        ..to_binding(edge, binding)?
    })
}

fn to_binding(edge: &Edge, binding: &Binding) -> Option<Way> {
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
            is_core: false,
            binding: None,
        });
    }
    let first_hop = match binding.path.first() {
        Some(path) => path.parse::<NameAddr>().ok()?.uri,
        None => binding.contact.parse().ok()?,
    };
    Some(to_uri(edge, first_hop, binding.path.clone()))
}

/// The way to this URI with these Routes.
pub(crate) fn to_uri(edge: &Edge, uri: Uri, routes: Vec<String>) -> Way {
    let first = edge
        .sip
        .local_addresses()
        .first()
        .map(|(transport, _)| *transport);
    let transport = asked_transport(&uri).or(first).unwrap_or(Transport::Udp);
    Way {
        target: Target::Uri(uri),
        routes,
        transport,
        is_core: false,
        binding: None,
    }
}

/// The transport a URI asks for (RFC 3263 §4.1).
pub(crate) fn asked_transport(uri: &Uri) -> Option<Transport> {
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
