//! The listener and everything its sessions share.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::msrp::{MsrpUri, SessionId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{BindError, MsrpConfig, SessionRules};
use super::connection::{Connection, Stream};
use super::guard::AddressGuard;
use super::pace::{ConnectPacer, WrongPaths};
use super::pending::PendingSession;
use super::reader::Reader;
use super::registry::{Registry, RouteRules};

/// Pause after the system refused to accept, as it does without free descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
    advertised_host: String,
    wrong_paths: Arc<WrongPaths>,
    closing: CancellationToken,
    next_connection: AtomicU64,
}

impl MsrpEndpoint {
    /// Binds the listener and begins to accept.
    pub async fn bind(config: MsrpConfig) -> Result<MsrpEndpoint, BindError> {
        let address = config.address;
        let listen_error = |source: io::Error| BindError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        let local_address = listener.local_addr().map_err(listen_error)?;
        let advertised_host = advertised_host(&config, local_address)?;
        let guard = AddressGuard::new(
            config.allow_networks.clone(),
            config.deny_networks.clone(),
            own_addresses(local_address, &advertised_host),
        );
        let shared = Arc::new(Shared {
            registry: Arc::new(Registry::default()),
            guard,
            pacer: ConnectPacer::new(config.connects_per_second),
            tasks: TaskTracker::new(),
            local_address,
            advertised_host,
            wrong_paths: Arc::new(WrongPaths::new(config.wrong_paths_per_minute)),
            closing: CancellationToken::new(),
            next_connection: AtomicU64::new(0),
            config,
        });
        shared
            .tasks
            .spawn(accept_loop(Arc::clone(&shared), listener));
        Ok(MsrpEndpoint { shared })
    }

    /// Makes a session with a fresh path and the default rules.
    pub fn open(&self) -> PendingSession {
        let id = SessionId::generate(&mut rand::rng());
        let (host, port) = (
            &self.shared.advertised_host,
            self.shared.local_address.port(),
        );
        let uri = MsrpUri::new(host, port, id.clone()).expect("the host was checked by bind");
        let registration = self.shared.registry.register(id, uri.into());
        PendingSession::new(
            Arc::clone(&self.shared),
            registration,
            SessionRules::default(),
        )
    }

    /// The address that is listened on, with its real port.
    pub fn local_address(&self) -> SocketAddr {
        self.shared.local_address
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
    /// Begins to read a connection.
    pub(super) fn start_connection(
        self: &Arc<Shared>,
        stream: Box<dyn Stream>,
        remote: IpAddr,
    ) -> (Arc<Connection>, impl Future<Output = ()> + Send + use<>) {
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        let closed = self.closing.child_token();
        let (connection, input) = Connection::new(id, stream, closed, self.config.write_stall);
        let reader = Reader {
            connection: Arc::clone(&connection),
            remote,
            registry: Arc::clone(&self.registry),
            wrong_paths: Arc::clone(&self.wrong_paths),
            rules: RouteRules {
                path_wait: self.config.path_wait,
                sessmatch: self.config.sessmatch,
            },
            unbound_timeout: self.config.unbound_timeout,
            target: None,
        };
        (connection, reader.run(input))
    }
}

async fn accept_loop(shared: Arc<Shared>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(shared.config.max_connections));
    loop {
        let accepted = tokio::select! {
            () = shared.closing.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                // Without a free place the stream is dropped, which closes it.
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    continue;
                };
                let (_, reading) = shared.start_connection(prepared(stream), remote.ip());
                shared.tasks.spawn(async move {
                    reading.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept MSRP connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Small frames leave at once: responses must not wait for more data.
pub(super) fn prepared(stream: TcpStream) -> Box<dyn Stream> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    Box::new(stream)
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

/// The addresses under which our own listener may be named.
fn own_addresses(bound: SocketAddr, advertised_host: &str) -> Vec<SocketAddr> {
    let advertised = advertised_host.parse::<IpAddr>().ok();
    let advertised = advertised.map(|ip| SocketAddr::new(ip, bound.port()));
    std::iter::once(bound).chain(advertised).collect()
}
