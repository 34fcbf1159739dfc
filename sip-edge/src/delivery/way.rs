//! Where requests of a delivery go: to the core, or, without one, to a binding (REG-03, design 4).
//!
//! In the laptop mode there is no core to fork: the binding that lasts longest is taken, which is
//! the one refreshed last.

use std::ops::Deref;

use edge::way::asked_transport;
use net::sip::{Target, TransactionFailure};
use sip::{NameAddr, Request, Response, Transport, Uri};
use storage_client::registration::{Binding, RegistrationKind};

use super::outcome::MessageEnd;
use crate::edge::Edge;

/// How a request of ours gets to the user.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    way: edge::way::Way,
    /// The binding it leads to; of several behind the core the one refreshed last.
    pub(crate) binding: Option<Binding>,
}

impl Deref for Way {
    type Target = edge::way::Way;

    fn deref(&self) -> &Self::Target {
        &self.way
    }
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
    let way = match edge::way::Way::to_core(edge) {
        Some(way) => way,
        None => to_binding(edge, binding?)?,
    };
    Some(Way {
        way,
        binding: binding.copied().cloned(),
    })
}

fn to_binding(edge: &Edge, binding: &Binding) -> Option<edge::way::Way> {
    let flow = binding
        .flow
        .as_ref()
        .filter(|flow| flow.edge == edge.config.process.name);
    if let Some(flow) = flow.and_then(|flow| edge.flows.find(&flow.token)) {
        let transport = flow.transport();
        return Some(edge::way::Way {
            target: Target::Flow(flow),
            routes: binding.path.clone(),
            transport,
            is_core: false,
        });
    }
    let first_hop = match binding.path.first() {
        Some(path) => path.parse::<NameAddr>().ok()?.uri,
        None => binding.contact.parse().ok()?,
    };
    Some(edge::way::Way::to_uri(
        edge,
        first_hop,
        binding.path.clone(),
    ))
}

/// The way to this URI, whoever is there.
pub(crate) fn to_uri(edge: &Edge, uri: Uri) -> Way {
    Way {
        way: edge::way::Way::to_uri(edge, uri, Vec::new()),
        binding: None,
    }
}
