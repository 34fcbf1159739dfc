//! Messages: of one mailbox, with its counters and bindings, or of all.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use proto::v1::{
    Binding, ListMessagesReply, ListMessagesRequest, Mailbox, Message, MessageCount, MessageState,
    PushPlan,
};

use super::{Frame, answer, form_secret, link};
use crate::fields::{Fields, Posted, Signed, address};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::show::{badge, distance, foreign, octets, plan_sentence, state_word, visible};

/// Messages of a page.
const PAGE: u32 = 50;

/// The states in the order of a message's life.
const STATES: [MessageState; 8] = [
    MessageState::Stored,
    MessageState::Claimed,
    MessageState::Held,
    MessageState::Delivered,
    MessageState::Refused,
    MessageState::Expired,
    MessageState::Recalled,
    MessageState::Deleted,
];

/// What is looked for.
struct Filter<'a> {
    user: &'a str,
    sender: &'a str,
    group: &'a str,
    state: &'a str,
}

impl<'a> Filter<'a> {
    fn of(fields: &'a Fields) -> Self {
        Self {
            user: fields.get("user"),
            sender: fields.get("sender"),
            group: fields.get("group"),
            state: fields.get("state"),
        }
    }

    fn request(&self, page: &str) -> Result<ListMessagesRequest, Refusal> {
        let known = STATES
            .iter()
            .find(|state| state_word(**state) == self.state);
        if known.is_none() && !self.state.is_empty() {
            let sentence = "There is no such state.";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, sentence));
        }
        Ok(ListMessagesRequest {
            served_user: address(self.user),
            sender: address(self.sender),
            group: address(self.group),
            states: known.map(|state| i32::from(*state)).into_iter().collect(),
            page_size: PAGE,
            page_token: page.to_owned(),
            ..ListMessagesRequest::default()
        })
    }

    fn link(&self, page: &str) -> String {
        link(
            "/messages",
            &[
                ("user", self.user),
                ("sender", self.sender),
                ("group", self.group),
                ("state", self.state),
                ("page", page),
            ],
        )
    }
}

pub(crate) async fn show(Signed(session): Signed, fields: Fields) -> Response {
    match found(&session, &fields).await {
        Ok(body) => {
            let user = visible(fields.get("user"));
            let title = if user.is_empty() { "Messages" } else { &*user };
            let frame = Frame {
                title,
                session: Some(&session),
                here: "/messages",
            };
            answer(&frame, &body).into_response()
        }
        Err(refusal) => refusal.page(Some(&session)),
    }
}

async fn found(session: &Session, fields: &Fields) -> Result<Markup, Refusal> {
    let filter = Filter::of(fields);
    let page = fields.get("page");
    let request = filter.request(page)?;
    let mailbox = match filter.user {
        "" => None,
        user => Some(session.calls.mailbox(&address(user)).await?),
    };
    // Nobody's mailbox has no messages, but nobody is not an address that is wrong.
    let reply = match &mailbox {
        Some(None) => ListMessagesReply::default(),
        _ => session.calls.list(request).await?,
    };
    let plan = fields.get("plan").parse().ok();
    let plan = plan.and_then(|number: i32| PushPlan::try_from(number).ok());
    Ok(html! {
        h1 { @if filter.user.is_empty() { "Messages" } @else { "Mailbox of " (foreign(filter.user)) } }
        @if let Some(plan) = plan {
            div.notice.good role="status" { p { (plan_sentence(plan)) } }
        }
        (form(&filter))
        @match &mailbox {
            Some(Some(mailbox)) => { (summary(session, mailbox)) }
            Some(None) => {
                div.empty { p { strong { "This user has no mailbox." } } p { "It comes with the first message or registration, or with " code { "restantectl user add" } "." } }
            }
            None => {}
        }
        @if mailbox.as_ref().is_none_or(Option::is_some) {
            (list(&filter, &reply, page))
        }
    })
}

fn form(filter: &Filter<'_>) -> Markup {
    html! {
        form.filter action="/messages" role="search" {
            div {
                label for="user" { "User" }
                input #user name="user" type="search" value=(filter.user) placeholder="everybody" accesskey="s" autocomplete="off" spellcheck="false" autocapitalize="none";
            }
            div {
                label for="sender" { "Sender" }
                input #sender name="sender" type="search" value=(filter.sender) placeholder="anybody" autocomplete="off" spellcheck="false" autocapitalize="none";
            }
            div {
                label for="group" { "Group" }
                input #group name="group" type="search" value=(filter.group) placeholder="any, or none" autocomplete="off" spellcheck="false" autocapitalize="none";
            }
            div {
                label for="state" { "State" }
                select #state name="state" {
                    option value="" { "any" }
                    @for word in STATES.map(state_word) {
                        option value=(word) selected[word == filter.state] { (word) }
                    }
                }
            }
            button.main { "Show" }
        }
    }
}

fn summary(session: &Session, mailbox: &Mailbox) -> Markup {
    let is_other = |count: &MessageCount| format!("{} old, {} urgent", count.old, count.new_urgent);
    let (text, media) = (
        mailbox.text.unwrap_or_default(),
        mailbox.multimedia.unwrap_or_default(),
    );
    html! {
        section.cards aria-label="Mailbox" {
            div.card { h2 { "Text" } p.figure { (text.new) } p { "waiting; " (is_other(&text)) } }
            div.card { h2 { "Multimedia" } p.figure { (media.new) } p { "waiting; " (is_other(&media)) } }
            div.card { h2 { "Notifications" } p.figure { (mailbox.imdn) } p { "waiting" } }
            div.card { h2 { "Content" } p.figure { (octets(mailbox.octets)) } p { "undelivered" } }
        }
        (bindings(&mailbox.bindings))
        @if session.may_change {
            form.actions method="post" action="/push" {
                (form_secret(session))
                input type="hidden" name="user" value=(mailbox.served_user);
                button.main { "Push now" }
                label.check { input type="checkbox" name="force" value="yes"; "even if not registered, or switched off" }
            }
        }
    }
}

fn bindings(bindings: &[Binding]) -> Markup {
    html! {
        h2 { "Registered clients" }
        @if bindings.is_empty() {
            p.quiet { "None: what waits is pushed when the user registers." }
        } @else {
            table {
                thead { tr { th scope="col" { "Contact" } th scope="col" { "Client" } th scope="col" { "Until" } } }
                tbody {
                    @for binding in bindings {
                        tr {
                            td data-name="Contact" { (foreign(&binding.contact)) }
                            td data-name="Client" { (foreign(&binding.user_agent)) }
                            td data-name="Until" { (distance(binding.expires_at.as_ref())) }
                        }
                    }
                }
            }
        }
    }
}

fn list(filter: &Filter<'_>, reply: &ListMessagesReply, page: &str) -> Markup {
    let is_last = reply.next_page_token.is_empty();
    html! {
        h2 { "Messages" }
        @if reply.messages.is_empty() {
            div.empty {
                p { strong { @if is_last { "No messages." } @else { "None on this page." } } }
                @if ![filter.state, filter.sender, filter.group].concat().is_empty() {
                    p { "Nothing is as you asked; " a href=(link("/messages", &[("user", filter.user)])) { "show all" } "." }
                }
            }
        } @else {
            table.messages {
                thead {
                    tr {
                        th scope="col" { "Message" } th scope="col" { "From" }
                        @if filter.user.is_empty() { th scope="col" { "To" } }
                        th scope="col" { "State" } th scope="col" { "Age" } th.number scope="col" { "Size" } th.number scope="col" { "Tries" }
                    }
                }
                tbody { @for message in &reply.messages { (row(filter, message)) } }
            }
        }
        nav.pages aria-label="Pages" {
            @if !page.is_empty() { a.button href=(filter.link("")) { "First page" } }
            @if !is_last { a.button href=(filter.link(&reply.next_page_token)) rel="next" { "Next page" } }
        }
    }
}

fn row(filter: &Filter<'_>, message: &Message) -> Markup {
    html! {
        tr {
            th scope="row" data-name="Message" {
                a href=(link("/message", &[("id", &message.message_id)])) { (subject(message)) }
            }
            td data-name="From" { (foreign(&message.sender)) }
            @if filter.user.is_empty() { td data-name="To" { (foreign(&message.served_user)) } }
            td data-name="State" { (badge(message.state())) }
            td data-name="Age" { (distance(message.received_at.as_ref())) }
            td.number data-name="Size" { (octets(message.body_octets)) }
            td.number data-name="Tries" { (message.attempts) }
        }
    }
}

/// What a message is called: its subject, its file, or its number.
pub(super) fn subject(message: &Message) -> Markup {
    let subject = message
        .headers
        .as_ref()
        .map_or("", |headers| &headers.subject);
    let file = message.file.as_ref().map_or("", |file| &file.name);
    html! {
        @if !subject.is_empty() { (foreign(subject)) }
        @else if !file.is_empty() { (foreign(file)) }
        @else { span.id { (visible(&message.message_id)) } }
    }
}

/// Delivers what waits.
pub(crate) async fn push(Posted { session, fields }: Posted) -> Response {
    let user = fields.get("user");
    match session.calls.push(user, fields.get("force") == "yes").await {
        Ok(reply) => {
            let plan = reply.plan.to_string();
            Redirect::to(&link("/messages", &[("user", user), ("plan", &plan)])).into_response()
        }
        Err(status) => Refusal::from(status).page(Some(&session)),
    }
}
