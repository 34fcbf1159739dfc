//! Connections of browsers, bounded in number and in time, in clear or over TLS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use daemon::exit::{Code, Fatal};
use daemon::write_deadline::WriteDeadline;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use tls::{CertificateFiles, HANDSHAKE_TIMEOUT, KeyPair, RELOAD_INTERVAL, Reloading, TlsError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Keys;

/// Connections at a time; further ones wait in the backlog.
const MAX_CONNECTIONS: usize = 128;

/// How long a request may take to be asked, and how long a connection may be quiet between two.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// How long a browser may read nothing of an answer.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// Octets of the head of a request, and lines of it.
const MAX_HEAD: usize = 16 << 10;
const MAX_LINES: usize = 64;

/// Rest after the system could not give us a connection, as when it has no more files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long answers that are under way may take at the end.
const GRACE: Duration = Duration::from_secs(1);

/// What the console speaks TLS by.
#[derive(Clone, Debug)]
pub(crate) struct Security(Arc<Reloading<ServerConfig>>);

impl Security {
    /// None without a certificate. Reads the files, blocking.
    ///
    /// # Errors
    /// [`Code::Config`] for files that cannot be used.
    pub(crate) fn new(keys: &Keys) -> Result<Option<Self>, Fatal> {
        let Some(own) = CertificateFiles::both(&keys.certificate, &keys.key) else {
            return Ok(None);
        };
        let files = vec![own.certificate.clone(), own.key.clone()];
        let reloading = Reloading::new(files, Box::new(move || server_side(&own)));
        let reloading =
            reloading.map_err(|error| Fatal::new(Code::Config, format!("console: {error}")))?;
        Ok(Some(Self(Arc::new(reloading))))
    }
}

fn server_side(own: &CertificateFiles) -> Result<ServerConfig, TlsError> {
    let pair = KeyPair::read(own)?;
    let mut server = ServerConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(pair.chain.clone(), pair.key.clone_key())?;
    pair.show_end("console");
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(server)
}

/// Serves all who connect, until the shutdown.
pub(crate) async fn serve(
    listener: TcpListener,
    security: Option<Security>,
    router: Router,
    shutdown: CancellationToken,
) {
    let watched = security.clone();
    let watching = async {
        if let Some(Security(reloading)) = watched {
            shutdown
                .run_until_cancelled(reloading.watch(RELOAD_INTERVAL))
                .await;
        }
    };
    let conversations = TaskTracker::new();
    let accepting = accept(
        &listener,
        security.as_ref(),
        &router,
        (&conversations, &shutdown),
    );
    tokio::join!(watching, async {
        shutdown.run_until_cancelled(accepting).await;
    });
    conversations.close();
    // Whoever is slower is cut off.
    let _ = timeout(GRACE, conversations.wait()).await;
}

async fn accept(
    listener: &TcpListener,
    security: Option<&Security>,
    router: &Router,
    (conversations, shutdown): (&TaskTracker, &CancellationToken),
) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(event = "console.accept_failed", %error, "connections to the console cannot be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let conversation = converse(stream, security.cloned(), router.clone(), shutdown.clone());
        conversations.spawn(async move {
            if let Err(error) = conversation.await {
                tracing::debug!(%error, "connection to the console ended");
            }
            drop(slot);
        });
    }
}

async fn converse(
    stream: TcpStream,
    security: Option<Security>,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match security {
        None => answer(stream, router, shutdown).await,
        Some(Security(reloading)) => {
            let acceptor = TlsAcceptor::from(reloading.current());
            let stream = tls::in_time(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await?;
            answer(stream, router, shutdown).await
        }
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_LINES)
        .serve_connection(
            TokioIo::new(WriteDeadline::new(stream, WRITE_TIME)),
            TowerToHyperService::new(router),
        );
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(io::Error::other)
}
