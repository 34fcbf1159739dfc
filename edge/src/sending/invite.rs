//! The INVITE of a session in which we send, header by header: of a push (requirements §2.4.2, DLV-07..11),
//! of a message that goes in the name of its sender (requirements 4.3), of a copy of a message to many
//! (CFL-08, CFL-09).

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use msrp::encapsulate::Boundary;
use msrp::sdp::{MsrpMedia, Origin};
use msrp::{AcceptTypes, Path};
use net::tls::Fingerprint;
use sip::session_timer::{self, SessionPolicy};
use sip::{CSeq, Method, Name, Refresher, Request, RequestBuilder, SessionExpires};

use crate::call::{ALLOW, Described};
use crate::response::sip_date;
use crate::signature::Signature;

/// The attribute that names the preview of a file, in both spellings.
pub const ICON_ATTRIBUTES: [&str; 2] = ["file-icon", "icon"];

/// Hops a request that is all our own may take (RFC 3261 §8.1.1.6).
pub const MAX_FORWARDS: u8 = 70;

/// In whose name an INVITE goes, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inviter {
    /// What the Call-ID begins with.
    pub call_id_prefix: String,
    /// Value of From, without its tag.
    pub from: String,
    /// Value of P-Asserted-Identity; none where the hop shall not know.
    pub asserted_identity: Option<String>,
    /// Hops that it may take.
    pub max_forwards: u8,
    /// Value of Accept-Contact.
    pub accept_contact: Cow<'static, str>,
    /// Value of Date; none for now.
    pub date: Option<String>,
    /// Further fields.
    pub headers: Vec<(String, String)>,
    /// Further attributes of the media line.
    pub attributes: Vec<(String, Option<String>)>,
    /// Types of which one is sent in the session, as the offer names them; `*` for any.
    pub accept_types: AcceptTypes,
    /// Type of what is sent in the session.
    pub content_type: String,
    /// The preview that the attributes name: a part of the body, its header fields with it (FT-04).
    pub icon: Option<Bytes>,
}

/// What an INVITE says besides what is the same in all of them.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// In whose name it goes.
    pub inviter: Inviter,
    /// Request-URI and To: the public user identity.
    pub target: String,
    /// Values of Route.
    pub routes: Vec<String>,
    /// URI of our Contact.
    pub contact: String,
    /// Call-ID of the dialog.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// CSeq number: 1, and more for a repetition with other timers.
    pub cseq: u32,
    /// How long the client may ring.
    pub ring_timeout: Duration,
    /// The session interval we ask for, raised after a 422.
    pub policy: SessionPolicy,
    /// The session as we offer it.
    pub offer: Described,
}

impl Invitation {
    /// The request, without the Via, which has the mark and is put on when it is sent.
    pub fn request(&self, signature: &Signature, now: SystemTime) -> Request {
        let inviter = &self.inviter;
        let date = inviter.date.clone();
        let cseq = CSeq {
            number: self.cseq,
            method: Method::Invite,
        };
        let builder = RequestBuilder::new(Method::Invite, &self.target)
            .header(Name::MaxForwards, inviter.max_forwards);
        let builder = self
            .routes
            .iter()
            .fold(builder, |builder, route| builder.header(Name::Route, route));
        let builder = builder
            .header(
                Name::From,
                format_args!("{};tag={}", inviter.from, self.local_tag),
            )
            .header(Name::To, format_args!("<{}>", self.target))
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, cseq)
            .header(Name::Contact, signature.session_contact(&self.contact))
            .header(
                Name::Date,
                date.unwrap_or_else(|| sip_date(now).to_string()),
            )
            .header(Name::Expires, self.ring_timeout.as_secs())
            .header(Name::AcceptContact, &inviter.accept_contact)
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
    pub fn leave_icon_out(&mut self) -> bool {
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

/// Our offer: we send, the client says who connects (DLV-11). Over TLS it names our certificate
/// (MSR-03).
pub(crate) fn offer(
    path: &Path,
    fingerprint: Option<&Fingerprint>,
    host: &str,
    session_id: u64,
    inviter: &Inviter,
) -> (MsrpMedia, Described) {
    let media = MsrpMedia {
        accept_types: inviter.accept_types.clone(),
        fingerprint: fingerprint.map(Fingerprint::to_string),
        attributes: inviter.attributes.clone(),
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

    const PATH: &str = "msrp://192.0.2.20:2855/k7Qp0x3mZ1uWc9RtE4sHaV;tcp";

    /// The store, with all there is (requirements §2.4.2).
    fn store() -> Inviter {
        let identity = df1().signature.store_identity().to_string();
        Inviter {
            call_id_prefix: "push".to_owned(),
            from: identity.clone(),
            asserted_identity: Some(identity),
            max_forwards: MAX_FORWARDS,
            accept_contact: "*;+g.oma.sip-im;require;explicit".into(),
            date: None,
            headers: Vec::new(),
            attributes: Vec::new(),
            accept_types: AcceptTypes::any(),
            content_type: "multipart/mixed".to_owned(),
            icon: None,
        }
    }

    #[test]
    fn the_invite_is_that_of_the_example() {
        let path = PATH.parse().expect("a path");
        let (_, offer) = offer(&path, None, "192.0.2.20", 3_975, &store());
        let invitation = Invitation {
            inviter: store(),
            target: "sip:bob@example.org".to_owned(),
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
            inviter: store(),
            target: "sip:bob@example.org".to_owned(),
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
                let path = PATH.parse().expect("a path");
                offer(&path, None, "192.0.2.20", 1, &store()).1
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
