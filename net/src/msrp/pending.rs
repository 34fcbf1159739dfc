//! A session between its path and its connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::msrp::{MessageId, MsrpUri, OutboundMessage, Path};
use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::config::SessionRules;
use super::connection::Connection;
use super::endpoint::Shared;
use super::listener::{Established, prepared};
use super::registry::{ExpectedPeer, Registration, WrongCertificate};
use super::session::{MsrpSession, SendFailure, SessionParts};
use crate::resolve::ResolveError;
use crate::tls::{Fingerprint, Identity};

/// Frames and pieces that wait for a session; a piece is at most one read.
const INPUT_QUEUE: usize = 2;

/// Why a session was not set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The time given is over.
    #[error("no connection in time")]
    Timeout,
    /// The endpoint is closing.
    #[error("the endpoint is closing")]
    Closing,
    /// The peer's path names a transport or scheme that is not spoken here.
    #[error("the transport of the peer's path is not supported")]
    Transport,
    /// The peer's path names an address that we never connect to (MSR-04).
    #[error("the address of the peer's path is forbidden")]
    Forbidden,
    /// Too many connections are being opened (MSR-04).
    #[error("too many connections are being opened")]
    TooMany,
    /// The host of the peer's path has no address.
    #[error("the host of the peer's path cannot be found")]
    Resolve(#[from] ResolveError),
    /// The host of the peer's path cannot be connected to, or does not agree on TLS.
    #[error("cannot connect to the peer")]
    Connect(#[source] io::Error),
    /// The session is one for TLS, and the peer's fingerprint is not known (MSR-03).
    #[error("no fingerprint of the peer")]
    NoFingerprint,
    /// Whoever is on the connection does not have the certificate of the peer's fingerprint, or no certificate (MSR-03).
    #[error("the certificate is not the peer's")]
    WrongCertificate,
    /// The peer did not take the request that binds the connection.
    #[error("the peer did not bind the connection")]
    Binding(#[source] SendFailure),
}

/// An address that was judged and may be connected to (MSR-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permitted(SocketAddr);

/// A session that has a path of its own but no connection. Dropping it makes the path unknown.
#[derive(Debug)]
pub struct PendingSession {
    shared: Arc<Shared>,
    registration: Registration,
    rules: SessionRules,
    /// What we show over TLS; none for a session in clear.
    identity: Option<Arc<Identity>>,
    peer_fingerprint: Option<Fingerprint>,
}

impl PendingSession {
    pub(super) fn new(
        shared: Arc<Shared>,
        registration: Registration,
        identity: Option<Arc<Identity>>,
    ) -> PendingSession {
        PendingSession {
            shared,
            registration,
            rules: SessionRules::default(),
            identity,
            peer_fingerprint: None,
        }
    }

    /// Our path, for `a=path`.
    pub fn local_path(&self) -> &Path {
        self.registration.local_path()
    }

    /// The fingerprint of our certificate, for `a=fingerprint`; none for a session in clear. A certificate that is
    /// replaced before a passive session is bound makes the peer see another one.
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.identity.as_ref().map(|own| &own.fingerprint)
    }

    /// Sets what the peer's description says of its certificate; a session for TLS needs it, one in clear ignores it.
    pub fn with_peer_fingerprint(mut self, fingerprint: Fingerprint) -> PendingSession {
        self.peer_fingerprint = Some(fingerprint);
        self
    }

    /// Sets what the session takes and how it sends.
    pub fn with_rules(mut self, rules: SessionRules) -> PendingSession {
        self.rules = rules;
        self
    }

    /// We are passive: waits for the peer's first request, which binds its connection (MSR-02).
    pub async fn accept(self, peer_path: Path, wait: Duration) -> Result<MsrpSession, OpenError> {
        let (input, events) = mpsc::channel(INPUT_QUEUE);
        let peer = ExpectedPeer {
            path: peer_path.clone(),
            fingerprint: self.expected_fingerprint()?.cloned(),
        };
        let binding = self.registration.expect(peer, input);
        match timeout(wait, binding).await {
            Ok(Ok(Err(WrongCertificate))) => Err(OpenError::WrongCertificate),
            Ok(Ok(Ok(connection))) => Ok(self.start(connection, peer_path, events, false)),
            Ok(Err(_)) => Err(OpenError::Closing),
            Err(_) => Err(OpenError::Timeout),
        }
    }

    /// Resolves a host and judges its addresses; the one returned is the one connected (MSR-04).
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Permitted, OpenError> {
        let shared = &self.shared;
        let looking_up = timeout(
            shared.config.connect_timeout,
            shared.config.resolver.addresses(host),
        );
        let found = looking_up.await.map_err(|_| OpenError::Timeout)??;
        let mut addresses = found.into_iter().map(|ip| SocketAddr::new(ip, port));
        let permitted = addresses.find(|address| self.shared.guard.permits(*address));
        permitted.map(Permitted).ok_or(OpenError::Forbidden)
    }

    /// We are active: connects to the first URI of the peer's path under MSR-04 and binds the
    /// connection with an empty SEND. `signalling_peer` names whoever made us connect, by what that
    /// peer cannot choose; its attempts are counted together, and so are those to one address.
    pub async fn connect(
        self,
        peer_path: Path,
        signalling_peer: &str,
        wait: Duration,
    ) -> Result<MsrpSession, OpenError> {
        let deadline = Instant::now() + wait;
        self.registration.refuse_binding();
        let first = peer_path.first();
        let resolving = self.resolve(first.host(), first.effective_port());
        let permitted = timeout_at(deadline, resolving)
            .await
            .map_err(|_| OpenError::Timeout)??;
        let left = deadline.saturating_duration_since(Instant::now());
        Box::pin(self.connect_to(permitted, peer_path, signalling_peer, left)).await
    }

    /// As [`connect`](PendingSession::connect), to an address that was resolved before: when the peer's
    /// description was judged, or where it names another than its path (RFC 6714 §4).
    pub async fn connect_to(
        self,
        address: Permitted,
        peer_path: Path,
        signalling_peer: &str,
        wait: Duration,
    ) -> Result<MsrpSession, OpenError> {
        let deadline = Instant::now() + wait;
        self.registration.refuse_binding();
        // On the heap: a handshake is large, and most sessions have none.
        let connecting =
            self.open_connection((address, deadline), peer_path.first(), signalling_peer);
        let connection = timeout_at(deadline, Box::pin(connecting))
            .await
            .map_err(|_| OpenError::Timeout)??;
        let (input, events) = mpsc::channel(INPUT_QUEUE);
        self.registration
            .bind_own(&connection, peer_path.clone(), input);
        let session = self.start(connection, peer_path, events, true);
        let binding = OutboundMessage::binding(MessageId::generate(&mut rand::rng()));
        let bound = async { session.send(binding, Bytes::new()).await.await };
        match timeout_at(deadline, bound).await {
            Ok(Ok(_)) => Ok(session),
            Ok(Err(failure)) => Err(OpenError::Binding(failure)),
            Err(_) => Err(OpenError::Timeout),
        }
    }

    fn start(
        self,
        connection: Arc<Connection>,
        peer_path: Path,
        events: mpsc::Receiver<::msrp::Event>,
        active: bool,
    ) -> MsrpSession {
        let tasks = self.shared.tasks.clone();
        let parts = SessionParts {
            connection,
            registration: self.registration,
            rules: self.rules,
            peer_path,
            events,
            active,
        };
        MsrpSession::start(parts, &tasks)
    }

    async fn open_connection(
        &self,
        (Permitted(address), deadline): (Permitted, Instant),
        peer: &MsrpUri,
        signalling_peer: &str,
    ) -> Result<Arc<Connection>, OpenError> {
        let fingerprint = self.expected_fingerprint()?;
        if peer.is_secure() != self.identity.is_some()
            || !peer.transport().eq_ignore_ascii_case("tcp")
        {
            return Err(OpenError::Transport);
        }
        let shared = &self.shared;
        let when = (Instant::now(), deadline);
        let due = shared.pacer.reserve(signalling_peer, address.ip(), when);
        sleep_until(due.ok_or(OpenError::TooMany)?).await;
        if let Some(network) = &shared.config.network {
            let connecting = timeout(shared.config.connect_timeout, network.connect(address));
            let stream = connecting.await.map_err(|_| OpenError::Timeout)?;
            let established = Established::clear(stream.map_err(OpenError::Connect)?);
            let (connection, reading) = shared.start_connection(established, address.ip());
            shared.tasks.spawn(reading);
            return Ok(connection);
        }
        let connecting = timeout(shared.config.connect_timeout, TcpStream::connect(address));
        let stream = connecting.await.map_err(|_| OpenError::Timeout)?;
        let stream = stream.map_err(OpenError::Connect)?;
        let established = match &self.identity {
            None => Established::clear(prepared(stream)),
            Some(own) => Established::secured(own.connect(prepared(stream)))
                .await
                .map_err(OpenError::Connect)?,
        };
        if !fingerprint.is_none_or(|fingerprint| established.is_from(fingerprint)) {
            return Err(OpenError::WrongCertificate);
        }
        let (connection, reading) = shared.start_connection(established, address.ip());
        shared.tasks.spawn(reading);
        Ok(connection)
    }

    /// What the peer's certificate must match; none for a session in clear.
    fn expected_fingerprint(&self) -> Result<Option<&Fingerprint>, OpenError> {
        match (&self.identity, &self.peer_fingerprint) {
            (None, _) => Ok(None),
            (Some(_), Some(fingerprint)) => Ok(Some(fingerprint)),
            (Some(_), None) => Err(OpenError::NoFingerprint),
        }
    }
}
