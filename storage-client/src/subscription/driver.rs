//! Holds the stream of changes open.

use proto::v1;
use proto::v1::notify_reply::Reply;
use proto::v1::notify_request::Request;
use proto::v1::subscription_service_client::SubscriptionServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::{Change, Told};
use crate::stay::{Stay, stay};
use crate::{ClientConfig, convert};

pub(super) struct Driver {
    pub(super) client: SubscriptionServiceClient<Channel>,
    pub(super) config: ClientConfig,
    pub(super) incarnation: u64,
    pub(super) events: mpsc::Sender<Change>,
    pub(super) told: mpsc::Receiver<Vec<Told>>,
}

pub(super) struct Stream {
    requests: mpsc::Sender<v1::NotifyRequest>,
    replies: Streaming<v1::NotifyReply>,
}

impl Driver {
    /// Until nobody wants events any more.
    pub(super) async fn run(mut self) {
        let events = self.events.clone();
        let config = self.config.clone();
        tokio::select! {
            () = stay(&mut self, &config) => {}
            () = events.closed() => {}
        }
    }
}

impl Stay for Driver {
    type Stream = Stream;

    const WHAT: &'static str = "changes";

    async fn open(&mut self) -> Result<Stream, Status> {
        let (requests, receiver) = mpsc::channel(2);
        let hello = Request::Hello(v1::NotifyHello {
            owner: Some(convert::owner(&self.config.edge, self.incarnation)),
        });
        // The channel is new and has room.
        let _ = requests.try_send(request(hello));
        let mut client = self.client.clone();
        let replies = client.notify(ReceiverStream::new(receiver)).await?;
        let mut stream = Stream {
            requests,
            replies: replies.into_inner(),
        };
        match next_reply(&mut stream.replies).await? {
            Reply::Opened(_) => Ok(stream),
            _ => Err(Status::internal("the first reply is not the opening")),
        }
    }

    async fn serve(&mut self, mut stream: Stream) -> Status {
        loop {
            tokio::select! {
                reply = next_reply(&mut stream.replies) => match reply {
                    Ok(reply) => {
                        if let Some(change) = convert::change(reply)
                            && self.events.send(change).await.is_err()
                        {
                            return Status::cancelled("nobody listens");
                        }
                    }
                    Err(status) => return status,
                },
                told = self.told.recv() => match told {
                    Some(told) => {
                        let notified = Request::Notified(convert::notified_states(told));
                        // A stream that is gone is noticed by its replies.
                        let _ = stream.requests.send(request(notified)).await;
                    }
                    None => return Status::cancelled("nobody listens"),
                },
            }
        }
    }
}

async fn next_reply(replies: &mut Streaming<v1::NotifyReply>) -> Result<Reply, Status> {
    loop {
        let message = replies.message().await?;
        let message = message.ok_or_else(|| Status::unavailable("the stream ended"))?;
        if let Some(reply) = message.reply {
            return Ok(reply);
        }
    }
}

fn request(request: Request) -> v1::NotifyRequest {
    v1::NotifyRequest {
        request: Some(request),
    }
}
