//! The state of the connection, as something to wait for.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use proto::v1::exchange_reply::Reply;
use proto::v1::{ExchangeOpened, ExchangeReply};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{IntoStreamingRequest, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::{convert, innermost};

/// Request messages between the driver and the connection: one on its way, one ready.
const REQUEST_BUFFER: usize = 1;

/// Answers to a whole window of small entries fit.
const MAX_REPLY_OCTETS: usize = 4 << 20;

/// The method of the contract.
const EXCHANGE: &str = "/restante.v1.DepositService/Exchange";

/// An `ExchangeRequest` as it stands on the wire, its entries encoded before.
#[derive(Clone, PartialEq, prost::Message)]
struct EncodedRequest {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    entries: Vec<Bytes>,
    #[prost(message, optional, tag = "2")]
    stream_clock: Option<prost_types::Duration>,
}

type Opening = Pin<Box<dyn Future<Output = Result<(Stream, ExchangeOpened), Status>> + Send>>;

/// Where the connection is in its life.
pub(super) enum Link {
    Waiting(Pin<Box<Sleep>>),
    Opening(Opening),
    Open(Box<Stream>),
}

/// What happened to it.
pub(super) enum LinkEvent {
    /// The pause is over.
    PauseOver,
    Opened(Box<Stream>, ExchangeOpened),
    /// There is room for one request message.
    Writable,
    Reply(Reply),
    /// It cannot be opened, or is over.
    Broken(Status),
}

impl Link {
    pub(super) fn waiting(pause: Duration) -> Self {
        Self::Waiting(Box::pin(sleep(pause)))
    }

    pub(super) fn opening(channel: Channel, patience: Duration) -> Self {
        Self::Opening(Box::pin(async move {
            timeout(patience, Stream::open(channel))
                .await
                .unwrap_or_else(|_| Err(Status::deadline_exceeded("the stream did not open")))
        }))
    }

    /// Waits for the next event; may be dropped and called again at any time.
    pub(super) async fn event(&mut self, has_sendable: bool) -> LinkEvent {
        match self {
            Self::Waiting(pause) => {
                pause.as_mut().await;
                LinkEvent::PauseOver
            }
            Self::Opening(opening) => match opening.as_mut().await {
                Ok((stream, opened)) => LinkEvent::Opened(Box::new(stream), opened),
                Err(status) => LinkEvent::Broken(status),
            },
            Self::Open(stream) => stream.event(has_sendable).await,
        }
    }

    /// Sends one request message, for which there was room.
    pub(super) fn send(&mut self, entries: Vec<Bytes>) {
        if let Self::Open(stream) = self {
            stream.send(entries);
        }
    }
}

/// An open stream with the service's time on it.
pub(super) struct Stream {
    requests: mpsc::Sender<EncodedRequest>,
    replies: Streaming<ExchangeReply>,
    clock: Duration,
    clock_seen: Instant,
}

impl Stream {
    async fn open(channel: Channel) -> Result<(Self, ExchangeOpened), Status> {
        let (requests, receiver) = mpsc::channel(REQUEST_BUFFER);
        let mut client = Grpc::new(channel).max_decoding_message_size(MAX_REPLY_OCTETS);
        let ready = client.ready().await;
        ready.map_err(|error| Status::unavailable(innermost(&error)))?;
        let request = ReceiverStream::new(receiver).into_streaming_request();
        let path = PathAndQuery::from_static(EXCHANGE);
        let codec = ProstCodec::<EncodedRequest, ExchangeReply>::default();
        let response = client.streaming(request, path, codec).await?;
        let mut stream = Self {
            requests,
            replies: response.into_inner(),
            clock: Duration::ZERO,
            clock_seen: Instant::now(),
        };
        match stream.next_reply().await? {
            Reply::Opened(opened) => Ok((stream, opened)),
            Reply::Answers(_) | Reply::Readiness(_) => {
                Err(Status::internal("the first reply is not the opening"))
            }
        }
    }

    async fn event(&mut self, has_sendable: bool) -> LinkEvent {
        let requests = self.requests.clone();
        tokio::select! {
            reply = self.next_reply() => match reply {
                Ok(reply) => LinkEvent::Reply(reply),
                Err(status) => LinkEvent::Broken(status),
            },
            permit = requests.reserve(), if has_sendable => match permit {
                Ok(_) => LinkEvent::Writable,
                Err(_) => LinkEvent::Broken(Status::unavailable("the stream ended")),
            },
        }
    }

    async fn next_reply(&mut self) -> Result<Reply, Status> {
        loop {
            let message = self.replies.message().await?;
            let message = message.ok_or_else(|| Status::unavailable("the stream ended"))?;
            if let Some(clock) = message.stream_clock.and_then(convert::duration) {
                self.clock = clock;
                self.clock_seen = Instant::now();
            }
            if let Some(reply) = message.reply {
                return Ok(reply);
            }
        }
    }

    fn send(&mut self, entries: Vec<Bytes>) {
        let clock = self.clock + self.clock_seen.elapsed();
        let request = EncodedRequest {
            entries,
            stream_clock: Some(convert::proto_duration(clock)),
        };
        // Room was announced and nobody else sends; a closed stream shows up as the next event.
        let _ = self.requests.try_send(request);
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use proto::v1::{ExchangeEntry, ExchangeRequest};

    use super::*;

    #[test]
    fn entries_encoded_before_read_as_those_of_the_contract() {
        let entry = ExchangeEntry {
            correlation: 7,
            request: None,
        };
        let stream_clock = Some(convert::proto_duration(Duration::from_millis(1_500)));
        let encoded = EncodedRequest {
            entries: vec![entry.encode_to_vec().into()],
            stream_clock,
        };
        let expected = ExchangeRequest {
            entries: vec![entry],
            stream_clock,
        };
        assert_eq!(encoded.encode_to_vec(), expected.encode_to_vec());
    }
}
