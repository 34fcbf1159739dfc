//! Requirements §5.4: pushes to a client behind an MSRP relay, which answers in its place.

use std::time::Duration;

use proto::v1::MessageState;
use restante_tests::msrp::{Acceptance, PushSession, Pushed, Setup};
use restante_tests::sip::fresh;
use restante_tests::{Deployment, Scene, somebody, uri};

/// A client behind a relay, to whom a push session has been opened.
struct Behind {
    scene: Scene,
    session: PushSession,
    client: String,
    bob: String,
    ids: Vec<String>,
}

impl Behind {
    /// Begins the push of these texts.
    async fn start(report_timeout: &str, texts: &[&str]) -> Self {
        let plan = Deployment::all()
            .set("push.report_timeout", report_timeout)
            .set("push.backoff", "1h");
        let mut scene = Scene::start(plan).await;
        let bob = somebody();
        let mut ids = Vec::new();
        for text in texts {
            ids.push(scene.deposit_text(&bob, text).await.message_id);
        }
        let client = format!("msrp://client.example.org:2855/{};tcp", fresh());
        let session = session(&mut scene, &bob, &client).await;
        Self {
            scene,
            session,
            client,
            bob,
            ids,
        }
    }

    /// The next message, which asks for a report, answered 200 by the relay.
    async fn relayed(&mut self) -> Pushed {
        let message = self.session.take().await;
        let send = message.last();
        let path = format!("{} {}", self.session.local_path, self.client);
        assert_eq!(send.field("To-Path"), path);
        assert_eq!(send.field("Success-Report"), "yes");
        message
    }

    /// The client reports a range of a message, by the relay.
    async fn report(&mut self, message: &Pushed, range: &str, status: &str) {
        let (transaction, send) = (fresh(), message.last());
        let report = format!(
            "MSRP {transaction} REPORT\r\nTo-Path: {}\r\nFrom-Path: {} {}\r\nMessage-ID: {}\r\n\
             Byte-Range: {range}\r\nStatus: 000 {status}\r\n-------{transaction}$\r\n",
            self.session.remote_path,
            self.session.local_path,
            self.client,
            send.field("Message-ID"),
        );
        self.session.write(report.as_bytes()).await;
    }

    async fn state(&self, message: usize) -> MessageState {
        self.scene.operator.state(&self.ids[message]).await
    }
}

/// The session that a user who registers gets, behind a relay to which the edge connects.
async fn session(scene: &mut Scene, user: &str, client: &str) -> PushSession {
    scene.register(user).await;
    let invite = scene.core.request("INVITE", &uri(user)).await;
    let change = |answer: &mut Acceptance| answer.behind_relay(client);
    PushSession::answer_with(&mut scene.core, invite, Setup::Passive, change).await
}

#[tokio::test]
async fn ct_dlv_31_without_a_report_the_word_of_the_relay_is_worth_nothing() {
    let mut behind = Behind::start("3s", &["hi"]).await;
    behind.relayed().await;
    assert_eq!(behind.state(0).await, MessageState::Claimed);
    let Behind { session, .. } = behind;
    let mut scene = behind.scene;
    session.bye(&mut scene.core).await;
    scene.fence().await;
    assert_eq!(scene.states(&behind.bob).await, [MessageState::Stored]);
    scene.register(&behind.bob).await;
    assert_eq!(scene.receive(&behind.bob, 1).await, behind.ids);
}

#[tokio::test]
#[ignore = "long: two minutes without a report"]
async fn ct_dlv_31_a_report_is_waited_for_two_minutes() {
    let mut behind = Behind::start("120s", &["hi"]).await;
    behind.relayed().await;
    let call_id = behind.session.invite.text.field("Call-ID").to_owned();
    let times = Duration::from_secs(119)..Duration::from_secs(140);
    behind.scene.bye_between(&call_id, times).await;
    behind.scene.fence().await;
    let states = behind.scene.states(&behind.bob).await;
    assert_eq!(states, [MessageState::Stored]);
}

#[tokio::test]
async fn ct_dlv_31_reports_of_all_octets_prove_the_delivery() {
    let text = "x".repeat(600);
    let mut behind = Behind::start("2m", &[&text]).await;
    let message = behind.relayed().await;
    let octets = message.body().len();
    behind
        .report(&message, &format!("1-500/{octets}"), "200 OK")
        .await;
    behind.scene.fence().await;
    assert_eq!(behind.state(0).await, MessageState::Claimed);
    behind
        .report(&message, &format!("501-{octets}/{octets}"), "200 OK")
        .await;
    behind.session.bye(&mut behind.scene.core).await;
    let states = behind.scene.states(&behind.bob).await;
    assert_eq!(states, [MessageState::Delivered]);
}

#[tokio::test]
async fn ct_dlv_31_a_report_of_413_refuses_the_message_and_the_next_one_goes_on() {
    let mut behind = Behind::start("2m", &["one", "two"]).await;
    for registration in 1..=3 {
        let message = behind.relayed().await;
        assert_eq!(message.message_id(), behind.ids[0]);
        let octets = message.body().len();
        let whole = format!("1-{octets}/{octets}");
        behind.report(&message, &whole, "413 Too Large").await;
        if registration == 1 {
            let next = behind.relayed().await;
            assert_eq!(next.message_id(), behind.ids[1]);
            let octets = next.body().len();
            let whole = format!("1-{octets}/{octets}");
            behind.report(&next, &whole, "200 OK").await;
        }
        let scene = &mut behind.scene;
        let call_id = behind.session.invite.clone();
        scene.core.ended(&call_id).await;
        let refused = match registration {
            3 => MessageState::Refused,
            _ => MessageState::Stored,
        };
        let states = scene.states(&behind.bob).await;
        assert_eq!(states, [refused, MessageState::Delivered], "{registration}");
        scene.deregister(&behind.bob).await;
        if registration < 3 {
            behind.session = session(scene, &behind.bob, &behind.client).await;
        }
    }
}
