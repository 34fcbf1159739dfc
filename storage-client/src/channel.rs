//! The HTTP/2 connection to the storage service.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::codegen::http::uri::Scheme;
use tonic::transport::{Channel, Endpoint};

use crate::{ClientConfig, Connector, Octets};

/// Enough for a window of pager messages in flight.
const STREAM_WINDOW_OCTETS: u32 = 4 << 20;
const CONNECTION_WINDOW_OCTETS: u32 = 8 << 20;

/// Of one stream that carries octets of large messages: what may be read ahead of its reader.
const BULK_WINDOW_OCTETS: u32 = 256 << 10;
/// Longest frame on such streams: each is a call of the system for its sender.
const BULK_FRAME_OCTETS: u32 = 64 << 10;
/// Of all of them: no slow reader holds up the others.
const BULK_CONNECTION_OCTETS: u32 = 256 << 20;

/// Longest wait for the answer to a keep-alive among them: it stands in line behind octets of other uploads, which a busy
/// store takes its time for.
const BULK_KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// A channel that connects when it is used and again after it broke. An address that is no URL
/// yields a channel that never connects; the configuration is expected to have been checked.
pub(crate) fn open(config: &ClientConfig) -> Channel {
    let endpoint = endpoint(config)
        .initial_stream_window_size(STREAM_WINDOW_OCTETS)
        .initial_connection_window_size(CONNECTION_WINDOW_OCTETS);
    lazy(&endpoint, config)
}

/// The same for octets of large messages.
pub(crate) fn open_bulk(config: &ClientConfig) -> Channel {
    let endpoint = endpoint(config)
        .keep_alive_timeout(BULK_KEEP_ALIVE_TIMEOUT)
        .initial_stream_window_size(BULK_WINDOW_OCTETS)
        .initial_connection_window_size(BULK_CONNECTION_OCTETS)
        .max_frame_size(BULK_FRAME_OCTETS);
    lazy(&endpoint, config)
}

fn lazy(endpoint: &Endpoint, config: &ClientConfig) -> Channel {
    match &config.connector {
        Some(connector) => endpoint.connect_with_connector_lazy(Connect(connector.clone())),
        None => endpoint.connect_lazy(),
    }
}

/// A connector as a channel wants it.
pub struct Connect(pub Connector);

impl Service<Uri> for Connect {
    type Response = TokioIo<Box<dyn Octets>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connecting = self.0.connect();
        Box::pin(async { connecting.await.map(TokioIo::new) })
    }
}

/// The endpoint of a base URL, for a [`Connect`] if that says `https`: TLS is the connector's business, because tonic's own
/// never reads a file again. Requests say `https` all the same.
///
/// # Errors
/// The text is no base URL.
pub fn endpoint_of(address: &str) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(address.to_owned())?;
    let origin = endpoint.uri().clone();
    if origin.scheme() != Some(&Scheme::HTTPS) {
        return Ok(endpoint);
    }
    let rest = address.split_once("://").map_or("", |(_, rest)| rest);
    Ok(Endpoint::from_shared(format!("http://{rest}"))?.origin(origin))
}

fn endpoint(config: &ClientConfig) -> Endpoint {
    let endpoint = endpoint_of(&config.address).unwrap_or_else(|error| {
        tracing::error!(event = "storage.address_invalid", address = %config.address, %error, "storage address is no URL");
        Endpoint::from_static("http://invalid.invalid")
    });
    endpoint
        .connect_timeout(config.connect_timeout)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(config.keep_alive)
        .keep_alive_timeout(config.connect_timeout)
        .keep_alive_while_idle(true)
}
