//! Claims about a message in a session of its own.

use sip::{Name, Request};
use storage_client::delivery::TakenMessage;

use super::{Letter, letter};
use crate::delivery::content::Content;
use crate::delivery::example::{taken, taken_large};
use edge::example;

fn made(taken: &TakenMessage, is_trusted: bool) -> Letter {
    letter(taken, is_trusted).expect("a message")
}

fn field<'a>(letter: &'a Letter, name: &str) -> Option<&'a str> {
    let mut headers = letter.inviter.headers.iter();
    headers
        .find(|(held, _)| held == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn the_sender_invites_and_the_content_keeps_its_own_type() {
    let letter = made(&taken_large(""), true);
    let inviter = &letter.inviter;
    assert_eq!(inviter.from, "\"Alice\" <sip:alice@example.org>");
    assert_eq!(
        inviter.asserted_identity.as_deref(),
        Some("\"Alice\" <sip:alice@example.org>")
    );
    assert_eq!(inviter.call_id_prefix, "dlv-13684434991");
    assert_eq!(inviter.content_type, "application/pdf");
    assert_eq!(letter.parcel.content_type, "application/pdf");
    let disposition = "attachment; filename=\"plan.pdf\"";
    assert_eq!(
        letter.parcel.headers,
        [("Content-Disposition".to_owned(), disposition.to_owned())]
    );
    assert_eq!(field(&letter, "Subject"), Some("Minutes of the meeting"));
    assert_eq!(
        field(&letter, "Message-ID"),
        Some("13684434991@mailserver32.example.org")
    );
    assert_eq!(letter.parcel.content.octets(), 3_000);
}

#[test]
fn the_file_is_described_as_the_sender_did_and_its_icon_goes_along() {
    let letter = made(&taken_large(""), true);
    let attributes: Vec<_> = letter
        .inviter
        .attributes
        .iter()
        .map(|(name, value)| format!("{name}:{}", value.as_deref().unwrap_or_default()))
        .collect();
    let expected = [
        "file-selector:name:\"plan.pdf\" type:application/pdf size:3000",
        "file-transfer-id:Q6LMoGymJdh0IKIgD6wD0jkcfgva4xvE",
        "file-disposition:attachment",
        "file-icon:cid:icon1@198.51.100.7",
    ];
    assert_eq!(attributes, expected);
    let icon = letter.inviter.icon.expect("an icon");
    let part = "Content-Type: image/png\r\nContent-ID: <icon1@198.51.100.7>\r\n\r\nicon";
    assert_eq!(icon, part);
}

#[test]
fn who_asked_for_privacy_or_speaks_to_a_stranger_is_not_asserted() {
    let private = made(&taken_large("Privacy: id\r\n"), true);
    assert_eq!(private.inviter.asserted_identity, None);
    assert_eq!(field(&private, "Privacy"), Some("id"));
    let stranger = made(&taken_large(""), false);
    assert_eq!(stranger.inviter.asserted_identity, None);
    assert_eq!(field(&stranger, "Privacy"), None);
}

#[test]
fn a_message_request_gives_its_body_and_what_describes_it() {
    let request: Request = example::message()
        .edit()
        .append_raw("Content-Language", "en")
        .build();
    let letter = made(&taken(&request), true);
    assert_eq!(letter.parcel.content_type, "text/plain;charset=utf-8");
    let language = ("Content-Language".to_owned(), "en".to_owned());
    assert_eq!(letter.parcel.headers, [language]);
    assert_eq!(
        letter.parcel.content,
        Content::whole(request.body().clone())
    );
    assert_eq!(letter.inviter.attributes, []);
    let own_date = request
        .headers()
        .first(Name::Date)
        .map(|date| date.value().into_owned());
    assert_eq!(letter.inviter.date, own_date);
}
