//! Calls of the operators' services in the name of one visitor.

use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use proto::v1;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::mailbox_service_client::MailboxServiceClient;
use proto::v1::operator_service_client::OperatorServiceClient;
use tokio::io::DuplexStream;
use tonic::codegen::Service;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status, Streaming};

use crate::visitor::Connect;

/// How long each answer may take; of a stream, its beginning.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// A page of messages with all their headers stays below this many octets.
pub(crate) const MAX_REPLY: usize = 16 << 20;

/// What can be ordered for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Redeliver,
    Hold,
    Unhold,
    Expire,
    Delete,
}

/// One connection, made when it is first needed and again when it was lost.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    channel: Channel,
}

impl Calls {
    pub(crate) fn new(connect: Connect) -> Self {
        // Where that leads is the connector's business.
        let endpoint = Endpoint::from_static("http://inside").timeout(ANSWER_TIME);
        Self {
            channel: endpoint.connect_with_connector_lazy(Connector(connect.into())),
        }
    }

    fn mailboxes(&self) -> MailboxServiceClient<Channel> {
        MailboxServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_REPLY)
    }

    fn operators(&self) -> OperatorServiceClient<Channel> {
        OperatorServiceClient::new(self.channel.clone())
    }

    /// One page of messages.
    pub(crate) async fn list(
        &self,
        query: v1::ListMessagesRequest,
    ) -> Result<v1::ListMessagesReply, Status> {
        Ok(self.mailboxes().list_messages(query).await?.into_inner())
    }

    /// One message with its timeline.
    pub(crate) async fn message(&self, id: &str) -> Result<(v1::Message, Vec<v1::Event>), Status> {
        let message_id = id.to_owned();
        let request = v1::GetMessageRequest { message_id };
        let reply = self.mailboxes().get_message(request).await?.into_inner();
        let message = reply.message;
        let message = message.ok_or_else(|| Status::internal("a reply without its message"))?;
        Ok((message, reply.timeline))
    }

    /// Counters and bindings of a user; none if he has no mailbox.
    pub(crate) async fn mailbox(&self, user: &str) -> Result<Option<v1::Mailbox>, Status> {
        let served_user = user.to_owned();
        let request = v1::GetMailboxRequest { served_user };
        match self.mailboxes().get_mailbox(request).await {
            Ok(reply) => Ok(Some(reply.into_inner())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// Octets of a part, in pieces.
    pub(crate) async fn content(
        &self,
        request: v1::ReadContentRequest,
    ) -> Result<Streaming<v1::ReadContentReply>, Status> {
        Ok(self.mailboxes().read_content(request).await?.into_inner())
    }

    /// The service at a glance.
    pub(crate) async fn status(&self) -> Result<v1::Status, Status> {
        let request = v1::GetStatusRequest {};
        Ok(self.operators().get_status(request).await?.into_inner())
    }

    /// Delivers what waits for a user.
    pub(crate) async fn push(
        &self,
        user: &str,
        force: bool,
    ) -> Result<v1::PushMailboxReply, Status> {
        let request = v1::PushMailboxRequest {
            served_user: user.to_owned(),
            force,
        };
        Ok(self.operators().push_mailbox(request).await?.into_inner())
    }

    /// Carries out a verb.
    pub(crate) async fn order(
        &self,
        verb: Verb,
        order: v1::MessageOrder,
    ) -> Result<v1::Message, Status> {
        let mut operators = self.operators();
        let ordered = match verb {
            Verb::Redeliver => operators.redeliver_message(order).await,
            Verb::Hold => operators.hold_message(order).await,
            Verb::Unhold => operators.unhold_message(order).await,
            Verb::Expire => operators.expire_message(order).await,
            Verb::Delete => operators.delete_message(order).await,
        };
        Ok(ordered?.into_inner())
    }

    /// What happens to messages.
    pub(crate) async fn events(
        &self,
        request: v1::WatchEventsRequest,
    ) -> Result<Streaming<v1::WatchEventsReply>, Status> {
        let mut events = EventServiceClient::new(self.channel.clone());
        Ok(events.watch_events(request).await?.into_inner())
    }
}

/// Connections within the process.
#[derive(Clone)]
struct Connector(Arc<dyn Fn() -> io::Result<DuplexStream> + Send + Sync>);

impl Service<Uri> for Connector {
    type Response = TokioIo<DuplexStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready((self.0)().map(TokioIo::new))
    }
}
