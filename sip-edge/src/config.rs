//! Configuration of the participating function: what is written, and what it means together.
//!
//! The keys are declared in [`sections`]; this file derives from them what needs several keys at
//! once and notes every contradiction in the [`Document`], so that an operator sees all of them
//! in one round. It opens nothing.

mod message_waiting;
pub mod sections;
mod tls;

use std::time::Duration;

use daemon::config::{Document, Section, SectionDoc};
use daemon::listen::check_exposure;
use edge::config::{Listening, Rule};

pub(crate) use message_waiting::SummaryHeader;

pub use edge::config::{
    Common, Large, Limits, Msrp, RequireReport, Sip, StorageClient, Tls, Trust, VerifyPeers, Xcap,
};
pub use sections::{
    Compat, Delivery, DeliveryMode, Forward, InitialHeaders, MessageWaitingConfig, Participating,
    Process, Push, Registrar, RegistrarAuth, RegistrarSwitch, Reports, SettingName, Settings,
};

/// The hard limit for the answer to a MESSAGE (requirements §3.1).
pub(crate) const LATEST_ANSWER: Duration = Duration::from_secs(4);

/// Everything the process is told before it starts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Domains.
    pub common: Common,
    /// Listeners and the store.
    pub process: Process,
    /// Core, identity and timers.
    pub sip: Sip,
    /// SIP over TLS.
    pub tls: Tls,
    /// How the storage service is reached.
    pub storage_client: StorageClient,
    /// Trusted peers.
    pub trust: Trust,
    /// Whether messages go on to users who are online.
    pub pf: Participating,
    /// How they do.
    pub forward: Forward,
    /// The registrar.
    pub registrar: Registrar,
    /// Published settings.
    pub settings: Settings,
    /// The list of deferred messages over HTTP.
    pub xcap: Xcap,
    /// By what is delivered.
    pub delivery: Delivery,
    /// Conventions of some clients.
    pub compat: Compat,
    /// Push sessions.
    pub push: Push,
    /// Delivery reports.
    pub reports: Reports,
    /// Large messages.
    pub large: Large,
    /// Waiting indication.
    pub mwi: MessageWaitingConfig,
    /// MSRP connections.
    pub msrp: Msrp,
    /// Bounds.
    pub limits: Limits,
    /// What the operator has accepted and is reminded of in log and readiness.
    pub warnings: Vec<String>,
}

impl Config {
    /// The sections, for the default file and for processes that share one.
    pub const DOCS: [&'static SectionDoc; 19] = [
        &Common::DOC,
        &Process::DOC,
        &Sip::DOC,
        &Tls::DOC,
        &StorageClient::DOC,
        &Trust::DOC,
        &Participating::DOC,
        &Forward::DOC,
        &Registrar::DOC,
        &Settings::DOC,
        &Xcap::DOC,
        &Delivery::DOC,
        &Compat::DOC,
        &Push::DOC,
        &Reports::DOC,
        &Large::DOC,
        &MessageWaitingConfig::DOC,
        &Msrp::DOC,
        &Limits::DOC,
    ];

    /// Reads the sections; mistakes and contradictions are noted in the document.
    pub fn read(document: &mut Document) -> Self {
        let mut config = Self {
            common: document.read(),
            process: document.read(),
            sip: document.read(),
            tls: document.read(),
            storage_client: document.read(),
            trust: document.read(),
            pf: document.read(),
            forward: document.read(),
            registrar: document.read(),
            settings: document.read(),
            xcap: document.read(),
            delivery: document.read(),
            compat: document.read(),
            push: document.read(),
            reports: document.read(),
            large: document.read(),
            mwi: document.read(),
            msrp: document.read(),
            limits: document.read(),
            warnings: Vec::new(),
        };
        for (key, sentence) in config.contradictions() {
            document.error_at(key, sentence);
        }
        let Xcap {
            listen, insecure, ..
        } = config.xcap;
        let exposure =
            listen.and_then(|address| check_exposure(document, "xcap.listen", address, insecure));
        config.warnings.extend(exposure);
        config
    }

    /// What is wrong with the values together, each with the key to mend.
    pub fn contradictions(&self) -> Vec<(&'static str, String)> {
        let rules = self.reaching().into_iter().chain(self.speaking());
        let rules = rules.chain(self.registering()).chain(self.bounds());
        let rules = rules.chain(self.notifying());
        let rules = rules.chain(self.publishing());
        let storage = &self.process.storage;
        let rules = rules.chain(self.storage_client.rules("sip-edge.storage", storage));
        let rules = rules.chain(self.securing_sip()).chain(self.securing_msrp());
        let broken = rules.filter(|(holds, ..)| !holds);
        broken
            .map(|(_, key, sentence)| (key, sentence.to_owned()))
            .collect()
    }

    fn reaching(&self) -> [Rule; 4] {
        [
            (
                !self.common.domains.is_empty(),
                "domains",
                "names no domain: nobody would be served",
            ),
            (
                !self.process.name.is_empty(),
                "sip-edge.name",
                "must not be empty",
            ),
            (
                self.listening().sip().next().is_some(),
                "sip-edge.listen_udp",
                "at least one of listen_udp, listen_tcp and listen_tls must name an address",
            ),
            (
                self.listening().advertised_host().is_some(),
                "sip-edge.advertised_host",
                "must be a host name or address, and be set where the first listener is on all addresses",
            ),
        ]
    }

    fn speaking(&self) -> [Rule; 6] {
        // The advertised host has its own rule.
        let host = self.listening().advertised_host();
        let has_identity = host.is_none_or(|host| self.sip.store_identity(&host).is_some());
        [
            (
                self.sip.next_hop().is_ok(),
                "sip.next_hop",
                "must be a sip or sips URI",
            ),
            (
                has_identity,
                "sip.store_identity",
                "must be a sip or sips URI",
            ),
            (
                self.sip.has_sound_contact(),
                "sip.contact",
                "must be a host, or host:port, without user or parameters",
            ),
            (
                !self.sip.t1.is_zero(),
                "sip.t1",
                "must be longer than nothing",
            ),
            (
                self.sip.t2 >= self.sip.t1,
                "sip.t2",
                "must not be shorter than sip.t1",
            ),
            (
                is_release(&self.sip.release),
                "sip.release",
                "must be `name/version` without blanks",
            ),
        ]
    }

    fn registering(&self) -> [Rule; 3] {
        let is_proven = self.registrar.auth.is_some() || self.listening().is_loopback_only();
        [
            (
                self.registrar.min_expires <= self.registrar.max_expires,
                "registrar.max_expires",
                "must not be shorter than registrar.min_expires",
            ),
            (
                self.registrar.auth != Some(RegistrarAuth::Digest)
                    || self.registrar.users.is_some(),
                "registrar.users",
                "must name the file of the users where registrar.auth is `digest`",
            ),
            (
                self.registrar.enabled != RegistrarSwitch::On || is_proven,
                "registrar.auth",
                "a SIP listener is bound beyond loopback: say how clients prove who they are (`digest`; \
                 `none` admits the networks of trust.peers)",
            ),
        ]
    }

    fn publishing(&self) -> [Rule; 3] {
        let settings = &self.settings;
        [
            (
                settings.min_expires <= settings.default_expires,
                "settings.min_expires",
                "must not be longer than settings.default_expires",
            ),
            (
                settings.default_expires <= settings.max_expires,
                "settings.max_expires",
                "must not be shorter than settings.default_expires",
            ),
            self.xcap.rule(),
        ]
    }

    fn bounds(&self) -> [Rule; 11] {
        [
            (
                self.push.session_expires >= sip::session_timer::FLOOR,
                "push.session_expires",
                "must not be shorter than 90s",
            ),
            (
                self.limits.deposit_time <= LATEST_ANSWER,
                "limits.deposit_time",
                "must not exceed 4s, the time in which a sender is answered",
            ),
            (
                self.forward.answer_within <= LATEST_ANSWER,
                "forward.answer_within",
                "must not exceed 4s, the time in which a sender is answered",
            ),
            (
                self.push.sessions > 0,
                "push.sessions",
                "must be at least 1",
            ),
            (
                self.reports.in_flight > 0,
                "reports.in_flight",
                "must be at least 1",
            ),
            (
                self.push.hop_down_after > 0,
                "push.hop_down_after",
                "must be at least 1",
            ),
            (
                self.large.sessions > 0,
                "large.sessions",
                "must be at least 1",
            ),
            (
                !self.large.accept_types.is_empty(),
                "large.accept_types",
                "names no type: nothing would be taken",
            ),
            (
                self.limits.sender_rate != Some(0),
                "limits.sender_rate",
                "must be at least 1, or `off`",
            ),
            (
                self.limits.sender_burst > 0,
                "limits.sender_burst",
                "must be at least 1",
            ),
            (
                self.limits.requests > 0,
                "limits.requests",
                "must be at least 1",
            ),
        ]
    }

    /// Where it listens for SIP.
    pub fn listening(&self) -> Listening<'_> {
        Listening {
            udp: &self.process.listen_udp,
            tcp: &self.process.listen_tcp,
            tls: &self.process.listen_tls,
            advertised_host: self.process.advertised_host.as_deref(),
        }
    }

    /// Whether clients may register here (REG-02).
    pub fn is_registrar(&self) -> bool {
        match self.registrar.enabled {
            RegistrarSwitch::On => true,
            RegistrarSwitch::Off => false,
            RegistrarSwitch::Auto => {
                self.sip.next_hop.is_none() && self.listening().is_loopback_only()
            }
        }
    }

    /// What the passwords of registering clients are for (REG-02).
    pub fn realm(&self) -> &str {
        let first = self.common.domains.first();
        let realm = self.registrar.realm.as_ref().or(first);
        realm.map_or("", String::as_str)
    }
}

/// A product token of RFC 3261 §20.35.
fn is_release(text: &str) -> bool {
    let well_formed =
        |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_graphic());
    text.split_once('/')
        .is_some_and(|(name, version)| well_formed(name) && well_formed(version))
}

#[cfg(test)]
mod tests;
