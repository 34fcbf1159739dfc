//! Encryption at rest, from outside: what a thief of the data folder finds, and what starts without its keys.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use proto::v1::PartKind;
use restante_tests::large::Large;
use restante_tests::run::{self, Ended};
use restante_tests::sip::example;
use restante_tests::{Deployment, Part, Scene, uri};

const TWO: &str = "2:ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";
const ONE: &str = "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// What is looked for: body, subject, user, contents of large messages.
const MARKS: [&str; 4] = ["zanzibar", "quagga", "xenophon", "yttrium"];

/// Writes keys to a file for their owner alone.
fn write_keys(path: &Path, keys: &str) {
    std::fs::write(path, keys).expect("there is place");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, private).expect("it is ours");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// The marks that any file below a folder holds.
fn found(folder: &Path) -> Vec<&'static str> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(self::found(&path));
            continue;
        }
        // A file that the store has removed meanwhile holds nothing.
        let octets = std::fs::read(&path).unwrap_or_default();
        let holds = |mark: &&str| octets.windows(mark.len()).any(|at| at == mark.as_bytes());
        found.extend(MARKS.into_iter().filter(holds));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Messages with the marks, small and large.
async fn deposit_marked(scene: &mut Scene) {
    let request = example::message("xenophon")
        .set("Subject", "quagga")
        .body("text/plain;charset=utf-8", "zanzibar");
    scene.deposit(&request).await;
    let large = Large::to("xenophon", "yttrium".repeat(200_000));
    large
        .store(scene.deployment.address("storage.listen"))
        .await;
}

/// Runs `restante storage check` with these keys.
async fn check(data: &Path, keys: Option<&PathBuf>) -> Ended {
    let mut command = run::command("restante");
    command.args(["storage", "check"]);
    command.env("RESTANTE_STORAGE__DATA_DIR", data);
    if let Some(keys) = keys {
        command.env("RESTANTE_STORAGE__MASTER_KEY_FILE", keys);
    }
    run::run(command).await
}

#[tokio::test]
async fn a_copy_of_the_disk_says_nothing_and_starts_with_its_keys_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (keys, others) = (
        folder.path().join("master.keys"),
        folder.path().join("others"),
    );
    write_keys(&keys, ONE);
    write_keys(&others, &format!("1:{}", "ab".repeat(32)));

    let mut clear = Scene::all().await;
    deposit_marked(&mut clear).await;
    clear.deployment.kill(Part::All).await;
    assert_eq!(found(&clear.deployment.data()).len(), 4, "the test can see");

    let plan = Deployment::all().set("storage.master_key_file", text(&keys));
    let mut scene = Scene::start(plan).await;
    deposit_marked(&mut scene).await;
    let data = scene.deployment.data();
    assert_eq!(found(&data), [""; 0], "while it runs");
    scene.deployment.kill(Part::All).await;
    assert_eq!(found(&data), [""; 0], "after its death");

    for (wrong, sentence) in [
        (None, "storage.master_key_file"),
        (Some(&others), "is not the one"),
    ] {
        let refused = check(&data, wrong).await;
        assert_eq!(refused.code, Some(74), "{}", refused.errors);
        assert!(refused.errors.contains(sentence), "{}", refused.errors);
        assert!(!refused.errors.contains("abab"), "{}", refused.errors);
    }
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&keys, open).expect("it is ours");
    let refused = check(&data, Some(&keys)).await;
    assert_eq!(refused.code, Some(78), "{}", refused.errors);
    assert!(refused.errors.contains("chmod 600"), "{}", refused.errors);
    write_keys(&keys, ONE);
    let checked = check(&data, Some(&keys)).await.done();
    assert!(checked.output.contains("2 messages"), "{}", checked.output);
    assert!(checked.output.contains("the store is sound"));
    assert_eq!(found(&data), [""; 0], "after a check");

    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    let messages = scene.operator.list(&uri("xenophon")).await;
    let subjects = messages
        .iter()
        .filter_map(|message| message.headers.as_ref());
    let subjects: Vec<_> = subjects.map(|headers| headers.subject.as_str()).collect();
    assert_eq!(subjects, ["quagga", "Minutes of the meeting"]);
    let small = scene.operator.request_octets(&messages[0].message_id).await;
    assert!(small.ends_with(b"zanzibar"));
    let large = &messages[1].message_id;
    let large = scene.operator.part(large, PartKind::SendBody).await;
    assert!(large == "yttrium".repeat(200_000).into_bytes());
}

/// `LoadCredential=` of systemd: the user of the process reads by an access list, whose mask is in the group bits.
#[tokio::test]
async fn the_credentials_of_a_service_manager_are_no_secret_told_to_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = folder.path().join("credentials");
    std::fs::create_dir(&credentials).expect("a folder");
    let keys = credentials.join("master.keys");
    write_keys(&keys, ONE);
    let start = async |mode, credentials: &Path| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&keys, mode).expect("it is ours");
        let plan = Deployment::storage_alone()
            .set("storage.master_key_file", text(&keys))
            .set("storage.data_dir", "/proc/self");
        let mut command = plan.stand_alone(Part::Storage, &folder.path().join("data"));
        command.env("CREDENTIALS_DIRECTORY", credentials);
        run::run(command).await
    };
    let taken = start(0o440, &credentials).await;
    assert_eq!(
        taken.code,
        Some(74),
        "the folder comes next: {}",
        taken.errors
    );
    for (mode, credentials) in [
        (0o440, folder.path().join("others")),
        (0o444, credentials.clone()),
        (0o460, credentials),
    ] {
        let refused = start(mode, &credentials).await;
        assert_eq!(refused.code, Some(78), "{mode:o}: {}", refused.errors);
    }
}

#[tokio::test]
async fn an_operator_rotates_the_master_key_and_takes_the_old_one_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("master.keys");
    write_keys(&keys, ONE);
    let plan = Deployment::all().set("storage.master_key_file", text(&keys));
    let mut scene = Scene::start(plan).await;
    for user in ["bob", "carol"] {
        scene.deposit_text(user, "before").await;
    }
    let status = scene
        .deployment
        .restantectl(&["keys", "status", "-o", "json"])
        .await;
    let status = status.done().records();
    assert_eq!(status[0]["current_id"], 1);
    assert_eq!(
        status[0]["master_keys"][0]["wraps"], 3,
        "two users and the store"
    );

    write_keys(&keys, TWO);
    let refused = scene.deployment.restantectl(&["keys", "rotate"]).await;
    assert_ne!(refused.code, Some(0), "the old one is still needed");
    assert!(
        refused.errors.contains("master key 1"),
        "{}",
        refused.errors
    );
    write_keys(&keys, &format!("{ONE}\n{TWO}\n"));
    let rotated = scene.deployment.restantectl(&["keys", "rotate"]).await;
    let rotated = rotated.done().records();
    assert_eq!(rotated[0]["current_id"], 2);
    let wraps = |place: usize| rotated[0]["master_keys"][place]["wraps"].as_u64();
    assert_eq!((wraps(0), wraps(1)), (Some(0), Some(3)));
    scene.deposit_text("dave", "after").await;

    write_keys(&keys, TWO);
    scene.deployment.terminate(Part::All).await;
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    for user in ["bob", "carol", "dave"] {
        let message = scene.operator.only(&uri(user)).await;
        let octets = scene.operator.request_octets(&message.message_id).await;
        assert!(octets.ends_with(b"before") || octets.ends_with(b"after"));
    }
    let status = scene.deployment.restantectl(&["keys", "status"]).await;
    assert_eq!(status.done().records()[0]["master_keys"][0]["wraps"], 4);
    let log = scene.deployment.process(Part::All).log().lines().join("\n");
    assert!(!log.contains(&TWO[2..]), "no key is in a log");
}
