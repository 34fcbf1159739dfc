//! The INVITE of a push, header by header (requirements §2.4.2, DLV-07..11), and of a message that
//! goes in the name of its sender (requirements 4.3).

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use msrp::Path;
use msrp::encapsulate::Boundary;
use msrp::sdp::{MsrpMedia, Origin};
use net::tls::Fingerprint;
use sip::session_timer::{self, SessionPolicy};
use sip::{CSeq, Method, Name, Refresher, Request, RequestBuilder, SessionExpires};

use super::terms::CONTAINER;
use crate::call::Described;
use edge::response::sip_date;
use edge::signature::Signature;

/// Methods that make sense within a push dialog (DLV-10).
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE";

/// Only IM clients shall answer; server-originated requests keep `require` and `explicit` (DLV-08).
pub(crate) const ACCEPT_CONTACT: &str = "*;+g.oma.sip-im;require;explicit";

/// The attribute that names the preview of a file, in both spellings.
pub(crate) const ICON_ATTRIBUTES: [&str; 2] = ["file-icon", "icon"];

/// Hops a request of ours may take (RFC 3261 §8.1.1.6).
pub(crate) const MAX_FORWARDS: u8 = 70;

/// In whose name an INVITE goes, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inviter {
    /// What the Call-ID begins with.
    pub(crate) call_id_prefix: String,
    /// Value of From, without its tag.
    pub(crate) from: String,
    /// Value of P-Asserted-Identity; none where the hop shall not know.
    pub(crate) asserted_identity: Option<String>,
    /// Value of Accept-Contact.
    pub(crate) accept_contact: &'static str,
    /// Value of Date; none for now.
    pub(crate) date: Option<String>,
    /// Further fields.
    pub(crate) headers: Vec<(String, String)>,
    /// Further attributes of the media line.
    pub(crate) attributes: Vec<(String, Option<String>)>,
    /// Type of what is sent in the session.
    pub(crate) content_type: String,
    /// The preview that the attributes name: a part of the body, its header fields with it (FT-04).
    pub(crate) icon: Option<Bytes>,
}

impl Inviter {
    /// The store, for a push of all there is (requirements §2.4.2).
    pub(crate) fn store(signature: &Signature) -> Self {
        let identity = signature.store_identity().to_string();
        Self {
            call_id_prefix: "push".to_owned(),
            from: identity.clone(),
            asserted_identity: Some(identity),
            accept_contact: ACCEPT_CONTACT,
            date: None,
            headers: Vec::new(),
            attributes: Vec::new(),
            content_type: CONTAINER.to_owned(),
            icon: None,
        }
    }
}

/// What an INVITE says besides what is the same in all of them.
#[derive(Debug, Clone)]
pub(crate) struct Invitation {
    /// In whose name it goes.
    pub(crate) inviter: Inviter,
    /// The public user identity.
    pub(crate) served_user: String,
    /// Values of Route.
    pub(crate) routes: Vec<String>,
    /// URI of our Contact.
    pub(crate) contact: String,
    /// Call-ID of the dialog.
    pub(crate) call_id: String,
    /// Our tag.
    pub(crate) local_tag: String,
    /// CSeq number: 1, and more for a repetition with other timers.
    pub(crate) cseq: u32,
    /// How long the client may ring.
    pub(crate) ring_timeout: Duration,
    /// The session interval we ask for, raised after a 422.
    pub(crate) policy: SessionPolicy,
    /// The session as we offer it.
    pub(crate) offer: Described,
}

impl Invitation {
    /// The request, without the Via, which has the mark and is put on when it is sent.
    pub(crate) fn request(&self, signature: &Signature, now: SystemTime) -> Request {
        let inviter = &self.inviter;
        let date = inviter.date.clone();
        let cseq = CSeq {
            number: self.cseq,
            method: Method::Invite,
        };
        let builder = RequestBuilder::new(Method::Invite, &self.served_user)
            .header(Name::MaxForwards, MAX_FORWARDS);
        let builder = self
            .routes
            .iter()
            .fold(builder, |builder, route| builder.header(Name::Route, route));
        let builder = builder
            .header(
                Name::From,
                format_args!("{};tag={}", inviter.from, self.local_tag),
            )
            .header(Name::To, format_args!("<{}>", self.served_user))
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, cseq)
            .header(Name::Contact, contact(&self.contact))
            .header(
                Name::Date,
                date.unwrap_or_else(|| sip_date(now).to_string()),
            )
            .header(Name::Expires, self.ring_timeout.as_secs())
            .header(Name::AcceptContact, inviter.accept_contact)
            .header(Name::Allow, ALLOW)
            .header(Name::Supported, "timer");
        let builder = self
            .session_timer(builder)
            .header(Name::UserAgent, signature.product());
        let builder = match &inviter.asserted_identity {
            Some(identity) => builder.header(Name::PAssertedIdentity, identity),
            None => builder,
        };
        let headers = inviter.headers.iter();
        let builder = headers.fold(builder, |builder, (name, value)| {
            builder.raw_header(name, value)
        });
        let (content_type, body) = self.body();
        builder.body(&content_type, body).build()
    }

    /// Leaves the preview out; whether there was one.
    pub(crate) fn leave_icon_out(&mut self) -> bool {
        self.offer.leave_out(&ICON_ATTRIBUTES);
        self.inviter.icon.take().is_some()
    }

    /// The offer, and the preview with it if there is one.
    fn body(&self) -> (String, Vec<u8>) {
        let offer = self.offer.text().as_bytes();
        let Some(icon) = &self.inviter.icon else {
            return ("application/sdp".to_owned(), offer.to_vec());
        };
        let boundary = Boundary::absent_from(&mut rand::rng(), &[offer, icon]);
        let begin = format!("--{boundary}\r\nContent-Type: application/sdp\r\n\r\n");
        let between = format!("\r\n--{boundary}\r\n");
        let end = format!("\r\n--{boundary}--\r\n");
        let parts = [
            begin.as_bytes(),
            offer,
            between.as_bytes(),
            icon,
            end.as_bytes(),
        ];
        (
            format!("multipart/mixed;boundary=\"{boundary}\""),
            parts.concat(),
        )
    }

    /// We refresh (DLV-10); Min-SE only where a peer insisted on more than the standard's (RFC 4028 §7.4).
    fn session_timer(&self, builder: RequestBuilder) -> RequestBuilder {
        let offer = SessionExpires {
            refresher: Some(Refresher::Uac),
            ..self.policy.offer()
        };
        let builder = builder.header(Name::SessionExpires, offer);
        if self.policy.min_se > session_timer::FLOOR {
            builder.header(Name::MinSe, self.policy.min_se.as_secs())
        } else {
            builder
        }
    }
}

/// The Contact of a focus that sends by itself (DLV-10).
pub(crate) fn contact(uri: &str) -> String {
    format!("<{uri}>;automata;+g.oma.sip-im")
}

/// The offer of a push: we send, the client says who connects (DLV-11). Over TLS it names our
/// certificate (MSR-03).
pub(crate) fn offer(
    path: &Path,
    fingerprint: Option<&Fingerprint>,
    host: &str,
    session_id: u64,
    attributes: Vec<(String, Option<String>)>,
) -> (MsrpMedia, Described) {
    let media = MsrpMedia {
        fingerprint: fingerprint.map(Fingerprint::to_string),
        attributes,
        ..MsrpMedia::push_offer(path.clone())
    };
    let origin = Origin {
        user: "restante".to_owned(),
        session_id,
        version: 1,
        host: host.to_owned(),
    };
    let described = Described::offered(origin, media.clone());
    (media, described)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::df1;

    #[test]
    fn the_invite_is_that_of_the_example() {
        let path = "msrp://192.0.2.20:2855/k7Qp0x3mZ1uWc9RtE4sHaV;tcp"
            .parse()
            .expect("a path");
        let (_, offer) = offer(&path, None, "192.0.2.20", 3_975, Vec::new());
        let invitation = Invitation {
            inviter: Inviter::store(&df1().signature),
            served_user: "sip:bob@example.org".to_owned(),
            routes: vec!["<sip:scscf1.example.org;transport=tcp;lr>".to_owned()],
            contact: "sip:im-store@df1.im.example.org:5060;transport=tcp".to_owned(),
            call_id: "push-000000000017@df1.im.example.org".to_owned(),
            local_tag: "df1-p001".to_owned(),
            cseq: 1,
            ring_timeout: Duration::from_secs(30),
            policy: SessionPolicy::default(),
            offer,
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_176_001);
        let request = invitation.request(&df1().signature, now);
        let product = df1().signature.product().to_owned();
        let expected = format!(
            "INVITE sip:bob@example.org SIP/2.0\r\n\
             Max-Forwards: 70\r\n\
             Route: <sip:scscf1.example.org;transport=tcp;lr>\r\n\
             From: <sip:im-store@df1.im.example.org>;tag=df1-p001\r\n\
             To: <sip:bob@example.org>\r\n\
             Call-ID: push-000000000017@df1.im.example.org\r\n\
             CSeq: 1 INVITE\r\n\
             Contact: <sip:im-store@df1.im.example.org:5060;transport=tcp>;automata;+g.oma.sip-im\r\n\
             Date: Fri, 20 Nov 2026 12:00:01 GMT\r\n\
             Expires: 30\r\n\
             Accept-Contact: *;+g.oma.sip-im;require;explicit\r\n\
             Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\n\
             Supported: timer\r\n\
             Session-Expires: 1800;refresher=uac\r\n\
             User-Agent: {product}\r\n\
             P-Asserted-Identity: <sip:im-store@df1.im.example.org>\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: 207\r\n\r\n\
             v=0\r\no=restante 3975 1 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\n\
             m=message 2855 TCP/MSRP *\r\n\
             a=path:msrp://192.0.2.20:2855/k7Qp0x3mZ1uWc9RtE4sHaV;tcp\r\n\
             a=accept-types:*\r\na=sendonly\r\na=setup:actpass\r\n"
        );
        assert_eq!(String::from_utf8_lossy(request.as_bytes()), expected);
    }

    #[test]
    fn a_peers_minimum_is_taken_up() {
        let hour = Duration::from_secs(3_600);
        let invitation = Invitation {
            inviter: Inviter::store(&df1().signature),
            served_user: "sip:bob@example.org".to_owned(),
            routes: Vec::new(),
            contact: "sip:im-store@h".to_owned(),
            call_id: "c".to_owned(),
            local_tag: "t".to_owned(),
            cseq: 2,
            ring_timeout: Duration::from_secs(30),
            policy: SessionPolicy {
                interval: hour,
                min_se: hour,
            },
            offer: {
                let path = "msrp://192.0.2.20:2855/k7Qp0x3mZ1uWc9RtE4sHaV;tcp";
                let path = path.parse().expect("a path");
                offer(&path, None, "192.0.2.20", 1, Vec::new()).1
            },
        };
        let request = invitation.request(&df1().signature, SystemTime::UNIX_EPOCH);
        let headers = request.headers();
        assert_eq!(headers.min_se(), Ok(Some(3_600)));
        assert_eq!(
            headers
                .session_expires()
                .map(|held| held.map(|held| held.seconds)),
            Ok(Some(3_600))
        );
    }
}
