//! Requirements §5.1 and §5.3: who has a mailbox, and under which addresses, where users are listed.

use proto::v1::Message;
use restante_tests::sip::{RequestText, example, fresh};
use restante_tests::{Deployment, Part, Scene, uri};
use serde_json::Value;

const NOT_FOUND: u16 = 404;

async fn listed() -> Scene {
    Scene::start(Deployment::all().set("provisioning", "listed")).await
}

/// A telephone number nobody else has.
fn number() -> String {
    let digits: String = fresh()
        .bytes()
        .map(|octet| (octet % 10).to_string())
        .collect();
    format!("+1555{}", &digits[..digits.len().min(10)])
}

/// What `restantectl user …` answers, a record per line.
async fn user(scene: &Scene, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let arguments = [&["user"], arguments].concat();
    let ended = scene.deployment.restantectl(&arguments).await;
    (ended.code, ended.records())
}

/// Has `restantectl user …` succeed.
async fn changed(scene: &Scene, arguments: &[&str]) -> Vec<Value> {
    let (code, records) = user(scene, arguments).await;
    assert_eq!(code, Some(0), "{records:?}");
    records
}

/// The example message with this Request-URI, which alone names the served user.
fn to(request_uri: &str) -> RequestText {
    example::message("bob")
        .without("P-Served-User")
        .start_line(&format!("MESSAGE {request_uri} SIP/2.0"))
}

fn ids(messages: &[Message]) -> Vec<&str> {
    let ids = messages.iter().map(|message| message.message_id.as_str());
    ids.collect()
}

#[tokio::test]
async fn ct_pfm_32_users_and_aliases_come_and_go_with_their_mail() {
    let mut scene = listed().await;
    let (bob, tel) = (format!("bob-{}", fresh()), format!("tel:{}", number()));
    assert_eq!(scene.status(&to(&uri(&bob))).await, NOT_FOUND);
    changed(&scene, &["add", &uri(&bob)]).await;
    scene.deposit(&to(&uri(&bob))).await;
    assert_eq!(scene.status(&to(&tel)).await, NOT_FOUND);
    let added = changed(&scene, &["alias", "add", &uri(&bob), &tel]).await;
    assert_eq!(added[0]["user"]["aliases"], serde_json::json!([tel]));
    scene.deposit(&to(&tel)).await;
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 2);
    changed(&scene, &["alias", "remove", &uri(&bob), &tel]).await;
    assert_eq!(scene.status(&to(&tel)).await, NOT_FOUND);
    let (code, refused) = user(&scene, &["delete", &uri(&bob)]).await;
    assert_eq!(code, Some(1));
    assert_eq!(refused[0]["error"]["code"], "failed_precondition");
    let stored = scene.operator.list(&uri(&bob)).await;
    let delete = [&["delete", "--yes"], &ids(&stored)[..]].concat();
    assert_eq!(scene.deployment.restantectl(&delete).await.code, Some(0));
    changed(&scene, &["delete", &uri(&bob)]).await;
    assert_eq!(
        changed(&scene, &["list", &uri(&bob)]).await,
        [Value::Null; 0]
    );
    for request_uri in [&uri(&bob), &tel] {
        assert_eq!(scene.status(&to(request_uri)).await, NOT_FOUND);
    }
    scene.deployment.kill(Part::All).await;
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    for request_uri in [&uri(&bob), &tel] {
        assert_eq!(scene.status(&to(request_uri)).await, NOT_FOUND);
    }
}

#[tokio::test]
async fn ct_pfm_22_only_the_canonical_form_of_a_listed_address_counts() {
    let mut scene = listed().await;
    let (bob, number) = (format!("bob-{}", fresh()), number());
    let typed = format!("SIPS:{bob}@EXAMPLE.org:5061;transport=tcp");
    changed(&scene, &["add", &typed]).await;
    let separated = format!("+1-(555)-{}", &number[5..]);
    changed(&scene, &["alias", "add", &uri(&bob), &separated]).await;
    let upper = format!("sip:{}@example.org", bob.to_uppercase());
    assert_eq!(scene.status(&to(&upper)).await, NOT_FOUND);
    let spellings = [
        format!("sip:{bob}@EXAMPLE.org:5060;transport=tcp"),
        format!("tel:{number}"),
        format!("tel:+1.555.{};ext=7", &number[5..]),
    ];
    for spelling in &spellings {
        scene.deposit(&to(spelling)).await;
    }
    let stored = scene.operator.list(&uri(&bob)).await;
    assert_eq!(stored.len(), spellings.len());
    assert_eq!(scene.operator.list("").await.len(), spellings.len());
}

#[tokio::test]
async fn ct_sto_06_mail_to_both_addresses_of_an_account_is_one_mailbox_and_one_push() {
    let mut scene = listed().await;
    let (bob, tel) = (format!("bob-{}", fresh()), format!("tel:{}", number()));
    changed(&scene, &["add", &uri(&bob)]).await;
    changed(&scene, &["alias", "add", &uri(&bob), &tel]).await;
    for request_uri in [&tel, &uri(&bob), &tel] {
        scene.deposit(&to(request_uri)).await;
    }
    let stored = scene.operator.list(&tel).await;
    assert_eq!(stored, scene.operator.list(&uri(&bob)).await);
    let mailbox = scene.operator.mailbox(&tel).await.expect("a mailbox");
    assert_eq!(mailbox.served_user, uri(&bob));
    assert_eq!(mailbox.text.expect("always set").new, 3);
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 3).await, ids(&stored));
    assert_eq!(scene.unanswered_invites(&bob), 0);
}

#[tokio::test]
async fn ct_pfm_16_a_listed_user_has_a_mailbox_and_his_neighbour_has_none() {
    let mut scene = listed().await;
    let bob = format!("bob-{}", fresh());
    changed(&scene, &["add", &uri(&bob)]).await;
    scene.deposit(&to(&uri(&bob))).await;
    assert_eq!(scene.status(&to(&uri("neighbour"))).await, NOT_FOUND);
    // A registration makes nobody known either.
    scene.call(&example::register("neighbour")).await;
    assert_eq!(scene.status(&to(&uri("neighbour"))).await, NOT_FOUND);
    let known = changed(&scene, &["list"]).await;
    assert_eq!(known.len(), 1);
    assert_eq!(known[0]["served_user"], uri(&bob));
}
