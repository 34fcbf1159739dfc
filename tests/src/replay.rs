//! Exchanges that are written down in `tests/fixtures`, played again with a deployment: what peers send that others
//! have stumbled over, and what real ones have sent.
//!
//! A file begins with some lines on what it is and where it is from. Its steps:
//!
//! | | |
//! |---|---|
//! | `=> TCP`, `=> UDP` | we send the message that follows |
//! | `<= 202` | its final answer; the lines that follow are in it |
//! | `<< NOTIFY` | the edge sends a request of this method; the lines that follow are in it |
//! | `>> 489 Bad Event` | our answer to that, with the lines that follow |
//! | `== stored 1` | `{user}` has so many messages in this state |
//! | `== pushed 1` | a session is opened to `{user}`, in which so many come; the lines that follow are in them |
//!
//! Where lines are expected, `!Name` is a field that must not be there, and `*` at the end stands for anything. In all
//! lines `{user}` is a user of his own in each run, `{id}` a word that no run before had, `{hop}` the Via of the core
//! with a new branch, `{core}` and `{edge}` where they take TCP, `{udp}` where the core takes datagrams, `{date}` the
//! present, `{length}` the octets of the body, `{to}` and `{contact}` the To and the address in the Contact of the last
//! answer.

mod script;

use std::collections::BTreeMap;
use std::path::Path;

use proto::v1::MessageState;

use crate::patience::{ANSWER, eventually};
use crate::scene::{Scene, somebody, uri};
use crate::sip::{Arrival, SipText, Transport, fresh};
use crate::{date, sip};
use script::Step;

/// Plays the exchange in `tests/fixtures` with this name to a deployment.
///
/// # Panics
/// When it does not go as it is written.
pub async fn replay(scene: &mut Scene, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let path = path.join(name).with_extension("txt");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let steps = script::read(&text).unwrap_or_else(|line| panic!("{name}: no step: {line}"));
    assert!(!steps.is_empty(), "{name} has no steps");
    let mut replay = Replay::new(scene);
    for step in &steps {
        println!("{name}: {step:?}");
        replay.play(step).await;
    }
}

struct Replay<'a> {
    scene: &'a mut Scene,
    user: String,
    words: BTreeMap<&'static str, String>,
    /// The last message we sent, and the last request of the edge.
    sent: Option<SipText>,
    asked: Option<Arrival>,
}

impl<'a> Replay<'a> {
    fn new(scene: &'a mut Scene) -> Self {
        let user = somebody();
        let words = BTreeMap::from([
            ("{user}", user.clone()),
            ("{id}", fresh()),
            ("{date}", date::now()),
            ("{core}", scene.core.tcp().to_string()),
            ("{udp}", scene.core.udp().to_string()),
            ("{edge}", scene.deployment.edge(Transport::Tcp).to_string()),
        ]);
        Self {
            scene,
            user,
            words,
            sent: None,
            asked: None,
        }
    }

    async fn play(&mut self, step: &Step) {
        match step {
            Step::Send(transport, lines) => self.send(*transport, lines).await,
            Step::Answered(status, lines) => self.answered(*status, lines).await,
            Step::Asked(method, lines) => self.asked(method, lines).await,
            Step::Answer(status, lines) => self.answer(status, lines).await,
            Step::Count(state, count) => self.count(state, *count).await,
            Step::Pushed(count, lines) => self.pushed(*count, lines).await,
        }
    }

    /// With everything known put in.
    fn filled(&self, lines: &[String]) -> Vec<String> {
        let filled = lines.iter().map(|line| {
            let mut line = line.clone();
            for (word, value) in &self.words {
                line = line.replace(word, value);
            }
            line
        });
        filled.collect()
    }

    async fn send(&mut self, transport: Transport, lines: &[String]) {
        let way = match transport {
            Transport::Tcp => self.scene.way.clone(),
            Transport::Udp => self.scene.udp().await,
        };
        self.words.insert("{hop}", self.scene.core.hop(&way));
        let octets = script::octets(&self.filled(lines));
        way.send(&octets).await;
        self.sent = Some(SipText::new(octets));
    }

    async fn answered(&mut self, status: u16, lines: &[String]) {
        let request = self.sent.as_ref().expect("a request before its answer");
        let response = self.scene.core.response_to(request).await;
        assert_eq!(response.status(), Some(status), "to\n{request}\n{response}");
        has(&response, &self.filled(lines));
        let contact = response.find("Contact").unwrap_or_default();
        let contact = contact.split(['<', '>']).nth(1).unwrap_or(contact);
        self.words.insert("{contact}", contact.to_owned());
        self.words.insert("{to}", response.field("To").to_owned());
    }

    async fn asked(&mut self, method: &str, lines: &[String]) {
        let is_it = |text: &SipText| text.method() == Some(method);
        let arrival = self.scene.core.expect(method, is_it).await;
        has(&arrival.text, &self.filled(lines));
        self.asked = Some(arrival);
    }

    async fn answer(&mut self, status: &str, lines: &[String]) {
        let asked = self.asked.take().expect("a request before its answer");
        let lines = self.filled(lines);
        self.scene.core.answer(&asked, status, &lines, "").await;
    }

    async fn count(&self, state: &str, count: usize) {
        let wanted =
            MessageState::from_str_name(&format!("MESSAGE_STATE_{}", state.to_uppercase()));
        let wanted = wanted.unwrap_or_else(|| panic!("no state: {state}"));
        let what = format!("{count} messages that are {state}");
        eventually(ANSWER, &what, async || {
            let states = self.scene.states(&self.user).await;
            let found = states.iter().filter(|found| **found == wanted).count();
            (found == count).then_some(())
        })
        .await;
    }

    async fn pushed(&mut self, count: usize, lines: &[String]) {
        let mut session = self.scene.accept_push(&self.user).await;
        let mut originals = Vec::new();
        for _ in 0..count {
            originals.extend(session.take().await.original());
            originals.extend(b"\r\n");
        }
        session.bye(&mut self.scene.core).await;
        for line in self.filled(lines) {
            let is_there = sip::find(&originals, line.as_bytes()).is_some();
            let originals = String::from_utf8_lossy(&originals);
            assert!(
                is_there,
                "no {line:?} was pushed to {}: {originals}",
                uri(&self.user)
            );
        }
    }
}

/// That a message has these lines in its head or body.
fn has(text: &SipText, lines: &[String]) {
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let whole = text.to_string();
        let mut found = whole.lines().skip(1);
        let is_right = match (line.strip_prefix('!'), line.strip_suffix('*')) {
            (Some(name), _) => text.find(name).is_none(),
            (None, Some(beginning)) => found.any(|found| found.starts_with(beginning)),
            (None, None) => found.any(|found| found == line),
        };
        assert!(is_right, "no {line:?} in\n{text}");
    }
}
