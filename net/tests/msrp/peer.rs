//! A peer that is played by the test, frame by frame.

use std::collections::VecDeque;
use std::net::SocketAddr;

use msrp::{Continuation, Decoder, Event, Path, RequestHead, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{in_time, path};

/// The path that peers name as theirs.
pub(crate) const PEER_PATH: &str = "msrp://198.51.100.7:7394/2s93i9idj;tcp";

/// A connection whose frames the test writes and reads.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    decoder: Decoder,
    pub(crate) path: Path,
    /// A request whose end has not been read.
    open: Option<(Box<RequestHead>, Vec<u8>)>,
    ready: VecDeque<Frame>,
}

#[derive(Debug)]
pub(crate) enum Frame {
    Request {
        head: Box<RequestHead>,
        body: Vec<u8>,
        flag: Continuation,
    },
    Response(Box<Response>),
}

impl Peer {
    pub(crate) async fn connect(address: SocketAddr) -> Peer {
        Peer::on(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) fn on(stream: TcpStream) -> Peer {
        let path = path(PEER_PATH);
        Peer {
            stream,
            decoder: Decoder::new(),
            path,
            open: None,
            ready: VecDeque::new(),
        }
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    pub(crate) async fn send(
        &mut self,
        to: &Path,
        id: &str,
        headers: &str,
        body: Option<&str>,
        flag: char,
    ) {
        let from = &self.path;
        let body = body.map_or(String::new(), |body| {
            format!("Content-Type: text/plain\r\n\r\n{body}\r\n")
        });
        let text = format!(
            "MSRP {id} SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n{headers}{body}-------{id}{flag}\r\n"
        );
        self.write(&text).await;
    }

    pub(crate) async fn bind(&mut self, to: &Path) {
        let headers = "Message-ID: bind-1\r\nByte-Range: 1-0/0\r\n";
        self.send(to, "aa00bb11", headers, None, '$').await;
        assert_eq!(self.response().await, ("aa00bb11".to_owned(), 200));
    }

    pub(crate) async fn answer(&mut self, head: &RequestHead, code: u16) {
        let response = Response::to(head, code).print();
        self.stream.write_all(&response).await.unwrap();
    }

    /// The next frame; none once the connection is closed.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            let read = in_time(self.stream.read_buf(self.decoder.buffer_mut())).await;
            if read.unwrap_or(0) == 0 {
                return None;
            }
            while let Some(event) = self.decoder.next_event().unwrap() {
                self.note(event);
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::RequestHead { head, .. } => self.open = Some((head, Vec::new())),
            Event::Body(piece) => {
                if let Some((_, body)) = &mut self.open {
                    body.extend_from_slice(&piece);
                }
            }
            Event::RequestEnd(flag) => {
                let (head, body) = self.open.take().expect("a request");
                self.ready.push_back(Frame::Request { head, body, flag });
            }
            Event::Response(response) => self.ready.push_back(Frame::Response(response)),
        }
    }

    pub(crate) async fn request(&mut self) -> (Box<RequestHead>, Vec<u8>, Continuation) {
        match self.frame().await {
            Some(Frame::Request { head, body, flag }) => (head, body, flag),
            other => panic!("no request: {other:?}"),
        }
    }

    pub(crate) async fn response(&mut self) -> (String, u16) {
        match self.frame().await {
            Some(Frame::Response(response)) => (response.transaction_id.to_string(), response.code),
            other => panic!("no response: {other:?}"),
        }
    }
}
