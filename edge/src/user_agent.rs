//! What both edges are made of: a user agent that takes and makes sessions, beside the store that it works for.

use std::time::Duration;

use net::msrp::MsrpEndpoint;
use net::sip::SipEndpoint;
use sip::Transport;
use storage_client::StorageClient;
use tokio_util::sync::CancellationToken;

use crate::config::RequireReport;
use crate::dialogs::Dialogs;
use crate::mark::{Mark, marked_branch};
use crate::next_hop::NextHop;
use crate::signature::Signature;

/// Hops of one URI tried besides the first (RFC 3263 §4.3).
const FURTHER_HOPS: usize = 2;

/// The running parts that both edges have.
#[derive(Debug)]
pub struct UserAgent {
    /// How it signs.
    pub signature: Signature,
    /// What its requests are marked as, so that none is taken for somebody else's (DLV-16, CFP-20).
    pub mark: Mark,
    /// SIP.
    pub sip: SipEndpoint,
    /// MSRP.
    pub msrp: MsrpEndpoint,
    /// The store.
    pub storage: StorageClient,
    /// The core, if requests go there.
    pub next_hop: Option<NextHop>,
    /// Our dialogs.
    pub dialogs: Dialogs,
    /// Sessions that we set up.
    pub calling: Calling,
    /// Cancelled when no new work is to be taken (requirements §3.12).
    pub draining: CancellationToken,
}

/// How sessions of ours are set up (requirements §3.1).
#[derive(Debug, Clone)]
pub struct Calling {
    /// How long an MSRP connection may take to be made and bound.
    pub connect_timeout: Duration,
    /// Whether sessions are offered over TLS.
    pub offer_tls: bool,
    /// How long a client may ring after its first answer.
    pub ring_timeout: Duration,
    /// Session interval offered (RFC 4028).
    pub session_expires: Duration,
    /// When only success REPORTs prove that a message has come.
    pub require_report: RequireReport,
    /// How long they are waited for after the last answer.
    pub report_timeout: Duration,
}

impl UserAgent {
    /// A marked branch for a request with this Call-ID; `None` until the store is known.
    pub fn marked_branch(&self, call_id: &str) -> Option<String> {
        let store = self.storage.store()?;
        Some(marked_branch(
            self.mark,
            &store.secret,
            call_id,
            &mut rand::rng(),
        ))
    }

    /// Marked branches for the hops that the request is sent to when one fails (RFC 3263 §4.3).
    pub fn further_branches(&self, call_id: &str) -> Vec<String> {
        let branches = std::iter::repeat_with(|| self.marked_branch(call_id));
        branches.take(FURTHER_HOPS).flatten().collect()
    }

    /// URI of our Contact for peers reached over this transport.
    pub(crate) fn contact_uri(&self, transport: Transport, is_secure: bool) -> String {
        let sent_by = self.sip.sent_by(transport);
        self.signature.contact(&sent_by, transport, is_secure)
    }
}
