//! The keys of this process, each with its default and the sentence of the default file.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use daemon::config::TextValue;
use edge::config::RequireReport;
use xcap::poc_settings::{BadXmlName, XmlName};

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
    /// The participating function.
    pub struct Participating in "pf" {
        /// Whether a message for a user with an IM client that is registered goes on to that client once it is on disk; a
        /// final 2xx or 6xx of the client settles it and is the sender's answer. `false`: it is pushed
        /// after `push.on_deposit`. `restante all` takes `true` where nothing is written.
        forward_online: bool = false,
    }
}

daemon::section! {
    /// Messages that go on to users who are online (PFM-01).
    pub struct Forward in "forward" {
        /// How long the sender waits for the client's answer before he is told 202. What the client
        /// answers later settles the message all the same.
        answer_within: Duration = "2s",
    }
}

daemon::section! {
    /// Settings that users publish (requirements §1.15).
    pub struct Settings in "settings" {
        /// Lifetime of a publication that asks for none.
        default_expires: Duration = "1h",
        /// Shortest lifetime that is granted; who asks for less is told this one.
        min_expires: Duration = "60s",
        /// Longest lifetime that is granted; while the user is registered his registration bounds it too.
        max_expires: Duration = "24h",
        /// Elements of settings that have other names than ours:
        /// `"message-barring={urn:oma:xml:im:service-settings}incoming-pager-large-barring"`. Settings:
        /// `session-barring`, `message-barring`, `invisibility`, `offline-delivery`, `session-history`,
        /// `message-history`, `file-transfer-barring`.
        xml_names: Vec<SettingName> = [],
    }
}

/// The name of the element of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingName(pub XmlName);

impl FromStr for SettingName {
    type Err = BadXmlName;

    fn from_str(text: &str) -> Result<Self, BadXmlName> {
        text.parse().map(Self)
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TextValue for SettingName {
    const EXPECTED: &'static str =
        "a setting and the name of its element, `SETTING={NAMESPACE}NAME`";
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
    /// Conventions that some clients rely on.
    pub struct Compat in "compat" {
        /// Push sessions assert the user part `rcse-standfw`, by which chat clients of RCS know a store, and name the
        /// sender of their first message in Referred-By, unless he wants privacy.
        rcse_standfw: bool = false,
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

daemon::choice! {
    /// Whether the first NOTIFY names the messages that wait (MWI-03).
    pub enum InitialHeaders {
        /// Yes, the newest of them.
        Include = "include",
        /// No: counts only, as RFC 3842 has it.
        Omit = "omit",
    }
}

daemon::section! {
    /// Waiting indication: SUBSCRIBE for `message-summary` (RFC 3842).
    pub struct MessageWaitingConfig in "mwi" {
        /// Whether the first NOTIFY names the messages that wait: `include` (the newest 25, in at most
        /// 8 KiB) or `omit` (counts only, as RFC 3842 has it). Later ones name what has come since.
        initial_headers: InitialHeaders = "include",
        /// Headers of a message that is named, in their order: of To, From, Date, Subject, Priority,
        /// Message-ID, P-Asserted-Identity. The Message-ID is always there.
        headers: Vec<String> = ["To", "From", "Date", "Subject", "Priority", "Message-ID", "P-Asserted-Identity"],
        /// Whether a line for voice messages, always zero, is there for lamps that know no other.
        voice_line: bool = true,
        /// Lifetime of a subscription that asks for none.
        default_expires: Duration = "1h",
        /// Shortest lifetime granted; a shorter request is answered 423.
        min_expires: Duration = "60s",
        /// Longest lifetime granted.
        max_expires: Duration = "24h",
        /// Subscriptions this edge holds; one more is answered 503.
        subscriptions: u32 = 200000,
        /// NOTIFYs this edge sends per second. What changes meanwhile is told by one NOTIFY later.
        rate: u32 = 2000,
    }
}

daemon::section! {
    /// Delivery reports to senders who asked for them.
    pub struct Reports in "reports" {
        /// Reports that are on their way at a time.
        in_flight: u32 = 32,
    }
}

daemon::section! {
    /// Push sessions: how deferred messages reach their user.
    pub struct Push in "push" {
        /// Push sessions this edge runs at a time.
        sessions: u16 = 256,
        /// Requests for so many different users that the next hop leaves unanswered in a row pause it.
        hop_down_after: u32 = 5,
        /// How long a client may ring after its first answer.
        ring_timeout: Duration = "30s",
        /// Session interval offered (RFC 4028).
        session_expires: Duration = "30m",
        /// Whether a message counts as delivered only when the client has reported all of it: `auto`
        /// means where a relay or gateway answers in its place, `always`, `never`.
        require_report: RequireReport = "auto",
        /// How long such reports are waited for after the last answer; without them the message stays.
        report_timeout: Duration = "2m",
    }
}
