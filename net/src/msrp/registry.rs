//! The live sessions of an endpoint, and which connection each is bound to (MSR-02).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::msrp::{Event, Path, RequestHead, Response, SessionId, status};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::connection::Connection;
use crate::tls::Fingerprint;

/// Where the events of a bound session go.
pub(super) type SessionInput = mpsc::Sender<Event>;

/// All sessions from `open` to their end.
#[derive(Debug)]
pub(super) struct Registry {
    sessions: Mutex<HashMap<SessionId, Arc<Slot>>>,
    /// Session-ids are compared, whole paths are not.
    sessmatch: bool,
}

/// One session.
#[derive(Debug)]
pub(super) struct Slot {
    local_path: Path,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
enum State {
    /// Our path is made, the peer's is not known.
    Reserved,
    /// Waiting for the peer to connect.
    Expecting {
        peer: ExpectedPeer,
        input: SessionInput,
        bound: oneshot::Sender<Binding>,
    },
    /// We connect: no connection of a peer may bind.
    Active,
    /// Bound to a connection.
    Bound {
        peer_path: Path,
        input: SessionInput,
        connection: u64,
        by_us: bool,
    },
}

/// Who may bind a session.
#[derive(Debug, Clone)]
pub(super) struct ExpectedPeer {
    pub(super) path: Path,
    /// What the peer's certificate must match; none for a session in clear.
    pub(super) fingerprint: Option<Fingerprint>,
}

impl ExpectedPeer {
    /// MSR-03. Knowing the paths is not enough in either direction: a session of one kind is never bound over the other.
    fn may_use(&self, connection: &Connection) -> bool {
        match (&self.fingerprint, connection.certificate()) {
            (None, None) => true,
            (Some(fingerprint), Some(certificate)) => fingerprint.matches(certificate),
            _ => false,
        }
    }
}

/// The connection that a session is bound to, if the right peer made it.
pub(super) type Binding = Result<Arc<Connection>, WrongCertificate>;

/// Whoever knew the paths of the session did not have the certificate of its peer (MSR-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongCertificate;

/// Why a request is led nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misdirected {
    /// No session has this To-Path.
    NoSuchPath,
    /// The session is not for this peer, or not to be bound by it.
    NotForYou,
    /// The session is bound to another connection.
    BoundElsewhere,
    /// The paths are right, the certificate is not: the session has failed.
    WrongCertificate,
}

impl Misdirected {
    /// The code to answer with (ERR-32, ERR-33).
    pub(super) fn code(self) -> u16 {
        match self {
            Misdirected::NoSuchPath | Misdirected::NotForYou | Misdirected::WrongCertificate => {
                status::NO_SESSION
            }
            Misdirected::BoundElsewhere => status::WRONG_CONNECTION,
        }
    }
}

impl Registry {
    /// Without a session; whether paths are told apart by their session-ids alone.
    pub(super) fn new(sessmatch: bool) -> Registry {
        Registry {
            sessions: Mutex::default(),
            sessmatch,
        }
    }

    /// Enters a session; it stays until the registration is dropped.
    pub(super) fn register(self: &Arc<Registry>, id: SessionId, local_path: Path) -> Registration {
        let slot = Arc::new(Slot {
            local_path,
            state: Mutex::new(State::Reserved),
            changed: Notify::new(),
        });
        locked(&self.sessions).insert(id.clone(), Arc::clone(&slot));
        Registration {
            registry: Arc::clone(self),
            id,
            slot,
        }
    }

    /// How many there are.
    pub(super) fn sessions(&self) -> usize {
        locked(&self.sessions).len()
    }

    fn slot(&self, path: &Path) -> Option<Arc<Slot>> {
        let id = path.first().session_id()?;
        let slot = locked(&self.sessions).get(id).cloned()?;
        (self.sessmatch || slot.local_path == *path).then_some(slot)
    }

    /// Leads a request to its session, binding the session to the connection if it is free. Waits at most
    /// `path_wait` for a peer path that is not known yet.
    pub(super) async fn route_request(
        &self,
        connection: &Arc<Connection>,
        head: &RequestHead,
        path_wait: Duration,
    ) -> Result<SessionInput, Misdirected> {
        let slot = self.slot(&head.to_path).ok_or(Misdirected::NoSuchPath)?;
        slot.wait_for_peer_path(path_wait).await;
        slot.bind(connection, &head.from_path, self.sessmatch)
    }

    /// Leads a response to the session of this connection that it is addressed to.
    pub(super) fn route_response(
        &self,
        connection: &Connection,
        response: &Response,
    ) -> Option<SessionInput> {
        let slot = self.slot(&response.to_path)?;
        match &*locked(&slot.state) {
            State::Bound {
                input,
                connection: bound,
                ..
            } if *bound == connection.id() => Some(input.clone()),
            _ => None,
        }
    }
}

impl Slot {
    async fn wait_for_peer_path(&self, wait: Duration) {
        let changed = self.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let unknown = matches!(&*locked(&self.state), State::Reserved);
        if unknown {
            // Whether the path came or not is seen by `bind`.
            let _ = timeout(wait, changed).await;
        }
    }

    fn bind(
        &self,
        connection: &Arc<Connection>,
        from: &Path,
        sessmatch: bool,
    ) -> Result<SessionInput, Misdirected> {
        let mut state = locked(&self.state);
        match &*state {
            State::Reserved | State::Active => return Err(Misdirected::NotForYou),
            State::Bound {
                peer_path,
                input,
                connection: bound,
                by_us,
            } => {
                return match *bound == connection.id() {
                    true if same_peer(peer_path, from, sessmatch) => Ok(input.clone()),
                    false if !by_us => Err(Misdirected::BoundElsewhere),
                    _ => Err(Misdirected::NotForYou),
                };
            }
            State::Expecting { peer, .. } if !same_peer(&peer.path, from, sessmatch) => {
                return Err(Misdirected::NotForYou);
            }
            State::Expecting { .. } => {}
        }
        let State::Expecting { peer, input, bound } = std::mem::replace(&mut *state, State::Active)
        else {
            return Err(Misdirected::NotForYou);
        };
        if !peer.may_use(connection) {
            // Nobody may wait for the news any more.
            let _ = bound.send(Err(WrongCertificate));
            return Err(Misdirected::WrongCertificate);
        }
        connection.session_bound();
        if bound.send(Ok(Arc::clone(connection))).is_err() {
            connection.session_ended();
            return Err(Misdirected::NotForYou);
        }
        let to_session = input.clone();
        *state = State::Bound {
            peer_path: peer.path,
            input,
            connection: connection.id(),
            by_us: false,
        };
        Ok(to_session)
    }
}

/// A session's place in the registry; dropping it makes the path unknown (MSR-01).
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    id: SessionId,
    slot: Arc<Slot>,
}

impl Registration {
    pub(super) fn local_path(&self) -> &Path {
        &self.slot.local_path
    }

    /// From now on this peer may bind a connection.
    pub(super) fn expect(
        &self,
        peer: ExpectedPeer,
        input: SessionInput,
    ) -> oneshot::Receiver<Binding> {
        let (bound, binding) = oneshot::channel();
        self.change(State::Expecting { peer, input, bound });
        binding
    }

    /// From now on nobody may bind: we connect.
    pub(super) fn refuse_binding(&self) {
        self.change(State::Active);
    }

    /// The connection that we opened belongs to the session.
    pub(super) fn bind_own(&self, connection: &Connection, peer_path: Path, input: SessionInput) {
        connection.session_bound();
        let connection = connection.id();
        self.change(State::Bound {
            peer_path,
            input,
            connection,
            by_us: true,
        });
    }

    fn change(&self, state: State) {
        *locked(&self.slot.state) = state;
        self.slot.changed.notify_waiters();
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        locked(&self.registry.sessions).remove(&self.id);
        // Whoever waits for the peer's path finds that none came.
        self.slot.changed.notify_waiters();
    }
}

fn same_peer(negotiated: &Path, from: &Path, sessmatch: bool) -> bool {
    if sessmatch {
        return negotiated.last().session_id() == from.last().session_id();
    }
    negotiated == from
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
