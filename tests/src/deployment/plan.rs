//! What is to be deployed, before it runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use tokio::process::Command;

use super::Deployment;
use crate::net::LoopbackNet;
use crate::run::command;
use crate::sip::SipPeer;
use crate::target::{Target, not_run};

/// A part of Restante that runs as a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Everything in one process.
    All,
    /// The storage service.
    Storage,
    /// The participating edge.
    SipEdge,
    /// The controlling edge.
    ControllingEdge,
}

/// Names of listeners in the log, each with the key of its address.
type Listeners = &'static [(&'static str, &'static str)];

const STORAGE: Listeners = &[
    ("storage/data", "storage.listen"),
    ("storage/operator", "storage.operator_listen"),
    ("storage/console", "console.listen"),
];
const SIP_EDGE: Listeners = &[
    ("sip-edge/sip/UDP", "sip-edge.listen_udp"),
    ("sip-edge/sip/TCP", "sip-edge.listen_tcp"),
    ("sip-edge/msrp", "sip-edge.msrp_listen"),
    ("sip-edge/xcap", "xcap.listen"),
];
const CONTROLLING_EDGE: Listeners = &[
    ("controlling-edge/sip/UDP", "controlling-edge.listen_udp"),
    ("controlling-edge/sip/TCP", "controlling-edge.listen_tcp"),
    ("controlling-edge/xcap", "xcap.groups_listen"),
    ("controlling-edge/msrp", "controlling-edge.msrp_listen"),
];

impl Part {
    /// The subcommand.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Storage => "storage",
            Self::SipEdge => "sip-edge",
            Self::ControllingEdge => "controlling-edge",
        }
    }

    /// The listeners of its process, and the keys of their addresses. The admin listener has no
    /// process in its name: each process has one.
    pub(super) fn listeners(self) -> Vec<(&'static str, &'static str)> {
        let (groups, admin): (&[Listeners], _) = match self {
            Self::All => (
                &[STORAGE, SIP_EDGE, CONTROLLING_EDGE],
                "storage.admin_listen",
            ),
            Self::Storage => (&[STORAGE], "storage.admin_listen"),
            Self::SipEdge => (&[SIP_EDGE], "sip-edge.admin_listen"),
            Self::ControllingEdge => (&[CONTROLLING_EDGE], "controlling-edge.admin_listen"),
        };
        let admin = std::iter::once(("admin", admin));
        groups
            .iter()
            .copied()
            .flatten()
            .copied()
            .chain(admin)
            .collect()
    }
}

/// Configuration keys as `section.key`, and their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Sets a key; an earlier value is replaced.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_owned(), value.to_owned());
    }

    /// Sets a key that has no value yet.
    pub(super) fn set_default(&mut self, key: &str, value: &str) {
        self.0
            .entry(key.to_owned())
            .or_insert_with(|| value.to_owned());
    }

    /// The value a key was given.
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether a key was given this value.
    fn says(&self, key: &str, value: &str) -> bool {
        self.0.get(key).is_some_and(|given| given == value)
    }

    /// The environment variables that say so.
    pub(super) fn variables(&self) -> impl Iterator<Item = (String, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (variable(key), value.as_str()))
    }
}

/// `sip-edge.listen_udp` is `RESTANTE_SIP_EDGE__LISTEN_UDP`.
fn variable(key: &str) -> String {
    let name = key.replace('.', "__").replace('-', "_");
    format!("RESTANTE_{}", name.to_ascii_uppercase())
}

/// A deployment that does not run yet.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) parts: Vec<Part>,
    pub(super) net: LoopbackNet,
    pub(super) settings: Settings,
    /// More variables for the process that holds the store.
    pub(super) of_storage: Vec<(OsString, OsString)>,
}

impl Plan {
    pub(super) fn new(parts: Vec<Part>) -> Self {
        let mut settings = Settings::default();
        settings.set("log.format", "json");
        settings.set("storage.hostname", "store.example.org");
        // Nobody waits for a push longer than needed, and none comes that the test did not cause.
        settings.set("push.delay", "50ms");
        settings.set("push.on_deposit", "off");
        Self {
            parts,
            net: match Target::get() {
                Some(target) => LoopbackNet::around(target.next_hop().ip()),
                None => LoopbackNet::draw(),
            },
            settings,
            of_storage: Vec::new(),
        }
    }

    /// The addresses it will have.
    pub fn net(&self) -> LoopbackNet {
        self.net
    }

    /// Sets a configuration key.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.set(key, value);
        self
    }

    /// Behind a core: all requests go to `core` by TCP, and of all peers only it is trusted, on all
    /// transports.
    #[must_use]
    pub fn behind(self, core: &SipPeer) -> Self {
        let next_hop = format!("sip:{};transport=tcp", core.tcp());
        let peer = format!("{}/32+udp", self.net.host(LoopbackNet::CORE));
        self.set("sip.next_hop", &next_hop)
            .set("trust.loopback", "false")
            .set("trust.peers", &peer)
            .set("msrp.allow_networks", "127.0.0.0/8")
    }

    /// Sets an environment variable of the process that holds the store.
    #[must_use]
    pub fn storage_variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.of_storage.push((name.into(), value.into()));
        self
    }

    /// The core that it is to be behind: that of the target, if there is one.
    pub async fn core(&self) -> SipPeer {
        match Target::get() {
            Some(target) => SipPeer::open_at(target.next_hop()).await,
            None => SipPeer::open(self.net.host(LoopbackNet::CORE)).await,
        }
    }

    /// Ends the test if the target is not configured as this is.
    pub(super) fn check(&self, target: &Target) {
        if !self.of_storage.is_empty() {
            not_run("puts something between the store and the system");
        }
        // Whoever asks for several kills one of them, which is better known before anything is left half done.
        if self.parts != [Part::All] {
            not_run("starts and ends processes of its own");
        }
        // How logs look is nobody's concern but those who read them.
        let asked = self
            .settings
            .0
            .iter()
            .filter(|(key, _)| *key != "log.format");
        for (key, value) in asked {
            let given = target.value(key).unwrap_or("no value");
            if given != value {
                not_run(&format!(
                    "needs `{key}` = `{value}`, the target has `{given}`"
                ));
            }
        }
        if self.settings.get("sip.next_hop").is_none() {
            not_run("needs a deployment without a core (`sip.next_hop`)");
        }
    }

    /// Where the listeners of the target are.
    pub(super) fn addresses(&self, target: &Target) -> BTreeMap<&'static str, SocketAddr> {
        let listeners = Part::All.listeners().into_iter();
        listeners
            .filter_map(|(_, key)| Some((key, target.address(key)?)))
            .collect()
    }

    /// Starts it and waits until all of it is ready.
    pub async fn start(self) -> Deployment {
        Deployment::start(self).await
    }

    /// Whether the listener of this key is there: groups of another server are not edited here, and a listener can be off.
    pub(super) fn is_bound(&self, key: &str) -> bool {
        let is_elsewhere = key == "xcap.groups_listen" && self.settings.says("cf.xdms", "http");
        !is_elsewhere && !self.settings.says(key, "off")
    }

    /// How the storage service is reached.
    pub(super) fn scheme(&self) -> &'static str {
        match self.settings.0.contains_key("grpc-tls.certificate") {
            true => "https",
            false => "http",
        }
    }

    /// The process that plays a part.
    pub(super) fn part(&self, part: Part) -> Part {
        if self.parts == [Part::All] {
            Part::All
        } else {
            part
        }
    }

    /// The command that starts a part on its own, with data in this folder and all ports chosen by
    /// the system.
    pub fn stand_alone(&self, part: Part, data: &Path) -> Command {
        self.command(part, data, &BTreeMap::new())
    }

    /// The command that starts a part; listeners without an address here get any port.
    pub(super) fn command(
        &self,
        part: Part,
        data: &Path,
        addresses: &BTreeMap<&'static str, SocketAddr>,
    ) -> Command {
        let mut settings = self.settings.clone();
        settings.set_default("storage.data_dir", &data.display().to_string());
        for (_, key) in part.listeners() {
            let any = self.net.any_port(LoopbackNet::SERVER);
            settings.set_default(key, &addresses.get(key).unwrap_or(&any).to_string());
        }
        if let Some(address) = addresses.get("storage.listen") {
            for key in ["sip-edge.storage", "controlling-edge.storage"] {
                settings.set_default(key, &format!("{}://{address}", self.scheme()));
            }
        }
        let mut command = command("restante");
        command.arg(part.command()).envs(settings.variables());
        if matches!(part, Part::All | Part::Storage) {
            command.envs(self.of_storage.iter().map(|(name, value)| (name, value)));
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn keys_have_one_variable_each() {
        assert_eq!(
            variable("sip-edge.listen_udp"),
            "RESTANTE_SIP_EDGE__LISTEN_UDP"
        );
        assert_eq!(variable("domains"), "RESTANTE_DOMAINS");
    }
}
