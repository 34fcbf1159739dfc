//! The keys of this process, each with its default and the sentence of the default file.

use std::net::SocketAddr;

daemon::section! {
    /// The controlling function: messages to groups and to lists of recipients.
    pub struct Process in "controlling-edge" {
        /// Name of this edge, unique among the edges of one store and the same after a restart.
        name: String = "controlling-edge-1",
        /// Addresses for SIP over UDP.
        listen_udp: Vec<SocketAddr> = ["127.0.0.1:5070"],
        /// Addresses for SIP over TCP.
        listen_tcp: Vec<SocketAddr> = ["127.0.0.1:5070"],
        /// Addresses for SIP over TLS; they need `[tls]`.
        listen_tls: Vec<SocketAddr> = [],
        /// Host name or address under which peers reach this edge: in Via, Contact and the media
        /// description. `off`: the address of the first listener.
        advertised_host: Option<String> = "off",
        /// Address of `/livez`, `/readyz` and `/metrics`.
        admin_listen: SocketAddr = "127.0.0.1:9402",
        /// Where the storage service is.
        storage: String = "http://127.0.0.1:7400",
    }
}

daemon::section! {
    /// Messages to many (requirements §1.7).
    pub struct Cf in "cf" {
        /// Whether messages that bring a list of their recipients are taken; else they are answered 403.
        lists: bool = true,
        /// User part of the URI, on any host of this edge, that such messages go to.
        factory: String = "im-factory",
        /// Most recipients of such a message. Groups have the limit of the storage service.
        max_adhoc_group_size: u32 = 100,
        /// Whether its sender may be anonymous. Groups say so themselves.
        allow_anonymity: bool = true,
        /// Whether its recipients may be of domains that are not served.
        foreign_recipients: bool = false,
        /// What the user part of the identity of a group must begin with that a user makes over XCAP, so that he takes
        /// nobody's address; empty: anything. Operators give groups any address, and an owner.
        group_prefix: String = "group-",
        /// Copies that are on their way at a time.
        legs_in_flight: u32 = 64,
        /// Recipients in a row whose copies find no answer until the next hop counts as down.
        hop_down_after: u32 = 5,
    }
}
