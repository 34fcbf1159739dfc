//! Large messages on their way to a server.

use msrp::sdp::{Direction, MsrpMedia, Role, SessionDescription, Setup};
use restante_im_client::client::Options;
use restante_im_client::envelope::Envelope;
use restante_im_client::external::ExternalContent;
use restante_im_client::file::{Disposition, FileDescription, Spelling};
use restante_im_client::large::Icon;
use restante_im_client::recipients::Recipients;
use restante_im_client::{ClientError, LargeMessage};
use sip::{Method, Name, Request, StatusCode};

use crate::server::{answer, field, reply};
use crate::session::Session;
use crate::{listed, text};

/// The media line of an offer.
fn offered(body: &[u8]) -> MsrpMedia {
    let description = SessionDescription::parse(body).unwrap();
    description.first_msrp().unwrap()
}

/// The INVITE of a message, which is refused.
async fn invite(message: LargeMessage, options: Options) -> Request {
    let session = Session::invited(message, options).await;
    let invite = &session.invite;
    invite.respond(reply(invite, StatusCode::BUSY_HERE).build());
    let request = session.request().clone();
    let refused = session.sending.await.unwrap();
    assert!(matches!(refused, Err(ClientError::Refused { .. })));
    request
}

#[tokio::test]
async fn ct_com_01_an_invite_says_who_we_are_and_what_we_can() {
    let request = invite(text(3000), Options::default()).await;
    assert_eq!(request.raw_uri(), "sip:bob@example.org");
    assert_eq!(field(&request, "Accept-Contact"), "*;+g.oma.sip-im");
    assert!(field(&request, "User-Agent").starts_with("IM-client/OMA"));
    assert!(field(&request, "Allow").contains("BYE"));
    let contacts = request.headers().contacts().unwrap();
    assert!(contacts.first().unwrap().has_feature_tag("+g.oma.sip-im"));
    assert_eq!(field(&request, "Supported"), "timer");
    assert_eq!(field(&request, "Session-Expires"), "1800;refresher=uac");
}

#[tokio::test]
async fn ct_lmo_01_the_offer_only_sends_and_tells_the_length() {
    for (setup, says) in [
        (Role::Active, Setup::Active),
        (Role::Passive, Setup::ActPass),
    ] {
        let options = Options {
            setup,
            ..Options::default()
        };
        let request = invite(text(3000), options).await;
        assert_eq!(field(&request, "Content-Type"), "application/sdp");
        let media = offered(request.body());
        assert_eq!(media.direction, Direction::SendOnly);
        assert_eq!(media.setup, Some(says));
        assert_eq!(media.attribute("filelength"), Some("3000"));
        assert!(!media.path.has_relays());
    }
}

#[tokio::test]
async fn ct_com_01_a_peer_that_wants_a_longer_interval_gets_it() {
    let mut session = Session::invited(text(10), Options::default()).await;
    let too_small = reply(&session.invite, StatusCode::SESSION_INTERVAL_TOO_SMALL);
    let too_small = too_small.header(Name::MinSe, 3600).build();
    session.invite.respond(too_small);
    let second = session.server.request(Method::Invite).await;
    assert_eq!(
        field(second.request(), "Session-Expires"),
        "3600;refresher=uac"
    );
    assert_eq!(field(second.request(), "Min-SE"), "3600");
    second.respond(reply(&second, StatusCode::BUSY_HERE).build());
    session.sending.await.unwrap().expect_err("refused");
}

#[tokio::test]
async fn ct_lmo_04_bye_comes_after_the_answer_to_the_last_chunk_and_not_before() {
    let options = Options {
        chunk_octets: 4000,
        ..Options::default()
    };
    let mut session = Session::invited(text(10_000), options).await;
    let progress = session.control.progress();
    let mut wire = session.bound().await;
    let (last, body) = wire.message().await;
    assert_eq!(body, "x".repeat(10_000).as_bytes());
    assert_eq!(last.head.content_type.as_deref(), Some("text/plain"));
    assert_eq!(last.head.success_report, Some(false));
    assert_eq!(*progress.borrow(), 10_000);
    assert!(!session.sending.is_finished());
    wire.answer(&last.head, 200).await;
    assert_eq!(session.ended().await.unwrap().octets, 10_000);
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn ct_lmo_03_a_focus_is_believed_when_its_report_came() {
    let mut session = Session::invited(text(3000), Options::default()).await;
    let accepted = session.accepted(";isfocus").build();
    let mut wire = session.bound_after(accepted).await;
    let (last, _) = wire.message().await;
    assert_eq!(last.head.success_report, Some(true));
    wire.answer(&last.head, 200).await;
    wire.report(&last.head, 3000).await;
    assert!(session.ended().await.unwrap().by_focus);
}

#[tokio::test]
async fn ct_lmo_03_a_focus_that_never_reports_is_left_and_not_believed() {
    let options = Options {
        report_wait: std::time::Duration::from_millis(300),
        ..Options::default()
    };
    let mut session = Session::invited(text(3000), options).await;
    let accepted = session.accepted(";isfocus").build();
    let mut wire = session.bound_after(accepted).await;
    let (last, _) = wire.message().await;
    wire.answer(&last.head, 200).await;
    let outcome = session.ended().await;
    assert!(
        matches!(outcome, Err(ClientError::NotTaken(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn ct_lmo_05_a_file_is_described_in_both_spellings_with_its_preview() {
    let icon = Icon {
        content_id: "icon1@127.0.0.1".to_owned(),
        content_type: "image/png".to_owned(),
        octets: bytes::Bytes::from_static(b"\x89PNG\r\n\x1a\n\0--binary"),
    };
    let message = LargeMessage {
        file: Some(FileDescription {
            name: "plan.pdf".to_owned(),
            sha1: None,
            transfer_id: "Q6LMoGymJdh0IKIgD6wD0jkcfgva4xvE".to_owned(),
            disposition: Disposition::Attachment,
            icon: Some(icon.content_id.clone()),
        }),
        spelling: Spelling::Both,
        icon: Some(icon.clone()),
        content_type: "application/pdf".to_owned(),
        ..text(3000)
    };
    let mut session = Session::invited(message, Options::default()).await;
    let request = session.request();
    let content_type = field(request, "Content-Type");
    let parts = sip::multipart::parse(&content_type, request.body()).unwrap();
    let [sdp, preview] = parts.as_slice() else {
        panic!("{parts:?}");
    };
    let offer = offered(&sdp.body);
    for (name, value) in [
        ("filelength", "3000"),
        ("filename", "plan.pdf"),
        ("filetype", "application/pdf"),
        ("filesize", "3000"),
        ("disposition", "attachment"),
        (
            "file-selector",
            "name:\"plan.pdf\" type:application/pdf size:3000",
        ),
        ("file-transfer-id", "Q6LMoGymJdh0IKIgD6wD0jkcfgva4xvE"),
        ("file-disposition", "attachment"),
        ("file-icon", "cid:icon1@127.0.0.1"),
    ] {
        assert_eq!(offer.attribute(name), Some(value), "{name}");
    }
    let content_id = preview.headers.first(Name::ContentId).unwrap();
    assert_eq!(content_id.value(), "<icon1@127.0.0.1>");
    assert_eq!(preview.body, icon.octets);
    let mut wire = session.bound().await;
    let (last, _) = wire.message().await;
    assert_eq!(
        last.head.header("Content-Disposition"),
        Some("attachment; filename=\"plan.pdf\"")
    );
    assert_eq!(last.head.content_type.as_deref(), Some("application/pdf"));
    wire.answer(&last.head, 200).await;
    session.ended().await.unwrap();
}

#[tokio::test]
async fn ct_lmo_05_content_elsewhere_may_be_referred_to_in_a_session() {
    let content = ExternalContent::new("https://media.example.org/o/7c1", "image/jpeg").unwrap();
    let message = LargeMessage {
        content_type: content.message_type(),
        content: content.body("7c1@media.example.org").into(),
        ..text(0)
    };
    let mut session = Session::invited(message, Options::default()).await;
    let mut wire = session.bound().await;
    let (last, body) = wire.message().await;
    assert_eq!(last.head.content_type, Some(content.message_type()));
    assert_eq!(body, content.body("7c1@media.example.org"));
    wire.answer(&last.head, 200).await;
    session.ended().await.unwrap();
}

#[tokio::test]
async fn a_peer_that_prefers_to_connect_finds_us_listening() {
    let options = Options {
        setup: Role::Passive,
        ..Options::default()
    };
    let mut session = Session::invited(text(3000), options).await;
    let offer = offered(session.request().body());
    let sdp = answer(&session.media.path, "a=setup:active\r\n");
    let accepted = session.accepted("").body("application/sdp", sdp);
    session.invite.respond(accepted.build());
    session.server.ack().await;
    let mut wire = session.media.call(&offer.path).await;
    let (last, body) = wire.message().await;
    assert_eq!(body.len(), 3000);
    wire.answer(&last.head, 200).await;
    session.ended().await.unwrap();
}

#[tokio::test]
async fn what_the_server_does_not_take_is_an_error_and_the_session_ends() {
    let mut session = Session::invited(text(3000), Options::default()).await;
    let mut wire = session.bound().await;
    let (last, _) = wire.message().await;
    wire.answer(&last.head, 413).await;
    let outcome = session.ended().await;
    assert!(
        matches!(
            outcome,
            Err(ClientError::NotTaken(net::msrp::SendFailure::Refused(413)))
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn ct_lmo_02_a_message_to_three_goes_to_the_factory_with_their_list() {
    let mut message = text(3000);
    message.envelope = Envelope::to_all(Recipients {
        factory: "sip:im-factory@example.org".parse().unwrap(),
        list: ["bob", "carol", "dave"]
            .map(|name| format!("sip:{name}@example.org").parse().unwrap())
            .into(),
    });
    let request = invite(message, Options::default()).await;
    assert_eq!(
        request.raw_uri(),
        "sip:im-factory@example.org;sessiontype=adhoc"
    );
    assert_eq!(field(&request, "Require"), "recipient-list-invite");
    let content_type = field(&request, "Content-Type");
    assert!(
        content_type.starts_with("multipart/mixed;"),
        "{content_type}"
    );
    let parts = sip::multipart::parse(&content_type, request.body()).unwrap();
    let [sdp, list] = parts.as_slice() else {
        panic!("{parts:?}");
    };
    assert_eq!(offered(&sdp.body).direction, Direction::SendOnly);
    assert_eq!(listed(list), ["bob", "carol", "dave"]);
}

#[tokio::test]
async fn ct_lmo_02_a_message_to_a_group_names_it_and_lists_nobody() {
    let mut message = text(3000);
    message.envelope = Envelope::to("sip:team@groups.example.org".parse().unwrap());
    let request = invite(message, Options::default()).await;
    assert_eq!(request.raw_uri(), "sip:team@groups.example.org");
    assert_eq!(field(&request, "Content-Type"), "application/sdp");
    assert!(request.headers().require().is_empty());
}
