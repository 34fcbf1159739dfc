//! The words of our spans, as far as there are any those of OpenTelemetry's semantic conventions for messaging. They are still
//! in development: this follows version 1.30, and nothing else in the workspace says a word of them.

use super::{Operation, Side};

/// A request with a message is read, stored and answered.
pub const ACCEPT: Operation = Operation {
    name: "accept",
    kind: "receive",
    side: Side::Server,
};

/// The store decides about a message and has it on disk.
pub const COMMIT: Operation = Operation {
    name: "commit",
    kind: "create",
    side: Side::Internal,
};

/// The store claims a mailbox for an edge, and hands it over: the beginning of an attempt.
pub const CLAIM: Operation = Operation {
    name: "claim",
    kind: "process",
    side: Side::Internal,
};

/// An edge delivers a mailbox.
pub const DELIVER: Operation = Operation {
    name: "deliver",
    kind: "process",
    side: Side::Internal,
};

/// A client is sent one message; linked to its acceptance.
pub const SEND: Operation = Operation {
    name: "send",
    kind: "send",
    side: Side::Client,
};

/// The store has on disk what became of a message.
pub const SETTLE: Operation = Operation {
    name: "settle",
    kind: "settle",
    side: Side::Internal,
};

/// The value of `messaging.system`.
pub(super) const SYSTEM: &str = "sip_deferred";

/// Message-ID of a message.
pub const MESSAGE_ID: &str = "messaging.message.id";
/// Octets of its body.
pub const BODY_SIZE: &str = "messaging.message.body.size";
/// Messages that a span is about.
pub const BATCH_COUNT: &str = "messaging.batch.message_count";
/// The class of a message, or by what way it is delivered.
pub const DESTINATION: &str = "messaging.destination.template";
/// Status code of the answer.
pub const SIP_STATUS: &str = "restante.sip.status";
/// How a delivery, or the settlement of a message, ended.
pub const OUTCOME: &str = "restante.outcome";
/// Which try of a registration it was.
pub const ATTEMPT: &str = "restante.attempt";
