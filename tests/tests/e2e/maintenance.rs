//! Work on the data folder of a store that is stopped.

use std::path::Path;

use restante_tests::run::{self, Ended};
use restante_tests::{Part, Scene};

/// Runs `restante storage <arguments>` over this folder to its end.
async fn storage(data: &Path, arguments: &[&str]) -> Ended {
    let mut command = run::command("restante");
    command.arg("storage").args(arguments);
    command.env("RESTANTE_STORAGE__DATA_DIR", data);
    run::run(command).await
}

/// Puts the files of one folder, not those of the folders in it, into another.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder of ours");
    for entry in std::fs::read_dir(from).expect("a folder of ours") {
        let entry = entry.expect("readable");
        if entry.path().is_dir() {
            continue;
        }
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file of ours");
    }
}

fn number(message_id: &str) -> u64 {
    let digits = message_id.split('@').next().unwrap_or_default();
    digits.parse().expect("a decimal Message-ID")
}

#[tokio::test]
async fn a_store_that_served_is_sound() {
    let mut scene = Scene::all().await;
    for text in ["one", "two"] {
        scene.deposit_text("bob", text).await;
    }
    let data = scene.deployment.data();
    let refused = storage(&data, &["check"]).await;
    assert_eq!(
        refused.code,
        Some(74),
        "a running store is not checked: {}",
        refused.errors
    );
    scene.deployment.kill(Part::All).await;
    let checked = storage(&data, &["check"]).await.done();
    assert!(
        checked.output.contains("1 mailboxes, 2 messages"),
        "{}",
        checked.output
    );
    assert!(
        checked.output.contains("the store is sound"),
        "{}",
        checked.output
    );
    let folder = format!("data folder {}\n", data.display());
    assert!(checked.output.contains(&folder), "{}", checked.output);
}

#[tokio::test]
async fn where_the_configuration_names_no_store_none_is_made_and_none_is_sound() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    for command in ["check", "restore"] {
        let mut elsewhere = run::command("restante");
        elsewhere
            .args(["storage", command])
            .current_dir(folder.path());
        let refused = run::run(elsewhere).await;
        assert_eq!(refused.code, Some(74), "{}", refused.output);
        let said = format!("no store in {}: it does not exist", data.display());
        assert!(refused.errors.contains(&said), "{}", refused.errors);
        assert!(!data.exists());
    }
}

#[tokio::test]
async fn ct_sto_11_an_older_copy_is_refused_until_it_is_restored() {
    let mut scene = Scene::all().await;
    scene.deployment.terminate(Part::All).await;
    let data = scene.deployment.data();
    let backup = scene.deployment.scratch().join("backup");
    copy(&data.join("db"), &backup);

    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    let last = scene.deposit_text("bob", "after the backup").await;
    scene.deployment.terminate(Part::All).await;
    // The next start puts on record what has been handed out.
    scene.deployment.launch(Part::All).await;
    scene.deployment.terminate(Part::All).await;

    std::fs::remove_dir_all(data.join("db")).expect("a folder of ours");
    copy(&backup, &data.join("db"));
    let refused = storage(&data, &["check"]).await;
    assert_eq!(refused.code, Some(74), "{}", refused.errors);
    assert!(
        refused.errors.contains("restante storage restore"),
        "{}",
        refused.errors
    );

    storage(&data, &["restore"]).await.done();
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    let next = scene.deposit_text("bob", "after the restore").await;
    assert!(
        number(&next.message_id) > number(&last.message_id),
        "{} then {}",
        last.message_id,
        next.message_id
    );
}

#[tokio::test]
async fn ct_sto_11_a_backup_made_by_copying_the_folder_never_repeats_a_message_id() {
    let mut scene = Scene::all().await;
    scene.deposit_text("bob", "before the backup").await;
    scene.deployment.terminate(Part::All).await;
    let data = scene.deployment.data();
    let backup = scene.deployment.scratch().join("backup");
    copy(&data, &backup);
    copy(&data.join("db"), &backup.join("db"));

    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    let last = scene.deposit_text("bob", "after the backup").await;
    scene.deployment.terminate(Part::All).await;

    std::fs::remove_dir_all(&data).expect("a folder of ours");
    copy(&backup, &data);
    copy(&backup.join("db"), &data.join("db"));
    let refused = storage(&data, &["check"]).await;
    assert_eq!(refused.code, Some(74), "{}", refused.errors);
    assert!(
        refused.errors.contains("restante storage restore"),
        "{}",
        refused.errors
    );

    storage(&data, &["restore"]).await.done();
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    let next = scene.deposit_text("bob", "after the restore").await;
    assert!(number(&next.message_id) > number(&last.message_id));
}
