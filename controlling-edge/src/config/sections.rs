//! The keys of this process, each with its default and the sentence of the default file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
        /// Address for MSRP.
        msrp_listen: SocketAddr = "127.0.0.1:2865",
        /// Address for MSRP over TLS. `off`: none.
        msrp_listen_tls: Option<SocketAddr> = "off",
        /// Address of `/livez`, `/readyz` and `/metrics`.
        admin_listen: SocketAddr = "127.0.0.1:9402",
        /// Where the storage service is.
        storage: String = "http://127.0.0.1:7400",
    }
}

daemon::section! {
    /// Messages to many (requirements §1.7, §1.8).
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
        /// Where groups are: in the storage service, or at an XDMS that `[xdms]` names.
        xdms: GroupSource = "local",
        /// What the user part of the identity of a group must begin with that a user makes over XCAP, so that he takes
        /// nobody's address; empty: anything. Operators give groups any address, and an owner.
        group_prefix: String = "group-",
        /// Copies that are on their way at a time. Up to four times as many are claimed, so that none waits for the disk.
        legs_in_flight: u32 = 64,
        /// Copies of large messages that are on their way at a time, each in a session of its own.
        large_legs_in_flight: u32 = 32,
        /// How long a recipient of a large message may ring after his first answer.
        ring_timeout: Duration = "30s",
        /// How long the success REPORTs of a recipient behind a relay are waited for after the last answer.
        report_timeout: Duration = "2m",
        /// Whether the focus alone tells a sender who wants to know it that his message is stored. Otherwise the stores of
        /// recipients who are offline tell it too, each for its own, but for members of a group that does not disclose them.
        aggregate_imdn: bool = false,
        /// Recipients in a row whose copies find no answer until the next hop counts as down.
        hop_down_after: u32 = 5,
    }
}

daemon::choice! {
    /// Where groups are (CFP-05).
    pub enum GroupSource {
        /// In the storage service, where operators and owners make them.
        Local = "local",
        /// At an XDMS, which is asked over HTTP. Owners edit them there: `xcap.groups_listen` is not bound.
        Http = "http",
    }
}

daemon::section! {
    /// The XDMS of `cf.xdms = "http"`.
    pub struct Xdms in "xdms" {
        /// Where its group documents are: `https://HOST[:PORT]/PATH`. The identity of a group is added as one segment;
        /// nothing is asked for elsewhere.
        root: Option<String> = "off",
        /// PEM file of the authorities that a server's certificate must lead to.
        ca: PathBuf = "/etc/ssl/certs/ca-certificates.crt",
        /// How long a question may take as a whole; its sender waits for it.
        timeout: Duration = "5s",
        /// How long a group is taken as it was, without a question.
        max_age: Duration = "60s",
        /// Groups that are remembered at a time, 64 MiB of documents at most.
        cache_groups: u32 = 256,
        /// Accept that it is asked in clear, beyond this machine.
        insecure: bool = false,
    }
}
