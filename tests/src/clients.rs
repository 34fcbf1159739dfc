//! Clients behind a core that take whatever is pushed to them, and remember it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::msrp::{Frame, Pushed, Setup, acceptance, attribute, response};
use crate::patience::{ANSWER, START, within};
use crate::sip::{Arrival, SipPeer, SipText, fresh};

/// A message as a client got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Call-ID of the push session.
    pub session: String,
    /// Who it was pushed to, as a URI.
    pub user: String,
    /// The Message-ID.
    pub message_id: String,
    /// Call-ID of the sender's request.
    pub call_id: String,
}

/// What the clients have seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Messages in the order in which they arrived, repeated ones too. Each was acknowledged afterwards.
    pub receipts: Vec<Receipt>,
    /// Call-IDs of the sessions that were accepted.
    pub begun: BTreeSet<String>,
    /// Call-IDs of those that the edge has ended with BYE.
    pub ended: BTreeSet<String>,
}

/// All users behind one core. They accept every push session.
pub struct Clients {
    seen: Arc<Mutex<Seen>>,
    received: watch::Sender<usize>,
    serving: JoinHandle<()>,
}

impl Clients {
    /// Clients behind this core, which belongs to them from now on.
    pub fn behind(core: SipPeer) -> Self {
        let seen = Arc::default();
        let received = watch::Sender::new(0);
        let clients = Watch {
            seen: Arc::clone(&seen),
            received: received.clone(),
        };
        Self {
            seen,
            received,
            serving: tokio::spawn(clients.serve(core)),
        }
    }

    /// What they have seen so far.
    ///
    /// # Panics
    /// When a client panicked.
    pub fn seen(&self) -> Seen {
        self.seen.lock().expect("no client panicked").clone()
    }

    /// Forgets what they have seen; it begins anew.
    ///
    /// # Panics
    /// When a client panicked.
    pub fn forget(&self) {
        *self.seen.lock().expect("no client panicked") = Seen::default();
    }

    /// Waits until so many more messages have arrived, repeated ones too.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn more(&self, count: usize) {
        let goal = *self.received.borrow() + count;
        self.until("messages to be pushed", |seen| seen.receipts.len() >= goal)
            .await;
    }

    /// Waits until more than so many messages have arrived, repeated ones too.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn more_than(&self, count: usize) {
        self.until("a message to be pushed", |seen| seen.receipts.len() > count)
            .await;
    }

    /// Waits until they have seen enough; asked again after each message that arrives.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn until(&self, what: &str, enough: impl Fn(&Seen) -> bool) {
        let mut received = self.received.subscribe();
        let reached = received.wait_for(|_| enough(&self.seen.lock().expect("no client panicked")));
        within(START, what, reached)
            .await
            .expect("we hold the sender");
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Where clients write down what they see.
#[derive(Clone)]
struct Watch {
    seen: Arc<Mutex<Seen>>,
    received: watch::Sender<usize>,
}

impl Watch {
    async fn serve(self, mut core: SipPeer) {
        loop {
            let arrival = core.next().await;
            match arrival.text.method() {
                Some("INVITE") => self.accept(&core, &arrival).await,
                Some("BYE") => {
                    self.note(|seen| {
                        seen.ended.insert(call_id(&arrival.text));
                    });
                    core.reply(&arrival, "200 OK", &[], "").await;
                }
                Some("ACK") | None => {}
                Some(_) => core.reply(&arrival, "200 OK", &[], "").await,
            }
        }
    }

    /// Accepts a session; the edge connects.
    async fn accept(&self, core: &SipPeer, invite: &Arrival) {
        let listener = TcpListener::bind((core.tcp().ip(), 0)).await;
        let listener = listener.expect("a free port");
        let local = listener.local_addr().expect("bound");
        let path = format!("msrp://{local}/{};tcp", fresh());
        let answer = acceptance(core, local, &path, Setup::Passive);
        let offer = String::from_utf8_lossy(invite.text.body()).into_owned();
        assert!(attribute(&offer, "path").is_some(), "no path in {offer}");
        self.note(|seen| {
            seen.begun.insert(call_id(&invite.text));
        });
        core.reply(invite, "200 OK", &answer.lines, &answer.sdp)
            .await;
        let (watch, invite) = (self.clone(), invite.text.clone());
        tokio::spawn(async move {
            // An edge that is killed connects no more.
            if let Ok(Ok((stream, _))) = tokio::time::timeout(ANSWER, listener.accept()).await {
                watch.take_all(stream, &invite, &path).await;
            }
        });
    }

    /// Takes and acknowledges until the connection ends.
    async fn take_all(&self, mut stream: TcpStream, invite: &SipText, path: &str) {
        let user = invite.start_line().split(' ').nth(1).unwrap_or_default();
        let mut received = Vec::new();
        loop {
            while let Some(frame) = Frame::take(&mut received) {
                if !frame.body.is_empty() {
                    self.receive(invite, user, &frame);
                }
                let answer = response(&frame, "200 OK", frame.field("From-Path"), path);
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            match stream.read_buf(&mut received).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    fn receive(&self, invite: &SipText, user: &str, send: &Frame) {
        assert_eq!((send.kind.as_str(), send.flag), ("SEND", '$'), "{send:?}");
        let pushed = Pushed {
            chunks: vec![send.clone()],
        };
        let receipt = Receipt {
            session: call_id(invite),
            user: user.to_owned(),
            message_id: pushed.message_id(),
            call_id: call_id(&SipText::new(pushed.original())),
        };
        self.note(|seen| seen.receipts.push(receipt));
        self.received.send_modify(|count| *count += 1);
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().expect("no client panicked"));
    }
}

fn call_id(text: &SipText) -> String {
    text.field("Call-ID").to_owned()
}
