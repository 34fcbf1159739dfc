//! The keys of this process, each with its default and the sentence of the default file.

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
    /// The participating function: SIP towards the core or the clients, MSRP towards the clients.
    pub struct Process in "sip-edge" {
        /// Name of this edge, unique among the edges of one store and the same after a restart.
        name: String = "sip-edge-1",
        /// Addresses for SIP over UDP.
        listen_udp: Vec<SocketAddr> = ["127.0.0.1:5060"],
        /// Addresses for SIP over TCP.
        listen_tcp: Vec<SocketAddr> = ["127.0.0.1:5060"],
        /// Addresses for SIP over TLS; they need `[tls]`.
        listen_tls: Vec<SocketAddr> = [],
        /// Host name or address under which peers reach this edge: in Via, Contact and the media
        /// description. `off`: the address of the first listener.
        advertised_host: Option<String> = "off",
        /// Address for MSRP.
        msrp_listen: SocketAddr = "127.0.0.1:2855",
        /// Address for MSRP over TLS. `off`: none.
        msrp_listen_tls: Option<SocketAddr> = "off",
        /// Address of `/livez`, `/readyz` and `/metrics`.
        admin_listen: SocketAddr = "127.0.0.1:9401",
        /// Where the storage service is.
        storage: String = "http://127.0.0.1:7400",
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
    /// Whether clients may register with this edge (REG-02).
    pub enum RegistrarSwitch {
        /// Only while there is no `sip.next_hop` and every SIP listener is on loopback.
        Auto = "auto",
        /// Yes.
        On = "on",
        /// No.
        Off = "off",
    }
}

daemon::choice! {
    /// How registering clients prove who they are (REG-02).
    pub enum RegistrarAuth {
        /// By digest (RFC 8760), against the users file.
        Digest = "digest",
        /// Not at all: the networks of `[trust]` admit only clients that are known otherwise.
        None = "none",
    }
}

daemon::section! {
    /// Clients that register with this edge (requirements §1.12b).
    pub struct Registrar in "registrar" {
        /// Whether clients may register here: `auto` means while there is no `sip.next_hop` and
        /// every SIP listener is on loopback.
        enabled: RegistrarSwitch = "auto",
        /// How they prove who they are. Must be set where a SIP listener is bound beyond loopback.
        auth: Option<RegistrarAuth> = "off",
        /// File of those who may register under `auth = "digest"`, read at start: lines
        /// `name:realm:sha256` or `name:realm:sha256:md5`, the hashes of `name:realm:password` in
        /// hexadecimal digits. The name is `user@domain`, or a user of the domain that is the realm.
        users: Option<PathBuf> = "off",
        /// Realm of the digest. `off`: the first of `domains`.
        realm: Option<String> = "off",
        /// Shortest lifetime granted; a shorter request is answered 423.
        min_expires: Duration = "60s",
        /// Lifetime of a registration that asks for none.
        default_expires: Duration = "1h",
        /// Longest lifetime granted.
        max_expires: Duration = "24h",
        /// Feature tags of a Contact that make a registration one of an IM client. After `=`: a
        /// service, or a family of services, that the tag's ICSI values must name.
        im_tags: Vec<String> = ["+g.oma.sip-im", "+g.oma.sip-im.large-message", "+g.3gpp.icsi-ref=oma.cpm"],
        /// Registrations kept while the store cannot be reached.
        kept: u32 = 10000,
    }
}

daemon::choice! {
    /// By what deferred messages are delivered (DLM-01).
    pub enum DeliveryMode {
        /// Push sessions to IM clients, MESSAGE to other clients that take it.
        Auto = "auto",
        /// Push sessions only.
        Session = "session",
        /// MESSAGE only.
        Message = "message",
    }
}

daemon::section! {
    /// By what deferred messages are delivered.
    pub struct Delivery in "delivery" {
        /// `auto`: push sessions to IM clients, MESSAGE to other clients that take it; `session`:
        /// push sessions only; `message`: MESSAGE only.
        mode: DeliveryMode = "auto",
    }
}

daemon::section! {
    /// Push sessions: how deferred messages reach their user.
    pub struct Push in "push" {
        /// Push sessions this edge runs at a time.
        sessions: u16 = 64,
        /// Requests for so many different users that the next hop leaves unanswered in a row pause it.
        hop_down_after: u32 = 5,
        /// How long a client may ring after its first answer.
        ring_timeout: Duration = "30s",
        /// Session interval offered (RFC 4028).
        session_expires: Duration = "30m",
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
        /// Certificate for MSRP over TLS, a PEM file. `off`: one made at the start; peers compare
        /// fingerprints and need no authority (MSR-03).
        certificate: Option<PathBuf> = "off",
        /// The private key of the certificate.
        key: Option<PathBuf> = "off",
        /// Whether push sessions are offered over TLS; it needs `sip-edge.msrp_listen_tls`.
        offer_tls: bool = false,
    }
}

daemon::section! {
    /// Bounds of this edge.
    pub struct Limits in "limits" {
        /// Largest body of a MESSAGE.
        message_body: Octets = "64KiB",
        /// Requests handled at a time; one more is answered 503.
        requests: u32 = 4096,
        /// Time in which a deposit must be on disk before its sender is answered 503.
        deposit_time: Duration = "3s",
        /// Time in which a registration must be on disk before it is kept and answered.
        register_time: Duration = "1s",
        /// How long a drain waits for what is under way.
        drain_time: Duration = "30s",
    }
}
