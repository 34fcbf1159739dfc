//! Starting where something is in the way, and ending when asked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use restante_tests::run::{self, Ended};
use restante_tests::sip::{example, fresh};
use restante_tests::{Deployment, Part, Scene};

/// Runs a storage service over this folder to its end.
async fn storage(data: &Path) -> Ended {
    run::run(Deployment::two_processes().stand_alone(Part::Storage, data)).await
}

/// A sentence for an operator, and the exit code.
#[track_caller]
fn says(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.errors);
    let sentence = ended
        .errors
        .lines()
        .rfind(|line| line.starts_with("restante: "));
    let sentence = sentence.unwrap_or_else(|| panic!("no sentence: {}", ended.errors));
    for word in words {
        assert!(sentence.contains(word), "'{word}' in: {sentence}");
    }
}

#[tokio::test]
async fn a_data_folder_in_use_ends_with_74() {
    let deployment = Deployment::two_processes().start().await;
    let data = deployment.data();
    says(
        &storage(&data).await,
        74,
        &[&data.display().to_string(), "another process"],
    );
}

#[tokio::test]
async fn a_data_folder_of_a_newer_version_ends_with_74() {
    let mut deployment = Deployment::two_processes().start().await;
    deployment.kill(Part::Storage).await;
    let data = deployment.data();
    assert!(
        data.join("format").is_file(),
        "the store says its format in a file"
    );
    fs::write(data.join("format"), "999\n").expect("a file of ours");
    says(
        &storage(&data).await,
        74,
        &[&data.display().to_string(), "999"],
    );
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_made_ends_with_74() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file of ours");
    let data = file.join("data");
    says(&storage(&data).await, 74, &[&data.display().to_string()]);
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written_ends_with_74() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555))
        .expect("a folder of ours");
    let is_root = fs::write(folder.path().join("probe"), "").is_ok();
    // Root writes everywhere but to the kernel's own folders.
    let data = if is_root {
        Path::new("/proc/self")
    } else {
        folder.path()
    };
    says(
        &storage(data).await,
        74,
        &[&data.display().to_string(), "cannot be written"],
    );
}

#[tokio::test]
async fn a_port_in_use_ends_with_69() {
    let deployment = Deployment::all().start().await;
    for (part, key) in [
        (Part::Storage, "storage.listen"),
        (Part::Storage, "storage.operator_listen"),
        (Part::Storage, "storage.admin_listen"),
        (Part::SipEdge, "sip-edge.listen_udp"),
        (Part::SipEdge, "sip-edge.listen_tcp"),
        (Part::SipEdge, "sip-edge.msrp_listen"),
        (Part::ControllingEdge, "controlling-edge.listen_udp"),
    ] {
        let taken = deployment.address(key).to_string();
        let data = deployment.scratch().join(fresh());
        let plan = Deployment::two_processes().set(key, &taken);
        says(
            &run::run(plan.stand_alone(part, &data)).await,
            69,
            &[&taken],
        );
    }
}

#[tokio::test]
async fn sigterm_ends_every_process_with_0() {
    let mut deployment = Deployment::three_processes().start().await;
    for part in [Part::ControllingEdge, Part::SipEdge, Part::Storage] {
        let status = deployment.terminate(part).await;
        assert_eq!(status.code(), Some(0), "{part:?}");
    }
    let mut deployment = Deployment::all().start().await;
    assert_eq!(deployment.terminate(Part::All).await.code(), Some(0));
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_clean_restart() {
    let mut scene = Scene::all().await;
    let bob = format!("bob-{}", fresh());
    let request = example::message(&bob);
    let exchange = scene.deposit(&request).await;
    let before = scene.operator.only(&restante_tests::uri(&bob)).await;
    assert_eq!(scene.deployment.terminate(Part::All).await.code(), Some(0));
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    assert_eq!(
        scene.operator.only(&restante_tests::uri(&bob)).await,
        before
    );
    let octets = scene.operator.request_octets(&before.message_id).await;
    assert_eq!(octets, exchange.request.octets());
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, [before.message_id]);
}
