//! Sending a large message (requirements §1.4): INVITE, MSRP, BYE.

use std::sync::Arc;

use msrp::sdp::Agreement;
use net::msrp::{MsrpSession, PendingSession, SessionRules};
use net::tls::Fingerprint;
use sip::Response;

use super::Shared;
use super::originating::{Opened, Originating, agreement, connect};
use crate::ClientError;
use crate::large::LargeMessage;
use crate::upload::{UploadControl, Uploaded};

/// One large message on its way.
pub(super) struct Sending<'a> {
    session: Originating<'a>,
    message: &'a LargeMessage,
}

impl<'a> Sending<'a> {
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        message: &'a LargeMessage,
        control: &'a UploadControl,
    ) -> Self {
        Self {
            session: Originating { shared, control },
            message,
        }
    }

    /// The whole procedure; the session is over when it returns.
    pub(super) async fn run(self) -> Result<Uploaded, ClientError> {
        let options = &self.session.shared.options;
        let pending = self.session.pending()?.with_rules(SessionRules {
            chunk_octets: options.chunk_octets,
            report_wait: options.report_wait,
            ..SessionRules::send_only()
        });
        let media = self.message.media(&pending, options.setup);
        let (envelope, icon) = (self.message.envelope.clone(), self.message.icon.clone());
        let opened = self.session.open(envelope, &media, icon).await?;
        let by_focus = is_focus(&opened.response);
        let agreed = agreement(&media, &opened.response);
        Box::pin(self.transfer(pending, agreed, opened, by_focus)).await?;
        Ok(Uploaded {
            octets: self.message.content.octets(),
            by_focus,
        })
    }

    /// Sends the content and ends the session, however that went (UPL-04, LMR-01).
    async fn transfer(
        &self,
        pending: PendingSession,
        agreed: Result<(Agreement, Option<Fingerprint>), ClientError>,
        opened: Opened,
        by_focus: bool,
    ) -> Result<(), ClientError> {
        let (mut call, mut requests) = (opened.call, opened.requests);
        let connected = match agreed {
            Ok((agreement, fingerprint)) => {
                let needs_report = by_focus || agreement.needs_reports;
                let peer = call.peer();
                let connecting = Box::pin(connect(pending, agreement, fingerprint, &peer));
                self.session
                    .guarded(connecting, &mut call, &mut requests)
                    .await
                    .and_then(|session| Ok((session?, needs_report)))
            }
            Err(error) => Err(error),
        };
        let (session, outcome) = match connected {
            Ok((session, needs_report)) => {
                let sending = self.send(&session, needs_report);
                let outcome = self
                    .session
                    .guarded(sending, &mut call, &mut requests)
                    .await;
                (Some(session), outcome.and_then(|sent| sent))
            }
            Err(error) => (None, Err(error)),
        };
        let is_over = matches!(outcome, Err(ClientError::EndedByPeer(_)));
        let mut session = session;
        if outcome.is_err()
            && let Some(session) = session.take()
        {
            // What is half sent is given up before the dialog ends (CFL-07).
            session.close().await;
        }
        if !is_over {
            call.bye(self.session.shared).await;
        }
        if let Some(session) = session {
            session.close().await;
        }
        outcome
    }

    async fn send(&self, session: &MsrpSession, needs_report: bool) -> Result<(), ClientError> {
        let reader = self.message.content.open().await;
        let reader = reader.map_err(ClientError::Content)?;
        let reader = reader.counted(self.session.control.counter());
        let message = self.message.outbound(needs_report);
        session.send(message, reader).await.await?;
        Ok(())
    }
}

/// Whether the Contact says that the peer takes the message for others (RFC 4579 §4.2).
fn is_focus(response: &Response) -> bool {
    let contacts = response.headers().contacts().ok();
    let contact = contacts.as_ref().and_then(sip::Contacts::first);
    contact.is_some_and(|contact| contact.params.has("isfocus"))
}
