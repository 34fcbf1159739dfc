//! Messages and sessions towards the client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use msrp::encapsulate::{Boundary, Encapsulation};
use restante_im_client::client::{Event, Events, Options};
use restante_im_client::{Client, LargePush};
use sha2::{Digest as _, Sha256};
use sip::dialog::Dialog;
use sip::{Method, Name, Response, StatusCode, Uri};

use crate::media::{Media, Wire};
use crate::server::{Server, answer};
use crate::{alice, in_time};

/// Where the client at this server can be reached: the Contact it registers.
async fn contact(server: &mut Server, client: Arc<Client>) -> Uri {
    let registering = tokio::spawn(async move { client.register(Duration::from_secs(60)).await });
    let register = server.request(Method::Register).await;
    let contacts = register.request().headers().contacts().unwrap();
    let uri = contacts.first().unwrap().uri.clone();
    register.respond(crate::server::reply(&register, StatusCode::OK).build());
    registering.await.unwrap().unwrap();
    uri
}

#[tokio::test]
async fn ct_tpg_01_a_client_that_refuses_does_so_with_the_status_told() {
    for code in [480, 486, 415, 603] {
        let mut server = Server::start().await;
        let options = Options {
            reject: StatusCode::new(code),
            ..Options::default()
        };
        let (client, mut events) = alice(&server, options).await;
        let client = Arc::new(client);
        let uri = contact(&mut server, client.clone()).await;
        for method in [Method::Message, Method::Invite] {
            let request = server.initial(method, &uri).body("text/plain", "psst");
            let answer = server.ask(request.build(), &uri).await;
            assert_eq!(answer.status().code(), code);
        }
        Arc::into_inner(client).unwrap().close().await;
        assert!(in_time(events.next()).await.is_none());
    }
}

#[tokio::test]
async fn ct_tpg_02_a_message_is_kept_byte_for_byte() {
    let mut server = Server::start().await;
    let (client, mut events) = alice(&server, Options::default()).await;
    let client = Arc::new(client);
    let uri = contact(&mut server, client.clone()).await;
    let request = server
        .initial(Method::Message, &uri)
        .raw_header("X-Odd", "a  b\t\"c\"")
        .raw_header("Message-ID", "13684434990@mailserver32.example.org")
        .body(
            "message/external-body; access-type=\"URL\"; URL=\"http://127.0.0.1:1/never\"",
            "Content-Type: image/jpeg\r\n\r\n",
        );
    let answer = server.ask(request.build(), &uri).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let release = answer.headers().first(Name::Server).unwrap();
    assert!(release.value().starts_with("IM-client/OMA"));
    let Some(Event::Pager(message)) = in_time(events.next()).await else {
        panic!("no message");
    };
    assert_eq!(message.message_id, "13684434990@mailserver32.example.org");
    assert_eq!(message.body.as_ref(), b"Content-Type: image/jpeg\r\n\r\n");
    let original = String::from_utf8_lossy(&message.original);
    assert!(
        original.contains("\r\nX-Odd: a  b\t\"c\"\r\n"),
        "{original}"
    );
}

#[tokio::test]
async fn ct_lmt_01_an_offer_of_what_we_do_not_speak_is_not_acceptable() {
    let mut server = Server::start().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let client = Arc::new(client);
    let uri = contact(&mut server, client.clone()).await;
    for line in ["audio 4000 RTP/AVP 0", "message 4000 SCTP/MSRP *"] {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm={line}\r\n"
        );
        let invite = server.initial(Method::Invite, &uri);
        let answer = server
            .ask(invite.body("application/sdp", sdp).build(), &uri)
            .await;
        assert_eq!(answer.status(), StatusCode::NOT_ACCEPTABLE_HERE);
    }
}

/// A push session that the client has answered.
struct Push {
    server: Server,
    client: Arc<Client>,
    events: Events,
    dialog: Dialog,
    client_uri: Uri,
    answer: Response,
    wire: Wire,
}

impl Push {
    /// Opens one; the client connects.
    async fn open() -> Self {
        let mut server = Server::start().await;
        let media = Media::listen().await;
        let (client, mut events) = alice(&server, Options::default()).await;
        let client = Arc::new(client);
        let uri = contact(&mut server, client.clone()).await;
        let offer = answer(&media.path, "a=setup:actpass\r\n").replace("recvonly", "sendonly");
        let invite = server
            .initial(Method::Invite, &uri)
            .header(Name::SessionExpires, "1800;refresher=uac")
            .body("application/sdp", offer)
            .build();
        let answer = server.ask(invite.clone(), &uri).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let dialog = Dialog::uac(&invite, &answer).unwrap();
        let opened = in_time(events.next()).await;
        assert!(matches!(opened, Some(Event::SessionOpened { .. })));
        let wire = media.bound().await;
        Self {
            server,
            client,
            events,
            dialog,
            client_uri: uri,
            answer,
            wire,
        }
    }

    async fn bye(mut self) {
        let bye = self.dialog.request(Method::Bye);
        let bye = bye.header(Name::MaxForwards, 70).build();
        let answered = self.server.ask(bye, &self.client_uri).await;
        assert_eq!(answered.status(), StatusCode::OK);
        assert!(self.wire.is_closed().await);
        let ended = in_time(self.events.next()).await;
        assert!(
            matches!(ended, Some(Event::SessionEnded { .. })),
            "{ended:?}"
        );
        Arc::into_inner(self.client).unwrap().close().await;
        assert!(in_time(self.events.next()).await.is_none());
    }

    async fn large(&mut self) -> LargePush {
        match in_time(self.events.next()).await {
            Some(Event::Large(message)) => *message,
            other => panic!("{other:?}"),
        }
    }
}

fn stated(number: usize) -> String {
    format!(
        "From: <sip:bob@example.org>;tag=b\r\nDate: Fri, 20 Nov 2026 09:20:02 GMT\r\n\
         Message-ID: {number}@mailserver32.example.org\r\n"
    )
}

/// The type and the body of a push of this content.
fn wrapped(content: &[u8]) -> (String, Bytes) {
    let n = content.len();
    let mut send = format!(
        "MSRP w5Xn0cBt2KqLe7Ha SEND\r\n\
         To-Path: msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
         From-Path: msrp://198.51.100.7:7394/2s93i9idj;tcp\r\n\
         Message-ID: 12339sdqwer\r\nByte-Range: 1-{n}/{n}\r\n\
         Content-Disposition: attachment; filename=\"plan.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    send.extend_from_slice(content);
    send.extend_from_slice(b"\r\n-------w5Xn0cBt2KqLe7Ha$\r\n");
    let boundary = Boundary::fixed("Hy7Rj3Ga9PdSe4Uk6T").unwrap();
    let frame = Encapsulation::new(&boundary, &stated(7), "message/msrp", send.len() as u64);
    (frame.content_type().to_owned(), frame.body(&send))
}

fn content(octets: usize) -> Vec<u8> {
    (0..octets)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect()
}

#[tokio::test]
async fn ct_lmt_02_the_answer_to_a_push_says_what_we_are() {
    let push = Push::open().await;
    let headers = push.answer.headers();
    assert!(headers.allow().unwrap().contains(&Method::Bye));
    let release = headers.first(Name::Server).unwrap();
    assert!(release.value().starts_with("IM-client/OMA"));
    let contacts = headers.contacts().unwrap();
    assert!(contacts.first().unwrap().has_feature_tag("+g.oma.sip-im"));
    let timer = headers.first(Name::SessionExpires).unwrap();
    assert_eq!(timer.value(), "1800;refresher=uac");
    let sdp = String::from_utf8_lossy(push.answer.body()).into_owned();
    assert!(sdp.contains("\r\na=recvonly\r\n"), "{sdp}");
    assert!(sdp.contains("\r\na=path:msrp://127.0.0.1:"), "{sdp}");
    push.bye().await;
}

#[tokio::test]
async fn ct_lmt_03_of_a_push_that_breaks_off_the_whole_messages_are_kept() {
    let mut push = Push::open().await;
    let message = "MESSAGE sip:alice@example.org SIP/2.0\r\nFrom: <sip:bob@example.org>;tag=b\r\n\
                   Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    for number in 0..3 {
        let boundary = Boundary::fixed("Kf2Zt8Qw0LmXc5Vb1N").unwrap();
        let octets = message.len() as u64;
        let frame = Encapsulation::new(&boundary, &stated(number), "message/sip", octets);
        let body = frame.body(message.as_bytes());
        let pieces = [(0, body.len())];
        push.wire
            .send(frame.content_type(), &body, &pieces, '$')
            .await;
        assert_eq!(push.wire.response().await.code, 200);
        let Some(Event::Message(kept)) = in_time(push.events.next()).await else {
            panic!("no message");
        };
        assert_eq!(
            kept.message_id,
            format!("{number}@mailserver32.example.org")
        );
        assert_eq!(kept.body, "hello");
    }
    let (content_type, body) = wrapped(&content(5000));
    push.wire
        .send(&content_type, &body, &[(0, 3000)], '+')
        .await;
    assert_eq!(push.wire.response().await.code, 200);
    push.bye().await;
}

#[tokio::test]
async fn psh_06_a_large_message_goes_to_a_file_and_is_its_content_to_the_octet() {
    let mut push = Push::open().await;
    let content = content(5 << 20);
    let (content_type, body) = wrapped(&content);
    let middle = 3 << 20;
    let pieces = [(0, middle), (middle, body.len())];
    push.wire.send(&content_type, &body, &pieces, '$').await;
    for _ in pieces {
        assert_eq!(push.wire.response().await.code, 200);
    }
    let message = push.large().await;
    assert_eq!(message.message_id, "7@mailserver32.example.org");
    assert_eq!(message.kind, "message/msrp");
    assert_eq!(message.file_name.as_deref(), Some("plan.bin"));
    assert_eq!(message.octets, content.len() as u64);
    assert_eq!(message.sha256[..], Sha256::digest(&content)[..]);
    assert!(std::fs::read(&message.content).unwrap() == content);
    push.bye().await;
}

#[tokio::test]
async fn psh_06_chunks_in_another_order_make_the_same_file() {
    let mut push = Push::open().await;
    let content = content(5 << 20);
    let (content_type, body) = wrapped(&content);
    let middle = 3 << 20;
    let pieces = [(middle, body.len()), (0, middle)];
    push.wire.send(&content_type, &body, &pieces, '$').await;
    for _ in pieces {
        assert_eq!(push.wire.response().await.code, 200);
    }
    let message = push.large().await;
    assert!(std::fs::read(&message.content).unwrap() == content);
    push.bye().await;
}

#[tokio::test]
async fn psh_06_a_large_push_that_is_not_what_it_says_is_refused() {
    let mut push = Push::open().await;
    let (content_type, body) = wrapped(&content(5 << 20));
    let text = body.to_vec();
    let wrong = [&text[..text.len() - 30], &[b'x'; 30]].concat();
    push.wire
        .send(&content_type, &wrong, &[(0, wrong.len())], '$')
        .await;
    assert_eq!(push.wire.response().await.code, 415);
    push.bye().await;
}

#[tokio::test]
async fn a_message_without_a_wrapping_is_taken_for_what_its_session_says() {
    let mut push = Push::open().await;
    let body = b"just text";
    push.wire
        .send("text/plain", body, &[(0, body.len())], '$')
        .await;
    assert_eq!(push.wire.response().await.code, 200);
    let Some(Event::Message(message)) = in_time(push.events.next()).await else {
        panic!("no message");
    };
    assert_eq!(message.kind, restante_im_client::push::DIRECT);
    assert_eq!(message.from, "<sip:im-store@example.org>;tag=srv1");
    assert_eq!(message.content_type, "text/plain");
    assert_eq!(message.body, "just text");
    let large = content(5 << 20);
    push.wire
        .send("image/png", &large, &[(0, large.len())], '$')
        .await;
    assert_eq!(push.wire.response().await.code, 200);
    let message = push.large().await;
    assert_eq!(message.kind, restante_im_client::push::DIRECT);
    assert_eq!(message.sha256[..], Sha256::digest(&large)[..]);
    push.bye().await;
}
