//! A deferred MESSAGE as it is delivered by MESSAGE (requirements §2.4.4, DLM-03).
//!
//! The stored request is edited, so that what goes along keeps its octets, the body among them (P7).
//! Call-ID and From tag are those of the message, the same in each attempt: a receiver, or another
//! store, recognises the repeated copy.

use sip::{CSeq, Field, Method, Name, NameAddr, Request};
use storage_client::delivery::TakenMessage;
use storage_client::message::Message;

use super::encapsulate::{NotAMessage, begins_with, is_private, stored_request};
use edge::response::sip_date;
use edge::sending::invite::MAX_FORWARDS;
use edge::signature::Signature;

/// What goes along as it is stored, besides `Content-*` and the body.
pub(super) const KEPT: [&str; 6] = [
    "Subject",
    "Priority",
    "Date",
    "In-Reply-To",
    "Conversation-ID",
    "Contribution-ID",
];

/// Only IM clients shall get it: no `require`, since it is a message and no session (DLM-02).
const ACCEPT_CONTACT: &str = "*;+g.oma.sip-im";

/// To whom and by whom a MESSAGE goes.
#[derive(Debug, Clone)]
pub(crate) struct Addressing<'a> {
    /// Request-URI.
    pub(crate) uri: &'a str,
    /// Values of Route.
    pub(crate) routes: &'a [String],
    /// The public user identity.
    pub(crate) served_user: &'a str,
    /// Whether the hop is of our trust domain and may be told who sent it (requirements §3.8).
    pub(crate) is_trusted: bool,
    /// Whether it is for an IM client.
    pub(crate) has_im_tag: bool,
    /// What else Accept-Contact asks for, as further parameters; empty if nothing.
    pub(crate) feature: &'a str,
}

/// The request, without the Via, which has the mark and is put on when it is sent.
///
/// # Errors
/// [`NotAMessage`], which a stored MESSAGE never is.
pub(crate) fn request(
    taken: &TakenMessage,
    to: &Addressing<'_>,
    signature: &Signature,
) -> Result<Request, NotAMessage> {
    let stored = stored_request(taken)?;
    let message = &taken.message;
    let is_private = is_private(&message.headers.privacy);
    let number = message.message_id.split('@').next().unwrap_or_default();
    let mut from: NameAddr = stored.headers().from().ok().flatten().ok_or(NotAMessage)?;
    from.params = sip::Params::default();
    from.params.set("tag", Some(&format!("dlv-{number}")));
    let cseq = CSeq {
        number: message.redeliveries.saturating_add(1),
        method: Method::Message,
    };
    let builder = stored
        .edit()
        .set_uri(to.uri)
        .retain(|field| is_kept(&field, is_private))
        .prepend(Name::CSeq, cseq)
        .prepend(Name::CallId, call_id(message))
        .prepend(Name::To, format_args!("<{}>", to.served_user))
        .prepend(Name::From, from);
    let builder = to.routes.iter().rev().fold(builder, |builder, route| {
        builder.prepend(Name::Route, route)
    });
    let mut builder = builder.prepend(Name::MaxForwards, MAX_FORWARDS);
    if stored.headers().first(Name::Date).is_none() {
        builder = builder.append(Name::Date, sip_date(message.received_at));
    }
    if to.has_im_tag {
        let wanted = match to.feature {
            "" => ACCEPT_CONTACT.to_owned(),
            feature => format!("{ACCEPT_CONTACT}{feature};require;explicit"),
        };
        builder = builder.append(Name::AcceptContact, wanted);
    }
    let asserted = &message.headers.asserted_identity;
    if to.is_trusted && !is_private && !asserted.is_empty() {
        builder = builder.append(Name::PAssertedIdentity, asserted);
    }
    let builder = builder
        .append(Name::UserAgent, signature.product())
        .append_raw("Message-ID", &message.message_id);
    Ok(builder.set_body(stored.body().clone()).build())
}

/// The Call-ID under which a message is delivered, in every attempt.
pub(crate) fn call_id(message: &Message) -> String {
    format!("dlv-{}", message.message_id)
}

/// A request for privacy goes along where there is one: it is for the hops behind us too.
fn is_kept(field: &Field<'_>, is_private: bool) -> bool {
    let name = field.known().map_or(field.name(), |name| name.as_str());
    begins_with(name, "Content-")
        || KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name))
        || (is_private && name.eq_ignore_ascii_case("Privacy"))
}

#[cfg(test)]
mod tests;
