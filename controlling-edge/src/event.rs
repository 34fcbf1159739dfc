//! The log events of this edge: constant texts, fixed field names, identities redacted, bodies never (promise P10).

use daemon::redact::Redacted;
use sip::Request;
use storage_client::fan_out::{JobAccepted, LegClaim, LegOutcome};

/// A message to many is on disk and answered with 202.
pub(crate) fn job_accepted(request: &Request, recipients: usize, proof: &JobAccepted) {
    tracing::debug!(
        call_id = %Redacted(request.headers().call_id().unwrap_or_default()),
        job = proof.job(),
        recipients,
        duplicate = proof.duplicate(),
        "job.accepted"
    );
}

/// What became of one try to send a copy.
pub(crate) fn leg_tried(claim: LegClaim, outcome: &LegOutcome) {
    tracing::debug!(job = claim.job, index = claim.index, ?outcome, "leg.tried");
}

/// The store has not taken in time what came of the last copies: they are sent again when their claims have lapsed.
pub(crate) fn outcomes_lost() {
    tracing::warn!(
        event = "leg.outcomes_lost",
        "the store was not told in time what came of the last copies"
    );
}

/// A user has written a group of his.
pub(crate) fn document_put(owner: &str, version: &str) {
    tracing::debug!(owner = %Redacted(owner), version, "group.put");
}

/// A user has forgotten a group of his.
pub(crate) fn document_removed(owner: &str) {
    tracing::debug!(owner = %Redacted(owner), "group.removed");
}

/// The XDMS has no answer for us; senders are told to come again.
pub(crate) fn xdms_failed(why: &str) {
    tracing::warn!(
        event = "xdms.failed",
        reason = why,
        "the XDMS has no answer for us"
    );
}
