//! The log events that both edges have: constant texts, fixed field names, identities redacted, bodies
//! never (promise P10).

use std::time::Duration;

use daemon::redact::Redacted;
use sip::{Request, StatusCode};

use crate::reception::End;
use crate::refuse::Refusal;

/// A request was refused.
pub fn request_refused(request: &Request, refusal: &Refusal, status: StatusCode) {
    tracing::debug!(
        method = %request.method(),
        call_id = %Redacted(request.headers().call_id().unwrap_or_default()),
        status = status.code(),
        reason = refusal.label(),
        "request.refused"
    );
}

/// The MSRP session of a sender has brought what it could.
pub(crate) fn transfer_ended(end: &End) {
    tracing::debug!(?end, "reception.transfer_ended");
}

/// The core is down or has asked for time: nothing new goes there for a while.
pub(crate) fn next_hop_paused(pause: Duration) {
    tracing::warn!(
        event = "next_hop.paused",
        pause_ms = pause.as_millis(),
        "nothing new goes to the next hop for a while"
    );
}

/// The core answers again.
pub(crate) fn next_hop_open() {
    tracing::info!(event = "next_hop.open", "the next hop answers again");
}

/// Nobody is trusted: every request will be answered 403 (requirements §3.8).
pub fn nobody_trusted() {
    tracing::warn!(
        event = "trust.nobody",
        key = "trust.peers",
        "a SIP listener is bound beyond loopback and no peer is trusted"
    );
}

/// Documents are reachable without TLS, as the operator wants.
pub fn xcap_exposed(warning: &str) {
    tracing::warn!(
        event = "xcap.exposed",
        warning,
        "documents are reachable without TLS"
    );
}

/// Documents are not served any more.
pub(crate) fn xcap_failed(error: &std::io::Error) {
    tracing::error!(event = "xcap.failed", %error, "documents are not served any more");
}
