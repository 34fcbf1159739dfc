//! Large messages on their way out while processes are killed: each arrives whole, in a new session,
//! and nothing that was acknowledged before is sent again (P2, P4, PSH-09).

use proto::v1::MessageState;
use restante_tests::large::Large;
use restante_tests::msrp::PushSession;
use restante_tests::sip::fresh;
use restante_tests::{Deployment, Part, Scene};

/// More than what is on its way unanswered.
const OCTETS: usize = 6 * 1024 * 1024;

/// A push in which the pager message was acknowledged and the large one has begun.
struct Begun {
    scene: Scene,
    bob: String,
    large: Large,
    session: PushSession,
    /// The outer Message-ID of the large message.
    outer_id: String,
    /// Message-IDs of the two.
    ids: [String; 2],
}

impl Begun {
    async fn new() -> Self {
        let plan = Deployment::two_processes()
            .set("push.lease", "2s")
            .set("limits.mailbox_octets", "64MiB");
        let mut scene = Scene::start(plan).await;
        let bob = format!("bob-{}", fresh());
        let pager = scene.deposit_text(&bob, "first").await.message_id;
        let large = Large::to(&bob, Large::deceptive(OCTETS));
        let id = large
            .store(scene.deployment.address("storage.listen"))
            .await;
        scene.register(&bob).await;
        let mut session = scene.accept_push(&bob).await;
        assert_eq!(session.take().await.message_id(), pager);
        let first_chunk = session.frame().await;
        assert_eq!(first_chunk.flag, '+');
        let outer_id = first_chunk.field("Message-ID").to_owned();
        Self {
            scene,
            bob,
            large,
            session,
            outer_id,
            ids: [pager, id],
        }
    }

    /// The large message, and it alone, arrives in the next session.
    async fn arrives_anew(mut self) {
        let mut session = self.scene.accept_push(&self.bob).await;
        assert_ne!(session.remote_path, self.session.remote_path);
        let push = session.take().await;
        assert_eq!(push.message_id(), self.ids[1]);
        assert_ne!(push.last().field("Message-ID"), self.outer_id);
        assert!(push.original().len() > OCTETS);
        let content = self.large.body.as_slice();
        let original = push.original();
        let start = original.windows(4).position(|octets| octets == b"\r\n\r\n");
        let start = start.expect("an empty line") + 4;
        assert!(&original[start..start + OCTETS] == content);
        session.bye(&mut self.scene.core).await;
        assert_eq!(
            self.scene.states(&self.bob).await,
            [MessageState::Delivered; 2]
        );
    }
}

#[tokio::test]
async fn kill_9_of_the_edge_in_a_large_push_repeats_it_alone_and_whole() {
    let mut begun = Begun::new().await;
    begun.scene.deployment.kill(Part::SipEdge).await;
    begun.scene.deployment.launch(Part::SipEdge).await;
    begun.scene.reconnect().await;
    begun.scene.register(&begun.bob).await;
    begun.arrives_anew().await;
}

#[tokio::test]
async fn kill_9_of_storage_in_a_large_push_gives_it_up_and_repeats_it_whole() {
    let mut begun = Begun::new().await;
    begun.scene.deployment.kill(Part::Storage).await;
    loop {
        let chunk = begun.session.frame().await;
        begun.session.answer(&chunk, "200 OK").await;
        if chunk.flag == '#' {
            break;
        }
        assert_eq!(chunk.flag, '+', "the store is gone");
    }
    let call_id = begun.session.invite.text.field("Call-ID").to_owned();
    let bye = begun
        .scene
        .core
        .expect("the BYE", |text| {
            text.method() == Some("BYE") && text.field("Call-ID") == call_id
        })
        .await;
    begun.scene.core.answer(&bye, "200 OK", &[], "").await;
    begun.scene.deployment.launch(Part::Storage).await;
    begun.scene.deployment.ready(Part::SipEdge).await;
    begun.scene.register(&begun.bob).await;
    begun.arrives_anew().await;
}
