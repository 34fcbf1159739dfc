//! An MSRP client that reads and writes frames itself.

use std::net::SocketAddr;

use bytes::Bytes;
use msrp::{Continuation, Decoder, Event, RequestHead};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::within;

/// Our own session-id.
const SESSION: &str = "b0bS3ss";

/// One request as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) transaction: String,
    /// Header lines.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    /// The value of a header, empty if it is not there.
    pub(crate) fn value(&self, name: &str) -> &str {
        let line = self
            .head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One chunk as it came.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) head: Box<RequestHead>,
    pub(crate) raw: Bytes,
    pub(crate) body: Vec<u8>,
    pub(crate) flag: Continuation,
}

/// A connected client.
pub(crate) struct MsrpClient {
    stream: TcpStream,
    own_path: String,
    edge_path: String,
    received: Vec<u8>,
    decoder: Decoder,
}

impl MsrpClient {
    /// Connects to the path of an offer and binds the connection.
    pub(crate) async fn connect(own_path: String, edge_path: String) -> Self {
        let address: SocketAddr = address_of(&edge_path).parse().expect("an address");
        let stream = within("the MSRP listener", TcpStream::connect(address))
            .await
            .expect("it listens");
        let mut client = Self {
            stream,
            own_path,
            edge_path,
            received: Vec::new(),
            decoder: Decoder::new(),
        };
        client.bind().await;
        client
    }

    /// Waits for the edge to connect and bind.
    pub(crate) async fn accept(
        listener: &TcpListener,
        own_path: String,
        edge_path: String,
    ) -> Self {
        let (stream, _) = within("the edge", listener.accept())
            .await
            .expect("accepted");
        let mut client = Self {
            stream,
            own_path,
            edge_path,
            received: Vec::new(),
            decoder: Decoder::new(),
        };
        let binding = client.next().await;
        assert!(binding.body.is_empty(), "{binding:?}");
        client.answer(&binding, "200 OK").await;
        client
    }

    async fn bind(&mut self) {
        let text = format!(
            "MSRP aa00bb11 SEND\r\nTo-Path: {}\r\nFrom-Path: {}\r\nMessage-ID: bind-1\r\n\
             Byte-Range: 1-0/0\r\n-------aa00bb11$\r\n",
            self.edge_path, self.own_path
        );
        self.stream.write_all(text.as_bytes()).await.expect("sent");
        let answer = self.read_until(b"-------aa00bb11$\r\n").await;
        assert!(
            answer.starts_with(b"MSRP aa00bb11 200"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }

    /// The next request, which must be in one chunk.
    pub(crate) async fn next(&mut self) -> Frame {
        let start = self.read_until(b"\r\n").await;
        let start = String::from_utf8(start).expect("text");
        let transaction = start
            .split(' ')
            .nth(1)
            .expect("a transaction id")
            .to_owned();
        let end = format!("-------{transaction}$\r\n");
        let mut rest = self.read_until(end.as_bytes()).await;
        rest.truncate(rest.len() - end.len());
        let blank = rest.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = match blank {
            Some(at) => (rest[..at].to_vec(), rest[at + 4..rest.len() - 2].to_vec()),
            None => (rest, Vec::new()),
        };
        Frame {
            transaction,
            head: String::from_utf8(head).expect("text"),
            body,
        }
    }

    /// Answers a request.
    pub(crate) async fn answer(&mut self, frame: &Frame, status: &str) {
        self.answer_to(&frame.transaction, status).await;
    }

    /// Answers the request with this transaction id. A relay answers for itself.
    async fn answer_to(&mut self, transaction: &str, status: &str) {
        let next_hop = self.own_path.split(' ').next().unwrap_or_default();
        let text = format!(
            "MSRP {transaction} {status}\r\nTo-Path: {}\r\nFrom-Path: {next_hop}\r\n-------{transaction}$\r\n",
            self.edge_path,
        );
        self.stream.write_all(text.as_bytes()).await.expect("sent");
    }

    /// Says that octets of a message have arrived behind the relay, or have not.
    pub(crate) async fn report(&mut self, message_id: &str, range: &str, status: &str) {
        let text = format!(
            "MSRP rep00001 REPORT\r\nTo-Path: {}\r\nFrom-Path: {}\r\nMessage-ID: {message_id}\r\n\
             Byte-Range: {range}\r\nStatus: 000 {status}\r\n-------rep00001$\r\n",
            self.edge_path, self.own_path
        );
        self.stream.write_all(text.as_bytes()).await.expect("sent");
    }

    /// Sends an empty SEND under this transaction id.
    pub(crate) async fn ask(&mut self, transaction: &str) {
        let text = format!(
            "MSRP {transaction} SEND\r\nTo-Path: {}\r\nFrom-Path: {}\r\nMessage-ID: {transaction}\r\n\
             Byte-Range: 1-0/0\r\n-------{transaction}$\r\n",
            self.edge_path, self.own_path
        );
        self.stream.write_all(text.as_bytes()).await.expect("sent");
    }

    /// The next thing in the stream, of a message of any size.
    pub(crate) async fn event(&mut self) -> Event {
        self.decoder.push(&self.received);
        self.received.clear();
        loop {
            if let Some(event) = self.decoder.next_event().expect("MSRP") {
                return event;
            }
            let read = self.stream.read_buf(self.decoder.buffer_mut());
            let octets = within("MSRP", read).await.expect("read");
            assert_ne!(octets, 0, "the edge closed the MSRP connection");
        }
    }

    /// The next chunk, not answered.
    pub(crate) async fn chunk(&mut self) -> Chunk {
        let Event::RequestHead { head, raw } = self.event().await else {
            panic!("no request");
        };
        let mut body = Vec::new();
        loop {
            match self.event().await {
                Event::Body(octets) => body.extend_from_slice(&octets),
                Event::RequestEnd(flag) => {
                    return Chunk {
                        head,
                        raw,
                        body,
                        flag,
                    };
                }
                other => panic!("within a request: {other:?}"),
            }
        }
    }

    /// The next message in its chunks, each answered; the last one only if `settles`.
    pub(crate) async fn message(&mut self, settles: bool) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        loop {
            let chunk = self.chunk().await;
            let is_last = chunk.flag != Continuation::More;
            if !is_last || settles {
                self.answer_to(chunk.head.transaction_id.as_str(), "200 OK")
                    .await;
            }
            chunks.push(chunk);
            if is_last {
                return chunks;
            }
        }
    }

    /// Answers a chunk.
    pub(crate) async fn answer_chunk(&mut self, chunk: &Chunk, status: &str) {
        self.answer_to(chunk.head.transaction_id.as_str(), status)
            .await;
    }

    async fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self
                .received
                .windows(end.len())
                .position(|window| window == end)
            {
                return self.received.drain(..at + end.len()).collect();
            }
            let octets = within("MSRP", self.stream.read_buf(&mut self.received))
                .await
                .expect("read");
            assert_ne!(octets, 0, "the edge closed the MSRP connection");
        }
    }
}

/// Our path with this port.
pub(crate) fn own_path(port: u16) -> String {
    format!("msrp://127.0.0.1:{port}/{SESSION};tcp")
}

/// The path in a session description.
pub(crate) fn path_in(description: &[u8]) -> String {
    let text = String::from_utf8_lossy(description);
    let path = text.lines().find_map(|line| line.strip_prefix("a=path:"));
    path.expect("a path").to_owned()
}

fn address_of(path: &str) -> &str {
    path.strip_prefix("msrp://")
        .and_then(|rest| rest.split('/').next())
        .expect("an MSRP path")
}
