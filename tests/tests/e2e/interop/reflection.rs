//! A client in another language that has none of our `.proto` files: it learns what there is by reflection.

use std::path::Path;

use restante_tests::run::run;
use restante_tests::{Scene, somebody, uri};
use tokio::process::Command;

use super::is_satisfied;

/// Debian's Python, which has Debian's gRPC.
const PYTHON: &str = "/usr/bin/python3";

#[tokio::test]
async fn a_client_in_python_lists_and_shows_a_message_by_reflection_alone() {
    let has_grpc = std::process::Command::new(PYTHON)
        .args(["-c", "import grpc"])
        .status();
    let is_there = has_grpc.is_ok_and(|status| status.success());
    if !is_satisfied("python3-grpcio", is_there) {
        return;
    }
    let mut scene = Scene::all().await;
    let user = somebody();
    let stored = scene.deposit_text(&user, "Lunch?").await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/reflection.py");
    let mut command = Command::new(PYTHON);
    let server = scene.deployment.address("storage.operator_listen");
    command.arg(script).args([&server.to_string(), &uri(&user)]);
    let records = run(command).await.done().records();
    let [services, shown] = &records[..] else {
        panic!("{records:?}");
    };
    let services = services["services"].as_array().expect("a list");
    for service in [
        "restante.v1.MailboxService",
        "restante.v1.OperatorService",
        "grpc.health.v1.Health",
    ] {
        assert!(
            services.iter().any(|found| found == service),
            "{services:?}"
        );
    }
    let message = &shown["message"];
    assert_eq!(message["message_id"], stored.message_id.as_str());
    assert_eq!(message["served_user"], uri(&user).as_str());
    assert_eq!(message["state"], "MESSAGE_STATE_STORED");
    assert_eq!(message["headers"]["subject"], "Lunch");
    assert_eq!(shown["timeline"][0]["kind"], "EVENT_KIND_DEPOSITED");
}
