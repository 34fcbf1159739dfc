//! What an edge says about itself and its patience.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tls::MutualClient;
use tokio::io::{AsyncRead, AsyncWrite};

/// Where the storage service is and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Base URL of the data listener, such as `http://127.0.0.1:7400`.
    pub address: String,
    /// Makes the connections; without one they are TCP connections to the address. `https` needs one:
    /// [`Connector::secure`].
    pub connector: Option<Connector>,
    /// Name of this edge: unique among the edges of the store, the same after a restart.
    pub edge: String,
    /// What it is, for metrics: in one process there may be several.
    pub role: &'static str,
    /// Time in which a deposit is answered, or else is not stored (PFM-05).
    pub deposit_deadline: Duration,
    /// Time in which an acknowledgement is answered; it outlives several reconnects.
    pub acknowledge_deadline: Duration,
    /// Time in which the commit of a large message is answered; longer would be of no use, because a
    /// sender waits 30 s for the response to its last chunk (RFC 4975 §7.1.1).
    pub commit_deadline: Duration,
    /// Time in which other calls are answered.
    pub request_deadline: Duration,
    /// Unanswered entries at a time; the storage service may allow fewer.
    pub window: usize,
    /// Time in which a connection must be made, and an answer to a keep-alive come.
    pub connect_timeout: Duration,
    /// Interval of HTTP/2 keep-alives.
    pub keep_alive: Duration,
    /// First pause before a new connection; doubles with each failure.
    pub reconnect_min: Duration,
    /// Longest pause before a new connection.
    pub reconnect_max: Duration,
    /// Interval at which claims are renewed (requirements §3.13).
    pub renew_every: Duration,
}

impl ClientConfig {
    /// The defaults for an edge of this name.
    pub fn new(address: impl Into<String>, edge: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            edge: edge.into(),
            ..Self::default()
        }
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            address: "http://127.0.0.1:7400".to_owned(),
            connector: None,
            edge: "edge".to_owned(),
            role: "edge",
            deposit_deadline: Duration::from_secs(3),
            acknowledge_deadline: Duration::from_secs(30),
            commit_deadline: Duration::from_secs(25),
            request_deadline: Duration::from_secs(3),
            window: 4096,
            connect_timeout: Duration::from_secs(1),
            keep_alive: Duration::from_secs(1),
            reconnect_min: Duration::from_millis(50),
            reconnect_max: Duration::from_secs(1),
            renew_every: Duration::from_secs(15),
        }
    }
}

/// Octets to a storage service and back.
pub trait Octets: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Octets for T {}

/// A connection under way.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Octets>>> + Send>>;

/// Makes connections to a storage service that listens on no TCP socket, or over TLS.
#[derive(Clone)]
pub struct Connector(Arc<dyn Fn() -> Connecting + Send + Sync>);

impl Connector {
    /// `connect` is called for each new connection.
    pub fn new(connect: impl Fn() -> Connecting + Send + Sync + 'static) -> Self {
        Self(Arc::new(connect))
    }

    /// Connects to this host and port over TLS, by what the files of `tls` say at that moment.
    #[must_use]
    pub fn secure(tls: MutualClient, host: String, port: u16) -> Self {
        Self::new(move || {
            let (tls, host) = (tls.clone(), host.clone());
            Box::pin(async move {
                let stream = tls.connect(&host, port).await?;
                Ok(Box::new(stream) as Box<dyn Octets>)
            })
        })
    }

    pub(crate) fn connect(&self) -> Connecting {
        (self.0)()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

/// The same one, not one that does the same.
impl PartialEq for Connector {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Connector {}
