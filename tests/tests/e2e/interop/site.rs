//! Storage, participating edge and controlling edge behind Kamailio.

use std::process::Stdio;

use restante_tests::deployment::Plan;
use restante_tests::patience::{ANSWER, START, eventually};
use restante_tests::run::command;
use restante_tests::{Deployment, LoopbackNet};
use serde_json::Value;
use tokio::process::{Child, Command};

use super::kamailio::{Kamailio, Passwords};

/// All of Restante, and the core.
pub(super) struct Site {
    pub(super) deployment: Deployment,
    pub(super) kamailio: Kamailio,
}

impl Site {
    /// What is to be behind it.
    pub(super) fn plan() -> Plan {
        let plan = Deployment::three_processes();
        let net = plan.net();
        let hop = format!("sip:{};transport=tcp", Kamailio::edges(net));
        let core = format!("{}/32", net.host(LoopbackNet::CORE));
        plan.set("sip.next_hop", &hop)
            .set("trust.loopback", "false")
            .set("trust.peers", &core)
            .set("msrp.allow_networks", "127.0.0.0/8")
    }

    pub(super) async fn start(passwords: Passwords) -> Self {
        let deployment = Self::plan().start().await;
        let kamailio = Kamailio::start(&deployment, passwords).await;
        Self {
            deployment,
            kamailio,
        }
    }

    /// A client behind the core.
    pub(super) fn client(&self, user: &str, arguments: &[&str]) -> Command {
        let mut command = command("im-client");
        let core = Kamailio::users(self.deployment.net());
        let proxy = format!("sip:{core};transport=tcp");
        command
            .args(["--user", user, "--proxy", &proxy])
            .args(arguments);
        command
    }

    /// A client that receives, once the edge knows of it.
    pub(super) async fn online(&self, user: &str, arguments: &[&str]) -> Child {
        let mut command = self.client(user, &["receive", "--for", "60s", "--json"]);
        command.args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let client = command.stderr(Stdio::piped()).kill_on_drop(true).spawn();
        let operator = self.deployment.operator();
        eventually(START, "his registration", async || {
            let mailbox = operator.mailbox(user).await.ok()?;
            (!mailbox.bindings.is_empty()).then_some(())
        })
        .await;
        client.expect("im-client")
    }

    pub(super) async fn operator(&self, arguments: &[&str]) -> Vec<Value> {
        self.deployment
            .restantectl(arguments)
            .await
            .done()
            .records()
    }

    /// The job of this class, once nothing of it is on its way.
    pub(super) async fn finished(&self, class: &str) -> Value {
        eventually(ANSWER, "the end of the job", async || {
            let jobs = self
                .operator(&["job", "list", "--state", "completed"])
                .await;
            jobs.into_iter().find(|job| job["class"] == class)
        })
        .await
    }
}
