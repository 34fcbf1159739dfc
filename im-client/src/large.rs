//! Composing large messages (requirements §1.4): the INVITE, its session description, the SEND.

use bytes::Bytes;
use msrp::sdp::{Direction, MsrpMedia, Origin, Role, SessionDescription, Setup};
use msrp::{MessageId, OutboundMessage};
use net::msrp::PendingSession;
use net::tls::Fingerprint;
use sip::session_timer::{self, SessionPolicy};
use sip::{Method, Name, Refresher, Request, SessionExpires, SipDate, token};

use crate::content::Content;
use crate::envelope::{Envelope, RequestIds};
use crate::file::{FileDescription, Spelling};
use crate::{ALLOW, Account, IM_FEATURE_TAG};

/// Port of a media line whose side only connects (RFC 6135 §4.2.2).
pub(crate) const DISCARD_PORT: u16 = 9;

/// What the user wants to send in a session of its own.
#[derive(Clone, Debug)]
pub struct LargeMessage {
    /// To whom, and from whom.
    pub envelope: Envelope,
    /// MIME type of the content.
    pub content_type: String,
    /// The content.
    pub content: Content,
    /// What it is as a file, if it is to be sent as one (LMO-10).
    pub file: Option<FileDescription>,
    /// In which names that is said.
    pub spelling: Spelling,
    /// The preview that the file's description names (FT-04).
    pub icon: Option<Icon>,
    /// Ask for a success REPORT even where the peer is no focus.
    pub success_report: bool,
}

impl LargeMessage {
    /// Content of this type to somebody, not as a file.
    #[must_use]
    pub fn new(envelope: Envelope, content_type: &str, content: Content) -> Self {
        Self {
            envelope,
            content_type: content_type.to_owned(),
            content,
            file: None,
            spelling: Spelling::default(),
            icon: None,
            success_report: false,
        }
    }

    /// The media line of the offer (LMO-08): only sending, the length, what is said of a file. Who
    /// shall connect is `role`; the offer is never passive.
    pub(crate) fn media(&self, pending: &PendingSession, role: Role) -> MsrpMedia {
        let mut media = MsrpMedia::new(pending.local_path().clone());
        media.direction = Direction::SendOnly;
        match role {
            Role::Active => {
                media.setup = Some(Setup::Active);
                media.port = DISCARD_PORT;
            }
            Role::Passive => media.setup = Some(Setup::ActPass),
        }
        media.fingerprint = pending.fingerprint().map(Fingerprint::to_string);
        let octets = self.content.octets();
        media
            .attributes
            .push(("filelength".to_owned(), Some(octets.to_string())));
        if let Some(file) = &self.file {
            let attributes = file.attributes(&self.content_type, octets, self.spelling);
            media.attributes.extend(attributes);
        }
        media
    }

    /// The SEND; a focus takes the message for others, and only its REPORT says that it has it (LMO-12).
    pub(crate) fn outbound(&self, needs_report: bool) -> OutboundMessage {
        let id = MessageId::generate(&mut rand::rng());
        let mut message = OutboundMessage::new(id, &self.content_type, self.content.octets());
        message.success_report = needs_report || self.success_report;
        let disposition = self
            .file
            .as_ref()
            .and_then(FileDescription::content_disposition);
        if let Some(disposition) = disposition {
            message
                .headers
                .push(("Content-Disposition".to_owned(), disposition));
        }
        message
    }
}

/// A small picture of a file.
#[derive(Clone, Debug)]
pub struct Icon {
    /// Its Content-ID.
    pub content_id: String,
    /// Its MIME type.
    pub content_type: String,
    /// Its octets.
    pub octets: Bytes,
}

/// What an INVITE says besides its envelope.
#[derive(Clone, Debug)]
pub(crate) struct Invitation {
    pub(crate) ids: RequestIds,
    /// URI of our Contact.
    pub(crate) contact: String,
    /// The session interval asked for, raised after a 422.
    pub(crate) policy: SessionPolicy,
    /// The session description.
    pub(crate) offer: String,
}

impl Invitation {
    /// Prints the offer of one media line.
    pub(crate) fn offer(media: &MsrpMedia, host: &str) -> String {
        let origin = Origin {
            user: "im-client".to_owned(),
            session_id: rand::random::<u32>().into(),
            version: 1,
            host: host.to_owned(),
        };
        SessionDescription::print_offer(&origin, media)
    }

    /// The request without its Via (COM-01..09, LMO-02).
    pub(crate) fn request(
        &self,
        message: &LargeMessage,
        account: &Account,
        now: SipDate,
    ) -> Request {
        let timer = SessionExpires {
            refresher: Some(Refresher::Uac),
            ..self.policy.offer()
        };
        let mut builder = message
            .envelope
            .request(Method::Invite, account, &self.ids, now)
            .header(
                Name::Contact,
                format_args!("<{}>;{IM_FEATURE_TAG}", self.contact),
            )
            .header(Name::Allow, ALLOW)
            .header(Name::Supported, "timer")
            .header(Name::SessionExpires, timer);
        if self.policy.min_se > session_timer::FLOOR {
            builder = builder.header(Name::MinSe, self.policy.min_se.as_secs());
        }
        match &message.icon {
            None => builder.body("application/sdp", self.offer.clone()).build(),
            Some(icon) => {
                let boundary = token::random_base62(&mut rand::rng(), 24);
                let body = with_icon(&self.offer, icon, &boundary);
                builder
                    .header(Name::MimeVersion, "1.0")
                    .body(&format!("multipart/mixed;boundary=\"{boundary}\""), body)
                    .build()
            }
        }
    }
}

/// The description and the preview it names, in one body (LMO-07, FT-04).
fn with_icon(offer: &str, icon: &Icon, boundary: &str) -> Vec<u8> {
    let mut body = format!(
        "--{boundary}\r\nContent-Type: application/sdp\r\n\r\n{offer}\r\n\
         --{boundary}\r\nContent-Type: {}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{}>\r\n\
         Content-Disposition: icon\r\n\r\n",
        icon.content_type, icon.content_id
    )
    .into_bytes();
    body.extend_from_slice(&icon.octets);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}
