//! What a PUBLISH asks for (RFC 3903 §6), without a store.

use std::time::Duration;

use sip::{Headers, Name, Request, Violation};
use storage_client::settings::{Entity, Publish, PublishChange, SettingValues};
use xcap::poc_settings::{self, MEDIA_TYPE, Setting};

use super::Publishing;
use edge::refuse::Refusal;

/// The event package (SET-06).
pub(crate) const PACKAGE: &str = "poc-settings";

/// Reads a PUBLISH of a user's settings, with its checks in the order of requirements §1.20.
pub(super) fn publish(
    request: &Request,
    served_user: &str,
    publisher: &str,
    rules: &Publishing,
) -> Result<Publish, Refusal> {
    let headers = request.headers();
    check_type(request)?;
    if headers
        .event()?
        .is_none_or(|event| event.package != PACKAGE)
    {
        return Err(Refusal::Event);
    }
    let entities = body(request, rules)?;
    let lifetime = lifetime(headers, rules)?;
    let change = match (entity_tag(headers)?, entities) {
        (Some(tag), _) if lifetime.is_zero() => PublishChange::Remove(tag),
        (Some(tag), None) => PublishChange::Refresh(tag),
        (Some(tag), Some(entities)) => PublishChange::Modify(tag, entities),
        (None, None) => return Err(bad("Nothing is published")),
        // What ends at once would say nothing: its agent asked for too short a time.
        (None, Some(_)) if lifetime.is_zero() => {
            return Err(Refusal::IntervalTooBrief(rules.shortest));
        }
        (None, Some(entities)) => PublishChange::Initial(entities),
    };
    Ok(Publish {
        served_user: served_user.to_owned(),
        publisher: publisher.to_owned(),
        change,
        lifetime,
    })
}

/// For metrics and the log.
pub(super) fn kind(change: &PublishChange) -> &'static str {
    match change {
        PublishChange::Initial(_) => "initial",
        PublishChange::Modify(..) => "modify",
        PublishChange::Refresh(_) => "refresh",
        PublishChange::Remove(_) => "remove",
    }
}

fn bad(reason: &'static str) -> Refusal {
    Violation::bad_request(reason).into()
}

/// Whether the body, if there is one, is of the type that is published here (ERR-12).
fn check_type(request: &Request) -> Result<(), Refusal> {
    if request.body().is_empty() {
        return Ok(());
    }
    let headers = request.headers();
    let is_document = headers
        .content_type()?
        .is_some_and(|held| held.is(MEDIA_TYPE));
    let mut encodings = headers.values(Name::ContentEncoding);
    if !is_document || encodings.any(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Refusal::EventBody(MEDIA_TYPE));
    }
    Ok(())
}

/// What is published; `None` without a body.
fn body(request: &Request, rules: &Publishing) -> Result<Option<Vec<Entity>>, Refusal> {
    if request.body().is_empty() {
        return Ok(None);
    }
    let entities = poc_settings::read(request.body(), &rules.names).map_err(|error| {
        tracing::debug!(%error, "settings not read");
        bad("Not a settings document")
    })?;
    Ok(Some(entities.into_iter().map(entity).collect()))
}

fn entity(entity: poc_settings::Entity) -> Entity {
    let values = SettingValues {
        session_barring: entity.get(Setting::SessionBarring),
        message_barring: entity.get(Setting::MessageBarring),
        invisibility: entity.get(Setting::Invisibility),
        offline_delivery: entity.get(Setting::OfflineDelivery),
        session_history: entity.get(Setting::SessionHistory),
        message_history: entity.get(Setting::MessageHistory),
        file_transfer_barring: entity.get(Setting::FileTransferBarring),
    };
    Entity {
        id: entity.id,
        values,
    }
}

/// How long it shall hold: shortened, never lengthened (SET-07).
fn lifetime(headers: &Headers, rules: &Publishing) -> Result<Duration, Refusal> {
    let asked = headers
        .expires()?
        .map(|seconds| Duration::from_secs(seconds.into()));
    match asked {
        None => Ok(rules.default_lifetime),
        Some(asked) if !asked.is_zero() && asked < rules.shortest => {
            Err(Refusal::IntervalTooBrief(rules.shortest))
        }
        Some(asked) => Ok(asked.min(rules.longest)),
    }
}

fn entity_tag(headers: &Headers) -> Result<Option<String>, Refusal> {
    let Some(field) = headers.first(Name::SipIfMatch) else {
        return Ok(None);
    };
    let value = field.value();
    let is_token = !value.is_empty() && !value.contains([' ', '\t', ',', '"']);
    match is_token {
        true => Ok(Some(value.into_owned())),
        false => Err(bad("Malformed SIP-If-Match")),
    }
}

#[cfg(test)]
mod tests;
