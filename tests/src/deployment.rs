//! Restante as it is deployed: one process or three, on loopback addresses of its own.

mod plan;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use tempfile::TempDir;

pub use plan::{Part, Plan};

use crate::net::LoopbackNet;
use crate::operator::Operator;
use crate::patience::{ANSWER, START, within};
use crate::process::Process;
use crate::run::{Ended, command, run};
use crate::target::{Target, not_against_a_target};
use crate::{http, sip};

/// Processes at work, and the folder with their data. Dropping it kills them; if the test has failed,
/// their logs are shown.
///
/// Where there is a target ([`crate::target`]), it stands for that: nothing is started, and a test that asks
/// for more than its addresses ends as one that cannot run.
pub struct Deployment {
    plan: Plan,
    folder: TempDir,
    running: BTreeMap<Part, Process>,
    /// What the listeners were given at first, by the key of their address, and get again.
    addresses: BTreeMap<&'static str, SocketAddr>,
}

impl Deployment {
    /// All in one process.
    pub fn all() -> Plan {
        Plan::new(vec![Part::All])
    }

    /// Storage and both edges as processes of their own.
    pub fn three_processes() -> Plan {
        Plan::new(vec![Part::Storage, Part::SipEdge, Part::ControllingEdge])
    }

    /// Storage and the participating edge as processes of their own.
    pub fn two_processes() -> Plan {
        Plan::new(vec![Part::Storage, Part::SipEdge])
    }

    /// Storage alone: the test is its edges.
    pub fn storage_alone() -> Plan {
        Plan::new(vec![Part::Storage])
    }

    async fn start(plan: Plan) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut deployment = Self {
            plan,
            folder,
            running: BTreeMap::new(),
            addresses: BTreeMap::new(),
        };
        if let Some(target) = Target::get() {
            deployment.plan.check(target);
            deployment.addresses = deployment.plan.addresses(target);
            return deployment;
        }
        for part in deployment.plan.parts.clone() {
            deployment.launch(part).await;
        }
        deployment
    }

    /// Its loopback addresses.
    pub fn net(&self) -> LoopbackNet {
        self.plan.net
    }

    /// The folder of the store.
    pub fn data(&self) -> PathBuf {
        not_against_a_target("looks into the folder of the store");
        self.folder.path().join("data")
    }

    /// A folder for what belongs to the test.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// Changes a setting for processes started from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        not_against_a_target("changes the configuration");
        self.plan.settings.set(key, value);
    }

    /// The process that plays a part.
    ///
    /// # Panics
    /// When it does not run.
    pub fn process(&self, part: Part) -> &Process {
        not_against_a_target("stops processes or reads their logs");
        let part = self.plan.part(part);
        self.running
            .get(&part)
            .unwrap_or_else(|| panic!("{part:?} does not run"))
    }

    fn process_mut(&mut self, part: Part) -> &mut Process {
        not_against_a_target("ends processes");
        let part = self.plan.part(part);
        self.running
            .get_mut(&part)
            .unwrap_or_else(|| panic!("{part:?} does not run"))
    }

    /// Starts a part and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn launch(&mut self, part: Part) {
        self.spawn(part).await;
        self.ready(part).await;
    }

    /// Starts a part on the ports it had before, if it ran before, and waits until it has bound them.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn spawn(&mut self, part: Part) {
        not_against_a_target("starts processes");
        let part = self.plan.part(part);
        let process = Process::start(part.command(), self.command(part));
        let mut bound = Vec::new();
        let listeners = part.listeners().into_iter();
        for (listener, key) in listeners.filter(|(_, key)| self.plan.is_bound(key)) {
            bound.push((key, process.listener(listener).await));
        }
        self.addresses.extend(bound);
        self.running.insert(part, process);
    }

    /// The command that starts a part.
    pub fn command(&self, part: Part) -> tokio::process::Command {
        let part = self.plan.part(part);
        self.plan.command(part, &self.data(), &self.addresses)
    }

    /// Starts one more participating edge for the same store, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn second_edge(&self) -> SecondEdge {
        self.one_more_edge(self.plan.clone()).await
    }

    /// As [`Deployment::second_edge`] behind another core.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn second_edge_behind(&self, core: &sip::SipPeer) -> SecondEdge {
        self.one_more_edge(self.plan.clone().behind(core)).await
    }

    /// Starts a controlling edge for the same store whose next hop is the participating edge, and waits until
    /// it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn controlling_edge(&self) -> SecondEdge {
        let hop = format!("sip:{};transport=tcp", self.edge(sip::Transport::Tcp));
        let plan = self.plan.clone().set("sip.next_hop", &hop);
        self.one_more(Part::ControllingEdge, plan).await
    }

    async fn one_more_edge(&self, plan: Plan) -> SecondEdge {
        self.one_more(Part::SipEdge, plan).await
    }

    async fn one_more(&self, part: Part, plan: Plan) -> SecondEdge {
        not_against_a_target("starts an edge beside those of the deployment");
        let section = part.command();
        let storage = self.url("storage.listen");
        let plan = plan.set(&format!("{section}.storage"), &storage);
        let plan = plan.set(&format!("{section}.name"), "second");
        let command = plan.stand_alone(part, &self.data());
        let process = Process::start("second edge", command);
        let tcp = process.listener(&format!("{section}/sip/TCP")).await;
        let condition = format!("{section}/storage");
        let is_ready = |event: &serde_json::Value| {
            let is_it = event["condition"] == condition.as_str() && event["state"] == "ready";
            is_it.then_some(())
        };
        let ready = within(START, "the second edge", process.log().find(is_ready)).await;
        assert!(ready.is_some(), "the second edge ended");
        SecondEdge { process, tcp }
    }

    /// Waits until a part is ready.
    ///
    /// # Panics
    /// When that takes too long or it ends.
    pub async fn ready(&self, part: Part) {
        let process = self.process(part);
        let what = format!("{} to be ready", process.name());
        within(
            START,
            &what,
            self.conditions_until(part, |status, _| status == 200),
        )
        .await;
    }

    /// Asks a part whether it is ready, again after each line it logs, until `enough` takes the answer
    /// (status code, conditions), and returns the conditions.
    ///
    /// # Panics
    /// When the process does not answer.
    pub async fn conditions_until(&self, part: Part, enough: impl Fn(u16, &str) -> bool) -> String {
        let process = self.process(part);
        loop {
            let seen = process.log().len();
            let (status, conditions) = self.fetch(part, "/readyz").await;
            if enough(status, &conditions) {
                return conditions;
            }
            assert!(
                process.log().grown(seen).await > seen,
                "{} ended",
                process.name()
            );
        }
    }

    /// Status code and text of a path of the admin listener.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn fetch(&self, part: Part, path: &str) -> (u16, String) {
        not_against_a_target("asks the processes for their state and counters");
        let listeners = self.plan.part(part).listeners();
        let (_, admin) = listeners
            .iter()
            .find(|(listener, _)| *listener == "admin")
            .expect("one each");
        let admin = self.address(admin);
        let answer = within(ANSWER, "an admin answer", http::fetch(admin, path)).await;
        answer.unwrap_or_else(|error| panic!("{part:?} {path}: {error}"))
    }

    /// The value of a counter without labels; 0 if it does not exist.
    pub async fn counter(&self, part: Part, name: &str) -> u64 {
        let (_, metrics) = self.fetch(part, "/metrics").await;
        let mut lines = metrics.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or(0)
    }

    /// Kills a part (SIGKILL) and waits until it is gone.
    pub async fn kill(&mut self, part: Part) {
        self.process_mut(part).kill().await;
        self.keep_log(part);
    }

    /// Asks a part to end (SIGTERM), and how it did.
    pub async fn terminate(&mut self, part: Part) -> ExitStatus {
        self.process(part).terminate();
        self.ended(part).await
    }

    /// Waits for the end of a part, and how it ended.
    pub async fn ended(&mut self, part: Part) -> ExitStatus {
        let status = self.process_mut(part).ended().await;
        self.keep_log(part);
        status
    }

    /// Removes a process that has ended, after its log went to that of the test.
    fn keep_log(&mut self, part: Part) {
        if let Some(process) = self.running.remove(&self.plan.part(part)) {
            show_log(&process);
        }
    }

    /// Where a listener is bound, by the key of its address.
    ///
    /// # Panics
    /// When no such listener was bound.
    pub fn address(&self, key: &str) -> SocketAddr {
        *self
            .addresses
            .get(key)
            .unwrap_or_else(|| panic!("no listener of {key}"))
    }

    /// The base URL of a listener of the storage service, by the key of its address.
    ///
    /// # Panics
    /// When no such listener was bound.
    pub fn url(&self, key: &str) -> String {
        format!("{}://{}", self.plan.scheme(), self.address(key))
    }

    /// Where the participating edge takes SIP.
    pub fn edge(&self, transport: sip::Transport) -> SocketAddr {
        self.address(match transport {
            sip::Transport::Udp => "sip-edge.listen_udp",
            sip::Transport::Tcp => "sip-edge.listen_tcp",
        })
    }

    /// An operator of the store.
    pub fn operator(&self) -> Operator {
        Operator::new(self.address("storage.operator_listen"))
    }

    /// Runs `restantectl -o jsonl` with these arguments.
    pub async fn restantectl(&self, arguments: &[&str]) -> Ended {
        let mut command = command("restantectl");
        let server = self.url("storage.operator_listen");
        command
            .args(["--server", &server, "-o", "jsonl"])
            .args(arguments);
        run(command).await
    }

    /// The command of an `im-client` of this user, by TCP.
    pub fn im_client(&self, user: &str, arguments: &[&str]) -> tokio::process::Command {
        let mut command = command("im-client");
        let proxy = format!("sip:{};transport=tcp", self.edge(sip::Transport::Tcp));
        command
            .args(["--user", user, "--proxy", &proxy])
            .args(arguments);
        command
    }
}

/// An edge beside those of a deployment.
pub struct SecondEdge {
    process: Process,
    /// Where it takes SIP.
    pub tcp: SocketAddr,
}

impl SecondEdge {
    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

impl Drop for SecondEdge {
    fn drop(&mut self) {
        show_log(&self.process);
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        for process in self.running.values() {
            show_log(process);
        }
    }
}

/// Into the output of the test, which is shown if it fails.
fn show_log(process: &Process) {
    for line in process.log().lines() {
        println!("{} | {line}", process.name());
    }
}
