//! The service at a glance, and the search for a user.

use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use proto::v1::{AttachedEdge, Status};

use super::{Frame, answer};
use crate::fields::Signed;
use crate::refusal::Refusal;
use crate::show::{distance, moment, visible};

pub(crate) async fn show(Signed(session): Signed) -> Response {
    let status = match session.calls.status().await {
        Ok(status) => status,
        Err(status) => return Refusal::from(status).page(Some(&session)),
    };
    let body = html! {
        h1 { "Overview" }
        (search(""))
        (health(&status))
        (edges(&status))
    };
    let frame = Frame {
        title: "Overview",
        session: Some(&session),
        here: "/",
    };
    answer(&frame, &body).into_response()
}

/// The form that leads to a user's mailbox.
pub(super) fn search(user: &str) -> Markup {
    html! {
        form.search role="search" action="/messages" {
            label for="user" { "User, by address or alias" }
            input #user name="user" type="search" value=(user) placeholder="bob@example.org" accesskey="s" autocomplete="off" spellcheck="false" autocapitalize="none" required;
            button.main { "Find mailbox" }
        }
    }
}

fn health(status: &Status) -> Markup {
    let kind = match (status.ready, status.conditions.is_empty()) {
        (true, true) => "good",
        (true, false) => "held",
        (false, _) => "bad",
    };
    html! {
        section.cards aria-label="Health" {
            div.card.(kind) {
                h2 { "Health" }
                p.figure { @if status.ready { "Ready" } @else { "Not ready" } }
                @if !status.conditions.is_empty() {
                    ul { @for condition in &status.conditions { li { (visible(condition)) } } }
                }
            }
            div.card {
                h2 { "Pushes" }
                p.figure { (status.pushes_running) }
                p { "running, " (status.pushes_planned) " planned" }
            }
            div.card {
                h2 { "Edges" }
                p.figure { (status.edges.len()) }
                p { @if status.edges.is_empty() { "None is attached: nothing is delivered." } @else { "attached" } }
            }
            div.card {
                h2 { "Store" }
                p.figure.small { (visible(&status.hostname)) }
                p { "Version " (visible(&status.version)) ", started " (distance(status.started_at.as_ref())) }
            }
        }
    }
}

fn edges(status: &Status) -> Markup {
    html! {
        @if !status.edges.is_empty() {
            h2 { "Attached edges" }
            table {
                thead { tr { th scope="col" { "Edge" } th scope="col" { "Attached" } th.number scope="col" { "Pushes" } } }
                tbody { @for edge in &status.edges { (row(edge)) } }
            }
        }
    }
}

fn row(edge: &AttachedEdge) -> Markup {
    html! {
        tr {
            th scope="row" data-name="Edge" { (visible(&edge.name)) }
            td data-name="Attached" { (moment(edge.attached_at.as_ref())) }
            td.number data-name="Pushes" { (edge.jobs) " of " (edge.capacity) }
        }
    }
}
