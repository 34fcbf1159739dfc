//! One message: how it stands, what may be done, what happened, what its sender said.

use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use proto::v1::{
    DeviceState, Event, FileAttributes, Message, MessageHeaders, MessageState, ReportState,
    ReportStatus,
};

use super::messages::subject;
use super::order::{Order, done_sentence};
use super::{Frame, answer, link};
use crate::fields::{Fields, Signed};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::show::{
    badge, class_word, distance, event_words, foreign, moment, octets, priority_word, visible,
};

pub(crate) async fn show(Signed(session): Signed, fields: Fields) -> Response {
    let (message, timeline) = match session.calls.message(fields.get("id")).await {
        Ok(found) => found,
        Err(status) => return Refusal::from(status).page(Some(&session)),
    };
    let body = html! {
        nav.trail aria-label="Trail" { a href=(link("/messages", &[("user", &message.served_user)])) { "Mailbox of " (foreign(&message.served_user)) } }
        h1 { (subject(&message)) " " (badge(message.state())) }
        @if let Some(sentence) = done_sentence(fields.get("done")) {
            div.notice.good role="status" { p { (sentence) } }
        }
        @if !message.reason.is_empty() {
            div.notice { p { "Last outcome: " (foreign(&message.reason)) } }
        }
        (actions(&session, &message))
        (events(&timeline))
        (envelope(&message))
        @if let Some(headers) = &message.headers { (said(headers)) }
        @if let Some(file) = &message.file { (announced(file)) }
        (outcomes(&message))
    };
    let title = visible(&message.message_id);
    let frame = Frame {
        title: &title,
        session: Some(&session),
        here: "",
    };
    answer(&frame, &body).into_response()
}

fn actions(session: &Session, message: &Message) -> Markup {
    let id = message.message_id.as_str();
    let has_content = message.content_retained;
    html! {
        @if session.may_change || session.may_read_contents {
            nav.actions aria-label="Actions" {
                @if session.may_change {
                    @for order in Order::ALL {
                        @if order.suits(message) {
                            a.button.danger[order.is_final()] href=(link("/order", &[("id", id), ("verb", order.word())])) { (order.name()) }
                        }
                    }
                }
                @if session.may_read_contents && has_content {
                    a.button href=(link("/content", &[("id", id)])) { "Read content" }
                    a.button href=(link("/download", &[("id", id)])) { "Download content" }
                }
            }
        }
        @if !has_content { p.quiet { "The content is gone." } }
    }
}

fn events(timeline: &[Event]) -> Markup {
    html! {
        section {
            h2 { "Timeline" }
            @if timeline.is_empty() {
                p.quiet { "It is not kept any more." }
            } @else {
                ol.timeline {
                    @for event in timeline {
                        li {
                            span.what { (event_words(event.kind())) }
                            span.when { (moment(event.at.as_ref())) }
                            @if !event.actor.is_empty() { span.by { "by " (foreign(&event.actor)) } }
                            @if event.generation != 0 { span.quiet { "claim " (event.generation) } }
                            @if !event.detail.is_empty() { span.detail { (foreign(&event.detail)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A list of names and what they stand for.
fn facts(title: &str, facts: &[(&str, Markup)]) -> Markup {
    html! {
        section {
            h2 { (title) }
            dl { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
        }
    }
}

fn envelope(message: &Message) -> Markup {
    let is_held_until = message.state() == MessageState::Held && message.deliver_after.is_some();
    let mut list = vec![
        (
            "Message-ID",
            html! { span.id { (visible(&message.message_id)) } },
        ),
        ("For", foreign(&message.served_user)),
        ("Sender, asserted", foreign(&message.sender)),
        ("Group", foreign(&message.group)),
        (
            "Kind",
            html! { (class_word(message.class())) ", " (priority_word(message.priority())) },
        ),
        ("Size", html! { (octets(message.body_octets)) }),
        (
            "Received",
            html! { (moment(message.received_at.as_ref())) " from " (foreign(&message.received_from)) },
        ),
        (
            "Expires",
            html! { (moment(message.expires_at.as_ref())) " (" (distance(message.expires_at.as_ref())) ")" },
        ),
    ];
    if message.settled_at.is_some() {
        list.push(("Settled", moment(message.settled_at.as_ref())));
    }
    if is_held_until {
        list.push(("Held until", moment(message.deliver_after.as_ref())));
    }
    list.push((
        "Tries",
        html! { (message.attempts) ", delivered again " (message.redeliveries) " times" },
    ));
    list.push(("Place in the mailbox", html! { (message.sequence) }));
    if !message.sha256.is_empty() {
        let digits: String = message
            .sha256
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        list.push(("SHA-256", html! { span.id { (digits) } }));
    }
    facts("Envelope", &list)
}

fn said(headers: &MessageHeaders) -> Markup {
    let named = [
        ("From", &headers.from),
        ("To", &headers.to),
        ("Subject", &headers.subject),
        ("Date", &headers.date),
        ("Content-Type", &headers.content_type),
        ("Content-Disposition", &headers.content_disposition),
        ("Call-ID", &headers.call_id),
        ("P-Asserted-Identity", &headers.asserted_identity),
        ("Contact", &headers.contact),
        ("Priority", &headers.priority),
        ("Privacy", &headers.privacy),
        ("imdn.Message-ID", &headers.imdn_message_id),
        ("Conversation-ID", &headers.conversation_id),
        ("Contribution-ID", &headers.contribution_id),
    ];
    let there = named.into_iter().filter(|(_, value)| !value.is_empty());
    let list: Vec<_> = there.map(|(name, value)| (name, foreign(value))).collect();
    facts("What the sender says", &list)
}

fn announced(file: &FileAttributes) -> Markup {
    let size = file.octets.map(octets).unwrap_or_default();
    let named = [
        ("Name", &file.name),
        ("Type", &file.media_type),
        ("Size", &size),
        ("Hash", &file.hash),
        ("Disposition", &file.disposition),
        ("Description", &file.description),
    ];
    let there = named.into_iter().filter(|(_, value)| !value.is_empty());
    let list: Vec<_> = there.map(|(name, value)| (name, foreign(value))).collect();
    facts("The file", &list)
}

/// What became of it at each device, and what its sender is told.
fn outcomes(message: &Message) -> Markup {
    let device_word = |state| match state {
        DeviceState::Unspecified => "unknown",
        DeviceState::Waiting => "waiting",
        DeviceState::Delivered => "delivered",
        DeviceState::Refused => "refused",
    };
    let status_word = |status| match status {
        ReportStatus::Unspecified => "unknown",
        ReportStatus::Stored => "stored",
        ReportStatus::Failed => "failed",
        ReportStatus::Forbidden => "forbidden",
    };
    let state_word = |state| match state {
        ReportState::Unspecified => "unknown",
        ReportState::Waiting => "waiting",
        ReportState::Sent => "sent",
        ReportState::Dropped => "dropped",
    };
    html! {
        @if !message.devices.is_empty() {
            section {
                h2 { "Devices" }
                ul { @for device in &message.devices {
                    li {
                        (foreign(&device.instance)) ": " (device_word(device.state())) ", " (moment(device.at.as_ref()))
                        @if !device.reason.is_empty() { " – " (foreign(&device.reason)) }
                    }
                } }
            }
        }
        @if !message.reports.is_empty() {
            section {
                h2 { "Reports to the sender" }
                ul { @for report in &message.reports { li { (status_word(report.status())) ": " (state_word(report.state())) } } }
            }
        }
    }
}
