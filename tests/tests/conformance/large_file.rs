//! Requirements §5.12, §5.13: files and their previews, and references that are never followed.

use std::net::{SocketAddr, TcpListener};

use proto::v1::PartKind;
use restante_tests::msrp::{Sender, Setup};
use restante_tests::sip::{example, fresh};
use restante_tests::{Scene, uri};

use crate::large_session::answer;

/// What is said of a reference, with its empty line (requirements §2.10).
const REFERENCE: &str = "Content-Type: image/jpeg\r\nContent-ID: <7c1@media.example.org>\r\n\
    Content-Disposition: attachment\r\n\r\n";

/// A listener that nobody is to connect to.
struct Trap(TcpListener);

impl Trap {
    fn set(scene: &Scene) -> Self {
        let listener = TcpListener::bind((scene.core.tcp().ip(), 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        Self(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("bound")
    }

    /// Nobody has connected.
    fn is_untouched(&self) {
        let error = self.0.accept().expect_err("somebody connected");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
}

/// The type of a reference to the trap, whose time is over.
fn external_body(trap: &Trap) -> String {
    format!(
        "message/external-body; access-type=\"URL\"; URL=\"http://{}/o/7c1\"; \
         expiration=\"Sat, 21 Nov 2020 09:00:00 GMT\"; size=482133",
        trap.address()
    )
}

#[tokio::test]
async fn ct_ci_01_and_02_a_reference_is_kept_and_delivered_as_it_is_and_never_followed() {
    let mut scene = Scene::all().await;
    let trap = Trap::set(&scene);
    let user = format!("bob-{}", fresh());
    let content_type = external_body(&trap);
    let request = example::message(&user).without("Expires");
    let request = request.body(&content_type, REFERENCE);
    let deposited = scene.deposit(&request).await;
    let message = scene.operator.only(&uri(&user)).await;
    let stored = scene.operator.request_octets(&message.message_id).await;
    assert_eq!(stored, deposited.request.octets());
    let headers = message.headers.expect("always set");
    assert_eq!(headers.content_type, content_type);
    let week = message.expires_at.expect("always set").seconds
        - message.received_at.expect("always set").seconds;
    assert_eq!(week, 7 * 86_400);

    scene.register(&user).await;
    let mut session = scene.accept_push(&user).await;
    let original = session.take().await.original();
    let original = String::from_utf8(original).expect("text");
    assert!(original.contains(&content_type), "{original}");
    assert!(original.ends_with(REFERENCE), "{original}");
    session.bye(&mut scene.core).await;
    trap.is_untouched();
}

#[tokio::test]
async fn ct_ci_01_a_reference_in_a_large_message_is_not_followed_either() {
    let mut scene = Scene::all().await;
    let trap = Trap::set(&scene);
    let user = format!("bob-{}", fresh());
    let sender = Sender::new(&scene.core, &user).await;
    let way = scene.way.clone();
    let mut upload = sender.open(&mut scene.core, &way, "a=sendonly\r\n").await;
    let send = upload.chunk("refe0001", "Message-ID: m1\r\n", REFERENCE.as_bytes(), '$');
    let send = String::from_utf8(send).expect("text");
    let send = send.replacen("text/plain", &external_body(&trap), 1);
    upload.msrp().write(send.as_bytes()).await;
    assert_eq!(upload.msrp().response().await.1, 200);
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    let stored = scene.operator.only(&uri(&user)).await;
    let body = scene.operator.part(&stored.message_id, PartKind::SendBody);
    assert_eq!(body.await, REFERENCE.as_bytes());
    assert_eq!(
        stored.headers.expect("always set").content_type,
        external_body(&trap)
    );
    trap.is_untouched();
}

#[tokio::test]
async fn ct_ci_03_a_description_elsewhere_is_not_fetched() {
    let mut scene = Scene::all().await;
    let trap = Trap::set(&scene);
    let from = Sender::new(&scene.core, &format!("bob-{}", fresh())).await;
    let reference = "Content-Type: application/sdp\r\n\r\n";
    let invite = from
        .invite("")
        .body(&external_body(&trap), reference)
        .line("Content-Disposition: session");
    let response = answer(&mut scene, &invite).await;
    assert_eq!(response.status(), Some(415), "{response}");
    assert_eq!(response.field("Accept"), "application/sdp, multipart/mixed");
    trap.is_untouched();
}

#[tokio::test]
async fn ct_ft_02_of_two_files_the_first_is_taken() {
    let mut scene = Scene::all().await;
    let from = Sender::new(&scene.core, &format!("bob-{}", fresh())).await;
    let first = from.media("a=sendonly\r\na=file-selector:name:\"one.pdf\"\r\n");
    let second = from.media("a=sendonly\r\na=file-selector:name:\"two.pdf\"\r\n");
    let invite = from.invite(&from.description(&format!("{first}{second}")));
    let way = scene.way.clone();
    let mut upload = from.accepted(&mut scene.core, &way, &invite).await;
    let answer = String::from_utf8_lossy(upload.response.body()).into_owned();
    let media: Vec<_> = answer
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    assert_eq!(media.len(), 2, "{answer}");
    assert!(!media[0].starts_with("m=message 0 "), "{answer}");
    assert!(media[1].starts_with("m=message 0 "), "{answer}");
    upload.connect(&scene.core).await;
    upload.send_whole(b"Hello").await;
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    let stored = scene.operator.only(&uri(&upload.sender.user)).await;
    assert_eq!(stored.file.expect("a file").name, "one.pdf");
}

#[tokio::test]
async fn ct_ft_03_what_is_to_be_kept_and_not_shown_is_pushed_as_such() {
    let disposition = "attachment; filename=\"a  b.txt\"; size=5";
    let mut scene = Scene::all().await;
    let user = format!("bob-{}", fresh());
    let from = Sender::new(&scene.core, &user).await;
    let way = scene.way.clone();
    let mut upload = from.open(&mut scene.core, &way, "a=sendonly\r\n").await;
    let lines = format!("Message-ID: m1\r\nContent-Disposition: {disposition}\r\n");
    let send = upload.chunk("disp0001", &lines, b"Hello", '$');
    upload.msrp().write(&send).await;
    assert_eq!(upload.msrp().response().await.1, 200);
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    scene.register(&user).await;
    let mut session = scene.accept_push(&user).await;
    let original = session.take().await.original();
    let original = String::from_utf8(original).expect("text");
    let line = format!("\r\nContent-Disposition: {disposition}\r\n");
    assert!(original.contains(&line), "{original}");
    session.bye(&mut scene.core).await;
}

#[tokio::test]
async fn ct_ft_04_a_file_is_known_by_its_name_and_keeps_its_preview() {
    let icon = b"\x89PNG\r\n\x1a\n\0\r\n--b\r\n\xff";
    let mut scene = Scene::all().await;
    let user = format!("bob-{}", fresh());
    let from = Sender::new(&scene.core, &user).await;
    let attributes = "a=sendonly\r\na=file-selector:name:\"plan.pdf\" type:application/pdf size:5\r\n\
        a=file-icon:cid:icon1@198.51.100.7\r\n";
    let sdp = from.description(&from.media(attributes));
    let body = [
        format!("--b1\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b1\r\nContent-Type: image/png\r\n")
            .as_bytes(),
        b"Content-ID: <icon1@198.51.100.7>\r\nContent-Disposition: icon\r\n\r\n",
        icon,
        b"\r\n--b1--\r\n",
    ]
    .concat();
    let invite = from.invite("").body("multipart/related;boundary=b1", body);
    let way = scene.way.clone();
    let mut upload = from.accepted(&mut scene.core, &way, &invite).await;
    upload.connect(&scene.core).await;
    upload.send_whole(b"%PDF-").await;
    assert_eq!(upload.bye(&mut scene.core).await, 200);

    let stored = scene.operator.only(&uri(&user)).await;
    let file = stored.file.expect("a file");
    assert_eq!((file.name.as_str(), file.octets), ("plan.pdf", Some(5)));
    assert_eq!(file.media_type, "application/pdf");
    assert_eq!(file.icon, "icon1@198.51.100.7");
    let kept = scene.operator.part(&stored.message_id, PartKind::Invite);
    let kept = kept.await;
    assert_eq!(kept, upload.invite.octets());
    assert!(kept.windows(icon.len()).any(|octets| octets == icon));

    scene.register(&user).await;
    let invite = scene.core.request("INVITE", &uri(&user)).await;
    let offer = String::from_utf8_lossy(invite.text.body()).into_owned();
    assert!(!offer.contains("a=file"), "{offer}");
    let mut session =
        restante_tests::msrp::PushSession::answer_invite(&mut scene.core, invite, Setup::Active)
            .await;
    let original = session.take().await.original();
    let original = String::from_utf8(original).expect("text");
    let line = "\r\nContent-Disposition: attachment; filename=\"plan.pdf\"\r\n";
    assert!(original.contains(line), "{original}");
    assert!(original.contains("\r\n\r\n%PDF-\r\n-------"), "{original}");
    session.bye(&mut scene.core).await;
}
