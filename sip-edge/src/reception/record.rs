//! A large message as the store is to get it: header values, canonical SEND, file (requirements §2.3,
//! §2.4.3).

use bytes::{Bytes, BytesMut};
use cpim::imdn;
use daemon::trace::{Span, messaging};
use edge::identity::AssertedIdentity;
use edge::reception::{End, Purpose, Whole, refuse};
use edge::report::{own_headers_octets, report_request};
use edge::user_agent::UserAgent;
use msrp::{ByteRange, RequestHead, TransactionId, status};
use sip::{Name, Request, Response, Transport};
use storage_client::message::{Class, FileAttributes, Headers, Part, PartKind};
use storage_client::{DepositAnswer, LargeDeposit};

use crate::ingress::{Leave, accept, pager_mode};
use crate::{event, metrics};

/// What is known of a message before its first octet comes.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// The served user, canonical.
    pub(crate) served_user: String,
    /// Who sends.
    pub(crate) originator: Option<AssertedIdentity>,
    /// Whether he is bounded elsewhere, and which leg it is.
    pub(crate) leave: Leave,
    /// What the offer says of a file.
    pub(crate) file: Option<FileAttributes>,
    /// Transport and address of the peer that handed the INVITE over.
    pub(crate) received_from: String,
    /// Transport of the INVITE.
    pub(crate) transport: Transport,
    /// The INVITE.
    pub(crate) invite: Request,
    /// Our 200.
    pub(crate) response: Response,
}

impl Purpose for Envelope {
    fn beginning_octets(&self, head: &RequestHead) -> usize {
        own_headers_octets(head)
    }

    async fn commit(&self, whole: Whole<'_>) -> End {
        let mut span = Span::begin(messaging::ACCEPT);
        let mut deposit = self.deposit(whole.head, whole.beginning.as_ref(), whole.total);
        span.set(messaging::BODY_SIZE, whole.total);
        deposit.traceparent = span.traceparent();
        let class = deposit.class;
        if deposit.sender.is_none() && deposit.report_request.is_some() {
            event::report_not_possible(&self.invite);
        }
        match whole.upload.commit(deposit).await {
            Ok(DepositAnswer::Deposited(proof)) => {
                span.set(messaging::MESSAGE_ID, proof.message_id());
                accept::accept_send(whole.answer, &proof);
                let took = whole.begun.elapsed();
                metrics::accepted(class, self.transport, proof.duplicate(), took);
                event::message_accepted(&self.invite, &self.served_user, &proof);
                End::Stored(proof.message_id().to_owned())
            }
            Ok(DepositAnswer::Refused(_)) => {
                span.fail("refused");
                whole.answer.refuse(status::STOP_SENDING);
                End::Refused
            }
            Err(error) => {
                span.fail("store_error");
                refuse(whole.answer, &error)
            }
        }
    }

    async fn ended_by_sender(&self, ua: &UserAgent, stored: &str, bye: &Request) {
        let octets = bye.as_bytes().clone();
        if let Err(unavailable) = ua.storage.add_sender_bye(stored, octets).await {
            event::bye_not_kept(stored, &unavailable.reason);
        }
    }
}

impl Envelope {
    /// The deposit of a message of `total` octets whose first chunk had this head; `beginning` are its
    /// first octets, where they were wanted.
    pub(crate) fn deposit(
        &self,
        head: &RequestHead,
        beginning: Option<&Bytes>,
        total: u64,
    ) -> LargeDeposit {
        let wrapped = beginning.and_then(|octets| cpim::Message::parse(octets).ok());
        let is_notification = wrapped.as_ref().is_some_and(imdn::is_notification);
        LargeDeposit {
            served_user: self.served_user.clone(),
            sender: self
                .originator
                .as_ref()
                .map(|originator| originator.address.to_string()),
            sender_exempt: self.leave.sender_exempt,
            leg: self.leave.leg,
            class: if is_notification {
                Class::Imdn
            } else {
                Class::Large
            },
            priority: pager_mode::priority(&self.invite),
            // MWI-09: whatever came over MSRP counts as Multimedia-Message.
            is_text: false,
            headers: self.headers(head, wrapped.as_ref()),
            msrp_message_id: head
                .message_id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            octets: total,
            parts: vec![
                part(PartKind::Invite, self.invite.as_bytes().clone()),
                part(PartKind::InviteResponse, self.response.as_bytes().clone()),
                part(PartKind::SendHead, canonical_head(head, total)),
            ],
            lifetime: None,
            received_from: self.received_from.clone(),
            file: self.file.clone(),
            report_request: wrapped.as_ref().and_then(report_request),
            traceparent: None,
        }
    }

    fn headers(&self, head: &RequestHead, wrapped: Option<&cpim::Message>) -> Headers {
        let contact = self.invite.headers().first(Name::Contact);
        Headers {
            contact: contact.map_or_else(String::new, |field| field.value().into_owned()),
            content_type: head.content_type.clone().unwrap_or_default(),
            content_disposition: head
                .header("Content-Disposition")
                .unwrap_or_default()
                .to_owned(),
            ..pager_mode::headers(&self.invite, self.originator.as_ref(), wrapped)
        }
    }
}

fn part(kind: PartKind, octets: Bytes) -> Part {
    Part { kind, octets }
}

/// The head of the one SEND that stands for all chunks: that of the first chunk, with a transaction id
/// of ours, since the sender's may stand in another chunk's octets, and the range of the whole.
fn canonical_head(head: &RequestHead, total: u64) -> Bytes {
    let canonical = RequestHead {
        transaction_id: TransactionId::generate(&mut rand::rng()),
        byte_range: Some(ByteRange::whole(total)),
        ..head.clone()
    };
    let mut octets = BytesMut::new();
    canonical.print(&mut octets);
    octets.freeze()
}

#[cfg(test)]
mod tests {
    use msrp::{Decoder, Event};

    use super::*;

    fn head(lines: &str) -> RequestHead {
        let mut decoder = Decoder::new();
        decoder.push(
            format!(
                "MSRP d93kswow SEND\r\nTo-Path: msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
                 From-Path: msrp://198.51.100.7:7394/2s93i9idj;tcp\r\nMessage-ID: 12339sdqwer\r\n{lines}\r\n"
            )
            .as_bytes(),
        );
        match decoder.next_event() {
            Ok(Some(Event::RequestHead { head, .. })) => *head,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_canonical_send_is_one_chunk_with_everything_else_kept() {
        let first = head(
            "Byte-Range: 1-2048/3000\r\nSuccess-Report: yes\r\nFailure-Report: yes\r\n\
             Content-Disposition: attachment; filename=\"a b\"\r\nContent-Type: text/plain\r\n",
        );
        let octets = canonical_head(&first, 3000);
        let text = std::str::from_utf8(&octets).expect("text");
        let (start, rest) = text.split_once("\r\n").expect("a line");
        assert!(start.starts_with("MSRP ") && start.ends_with(" SEND"));
        assert!(!start.contains("d93kswow"));
        assert_eq!(
            rest,
            "To-Path: msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
             From-Path: msrp://198.51.100.7:7394/2s93i9idj;tcp\r\nMessage-ID: 12339sdqwer\r\n\
             Byte-Range: 1-3000/3000\r\nSuccess-Report: yes\r\nFailure-Report: yes\r\n\
             Content-Disposition: attachment; filename=\"a b\"\r\nContent-Type: text/plain\r\n\r\n"
        );
    }

    #[test]
    fn only_cpim_has_headers_of_its_own() {
        assert_ne!(
            0,
            own_headers_octets(&head("Content-Type: Message/CPIM; charset=utf-8\r\n"))
        );
        assert_eq!(0, own_headers_octets(&head("Content-Type: text/plain\r\n")));
    }
}
