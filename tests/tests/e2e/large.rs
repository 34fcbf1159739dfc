//! Large messages from end to end: by the reference client to somebody who is away, and to him when he is back.

use std::path::Path;

use proto::v1::MessageState;
use restante_tests::sip::{example, fresh};
use restante_tests::{Deployment, run, uri};
use sha2::{Digest as _, Sha256};

/// Octets of no pattern that a chunk could repeat.
fn content(octets: usize) -> Vec<u8> {
    let numbers = (0..octets.div_ceil(8)).map(|at| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut content: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
    content.truncate(octets);
    content
}

fn sha256(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    hash.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[tokio::test]
async fn a_large_file_to_somebody_away_reaches_him_to_the_octet() {
    let deployment = Deployment::all().start().await;
    let user = uri(&format!("bob-{}", fresh()));
    let folder = tempfile::tempdir().expect("a folder");
    let (plan, kept) = (folder.path().join("plan.bin"), folder.path().join("kept"));
    let content = content(5_000_001);
    std::fs::write(&plan, &content).expect("writable");

    let send = ["send", &user, "--file", text(&plan), "--attachment"];
    let sent = run::run(deployment.im_client(example::ALICE, &send)).await;
    assert_eq!(sent.done().output, "taken, 5000001 octets\n");

    let message = deployment.operator().only(&user).await;
    assert_eq!(
        (message.state(), message.sender.as_str()),
        (MessageState::Stored, example::ALICE)
    );
    assert_eq!(message.body_octets, 5_000_001);
    assert_eq!(message.sha256, Sha256::digest(&content).to_vec());
    let file = message.file.as_ref().expect("it is a file");
    assert_eq!(file.name, "plan.bin");

    let receive = [
        "receive",
        "--count",
        "1",
        "--for",
        "60s",
        "--json",
        "--save",
        text(&kept),
    ];
    let received = run::run(deployment.im_client(&user, &receive)).await;
    let received = received.done().records();
    assert_eq!(received[0]["message_id"], message.message_id.as_str());
    assert_eq!(received[0]["kind"], "message/msrp");
    assert_eq!(received[0]["octets"], 5_000_001);
    assert_eq!(received[0]["sha256"], sha256(&content));
    assert_eq!(received[0]["file_name"], "plan.bin");
    let saved = received[0]["saved"].as_str().expect("it was saved");
    assert!(std::fs::read(saved).expect("it is there") == content);
    assert_eq!(
        deployment.operator().state(&message.message_id).await,
        MessageState::Delivered
    );
}

#[tokio::test]
async fn many_large_messages_at_a_time_are_all_taken() {
    let deployment = Deployment::all().start().await;
    let load = [
        "load-large",
        "--parallel",
        "20",
        "--count",
        "40",
        "--size",
        "100KiB",
        "--mailboxes",
        "40",
        "--json",
    ];
    let report = run::run(deployment.im_client(example::ALICE, &load)).await;
    let report = &report.done().records()[0];
    assert_eq!(report["accepted"], 40, "{report}");
    for user in ["user-0", "user-39"] {
        let message = deployment.operator().only(&uri(user)).await;
        assert_eq!(message.body_octets, 100 * 1024);
    }
}
