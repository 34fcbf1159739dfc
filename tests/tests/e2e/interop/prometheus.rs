//! Debian's Prometheus reads what the processes count.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use restante_tests::http::fetch;
use restante_tests::patience::{START, eventually};
use restante_tests::process::Process;
use restante_tests::run::run;
use restante_tests::sip::example;
use restante_tests::{Deployment, Scene, somebody};
use serde_json::Value;
use tokio::process::Command;

use super::{are_there, logging};

/// A host of its own.
const HOST: u8 = 7;

const PORT: u16 = 9090;

/// A Prometheus that scrapes the three processes of a deployment with the configuration of the containers.
pub(crate) struct Prometheus {
    pub(crate) address: SocketAddr,
    _process: Process,
}

impl Prometheus {
    pub(crate) async fn start(deployment: &Deployment) -> Self {
        let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus");
        let config = given.join("prometheus.yml");
        let mut config = std::fs::read_to_string(config).expect("the configuration");
        for (service, key) in [
            ("\"storage:9400\"", "storage.admin_listen"),
            ("\"sip-edge:9401\"", "sip-edge.admin_listen"),
            ("\"controlling-edge:9402\"", "controlling-edge.admin_listen"),
        ] {
            assert!(config.contains(service), "{config}");
            config = config.replace(service, &format!("\"{}\"", deployment.address(key)));
        }
        let config = config.replace("scrape_interval: 5s", "scrape_interval: 1s");
        let config = config.replace("scrape_timeout: 4s", "scrape_timeout: 1s");
        let (file, data) = (
            deployment.scratch().join("prometheus.yml"),
            deployment.scratch().join("prometheus"),
        );
        std::fs::write(&file, config).expect("writable");
        let rules = given.join("alerts.yml");
        std::fs::copy(rules, file.with_file_name("alerts.yml")).expect("the rules");
        let mut check = Command::new("promtool");
        check.args(["check", "config"]).arg(&file);
        run(check).await.done();
        let address = (deployment.net().host(HOST), PORT).into();
        let command = format!(
            "prometheus --config.file=\"$1\" --storage.tsdb.path=\"$2\" --web.listen-address={address}"
        );
        let process = logging("prometheus", &command, &[&file, &data]);
        Self {
            address,
            _process: process,
        }
    }

    /// What it answers to a question: values by process.
    pub(crate) async fn asked(&self, query: &str) -> Vec<(String, String)> {
        let path = format!("/api/v1/query?query={query}");
        let Ok((200, answer)) = fetch(self.address, &path).await else {
            return Vec::new();
        };
        // The body may come in chunks, each behind its length.
        let json = answer.find('{').zip(answer.rfind('}'));
        let answer = json.map(|(begin, end)| &answer[begin..=end]);
        let answer: Value = serde_json::from_str(answer.unwrap_or_default()).unwrap_or_default();
        let results = answer["data"]["result"].as_array().cloned();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pair = |result: &Value| {
            (
                text(&result["metric"]["process"]),
                text(&result["value"][1]),
            )
        };
        results.unwrap_or_default().iter().map(pair).collect()
    }
}

#[tokio::test]
async fn prometheus_scrapes_every_process_and_counts_a_message() {
    if !are_there(&["prometheus", "promtool", "stdbuf"]) {
        return;
    }
    let mut scene = Scene::start(Deployment::three_processes()).await;
    let prometheus = Prometheus::start(&scene.deployment).await;
    let user = somebody();
    scene.deposit(&example::message(&user)).await;
    let accepted = "restante_messages_accepted_total";
    let counted = eventually(START, "a message in Prometheus", async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let up = prometheus.asked("up").await;
        let is_up = up.len() == 3 && up.iter().all(|(_, value)| value == "1");
        let values = prometheus.asked(accepted).await;
        (is_up && values.iter().any(|(_, value)| value == "1")).then_some(values)
    })
    .await;
    assert!(
        counted.iter().any(|(process, _)| process == "sip-edge"),
        "{counted:?}"
    );
}
