//! The keys that both edges read, each with its default and the sentence of the default file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use daemon::config::Octets;
use ipnet::IpNet;

use crate::trust::TrustedPeer;

daemon::section! {
    /// Keys shared by all processes.
    pub struct Common in "" {
        /// Domains whose users are served. A request for another domain is answered 404.
        domains: Vec<String> = ["example.org"],
    }
}

daemon::section! {
    /// How SIP is spoken.
    pub struct Sip in "sip" {
        /// SIP URI of the core (S-CSCF or proxy) that gets all requests of ours. `off`: they go to
        /// the bindings that clients registered with this edge.
        next_hop: Option<String> = "off",
        /// First token of Server and User-Agent: the release of the IM enabler (SRV-01).
        release: String = "IM-serv/OMA1.0",
        /// SIP URI by which the store asserts itself. `off`: `sip:im-store@` and the advertised host.
        store_identity: Option<String> = "off",
        /// Host, or host and port, that all edges share: the Contact of subscriptions names it instead of
        /// this edge, so that a client that keeps to a Contact reaches whichever edge is there (MWI-10).
        /// A name with SRV records of all edges, or what balances before them. `off`: the edge itself.
        contact: Option<String> = "off",
        /// Whether every hop behind `sip.next_hop` is congestion safe up to the devices: a MESSAGE of
        /// more than 1300 bytes may then take it (RFC 3428 §8).
        next_hop_congestion_safe: bool = false,
        /// T1 of RFC 3261, the estimate of the round trip.
        t1: Duration = "500ms",
        /// T2 of RFC 3261, the longest pause between retransmissions.
        t2: Duration = "4s",
        /// T4 of RFC 3261, how long a message stays in the network.
        t4: Duration = "5s",
    }
}

daemon::choice! {
    /// What those who connect over TLS must show.
    pub enum VerifyPeers {
        /// A certificate is optional once `tls.peer_ca` names authorities, and not asked for before.
        Auto = "auto",
        /// Nothing: nobody proves a name.
        None = "none",
        /// A good certificate, or none.
        Optional = "optional",
        /// A good certificate.
        Required = "required",
    }
}

daemon::section! {
    /// SIP over TLS, 1.2 and 1.3. The files are PEM and are read again when they change.
    pub struct Tls in "tls" {
        /// Our certificate, followed by those that lead to its authority. `off`: no TLS.
        certificate: Option<PathBuf> = "off",
        /// The private key of the certificate.
        key: Option<PathBuf> = "off",
        /// Authorities by which the certificates of peers are verified. Without any, no server is
        /// believed that we connect to.
        peer_ca: Vec<PathBuf> = [],
        /// What those who connect must show: `none`, `optional` (a good certificate or none) or
        /// `required`. `auto`: `optional` where `peer_ca` names an authority, else `none`.
        verify_peers: VerifyPeers = "auto",
    }
}

daemon::section! {
    /// How the edges reach the storage service where its address says `https`: both sides show a
    /// certificate. The files are PEM and are read again for each new connection.
    pub struct StorageClient in "storage-client" {
        /// Our certificate, followed by those that lead to its authority. `roles.edge` of the storage
        /// service lists one of its names.
        certificate: Option<PathBuf> = "off",
        /// The private key of the certificate.
        key: Option<PathBuf> = "off",
        /// Authorities that the certificate of the storage service must lead to.
        peer_ca: Vec<PathBuf> = [],
    }
}

daemon::section! {
    /// Whom the edge believes (requirements §3.8).
    pub struct Trust in "trust" {
        /// Networks or addresses of trusted peers. An entry means TCP and TLS; `+udp` after it adds
        /// UDP, whose source addresses can be forged: `"192.0.2.0/24"`, `"192.0.2.11+udp"`. After
        /// `tls:` stands the name that a peer's certificate must prove: `"tls:core.example.net"`.
        peers: Vec<TrustedPeer> = [],
        /// Whether loopback is trusted on all transports while no SIP listener is bound beyond it.
        loopback: bool = true,
        /// Whether a message without an asserted sender is refused.
        require_asserted_identity: bool = true,
    }
}

daemon::choice! {
    /// When only success REPORTs prove delivery (requirements §2.4.3).
    pub enum RequireReport {
        /// Where a relay or gateway stands between us and the client.
        Auto = "auto",
        /// Always.
        Always = "always",
        /// Never.
        Never = "never",
    }
}

daemon::section! {
    /// MSRP connections.
    pub struct Msrp in "msrp" {
        /// Networks that may be connected to although they are loopback or link-local (MSR-04).
        allow_networks: Vec<IpNet> = [],
        /// Networks that are never connected to.
        deny_networks: Vec<IpNet> = [],
        /// How long a connection may take to be made and bound.
        connect_timeout: Duration = "10s",
        /// Connections begun in any second for one peer, and to one address (MSR-04). More wait for
        /// their turn, as long as `msrp.connect_timeout` lets them: raise it where many clients are
        /// behind one relay or gateway.
        connects_per_second: u32 = 20,
        /// Certificate for MSRP over TLS, a PEM file. `off`: one made at the start; peers compare
        /// fingerprints and need no authority (MSR-03).
        certificate: Option<PathBuf> = "off",
        /// The private key of the certificate.
        key: Option<PathBuf> = "off",
        /// Whether MSRP is led to its session by the session-ids in To-Path and From-Path alone (MSR-02): for peers
        /// behind a gateway or session border controller that puts its own address into the paths of
        /// descriptions.
        sessmatch: bool = false,
        /// Whether push sessions are offered over TLS; it needs `sip-edge.msrp_listen_tls`.
        offer_tls: bool = false,
    }
}

daemon::section! {
    /// Large messages: INVITE and MSRP (requirements §1.8, §1.10).
    pub struct Large in "large" {
        /// Largest message taken; an offer of more is answered 488.
        max_octets: Octets = "10MiB",
        /// Sessions received in at a time; one more is answered 503.
        sessions: u32 = 1024,
        /// How long a sender may take from its ACK to its first SEND.
        first_send: Duration = "30s",
        /// How long a sender may make no progress, and how long it may leave a session open that has
        /// had its message.
        stall: Duration = "60s",
        /// Media types taken: `type/subtype`, `type/*` or `*`.
        accept_types: Vec<String> = ["*"],
    }
}

daemon::section! {
    /// Bounds of this edge.
    pub struct Limits in "limits" {
        /// Largest body of a MESSAGE.
        message_body: Octets = "64KiB",
        /// Requests handled at a time; one more is answered 503.
        requests: u32 = 4096,
        /// Messages per second that one sender may send through this edge, by his asserted identity;
        /// more are answered 480 with Retry-After. `off`: any. 20 is a good number.
        sender_rate: Option<u32> = "off" => Reload,
        /// Messages that he may send at once after a pause.
        sender_burst: u32 = 100 => Reload,
        /// Time in which a deposit must be on disk before its sender is answered 503.
        deposit_time: Duration = "3s",
        /// Time in which a registration must be on disk before it is kept and answered.
        register_time: Duration = "1s" => Reload,
        /// How long a drain waits for what is under way.
        drain_time: Duration = "30s",
    }
}

daemon::section! {
    /// Documents over HTTP (XCAP, RFC 4825).
    pub struct Xcap in "xcap" {
        /// Address of the sip-edge, which has the list of his deferred messages for each user (requirements §3.14); `off`:
        /// not served.
        listen: Option<SocketAddr> = "127.0.0.1:8090",
        /// Address of the controlling-edge, which has the groups that a user owns; `off`: not served.
        groups_listen: Option<SocketAddr> = "127.0.0.1:8091",
        /// Path of the XCAP root.
        root: String = "/",
        /// Networks of the proxies that say who asks, in X-3GPP-Asserted-Identity or
        /// X-XCAP-Asserted-Identity. Everybody else is answered 403.
        trusted_proxies: Vec<IpNet> = [],
        /// Accept that the listeners are reachable from beyond this machine without TLS.
        insecure: bool = false,
    }
}
