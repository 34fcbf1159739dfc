//! The body of a message: as text, or as octets to keep. Never as what its sender says it is.

use std::io;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use maud::html;
use proto::v1::{Message, MessageClass, PartKind, ReadContentReply, ReadContentRequest};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::messages::subject;
use super::{Frame, answer, link};
use crate::fields::{Fields, Signed};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::show::{foreign, octets, visible_lines};

/// Octets that are shown.
const MAX_SHOWN: u64 = 256 << 10;

/// The octets of the body, from the first on.
async fn body(
    session: &Session,
    message: &Message,
    length: u64,
) -> Result<Streaming<ReadContentReply>, Status> {
    let (part, offset) = match message.class() {
        MessageClass::Large => (PartKind::SendBody, 0),
        _ => (PartKind::Message, message.body_offset),
    };
    let request = ReadContentRequest {
        message_id: message.message_id.clone(),
        part: part.into(),
        offset,
        length,
    };
    session.calls.content(request).await
}

pub(crate) async fn show(Signed(session): Signed, fields: Fields) -> Response {
    let (message, text) = match read(&session, fields.get("id")).await {
        Ok(read) => read,
        Err(status) => return Refusal::from(status).page(Some(&session)),
    };
    let id = message.message_id.as_str();
    let kind = message
        .headers
        .as_ref()
        .map_or("", |headers| &headers.content_type);
    let page = html! {
        nav.trail aria-label="Trail" { a href=(link("/message", &[("id", id)])) { "Message " (subject(&message)) } }
        h1 { "Content" }
        p { (foreign(kind)) ", " (octets(message.body_octets)) ". Shown as text, whatever it is." }
        @if message.body_octets > MAX_SHOWN {
            div.notice { p { "Only the first " (octets(MAX_SHOWN)) " are shown." } }
        }
        @if text.is_empty() {
            div.empty { p { strong { "The body is empty." } } }
        } @else {
            pre.content dir="auto" tabindex="0" { (visible_lines(&text)) }
        }
        p.actions { a.button href=(link("/download", &[("id", id)])) { "Download" } }
    };
    let frame = Frame {
        title: "Content",
        session: Some(&session),
        here: "",
    };
    answer(&frame, &page).into_response()
}

async fn read(session: &Session, id: &str) -> Result<(Message, String), Status> {
    let (message, _) = session.calls.message(id).await?;
    let mut octets = Vec::new();
    // Of nothing the length would mean everything.
    if message.body_octets > 0 {
        let length = message.body_octets.min(MAX_SHOWN);
        let mut pieces = body(session, &message, length).await?;
        while let Some(piece) = pieces.message().await? {
            octets.extend_from_slice(&piece.octets);
        }
    }
    Ok((message, String::from_utf8_lossy(&octets).into_owned()))
}

/// The octets as a file, under a name and a type of ours: nothing is shown by the browser.
pub(crate) async fn download(Signed(session): Signed, fields: Fields) -> Response {
    let opened = async {
        let (message, _) = session.calls.message(fields.get("id")).await?;
        let pieces = body(&session, &message, 0).await?;
        Ok::<_, Status>((message, pieces))
    };
    let (message, pieces) = match opened.await {
        Ok(opened) => opened,
        Err(status) => return Refusal::from(status).page(Some(&session)),
    };
    let number = message.message_id.split('@').next().unwrap_or_default();
    let number: String = number.chars().filter(char::is_ascii_digit).collect();
    let disposition = format!("attachment; filename=\"message-{number}.bin\"");
    let pieces = pieces.map(|piece| piece.map(|piece| piece.octets).map_err(io::Error::other));
    let head = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    let pieces = while_signed_in(pieces, session.ended.clone());
    (head, Body::from_stream(pieces)).into_response()
}

/// What comes until the session ends; then it breaks, so that nobody takes what has come for the whole.
fn while_signed_in<T>(
    pieces: impl Stream<Item = io::Result<T>>,
    ended: CancellationToken,
) -> impl Stream<Item = io::Result<T>> {
    let is_over = ended.clone();
    let broken = stream::once(async move {
        let sentence = "the session has ended";
        is_over
            .is_cancelled()
            .then(|| Err(io::Error::other(sentence)))
    });
    let broken = broken.filter_map(async |broken| broken);
    pieces.take_until(ended.cancelled_owned()).chain(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_download_breaks_when_its_session_ends() {
        let ended = CancellationToken::new();
        let (sender, pieces) = tokio::sync::mpsc::channel(1);
        let pieces = tokio_stream::wrappers::ReceiverStream::new(pieces);
        let mut pieces = std::pin::pin!(while_signed_in(pieces, ended.clone()));
        sender.send(Ok("one")).await.expect("open");
        assert!(matches!(pieces.next().await, Some(Ok("one"))));
        ended.cancel();
        sender.send(Ok("two")).await.expect("open");
        assert!(matches!(pieces.next().await, Some(Err(_))));
        assert!(pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn a_download_ends_as_its_content_does() {
        let pieces = stream::iter([Ok(1), Ok(2)]);
        let whole = while_signed_in(pieces, CancellationToken::new());
        let whole: Vec<_> = whole.collect().await;
        assert!(matches!(whole[..], [Ok(1), Ok(2)]));
    }
}
