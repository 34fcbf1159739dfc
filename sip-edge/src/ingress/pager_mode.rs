//! A MESSAGE as the store is to get it (PFM rows): everything the edge decides before the store does.

use std::time::SystemTime;

use cpim::imdn;
use sip::{MediaType, Name, Request};
use storage_client::Deposit;
use storage_client::message::{Class, Headers, Part, PartKind, Priority};

use super::Leave;
use super::served_user::served_user;
use crate::site::Site;
use edge::identity::{AssertedIdentity, originator};
use edge::refuse::Refusal;
use edge::report::report_request;
use edge::{duplicate, lifetime, privacy};

/// What a MESSAGE is for the edge.
#[derive(Debug)]
pub(crate) enum Pager {
    /// To be stored.
    Deposit(Box<Deposit>),
    /// An is-composing notice: answered 200 and dropped (PFM-11).
    Composing,
}

/// Reads a MESSAGE that passed the checks of §1.20. `may_send` says whether its sender may send one more.
///
/// # Errors
/// In the order of the table: identity, served user, privacy, lifetime, rate of the sender, size.
pub(crate) fn read(
    request: &Request,
    site: &Site,
    (received_from, now): (String, SystemTime),
    may_send: impl FnOnce(Option<&AssertedIdentity>) -> Result<Leave, Refusal>,
) -> Result<Pager, Refusal> {
    let originator = originator(request.headers(), site)?;
    let served_user = served_user(request, site)?;
    let content_type = request.headers().content_type()?;
    if content_type
        .as_ref()
        .is_some_and(|held| held.is("application/im-iscomposing+xml"))
    {
        return Ok(Pager::Composing);
    }
    privacy::check(request)?;
    let lifetime = lifetime::of_message(request, now)?;
    let leave = may_send(originator.as_ref())?;
    if request.body().len() > site.message_body_octets {
        return Err(Refusal::BodyTooLarge);
    }
    let cpim = wrapped(request, content_type.as_ref());
    let cpim = cpim.as_ref();
    Ok(Pager::Deposit(Box::new(Deposit {
        served_user: served_user.to_string(),
        class: class(cpim),
        priority: priority(request),
        is_text: is_text(content_type.as_ref(), cpim),
        headers: headers(request, originator.as_ref(), cpim),
        sender: originator.map(|originator| originator.address.to_string()),
        sender_exempt: leave.sender_exempt,
        leg: leave.leg,
        duplicate_key: duplicate::key(request)?,
        imdn_key: cpim.and_then(duplicate::imdn_key),
        body_octets: request.body().len() as u64,
        body_offset: (request.as_bytes().len() - request.body().len()) as u64,
        parts: vec![Part {
            kind: PartKind::Message,
            octets: request.as_bytes().clone(),
        }],
        lifetime,
        received_from,
        report_request: cpim.and_then(report_request),
        traceparent: None,
    })))
}

/// The CPIM message in the body; `None` also for a body that is not what its type says. It is stored
/// all the same.
fn wrapped(request: &Request, content_type: Option<&MediaType>) -> Option<cpim::Message> {
    content_type.filter(|held| held.is("message/cpim"))?;
    cpim::Message::parse(request.body()).ok()
}

/// A notification of disposition is delivered but never counted (PFM-10).
fn class(cpim: Option<&cpim::Message>) -> Class {
    if cpim.is_some_and(imdn::is_notification) {
        Class::Imdn
    } else {
        Class::Pager
    }
}

/// Counted as Text-Message: text, or text wrapped in CPIM (MWI-09).
fn is_text(content_type: Option<&MediaType>, cpim: Option<&cpim::Message>) -> bool {
    content_type.is_some_and(|held| held.is_of_type("text"))
        || cpim.is_some_and(|message| message.content_type().starts_with("text/"))
}

/// The priority that a request asks for.
pub(crate) fn priority(request: &Request) -> Priority {
    match request.headers().priority().unwrap_or_default() {
        sip::Priority::NonUrgent => Priority::NonUrgent,
        sip::Priority::Normal => Priority::Normal,
        sip::Priority::Urgent => Priority::Urgent,
        sip::Priority::Emergency => Priority::Emergency,
    }
}

/// Header values for the index. `Contact` is of no meaning in a MESSAGE (COM-05).
pub(crate) fn headers(
    request: &Request,
    originator: Option<&AssertedIdentity>,
    cpim: Option<&cpim::Message>,
) -> Headers {
    let fields = request.headers();
    let value = |name: Name| {
        fields
            .first(name)
            .map(|field| field.value().into_owned())
            .unwrap_or_default()
    };
    let named = |name: &str| {
        fields
            .first_named(name)
            .map(|field| field.value().into_owned())
            .unwrap_or_default()
    };
    Headers {
        from: value(Name::From),
        to: value(Name::To),
        call_id: value(Name::CallId),
        subject: value(Name::Subject),
        date: value(Name::Date),
        priority: value(Name::Priority),
        privacy: fields.privacy().join(";"),
        asserted_identity: originator
            .map(|held| held.value.clone())
            .unwrap_or_default(),
        contact: String::new(),
        content_type: value(Name::ContentType),
        imdn_message_id: cpim
            .and_then(imdn::message_id)
            .unwrap_or_default()
            .to_owned(),
        conversation_id: named("Conversation-ID"),
        contribution_id: named("Contribution-ID"),
        content_disposition: String::new(),
    }
}

#[cfg(test)]
mod tests;
