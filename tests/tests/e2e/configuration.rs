//! What is written wrongly is said at once, with its place (design 4).

use std::fs;

use restante_tests::run::{self, Ended};

async fn check(text: &str, role: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("restante.toml");
    fs::write(&file, text).expect("a file of ours");
    let mut command = run::command("restante");
    command.arg(role).arg("--check").arg("--config").arg(&file);
    run::run(command).await
}

#[tokio::test]
async fn all_mistakes_are_reported_at_once_with_their_places() {
    let text = "\
[storage]
listen = \"here\"
hostnam = \"store.example.org\"
[push]
delay = 5
max_sessions = 0
[sip]
next_hop = \"tel:+1\"
[nonsense]
key = 1
";
    for role in ["all", "storage", "sip-edge", "controlling-edge"] {
        let ended = check(text, role).await;
        assert_eq!(ended.code, Some(78), "{}", ended.errors);
        for place in [
            "restante.toml:2:",
            "restante.toml:3:",
            "restante.toml:5:",
            "restante.toml:6:",
            "restante.toml:8:",
            "nonsense",
        ] {
            assert!(ended.errors.contains(place), "{place} in\n{}", ended.errors);
        }
        assert!(
            ended
                .errors
                .lines()
                .all(|line| line.starts_with("restante: ")),
            "{}",
            ended.errors
        );
    }
}

#[tokio::test]
async fn a_wrong_variable_of_the_environment_is_named() {
    let mut command = run::command("restante");
    command.args(["all", "--check"]);
    command
        .env("RESTANTE_PUSH__DELAY", "soon")
        .env("RESTANTE_PUSH__DELEY", "5s");
    let ended = run::run(command).await;
    assert_eq!(ended.code, Some(78));
    assert!(
        ended.errors.contains("RESTANTE_PUSH__DELAY"),
        "{}",
        ended.errors
    );
    assert!(
        ended.errors.contains("RESTANTE_PUSH__DELEY"),
        "{}",
        ended.errors
    );
}

#[tokio::test]
async fn the_default_file_is_sound_for_every_process() {
    let mut command = run::command("restante");
    command.args(["config", "default"]);
    let default = run::run(command).await.done().output;
    assert!(
        default.contains("[sip-edge]") && default.contains("[storage]"),
        "{default}"
    );
    for role in ["all", "storage", "sip-edge", "controlling-edge"] {
        let ended = check(&default, role).await.done();
        assert_eq!(ended.output, "the configuration is sound\n");
    }
}

#[tokio::test]
async fn a_missing_file_is_a_mistake() {
    let mut command = run::command("restante");
    command.args(["all", "--check", "--config", "/nonexistent/restante.toml"]);
    let ended = run::run(command).await;
    assert_eq!(ended.code, Some(78), "{}", ended.errors);
    assert!(
        ended.errors.contains("/nonexistent/restante.toml"),
        "{}",
        ended.errors
    );
}

#[tokio::test]
async fn a_wrong_command_line_ends_with_64() {
    let mut command = run::command("restante");
    command.arg("nonsense");
    assert_eq!(run::run(command).await.code, Some(64));
}
