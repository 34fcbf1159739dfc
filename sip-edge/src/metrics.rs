//! What this edge counts, one function per series. No label holds a user, Call-ID or Message-ID.

use std::sync::LazyLock;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, gauge, histogram};
use sip::Transport;
use storage_client::delivery::{DeliveryOutcome, DeliveryResult};
use storage_client::fan_out::LegOutcome;
use storage_client::message::Class;
use storage_client::report::ReportStatus;

use edge::refuse::Refusal;

/// The series of accepted messages, looked up once: this is the busiest path.
struct Accepted {
    duplicates: Counter,
    /// By class, then transport.
    messages: [[Counter; TRANSPORTS.len()]; CLASSES.len()],
    /// By class.
    durations: [Histogram; CLASSES.len()],
}

/// In the order of their numbers.
const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];
const CLASSES: [(Class, &str); 3] = [
    (Class::Pager, "pager"),
    (Class::Large, "large"),
    (Class::Imdn, "imdn"),
];

static ACCEPTED: LazyLock<Accepted> = LazyLock::new(|| Accepted {
    duplicates: counter!("restante_duplicates_answered_total", "kind" => "message"),
    messages: CLASSES.map(|(_, kind)| {
        TRANSPORTS.map(|transport| {
            let transport = transport.as_str();
            counter!("restante_messages_accepted_total", "kind" => kind, "transport" => transport)
        })
    }),
    durations: CLASSES
        .map(|(_, kind)| histogram!("restante_accept_duration_seconds", "kind" => kind)),
});

/// A message is on disk and answered with 202.
pub(crate) fn accepted(class: Class, transport: Transport, is_duplicate: bool, took: Duration) {
    match is_duplicate {
        true => &ACCEPTED.duplicates,
        false => &ACCEPTED.messages[class as usize][transport as usize],
    }
    .increment(1);
    ACCEPTED.durations[class as usize].record(took);
}

/// A message that went on to a user who is online was settled by his client, or was not.
pub(crate) fn forwarded(outcome: &DeliveryOutcome) {
    let outcome = match outcome.result {
        DeliveryResult::Completed => "settled",
        _ => "stored",
    };
    counter!("restante_messages_forwarded_total", "outcome" => outcome).increment(1);
}

/// A try to send a report has ended.
pub(crate) fn report_tried(status: ReportStatus, outcome: &LegOutcome) {
    let outcome = match outcome {
        LegOutcome::Answered { status, .. } => match status {
            200..=299 => "sent",
            _ => "failed",
        },
        LegOutcome::HopDown { .. } => "hop_down",
        LegOutcome::Returned => "returned",
    };
    counter!("restante_report_attempts_total", "status" => status.word(), "outcome" => outcome)
        .increment(1);
}

/// A MESSAGE was refused.
pub(crate) fn rejected(refusal: &Refusal) {
    counter!("restante_messages_rejected_total", "reason" => refusal.label()).increment(1);
}

/// A REGISTER was answered.
pub(crate) fn registered(result: &'static str) {
    counter!("restante_registers_answered_total", "result" => result).increment(1);
}

/// A SUBSCRIBE was accepted.
pub(crate) fn subscribed() {
    counter!("restante_subscribes_accepted_total").increment(1);
}

/// Subscriptions this edge notifies.
pub(crate) fn subscriptions(count: usize) {
    gauge!("restante_subscriptions").set(u32::try_from(count).unwrap_or(u32::MAX));
}

/// A NOTIFY was answered, or will not be.
pub(crate) fn notified(result: &'static str) {
    counter!("restante_notifies_total", "result" => result).increment(1);
}

/// A PUBLISH of settings was committed.
pub(crate) fn published(kind: &'static str) {
    counter!("restante_settings_published_total", "kind" => kind).increment(1);
}

/// Registrations that wait for the store.
pub(crate) fn registrations_kept(count: usize) {
    gauge!("restante_registrations_kept").set(u32::try_from(count).unwrap_or(u32::MAX));
}

/// A registration found no place to wait, or did not survive its replay.
pub(crate) fn registration_dropped(reason: &'static str) {
    counter!("restante_registrations_dropped_total", "reason" => reason).increment(1);
}

/// Messages that a client acknowledged or refused.
pub(crate) fn sent(outcome: &'static str) {
    counter!("restante_messages_pushed_total", "outcome" => outcome).increment(1);
}

/// A delivery has ended.
pub(crate) fn delivery_ended(channel: &'static str, result: DeliveryResult, took: Duration) {
    let outcome = result.word();
    counter!("restante_delivery_attempts_total", "channel" => channel, "outcome" => outcome)
        .increment(1);
    histogram!("restante_delivery_duration_seconds", "channel" => channel).record(took);
}
