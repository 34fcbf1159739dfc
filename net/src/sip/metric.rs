//! Counters of what leaves no other trace. No label holds anything a peer can choose.

use metrics::counter;

/// Why something received or sent came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drop {
    /// Not parseable, and no answer could be routed (`ERR-01`).
    Malformed,
    /// A response that answers none of our requests (RFC 3261 §18.1.2).
    StrayResponse,
    /// An ACK that found the queue full; the peer's next copy brings it again.
    AckQueueFull,
    /// A datagram the socket buffer had no room for.
    SendBufferFull,
    /// A receive error of a socket.
    SocketError,
    /// A response whose connection has gone and could not be replaced (RFC 3261 §18.2.2).
    ResponseUndeliverable,
    /// A connection beyond the limit.
    ConnectionLimit,
    /// A connection to us that came to no agreement on TLS, or not in time.
    TlsHandshake,
}

impl Drop {
    fn label(self) -> &'static str {
        match self {
            Drop::Malformed => "malformed",
            Drop::StrayResponse => "stray_response",
            Drop::AckQueueFull => "ack_queue_full",
            Drop::SendBufferFull => "send_buffer_full",
            Drop::SocketError => "socket_error",
            Drop::ResponseUndeliverable => "response_undeliverable",
            Drop::ConnectionLimit => "connection_limit",
            Drop::TlsHandshake => "tls_handshake",
        }
    }
}

/// Counts something dropped.
pub(crate) fn dropped(why: Drop) {
    counter!("restante_sip_dropped_total", "reason" => why.label()).increment(1);
}

/// Counts a request answered here with a 4xx or 5xx because of its form.
pub(crate) fn refused() {
    counter!("restante_sip_requests_refused_total").increment(1);
}

/// Counts a request answered 503 because the transaction user or the tables had no room (`P9`).
pub(crate) fn overloaded() {
    counter!("restante_sip_requests_overloaded_total").increment(1);
}
