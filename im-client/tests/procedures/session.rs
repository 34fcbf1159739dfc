//! A session of Alice's client at a played server, step by step.

use net::sip::ServerTransaction;
use restante_im_client::client::{Events, Options};
use restante_im_client::upload::{UploadControl, Uploaded};
use restante_im_client::{ClientError, LargeMessage};
use sip::{Method, Request, Response, ResponseBuilder, StatusCode};
use tokio::task::JoinHandle;

use crate::media::{Media, Wire};
use crate::server::{Server, reply};
use crate::{alice, upload};

/// A large message on its way: its INVITE is there and not answered.
pub(crate) struct Session {
    pub(crate) server: Server,
    pub(crate) media: Media,
    pub(crate) control: UploadControl,
    pub(crate) invite: ServerTransaction,
    pub(crate) sending: JoinHandle<Result<Uploaded, ClientError>>,
    _events: Events,
}

impl Session {
    /// Has a message sent by a client with these options.
    pub(crate) async fn invited(message: LargeMessage, options: Options) -> Self {
        let mut server = Server::start().await;
        let media = Media::listen().await;
        let (client, events) = alice(&server, options).await;
        let control = UploadControl::default();
        let sending = upload(client, message, &control);
        let invite = server.request(Method::Invite).await;
        Self {
            server,
            media,
            control,
            invite,
            sending,
            _events: events,
        }
    }

    /// The INVITE.
    pub(crate) fn request(&self) -> &Request {
        self.invite.request()
    }

    /// A 200 whose Contact has these parameters.
    pub(crate) fn accepted(&self, contact_params: &str) -> ResponseBuilder {
        let Self {
            server,
            media,
            invite,
            ..
        } = self;
        server.accepted(invite, &media.path, contact_params)
    }

    /// Accepts; the client has connected and bound the connection.
    pub(crate) async fn bound(&mut self) -> Wire {
        self.bound_after(self.accepted("").build()).await
    }

    /// Answers with this 200; the client has connected and bound the connection.
    pub(crate) async fn bound_after(&mut self, accepted: Response) -> Wire {
        self.invite.respond(accepted);
        self.server.ack().await;
        self.media.bound().await
    }

    /// The BYE of the client, which is answered.
    pub(crate) async fn bye(&mut self) -> Request {
        let bye = self.server.request(Method::Bye).await;
        bye.respond(reply(&bye, StatusCode::OK).build());
        bye.request().clone()
    }

    /// The client says BYE; what became of the message.
    pub(crate) async fn ended(mut self) -> Result<Uploaded, ClientError> {
        self.bye().await;
        self.sending.await.unwrap()
    }
}
