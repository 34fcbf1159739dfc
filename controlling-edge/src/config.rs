//! Configuration of the controlling function: what is written, and what it means together. It opens nothing.

mod sections;

use daemon::config::{Document, Section as _, SectionDoc};
use daemon::listen::check_exposure;
use edge::config::{
    Common, Large, Limits, Listening, Msrp, Rule, Sip, StorageClient, Tls, Trust, Xcap,
};

use crate::xdms::Root;
pub use sections::{Cf, GroupSource, Process, Xdms};

/// Everything the process is told before it starts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Domains.
    pub common: Common,
    /// Listeners and the store.
    pub process: Process,
    /// Groups and lists.
    pub cf: Cf,
    /// The server of groups.
    pub xdms: Xdms,
    /// Group documents over HTTP.
    pub xcap: Xcap,
    /// Core, identity and timers.
    pub sip: Sip,
    /// SIP over TLS.
    pub tls: Tls,
    /// How the storage service is reached.
    pub storage_client: StorageClient,
    /// Trusted peers.
    pub trust: Trust,
    /// Large messages.
    pub large: Large,
    /// MSRP connections.
    pub msrp: Msrp,
    /// Bounds.
    pub limits: Limits,
    /// What the operator has accepted and is reminded of in log and readiness.
    pub warnings: Vec<String>,
}

impl Config {
    /// The sections that no other process has, for the default file.
    pub const DOCS: [&'static SectionDoc; 3] = [&Process::DOC, &Cf::DOC, &Xdms::DOC];

    /// Reads the sections; mistakes and contradictions are noted in the document. What is wrong in a section that both
    /// edges have is noted once.
    pub fn read(document: &mut Document) -> Self {
        let mut config = Self {
            common: document.read(),
            process: document.read(),
            cf: document.read(),
            xdms: document.read(),
            xcap: document.read(),
            sip: document.read(),
            tls: document.read(),
            storage_client: document.read(),
            trust: document.read(),
            large: document.read(),
            msrp: document.read(),
            limits: document.read(),
            warnings: Vec::new(),
        };
        for (key, sentence) in config.contradictions() {
            document.error_at(key, sentence);
        }
        let Xcap {
            groups_listen,
            insecure,
            ..
        } = config.xcap;
        let exposure = groups_listen
            .and_then(|address| check_exposure(document, "xcap.groups_listen", address, insecure));
        config.warnings.extend(exposure);
        config
    }

    /// What is wrong with the values together, each with the key to mend.
    #[must_use]
    pub fn contradictions(&self) -> Vec<(&'static str, String)> {
        let storage = &self.process.storage;
        let storage = self
            .storage_client
            .rules("controlling-edge.storage", storage);
        let broken = self
            .rules()
            .into_iter()
            .chain(storage)
            .filter(|(holds, ..)| !holds);
        broken
            .map(|(_, key, sentence)| (key, sentence.to_owned()))
            .collect()
    }

    fn rules(&self) -> [Rule; 13] {
        let is_user = |user: &str| {
            !user.is_empty()
                && user
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet))
        };
        [
            (
                !self.process.name.is_empty(),
                "controlling-edge.name",
                "must not be empty",
            ),
            (
                self.listening().sip().next().is_some(),
                "controlling-edge.listen_udp",
                "at least one of listen_udp, listen_tcp and listen_tls must name an address",
            ),
            (
                self.listening().advertised_host().is_some(),
                "controlling-edge.advertised_host",
                "must be a host name or address, and be set where the first listener is on all addresses",
            ),
            (
                is_user(&self.cf.factory),
                "cf.factory",
                "must be the user part of a SIP URI: letters, digits, `-`, `_` and `.`",
            ),
            (
                self.cf.hop_down_after > 0,
                "cf.hop_down_after",
                "must be at least 1",
            ),
            (
                self.cf.legs_in_flight > 0,
                "cf.legs_in_flight",
                "must be at least 1",
            ),
            (
                self.cf.group_prefix.is_empty() || is_user(&self.cf.group_prefix),
                "cf.group_prefix",
                "must be the beginning of a user part: letters, digits, `-`, `_` and `.`",
            ),
            (
                self.cf.xdms == GroupSource::Local || self.xdms_root().is_some(),
                "xdms.root",
                "must be `https://HOST/PATH` where cf.xdms is `http`",
            ),
            (
                self.cf.xdms == GroupSource::Local
                    || self.xdms.insecure
                    || self.xdms_root().is_none_or(|root| root.is_safe()),
                "xdms.root",
                "is asked in clear beyond this machine; use https, or accept it with `insecure = true` in [xdms]",
            ),
            (
                !self.xdms.timeout.is_zero(),
                "xdms.timeout",
                "must be longer than nothing",
            ),
            (
                self.cf.large_legs_in_flight > 0,
                "cf.large_legs_in_flight",
                "must be at least 1",
            ),
            (
                self.large.sessions > 0,
                "large.sessions",
                "must be at least 1",
            ),
            (
                !self.msrp.offer_tls || self.process.msrp_listen_tls.is_some(),
                "msrp.offer_tls",
                "needs an address in controlling-edge.msrp_listen_tls",
            ),
        ]
    }

    /// Where groups are asked for, if that is not the storage service.
    pub(crate) fn xdms_root(&self) -> Option<Root> {
        let root = self.xdms.root.as_deref();
        root.filter(|_| self.cf.xdms == GroupSource::Http)?
            .parse()
            .ok()
    }

    /// Where it listens for SIP.
    #[must_use]
    pub fn listening(&self) -> Listening<'_> {
        Listening {
            udp: &self.process.listen_udp,
            tcp: &self.process.listen_tcp,
            tls: &self.process.listen_tls,
            advertised_host: self.process.advertised_host.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use daemon::config::Environment;

    use super::*;

    fn read(text: &str) -> (Config, Option<String>) {
        let mut document = Document::parse("restante.toml", text, Environment::default());
        let config = Config::read(&mut document);
        (
            config,
            document.finish().err().map(|errors| errors.to_string()),
        )
    }

    #[test]
    fn the_defaults_hold() {
        let (config, errors) = read("");
        assert_eq!(errors, None);
        assert_eq!(config, Config::default());
    }

    #[test]
    fn each_contradiction_names_its_key() {
        let table = [
            (
                "[controlling-edge]\nlisten_udp = [\"0.0.0.0:5070\"]\n",
                "controlling-edge.advertised_host",
            ),
            (
                "[controlling-edge]\nlisten_udp = []\nlisten_tcp = []\n",
                "controlling-edge.listen_udp",
            ),
            ("[controlling-edge]\nname = \"\"\n", "controlling-edge.name"),
            ("[cf]\nfactory = \"a@b\"\n", "cf.factory"),
            ("[cf]\nhop_down_after = 0\n", "cf.hop_down_after"),
            ("[cf]\nlegs_in_flight = 0\n", "cf.legs_in_flight"),
            ("[cf]\nxdms = \"http\"\n", "xdms.root"),
            (
                "[cf]\nxdms = \"http\"\n[xdms]\nroot = \"http://xdms.example.org\"\n",
                "xdms.root",
            ),
            ("[xdms]\ntimeout = \"0s\"\n", "xdms.timeout"),
            ("[cf]\ngroup_prefix = \"a@\"\n", "cf.group_prefix"),
            (
                "[cf]\nlarge_legs_in_flight = 0\n",
                "cf.large_legs_in_flight",
            ),
            ("[large]\nsessions = 0\n", "large.sessions"),
            ("[msrp]\noffer_tls = true\n", "msrp.offer_tls"),
        ];
        for (text, key) in table {
            let (_, errors) = read(text);
            assert!(errors.expect(text).contains(key), "{text}");
        }
    }
}
