//! Requirements §5.4: what triggers a push.

use proto::v1::{MessageState, PushPlan};
use restante_tests::sip::example::{
    IM_CONTACT, bare_register, embedded_ok, embedded_register, multipart,
};
use restante_tests::sip::{RequestText, example, fresh};
use restante_tests::{Deployment, Scene, uri};

fn somebody() -> String {
    format!("bob-{}", fresh())
}

const WITHOUT_TAG: &str = "<sip:bob@203.0.113.9:5060;transport=tcp>;expires=3600";

#[tokio::test]
async fn ct_dlv_01_a_third_party_register_triggers_one_invite() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let first = scene.deposit_text(&bob, "one").await.message_id;
    let second = scene.deposit_text(&bob, "two").await.message_id;
    let response = scene.register(&bob).await.response;
    assert_eq!(
        response.field("Contact"),
        "<sip:scscf1.example.org>;expires=3600"
    );
    assert_eq!(scene.receive(&bob, 2).await, [first, second]);
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
}

#[tokio::test]
async fn ct_dlv_02_the_push_invite_says_what_it_is() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    scene.deposit_text(&bob, "hi").await;
    scene.register(&bob).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await.text;
    assert_eq!(
        invite.field("Accept-Contact"),
        "*;+g.oma.sip-im;require;explicit"
    );
    assert!(
        invite.field("User-Agent").starts_with("IM-serv/"),
        "{invite}"
    );
    assert!(invite.field("Allow").contains("BYE"), "{invite}");
    let contact = invite.field("Contact");
    assert!(
        contact.contains(";automata") && contact.contains(";+g.oma.sip-im"),
        "{contact}"
    );
    assert!(
        invite.field("Session-Expires").ends_with(";refresher=uac"),
        "{invite}"
    );
    assert_eq!(invite.field("Supported"), "timer");
    assert!(
        String::from_utf8_lossy(invite.body()).contains("\r\na=sendonly\r\n"),
        "{invite}"
    );
}

#[tokio::test]
async fn ct_dlv_03_a_refresh_triggers_if_something_is_stored_and_else_not() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    scene.register(&bob).await;
    scene.register(&bob).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_dlv_04_a_deregistration_triggers_nothing() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    scene.register(&bob).await;
    scene.deposit_text(&bob, "hi").await;
    scene.registered(&bare_register(&bob, 0)).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let mailbox = scene.operator.mailbox(&uri(&bob)).await.expect("a mailbox");
    assert_eq!(mailbox.bindings, []);
}

#[tokio::test]
async fn ct_dlv_04_a_deregistration_ends_the_push_after_the_messages_in_flight() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let mut ids = Vec::new();
    for number in 0..6 {
        let text = format!("number {number}");
        ids.push(scene.deposit_text(&bob, &text).await.message_id);
    }
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let mut in_flight = Vec::new();
    for _ in 0..4 {
        in_flight.push(session.next().await);
    }
    scene.deregister(&bob).await;
    scene.fence().await;
    for message in &in_flight {
        session.answer(message.last(), "200 OK").await;
    }
    session.bye(&mut scene.core).await;
    for id in &ids[..4] {
        scene.operator.until(id, MessageState::Delivered).await;
    }
    for id in &ids[4..] {
        scene.operator.until(id, MessageState::Stored).await;
    }
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 2).await, ids[4..]);
}

#[tokio::test]
async fn ct_dlv_04_a_deregistration_takes_back_an_invite_that_rings() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    scene.core.answer(&invite, "180 Ringing", &[], "").await;
    scene.deregister(&bob).await;
    let cancel = scene.core.request("CANCEL", &uri(&bob)).await;
    scene.core.answer(&cancel, "200 OK", &[], "").await;
    let status = "487 Request Terminated";
    scene.core.answer(&invite, status, &[], "").await;
    scene.core.acknowledged(&invite).await;
    scene.operator.until(&id, MessageState::Stored).await;
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

/// Whether a REGISTER makes an IM registration, as an operator sees it.
async fn has_im_tag(scene: &mut Scene, user: &str, register: &RequestText) -> bool {
    scene.deposit_text(user, "hi").await;
    scene.registered(register).await;
    let mailbox = scene.operator.mailbox(&uri(user)).await.expect("a mailbox");
    assert_eq!(mailbox.bindings.len(), 1, "{mailbox:?}");
    mailbox.bindings[0].has_im_tag
}

fn with_embedded(user: &str, contact: &str) -> RequestText {
    bare_register(user, 3600).body("message/sip", embedded_register(user, contact))
}

#[tokio::test]
async fn ct_dlv_05_the_tag_decides_where_a_register_is_embedded() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    assert!(!has_im_tag(&mut scene, &bob, &with_embedded(&bob, WITHOUT_TAG)).await);
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let bob = somebody();
    let upper = IM_CONTACT.replace("+g.oma.sip-im", "+G.OMA.SIP-IM");
    assert!(has_im_tag(&mut scene, &bob, &with_embedded(&bob, &upper)).await);
    scene.receive(&bob, 1).await;
    let bob = somebody();
    assert!(
        has_im_tag(&mut scene, &bob, &bare_register(&bob, 3600)).await,
        "trust-ifc"
    );
    scene.receive(&bob, 1).await;
}

#[tokio::test]
async fn ct_dlv_05b_every_body_shape_is_understood() {
    let mut scene = Scene::all().await;
    let service_info = "<?xml version=\"1.0\"?><ims-3gpp version=\"1\"><service-info/></ims-3gpp>";
    type Shape = fn(&str, RequestText) -> RequestText;
    let shapes: [Shape; 5] = [
        |_, register| register,
        |user, register| register.body("message/sip", embedded_register(user, IM_CONTACT)),
        |user, register| register.body("message/sip", embedded_ok(user, "")),
        |user, register| {
            let parts = [
                embedded_register(user, IM_CONTACT),
                embedded_ok(user, IM_CONTACT),
            ];
            register.body(
                "multipart/mixed;boundary=b1",
                multipart("b1", "message/sip", &parts),
            )
        },
        |user, register| {
            let parts = [embedded_ok(user, IM_CONTACT)];
            register.body(
                "multipart/mixed; boundary=\"b 2\"",
                multipart("b 2", "message/sip", &parts),
            )
        },
    ];
    let only_service_info =
        |register: RequestText| register.body("application/3gpp-ims+xml", service_info);
    let users: Vec<String> = (0..=shapes.len()).map(|_| somebody()).collect();
    for (index, user) in users.iter().enumerate() {
        scene.deposit_text(user, "hi").await;
        let register = bare_register(user, 3600)
            .line("Event: registration")
            .line("Path: <sip:pcscf1.example.org;lr>");
        let register = match shapes.get(index) {
            Some(shape) => shape(user, register),
            None => only_service_info(register),
        };
        scene.registered(&register).await;
        scene.receive(user, 1).await;
    }
}

#[tokio::test]
async fn ct_dlv_09_three_registers_at_once_make_one_invite() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(scene.core.send(&scene.way, &example::register(&bob)).await);
    }
    for request in &sent {
        assert_eq!(scene.core.response_to(request).await.status(), Some(200));
    }
    let mut session = scene.accept_push(&bob).await;
    assert_eq!(session.take().await.message_id(), id);
    session.bye(&mut scene.core).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
}

#[tokio::test]
async fn ct_dlv_11_an_operator_pushes_to_the_registered_and_by_force_to_all() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let reply = scene
        .operator
        .push(&uri(&bob), false)
        .await
        .expect("an answer");
    assert_eq!((reply.plan(), reply.waiting), (PushPlan::NotRegistered, 1));
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let reply = scene
        .operator
        .push(&uri(&bob), true)
        .await
        .expect("an answer");
    assert_eq!(reply.plan(), PushPlan::Started);
    assert_eq!(scene.receive(&bob, 1).await, [id]);
    let reply = scene
        .operator
        .push(&uri(&bob), true)
        .await
        .expect("an answer");
    assert_eq!((reply.plan(), reply.waiting), (PushPlan::NothingWaiting, 0));
    let unknown = scene
        .operator
        .push(&uri("nobody"), true)
        .await
        .expect_err("no mailbox");
    assert_eq!(unknown.code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn ct_dlv_32_a_deposit_for_a_registered_user_is_pushed_unless_switched_off() {
    let plan = Deployment::all().set("push.on_deposit", "50ms");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    scene.register(&bob).await;
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
    let mut scene = Scene::all().await;
    let carol = somebody();
    scene.register(&carol).await;
    scene.deposit_text(&carol, "hi").await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&carol), 0);
    assert_eq!(scene.states(&carol).await, [MessageState::Stored]);
}
