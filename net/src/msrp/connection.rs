//! One TCP connection, shared by the sessions that are bound to it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::listener::Established;
use super::metric;

/// Longest time for the last octets of a connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a connection runs over: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug> Stream for T {}

/// The receiving direction of a connection.
pub(super) type Input = ReadHalf<Box<dyn Stream>>;

/// The connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost;

/// The sending direction of a connection, and what is known of the whole.
#[derive(Debug)]
pub(super) struct Connection {
    id: u64,
    writer: Mutex<BufWriter<WriteHalf<Box<dyn Stream>>>>,
    /// Sessions that wait for their turn to write.
    waiting: AtomicUsize,
    /// Tells whoever has the turn that somebody waits for it.
    wanted: Notify,
    /// Sessions bound to this connection.
    sessions: AtomicUsize,
    /// Tells the reader that the last of them is over.
    emptied: Notify,
    closed: CancellationToken,
    write_stall: Duration,
    certificate: Option<CertificateDer<'static>>,
}

impl Connection {
    /// Splits a stream; `closed` ends the connection from outside.
    pub(super) fn new(
        id: u64,
        established: Established,
        closed: CancellationToken,
        write_stall: Duration,
    ) -> (Arc<Connection>, Input) {
        let Established {
            stream,
            certificate,
        } = established;
        let (input, output) = tokio::io::split(stream);
        let connection = Connection {
            id,
            writer: Mutex::new(BufWriter::new(output)),
            waiting: AtomicUsize::new(0),
            wanted: Notify::new(),
            sessions: AtomicUsize::new(0),
            emptied: Notify::new(),
            closed,
            write_stall,
            certificate,
        };
        (Arc::new(connection), input)
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// What the peer showed over TLS; none in clear.
    pub(super) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.certificate.as_ref()
    }

    /// Tells the peer that no more comes, as TLS wants it (RFC 8446 §6.1), unless somebody is writing.
    pub(super) async fn shut_down(&self) {
        if let Ok(mut writer) = self.writer.try_lock() {
            // A peer that does not take it has gone, or will see the end of TCP.
            let _ = timeout(FAREWELL, writer.shutdown()).await;
        }
    }

    /// Ends the connection for all its sessions.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    /// Waits until the connection has ended.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    pub(super) fn session_bound(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn session_ended(&self) {
        if self.sessions.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.emptied.notify_one();
        }
    }

    /// For the reader: waits until the last session is over.
    pub(super) async fn emptied(&self) {
        self.emptied.notified().await;
    }

    pub(super) fn has_sessions(&self) -> bool {
        self.sessions.load(Ordering::Relaxed) > 0
    }

    /// Whether somebody else waits to write, so that an interruptible chunk should end.
    pub(super) fn is_contended(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// For whoever has the turn: waits until somebody else wants it.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Waits for the right to write whole frames.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, Lost> {
        let waiting = Waiting::new(&self.waiting);
        self.wanted.notify_one();
        let writer = tokio::select! {
            biased;
            () = self.closed() => return Err(Lost),
            writer = self.writer.lock() => writer,
        };
        drop(waiting);
        Ok(Turn {
            connection: self,
            writer,
            mid_frame: false,
        })
    }

    /// Writes one whole frame.
    pub(super) async fn write_frame(&self, frame: &[u8]) -> Result<(), Lost> {
        let mut turn = self.turn().await?;
        turn.write(frame).await?;
        turn.frame_done();
        turn.flush().await
    }
}

/// The exclusive right to write. Given up inside a frame it closes the connection, since nobody
/// else could write after half a frame.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    connection: &'a Connection,
    writer: MutexGuard<'a, BufWriter<WriteHalf<Box<dyn Stream>>>>,
    mid_frame: bool,
}

impl Turn<'_> {
    /// Writes a part of a frame; [`frame_done`](Turn::frame_done) follows the last one.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.mid_frame = true;
        metric::written(bytes.len());
        let write = self.writer.write_all(bytes);
        in_time(self.connection, write).await
    }

    /// Everything written so far is whole frames.
    pub(super) fn frame_done(&mut self) {
        self.mid_frame = false;
    }

    /// Hands everything written to the system.
    pub(super) async fn flush(&mut self) -> Result<(), Lost> {
        let flush = self.writer.flush();
        in_time(self.connection, flush).await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.mid_frame {
            self.connection.close();
        }
    }
}

async fn in_time(
    connection: &Connection,
    write: impl Future<Output = std::io::Result<()>>,
) -> Result<(), Lost> {
    let outcome = tokio::select! {
        biased;
        outcome = timeout(connection.write_stall, write) => outcome,
        () = connection.closed() => return Err(Lost),
    };
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => {
            connection.close();
            Err(Lost)
        }
    }
}

/// Counts a waiter for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Waiting<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
