//! Fetching one deferred message (requirements §3.14): INVITE to its Message-ID, MSRP towards us, BYE.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use msrp::AcceptTypes;
use msrp::sdp::{Direction, MsrpMedia};
use net::msrp::{MsrpSession, PendingSession, SessionRules};
use sip::Uri;
use tokio::time::timeout;

use super::originating::{Opened, Originating, agreement, connect};
use super::spool::{self, Arrived, Unreadable};
use super::{Event, Shared};
use crate::ClientError;
use crate::envelope::Envelope;
use crate::large::offered;
use crate::push::Summary;
use crate::upload::UploadControl;

/// How long the peer may take to end a session that has brought its message.
const FAREWELL: Duration = Duration::from_secs(5);

/// One message on its way to us.
pub(super) struct Fetching<'a> {
    session: Originating<'a>,
    /// Bare form.
    message_id: &'a str,
}

impl<'a> Fetching<'a> {
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        control: &'a UploadControl,
        message_id: &'a str,
    ) -> Self {
        Self {
            session: Originating { shared, control },
            message_id: message_id.strip_prefix("sip:").unwrap_or(message_id),
        }
    }

    /// The whole procedure; the session is over when it returns.
    pub(super) async fn run(
        self,
        is_asserted: bool,
        keep: impl FnOnce(Event) -> io::Result<()>,
    ) -> Result<(), ClientError> {
        let to: Uri = format!("sip:{}", self.message_id)
            .parse()
            .map_err(|_| ClientError::NoMessageId)?;
        let envelope = Envelope {
            asserted: is_asserted,
            ..Envelope::to(to)
        };
        let options = &self.session.shared.options;
        let mut rules = SessionRules::receive_up_to(options.max_message_octets);
        rules.inbox.accept = options.accept_types.clone();
        let pending = self.session.pending()?.with_rules(rules);
        let media = self.media(&pending);
        let opened = self.session.open(envelope, &media, None).await?;
        self.receive(pending, &media, opened, keep).await
    }

    fn media(&self, pending: &PendingSession) -> MsrpMedia {
        let options = &self.session.shared.options;
        let mut media = offered(pending, options.setup);
        media.direction = Direction::RecvOnly;
        media.accept_types = options.accept_types.clone();
        media.accept_wrapped_types = Some(AcceptTypes::any());
        media.max_size = Some(options.max_message_octets);
        media
    }

    /// Takes the message and ends the session, however that went.
    async fn receive(
        &self,
        pending: PendingSession,
        media: &MsrpMedia,
        opened: Opened,
        keep: impl FnOnce(Event) -> io::Result<()>,
    ) -> Result<(), ClientError> {
        let (mut call, mut requests) = (opened.call, opened.requests);
        let mut open = None;
        let taken = match agreement(media, &opened.response) {
            Ok((agreement, fingerprint)) => {
                let peer = call.peer();
                let taking = async {
                    let session = connect(pending, agreement, fingerprint, &peer).await?;
                    self.take(open.insert(session), keep).await
                };
                let guarded = self.session.guarded(taking, &mut call, &mut requests);
                guarded.await.and_then(|taken| taken)
            }
            Err(error) => Err(error),
        };
        let ended = match &taken {
            // The peer ends what has brought its message; until then it may not have our answer.
            Ok(()) => {
                let waiting = std::future::pending::<()>();
                let guarded = self.session.guarded(waiting, &mut call, &mut requests);
                timeout(FAREWELL, guarded).await.is_ok()
            }
            Err(error) => matches!(error, ClientError::EndedByPeer(_)),
        };
        if let Some(session) = open {
            session.close().await;
        }
        if !ended {
            call.bye(self.session.shared).await;
        }
        taken
    }

    async fn take(
        &self,
        session: &mut MsrpSession,
        keep: impl FnOnce(Event) -> io::Result<()>,
    ) -> Result<(), ClientError> {
        let broken = ClientError::PeerMisbehaved("the message did not come whole");
        let Some(inbound) = session.next().await else {
            return Err(broken);
        };
        let folder = self.session.shared.options.folder.clone();
        let Some((arrived, answer)) = spool::take(inbound, Summary::default(), folder).await else {
            return Err(broken);
        };
        let event = match arrived {
            Ok(Arrived::Small(message)) if message.message_id == self.message_id => {
                Event::Message(message)
            }
            Ok(Arrived::Large(message)) if message.message_id == self.message_id => {
                Event::Large(Box::new(message))
            }
            Ok(_) | Err(Unreadable) => {
                answer.refuse(msrp::status::UNSUPPORTED_TYPE);
                return Err(ClientError::PeerMisbehaved("another message came"));
            }
        };
        if let Err(error) = keep(event) {
            answer.refuse(msrp::status::STOP_SENDING);
            return Err(ClientError::NotKept(error));
        }
        answer.accept();
        Ok(())
    }
}
