//! Requirements §5.14: users with several devices.

use proto::v1::{DeviceState, MessageState};
use restante_tests::msrp::{Acceptance, PushSession, Setup};
use restante_tests::sip::example::{
    self, bare_register, embedded_ok, embedded_register, multipart,
};
use restante_tests::sip::{Arrival, SipText};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Deployment, Part, Scene, somebody, uri};

const A: &str = "<urn:uuid:00000000-0000-1000-8000-00000000000a>";
const B: &str = "<urn:uuid:00000000-0000-1000-8000-00000000000b>";

async fn everywhere() -> Scene {
    Scene::start(Deployment::all().set("delivery.scope", "all")).await
}

fn contact(instance: &str, parameters: &str) -> String {
    let host = if instance == A { 10 } else { 11 };
    format!(
        "<sip:bob@203.0.113.{host}:5060;transport=tcp>;+sip.instance=\"{instance}\";+g.oma.sip-im;\
         expires=3600{parameters}"
    )
}

/// The core tells that these Contacts are registered now.
async fn register(scene: &mut Scene, user: &str, contacts: &[String]) {
    let contacts = contacts.join(",");
    let parts = [
        embedded_register(user, &contacts),
        embedded_ok(user, &contacts),
    ];
    let body = multipart("3pr", "message/sip", &parts);
    let request = bare_register(user, 3_600).body("multipart/mixed;boundary=\"3pr\"", body);
    scene.registered(&request).await;
}

/// The push INVITE for one device of a user.
async fn invited(scene: &mut Scene, user: &str, instance: &str) -> Arrival {
    let uri = uri(user);
    let wanted = format!("*;+g.oma.sip-im;+sip.instance=\"{instance}\";require;explicit");
    let is_it = |text: &SipText| {
        text.start_line() == format!("INVITE {uri} SIP/2.0")
            && text.find("Accept-Contact") == Some(&wanted)
    };
    scene.core.expect("an INVITE for one device", is_it).await
}

async fn session(scene: &mut Scene, user: &str, instance: &str) -> PushSession {
    let invite = invited(scene, user, instance).await;
    PushSession::answer_invite(&mut scene.core, invite, Setup::Active).await
}

/// Takes what is pushed to one device.
async fn receive(scene: &mut Scene, user: &str, instance: &str, count: usize) -> Vec<String> {
    let mut session = session(scene, user, instance).await;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(session.take().await.message_id());
    }
    session.bye(&mut scene.core).await;
    ids
}

async fn devices(scene: &Scene, id: &str) -> Vec<(String, DeviceState, String)> {
    let message = scene.operator.message(id).await.expect("a message").message;
    let devices = message.expect("always set").devices;
    let of = |device: proto::v1::DeviceDelivery| {
        let state = device.state();
        (device.instance, state, device.reason)
    };
    devices.into_iter().map(of).collect()
}

#[tokio::test]
async fn ct_dev_01_the_first_device_that_answers_gets_all() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let mut ids = Vec::new();
    for text in ["one", "two"] {
        ids.push(scene.deposit_text(&bob, text).await.message_id);
    }
    register(&mut scene, &bob, &[contact(A, ""), contact(B, "")]).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    let mut accepted = None;
    let core = &mut scene.core;
    let mut session = PushSession::answer_with(core, invite, Setup::Active, |answer| {
        accepted = Some(answer.clone());
    })
    .await;
    let Acceptance { lines, sdp } = accepted.expect("answered");
    let invite = &session.invite;
    scene
        .core
        .answer_of_fork(invite, "second", "200 OK", &lines, &sdp)
        .await;
    for method in ["ACK", "BYE"] {
        let is_of_second =
            |text: &SipText| text.method() == Some(method) && text.tag("To") == Some("second");
        let request = scene.core.expect(method, is_of_second).await;
        if method == "BYE" {
            scene.core.answer(&request, "200 OK", &[], "").await;
        }
    }
    for id in &ids {
        assert_eq!(session.take().await.message_id(), *id);
    }
    session.bye(&mut scene.core).await;
    for id in &ids {
        scene.operator.until(id, MessageState::Delivered).await;
        assert_eq!(devices(&scene, id).await, [], "no device is told apart");
    }
    register(&mut scene, &bob, &[contact(A, ""), contact(B, "")]).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
}

#[tokio::test]
async fn ct_dev_02_each_device_gets_each_message_once() {
    let mut scene = everywhere().await;
    let user = somebody();
    let mut bob = Subscriber::behind(&scene.core, &user);
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    bob.notified(&mut scene.core).await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(scene.deposit_text(&user, text).await.message_id);
    }
    bob.notified_until(&mut scene.core, "Text-Message: 3/0 (3/0)")
        .await;
    register(&mut scene, &user, &[contact(A, "")]).await;
    assert_eq!(receive(&mut scene, &user, A, 3).await, ids);
    bob.notified_until(&mut scene.core, "Text-Message: 0/3 (0/3)")
        .await;
    for again in [A, B] {
        let contacts = match again {
            A => vec![contact(A, "")],
            _ => vec![contact(A, ""), contact(B, "")],
        };
        register(&mut scene, &user, &contacts).await;
        if again == B {
            assert_eq!(receive(&mut scene, &user, B, 3).await, ids);
        }
        scene.fence().await;
        assert_eq!(scene.unanswered_invites(&user), 0, "after {again}");
    }
    register(&mut scene, &user, &[contact(A, ""), contact(B, "")]).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&user), 0);
    for id in &ids {
        let delivered = |device: &str| {
            let by = "MSRP 200".to_owned();
            (device.to_owned(), DeviceState::Delivered, by)
        };
        assert_eq!(devices(&scene, id).await, [delivered(A), delivered(B)]);
    }
}

#[tokio::test]
async fn ct_dev_02_what_comes_while_one_is_served_goes_to_both() {
    let mut scene = everywhere().await;
    let bob = somebody();
    let first = scene.deposit_text(&bob, "first").await.message_id;
    register(&mut scene, &bob, &[contact(A, ""), contact(B, "")]).await;
    assert_eq!(
        receive(&mut scene, &bob, A, 1).await,
        std::slice::from_ref(&first)
    );
    let mut of_b = session(&mut scene, &bob, B).await;
    let message = of_b.next().await;
    assert_eq!(message.message_id(), first);
    let next = scene.deposit_text(&bob, "next").await.message_id;
    of_b.answer(message.last(), "200 OK").await;
    assert_eq!(
        of_b.take().await.message_id(),
        next,
        "in the session that stands"
    );
    of_b.bye(&mut scene.core).await;
    assert_eq!(receive(&mut scene, &bob, A, 1).await, [next]);
}

#[tokio::test]
async fn ct_dev_02_a_crash_in_between_takes_nothing_from_either() {
    let plan = Deployment::all()
        .set("delivery.scope", "all")
        .set("push.lease", "2s");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let mut ids = Vec::new();
    for number in 0..6 {
        let text = format!("number {number}");
        ids.push(scene.deposit_text(&bob, &text).await.message_id);
    }
    register(&mut scene, &bob, &[contact(A, ""), contact(B, "")]).await;
    let mut of_a = session(&mut scene, &bob, A).await;
    for id in &ids[..2] {
        assert_eq!(of_a.take().await.message_id(), *id);
        scene.operator.until(id, MessageState::Delivered).await;
    }
    of_a.next().await;
    scene.deployment.kill(Part::All).await;
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    assert_eq!(receive(&mut scene, &bob, A, 4).await, ids[2..]);
    assert_eq!(receive(&mut scene, &bob, B, 6).await, ids);
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
}

#[tokio::test]
async fn ct_dev_03_what_one_device_refuses_another_takes() {
    let mut scene = everywhere().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    register(&mut scene, &bob, &[contact(A, ""), contact(B, "")]).await;
    let mut of_a = session(&mut scene, &bob, A).await;
    let message = of_a.next().await;
    of_a.answer(message.last(), "415 Unsupported media type")
        .await;
    of_a.bye(&mut scene.core).await;
    assert_eq!(
        receive(&mut scene, &bob, B, 1).await,
        std::slice::from_ref(&id)
    );
    scene.operator.until(&id, MessageState::Delivered).await;
    let expected = [
        (A.to_owned(), DeviceState::Waiting, "MSRP 415".to_owned()),
        (B.to_owned(), DeviceState::Delivered, "MSRP 200".to_owned()),
    ];
    assert_eq!(devices(&scene, &id).await, expected);
    let content = scene.operator.request_octets(&id).await;
    assert!(!content.is_empty(), "A has still to get it");
}

#[tokio::test]
async fn ct_dev_03_a_device_that_is_away_holds_up_no_other() {
    let mut scene = everywhere().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    register(&mut scene, &bob, &[contact(A, ""), contact(B, "")]).await;
    let invite = invited(&mut scene, &bob, A).await;
    scene
        .core
        .answer(&invite, "480 Temporarily Unavailable", &[], "")
        .await;
    assert_eq!(
        receive(&mut scene, &bob, B, 1).await,
        std::slice::from_ref(&id)
    );
    scene.operator.until(&id, MessageState::Delivered).await;
    let of_a = devices(&scene, &id).await.remove(0);
    let (state, reason) = (of_a.1, of_a.2);
    assert_eq!(
        (state, reason.starts_with("INVITE 480")),
        (DeviceState::Waiting, true),
        "{reason}"
    );
    register(&mut scene, &bob, &[contact(A, ""), contact(B, "")]).await;
    assert_eq!(receive(&mut scene, &bob, A, 1).await, [id]);
}

#[tokio::test]
async fn chat_clients_of_rcs_know_the_store_by_its_user_part() {
    let plan = Deployment::all().set("compat.rcse_standfw", "true");
    let mut scene = Scene::start(plan).await;
    for (privacy, referred_by) in [("none", Some("<sip:alice@example.org>")), ("id", None)] {
        let bob = somebody();
        let request = example::message(&bob).set("Privacy", privacy);
        scene.deposit(&request).await;
        scene.register(&bob).await;
        let invite = scene.core.request("INVITE", &uri(&bob)).await;
        let asserted = invite.text.field("P-Asserted-Identity");
        assert!(asserted.starts_with("<sip:rcse-standfw@"), "{asserted}");
        assert_eq!(invite.text.find("Referred-By"), referred_by, "{privacy}");
        let mut session = PushSession::answer_invite(&mut scene.core, invite, Setup::Active).await;
        session.take().await;
        session.bye(&mut scene.core).await;
    }
}

#[tokio::test]
async fn ct_dev_02_a_gruu_is_where_a_device_is_found() {
    let mut scene = everywhere().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let gruu = format!(
        "{};gr=urn:uuid:00000000-0000-1000-8000-00000000000a",
        uri(&bob)
    );
    let elsewhere = "sip:mallory@example.net;gr=x";
    let contacts = [
        contact(A, &format!(";pub-gruu=\"{gruu}\"")),
        contact(B, &format!(";pub-gruu=\"{elsewhere}\"")),
    ];
    register(&mut scene, &bob, &contacts).await;
    let invite = scene.core.request("INVITE", &gruu).await;
    let wanted = Some("*;+g.oma.sip-im;require;explicit");
    assert_eq!(invite.text.find("Accept-Contact"), wanted);
    let mut of_a = PushSession::answer_invite(&mut scene.core, invite, Setup::Active).await;
    assert_eq!(of_a.take().await.message_id(), id);
    of_a.bye(&mut scene.core).await;
    // One that is not of the user is not believed.
    assert_eq!(receive(&mut scene, &bob, B, 1).await, [id]);
}
