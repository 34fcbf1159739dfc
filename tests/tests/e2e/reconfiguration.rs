//! What operators change in processes that run: the lines of their logs, and their configuration.

use std::path::{Path, PathBuf};

use restante_tests::patience::{START, eventually};
use restante_tests::run::{Ended, command, run};
use restante_tests::sip::{RequestText, example};
use restante_tests::{Deployment, Part, Scene, somebody, uri};
use serde_json::Value;
use tempfile::TempDir;

use crate::secure::{Certificates, OPERATOR, READER, operate};

/// The only edge of a deployment with two processes.
const EDGE: &str = "sip-edge-1";

const WORD: &str = "hunter2 hunter2 hunter2";

async fn ctl(scene: &Scene, line: &str) -> Ended {
    let arguments: Vec<_> = line.split_whitespace().collect();
    scene.deployment.restantectl(&arguments).await
}

/// The answer of one process.
async fn answer(scene: &Scene, line: &str, process: &str) -> Value {
    let records = ctl(scene, line).await.done().records();
    let found = records.iter().find(|record| record["process"] == process);
    found
        .unwrap_or_else(|| panic!("{line}: {records:?}"))
        .clone()
}

/// A deployment with a configuration file of its own, which is to be changed.
struct Filed {
    scene: Scene,
    file: PathBuf,
    _folder: TempDir,
}

impl Filed {
    async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("restante.toml");
        std::fs::write(&file, text).expect("written");
        let plan = Deployment::all().storage_variable("RESTANTE_CONFIG", &file);
        Self {
            scene: Scene::start(plan).await,
            file,
            _folder: folder,
        }
    }

    fn write(&self, text: &str) {
        replace(&self.file, text);
    }
}

/// As an editor does it: the file is there at every moment.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).expect("written");
    std::fs::rename(&new, file).expect("renamed");
}

fn to(user: &str) -> RequestText {
    example::message(user)
}

/// Lines at debug in the log of a part.
fn debugged(scene: &Scene, part: Part) -> Vec<String> {
    let lines = scene.deployment.process(part).log().lines();
    let is_debug = |line: &String| line.contains("\"level\":\"DEBUG\"");
    lines.into_iter().filter(is_debug).collect()
}

#[tokio::test]
async fn one_process_tells_more_for_a_while_and_names_nobody() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let before = eventually(START, "both processes", async || {
        let records = ctl(&scene, "log-filter").await.done().records();
        (records.len() == 2).then_some(records)
    })
    .await;
    for record in &before {
        assert_eq!(record["log_filter"]["configured"], "info", "{record}");
        assert_eq!(record["log_filter"]["changes"], Value::Array(Vec::new()));
    }
    let changing = |time: &str| format!("log-filter sip_edge=debug --for {time} --process {EDGE}");
    let changed = answer(&scene, &changing("1h"), EDGE).await;
    let change = &changed["log_filter"]["changes"][0];
    assert_eq!(change["directive"], "restante_sip_edge=debug");
    let left = change["left_s"].as_u64();
    assert!(left.is_some_and(|left| left > 60 && left <= 3_600));

    let user = somebody();
    scene.deposit(&to(&user)).await;
    let log = scene.deployment.process(Part::SipEdge).log().clone();
    let accepted = |line: &Value| (line["message"] == "message.accepted").then_some(());
    assert!(log.find(accepted).await.is_some());
    let seen = debugged(&scene, Part::SipEdge);
    let names = |line: &&String| line.contains(&user) || line.contains("alice");
    assert_eq!(seen.iter().find(names), None, "identities are redacted");
    assert_eq!(debugged(&scene, Part::Storage), [""; 0]);

    // Said again it holds for the new time, and ends by itself.
    answer(&scene, &changing("1s"), EDGE).await;
    let ended = |line: &Value| (line["event"] == "log.filter_ended").then_some(());
    assert!(log.find(ended).await.is_some());
    let seen = debugged(&scene, Part::SipEdge).len();
    scene.deposit(&to(&user)).await;
    assert_eq!(debugged(&scene, Part::SipEdge).len(), seen);
    let after = answer(&scene, "log-filter", EDGE).await;
    assert_eq!(after["log_filter"]["changes"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn what_is_no_directive_or_no_process_is_refused_with_what_there_is() {
    let scene = Scene::all().await;
    for (line, words) in [
        ("log-filter sip_edge=loud", "sip_edge=loud"),
        ("log-filter debug --for 25h", "24 hours"),
        (
            "log-filter debug --process nobody",
            "no process is called `nobody`",
        ),
        ("config reload --process nobody", "storage"),
    ] {
        let ended = ctl(&scene, line).await;
        assert_ne!(ended.code, Some(0), "{line}");
        assert!(ended.errors.contains(words), "{line}: {}", ended.errors);
    }
    ctl(&scene, "log-filter debug --for 1h").await.done();
    ctl(&scene, "log-filter --reset").await.done();
    let after = answer(&scene, "log-filter", "storage").await;
    assert_eq!(after["log_filter"]["changes"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn readers_see_and_operators_change_and_the_audit_log_tells_who() {
    let plan = Deployment::two_processes();
    let certificates = Certificates::new(plan.net());
    let scene = Scene::start(certificates.secure(plan)).await;
    let ctl = async |name: &str, line: &str| {
        let own = certificates.authority.certify(&[name]);
        let arguments: Vec<_> = line.split_whitespace().collect();
        operate(&scene.deployment, &certificates, Some(&own), &arguments).await
    };
    ctl(READER, "log-filter").await.done();
    ctl(READER, "config show").await.done();
    for line in ["log-filter debug", "config reload"] {
        let refused = ctl(READER, line).await;
        assert_eq!(refused.code, Some(77), "{line}: {}", refused.errors);
    }
    ctl(
        OPERATOR,
        "log-filter storage=debug --for 1s --reason ticket",
    )
    .await
    .done();
    ctl(OPERATOR, "config reload").await.done();
    let told = std::fs::read_to_string(scene.deployment.data().join("audit.jsonl"));
    let told = told.expect("an audit log");
    let line = told
        .lines()
        .find(|line| line.contains("ChangeLogFilters") && line.contains("\"answered\""));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    for word in [OPERATOR, "ticket", "storage=debug"] {
        assert!(line.contains(word), "{word} in {line}");
    }
    assert!(told.contains("\"verb\":\"ReloadConfigurations\""), "{told}");
}

#[tokio::test]
async fn larger_mailboxes_and_slower_senders_hold_from_the_reload_on() {
    let mut filed = Filed::start("[limits]\nmailbox_messages = 1\n").await;
    let (user, sender) = (somebody(), "limits.sender_rate");
    assert_eq!(filed.scene.status(&to(&user)).await, 202);
    assert_eq!(filed.scene.status(&to(&user)).await, 480);
    filed.write("[limits]\nmailbox_messages = 3\nsender_rate = 1\nsender_burst = 2\n[storage]\nwindow = 100\n");
    let reloaded = answer(&filed.scene, "config reload", "storage").await;
    let keys = |field: &str| {
        let changes = reloaded[field].as_array().cloned().unwrap_or_default();
        let keys = changes.iter().filter_map(|change| change["key"].as_str());
        keys.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        keys("applied"),
        ["limits.mailbox_messages", sender, "limits.sender_burst"]
    );
    assert_eq!(keys("waiting"), ["storage.window"]);
    let first = &reloaded["applied"][0];
    assert_eq!((&first["from"], &first["to"]), (&"1".into(), &"3".into()));

    assert_eq!(filed.scene.status(&to(&user)).await, 202);
    // More at once than come to a burst of two and what a slow machine's time adds to it.
    let Scene { core, way, .. } = &mut filed.scene;
    let mut sent = Vec::new();
    for _ in 0..50 {
        sent.push(core.send(way, &to(&somebody())).await);
    }
    let mut statuses = Vec::new();
    for request in &sent {
        statuses.push(core.response_to(request).await.status());
    }
    assert!(statuses.contains(&Some(480)), "{statuses:?}");

    let shown = answer(&filed.scene, "config show", "storage").await;
    let shown = shown["configuration"].as_array().cloned().expect("keys");
    let value = |key: &str| {
        let found = shown.iter().find(|shown| shown["key"] == key);
        found.map(|found| found["value"].clone())
    };
    assert_eq!(value("limits.mailbox_messages"), Some("3".into()));
    assert_eq!(value("storage.window"), Some("4096".into()), "waits");
}

#[tokio::test]
async fn a_file_with_mistakes_changes_nothing_and_each_mistake_is_told_with_its_place() {
    let sound = "[limits]\nmailbox_messages = 2\n";
    let mut filed = Filed::start(sound).await;
    let wrong =
        "[limits]\nmailbox_messages = 1\n[retention]\ndefault = \"soon\"\n[push]\nrat = 5\n";
    filed.write(wrong);
    let refused = ctl(&filed.scene, "config reload").await;
    assert_eq!(refused.code, Some(1), "{}", refused.errors);
    for words in [
        "restante.toml:4:1: retention.default",
        "restante.toml:6:1: push.rat",
    ] {
        assert!(
            refused.errors.contains(words),
            "{words}: {}",
            refused.errors
        );
    }
    let log = filed.scene.deployment.process(Part::All).log().clone();
    filed.scene.deployment.process(Part::All).hang_up();
    let told = async |count: usize| {
        eventually(START, "the log", async || {
            let told = log.events();
            let told = told
                .iter()
                .filter(|line| line["event"] == "config.not_reloaded");
            (told.count() == count).then_some(())
        })
        .await;
    };
    told(2).await;
    let user = somebody();
    assert_eq!(filed.scene.status(&to(&user)).await, 202);
    assert_eq!(
        filed.scene.status(&to(&user)).await,
        202,
        "two may wait still"
    );

    filed.write(&format!(
        "{sound}[log]\nfilter = \"debug\"\nredaction_key = \"{WORD}\"\n"
    ));
    filed.scene.deployment.process(Part::All).hang_up();
    let waiting = |line: &Value| (line["event"] == "config.restart_needed").then(|| line.clone());
    let waiting = log.find(waiting).await.expect("a line");
    assert_eq!(waiting["changed"], "log.redaction_key: \"off\" -> (secret)");
    scene_tells_debug(&mut filed.scene).await;
    assert!(!log.lines().iter().any(|line| line.contains("hunter2")));
}

async fn scene_tells_debug(scene: &mut Scene) {
    scene.deposit(&to(&somebody())).await;
    let log = scene.deployment.process(Part::All).log().clone();
    let accepted = |line: &Value| (line["message"] == "message.accepted").then_some(());
    assert!(log.find(accepted).await.is_some());
}

#[tokio::test]
async fn reloads_under_load_lose_no_message() {
    let filed = Filed::start("[limits]\nmailbox_messages = 1000\n").await;
    let Filed {
        mut scene, file, ..
    } = filed;
    let user = somebody();
    let Scene {
        deployment,
        core,
        way,
        ..
    } = &mut scene;
    let (way, deployment) = (&*way, &*deployment);
    let depositing = async {
        for _ in 0..100 {
            let answered = core.call(way, &to(&user)).await.response;
            assert_eq!(answered.status(), Some(202), "{answered}");
        }
    };
    let reloading = async {
        for round in 0..8 {
            let text = format!(
                "[limits]\nmailbox_messages = {}\n[push]\nrate = {}\n[retention]\ndefault = \"{}d\"\n",
                900 + round,
                100 + round,
                round + 1
            );
            replace(&file, &text);
            let reloaded = deployment.restantectl(&["config", "reload"]).await.done();
            let applied = reloaded.records()[0]["applied"].as_array().map(Vec::len);
            assert_eq!(applied, Some(3), "{}", reloaded.output);
        }
    };
    tokio::join!(depositing, reloading);
    assert_eq!(scene.operator.list(&uri(&user)).await.len(), 100);
    scene.register(&user).await;
    assert_eq!(scene.receive(&user, 100).await.len(), 100);
}

#[tokio::test]
async fn the_reference_is_what_the_binary_prints_and_what_holds_is_shown_without_secrets() {
    let print = async |arguments: &[&str]| {
        let mut printing = command("restante");
        printing
            .args(arguments)
            .env("RESTANTE_LOG__REDACTION_KEY", WORD);
        run(printing).await.done().output
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let kept = std::fs::read_to_string(path).expect("the document");
    assert!(
        kept == print(&["config", "reference"]).await,
        "docs/configuration.md is old: make configuration-document"
    );
    let shown = print(&["config", "show"]).await;
    assert!(
        shown.contains("redaction_key = (secret)  # environment RESTANTE_LOG__REDACTION_KEY"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("[limits]\n"), "{shown}");
}
