//! Sessions: in memory, bounded in number and time. The cookie is the only thing by which one is found; here only its hash
//! is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::calls::Calls;
use crate::visitor::Visitor;

/// Sessions at a time, and of them those of one name.
const MAX_SESSIONS: usize = 64;
const MAX_SESSIONS_EACH: usize = 16;

/// Random octets of a cookie, and of what forms carry.
const SECRET_OCTETS: usize = 32;

/// What a session knows of whoever began it.
#[derive(Debug)]
pub(crate) struct Session {
    /// What he is called in timelines.
    pub(crate) name: String,
    /// Whether changes are offered.
    pub(crate) may_change: bool,
    /// Whether contents are offered.
    pub(crate) may_read_contents: bool,
    /// Calls in his name.
    pub(crate) calls: Calls,
    /// Cancelled when the session has ended.
    pub(crate) ended: CancellationToken,
    /// What his forms carry.
    form_secret: String,
}

impl Session {
    /// What forms carry, so that no page of somebody else's can send them.
    pub(crate) fn form_secret(&self) -> &str {
        &self.form_secret
    }

    /// Whether a form is of this session.
    pub(crate) fn is_form_secret(&self, shown: &str) -> bool {
        self.form_secret.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

/// Whether a request shows that somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Somebody has clicked.
    Shown,
    /// A page that is left open asks by itself.
    NotShown,
}

type Key = [u8; 32];

struct Entry {
    session: Arc<Session>,
    begun: Instant,
    /// When somebody was there last.
    seen: Instant,
}

/// All sessions.
pub(crate) struct Sessions {
    entries: Mutex<HashMap<Key, Entry>>,
    idle: Duration,
    lifetime: Duration,
}

impl Sessions {
    pub(crate) fn new(idle: Duration, lifetime: Duration) -> Self {
        Self {
            entries: Mutex::default(),
            idle,
            lifetime,
        }
    }

    /// Begins a session; what its cookie is to hold, or nothing if the system gives no randomness.
    pub(crate) fn begin(&self, visitor: Visitor) -> Option<String> {
        let (cookie, form_secret) = (secret()?, secret()?);
        let session = Session {
            name: visitor.name,
            may_change: visitor.may_change,
            may_read_contents: visitor.may_read_contents,
            calls: Calls::new(visitor.connect),
            ended: CancellationToken::new(),
            form_secret,
        };
        let now = Instant::now();
        let mut entries = self.living(now);
        let crowded_out = makes_way(&entries, &session.name);
        if let Some(entry) = crowded_out.and_then(|key| entries.remove(&key)) {
            tracing::info!(
                event = "console.session_displaced",
                "a session of the console made way for a new one"
            );
            entry.session.ended.cancel();
        }
        let entry = Entry {
            session: Arc::new(session),
            begun: now,
            seen: now,
        };
        entries.insert(key(&cookie), entry);
        Some(cookie)
    }

    /// The session of a cookie, if it has not ended.
    pub(crate) fn find(&self, cookie: &str, presence: Presence) -> Option<Arc<Session>> {
        let now = Instant::now();
        let mut entries = self.living(now);
        let entry = entries.get_mut(&key(cookie))?;
        if presence == Presence::Shown {
            entry.seen = now;
        }
        Some(Arc::clone(&entry.session))
    }

    /// Ends a session.
    pub(crate) fn end(&self, cookie: &str) {
        let removed = self.living(Instant::now()).remove(&key(cookie));
        if let Some(entry) = removed {
            entry.session.ended.cancel();
        }
    }

    /// Ends those whose time is over.
    pub(crate) fn sweep(&self) {
        drop(self.living(Instant::now()));
    }

    /// Ends all of them.
    pub(crate) fn close_all(&self) {
        for (_, entry) in self.lock().drain() {
            entry.session.ended.cancel();
        }
    }

    /// Those whose time is not over; the others have ended by that.
    fn living(&self, now: Instant) -> MutexGuard<'_, HashMap<Key, Entry>> {
        let mut entries = self.lock();
        entries.retain(|_, entry| {
            let is_over = now.duration_since(entry.begun) >= self.lifetime
                || now.duration_since(entry.seen) >= self.idle;
            if is_over {
                entry.session.ended.cancel();
            }
            !is_over
        });
        entries
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session that ends for a new one of this name, if there are too many: of those of whoever has most, the one that was
/// quiet for longest. So nobody pushes others out.
fn makes_way(entries: &HashMap<Key, Entry>, name: &str) -> Option<Key> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for entry in entries.values() {
        *counts.entry(&entry.session.name).or_default() += 1;
    }
    let most = match counts.get(name) {
        Some(own) if *own >= MAX_SESSIONS_EACH => name,
        _ if entries.len() >= MAX_SESSIONS => counts.iter().max_by_key(|(_, count)| **count)?.0,
        _ => return None,
    };
    let candidates = entries.iter();
    let candidates = candidates.filter(|(_, entry)| entry.session.name == most);
    let quietest = candidates.min_by_key(|(_, entry)| entry.seen);
    quietest.map(|(key, _)| *key)
}

fn key(cookie: &str) -> Key {
    Sha256::digest(cookie.as_bytes()).into()
}

/// Something that nobody can guess; nothing if the system gives no randomness.
fn secret() -> Option<String> {
    let mut octets = [0; SECRET_OCTETS];
    OsRng.try_fill_bytes(&mut octets).ok()?;
    Some(URL_SAFE_NO_PAD.encode(octets))
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::time::advance;

    use super::*;

    const IDLE: Duration = Duration::from_secs(900);
    const LIFETIME: Duration = Duration::from_secs(3_600);

    fn sessions() -> Sessions {
        Sessions::new(IDLE, LIFETIME)
    }

    fn begin(sessions: &Sessions) -> String {
        begin_of(sessions, "operator")
    }

    fn begin_of(sessions: &Sessions, name: &str) -> String {
        let visitor = Visitor {
            name: name.to_owned(),
            may_change: true,
            may_read_contents: false,
            connect: Box::new(|| Err(io::ErrorKind::ConnectionRefused.into())),
        };
        sessions.begin(visitor).expect("randomness")
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_nobody_is_there() {
        let sessions = sessions();
        let cookie = begin(&sessions);
        let session = sessions.find(&cookie, Presence::Shown).expect("begun");
        advance(IDLE - Duration::from_secs(1)).await;
        assert!(sessions.find(&cookie, Presence::NotShown).is_some());
        advance(Duration::from_secs(1)).await;
        assert!(sessions.find(&cookie, Presence::NotShown).is_none());
        assert!(session.ended.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_however_busy_it_is() {
        let sessions = sessions();
        let cookie = begin(&sessions);
        let pause = LIFETIME / 5;
        for _ in 0..4 {
            advance(pause).await;
            let is_there = sessions.find(&cookie, Presence::Shown).is_some();
            assert!(is_there, "within its lifetime");
        }
        advance(pause).await;
        assert!(sessions.find(&cookie, Presence::Shown).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_bounded_and_the_quietest_makes_way() {
        let sessions = sessions();
        let is_there = |cookie: &str| sessions.find(cookie, Presence::NotShown).is_some();
        let other = begin_of(&sessions, "other");
        let first = begin(&sessions);
        let second = begin(&sessions);
        for _ in 2..MAX_SESSIONS_EACH {
            advance(Duration::from_secs(1)).await;
            begin(&sessions);
        }
        assert!(sessions.find(&first, Presence::Shown).is_some());
        begin(&sessions);
        assert_eq!(sessions.lock().len(), MAX_SESSIONS_EACH + 1);
        assert!(!is_there(&second), "the quietest of this name");
        assert!(is_there(&first) && is_there(&other), "nobody else's");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_most_sessions_makes_way_for_the_others() {
        let sessions = sessions();
        let is_there = |cookie: &str| sessions.find(cookie, Presence::NotShown).is_some();
        let single = begin_of(&sessions, "single");
        let mut cookies = Vec::new();
        for number in 1..MAX_SESSIONS {
            advance(Duration::from_secs(1)).await;
            // Four names with 16, 16, 16 and 15.
            let name = format!("crowd {}", (number - 1) / MAX_SESSIONS_EACH);
            cookies.push(begin_of(&sessions, &name));
        }
        assert_eq!(sessions.lock().len(), MAX_SESSIONS);
        let newcomer = begin_of(&sessions, "newcomer");
        assert_eq!(sessions.lock().len(), MAX_SESSIONS);
        assert!(is_there(&single) && is_there(&newcomer));
        let gone = cookies.iter().filter(|cookie| !is_there(cookie));
        assert_eq!(gone.count(), 1);
    }

    #[tokio::test]
    async fn who_signs_out_is_out_and_nobody_else() {
        let sessions = sessions();
        let (mine, other) = (begin(&sessions), begin(&sessions));
        sessions.end(&mine);
        assert!(sessions.find(&mine, Presence::Shown).is_none());
        assert!(sessions.find(&other, Presence::Shown).is_some());
        sessions.close_all();
        assert!(sessions.find(&other, Presence::Shown).is_none());
    }

    #[tokio::test]
    async fn forms_carry_a_secret_of_their_session() {
        let sessions = sessions();
        let of = |cookie: &str| sessions.find(cookie, Presence::Shown).expect("begun");
        let (mine, other) = (of(&begin(&sessions)), of(&begin(&sessions)));
        assert!(mine.is_form_secret(mine.form_secret()));
        assert!(!mine.is_form_secret(other.form_secret()));
        assert!(!mine.is_form_secret(""));
    }
}
