//! What edges count.

use daemon::metrics::{Buckets, Label, Metric};

use super::{counter, gauge, histogram, label, level};

const DIRECTION: Label = label("direction", &["in", "out"]);
const CLASS: Label = label("kind", &["pager", "large", "imdn"]);
const CHANNEL: Label = label("channel", &["msrp", "message"]);
/// Which edge: in `restante all` both are one process.
const ROLE: Label = label("role", &["sip-edge", "controlling-edge"]);
const TRANSPORT: Label = label("transport", &["UDP", "TCP", "TLS"]);

/// Why a request was refused, as `edge::refuse::Refusal::label` says.
const REASON: Label = label(
    "reason",
    &[
        "protocol",
        "loop",
        "untrusted",
        "unknown_user",
        "unsupported",
        "policy",
        "quota",
        "size",
        "store_error",
        "overload",
    ],
);

/// How a delivery ended, of the edge and of the store.
pub(super) const ENDING: Label = label(
    "outcome",
    &[
        "completed",
        "unavailable",
        "busy",
        "unsupported",
        "rejected",
        "broken",
        "hop_down",
        "ended_by_client",
        "edge_draining",
        "interrupted",
    ],
);

pub(super) const BOTH: [Metric; 13] = [
    gauge(
        "restante_storage_connected",
        &[ROLE],
        "Whether the stream to the storage service is open and it accepts.",
    ),
    counter(
        "restante_deposit_window_full_total",
        &[],
        "Deposits that waited because as many as may be were under way.",
    ),
    counter(
        "restante_late_commits_total",
        &[],
        "Deposits that turned out to be on disk after their request had been refused; the sender's retry meets them.",
    ),
    counter(
        "restante_unanswered_entries_total",
        &[],
        "Deposits and acknowledgements that a broken stream to the storage service left without an answer.",
    ),
    counter(
        "restante_sip_dropped_total",
        &[label(
            "reason",
            &[
                "malformed",
                "stray_response",
                "ack_queue_full",
                "send_buffer_full",
                "socket_error",
                "response_undeliverable",
                "connection_limit",
                "tls_handshake",
            ],
        )],
        "SIP messages and connections that came to nothing and left no other trace.",
    ),
    counter(
        "restante_sip_requests_refused_total",
        &[],
        "SIP requests refused for their form before anything was asked of them.",
    ),
    counter(
        "restante_sip_requests_overloaded_total",
        &[],
        "SIP requests answered 503 because tables or queues were full.",
    ),
    level(
        "restante_msrp_sessions_active",
        &[DIRECTION],
        "MSRP sessions, by who sends the message.",
    ),
    counter(
        "restante_msrp_bytes_total",
        &[DIRECTION],
        "Octets of MSRP on the wire, heads included.",
    ),
    counter(
        "restante_msrp_handshakes_failed_total",
        &[],
        "MSRP connections that came to no agreement on TLS.",
    ),
    gauge(
        "restante_next_hop_open",
        &[ROLE],
        "Whether requests may go to the next hop now.",
    ),
    counter(
        "restante_xcap_requests_total",
        &[
            label("method", &["read", "write", "delete", "other"]),
            label("status", &[]),
        ],
        "XCAP requests by method and status code of the answer.",
    ),
    counter(
        "restante_duplicates_answered_total",
        &[label("kind", &["message", "job"])],
        "Messages that were stored before and got the first answer again.",
    ),
];

pub(super) const PARTICIPATING: [Metric; 15] = [
    counter(
        "restante_messages_accepted_total",
        &[CLASS, TRANSPORT],
        "Messages answered 202, repetitions not counted.",
    ),
    histogram(
        "restante_accept_duration_seconds",
        Buckets::Seconds,
        &[CLASS],
        "From the arrival of a request, of a large message of its last octet, to its final answer.",
    ),
    counter(
        "restante_messages_rejected_total",
        &[REASON],
        "Requests with a message that were refused.",
    ),
    counter(
        "restante_messages_forwarded_total",
        &[label("outcome", &["settled", "stored"])],
        "Messages sent on to a user who is online: settled by his client, or left in the store.",
    ),
    counter(
        "restante_delivery_attempts_total",
        &[CHANNEL, ENDING],
        "Deliveries of mailboxes to users, each of one message or more.",
    ),
    histogram(
        "restante_delivery_duration_seconds",
        Buckets::Seconds,
        &[CHANNEL],
        "How long these took.",
    ),
    counter(
        "restante_messages_pushed_total",
        &[label("outcome", &["delivered", "refused", "failed"])],
        "Messages that a client was sent, by what it answered.",
    ),
    counter(
        "restante_registers_answered_total",
        &[label("result", &["committed", "kept"])],
        "REGISTER requests answered 200: committed by the store, or kept here until it can be asked.",
    ),
    level(
        "restante_registrations_kept",
        &[],
        "Registrations that wait here for the store.",
    ),
    counter(
        "restante_registrations_dropped_total",
        &[label("reason", &["full", "refused", "draining"])],
        "Registrations that waited, or were to wait, for the store and were given up.",
    ),
    counter(
        "restante_settings_published_total",
        &[label("kind", &["initial", "modify", "refresh", "remove"])],
        "PUBLISH requests of service settings that were committed.",
    ),
    counter(
        "restante_subscribes_accepted_total",
        &[],
        "SUBSCRIBE requests accepted.",
    ),
    level(
        "restante_subscriptions",
        &[],
        "Subscriptions to waiting messages that this edge notifies.",
    ),
    counter(
        "restante_notifies_total",
        &[label(
            "result",
            &["ok", "refused", "no_answer", "not_sent", "last"],
        )],
        "NOTIFY requests by what was answered; the last one of a subscription apart.",
    ),
    counter(
        "restante_report_attempts_total",
        &[
            label("status", &["stored", "failed", "forbidden"]),
            label("outcome", &["sent", "failed", "hop_down", "returned"]),
        ],
        "Tries to send a delivery report (IMDN), by what it says and what came of it.",
    ),
];

pub(super) const CONTROLLING: [Metric; 4] = [
    counter(
        "restante_jobs_accepted_total",
        &[],
        "Messages to many answered 202, repetitions not counted.",
    ),
    counter(
        "restante_jobs_rejected_total",
        &[REASON],
        "Messages to many that were refused.",
    ),
    counter(
        "restante_leg_attempts_total",
        &[label(
            "outcome",
            &["delivered", "failed", "hop_down", "returned"],
        )],
        "Tries to send a copy to one recipient.",
    ),
    counter(
        "restante_xdms_requests_total",
        &[label(
            "result",
            &["remembered", "unchanged", "fetched", "unknown", "failed"],
        )],
        "Groups of an external XDMS that were wanted, by how they were found.",
    ),
];
