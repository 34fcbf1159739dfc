//! The core with everybody behind it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::StormArgs;
use super::ledger::Ledger;
use crate::text::{self, field, ok};
use crate::wire::{self, Incoming, Sender};

/// How long a window stays closed before something is wrong.
const PATIENCE: Duration = Duration::from_secs(40);

/// Requests that were answered 503 and sent again, at most.
const AGAIN: u32 = 1_000;

/// A request before the load.
#[derive(Clone, Copy, Debug)]
pub(super) enum SetUp {
    Register(usize),
    Subscribe(usize),
}

/// Sockets and the ledger.
pub(super) struct Core {
    origin: String,
    here: String,
    targets: Vec<Sender>,
    shared: Arc<Shared>,
    again: AtomicU32,
}

struct Shared {
    ledger: Mutex<Ledger>,
    changed: Notify,
}

impl Core {
    pub(super) async fn open(args: &StormArgs) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(args.listen).await?;
        let shared = Arc::new(Shared {
            ledger: Mutex::new(Ledger::new(args.users, args.subscriptions)),
            changed: Notify::new(),
        });
        let mut targets = Vec::new();
        for _ in 0..args.connections.max(1) {
            let (incoming, sender) = wire::open(TcpStream::connect(args.target).await?);
            tokio::spawn(Arc::clone(&shared).serve(incoming, sender.clone()));
            targets.push(sender);
        }
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (incoming, sender) = wire::open(stream);
                tokio::spawn(Arc::clone(&accepting).serve(incoming, sender));
            }
        });
        Ok(Self {
            origin: format!("Via: SIP/2.0/TCP {};rport", args.listen),
            here: args.listen.to_string(),
            targets,
            shared,
            again: AtomicU32::new(0),
        })
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.shared.ledger()
    }

    /// Waits until something is so.
    pub(super) async fn until(&self, is_so: impl Fn(&mut Ledger) -> bool) {
        loop {
            let changed = self.shared.changed.notified();
            if is_so(&mut self.ledger()) {
                return;
            }
            changed.await;
            // What comes at once is looked at once.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until fewer requests than that are without answer.
    pub(super) async fn room(&self, window: usize) -> anyhow::Result<()> {
        loop {
            let changed = self.shared.changed.notified();
            let refused = std::mem::take(&mut self.ledger().refused);
            for (call_id, status) in refused {
                self.again(&call_id, &status)?;
            }
            if self.ledger().pending < window {
                return Ok(());
            }
            timeout(PATIENCE, changed).await?;
        }
    }

    fn send(&self, turn: usize, text: String) {
        // A connection that is gone is noticed by the answers that do not come.
        let _ = self.targets[turn % self.targets.len()].send(text.into_bytes());
    }

    /// What was overloaded is asked again.
    fn again(&self, call_id: &str, status: &str) -> anyhow::Result<()> {
        let number_of_it = self.again.fetch_add(1, Ordering::Relaxed) + 1;
        let register = number(call_id, "register-user-").map(SetUp::Register);
        let subscribe = number(call_id, "storm-").map(SetUp::Subscribe);
        match register.or(subscribe) {
            Some(set_up) if status == "503" && number_of_it <= AGAIN => {
                self.set_up(set_up, number_of_it);
                Ok(())
            }
            _ => anyhow::bail!("{status} to {call_id}"),
        }
    }

    /// Sends it, for the first time (0) or again.
    pub(super) fn set_up(&self, set_up: SetUp, number_of_it: u32) {
        let (user, text) = match set_up {
            SetUp::Register(user) => {
                let name = format!("user-{user}");
                (user, text::register(&self.origin, &name, true).text)
            }
            SetUp::Subscribe(user) => (user, self.subscribe(user)),
        };
        let text = match number_of_it {
            0 => text,
            _ => text
                .replacen(
                    "branch=z9hG4bK",
                    &format!("branch=z9hG4bK-{number_of_it}"),
                    1,
                )
                .replacen("CSeq: 1 ", &format!("CSeq: {} ", number_of_it + 1), 1),
        };
        self.ledger().pending += 1;
        self.send(user, text);
    }

    fn subscribe(&self, user: usize) -> String {
        let (origin, here) = (&self.origin, &self.here);
        format!(
            "SUBSCRIBE sip:user-{user}@example.org SIP/2.0\r\n\
                 {origin};branch=z9hG4bK-s{user}\r\n\
                 Max-Forwards: 70\r\n\
                 Record-Route: <sip:{here};transport=tcp;lr>\r\n\
                 From: <sip:user-{user}@example.org>;tag=s{user}\r\n\
                 To: <sip:user-{user}@example.org>\r\n\
                 Call-ID: storm-{user}\r\n\
                 CSeq: 1 SUBSCRIBE\r\n\
                 Contact: <sip:user-{user}@203.0.113.9:5060;transport=tcp>\r\n\
                 Event: message-summary\r\n\
                 Accept: application/simple-message-summary\r\n\
                 Expires: 3600\r\n\
                 P-Asserted-Identity: <sip:user-{user}@example.org>\r\n\
                 Content-Length: 0\r\n\r\n"
        )
    }

    /// Message `number`, which was due then.
    pub(super) fn message(&self, number: u64, when: Instant) {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let users = {
            let mut ledger = self.ledger();
            ledger.sent(when);
            ledger.users()
        };
        let request = text::message(&self.origin, number, users);
        self.send(number, request.text);
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self: Arc<Self>, mut incoming: Incoming, sender: Sender) {
        while let Some(octets) = incoming.next().await {
            if let Some(rest) = octets.strip_prefix(b"SIP/2.0 ") {
                let status = String::from_utf8_lossy(&rest[..rest.len().min(3)]).into_owned();
                if !status.starts_with('1') {
                    self.answered(&octets, &status);
                }
            } else {
                self.notified(&octets);
                let _ = sender.send(ok(&octets, "", "").into_bytes());
            }
            self.changed.notify_waiters();
        }
    }

    fn answered(&self, octets: &[u8], status: &str) {
        let call_id = field(octets, "Call-ID").unwrap_or_default();
        let mut ledger = self.ledger();
        match number(call_id, "bench-") {
            Some(number) => ledger.answered(number, status),
            None => {
                ledger.pending = ledger.pending.saturating_sub(1);
                if status != "200" {
                    let refused = (call_id.to_owned(), status.to_owned());
                    ledger.refused.push(refused);
                }
            }
        }
    }

    fn notified(&self, octets: &[u8]) {
        let user = field(octets, "Call-ID").and_then(|call_id| number(call_id, "storm-"));
        let cseq = field(octets, "CSeq").and_then(|cseq| cseq.split(' ').next()?.parse().ok());
        let text = String::from_utf8_lossy(octets);
        let new = text.lines().find_map(|line| {
            let counts = line.strip_prefix("Text-Message: ")?;
            counts.split('/').next()?.parse().ok()
        });
        if let (Some(user), Some(cseq), Some(new)) = (user, cseq, new) {
            self.ledger().told(user, cseq, new);
        }
    }
}

fn number(call_id: &str, prefix: &str) -> Option<usize> {
    call_id.strip_prefix(prefix)?.parse().ok()
}
