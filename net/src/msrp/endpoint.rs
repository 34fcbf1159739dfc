//! The listeners and everything its sessions share.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::msrp::{MsrpUri, SessionId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{BindError, MsrpConfig};
use super::connection::Connection;
use super::guard::AddressGuard;
use super::listener::{Established, Listener, Secure};
use super::pace::{ConnectPacer, WrongPaths};
use super::pending::PendingSession;
use super::reader::Reader;
use super::registry::Registry;
use crate::places::Places;
use crate::tls::TlsError;

/// Listens for MSRP connections and opens sessions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MsrpEndpoint {
    shared: Arc<Shared>,
}

/// What sessions and connections of an endpoint have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: MsrpConfig,
    pub(super) registry: Arc<Registry>,
    pub(super) guard: AddressGuard,
    pub(super) pacer: ConnectPacer,
    pub(super) tasks: TaskTracker,
    local_address: SocketAddr,
    secure: Option<Secure>,
    advertised_host: String,
    wrong_paths: Arc<WrongPaths>,
    pub(super) closing: CancellationToken,
    next_connection: AtomicU64,
}

impl MsrpEndpoint {
    /// Binds the listeners and begins to accept.
    pub async fn bind(config: MsrpConfig) -> Result<MsrpEndpoint, BindError> {
        let listener = match &config.network {
            Some(network) => Listener::passed(&**network, config.address)?,
            None => Listener::bind(config.address).await?,
        };
        let local_address = listener.address;
        let (secure, secure_listener) = match &config.tls {
            Some(tls) => Secure::bind(tls)
                .await
                .map(|(secure, at)| (Some(secure), Some(at)))?,
            None => (None, None),
        };
        let advertised_host = advertised_host(&config, local_address)?;
        let guard = AddressGuard::new(
            config.allow_networks.clone(),
            config.deny_networks.clone(),
            own_addresses(&config, local_address, secure.as_ref(), &advertised_host),
        );
        let shared = Arc::new(Shared {
            registry: Arc::new(Registry::new(config.sessmatch)),
            guard,
            pacer: ConnectPacer::new(config.connects_per_second),
            tasks: TaskTracker::new(),
            local_address,
            secure,
            advertised_host,
            wrong_paths: Arc::new(WrongPaths::new(config.wrong_paths_per_minute)),
            closing: CancellationToken::new(),
            next_connection: AtomicU64::new(0),
            config,
        });
        shared.serve(listener, secure_listener);
        Ok(MsrpEndpoint { shared })
    }

    /// Makes a session with a fresh path and the default rules.
    pub fn open(&self) -> PendingSession {
        let (id, uri) = self.fresh_uri(self.shared.local_address.port());
        let registration = self.shared.registry.register(id, uri.into());
        PendingSession::new(Arc::clone(&self.shared), registration, None)
    }

    /// Makes a session over TLS, with an `msrps` path and a [`fingerprint`](PendingSession::fingerprint); none without
    /// [`MsrpConfig::tls`]. The peer's fingerprint must be set before it is bound.
    pub fn open_secure(&self) -> Option<PendingSession> {
        let secure = self.shared.secure.as_ref()?;
        let (id, uri) = self.fresh_uri(secure.address.port());
        let registration = self.shared.registry.register(id, uri.secured().into());
        let identity = Some(secure.tls.current());
        Some(PendingSession::new(
            Arc::clone(&self.shared),
            registration,
            identity,
        ))
    }

    fn fresh_uri(&self, port: u16) -> (SessionId, MsrpUri) {
        let id = SessionId::generate(&mut rand::rng());
        let uri = MsrpUri::new(&self.shared.advertised_host, port, id.clone());
        (id, uri.expect("the host was checked by bind"))
    }

    /// The address that is listened on in clear, with its real port.
    pub fn local_address(&self) -> SocketAddr {
        self.shared.local_address
    }

    /// The address that is listened on for TLS, with its real port.
    pub fn secure_address(&self) -> Option<SocketAddr> {
        self.shared.secure.as_ref().map(|secure| secure.address)
    }

    /// Reads the certificate again now; without this call it is read when its files change. One that cannot be used
    /// changes nothing.
    pub async fn reload_certificates(&self) -> Result<(), TlsError> {
        match &self.shared.secure {
            Some(secure) => secure.tls.reload().await,
            None => Ok(()),
        }
    }

    /// Host of the paths made here, for `c=` and `o=` of a description (RFC 4975 §8.1).
    pub fn advertised_host(&self) -> &str {
        &self.shared.advertised_host
    }

    /// Stops listening, closes every connection and waits until all sessions have ended.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Shared {
    /// Begins to accept.
    fn serve(self: &Arc<Shared>, listener: Listener, secure_listener: Option<Listener>) {
        let config = &self.config;
        let places = Places::new(config.max_connections, config.max_connections_per_address);
        let accepting = listener.serve(Arc::clone(self), Arc::clone(&places), None);
        self.tasks.spawn(accepting);
        let Some((secure, listener)) = self.secure.as_ref().zip(secure_listener) else {
            return;
        };
        let (tls, closing) = (Arc::clone(&secure.tls), self.closing.clone());
        let accepting = listener.serve(Arc::clone(self), places, Some(Arc::clone(&tls)));
        self.tasks.spawn(accepting);
        self.tasks
            .spawn(async move { closing.run_until_cancelled(tls.watch()).await });
    }

    /// Begins to read a connection.
    pub(super) fn start_connection(
        self: &Arc<Shared>,
        established: Established,
        remote: IpAddr,
    ) -> (Arc<Connection>, impl Future<Output = ()> + Send + use<>) {
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        let closed = self.closing.child_token();
        let (connection, input) = Connection::new(id, established, closed, self.config.write_stall);
        let reader = Reader {
            connection: Arc::clone(&connection),
            remote,
            registry: Arc::clone(&self.registry),
            wrong_paths: Arc::clone(&self.wrong_paths),
            path_wait: self.config.path_wait,
            unbound_timeout: self.config.unbound_timeout,
            reuse_timeout: self.config.reuse_timeout,
            target: None,
        };
        (connection, reader.run(input))
    }
}

fn advertised_host(config: &MsrpConfig, bound: SocketAddr) -> Result<String, BindError> {
    let host = match &config.advertised_host {
        Some(host) => host.clone(),
        None => bound.ip().to_string(),
    };
    let probe = SessionId::generate(&mut rand::rng());
    match MsrpUri::new(&host, bound.port(), probe) {
        Ok(_) => Ok(host),
        Err(_) => Err(BindError::AdvertisedHost(host)),
    }
}

/// The addresses under which our own listeners may be named.
fn own_addresses(
    config: &MsrpConfig,
    bound: SocketAddr,
    secure: Option<&Secure>,
    advertised_host: &str,
) -> Vec<SocketAddr> {
    let advertised = advertised_host.parse::<IpAddr>().ok();
    let bound = std::iter::once(bound).chain(secure.map(|secure| secure.address));
    let bound = bound.chain(config.other_listeners.iter().copied());
    let names = |bound: SocketAddr| {
        let advertised = advertised.map(|ip| SocketAddr::new(ip, bound.port()));
        std::iter::once(bound).chain(advertised)
    };
    bound.flat_map(names).collect()
}
