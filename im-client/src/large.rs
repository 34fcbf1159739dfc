//! Composing large messages (requirements §1.4): the INVITE, its session description, the SEND.

use bytes::Bytes;
use msrp::sdp::{Direction, MsrpMedia, Origin, Role, SessionDescription, Setup};
use msrp::{MessageId, OutboundMessage};
use net::msrp::PendingSession;
use net::tls::Fingerprint;
use sip::session_timer::{self, SessionPolicy};
use sip::{Method, Name, Refresher, Request, SessionExpires, SipDate};

use crate::content::Content;
use crate::envelope::{Envelope, RequestIds};
use crate::file::{FileDescription, Spelling};
use crate::multipart::Multipart;
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
    /// shall connect is `role`.
    pub(crate) fn media(&self, pending: &PendingSession, role: Role) -> MsrpMedia {
        let mut media = offered(pending, role);
        media.direction = Direction::SendOnly;
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

/// A media line of an offer of ours, which is never passive.
pub(crate) fn offered(pending: &PendingSession, role: Role) -> MsrpMedia {
    let mut media = MsrpMedia::new(pending.local_path().clone());
    match role {
        Role::Active => {
            media.setup = Some(Setup::Active);
            media.port = DISCARD_PORT;
        }
        Role::Passive => media.setup = Some(Setup::ActPass),
    }
    media.fingerprint = pending.fingerprint().map(Fingerprint::to_string);
    media
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

impl Icon {
    fn add_to(&self, body: &mut Multipart) {
        let headers = [
            ("Content-Type", self.content_type.as_str()),
            ("Content-Transfer-Encoding", "binary"),
            ("Content-ID", &format!("<{}>", self.content_id)),
            ("Content-Disposition", "icon"),
        ];
        body.part(&headers, &self.octets);
    }
}

/// What an INVITE of ours says.
#[derive(Clone, Debug)]
pub(crate) struct Invitation {
    pub(crate) envelope: Envelope,
    pub(crate) ids: RequestIds,
    /// URI of our Contact.
    pub(crate) contact: String,
    /// The session interval asked for, raised after a 422.
    pub(crate) policy: SessionPolicy,
    /// The session description.
    pub(crate) offer: String,
    /// The preview that the description names.
    pub(crate) icon: Option<Icon>,
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
    pub(crate) fn request(&self, account: &Account, now: SipDate) -> Request {
        let timer = SessionExpires {
            refresher: Some(Refresher::Uac),
            ..self.policy.offer()
        };
        let mut builder = self
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
        let recipients = self.envelope.recipients.as_ref();
        if self.icon.is_none() && recipients.is_none() {
            return builder.body("application/sdp", self.offer.clone()).build();
        }
        // The description, the preview it names, and for whom it is (LMO-04, LMO-07, FT-04).
        let mut body = Multipart::new();
        let type_of_offer = [("Content-Type", "application/sdp")];
        body.part(&type_of_offer, self.offer.as_bytes());
        if let Some(icon) = &self.icon {
            icon.add_to(&mut body);
        }
        if let Some(recipients) = recipients {
            recipients.add_to(&mut body);
        }
        builder
            .header(Name::MimeVersion, "1.0")
            .body(&body.content_type(), body.finish())
            .build()
    }
}
