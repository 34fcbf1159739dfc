//! The log events of this edge, all of them: constant texts, fixed field names, identities redacted,
//! bodies never (style of the project, promise P10).

use std::time::Duration;

use daemon::redact::Redacted;
use sip::Request;
use storage_client::Deposited;
use storage_client::delivery::DeliveryOutcome;
use storage_client::fan_out::LegOutcome;
use storage_client::report::Report;

pub(crate) use edge::event::{nobody_trusted, request_refused};

/// A message is on disk and answered with 202.
pub(crate) fn message_accepted(request: &Request, mailbox: &str, proof: &Deposited) {
    tracing::debug!(
        call_id = %Redacted(request.headers().call_id().unwrap_or_default()),
        mailbox = %Redacted(mailbox),
        message_id = proof.message_id(),
        duplicate = proof.duplicate(),
        "message.accepted"
    );
}

/// The sender of a message wants to be told what becomes of it, and nobody vouches for who he is (IMD-06).
pub(crate) fn report_not_possible(request: &Request) {
    tracing::info!(
        event = "report.not_possible",
        call_id = %Redacted(request.headers().call_id().unwrap_or_default()),
        "a sender who is not vouched for cannot be told what becomes of his message"
    );
}

/// The store hands out no reports now.
pub(crate) fn reports_not_claimed(reason: &str) {
    tracing::debug!(reason, "reports.not_claimed");
}

/// What came of a try to send a report.
pub(crate) fn report_tried(report: &Report, outcome: &LegOutcome) {
    tracing::debug!(
        subject = ?report.subject,
        status = report.status.word(),
        ?outcome,
        "report.tried"
    );
}

/// The store could not be told; the report comes again.
pub(crate) fn report_not_settled(reason: &str) {
    tracing::info!(
        event = "report.not_settled",
        reason,
        "the store was not told what came of a report, which comes again"
    );
}

/// The BYE of a sender is not with its message; the message is on disk all the same (STO-05).
pub(crate) fn bye_not_kept(message_id: &str, reason: &str) {
    tracing::info!(
        event = "reception.bye_not_kept",
        message_id,
        reason,
        "the BYE of a sender is not kept with his message"
    );
}

/// Settings are on disk.
pub(crate) fn settings_published(address: &str, kind: &'static str) {
    tracing::debug!(mailbox = %Redacted(address), kind, "settings.published");
}

/// A user has deleted a message of his own.
pub(crate) fn deferred_deleted(address: &str, message_id: &str) {
    tracing::debug!(mailbox = %Redacted(address), message_id, "deferred.deleted");
}

/// A user who fetched one of his messages has it, or not.
pub(crate) fn fetch_ended(address: &str, message_id: &str, outcome: &DeliveryOutcome) {
    tracing::debug!(
        mailbox = %Redacted(address),
        message_id,
        result = ?outcome.result,
        reason = outcome.reason,
        "fetch.ended"
    );
}

/// A registration is on disk.
pub(crate) fn registration_committed(address: &str, bindings: usize) {
    tracing::debug!(mailbox = %Redacted(address), bindings, "registration.committed");
}

/// A subscriber does not answer, or knows his subscription no more.
pub(crate) fn subscription_removed(account: &str) {
    tracing::debug!(mailbox = %Redacted(account), "subscription.removed");
}

/// The store could not be told that a subscription is over.
pub(crate) fn subscription_not_ended(reason: &str) {
    tracing::debug!(reason, "subscription.not_ended");
}

/// The store gave no new epoch to a subscription.
pub(crate) fn subscription_not_renumbered(reason: &str) {
    tracing::warn!(
        event = "subscription.not_renumbered",
        reason,
        "the store gave no new epoch to a subscription"
    );
}

/// The store could not be reached: the registration waits here (requirements §2.4.1).
pub(crate) fn registration_kept(address: &str, waiting: usize) {
    tracing::warn!(event = "registration.kept", mailbox = %Redacted(address), waiting, "the store cannot be reached: a registration waits here");
}

/// A registration is given up.
pub(crate) fn registration_dropped(address: &str, reason: &'static str) {
    tracing::warn!(event = "registration.dropped", mailbox = %Redacted(address), reason, "a registration is given up");
}

/// An identity of another account was claimed by an implicit registration set (REG-04).
pub(crate) fn alias_refused(address: &str, alias: &str) {
    tracing::warn!(event = "alias.refused", mailbox = %Redacted(address), alias = %Redacted(alias), "an implicit registration set claims an identity of another account");
}

/// A delivery begins.
pub(crate) fn delivery_started(served_user: &str, attempt: u64) {
    tracing::debug!(mailbox = %Redacted(served_user), attempt, "delivery.started");
}

/// A delivery has ended.
pub(crate) fn delivery_ended(served_user: &str, outcome: &DeliveryOutcome, took: Duration) {
    tracing::debug!(
        mailbox = %Redacted(served_user),
        result = ?outcome.result,
        reason = outcome.reason,
        elapsed_ms = took.as_millis(),
        "delivery.ended"
    );
}

/// A message that went on to a user who is online was taken, refused, or stays stored; an empty reason
/// says that its client has answered.
pub(crate) fn forward_ended(proof: &Deposited, reason: &str) {
    tracing::debug!(message_id = proof.message_id(), reason, "forward.ended");
}

/// A message was passed over in a push and stays stored.
pub(crate) fn message_skipped(message_id: &str, reason: &'static str) {
    tracing::info!(
        event = "delivery.message_skipped",
        message_id,
        reason,
        "a message was passed over in a push and stays stored"
    );
}

/// What a client answered to a SEND points at a fault of one side (requirements §3.5).
pub(crate) fn send_faulted(message_id: &str, code: u16) {
    tracing::error!(
        event = "delivery.send_faulted",
        message_id,
        code,
        "the answer of a client to a SEND points at a fault of one side"
    );
}

/// The store did not take a claim back; the lease ends it.
pub(crate) fn release_failed(reason: &str) {
    tracing::warn!(
        event = "delivery.release_failed",
        reason,
        "the store did not take a claim back, its lease will lapse"
    );
}

/// Clients cannot register although they have nowhere else to (REG-02).
pub(crate) fn registrar_closed() {
    tracing::warn!(
        event = "registrar.closed",
        key = "registrar.enabled",
        "a SIP listener is bound beyond loopback; set registrar.enabled and registrar.auth"
    );
}

/// Registering is possible without any proof of identity (REG-02).
pub(crate) fn registrar_unauthenticated() {
    tracing::warn!(
        event = "registrar.unauthenticated",
        "clients register without any proof of who they are"
    );
}
