//! The MSRP side of a played server, frame by frame.

use msrp::{
    ByteRange, Continuation, Decoder, Event, Method, MsrpUri, Path, ReportStatus, RequestHead,
    Response, SessionId, TransactionId,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::in_time;

/// A path that is listened on.
pub(crate) struct Media {
    listener: TcpListener,
    pub(crate) path: Path,
}

impl Media {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let id = SessionId::generate(&mut rand::rng());
        let path = MsrpUri::new("127.0.0.1", port, id).unwrap().into();
        Self { listener, path }
    }

    /// The client's connection, once it is bound by an empty SEND.
    pub(crate) async fn bound(&self) -> Wire {
        let (stream, _) = in_time(self.listener.accept()).await.unwrap();
        let mut wire = Wire::on(stream);
        let binding = wire.chunk().await;
        assert!(binding.body.is_empty());
        wire.paths = Some((binding.head.from_path.clone(), binding.head.to_path.clone()));
        wire.answer(&binding.head, 200).await;
        wire
    }
}

/// A connection whose frames the test reads and writes.
pub(crate) struct Wire {
    stream: TcpStream,
    decoder: Decoder,
    /// Where our requests go and come from: the paths of the SEND that bound the connection.
    paths: Option<(Path, Path)>,
}

/// One SEND.
pub(crate) struct Chunk {
    pub(crate) head: Box<RequestHead>,
    pub(crate) body: Vec<u8>,
    pub(crate) flag: Continuation,
}

impl Wire {
    pub(crate) fn on(stream: TcpStream) -> Self {
        Self {
            stream,
            decoder: Decoder::new(),
            paths: None,
        }
    }

    /// Sends pieces of a message, each from one place to another; the one that ends it gets `flag`.
    pub(crate) async fn send(
        &mut self,
        content_type: &str,
        body: &[u8],
        pieces: &[(usize, usize)],
        flag: char,
    ) {
        let (to, from) = self.paths.clone().unwrap();
        let message_id = msrp::MessageId::generate(&mut rand::rng());
        for (begin, end) in pieces {
            let id = TransactionId::generate(&mut rand::rng());
            let mut head = RequestHead::new(id, Method::Send, to.clone(), from.clone());
            head.message_id = Some(message_id.clone());
            head.byte_range = Some(ByteRange {
                start: *begin as u64 + 1,
                end: Some(*end as u64),
                total: Some(body.len() as u64),
            });
            head.content_type = Some(content_type.to_owned());
            let flag = match flag {
                '$' if *end == body.len() => Continuation::Complete,
                _ => Continuation::More,
            };
            let frame = head.print_whole(&body[*begin..*end], flag);
            self.write(&frame).await;
        }
    }

    /// The next chunk; the answers of the client to our REPORTs do not exist.
    pub(crate) async fn chunk(&mut self) -> Chunk {
        let mut open = None;
        loop {
            match self.event().await.expect("a chunk before the end") {
                Event::RequestHead { head, .. } => open = Some((head, Vec::new())),
                Event::Body(piece) => {
                    let (_, body) = open.as_mut().unwrap();
                    body.extend_from_slice(&piece);
                }
                Event::RequestEnd(flag) => {
                    let (head, body) = open.take().unwrap();
                    return Chunk { head, body, flag };
                }
                Event::Response(response) => panic!("a response: {response:?}"),
            }
        }
    }

    /// The next response.
    pub(crate) async fn response(&mut self) -> Box<Response> {
        match self.event().await {
            Some(Event::Response(response)) => response,
            other => panic!("no response: {other:?}"),
        }
    }

    /// Reads a whole message and answers all its chunks but the last.
    pub(crate) async fn message(&mut self) -> (Chunk, Vec<u8>) {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await;
            body.extend_from_slice(&chunk.body);
            match chunk.flag {
                Continuation::Complete => return (chunk, body),
                Continuation::More => self.answer(&chunk.head, 200).await,
                Continuation::Aborted => panic!("given up"),
            }
        }
    }

    pub(crate) async fn answer(&mut self, head: &RequestHead, code: u16) {
        let response = Response::to(head, code).print();
        self.write(&response).await;
    }

    /// A success REPORT for the whole message.
    pub(crate) async fn report(&mut self, head: &RequestHead, octets: u64) {
        let id = TransactionId::generate(&mut rand::rng());
        let (to, from) = (head.from_path.clone(), head.to_path.clone());
        let mut report = RequestHead::new(id, Method::Report, to, from);
        report.message_id = head.message_id.clone();
        report.byte_range = Some(ByteRange {
            start: 1,
            end: Some(octets),
            total: Some(octets),
        });
        report.status = Some(ReportStatus::success());
        let frame = report.print_whole(b"", Continuation::Complete);
        self.write(&frame).await;
    }

    pub(crate) async fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    /// Whether the connection ends without another frame.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.event().await.is_none()
    }

    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.decoder.next_event().unwrap() {
                return Some(event);
            }
            let read = in_time(self.stream.read_buf(self.decoder.buffer_mut())).await;
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

impl Media {
    /// Connects to the client and binds the connection.
    pub(crate) async fn call(&self, client: &Path) -> Wire {
        let uri = client.first();
        let stream = TcpStream::connect((uri.host(), uri.effective_port()));
        let mut wire = Wire::on(in_time(stream).await.unwrap());
        let id = TransactionId::generate(&mut rand::rng());
        let mut binding = RequestHead::new(id, Method::Send, client.clone(), self.path.clone());
        binding.message_id = Some(msrp::MessageId::generate(&mut rand::rng()));
        binding.byte_range = Some(ByteRange {
            start: 1,
            end: Some(0),
            total: Some(0),
        });
        let frame = binding.print_whole(b"", Continuation::Complete);
        wire.write(&frame).await;
        assert_eq!(wire.response().await.code, 200);
        wire
    }
}
