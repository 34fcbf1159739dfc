//! One TCP connection with SIP on it.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;

use crate::text::framed;

/// Octets read at a time.
const READ: usize = 65_536;

/// Where octets for a connection are put.
pub(crate) type Sender = mpsc::UnboundedSender<Vec<u8>>;

/// What comes on a connection.
pub(crate) struct Incoming {
    reader: OwnedReadHalf,
    received: BytesMut,
}

/// Both directions; what waits to be sent leaves together.
pub(crate) fn open(stream: TcpStream) -> (Incoming, Sender) {
    // Without it answers come late, and are measured so.
    let _ = stream.set_nodelay(true);
    let (reader, mut writer) = stream.into_split();
    let (sender, mut outgoing) = mpsc::unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        while let Some(mut octets) = outgoing.recv().await {
            while let Ok(more) = outgoing.try_recv() {
                octets.extend_from_slice(&more);
            }
            if writer.write_all(&octets).await.is_err() {
                return;
            }
        }
    });
    let received = BytesMut::with_capacity(READ);
    (Incoming { reader, received }, sender)
}

impl Incoming {
    /// The next message; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(length) = framed(&self.received) {
                return Some(self.received.split_to(length).freeze());
            }
            self.received.reserve(READ);
            if self.reader.read_buf(&mut self.received).await.ok()? == 0 {
                return None;
            }
        }
    }
}
