//! Short messages.

use restante_im_client::choice::{Choice, Mode};
use restante_im_client::client::Options;
use restante_im_client::envelope::Envelope;
use restante_im_client::external::ExternalContent;
use restante_im_client::outgoing::{Outgoing, Sent};
use restante_im_client::recipients::Recipients;
use restante_im_client::upload::UploadControl;
use restante_im_client::{ClientError, LargeMessage};
use sip::{Method, Request, StatusCode};

use crate::server::{Server, field, reply};
use crate::{alice, bob, listed, text};

/// The first request that the server sees of a message; it takes a MESSAGE and refuses a session.
async fn seen(message: LargeMessage, choice: Choice) -> Request {
    let mut server = Server::start().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let sending = tokio::spawn(async move {
        let outgoing = Outgoing {
            message,
            expires: None,
            choice,
        };
        let control = UploadControl::default();
        client.deliver(&outgoing, &control).await
    });
    let transaction = server.any_request().await;
    let request = transaction.request().clone();
    if *request.method() == Method::Message {
        transaction.respond(reply(&transaction, StatusCode::ACCEPTED).build());
        let sent = sending.await.unwrap();
        assert!(matches!(sent, Ok(Sent::Pager(_))), "{sent:?}");
    } else {
        transaction.respond(reply(&transaction, StatusCode::BUSY_HERE).build());
        let Err(ClientError::Refused { status, .. }) = sending.await.unwrap() else {
            panic!("taken");
        };
        assert_eq!(status, StatusCode::BUSY_HERE);
    }
    request
}

#[tokio::test]
async fn ct_com_02_a_short_message_is_a_message_without_contact() {
    let request = seen(text(20), Choice::default()).await;
    assert_eq!(request.raw_uri(), "sip:bob@example.org");
    assert_eq!(
        field(&request, "P-Preferred-Identity"),
        "<sip:alice@example.org>"
    );
    assert_eq!(field(&request, "Accept-Contact"), "*;+g.oma.sip-im");
    assert!(field(&request, "User-Agent").starts_with("IM-client/OMA"));
    assert!(request.headers().first_named("Contact").is_none());
}

#[tokio::test]
async fn ct_com_03_an_anonymous_message_asks_for_privacy() {
    let mut message = text(20);
    message.envelope.anonymous = true;
    let request = seen(message, Choice::default()).await;
    assert_eq!(field(&request, "Privacy"), "id");
}

#[tokio::test]
async fn ct_opg_01_the_complete_request_decides_at_1300_octets() {
    let request = seen(text(500), Choice::default()).await;
    let largest = 500 + 1300 - request.as_bytes().len();
    let request = seen(text(largest), Choice::default()).await;
    assert_eq!(*request.method(), Method::Message);
    assert_eq!(request.as_bytes().len(), 1300);
    let request = seen(text(largest + 1), Choice::default()).await;
    assert_eq!(*request.method(), Method::Invite);
    let connected = Choice {
        end_to_end_tcp: true,
        ..Choice::default()
    };
    let request = seen(text(largest + 1), connected).await;
    assert_eq!(*request.method(), Method::Message);
    assert_eq!(request.as_bytes().len(), 1301);
    for (octets, mode, method) in [
        (20_000, Mode::Pager, Method::Message),
        (1, Mode::Large, Method::Invite),
    ] {
        let told = Choice {
            mode,
            ..Choice::default()
        };
        let request = seen(text(octets), told).await;
        assert_eq!(*request.method(), method);
    }
}

#[tokio::test]
async fn ct_opg_04_participants_of_a_session_are_named_by_their_dialog() {
    let dialog = "a84b4c76e66710@pc33;local-tag=1928301774;remote-tag=a6c85cf";
    let mut message = text(20);
    message.envelope = Envelope {
        target_dialog: Some(dialog.parse().unwrap()),
        ..Envelope::to("sip:conf7@focus.example.org".parse().unwrap())
    };
    let request = seen(message, Choice::default()).await;
    assert_eq!(request.raw_uri(), "sip:conf7@focus.example.org");
    assert_eq!(field(&request, "Target-Dialog"), dialog);
}

#[tokio::test]
async fn ct_opg_05_content_elsewhere_is_only_referred_to() {
    let content = ExternalContent {
        octets: Some(482_133),
        expires: Some(sip::SipDate::from_unix_seconds(1_795_251_600)),
        ..ExternalContent::new("https://media.example.org/o/7c1", "image/jpeg").unwrap()
    };
    let body = content.body("7c1@media.example.org");
    let message = LargeMessage::new(
        Envelope::to(bob()),
        &content.message_type(),
        body.clone().into(),
    );
    let request = seen(message, Choice::default()).await;
    assert_eq!(
        field(&request, "Content-Type"),
        "message/external-body; access-type=\"URL\"; URL=\"https://media.example.org/o/7c1\"; \
         expiration=\"Sat, 21 Nov 2026 09:00:00 GMT\"; size=482133"
    );
    assert_eq!(*request.body(), body);
}

#[tokio::test]
async fn ct_opg_02_a_message_to_three_goes_to_the_factory_with_their_list() {
    let mut message = text(20);
    message.envelope = Envelope::to_all(Recipients {
        factory: "sip:im-factory@example.org".parse().unwrap(),
        list: ["bob", "carol", "dave"]
            .map(|name| format!("sip:{name}@example.org").parse().unwrap())
            .into(),
    });
    let request = seen(message, Choice::default()).await;
    assert_eq!(*request.method(), Method::Message);
    assert_eq!(
        request.raw_uri(),
        "sip:im-factory@example.org;sessiontype=adhoc"
    );
    assert_eq!(field(&request, "To"), "<sip:im-factory@example.org>");
    assert_eq!(field(&request, "Require"), "recipient-list-message");
    let content_type = field(&request, "Content-Type");
    assert!(
        content_type.starts_with("multipart/mixed;"),
        "{content_type}"
    );
    let parts = sip::multipart::parse(&content_type, request.body()).unwrap();
    let [content, list] = parts.as_slice() else {
        panic!("{parts:?}");
    };
    assert_eq!(content.body, "x".repeat(20));
    assert_eq!(listed(list), ["bob", "carol", "dave"]);
}

#[tokio::test]
async fn ct_opg_03_a_message_to_a_group_names_it_and_lists_nobody() {
    let mut message = text(20);
    message.envelope = Envelope::to("sip:team@groups.example.org".parse().unwrap());
    let request = seen(message, Choice::default()).await;
    assert_eq!(request.raw_uri(), "sip:team@groups.example.org");
    assert_eq!(field(&request, "Content-Type"), "text/plain");
    assert!(request.headers().require().is_empty());
}
