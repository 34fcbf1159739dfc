//! `/livez`, `/readyz` and `/metrics` over HTTP, on a thread of their own.
//!
//! * `/livez`: 200 as long as the process runs. It says nothing about readiness: a supervisor kills
//!   what is not alive, and must not kill what waits for its disk.
//! * `/readyz`: 200 or 503, with one line per condition.
//! * `/metrics`: the text format of Prometheus.
//!
//! The thread has its own runtime, so that health answers while the data plane is busy. It is not an
//! operator's interface: nothing can be changed here, and it needs no rights.

mod connection;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::readiness::Readiness;
pub use connection::{Bounded, Connection};

/// How often samples are folded into their buckets.
const FOLD_EVERY: Duration = Duration::from_secs(5);

/// How long requests in progress may take after [`Admin::stop`].
const GRACE: Duration = Duration::from_secs(1);

/// A running admin server. It ends with [`Admin::stop`] or when it is dropped.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Serves on `listener` from now on.
    ///
    /// # Errors
    /// When the system gives no thread, or the listener cannot be driven.
    pub fn spawn(
        listener: TcpListener,
        readiness: Readiness,
        metrics: Metrics,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            Bounded::new(tokio::net::TcpListener::from_std(listener)?)
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let served = move || serve(&runtime, listener, Served { readiness, metrics }, stopped);
        let thread = thread::Builder::new()
            .name("admin".to_owned())
            .spawn(served)?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens; of interest when port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the server after the requests in progress, which have a second. Blocks until then.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(event = "admin.panicked", "admin server panicked");
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.end();
    }
}

/// What is served.
#[derive(Debug, Clone)]
struct Served {
    readiness: Readiness,
    metrics: Metrics,
}

fn serve(runtime: &Runtime, listener: Bounded, served: Served, stop: CancellationToken) {
    let metrics = served.metrics.clone();
    let router = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .with_state(served);
    let server =
        axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = server => outcome,
            () = fold(metrics) => Ok(()),
            () = overdue(&stop) => Ok(()),
        }
    });
    if let Err(error) = outcome {
        tracing::error!(event = "admin.failed", %error, "admin server failed");
    }
}

async fn readyz(State(served): State<Served>) -> impl IntoResponse {
    let snapshot = served.readiness.snapshot();
    let status = if snapshot.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, snapshot.to_string())
}

async fn render(State(served): State<Served>) -> impl IntoResponse {
    // The version of the text format that Prometheus negotiates by default.
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        served.metrics.render(),
    )
}

/// Ends when the time of a stopped server is over.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

/// Never ends.
async fn fold(metrics: Metrics) {
    let mut ticks = tokio::time::interval(FOLD_EVERY);
    loop {
        ticks.tick().await;
        metrics.fold();
    }
}
