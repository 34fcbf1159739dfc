//! A deployment behind a core, and what a test does with both again and again.

use std::ops::Range;
use std::time::{Duration, Instant};

use proto::v1::{Message, MessageState};

use crate::deployment::{Deployment, Plan};
use crate::msrp::{PushSession, Setup};
use crate::operator::Operator;
use crate::sip::{Exchange, RequestText, SipPeer, SipText, Transport, Way, example, fresh};

/// A deployment, the core it trusts, and their connection.
pub struct Scene {
    /// The deployment.
    pub deployment: Deployment,
    /// The core.
    pub core: SipPeer,
    /// From the core to the participating edge, by TCP.
    pub way: Way,
    /// The store's operator.
    pub operator: Operator,
}

impl Scene {
    /// Starts a plan behind a core.
    pub async fn start(plan: Plan) -> Self {
        let core = plan.core().await;
        let deployment = plan.behind(&core).start().await;
        let way = core
            .way(Transport::Tcp, deployment.edge(Transport::Tcp))
            .await;
        let operator = deployment.operator();
        Self {
            deployment,
            core,
            way,
            operator,
        }
    }

    /// All of Restante in one process.
    pub async fn all() -> Self {
        Self::start(Deployment::all()).await
    }

    /// The edge has a new process: connects to it.
    pub async fn reconnect(&mut self) {
        self.way = self
            .core
            .way(Transport::Tcp, self.deployment.edge(Transport::Tcp))
            .await;
    }

    /// A way to the edge by UDP.
    pub async fn udp(&self) -> Way {
        self.core
            .way(Transport::Udp, self.deployment.edge(Transport::Udp))
            .await
    }

    /// Sends a request to the participating edge by TCP.
    pub async fn call(&mut self, request: &RequestText) -> Exchange {
        self.core.call(&self.way, request).await
    }

    /// The status of the answer to a request.
    ///
    /// # Panics
    /// When the answer has none.
    pub async fn status(&mut self, request: &RequestText) -> u16 {
        self.call(request)
            .await
            .response
            .status()
            .expect("a response")
    }

    /// Has a request accepted with 202.
    ///
    /// # Panics
    /// When it is not.
    pub async fn deposit(&mut self, request: &RequestText) -> Exchange {
        let exchange = self.call(request).await;
        assert_eq!(
            exchange.response.status(),
            Some(202),
            "{}",
            exchange.response
        );
        exchange
    }

    /// Has the example message to a user accepted, with this text, and returns it as it is stored.
    pub async fn deposit_text(&mut self, user: &str, text: &str) -> Message {
        let request = example::message(user).body("text/plain;charset=utf-8", text);
        self.deposit(&request).await;
        let call_id = request.field("Call-ID");
        self.find(user, &call_id).await
    }

    /// The stored message of a user with this Call-ID.
    ///
    /// # Panics
    /// When there is none.
    pub async fn find(&self, user: &str, call_id: &str) -> Message {
        let messages = self.operator.list(&uri(user)).await;
        let found = messages.into_iter().find(|message| {
            message
                .headers
                .as_ref()
                .is_some_and(|headers| headers.call_id == call_id)
        });
        found.unwrap_or_else(|| panic!("{user} has no message {call_id}"))
    }

    /// Tells the edge that a user has registered (requirements §2.4.1).
    ///
    /// # Panics
    /// When the answer is not 200.
    pub async fn register(&mut self, user: &str) -> Exchange {
        self.registered(&example::register(user)).await
    }

    /// Tells the edge that a user is registered no more.
    pub async fn deregister(&mut self, user: &str) {
        self.registered(&example::bare_register(user, 0)).await;
    }

    /// Has a REGISTER answered with 200.
    ///
    /// # Panics
    /// When it is not.
    pub async fn registered(&mut self, request: &RequestText) -> Exchange {
        let exchange = self.call(request).await;
        assert_eq!(
            exchange.response.status(),
            Some(200),
            "{}",
            exchange.response
        );
        exchange
    }

    /// Waits for the push session to a user and accepts it; the client connects.
    pub async fn accept_push(&mut self, user: &str) -> PushSession {
        PushSession::accept(&mut self.core, user, Setup::Active).await
    }

    /// Waits for the BYE of the edge in the dialog of this Call-ID, and answers it. From now on it comes neither
    /// earlier nor later than that.
    ///
    /// # Panics
    /// When it does.
    pub async fn bye_between(&mut self, call_id: &str, times: Range<Duration>) -> SipText {
        let begun = Instant::now();
        let is_bye =
            |text: &SipText| text.method() == Some("BYE") && text.field("Call-ID") == call_id;
        let bye = self.core.expect_within(times.end, "a BYE", is_bye).await;
        let waited = begun.elapsed();
        assert!(waited >= times.start, "{waited:?}, not {times:?}");
        self.core.answer(&bye, "200 OK", &[], "").await;
        bye.text
    }

    /// Takes everything that one push session delivers to a user; the Message-IDs.
    pub async fn receive(&mut self, user: &str, count: usize) -> Vec<String> {
        let mut session = self.accept_push(user).await;
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(session.take().await.message_id());
        }
        session.bye(&mut self.core).await;
        ids
    }

    /// Returns when whatever the store planned before has had its time: a message for a new user, who
    /// then registers, is pushed.
    pub async fn fence(&mut self) {
        let user = format!("fence-{}", fresh());
        self.deposit(&example::message(&user)).await;
        self.register(&user).await;
        self.receive(&user, 1).await;
    }

    /// How many push INVITEs to a user arrived that no test has asked for.
    pub fn unanswered_invites(&mut self, user: &str) -> usize {
        let start_line = format!("INVITE {} SIP/2.0", uri(user));
        self.core.count(|text| text.start_line() == start_line)
    }

    /// The states of a user's messages, in their order.
    pub async fn states(&self, user: &str) -> Vec<MessageState> {
        let messages = self.operator.list(&uri(user)).await;
        messages.iter().map(Message::state).collect()
    }
}

/// A user whom no other test knows.
pub fn somebody() -> String {
    format!("bob-{}", fresh())
}

/// The address of a user of the examples.
pub fn uri(user: &str) -> String {
    format!("sip:{user}@example.org")
}
