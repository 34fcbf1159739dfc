//! One try to send a request to one hop, and the hops left for another (RFC 3263 §4.3).

use std::collections::VecDeque;
use std::sync::Arc;

use sip::transaction::ClientId;
use sip::{Name, Request, Uri, Via};

use super::core::{Core, Shard};
use super::error::SendError;
use super::flow::{Flow, Listener, Peer};
use super::inbox::{Inbox, inbox};
use super::target;
use crate::hop::Hop;

/// A transaction under way.
pub(crate) struct Attempt {
    pub(crate) shard: Shard,
    pub(crate) id: ClientId,
    pub(crate) inbox: Inbox,
    pub(crate) flow: Flow,
    /// Whether the layer knows that the connection has failed.
    pub(crate) failure_told: bool,
}

impl Attempt {
    /// Puts our Via on a request and begins its transaction.
    pub(crate) fn start(
        core: &Arc<Core>,
        request: Request,
        flow: Flow,
        branch: &str,
    ) -> Result<Self, SendError> {
        let request = with_via(core, request, &flow, branch);
        let (sender, inbox) = inbox();
        let peer = Peer {
            flow: flow.clone(),
            destination: flow.remote(),
            listener: Listener::Client(Arc::new(sender)),
        };
        let shard = core.shard(&request.headers().call_id().unwrap_or_default());
        let reliable = flow.transport().is_reliable();
        let started = core.step(shard, |layer| {
            layer.start_request(super::now(), request, peer, reliable)
        });
        Ok(Self {
            shard,
            id: started.map_err(|_| SendError::Overloaded)?,
            inbox,
            flow,
            failure_told: false,
        })
    }
}

/// The request with our Via for this flow.
pub(crate) fn with_via(core: &Core, request: Request, flow: &Flow, branch: &str) -> Request {
    let via = Via::new(flow.transport(), core.sent_by(flow.transport()), branch);
    request.edit().prepend(Name::Via, via).build()
}

/// Where a request may still go.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    request: Request,
    uri: Uri,
    hops: VecDeque<Hop>,
    branches: VecDeque<String>,
}

impl Elsewhere {
    pub(crate) fn new(
        request: &Request,
        uri: &Uri,
        hops: Vec<Hop>,
        branches: Vec<String>,
    ) -> Box<Self> {
        Box::new(Self {
            request: request.clone(),
            uri: uri.clone(),
            hops: hops.into(),
            branches: branches.into(),
        })
    }

    /// Sends the request to the next hop that takes it; none if no hop or no branch is left. Dropped halfway, it goes on
    /// with the same hop.
    pub(crate) async fn next(&mut self, core: &Arc<Core>) -> Option<Attempt> {
        while let (Some(hop), Some(branch)) = (self.hops.front(), self.branches.front()) {
            let octets = self.request.as_bytes().len();
            let opened = target::open_hop(core, *hop, &self.uri, octets).await;
            let started =
                opened.and_then(|flow| Attempt::start(core, self.request.clone(), flow, branch));
            self.hops.pop_front();
            if let Ok(attempt) = started {
                self.branches.pop_front();
                return Some(attempt);
            }
        }
        None
    }
}
