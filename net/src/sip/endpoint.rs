//! The endpoint: everything a transaction user does with the network.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::{Host, HostPort, Request, Transport};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use super::arrival::Incoming;
use super::attempt::{Attempt, Elsewhere, with_via};
use super::client_transaction::ClientTransaction;
use super::config::{SipConfig, SipListener};
use super::core::{Core, Sockets};
use super::error::{BindError, SendError};
use super::target::Target;
use super::{tcp, udp};
use crate::tls::{SipTls, TlsError};

/// A bound SIP endpoint. Clones share it; when the last one is dropped it closes.
#[derive(Clone, Debug)]
pub struct SipEndpoint {
    core: Arc<Core>,
    _guard: Arc<DropGuard>,
}

impl SipEndpoint {
    /// Binds every listener and starts to serve them. Runs within a tokio runtime with time and I/O.
    ///
    /// # Errors
    ///
    /// [`BindError`] names the listener that cannot be bound; nothing is served then.
    pub async fn bind(config: SipConfig) -> Result<(Self, Incoming), BindError> {
        let mut sockets = bind_all(&config)?;
        for channel in &sockets.udp {
            let (transport, address) = (Transport::Udp, channel.local());
            channel.ready().await.map_err(|source| BindError::Listen {
                transport,
                address,
                source,
            })?;
        }
        let (sender, receiver) = mpsc::channel(config.incoming_queue.max(1));
        let core = Core::new(config, &mut sockets, sender);
        core.serve(sockets.streams);
        let incoming = Incoming::new(receiver, core.shutdown.clone());
        let guard = Arc::new(core.shutdown.clone().drop_guard());
        Ok((
            Self {
                core,
                _guard: guard,
            },
            incoming,
        ))
    }

    /// Sends a request, which carries no Via of ours yet, and waits for the connection it needs, not for an answer.
    /// `branch` goes into the Via as it is and must be unique (RFC 3261 §8.1.1.7).
    ///
    /// # Errors
    ///
    /// [`SendError`] if nothing was sent.
    pub async fn request(
        &self,
        request: Request,
        target: &Target,
        branch: String,
    ) -> Result<ClientTransaction, SendError> {
        self.request_failing_over(request, target, branch, Vec::new)
            .await
    }

    /// As [`request`](Self::request). Where the hop does not answer, or answers 503 before anything else, the request is
    /// sent to the next hop of the URI, with the next of these branches, which are made if there is such a hop (RFC 3263
    /// §4.3); the outcome is that of the last hop tried.
    ///
    /// # Errors
    ///
    /// [`SendError`] if nothing was sent.
    pub async fn request_failing_over(
        &self,
        request: Request,
        target: &Target,
        branch: String,
        further_branches: impl FnOnce() -> Vec<String>,
    ) -> Result<ClientTransaction, SendError> {
        let opening = target.open(&self.core, request.as_bytes().len());
        let opened = self.core.shutdown.run_until_cancelled(opening).await;
        let (flow, behind) = opened.ok_or(SendError::Closed)??;
        let method = request.method().clone();
        let elsewhere = match target {
            Target::Uri(uri) if !behind.is_empty() => Some((uri, further_branches())),
            Target::Uri(_) | Target::Flow(_) => None,
        };
        let elsewhere = elsewhere
            .filter(|(_, branches)| !branches.is_empty())
            .map(|(uri, branches)| Elsewhere::new(&request, uri, behind, branches));
        let attempt = Attempt::start(&self.core, request, flow, &branch)?;
        Ok(ClientTransaction::new(
            Arc::clone(&self.core),
            attempt,
            method,
            elsewhere,
        ))
    }

    /// Sends the ACK of a 2xx, which has no transaction (RFC 3261 §13.2.2.4); to be repeated for each copy of the 2xx.
    ///
    /// # Errors
    ///
    /// [`SendError`] if nothing was sent.
    pub async fn send_ack(
        &self,
        request: Request,
        target: &Target,
        branch: String,
    ) -> Result<(), SendError> {
        let opening = target.open(&self.core, request.as_bytes().len());
        let opened = self.core.shutdown.run_until_cancelled(opening).await;
        let (flow, _) = opened.ok_or(SendError::Closed)??;
        let request = with_via(&self.core, request, &flow, &branch);
        flow.send(request.as_bytes(), flow.remote())
            .map_err(|_| SendError::FlowGone)
    }

    /// The addresses bound, in the order of the configuration.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<(Transport, SocketAddr)> {
        self.core
            .listening
            .iter()
            .map(|(transport, _, address)| (*transport, *address))
            .collect()
    }

    /// Host and port of our Vias over that transport, for a Contact too.
    #[must_use]
    pub fn sent_by(&self, transport: Transport) -> String {
        self.core.sent_by(transport).to_string()
    }

    /// Reads the certificates again now; without this call they are read when they change.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if they cannot be used: the old ones stay in use.
    pub async fn reload_certificates(&self) -> Result<(), TlsError> {
        match &self.core.tls {
            Some(tls) => tls.reload().await,
            None => Ok(()),
        }
    }

    /// Stops to listen, writes out what is queued and waits for all tasks. Open transactions end without news.
    pub async fn close(&self) {
        self.core.shutdown.cancel();
        self.core.tasks.close();
        self.core.tasks.wait().await;
    }
}

fn bind_all(config: &SipConfig) -> Result<Sockets, BindError> {
    let host = advertised(&config.advertised_host)?;
    let tls = config.tls.clone().map(SipTls::new).transpose()?;
    let mut sockets = Sockets {
        udp: Vec::new(),
        streams: Vec::new(),
        tls: tls.map(Arc::new),
        listening: Vec::new(),
    };
    for listener in &config.listeners {
        let bound = bind_listener(config, *listener, &mut sockets)?;
        let sent_by = HostPort {
            host: host.clone(),
            port: Some(bound.port()),
        };
        sockets.listening.push((listener.transport, sent_by, bound));
    }
    Ok(sockets)
}

/// An IPv6 address may be written with or without brackets.
fn advertised(host: &str) -> Result<Host, BindError> {
    let literal = host.parse::<IpAddr>().map(Host::from);
    literal
        .or_else(|_| host.parse())
        .map_err(|_| BindError::AdvertisedHost)
}

fn bind_listener(
    config: &SipConfig,
    listener: SipListener,
    sockets: &mut Sockets,
) -> Result<SocketAddr, BindError> {
    let SipListener { transport, address } = listener;
    let failed = |source| BindError::Listen {
        transport,
        address,
        source,
    };
    match transport {
        Transport::Udp => {
            let channels = udp::bind(address, config.udp_sockets.max(1), config).map_err(failed)?;
            let bound = channels.first().map_or(address, |channel| channel.local());
            sockets.udp.extend(channels);
            Ok(bound)
        }
        Transport::Tls if sockets.tls.is_none() => Err(BindError::Unsupported(transport)),
        Transport::Tcp | Transport::Tls => {
            let socket = tcp::listen(address).map_err(failed)?;
            let bound = socket.local_addr().map_err(failed)?;
            sockets.streams.push((socket, transport));
            Ok(bound)
        }
    }
}
