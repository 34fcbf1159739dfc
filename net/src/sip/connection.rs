//! One stream connection: a task that reads and a task that writes.
//!
//! Generic over the two halves, so that TLS is a matter of who sets the stream up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use sip::{StreamDecoder, StreamItem, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::error::NotSent;
use super::flow::Flow;
use super::receive;
use crate::places::Place;
use crate::tls::PeerNames;

/// Octets read at once.
const READ_OCTETS: usize = 16 * 1024;

/// How long a connection whose framing is lost is still read, so that the peer gets the answer that says so.
const LINGER: Duration = Duration::from_secs(2);

/// Messages that may wait to be written; their octets have a limit of their own.
const WRITE_QUEUE: usize = 4096;

/// Messages written with one system call.
const WRITE_BATCH: usize = 64;

/// An established connection.
#[derive(Debug)]
pub(crate) struct Connection {
    transport: Transport,
    local: SocketAddr,
    remote: SocketAddr,
    peer_names: PeerNames,
    queue: mpsc::Sender<Bytes>,
    queued_octets: AtomicUsize,
    max_queued_octets: usize,
    closed: CancellationToken,
    /// Cancelled if the connection did not end in order.
    failed: CancellationToken,
}

/// Both ends of a connection about to be served.
pub(crate) struct Ends {
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// What the peer has proved over TLS.
    pub(crate) peer_names: PeerNames,
    /// The place of an accepted connection among those allowed.
    pub(crate) permit: Option<Place>,
}

impl Connection {
    /// Starts the tasks of a connection.
    pub(crate) fn serve<R, W>(core: &Arc<Core>, ends: Ends, reader: R, writer: W) -> Arc<Self>
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (queue, queued) = mpsc::channel(WRITE_QUEUE);
        let connection = Arc::new(Self {
            transport: ends.transport,
            local: ends.local,
            remote: ends.remote,
            peer_names: ends.peer_names,
            queue,
            queued_octets: AtomicUsize::new(0),
            max_queued_octets: core.config.write_queue_octets,
            closed: core.shutdown.child_token(),
            failed: CancellationToken::new(),
        });
        core.tasks.spawn(write_all(
            Arc::clone(core),
            Arc::clone(&connection),
            queued,
            writer,
        ));
        core.tasks.spawn(read_all(
            Arc::clone(core),
            Arc::clone(&connection),
            reader,
            ends.permit,
        ));
        connection
    }

    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        self.remote
    }

    pub(crate) fn peer_names(&self) -> &PeerNames {
        &self.peer_names
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.closed.is_cancelled()
    }

    /// Waits until the connection has ended otherwise than in order, see [`Flow::failed`].
    pub(crate) async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Queues bytes to be written.
    pub(crate) fn send(&self, bytes: Bytes) -> Result<(), NotSent> {
        if !self.is_open() {
            return Err(NotSent::Closed);
        }
        let octets = bytes.len();
        let queued = self.queued_octets.fetch_add(octets, Ordering::Relaxed);
        // One message always fits, however large.
        let result = if queued > 0 && queued + octets > self.max_queued_octets {
            Err(NotSent::Full)
        } else {
            self.queue.try_send(bytes).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => NotSent::Full,
                mpsc::error::TrySendError::Closed(_) => NotSent::Closed,
            })
        };
        if result.is_err() {
            self.queued_octets.fetch_sub(octets, Ordering::Relaxed);
        }
        result
    }
}

/// Reads until the peer, an error, a time limit or the endpoint ends it.
async fn read_all<R: AsyncRead + Unpin>(
    core: Arc<Core>,
    connection: Arc<Connection>,
    mut reader: R,
    _permit: Option<Place>,
) {
    let flow = Flow::stream(Arc::clone(&connection));
    let mut decoder = StreamDecoder::new(core.config.limits);
    let mut buffer = BytesMut::with_capacity(READ_OCTETS);
    let mut begun = None;
    loop {
        let wait = patience(&core, begun);
        let read = connection
            .closed
            .run_until_cancelled(timeout(wait, reader.read_buf(&mut buffer)));
        match read.await {
            Some(Ok(Ok(1..))) => {}
            Some(Ok(Ok(0))) | None => break,
            Some(Ok(Err(_)) | Err(_)) => {
                connection.failed.cancel();
                break;
            }
        }
        decoder.push(&buffer);
        buffer.clear();
        match drain(&core, &flow, &mut decoder) {
            Drained::Broken => {
                connection.failed.cancel();
                connection.closed.cancel();
                linger(&mut reader, &mut buffer).await;
                break;
            }
            Drained::Nothing => {
                begun = begun.or_else(|| decoder.is_mid_message().then(super::now));
            }
            Drained::Something => begun = decoder.is_mid_message().then(super::now),
        }
    }
    connection.closed.cancel();
}

/// Reads on and throws away what comes, until the peer has closed or some time has passed: closing with octets unread
/// would make its TCP throw away our last answer (RFC 1122 §4.2.2.13).
async fn linger<R: AsyncRead + Unpin>(reader: &mut R, buffer: &mut BytesMut) {
    let to_the_end = async {
        while matches!(reader.read_buf(buffer).await, Ok(1..)) {
            buffer.clear();
        }
    };
    // A peer that goes on talking is cut off.
    let _ = timeout(LINGER, to_the_end).await;
}

/// How long to wait for more: an unfinished message has less time than silence between messages (CT-ROB-03).
fn patience(core: &Core, begun: Option<Instant>) -> Duration {
    match begun {
        Some(begun) => {
            let elapsed = super::now().saturating_duration_since(begun);
            core.config.message_timeout.saturating_sub(elapsed)
        }
        None => core.config.idle_timeout,
    }
}

enum Drained {
    Nothing,
    Something,
    /// The framing is lost.
    Broken,
}

/// Takes every complete item out of the decoder.
fn drain(core: &Arc<Core>, flow: &Flow, decoder: &mut StreamDecoder) -> Drained {
    let mut drained = Drained::Nothing;
    loop {
        match decoder.next() {
            Ok(Some(StreamItem::Message(message))) => receive::message(core, message, flow),
            Ok(Some(StreamItem::Malformed(error))) => receive::malformed(core, &error, flow),
            Ok(Some(StreamItem::KeepAlive)) => receive::keep_alive(flow),
            Ok(None) => return drained,
            Err(error) => {
                receive::malformed(core, error.error(), flow);
                return Drained::Broken;
            }
        }
        drained = Drained::Something;
    }
}

/// Writes what is queued; after the end of the connection also what was queued before it, as far as the peer takes it.
async fn write_all<W: AsyncWrite + Unpin>(
    core: Arc<Core>,
    connection: Arc<Connection>,
    mut queued: mpsc::Receiver<Bytes>,
    mut writer: W,
) {
    let patience = core.config.write_timeout;
    let mut batch = Vec::with_capacity(WRITE_BATCH);
    loop {
        let received = queued.recv_many(&mut batch, WRITE_BATCH);
        if connection
            .closed
            .run_until_cancelled(received)
            .await
            .is_none()
        {
            queued.close();
            if queued.recv_many(&mut batch, WRITE_QUEUE).await == 0 {
                break;
            }
            // Nobody may be there to take them.
            if !core.shutdown.is_cancelled() {
                connection.failed.cancel();
            }
        }
        let octets = joined(&mut batch);
        let written = timeout(patience, write_out(&mut writer, &octets)).await;
        connection
            .queued_octets
            .fetch_sub(octets.len(), Ordering::Relaxed);
        if !matches!(written, Ok(Ok(()))) {
            connection.failed.cancel();
            break;
        }
    }
    connection.closed.cancel();
    // The peer may have closed first: nothing is lost then.
    let _ = timeout(patience, writer.shutdown()).await;
}

/// Writes to the end: TLS may hold back what is not flushed.
async fn write_out<W: AsyncWrite + Unpin>(writer: &mut W, octets: &[u8]) -> io::Result<()> {
    writer.write_all(octets).await?;
    writer.flush().await
}

/// The messages of a batch in a row.
fn joined(batch: &mut Vec<Bytes>) -> Bytes {
    if batch.len() <= 1 {
        return batch.pop().unwrap_or_default();
    }
    let mut octets = BytesMut::with_capacity(batch.iter().map(Bytes::len).sum());
    for message in batch.drain(..) {
        octets.extend_from_slice(&message);
    }
    octets.freeze()
}
