//! Requirements §5.2: an INVITE with MSRP for somebody who is away, up to what is stored.

use std::time::{SystemTime, UNIX_EPOCH};

use proto::v1::{Message, PartKind};
use restante_tests::msrp::{MsrpConnection, Sender, Upload, chunk};
use restante_tests::sip::fresh;
use restante_tests::{Scene, uri};

/// What the example offers.
const EXAMPLE: &str = "a=sendonly\r\na=filelength:3000\r\na=setup:actpass\r\n";

/// The 3000 octets of the example.
fn content() -> Vec<u8> {
    (b'a'..=b'z').cycle().take(3000).collect()
}

async fn open(scene: &mut Scene, attributes: &str) -> Upload {
    let sender = Sender::new(&scene.core, &format!("bob-{}", fresh())).await;
    let way = scene.way.clone();
    sender.open(&mut scene.core, &way, attributes).await
}

/// The one message that was stored by an upload, which has these octets.
async fn stored(scene: &Scene, upload: &Upload, octets: &[u8]) -> Message {
    let message = scene.operator.only(&uri(&upload.sender.user)).await;
    assert_eq!(message.body_octets, octets.len() as u64);
    let body = scene
        .operator
        .part(&message.message_id, PartKind::SendBody)
        .await;
    assert!(body == octets, "{} octets differ", body.len());
    message
}

async fn nothing_is_stored(scene: &Scene, upload: &Upload) {
    let messages = scene.operator.list(&uri(&upload.sender.user)).await;
    assert!(messages.is_empty(), "{messages:#?}");
}

async fn hang_up(scene: &mut Scene, upload: &mut Upload) {
    assert_eq!(upload.bye(&mut scene.core).await, 200);
}

#[tokio::test]
async fn ct_def_01_the_answer_has_its_profile() {
    let mut scene = Scene::all().await;
    let upload = open(&mut scene, EXAMPLE).await;
    let response = &upload.response;
    let contact = response.field("Contact");
    assert!(contact.contains(">;automata;+g.oma.sip-im"), "{contact}");
    for (name, begins) in [
        ("Server", "IM-serv/OMA1.0 Restante/"),
        ("P-Asserted-Identity", "<sip:im-store@"),
        ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE"),
        ("Session-Expires", "1800;refresher=uac"),
        ("Require", "timer"),
        ("Content-Type", "application/sdp"),
    ] {
        assert!(
            response.field(name).starts_with(begins),
            "{name} in\n{response}"
        );
    }
    assert!(response.find("Date").is_some(), "{response}");
    let ringing = scene.core.count(|text| text.status() == Some(180));
    assert_eq!(ringing, 0);
    let trying = scene.core.count(|text| text.status() == Some(100));
    assert_eq!(trying, 1);
}

#[tokio::test]
async fn ct_def_02_the_answer_describes_one_way_in() {
    let mut scene = Scene::all().await;
    let upload = open(&mut scene, EXAMPLE).await;
    let response = &upload.response;
    let answer = String::from_utf8_lossy(response.body()).into_owned();
    let media: Vec<_> = answer
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    let host = scene.deployment.address("sip-edge.msrp_listen").ip();
    let port = scene.deployment.address("sip-edge.msrp_listen").port();
    assert_eq!(media, [format!("m=message {port} TCP/MSRP *")]);
    assert!(answer.contains(&format!("c=IN IP4 {host}\r\n")), "{answer}");
    assert!(
        upload
            .remote_path
            .starts_with(&format!("msrp://{host}:{port}/"))
    );
    for line in [
        "a=recvonly",
        "a=accept-types:*",
        "a=setup:passive",
        "a=max-size:10485760",
    ] {
        assert!(
            answer.lines().any(|found| found == line),
            "{line} in\n{answer}"
        );
    }
}

#[tokio::test]
async fn ct_def_03_two_chunks_are_stored_and_reported() {
    let mut scene = Scene::all().await;
    let mut upload = open(&mut scene, EXAMPLE).await;
    let content = content();
    for (transaction, range, piece, flag) in [
        ("d93kswow", "1-2048/3000", &content[..2048], '+'),
        ("op2nc9a1", "2049-3000/3000", &content[2048..], '$'),
    ] {
        let lines = format!(
            "Message-ID: 12339sdqwer\r\nByte-Range: {range}\r\nSuccess-Report: yes\r\nFailure-Report: yes\r\n"
        );
        let octets = upload.chunk(transaction, &lines, piece, flag);
        upload.msrp().write(&octets).await;
        assert_eq!(
            upload.msrp().response().await,
            (transaction.to_owned(), 200)
        );
    }
    let report = upload.msrp().frame().await;
    assert_eq!(report.kind, "REPORT");
    assert_eq!(report.field("Message-ID"), "12339sdqwer");
    assert_eq!(report.field("Byte-Range"), "1-3000/3000");
    assert_eq!(report.field("Status"), "000 200 OK");
    assert_eq!(report.field("To-Path"), upload.sender.path);
    hang_up(&mut scene, &mut upload).await;

    let message = stored(&scene, &upload, &content).await;
    let head = scene
        .operator
        .part(&message.message_id, PartKind::SendHead)
        .await;
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.contains("\r\nByte-Range: 1-3000/3000\r\n"), "{head}");
}

#[tokio::test]
async fn ct_def_24_what_is_said_of_a_large_message_is_kept_with_it() {
    let date = "Fri, 20 Nov 2026 09:19:59 GMT";
    let mut scene = Scene::all().await;
    let sender = Sender::new(&scene.core, &format!("bob-{}", fresh())).await;
    let invite = sender.offer(EXAMPLE);
    let invite = invite
        .line("Priority: urgent")
        .line(format!("Date: {date}"));
    let way = scene.way.clone();
    let mut upload = sender.accepted(&mut scene.core, &way, &invite).await;
    upload.connect(&scene.core).await;
    upload.send_whole(&content()).await;
    hang_up(&mut scene, &mut upload).await;

    let message = stored(&scene, &upload, &content()).await;
    let headers = message.headers.clone().expect("always set");
    for (kept, name) in [
        (&headers.from, "From"),
        (&headers.to, "To"),
        (&headers.asserted_identity, "P-Asserted-Identity"),
        (&headers.subject, "Subject"),
        (&headers.date, "Date"),
        (&headers.call_id, "Call-ID"),
        (&headers.priority, "Priority"),
        (&headers.contact, "Contact"),
    ] {
        assert_eq!(kept, upload.invite.field(name), "{name}");
    }
    assert_eq!(headers.content_type, "text/plain");
    let id = &message.message_id;
    let invite = scene.operator.part(id, PartKind::Invite).await;
    assert_eq!(invite, upload.invite.octets());
    let response = scene.operator.part(id, PartKind::InviteResponse).await;
    let response = String::from_utf8_lossy(&response).into_owned();
    for name in ["To", "Contact", "Date", "P-Asserted-Identity"] {
        let line = format!("\r\n{name}: {}\r\n", upload.response.field(name));
        assert!(response.contains(&line), "{line} in {response}");
    }
    let bye = scene.operator.part(id, PartKind::Bye).await;
    let bye = String::from_utf8_lossy(&bye).into_owned();
    assert!(bye.starts_with("BYE "), "{bye}");
    for name in ["From", "Call-ID"] {
        let line = format!("\r\n{name}: {}\r\n", upload.invite.field(name));
        assert!(bye.contains(&line), "{line} in {bye}");
    }
}

#[tokio::test]
async fn ct_def_04_order_repetition_and_overlap_do_not_matter() {
    let mut scene = Scene::all().await;
    let content = content();
    let mut upload = open(&mut scene, EXAMPLE).await;
    upload
        .send("back0003", "2001-3000/3000", &content[2000..], '$')
        .await;
    upload
        .send("back0002", "1001-2000/3000", &content[1000..2000], '+')
        .await;
    upload
        .send("back0012", "1001-2000/3000", &content[1000..2000], '+')
        .await;
    upload
        .send("back0001", "1-1000/3000", &content[..1000], '+')
        .await;
    for transaction in ["back0002", "back0012", "back0003", "back0001"] {
        let (_, status) = upload.msrp().response().await;
        assert_eq!(status, 200, "{transaction}");
    }
    hang_up(&mut scene, &mut upload).await;
    stored(&scene, &upload, &content).await;

    let mut upload = open(&mut scene, EXAMPLE).await;
    upload
        .send("over0001", "1-2000/3000", &[b'?'; 2000], '+')
        .await;
    upload
        .send("over0002", "501-1500/3000", &[b'!'; 1000], '+')
        .await;
    upload
        .send("over0003", "1001-3000/3000", &content[1000..], '$')
        .await;
    for _ in 0..3 {
        assert_eq!(upload.msrp().response().await.1, 200);
    }
    hang_up(&mut scene, &mut upload).await;
    let expected = [&[b'?'; 500][..], &[b'!'; 500], &content[1000..]].concat();
    stored(&scene, &upload, &expected).await;
}

#[tokio::test]
async fn ct_def_05_and_err_38_only_the_answers_asked_for_are_given() {
    let mut scene = Scene::all().await;
    for wanted in ["no", "partial"] {
        let mut upload = open(&mut scene, EXAMPLE).await;
        let lines = |id: &str| format!("Message-ID: {id}\r\nFailure-Report: {wanted}\r\n");
        let first = upload.chunk("quiet001", &lines("m1"), b"Hello", '$');
        // One message per session: the second is refused.
        let second = upload.chunk("quiet002", &lines("m2"), b"Hello", '$');
        let probe = chunk(
            (&upload.remote_path, &upload.sender.path),
            "probe001",
            "Message-ID: p1\r\nByte-Range: 1-0/0\r\n",
            b"",
            '$',
        );
        let probe = String::from_utf8(probe)
            .expect("text")
            .replace("\r\n\r\n\r\n", "\r\n");
        upload
            .msrp()
            .write(&[first, second, probe.into_bytes()].concat())
            .await;
        if wanted == "partial" {
            assert_eq!(upload.msrp().response().await, ("quiet002".to_owned(), 413));
        }
        assert_eq!(upload.msrp().response().await, ("probe001".to_owned(), 200));
        hang_up(&mut scene, &mut upload).await;
        stored(&scene, &upload, b"Hello").await;
    }
}

#[tokio::test]
async fn ct_def_06_unstated_ranges_end_with_the_flag() {
    let mut scene = Scene::all().await;
    let content = content();
    let mut upload = open(&mut scene, "a=sendonly\r\n").await;
    upload
        .send("star0001", "1-*/*", &content[..2048], '+')
        .await;
    upload
        .send("star0002", "2049-*/*", &content[2048..], '$')
        .await;
    assert_eq!(upload.msrp().response().await, ("star0001".to_owned(), 200));
    assert_eq!(upload.msrp().response().await, ("star0002".to_owned(), 200));
    hang_up(&mut scene, &mut upload).await;
    stored(&scene, &upload, &content).await;
}

#[tokio::test]
async fn ct_def_07_what_looks_like_an_end_line_is_content() {
    let mut scene = Scene::all().await;
    let mut upload = open(&mut scene, "a=sendonly\r\n").await;
    let body =
        b"-------\r\n-------other123$\r\n-------frame002$\r\n-------frame001x\r\nMSRP x SEND\r\n";
    upload.send("frame001", "1-*/*", body, '$').await;
    assert_eq!(upload.msrp().response().await, ("frame001".to_owned(), 200));
    hang_up(&mut scene, &mut upload).await;
    stored(&scene, &upload, body).await;
}

#[tokio::test]
async fn ct_def_08_five_mebibytes_in_small_chunks_and_odd_segments_are_stored() {
    const CHUNK: usize = 2048;
    let mut scene = Scene::all().await;
    let content: Vec<u8> = (0..=250).cycle().take(5 << 20).collect();
    let mut upload = open(&mut scene, "a=sendonly\r\na=filelength:5242880\r\n").await;
    let mut octets = Vec::new();
    let chunks = content.chunks(CHUNK).enumerate();
    for (number, piece) in chunks {
        let start = number * CHUNK + 1;
        let end = start + piece.len() - 1;
        let flag = if end == content.len() { '$' } else { '+' };
        let lines = format!(
            "Message-ID: m1\r\nByte-Range: {start}-{end}/{}\r\nFailure-Report: partial\r\nSuccess-Report: yes\r\n",
            content.len()
        );
        octets.extend(upload.chunk(&format!("tid{number:05}"), &lines, piece, flag));
    }
    let mut rest = octets.as_slice();
    let mut step = 1;
    while !rest.is_empty() {
        step = (step * 31 + 17) % 9973 + 1;
        let (now, later) = rest.split_at(step.min(rest.len()));
        upload.msrp().write(now).await;
        rest = later;
    }
    assert_eq!(upload.msrp().frame().await.kind, "REPORT");
    hang_up(&mut scene, &mut upload).await;
    stored(&scene, &upload, &content).await;
}

#[tokio::test]
async fn ct_def_09_what_is_not_finished_is_forgotten_and_spends_no_message_id() {
    let mut scene = Scene::all().await;
    let content = content();
    let before = message_number(&mut scene).await;

    let mut cut = open(&mut scene, EXAMPLE).await;
    cut.send("half0001", "1-2048/3000", &content[..2048], '+')
        .await;
    assert_eq!(cut.msrp().response().await.1, 200);
    hang_up(&mut scene, &mut cut).await;
    nothing_is_stored(&scene, &cut).await;

    let mut reset = open(&mut scene, EXAMPLE).await;
    reset
        .send("half0001", "1-2048/3000", &content[..2048], '+')
        .await;
    assert_eq!(reset.msrp().response().await.1, 200);
    reset.disconnect();
    reset.bye_of_edge(&mut scene.core).await;
    nothing_is_stored(&scene, &reset).await;

    let mut aborted = open(&mut scene, EXAMPLE).await;
    aborted
        .send("half0001", "1-2048/3000", &content[..2048], '+')
        .await;
    aborted
        .send("half0002", "2049-*/3000", &content[2048..2100], '#')
        .await;
    assert_eq!(aborted.msrp().response().await.1, 200);
    assert_eq!(aborted.msrp().response().await.1, 200);
    hang_up(&mut scene, &mut aborted).await;
    nothing_is_stored(&scene, &aborted).await;

    assert_eq!(message_number(&mut scene).await, before + 1);
}

/// The number of the Message-ID of a message stored now.
async fn message_number(scene: &mut Scene) -> u64 {
    let message = scene
        .deposit_text(&format!("carol-{}", fresh()), "hi")
        .await;
    let number = message.message_id.split('@').next();
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

#[tokio::test]
async fn ct_def_10_a_bye_right_behind_the_last_octet_comes_too_late_to_undo_anything() {
    let mut scene = Scene::all().await;
    let content = content();
    let mut upload = open(&mut scene, EXAMPLE).await;
    upload.send("last0001", "1-3000/3000", &content, '$').await;
    hang_up(&mut scene, &mut upload).await;
    stored(&scene, &upload, &content).await;
}

/// ERR-35.
#[tokio::test]
async fn ct_def_17_a_second_message_is_refused_and_the_first_is_stored() {
    let mut scene = Scene::all().await;
    let mut upload = open(&mut scene, "a=sendonly\r\n").await;
    upload.send_whole(b"first").await;
    let second = upload.chunk("second01", "Message-ID: m2\r\n", b"second", '$');
    upload.msrp().write(&second).await;
    assert_eq!(upload.msrp().response().await, ("second01".to_owned(), 413));
    hang_up(&mut scene, &mut upload).await;
    stored(&scene, &upload, b"first").await;
}

#[tokio::test]
async fn ct_def_29_empty_sends_bind_and_store_nothing() {
    let mut scene = Scene::all().await;
    let mut upload = open(&mut scene, EXAMPLE).await;
    let bind = format!(
        "MSRP bind0001 SEND\r\nTo-Path: {}\r\nFrom-Path: {}\r\nMessage-ID: b1\r\nByte-Range: 1-0/0\r\n-------bind0001$\r\n",
        upload.remote_path, upload.sender.path
    );
    upload.msrp().write(bind.as_bytes()).await;
    assert_eq!(upload.msrp().response().await, ("bind0001".to_owned(), 200));
    upload.send("empty001", "1-0/0", b"", '$').await;
    assert_eq!(upload.msrp().response().await, ("empty001".to_owned(), 200));
    nothing_is_stored(&scene, &upload).await;
    // Another connection comes too late.
    let mut foreign = MsrpConnection::open(&scene.core, &upload.remote_path).await;
    let send = upload.chunk("fore0001", "Message-ID: m1\r\n", b"Hello", '$');
    foreign.write(&send).await;
    assert_eq!(foreign.response().await, ("fore0001".to_owned(), 506));
    upload.send_whole(&content()).await;
    hang_up(&mut scene, &mut upload).await;
    stored(&scene, &upload, &content()).await;
}

#[tokio::test]
async fn ct_def_16_and_err_35_more_than_announced_is_refused() {
    let mut scene = Scene::all().await;
    let mut upload = open(&mut scene, EXAMPLE).await;
    let excess = upload.chunk("excess01", "Message-ID: m9\r\n", &[b'x'; 4000], '$');
    upload.msrp().write(&excess).await;
    assert_eq!(upload.msrp().response().await, ("excess01".to_owned(), 413));
    upload.bye_of_edge(&mut scene.core).await;
    nothing_is_stored(&scene, &upload).await;
}

#[tokio::test]
async fn ct_def_27_and_34_and_err_31_34_37_39_unknown_methods_types_and_reports_have_their_answers()
{
    let plan = restante_tests::Deployment::all().set("large.accept_types", "text/plain");
    let mut scene = Scene::start(plan).await;
    let mut upload = open(&mut scene, "a=sendonly\r\n").await;
    let paths = (upload.remote_path.clone(), upload.sender.path.clone());
    let html = chunk(
        (&paths.0, &paths.1),
        "html0001",
        "Message-ID: m0\r\nContent-Type: text/html\r\n",
        b"<b>",
        '$',
    );
    upload.msrp().write(&html).await;
    assert_eq!(upload.msrp().response().await, ("html0001".to_owned(), 415));
    let other = format!(
        "MSRP meth0001 FOO\r\nTo-Path: {0}\r\nFrom-Path: {1}\r\nMessage-ID: m1\r\n-------meth0001$\r\n\
         MSRP repo0001 REPORT\r\nTo-Path: {0}\r\nFrom-Path: {1}\r\nMessage-ID: nobody\r\nByte-Range: 1-5/5\r\n\
         Status: 000 200 OK\r\n-------repo0001$\r\n",
        paths.0, paths.1
    );
    upload.msrp().write(other.as_bytes()).await;
    assert_eq!(upload.msrp().response().await, ("meth0001".to_owned(), 501));
    upload.send_whole(b"still alive").await;
    hang_up(&mut scene, &mut upload).await;
    stored(&scene, &upload, b"still alive").await;

    let mut upload = open(&mut scene, "a=sendonly\r\n").await;
    upload.send("part0001", "1-5/10", b"Hello", '+').await;
    assert_eq!(upload.msrp().response().await.1, 200);
    upload.msrp().write(b"this is no MSRP\r\n\r\n").await;
    assert_eq!(upload.msrp().next().await, None);
    upload.bye_of_edge(&mut scene.core).await;
    nothing_is_stored(&scene, &upload).await;
}

#[tokio::test]
async fn err_31_what_cannot_be_understood_is_400_and_the_connection_ends() {
    let mut scene = Scene::all().await;
    let mut upload = open(&mut scene, "a=sendonly\r\n").await;
    upload.send("part0001", "1-5/10", b"Hello", '+').await;
    assert_eq!(upload.msrp().response().await.1, 200);
    let lines = "Message-ID: m1\r\nByte-Range: nonsense\r\n";
    let rangeless = upload.chunk("rang0001", lines, b"World", '$');
    upload.msrp().write(&rangeless).await;
    assert_eq!(upload.msrp().response().await, ("rang0001".to_owned(), 400));
    assert_eq!(upload.msrp().next().await, None);
    upload.bye_of_edge(&mut scene.core).await;
    nothing_is_stored(&scene, &upload).await;
}

/// The client of a push session is told what it may not send (CT-DEF-34).
#[tokio::test]
async fn err_36_and_39_a_client_sends_nothing_in_its_push_session() {
    let mut scene = Scene::all().await;
    let user = format!("bob-{}", fresh());
    scene.deposit_text(&user, "hi").await;
    scene.register(&user).await;
    let mut session = scene.accept_push(&user).await;
    let paths = (session.remote_path.clone(), session.local_path.clone());
    let paths = (paths.0.as_str(), paths.1.as_str());
    let report = format!(
        "MSRP repo0001 REPORT\r\nTo-Path: {}\r\nFrom-Path: {}\r\nMessage-ID: nobody\r\nByte-Range: 1-5/5\r\n\
         Status: 000 413 x\r\n-------repo0001$\r\n",
        paths.0, paths.1
    );
    let lines = "Message-ID: m1\r\nContent-Type: text/plain\r\n";
    let send = chunk(paths, "forb0001", lines, b"Hello", '$');
    let push = session.next().await;
    session.write(&[report.as_bytes(), &send].concat()).await;
    let refused = session.frame().await;
    assert_eq!(
        (refused.transaction.as_str(), refused.status()),
        ("forb0001", 403)
    );
    session.answer(push.last(), "200 OK").await;
    session.bye(&mut scene.core).await;
    let delivered = proto::v1::MessageState::Delivered;
    assert_eq!(scene.states(&user).await, [delivered]);
}

#[tokio::test]
async fn ct_sto_08_a_message_is_received_when_its_last_octet_is() {
    let mut scene = Scene::all().await;
    let mut upload = open(&mut scene, EXAMPLE).await;
    let content = content();
    upload
        .send("first001", "1-2048/3000", &content[..2048], '+')
        .await;
    assert_eq!(upload.msrp().response().await, ("first001".to_owned(), 200));
    let before = SystemTime::now().duration_since(UNIX_EPOCH);
    let before = before.expect("after 1970").as_millis();
    upload
        .send("last0002", "2049-3000/3000", &content[2048..], '$')
        .await;
    assert_eq!(upload.msrp().response().await, ("last0002".to_owned(), 200));
    hang_up(&mut scene, &mut upload).await;
    let message = stored(&scene, &upload, &content).await;
    let at = message.received_at.expect("always set");
    let at = at.seconds.unsigned_abs() * 1_000 + u64::from(at.nanos.unsigned_abs()) / 1_000_000;
    assert!(u128::from(at) >= before, "{at} is before {before}");
}
