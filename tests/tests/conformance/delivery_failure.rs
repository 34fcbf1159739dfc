//! Requirements §5.4: pushes that do not end as they should.

use std::time::{Duration, Instant};

use proto::v1::MessageState;
use restante_tests::deployment::Plan;
use restante_tests::msrp::{PushSession, Setup};
use restante_tests::patience::ANSWER;
use restante_tests::sip::{Arrival, SipPeer, SipText};
use restante_tests::{Deployment, LoopbackNet, Scene, somebody, uri};

/// SENDs that may be unacknowledged (PSH-09).
const WINDOW: usize = 4;

/// Answers the push INVITE to a user with this status and these lines, and waits for the ACK.
async fn refuse_with(scene: &mut Scene, user: &str, status: &str, lines: &[String]) {
    let invite = scene.core.request("INVITE", &uri(user)).await;
    scene.core.answer(&invite, status, lines, "").await;
    scene.core.acknowledged(&invite).await;
}

async fn refuse(scene: &mut Scene, user: &str, status: &str) {
    refuse_with(scene, user, status, &[]).await;
}

fn retry_after(seconds: u64) -> [String; 1] {
    [format!("Retry-After: {seconds}")]
}

#[tokio::test]
async fn ct_dlv_21_480_408_and_5xx_keep_the_message_and_are_tried_again() {
    let plan = Deployment::all().set("push.backoff", "100ms,1h");
    let mut scene = Scene::start(plan).await;
    for status in [
        "480 Temporarily Unavailable",
        "408 Request Timeout",
        "500 Server Internal Error",
        "503 Service Unavailable",
    ] {
        let bob = somebody();
        let id = scene.deposit_text(&bob, "hi").await.message_id;
        scene.register(&bob).await;
        refuse(&mut scene, &bob, status).await;
        assert_eq!(scene.receive(&bob, 1).await, [id], "{status}");
    }
}

#[tokio::test]
async fn ct_dlv_21_a_client_that_never_answers_is_cancelled_and_tried_again() {
    let plan = Deployment::all()
        .set("push.backoff", "100ms,1h")
        .set("push.ring_timeout", "1s");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    scene.core.answer(&invite, "180 Ringing", &[], "").await;
    let cancel = scene.core.request("CANCEL", &uri(&bob)).await;
    assert_eq!(cancel.text.branch(), invite.text.branch());
    scene.core.answer(&cancel, "200 OK", &[], "").await;
    let status = "487 Request Terminated";
    scene.core.answer(&invite, status, &[], "").await;
    scene.core.acknowledged(&invite).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_dlv_21_the_other_statuses_keep_the_message_until_the_next_registration() {
    let plan = Deployment::all()
        .set("push.backoff", "50ms")
        .set("delivery.mode", "session");
    let mut scene = Scene::start(plan).await;
    for status in [
        "486 Busy Here",
        "600 Busy Everywhere",
        "603 Decline",
        "488 Not Acceptable Here",
        "606 Not Acceptable",
        "415 Unsupported Media Type",
        "403 Forbidden",
        "404 Not Found",
        "410 Gone",
        "604 Does Not Exist Anywhere",
        "482 Loop Detected",
    ] {
        let bob = somebody();
        let id = scene.deposit_text(&bob, "hi").await.message_id;
        scene.register(&bob).await;
        refuse(&mut scene, &bob, status).await;
        scene.fence().await;
        scene.fence().await;
        assert_eq!(scene.unanswered_invites(&bob), 0, "{status}");
        assert_eq!(scene.states(&bob).await, [MessageState::Stored], "{status}");
        scene.register(&bob).await;
        assert_eq!(scene.receive(&bob, 1).await, [id], "{status}");
    }
}

#[tokio::test]
async fn ct_dlv_21_a_client_that_wants_a_longer_session_interval_gets_it() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    let too_small = "422 Session Interval Too Small";
    let min_se = "Min-SE: 7200".to_owned();
    refuse_with(&mut scene, &bob, too_small, &[min_se]).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    assert_eq!(invite.text.field("Min-SE"), "7200");
    let interval = invite.text.field("Session-Expires");
    assert_eq!(interval.split(';').next(), Some("7200"), "{interval}");
    let core = &mut scene.core;
    let mut session = PushSession::answer_invite(core, invite, Setup::Active).await;
    assert_eq!(session.take().await.message_id(), id);
    session.bye(&mut scene.core).await;
}

#[tokio::test]
async fn ct_dlv_21_a_client_that_asks_for_a_longer_interval_twice_is_left_alone() {
    let plan = Deployment::all().set("push.backoff", "1h");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    scene.deposit_text(&bob, "hi").await;
    scene.register(&bob).await;
    for min_se in [7_200, 14_400] {
        let status = "422 Session Interval Too Small";
        refuse_with(&mut scene, &bob, status, &[format!("Min-SE: {min_se}")]).await;
    }
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    assert_eq!(scene.states(&bob).await, [MessageState::Stored]);
}

#[tokio::test]
async fn ct_dlv_23_a_send_that_a_client_finds_faulty_ends_the_session_and_stays_stored() {
    let plan = Deployment::all().set("push.backoff", "100ms,1h");
    let mut scene = Scene::start(plan).await;
    for status in ["400 Bad Request", "501 Not Implemented"] {
        let bob = somebody();
        let id = scene.deposit_text(&bob, "hi").await.message_id;
        scene.register(&bob).await;
        let mut session = scene.accept_push(&bob).await;
        let push = session.next().await;
        session.answer(push.last(), status).await;
        session.bye(&mut scene.core).await;
        assert_eq!(scene.receive(&bob, 1).await, [id], "{status}");
    }
}

#[tokio::test]
async fn ct_dlv_22_a_message_the_client_cannot_take_is_a_dead_letter_after_three_registrations() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(scene.deposit_text(&bob, text).await.message_id);
    }
    let (delivered, refused) = (MessageState::Delivered, MessageState::Refused);
    for registration in 1..=3 {
        scene.register(&bob).await;
        let mut session = scene.accept_push(&bob).await;
        let expected = match registration {
            1 => &ids[..],
            _ => &ids[1..2],
        };
        for id in expected {
            let message = session.next().await;
            assert_eq!(message.message_id(), *id);
            let status = match *id == ids[1] {
                true => "413 Too Large",
                false => "200 OK",
            };
            session.answer(message.last(), status).await;
        }
        session.bye(&mut scene.core).await;
        let second = match registration {
            3 => refused,
            _ => MessageState::Stored,
        };
        let states = scene.states(&bob).await;
        assert_eq!(states, [delivered, second, delivered], "{registration}");
        scene.deregister(&bob).await;
    }
    scene.register(&bob).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let dead = SipText::new(scene.operator.request_octets(&ids[1]).await);
    assert_eq!(dead.body(), b"two");
}

#[tokio::test]
async fn ct_dlv_23_a_message_without_an_answer_ends_the_session_after_30_s() {
    let plan = Deployment::all().set("push.backoff", "100ms");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let first = scene.deposit_text(&bob, "one").await.message_id;
    let second = scene.deposit_text(&bob, "two").await.message_id;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    assert_eq!(session.take().await.message_id(), first);
    session.next().await;
    let silent = Instant::now();
    let is_bye = |text: &SipText| text.method() == Some("BYE");
    let limit = Duration::from_secs(45);
    let bye = scene.core.expect_within(limit, "a BYE", is_bye).await;
    let waited = silent.elapsed();
    assert!(waited > Duration::from_secs(29), "{waited:?}");
    scene.core.answer(&bye, "200 OK", &[], "").await;
    let path = session.remote_path.clone();
    let mut session = scene.accept_push(&bob).await;
    assert_ne!(session.remote_path, path);
    assert_eq!(session.take().await.message_id(), second);
    session.bye(&mut scene.core).await;
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered; 2]);
}

/// How long after the end of one try the next one to a user begins.
async fn pause_before_next(scene: &mut Scene, user: &str) -> (Duration, Arrival) {
    pause_within(scene, user, ANSWER).await
}

async fn pause_within(scene: &mut Scene, user: &str, limit: Duration) -> (Duration, Arrival) {
    let ended = Instant::now();
    let start_line = format!("INVITE {} SIP/2.0", uri(user));
    let is_invite = |text: &SipText| text.start_line() == start_line;
    let invite = scene.core.expect_within(limit, &start_line, is_invite);
    let invite = invite.await;
    (ended.elapsed(), invite)
}

/// The shipped 30 s, 2 min and 10 min, a hundredth of them.
#[tokio::test]
async fn ct_gen_06_tries_are_made_at_growing_pauses_and_then_no_more() {
    let pauses = [300, 1_200, 6_000].map(Duration::from_millis);
    tries(
        Deployment::all().set("push.backoff", "300ms,1200ms,6s"),
        pauses,
    )
    .await;
}

#[tokio::test]
#[ignore = "long: the pauses of 30 s, 2 min and 10 min"]
async fn ct_gen_06_tries_are_made_after_30_s_2_min_and_10_min() {
    let pauses = [30, 120, 600].map(Duration::from_secs);
    tries(Deployment::all(), pauses).await;
}

async fn tries(plan: Plan, pauses: [Duration; 3]) {
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    scene.deposit_text(&bob, "hi").await;
    scene.register(&bob).await;
    let unavailable = "480 Temporarily Unavailable";
    refuse(&mut scene, &bob, unavailable).await;
    for pause in pauses {
        let limit = pause.mul_f64(1.5) + ANSWER;
        let (waited, invite) = pause_within(&mut scene, &bob, limit).await;
        let least = pause.mul_f64(0.8);
        assert!(waited > least, "{waited:?} instead of {pause:?}");
        scene.core.answer(&invite, unavailable, &[], "").await;
        scene.core.acknowledged(&invite).await;
    }
    // The edge has closed a connection on which nothing came for so long.
    scene.reconnect().await;
    scene.fence().await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    assert_eq!(scene.states(&bob).await, [MessageState::Stored]);
}

#[tokio::test]
async fn ct_gen_06_a_client_that_says_when_is_tried_then_and_one_that_registers_at_once() {
    let plan = Deployment::all().set("push.backoff", "1h,1h");
    let mut scene = Scene::start(plan).await;
    for status in ["480 Temporarily Unavailable", "486 Busy Here"] {
        let bob = somebody();
        let id = scene.deposit_text(&bob, "hi").await.message_id;
        scene.register(&bob).await;
        refuse_with(&mut scene, &bob, status, &retry_after(7)).await;
        let (waited, invite) = pause_before_next(&mut scene, &bob).await;
        assert!(waited > Duration::from_millis(6_500), "{waited:?}");
        scene.core.answer(&invite, status, &[], "").await;
        scene.core.acknowledged(&invite).await;
        scene.register(&bob).await;
        assert_eq!(scene.receive(&bob, 1).await, [id]);
    }
}

#[tokio::test]
async fn ct_dlv_27_what_has_expired_since_the_invite_is_not_sent() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let brief = restante_tests::sip::example::message(&bob).set("Expires", "4");
    let brief = scene.deposit(&brief).await.request;
    let brief = scene.find(&bob, brief.field("Call-ID")).await.message_id;
    let lasting = scene.deposit_text(&bob, "two").await.message_id;
    scene.register(&bob).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let core = &mut scene.core;
    let mut session = PushSession::answer_invite(core, invite, Setup::Active).await;
    assert_eq!(session.take().await.message_id(), lasting);
    session.bye(&mut scene.core).await;
    scene.fence().await;
    assert_ne!(scene.operator.state(&brief).await, MessageState::Delivered);
    assert_eq!(
        scene.operator.state(&lasting).await,
        MessageState::Delivered
    );
}

/// Answers the next INVITE of a core that has no time, and takes its ACK.
async fn turn_away(core: &mut SipPeer, user: &str, seconds: u32) {
    let invite = core.request("INVITE", &uri(user)).await;
    let wait = [format!("Retry-After: {seconds}")];
    core.answer(&invite, "503 Service Unavailable", &wait, "")
        .await;
}

#[tokio::test]
async fn ct_dlv_21_503_keeps_all_requests_from_that_hop_and_spends_no_try() {
    const WAIT: u32 = 4;
    let plan = Deployment::all().set("push.backoff", "1h");
    let mut scene = Scene::start(plan).await;
    let (bob, carol) = (somebody(), somebody());
    let first = scene.deposit_text(&bob, "hi").await.message_id;
    let second = scene.deposit_text(&carol, "hi").await.message_id;
    scene.register(&bob).await;
    turn_away(&mut scene.core, &bob, WAIT).await;
    let began = Instant::now();
    scene.register(&carol).await;
    // A try that was spent would be followed by an hour.
    let mut pushed = Vec::new();
    for _ in 0..2 {
        let is_invite = |text: &SipText| text.method() == Some("INVITE");
        let invite = scene.core.expect("a push", is_invite).await;
        let took = began.elapsed();
        assert!(took > Duration::from_secs(u64::from(WAIT) - 1), "{took:?}");
        scene.core.answer(&invite, "603 Decline", &[], "").await;
        pushed.push(invite.text.start_line().to_owned());
    }
    pushed.sort();
    let mut expected = [&bob, &carol].map(|user| format!("INVITE {} SIP/2.0", uri(user)));
    expected.sort();
    assert_eq!(pushed, expected);
    for id in [first, second] {
        assert_eq!(scene.operator.state(&id).await, MessageState::Stored);
    }
}

#[tokio::test]
async fn ct_dlv_21_a_503_of_one_hop_leaves_the_push_to_an_edge_with_another() {
    let plan = Deployment::two_processes().set("push.backoff", "1h");
    let mut scene = Scene::start(plan).await;
    let mut core = SipPeer::open(scene.deployment.net().host(LoopbackNet::CORE)).await;
    let _second = scene.deployment.second_edge_behind(&core).await;
    // Whichever edge is asked first: its hop has no time for an hour, the other one has.
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    let start_line = format!("INVITE {} SIP/2.0", uri(&bob));
    let wanted = |text: &SipText| text.start_line() == start_line;
    let (invite, is_first) = tokio::select! {
        invite = scene.core.expect("a push", wanted) => (invite, true),
        invite = core.expect("a push", wanted) => (invite, false),
    };
    let wait = ["Retry-After: 3600".to_owned()];
    let (busy, open) = match is_first {
        true => (&mut scene.core, &mut core),
        false => (&mut core, &mut scene.core),
    };
    busy.answer(&invite, "503 Service Unavailable", &wait, "")
        .await;
    let mut session = PushSession::accept(open, &bob, Setup::Active).await;
    assert_eq!(session.take().await.message_id(), id);
    session.bye(open).await;
    assert_eq!(busy.count(wanted), 0);
}

#[tokio::test]
async fn ct_dlv_24_a_client_that_says_bye_early_keeps_the_rest_stored() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    // One more than the window: it is sent once the first is acknowledged.
    let mut ids = Vec::new();
    for number in 0..=WINDOW {
        ids.push(
            scene
                .deposit_text(&bob, &format!("number {number}"))
                .await
                .message_id,
        );
    }
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let mut sent = Vec::new();
    for _ in 0..WINDOW {
        sent.push(session.next().await);
    }
    session.answer(sent[0].last(), "200 OK").await;
    assert_eq!(session.next().await.message_id(), ids[WINDOW]);
    assert_eq!(session.hang_up(&mut scene.core).await, 200);
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let mut expected = [MessageState::Stored; WINDOW + 1];
    expected[0] = MessageState::Delivered;
    assert_eq!(scene.states(&bob).await, expected);
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, WINDOW).await, ids[1..]);
}

#[tokio::test]
async fn ct_dlv_23_a_lost_connection_keeps_the_rest_for_a_new_session_with_a_new_path() {
    let plan = Deployment::all().set("push.backoff", "100ms");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let first = scene.deposit_text(&bob, "one").await.message_id;
    let second = scene.deposit_text(&bob, "two").await.message_id;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    assert_eq!(session.take().await.message_id(), first);
    session.next().await;
    // A reset may overtake the acknowledgement.
    scene.operator.until(&first, MessageState::Delivered).await;
    let path = session.remote_path.clone();
    session.bye_after_disconnection(&mut scene.core).await;
    let mut session = scene.accept_push(&bob).await;
    assert_ne!(session.remote_path, path);
    assert_eq!(session.take().await.message_id(), second);
    session.bye(&mut scene.core).await;
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered; 2]);
}
