//! Upkeep of a store that serves: backups, checks, compaction; and what becomes of a backup when it is needed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proto::v1::{Message, MessageState};
use restante_tests::clients::Clients;
use restante_tests::exposition::Exposition;
use restante_tests::load::{Load, Promised, by_call_id, lost};
use restante_tests::patience::{START, eventually};
use restante_tests::run::{self, Ended};
use restante_tests::sip::{SipPeer, Transport, example};
use restante_tests::{Deployment, LoopbackNet, Part, Scene, uri};
use serde_json::Value;
use tempfile::TempDir;

const KEY: &str = "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A folder for backups, outside of the deployment.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    fn text(&self) -> String {
        self.backups().to_str().expect("a path in UTF-8").to_owned()
    }
}

/// Runs `restante storage restore` for a store of this name.
async fn restore(deployment: &Deployment, data: &Path, arguments: &[&str]) -> Ended {
    let mut command = run::command("restante");
    command.args(["storage", "restore"]).args(arguments);
    let running = deployment.command(Part::Storage);
    let variables = running.as_std().get_envs();
    for (name, value) in variables.filter_map(|(name, value)| Some((name, value?))) {
        command.env(name, value);
    }
    command.env("RESTANTE_STORAGE__DATA_DIR", data);
    run::run(command).await
}

fn only(ended: Ended) -> Value {
    let mut records = ended.done().records();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

#[tokio::test]
async fn a_store_that_serves_is_backed_up_checked_and_compacted() {
    let place = Place::new();
    let plan = Deployment::all()
        .set("maintenance.backups", &place.text())
        .set("maintenance.keep", "2");
    let mut scene = Scene::start(plan).await;
    for text in ["one", "two"] {
        scene.deposit_text("bob", text).await;
    }
    let deployment = &scene.deployment;
    let made = deployment
        .restantectl(&["backup", "--reason", "before the upgrade", "-o", "json"])
        .await;
    let made = only(made);
    assert_eq!(made["backup"]["verified"], true, "{made}");
    assert_eq!(made["report"]["messages"], 2, "{made}");
    assert_eq!(made["report"]["total_findings"], 0, "{made}");
    let folder = place
        .backups()
        .join(made["backup"]["name"].as_str().expect("a name"));
    assert!(folder.join("manifest").is_file() && folder.join("db/CURRENT").is_file());

    for _ in 0..2 {
        deployment.restantectl(&["backup"]).await.done();
    }
    let listed = deployment.restantectl(&["backups", "-o", "jsonl"]).await;
    let listed = listed.done().records();
    assert_eq!(listed.len(), 2, "the oldest is removed: {listed:?}");
    assert!(
        listed
            .iter()
            .all(|backup| backup["verified"] == true && backup["complete"] == true)
    );
    assert!(!folder.exists());
    // Tables are shared: of the second only small files are new.
    let new = listed[0]["new_octets"].as_u64().expect("a number");
    assert!(new <= listed[0]["octets"].as_u64().expect("a number"));
    let table = deployment.restantectl(&["backups"]).await.done();
    assert!(table.output.contains("verified"), "{}", table.output);

    let report = only(deployment.restantectl(&["check", "-o", "json"]).await);
    assert_eq!(report["messages"], 2, "{report}");
    assert_eq!(report["total_findings"], 0, "{report}");
    assert!(report["rows"].as_u64().expect("a number") > 10, "{report}");
    let compacted = only(deployment.restantectl(&["compact", "-o", "json"]).await);
    assert!(compacted["octets_after"].as_u64().is_some(), "{compacted}");
    scene.deposit_text("bob", "three").await;

    let deployment = &scene.deployment;
    let (_, text) = deployment.fetch(Part::Storage, "/metrics").await;
    let metrics = Exposition::parse(&text);
    let of_backups = [("kind", "backup")];
    let last = "restante_backup_last_success_timestamp_seconds";
    assert!(metrics.sum(last, &of_backups) > 1.7e9, "{text}");
    assert!(metrics.sum("restante_backup_bytes", &of_backups) > 0.0);
    let made = [("kind", "backup"), ("result", "made")];
    assert!((metrics.sum("restante_backups_total", &made) - 3.0).abs() < 0.1);
    let told = std::fs::read_to_string(deployment.data().join("audit.jsonl")).expect("a log");
    for call in ["MakeBackup", "CheckStore", "CompactStore"] {
        assert!(
            told.contains(&format!("\"verb\":\"{call}\"")),
            "{call} in {told}"
        );
        let read = |line| serde_json::from_str::<Value>(line).expect("JSON");
        let mut lines = told.lines().map(read);
        let is_end = |line: &Value| line["stage"] == "ended" && line["verb"] == call;
        let end = lines.find(is_end).expect("it is told how it ended");
        assert_eq!(end["outcome"], "OK", "{end}");
        assert!(end["after"].is_object(), "{end}");
    }
    assert!(told.contains("before the upgrade"));
}

#[tokio::test]
async fn without_a_folder_there_is_no_backup_and_it_is_said_why() {
    let scene = Scene::all().await;
    for command in ["backup", "backups"] {
        let refused = scene.deployment.restantectl(&[command]).await;
        assert_eq!(refused.code, Some(1), "{}", refused.errors);
        assert!(
            refused.errors.contains("maintenance.backups"),
            "{}",
            refused.errors
        );
    }
}

#[tokio::test]
async fn checkpoints_are_made_by_the_clock_and_the_newest_are_kept() {
    let place = Place::new();
    let plan = Deployment::all()
        .set("maintenance.backups", &place.text())
        .set("maintenance.every", "1s")
        .set("maintenance.keep", "2");
    let mut scene = Scene::start(plan).await;
    scene.deposit_text("bob", "one").await;
    let deployment = &scene.deployment;
    let names = async || -> BTreeSet<String> {
        let listed = deployment.restantectl(&["backups", "-o", "jsonl"]).await;
        let listed = listed.done().records().into_iter();
        let named = listed.filter(|backup| backup["kind"] == "checkpoint");
        named
            .map(|backup| backup["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let mut seen = BTreeSet::new();
    let all = async || {
        let now = names().await;
        assert!(now.len() <= 3, "one may be going: {now:?}");
        (now.len() >= 2).then_some(now)
    };
    let first = eventually(START, "two checkpoints", all).await;
    seen.extend(first.clone());
    let others = async || names().await.is_disjoint(&first).then_some(());
    eventually(START, "two more", others).await;
    assert_eq!(seen.len(), first.len());
}

/// A deployment under load, with clients that take what is pushed.
struct Drill {
    deployment: Deployment,
    clients: Clients,
    load: Load,
    place: Place,
}

impl Drill {
    async fn start(master_key: Option<&str>) -> Self {
        let place = Place::new();
        let mut plan = Deployment::two_processes()
            .set("push.on_deposit", "20ms")
            .set("msrp.connects_per_second", "1000")
            .set("maintenance.backups", &place.text());
        if let Some(key) = master_key {
            plan = plan.set("storage.master_keys", key);
        }
        let host = plan.net().host(LoopbackNet::CORE);
        let core = SipPeer::open(host).await;
        let deployment = plan.behind(&core).start().await;
        let clients = Clients::behind(core);
        // Of the first sender everything is pushed, to each of his users in turn, of the second it stays.
        for number in 0..20 {
            register(&deployment, &format!("user-0-{number}")).await;
        }
        let load = Load::start(host, deployment.edge(Transport::Tcp), 2);
        Self {
            deployment,
            clients,
            load,
            place,
        }
    }

    /// Ends the store, and puts the backup in its place.
    async fn go_back(&mut self, arguments: &[&str]) {
        self.deployment.terminate(Part::Storage).await;
        let data = self.deployment.data();
        let backups = self.place.text();
        let from = [&["--from", &backups], arguments].concat();
        let refused = restore(&self.deployment, &data, &from).await;
        assert_eq!(refused.code, Some(74), "{}", refused.errors);
        assert!(
            refused.errors.contains("is not empty"),
            "{}",
            refused.errors
        );
        std::fs::rename(&data, data.with_extension("lost")).expect("a folder of ours");
        let restored = restore(&self.deployment, &data, &from).await.done();
        assert!(
            restored.output.contains("the store is sound"),
            "{}",
            restored.output
        );
        self.deployment.launch(Part::Storage).await;
    }
}

async fn register(deployment: &Deployment, user: &str) {
    let mut core = SipPeer::open(deployment.net().host(LoopbackNet::CORE)).await;
    let way = core
        .way(Transport::Tcp, deployment.edge(Transport::Tcp))
        .await;
    let exchange = core.call(&way, &example::register(user)).await;
    assert_eq!(
        exchange.response.status(),
        Some(200),
        "{}",
        exchange.response
    );
}

fn call_id(message: &Message) -> String {
    let headers = message.headers.as_ref().expect("always set");
    headers.call_id.clone()
}

async fn drill(master_key: Option<&str>) {
    let mut drill = Drill::start(master_key).await;
    drill.load.more(60).await;
    drill.clients.more(5).await;
    let promised: Promised = drill.load.promised();
    let made = drill
        .deployment
        .restantectl(&["backup", "-o", "json"])
        .await;
    assert_eq!(only(made)["backup"]["verified"], true);
    drill.load.more(40).await;
    drill.clients.more(2).await;
    drill.load.end().await;
    let before = drill.deployment.operator().list("").await;
    let before: BTreeSet<String> = by_call_id(&before).into_values().collect();
    assert!(before.len() >= promised.len() + 40);

    drill.go_back(&["--check"]).await;
    let operator = drill.deployment.operator();
    let stored = operator.list("").await;
    assert_eq!(lost(&promised, &stored), [""; 0]);
    for message in &stored {
        if let Some(octets) = promised.get(&call_id(message)) {
            let kept = operator.request_octets(&message.message_id).await;
            assert_eq!(&kept, octets, "{}", message.message_id);
        }
    }
    // Who comes now gets what was there, and no Message-ID is given twice.
    let waiting = |message: &&Message| {
        message.served_user == uri("user-1-0") && message.state() == MessageState::Stored
    };
    let expected: BTreeSet<String> = stored.iter().filter(waiting).map(call_id).collect();
    assert!(!expected.is_empty());
    register(&drill.deployment, "user-1-0").await;
    let got_all = |seen: &restante_tests::clients::Seen| {
        let got: BTreeSet<&String> = seen.receipts.iter().map(|it| &it.call_id).collect();
        expected.iter().all(|call_id| got.contains(call_id))
    };
    drill.clients.until("what was in the backup", got_all).await;
    let host = drill.deployment.net().host(LoopbackNet::CORE);
    let mut load = Load::start(host, drill.deployment.edge(Transport::Tcp), 2);
    load.more(20).await;
    load.end().await;
    let after = operator.list("").await.into_iter();
    let known: BTreeSet<String> = stored.iter().map(|it| it.message_id.clone()).collect();
    let new: Vec<String> = after
        .map(|it| it.message_id)
        .filter(|id| !known.contains(id))
        .collect();
    assert!(new.len() >= 20);
    let twice: Vec<_> = new.iter().filter(|id| before.contains(*id)).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_everything_that_was_accepted_before_it() {
    drill(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_backup_is_restored_with_its_keys() {
    drill(Some(KEY)).await;
}

#[tokio::test]
async fn a_backup_is_put_only_where_it_belongs() {
    let place = Place::new();
    let plan = Deployment::all()
        .set("maintenance.backups", &place.text())
        .set("storage.master_keys", KEY);
    let mut scene = Scene::start(plan).await;
    scene.deposit_text("bob", "one").await;
    scene.deployment.restantectl(&["backup"]).await.done();
    scene.deployment.terminate(Part::All).await;
    let folder = tempfile::tempdir().expect("a folder");
    let fresh = folder.path().join("data");
    let backups = place.text();
    let from = async |variable: (&str, &str), from: &str| {
        let mut command = run::command("restante");
        command.args(["storage", "restore", "--from", from]);
        let running = scene.deployment.command(Part::All);
        for (name, value) in running.as_std().get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.env("RESTANTE_STORAGE__DATA_DIR", &fresh);
        command.env(variable.0, variable.1);
        run::run(command).await
    };
    let renamed = ("RESTANTE_STORAGE__HOSTNAME", "other.example.org");
    let refused = from(renamed, &backups).await;
    assert_eq!(refused.code, Some(74), "{}", refused.errors);
    assert!(
        refused
            .errors
            .contains("storage.hostname is other.example.org"),
        "{}",
        refused.errors
    );
    let nothing = ("RESTANTE_LOG__FILTER", "warn");
    let refused = from(nothing, folder.path().to_str().expect("a path")).await;
    assert_eq!(refused.code, Some(74), "{}", refused.errors);
    assert!(
        refused.errors.contains("is neither a backup"),
        "{}",
        refused.errors
    );
    assert!(!fresh.exists(), "nothing was changed");
    // Its files are there now, and wait for their key.
    let keyless = ("RESTANTE_STORAGE__MASTER_KEYS", "off");
    let refused = from(keyless, &backups).await;
    assert_eq!(refused.code, Some(74), "{}", refused.errors);
    assert!(refused.errors.contains("master key"), "{}", refused.errors);
    restore(&scene.deployment, &fresh, &["--check"])
        .await
        .done();
}
