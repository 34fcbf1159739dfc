//! Requirements §5.14: a sender recalls what has not gone out yet.

use std::time::{Duration, UNIX_EPOCH};

use proto::v1::{EventKind, ListMessagesRequest, Message, MessageState, RecallMessageRequest};
use restante_tests::msrp::{PushSession, Setup};
use restante_tests::patience::{START, eventually};
use restante_tests::sip::{example, fresh};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Deployment, Part, Scene, somebody, uri};
use tonic::Code;

const CPIM: &str = "message/cpim";

fn recall(id: &str) -> RecallMessageRequest {
    RecallMessageRequest {
        sender: example::ALICE.to_owned(),
        message_id: id.to_owned(),
        reason: "a mistake".to_owned(),
        ..RecallMessageRequest::default()
    }
}

async fn refusal(scene: &Scene, wish: RecallMessageRequest) -> Code {
    let answer = scene.operator.recall(wish).await;
    answer.expect_err("refused").code()
}

/// A message that its sender has given an id of his own.
async fn deposit_cpim(scene: &mut Scene, user: &str, imdn_message_id: &str) -> Message {
    let body = format!(
        "From: Alice <{}>\r\nTo: Bob <{}>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
         imdn.Message-ID: {imdn_message_id}\r\n\r\n\
         Content-Type: text/plain\r\n\r\nhi {}",
        example::ALICE,
        uri(user),
        fresh()
    );
    let request = example::message(user).body(CPIM, body);
    scene.deposit(&request).await;
    scene.find(user, &request.field("Call-ID")).await
}

#[tokio::test]
async fn ct_rcl_01_a_sender_recalls_by_either_name_of_his_message() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let mut bob = Subscriber::behind(&scene.core, &user);
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    bob.notified(&mut scene.core).await;
    let first = scene.deposit_text(&user, "first").await.message_id;
    let own_id = fresh();
    let second = deposit_cpim(&mut scene, &user, &own_id).await.message_id;
    let kept = scene.deposit_text(&user, "kept").await.message_id;
    bob.notified_until(&mut scene.core, "Text-Message: 3/0 (3/0)")
        .await;
    let recalled = scene.operator.recall(recall(&first)).await;
    let recalled = recalled.expect("it waits");
    assert_eq!(recalled.state(), MessageState::Recalled);
    assert!(!recalled.content_retained);
    let by_own_id = RecallMessageRequest {
        served_user: uri(&user),
        imdn_message_id: own_id,
        ..recall("")
    };
    let recalled = scene.operator.recall(by_own_id).await.expect("it waits");
    assert_eq!(recalled.message_id, second);
    bob.notified_until(&mut scene.core, "Text-Message: 1/0 (1/0)")
        .await;
    for id in [&first, &second] {
        let message = scene
            .operator
            .message(id)
            .await
            .expect("its timeline is kept");
        let kinds: Vec<_> = message
            .timeline
            .iter()
            .map(proto::v1::Event::kind)
            .collect();
        assert_eq!(kinds, [EventKind::Deposited, EventKind::Recalled]);
        let last = message.timeline.last().expect("an event");
        assert!(last.actor.starts_with("sender, by operator"), "{last:?}");
        assert_eq!(last.detail, "a mistake");
        let content = scene
            .operator
            .content(id, proto::v1::PartKind::Message)
            .await;
        assert_eq!(content.expect_err("it is gone").code(), Code::NotFound);
    }
    scene.register(&user).await;
    assert_eq!(scene.receive(&user, 1).await, [kept]);
    let refused = scene.operator.redeliver(&first).await;
    let refused = refused.expect_err("CT-GEN-04");
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn ct_rcl_01_what_is_claimed_and_not_sent_is_not_sent() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let first = scene.deposit_text(&user, "first").await.message_id;
    scene.register(&user).await;
    let invite = scene.core.request("INVITE", &uri(&user)).await;
    let next = scene.deposit_text(&user, "next").await.message_id;
    scene
        .operator
        .recall(recall(&first))
        .await
        .expect("its SEND has not begun");
    let core = &mut scene.core;
    let mut session = PushSession::answer_invite(core, invite, Setup::Active).await;
    assert_eq!(session.take().await.message_id(), next);
    session.bye(&mut scene.core).await;
    assert_eq!(scene.operator.state(&first).await, MessageState::Recalled);
}

#[tokio::test]
async fn ct_rcl_01_what_the_edge_has_in_hand_is_recalled_until_its_send_begins() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let mut ids = Vec::new();
    for number in 0..6 {
        let text = format!("number {number}");
        ids.push(scene.deposit_text(&user, &text).await.message_id);
    }
    scene.register(&user).await;
    let mut session = scene.accept_push(&user).await;
    // Four are on their way, two wait at the edge for a place in the window.
    let mut in_flight = Vec::new();
    for _ in 0..4 {
        in_flight.push(session.next().await);
    }
    scene
        .operator
        .recall(recall(&ids[4]))
        .await
        .expect("its SEND has not begun");
    scene.operator.delete(&ids[5]).await.expect("it waits");
    assert_eq!(
        refusal(&scene, recall(&ids[0])).await,
        Code::FailedPrecondition
    );
    for message in &in_flight {
        session.answer(message.last(), "200 OK").await;
    }
    session.bye(&mut scene.core).await;
    for id in &ids[..4] {
        scene.operator.until(id, MessageState::Delivered).await;
    }
    assert_eq!(scene.operator.state(&ids[4]).await, MessageState::Recalled);
    assert_eq!(scene.operator.state(&ids[5]).await, MessageState::Deleted);
}

#[tokio::test]
async fn ct_rcl_02_only_the_sender_recalls_and_only_what_has_not_gone_out() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let id = scene.deposit_text(&user, "hi").await.message_id;
    let carols = RecallMessageRequest {
        sender: "sip:carol@example.org".to_owned(),
        ..recall(&id)
    };
    let nobodys = recall(&format!("1@{}", id.split_once('@').expect("an id").1));
    let elsewhere = recall("1@elsewhere.example.net");
    let mut answers = Vec::new();
    for wish in [carols, nobodys, elsewhere] {
        let answer = scene.operator.recall(wish).await.expect_err("not hers");
        answers.push((answer.code(), answer.message().to_owned()));
    }
    assert_eq!(answers[0].0, Code::NotFound);
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    for half in [
        RecallMessageRequest {
            sender: String::new(),
            ..recall(&id)
        },
        recall(""),
        RecallMessageRequest {
            served_user: uri(&user),
            imdn_message_id: "x".to_owned(),
            ..recall(&id)
        },
    ] {
        assert_eq!(refusal(&scene, half).await, Code::InvalidArgument);
    }
    scene.register(&user).await;
    let mut session = scene.accept_push(&user).await;
    let message = session.next().await;
    assert_eq!(refusal(&scene, recall(&id)).await, Code::FailedPrecondition);
    session.answer(message.last(), "200 OK").await;
    session.bye(&mut scene.core).await;
    scene.operator.until(&id, MessageState::Delivered).await;
    assert_eq!(refusal(&scene, recall(&id)).await, Code::FailedPrecondition);
}

#[tokio::test]
async fn ct_rcl_02_a_new_process_knows_nothing_of_what_the_one_before_has_begun() {
    let plan = Deployment::two_processes().set("push.lease", "20s");
    let mut scene = Scene::start(plan).await;
    let user = somebody();
    let id = scene.deposit_text(&user, "hi").await.message_id;
    scene.register(&user).await;
    scene.core.request("INVITE", &uri(&user)).await;
    scene.deployment.kill(Part::SipEdge).await;
    scene.deployment.launch(Part::SipEdge).await;
    scene.reconnect().await;
    scene.fence().await;
    assert_eq!(refusal(&scene, recall(&id)).await, Code::Unavailable);
    let lapsed = eventually(START, "the end of the claim", async || {
        scene.operator.recall(recall(&id)).await.ok()
    });
    assert_eq!(lapsed.await.state(), MessageState::Recalled);
}

#[tokio::test]
async fn ct_rcl_02_a_sender_shortens_the_lifetime_of_his_message() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let stored = scene.deposit_text(&user, "hi").await;
    let id = stored.message_id.clone();
    let until = |seconds: i64| {
        let mut expires_at = stored.received_at;
        expires_at.iter_mut().for_each(|at| at.seconds += seconds);
        RecallMessageRequest {
            expires_at,
            ..recall(&id)
        }
    };
    for refused in [-1, 30 * 86_400] {
        let code = refusal(&scene, until(refused)).await;
        assert_eq!(code, Code::FailedPrecondition);
    }
    let shortened = scene
        .operator
        .recall(until(5))
        .await
        .expect("it is earlier");
    assert_eq!(shortened.state(), MessageState::Stored);
    assert!(shortened.expires_at.map(|at| at.seconds) < stored.expires_at.map(|at| at.seconds));
    let end = shortened.expires_at.expect("always set").seconds + 1;
    let seconds = |since: Duration| i64::try_from(since.as_secs()).expect("not yet");
    while seconds(UNIX_EPOCH.elapsed().expect("after 1970")) <= end {
        scene.fence().await;
    }
    // A store that starts sweeps at once.
    scene.deployment.kill(Part::All).await;
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    scene.operator.until(&id, MessageState::Expired).await;
    let timeline = scene.operator.timeline(&id).await;
    let kinds = [
        EventKind::Deposited,
        EventKind::ExpiryShortened,
        EventKind::Expired,
    ];
    assert_eq!(timeline, kinds);
}

#[tokio::test]
async fn messages_are_found_by_the_ids_of_their_conversation() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let [conversation, contribution, own_id] = [fresh(), fresh(), fresh()];
    scene.deposit_text(&user, "of no conversation").await;
    let request = example::message(&user)
        .set("Conversation-ID", &conversation)
        .set("Contribution-ID", &contribution);
    scene.deposit(&request).await;
    let of_it = scene.find(&user, &request.field("Call-ID")).await;
    let named = deposit_cpim(&mut scene, &user, &own_id).await;
    let filters = [
        (
            &of_it,
            ListMessagesRequest {
                conversation_id: conversation,
                ..Default::default()
            },
        ),
        (
            &of_it,
            ListMessagesRequest {
                contribution_id: contribution,
                ..Default::default()
            },
        ),
        (
            &named,
            ListMessagesRequest {
                imdn_message_id: own_id,
                ..Default::default()
            },
        ),
    ];
    for (expected, filter) in filters {
        let (found, _) = scene.operator.page(filter.clone()).await.expect("a list");
        let ids: Vec<_> = found.iter().map(|message| &message.message_id).collect();
        assert_eq!(ids, [&expected.message_id], "{filter:?}");
    }
}
