//! Storage, participating edge and controlling edge behind Kamailio: a message to a group reaches members who are online
//! by the core, and those who are not when they are back: by the core, the participating edge, and the core again.

use proto::v1::{Event, EventKind};
use restante_tests::patience::{START, eventually, within};
use restante_tests::run::{Ended, run};
use restante_tests::sip::{example, fresh};
use restante_tests::uri;
use serde_json::Value;
use tokio::process::Child;

use super::are_there;
use super::kamailio::Passwords;
use super::site::Site;

/// Octets of the large message.
const OCTETS: usize = 300_001;

/// What a client had received when it ended.
async fn received(client: Child) -> Vec<Value> {
    let output = within(START, "the end of im-client", client.wait_with_output()).await;
    let output = output.expect("our own child");
    let ended = Ended {
        code: output.status.code(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    ended.done().records()
}

/// Both messages, each once, in whatever order.
fn assert_both(received: &[Value], text: &str) {
    let octets = |wanted: usize| {
        let with = received.iter().filter(|record| record["octets"] == wanted);
        with.count()
    };
    assert_eq!(received.len(), 2, "{received:?}");
    assert_eq!((octets(text.len()), octets(OCTETS)), (1, 1), "{received:?}");
}

#[tokio::test]
async fn members_of_a_group_get_its_messages_online_and_offline_behind_kamailio() {
    if !are_there(&["kamailio", "stdbuf"]) {
        return;
    }
    let site = Site::start(Passwords::NotAsked).await;
    let (bob, carol) = (
        uri(&format!("bob-{}", fresh())),
        uri(&format!("carol-{}", fresh())),
    );
    let team = uri(&format!("group-{}", fresh()));
    site.operator(&["group", "create", &team, example::ALICE, &bob, &carol])
        .await;
    let at_bob = site.online(&bob, &["--count", "2"]).await;

    // Alice writes, and sends a file.
    let text = "Lunch at noon?";
    let file = site.deployment.scratch().join("plan.bin");
    std::fs::write(&file, vec![b'x'; OCTETS]).expect("writable");
    let said = run(site.client(example::ALICE, &["send", &team, text])).await;
    assert_eq!(said.done().output, "202 Accepted\n");
    let plan = file.to_str().expect("a path in UTF-8");
    let said = run(site.client(example::ALICE, &["send", &team, "--file", plan])).await;
    assert_eq!(said.done().output, format!("taken, {OCTETS} octets\n"));

    // Bob has both, straight from the controlling edge.
    assert_both(&received(at_bob).await, text);
    for class in ["pager", "large"] {
        let job = site.finished(class).await;
        assert_eq!(job["addressed_to"], team.as_str(), "{job}");
        assert_eq!(
            (&job["total"], &job["delivered"]),
            (&2.into(), &2.into()),
            "{job}"
        );
        let number = job["job"].as_u64().expect("a number").to_string();
        for leg in site.operator(&["job", "show", &number]).await {
            // 200 of a client, 202 of the participating edge.
            let is_deferred = leg["target"] == carol.as_str() && class == "pager";
            let status = if is_deferred { 202 } else { 200 };
            assert_eq!(leg["status"], status, "{leg}");
            assert_eq!(leg["attempts"], 1, "{leg}");
        }
    }
    assert!(site.operator(&["list", "--to", &bob]).await.is_empty());

    // Carol's wait for her, and are pushed when she registers.
    let waiting = site.operator(&["list", "--to", &carol]).await;
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    for message in &waiting {
        assert_eq!(message["sender"], example::ALICE, "{message}");
    }
    let at_carol = site.online(&carol, &["--count", "2"]).await;
    assert_both(&received(at_carol).await, text);
    site.kamailio.stop().await;
}

/// Sends to somebody whose client is known to Kamailio and takes nothing. It waits for him, and a push that does not
/// reach him does not come back to where it is from.
async fn is_deferred(site: &Site, user: &str) {
    let said = run(site.client(example::ALICE, &["send", user, "Still there?"])).await;
    assert_eq!(said.done().output, "202 Accepted\n");
    let operator = site.deployment.operator();
    let message = operator.only(user).await.message_id;
    operator.push(user, false).await.expect("he is known");
    let failed = eventually(START, "the end of the push", async || {
        let timeline = operator.message(&message).await.ok()?.timeline;
        let is_failure = |event: &Event| event.kind() == EventKind::AttemptFailed;
        timeline.into_iter().find(is_failure)
    })
    .await;
    assert!(failed.detail.contains("480"), "{failed:?}");
    operator.only(user).await;
}

#[tokio::test]
async fn what_a_registered_client_does_not_take_is_deferred_behind_kamailio() {
    if !are_there(&["kamailio", "stdbuf"]) {
        return;
    }
    let site = Site::start(Passwords::NotAsked).await;
    let (bob, carol) = (
        uri(&format!("bob-{}", fresh())),
        uri(&format!("carol-{}", fresh())),
    );
    let mut vanishing = site.online(&bob, &["--count", "1"]).await;
    vanishing.kill().await.expect("our own child");
    is_deferred(&site, &bob).await;
    let refusing = site.online(&carol, &["--reject", "480"]).await;
    is_deferred(&site, &carol).await;

    let back = site.online(&bob, &["--count", "1"]).await;
    assert_eq!(received(back).await.len(), 1);
    drop(refusing);
    site.kamailio.stop().await;
}
