//! Requirements §5.2: the session of a large message: what is offered, refused, kept alive, ended.

use std::time::{Duration, Instant};

use restante_tests::msrp::{MsrpConnection, Sender, Upload};
use restante_tests::patience::{ANSWER, eventually};
use restante_tests::sip::{RequestText, SipText, fresh};
use restante_tests::{Deployment, Part, Scene, uri};

pub(crate) const SENDONLY: &str = "a=sendonly\r\n";

fn somebody() -> String {
    format!("bob-{}", fresh())
}

pub(crate) async fn sender(scene: &Scene) -> Sender {
    Sender::new(&scene.core, &somebody()).await
}

pub(crate) async fn open(scene: &mut Scene, attributes: &str) -> Upload {
    let sender = sender(scene).await;
    let way = scene.way.clone();
    sender.open(&mut scene.core, &way, attributes).await
}

pub(crate) async fn accepted(scene: &mut Scene, sender: Sender, invite: &RequestText) -> Upload {
    let way = scene.way.clone();
    sender.accepted(&mut scene.core, &way, invite).await
}

/// Sends a whole message, ends the session, and finds it stored.
async fn finish(scene: &mut Scene, mut upload: Upload) {
    upload.send_whole(b"Hello").await;
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    let stored = scene.operator.only(&uri(&upload.sender.user)).await;
    assert_eq!(stored.body_octets, 5);
}

/// Sends a message without octets.
async fn upload_empty(upload: &mut Upload) {
    let id = format!("Message-ID: {}\r\nByte-Range: 1-0/0\r\n", fresh());
    let octets = upload.chunk("empty001", &id, b"", '$');
    upload.msrp().write(&octets).await;
}

/// The final answer to an INVITE with these media lines, acknowledged.
pub(crate) async fn answer(scene: &mut Scene, invite: &RequestText) -> SipText {
    let exchange = scene.call(invite).await;
    if exchange.response.status() != Some(200) {
        let ack = ack_of(&exchange.request, &exchange.response);
        let octets = ack.octets("", "");
        scene.way.send(&octets).await;
    }
    exchange.response
}

/// The ACK of a refusal, which takes the branch of its INVITE.
fn ack_of(invite: &SipText, response: &SipText) -> RequestText {
    let uri = invite.start_line().split(' ').nth(1).unwrap_or_default();
    RequestText::new(&format!(
        "ACK {uri} SIP/2.0
        Via: {}
        Max-Forwards: 70
        From: {}
        To: {}
        Call-ID: {}
        CSeq: 1 ACK
        Content-Length: 0",
        invite.field("Via"),
        invite.field("From"),
        response.field("To"),
        invite.field("Call-ID"),
    ))
}

#[tokio::test]
async fn ct_def_11_a_line_that_does_not_only_send_is_a_chat() {
    let mut scene = Scene::all().await;
    for (attributes, status) in [("a=sendrecv\r\n", 480), ("", 480), ("a=inactive\r\n", 480)] {
        let sender = sender(&scene).await;
        let response = answer(&mut scene, &sender.offer(attributes)).await;
        assert_eq!(response.status(), Some(status), "{attributes}: {response}");
    }
}

#[tokio::test]
async fn ct_def_13_what_is_no_large_message_is_not_acceptable() {
    let mut scene = Scene::all().await;
    let audio = "m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n";
    let from = sender(&scene).await;
    for invite in [
        from.invite(&from.description(audio)),
        from.invite("").without("Content-Type"),
        from.invite("v=0\r\nrubbish"),
    ] {
        let invite = invite.set("Call-ID", &fresh());
        let response = answer(&mut scene, &invite).await;
        assert_eq!(response.status(), Some(488), "{response}");
        assert!(response.field("Warning").starts_with("399 "), "{response}");
        assert!(response.find("Date").is_some() && response.find("Server").is_some());
    }
    let response = answer(
        &mut scene,
        &from
            .offer(SENDONLY)
            .body("text/plain", "hi")
            .set("Call-ID", &fresh()),
    )
    .await;
    assert_eq!(response.status(), Some(415), "{response}");
    assert_eq!(response.field("Accept"), "application/sdp, multipart/mixed");

    let both = format!("{audio}{}", from.media(SENDONLY));
    let invite = from.invite(&from.description(&both));
    let upload = accepted(&mut scene, from, &invite).await;
    let answer = String::from_utf8_lossy(upload.response.body()).into_owned();
    let media: Vec<_> = answer
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    assert_eq!(media.len(), 2, "{answer}");
    assert!(media[0].starts_with("m=audio 0 RTP/AVP"), "{answer}");
    assert!(media[1].starts_with("m=message ") && !media[1].starts_with("m=message 0 "));
}

#[tokio::test]
async fn ct_def_12_a_direction_of_the_whole_session_is_that_of_its_line() {
    let mut scene = Scene::all().await;
    let from = sender(&scene).await;
    let at_session = from
        .description("")
        .replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n");
    let invite = from.invite(&format!("{at_session}{}", from.media("")));
    let mut upload = accepted(&mut scene, from, &invite).await;
    upload.connect(&scene.core).await;
    finish(&mut scene, upload).await;
}

#[tokio::test]
async fn ct_def_14_a_description_may_be_one_of_several_parts() {
    let mut scene = Scene::all().await;
    let from = sender(&scene).await;
    let sdp = from.description(&from.media(SENDONLY));
    let body = format!(
        "--b1\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b1\r\nContent-Type: image/png\r\n\
         Content-ID: <icon1@198.51.100.7>\r\n\r\nPNG\r\n--b1--\r\n"
    );
    let invite = from
        .invite("")
        .body("multipart/mixed;boundary=\"b1\"", body);
    let mut upload = accepted(&mut scene, from, &invite).await;
    upload.connect(&scene.core).await;
    finish(&mut scene, upload).await;
}

#[tokio::test]
async fn ct_def_15_an_announced_size_above_the_limit_is_not_acceptable() {
    let mut scene = Scene::all().await;
    for attribute in [
        "a=filelength:10485761\r\n",
        "a=filesize:10485761\r\n",
        "a=file-selector:name:\"a b\" size:10485761\r\n",
    ] {
        let from = sender(&scene).await;
        let invite = from.offer(&format!("{SENDONLY}{attribute}"));
        let response = answer(&mut scene, &invite).await;
        assert_eq!(response.status(), Some(488), "{attribute}: {response}");
        assert!(response.field("Warning").starts_with("399 "), "{response}");
    }
}

#[tokio::test]
async fn ct_def_18_a_sender_that_never_sends_is_told_goodbye() {
    let plan = Deployment::all()
        .set("large.first_send", "1s")
        .set("large.stall", "1s");
    let mut scene = Scene::start(plan).await;
    let from = sender(&scene).await;
    let invite = from.offer(SENDONLY);
    let silent = accepted(&mut scene, from, &invite).await;
    let bye = silent.bye_of_edge(&mut scene.core).await;
    assert_eq!(bye.field("Reason"), "SIP;cause=408");

    // Empty messages are no content: they gain no time.
    let mut empty = open(&mut scene, SENDONLY).await;
    let begun = Instant::now();
    let bye = loop {
        upload_empty(&mut empty).await;
        if let Some(bye) = empty.bye_that_came(&mut scene.core).await {
            break bye;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "no BYE");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(bye.field("Reason"), "SIP;cause=408");

    let mut stalled = open(&mut scene, SENDONLY).await;
    stalled.send("half0001", "1-5/10", b"Hello", '+').await;
    assert_eq!(stalled.msrp().response().await.1, 200);
    let bye = stalled.bye_of_edge(&mut scene.core).await;
    assert_eq!(bye.field("Reason"), "SIP;cause=408");
    let stored = scene.operator.list(&uri(&stalled.sender.user)).await;
    assert!(stored.is_empty(), "{stored:#?}");
}

/// Far less than a piece for the store comes within the lease, and it is progress all the same.
#[tokio::test]
async fn def_16_a_slow_sender_keeps_its_session() {
    let plan = Deployment::all()
        .set("large.stall", "20s")
        .set("limits.upload_lease", "1s");
    let mut scene = Scene::start(plan).await;
    let mut slow = open(&mut scene, SENDONLY).await;
    for place in 1..=8 {
        let flag = if place == 8 { '$' } else { '+' };
        tokio::time::sleep(Duration::from_millis(400)).await;
        slow.send(
            &format!("slow000{place}"),
            &format!("{place}-{place}/8"),
            b"x",
            flag,
        )
        .await;
        assert_eq!(slow.msrp().response().await.1, 200, "octet {place}");
    }
    let stored = scene.operator.only(&uri(&slow.sender.user)).await;
    assert_eq!(stored.body_octets, 8);
}

#[tokio::test]
async fn ct_def_19_cancel_ends_an_invite_that_waits_and_nothing_else() {
    let mut scene = Scene::all().await;
    let from = sender(&scene).await;
    let unmatched = from.offer(SENDONLY);
    let unmatched = unmatched
        .start_line(&format!("CANCEL {} SIP/2.0", uri(&from.user)))
        .set("CSeq", "1 CANCEL")
        .without("Content-Type")
        .body("text/plain", "");
    assert_eq!(scene.status(&unmatched).await, 481);
}

#[tokio::test]
async fn ct_def_20_without_a_store_nothing_is_taken() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    scene.deployment.terminate(Part::Storage).await;
    let from = sender(&scene).await;
    let response = answer(&mut scene, &from.offer(SENDONLY)).await;
    assert_eq!(response.status(), Some(503), "{response}");
    assert!(response.find("Retry-After").is_some(), "{response}");
}

#[tokio::test]
async fn ct_def_21_and_22_extensions_and_session_timers_are_negotiated() {
    let mut scene = Scene::all().await;
    let from = sender(&scene).await;
    let refused = from.offer(SENDONLY).line("Require: precondition");
    let response = answer(&mut scene, &refused).await;
    assert_eq!(response.status(), Some(420), "{response}");
    assert_eq!(response.field("Unsupported"), "precondition");

    let short = from
        .offer(SENDONLY)
        .set("Call-ID", &fresh())
        .set("Session-Expires", "60");
    let response = answer(&mut scene, &short).await;
    assert_eq!(response.status(), Some(422), "{response}");
    assert_eq!(response.field("Min-SE"), "90");

    let reliable = from.offer(SENDONLY).line("Require: 100rel");
    let reliable = reliable.set("Call-ID", &fresh());
    let response = answer(&mut scene, &reliable).await;
    assert_eq!(response.status(), Some(200), "{response}");
    assert_eq!(scene.core.count(|text| text.find("RSeq").is_some()), 0);

    let unaware = from
        .offer(SENDONLY)
        .set("Call-ID", &fresh())
        .without("Supported")
        .set("Session-Expires", "60");
    let response = answer(&mut scene, &unaware).await;
    assert_eq!(response.field("Session-Expires"), "90;refresher=uas");
    assert_eq!(response.find("Require"), None);
}

#[tokio::test]
async fn ct_def_25_the_200_is_repeated_until_its_ack_and_then_given_up() {
    // 64·T1 become 3.2 s.
    let mut scene = Scene::start(Deployment::all().set("sip.t1", "50ms")).await;
    let from = sender(&scene).await;
    let exchange = scene.call(&from.offer(SENDONLY)).await;
    assert_eq!(exchange.response.status(), Some(200));
    let call_id = exchange.request.field("Call-ID").to_owned();
    let of_call = |text: &SipText| text.field("Call-ID") == call_id;
    for _ in 0..3 {
        let again = scene
            .core
            .expect("the 200 again", |text| {
                text.status() == Some(200) && of_call(text)
            })
            .await;
        assert_eq!(again.text.octets(), exchange.response.octets());
    }
    let bye = scene
        .core
        .expect("the BYE", |text| {
            text.method() == Some("BYE") && of_call(text)
        })
        .await;
    scene.core.answer(&bye, "200 OK", &[], "").await;
}

#[tokio::test]
async fn ct_def_26_and_msr_02_and_err_32_33_a_session_belongs_to_one_connection_of_its_peer() {
    let mut scene = Scene::all().await;
    let mut upload = open(&mut scene, SENDONLY).await;
    let mut foreign = MsrpConnection::open(&scene.core, &upload.remote_path).await;
    let send = upload.chunk("fore0001", "Message-ID: m1\r\n", b"Hello", '$');
    let text = String::from_utf8(send.clone()).expect("text");
    let wrong_from = text.replace(&upload.sender.path, "msrp://198.51.100.7:7394/other;tcp");
    foreign.write(wrong_from.as_bytes()).await;
    assert_eq!(foreign.response().await, ("fore0001".to_owned(), 481));

    upload.send("part0001", "1-5/10", b"Hello", '+').await;
    assert_eq!(upload.msrp().response().await.1, 200);
    foreign.write(&send).await;
    assert_eq!(foreign.response().await, ("fore0001".to_owned(), 506));
    let unknown = text.replace(
        &upload.remote_path,
        &format!("{}x;tcp", upload.remote_path.trim_end_matches(";tcp")),
    );
    for _ in 0..20 {
        foreign.write(unknown.as_bytes()).await;
        assert_eq!(foreign.response().await.1, 481);
    }
    foreign.write(unknown.as_bytes()).await;
    while foreign.next().await.is_some() {}

    upload.send("part0002", "6-10/10", b"World", '$').await;
    assert_eq!(upload.msrp().response().await.1, 200);
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    let mut late = MsrpConnection::open(&scene.core, &upload.remote_path).await;
    late.write(&send).await;
    assert_eq!(late.response().await.1, 481);
}

#[tokio::test]
async fn ct_def_28_answers_go_one_hop_and_reports_all_the_way() {
    let mut scene = Scene::all().await;
    let mut from = sender(&scene).await;
    let relay = "msrp://relay.example.org:2855/r1;tcp";
    from.path = format!("{relay} {}", from.path);
    let way = scene.way.clone();
    let mut upload = from.open(&mut scene.core, &way, SENDONLY).await;
    let send = upload.chunk(
        "rela0001",
        "Message-ID: m1\r\nSuccess-Report: yes\r\n",
        b"Hello",
        '$',
    );
    upload.msrp().write(&send).await;
    let response = upload.msrp().frame().await;
    assert_eq!((response.status(), response.field("To-Path")), (200, relay));
    let report = upload.msrp().frame().await;
    assert_eq!(report.field("To-Path"), upload.sender.path);
    assert_eq!(upload.bye(&mut scene.core).await, 200);
}

#[tokio::test]
async fn ct_def_30_requests_in_the_dialog_do_not_disturb_the_upload() {
    let mut scene = Scene::all().await;
    let mut upload = open(&mut scene, SENDONLY).await;
    let message = upload.next_request("MESSAGE").body("text/plain", "hi");
    let refused = scene.call(&message).await.response;
    assert_eq!(refused.status(), Some(405), "{refused}");
    assert_eq!(
        refused.field("Allow"),
        "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE"
    );

    let update = upload
        .next_request("UPDATE")
        .line("Supported: timer")
        .line("Session-Expires: 1800;refresher=uac");
    let refreshed = scene.call(&update).await.response;
    assert_eq!(refreshed.status(), Some(200), "{refreshed}");
    assert_eq!(refreshed.field("Session-Expires"), "1800;refresher=uac");

    let sdp = upload.sender.description(&upload.sender.media(SENDONLY));
    let again = upload
        .next_request("INVITE")
        .body("application/sdp", sdp.clone());
    let repeated = scene.call(&again).await.response;
    assert_eq!(repeated.status(), Some(200), "{repeated}");
    assert_eq!(repeated.body(), upload.response.body());
    upload.acknowledge_cseq(&mut scene.core).await;

    let moved = sdp.replace(&upload.sender.path, "msrp://198.51.100.7:7394/moved;tcp");
    let moved = upload.next_request("INVITE").body("application/sdp", moved);
    let refused = scene.call(&moved).await.response;
    assert_eq!(refused.status(), Some(488), "{refused}");
    finish(&mut scene, upload).await;
}

/// The rest of CT-DEF-33 is in the tests of the edge: an INVITE that waits, a refresh under way.
#[tokio::test]
async fn ct_def_32_and_33_plain_and_malformed_offers() {
    let mut scene = Scene::all().await;
    let from = sender(&scene).await;
    let plain = from.offer(SENDONLY).without("Allow");
    let contact = plain.field("Contact").replace(";+g.oma.sip-im", "");
    let mut upload = accepted(&mut scene, from, &plain.set("Contact", &contact)).await;
    upload.connect(&scene.core).await;
    finish(&mut scene, upload).await;

    let from = sender(&scene).await;
    let without_contact = from.offer(SENDONLY).without("Contact");
    let response = answer(&mut scene, &without_contact).await;
    assert_eq!(response.status(), Some(400), "{response}");
    let media = from.media(SENDONLY);
    let path = format!("a=path:{}\r\n", from.path);
    for malformed in [
        media.replace(&path, ""),
        media.replace(&path, "a=path:msrp://\r\n"),
        media.replace("TCP/MSRP", "TCP/TLS/MSRP"),
        media.replace("m=message ", "m=message x"),
    ] {
        let invite = from.invite(&from.description(&malformed));
        let response = answer(&mut scene, &invite.set("Call-ID", &fresh())).await;
        assert_eq!(response.status(), Some(488), "{malformed}: {response}");
    }
}

/// RFC 6714: a middlebox has put its address into `c=` and `m=`, the path names a host behind it.
#[tokio::test]
async fn under_cema_a_message_comes_by_the_media_line_and_the_paths_stay() {
    let mut scene = Scene::all().await;
    let mut from = sender(&scene).await;
    from.path = format!("msrp://192.0.2.77:7394/{};tcp", fresh());
    let invite = from.offer("a=sendonly\r\na=setup:passive\r\na=msrp-cema\r\n");
    let mut upload = accepted(&mut scene, from, &invite).await;
    let answer = String::from_utf8_lossy(upload.response.body()).into_owned();
    assert!(answer.contains("a=msrp-cema\r\n"), "{answer}");
    upload.accept().await;
    answer_binding(&mut upload).await;
    finish(&mut scene, upload).await;
}

/// Answers the empty SEND of an edge that has connected.
async fn answer_binding(upload: &mut Upload) {
    let empty = upload.msrp().frame().await;
    assert_eq!(empty.field("Byte-Range"), "1-0/0");
    assert_eq!(empty.field("To-Path"), upload.sender.path);
    let ok = format!(
        "MSRP {0} 200 OK\r\nTo-Path: {1}\r\nFrom-Path: {2}\r\n-------{0}$\r\n",
        empty.transaction, upload.remote_path, upload.sender.path
    );
    upload.msrp().write(ok.as_bytes()).await;
}

#[tokio::test]
async fn a_passive_sender_is_connected_to_where_that_is_allowed() {
    let net = "127.0.0.0/8";
    let allowed = Deployment::all().set("msrp.allow_networks", net);
    let mut scene = Scene::start(allowed).await;
    let from = sender(&scene).await;
    let invite = from.offer("a=sendonly\r\na=setup:passive\r\n");
    let mut upload = accepted(&mut scene, from, &invite).await;
    assert_eq!(upload.answered("setup").as_deref(), Some("active"));
    let answer = String::from_utf8_lossy(upload.response.body()).into_owned();
    assert!(answer.contains("m=message 9 TCP/MSRP *"), "{answer}");
    upload.accept().await;
    answer_binding(&mut upload).await;
    finish(&mut scene, upload).await;
}

/// ERR-35.
#[tokio::test]
async fn ct_msr_05_impossible_ranges_are_refused() {
    let mut scene = Scene::all().await;
    for range in ["1099511627777-*/*", "1-5/1152921504606846976", "20-25/10"] {
        let mut upload = open(&mut scene, SENDONLY).await;
        upload.send("rang0001", range, b"Hello!", '+').await;
        assert_eq!(upload.msrp().response().await.1, 413, "{range}");
        upload.bye_of_edge(&mut scene.core).await;
    }
    let mut upload = open(&mut scene, SENDONLY).await;
    let mut last = 200;
    for gap in 0..1025_u32 {
        let at = 2 + gap * 2;
        upload
            .send(&format!("gap{gap:05}"), &format!("{at}-{at}/*"), b"x", '+')
            .await;
        last = upload.msrp().response().await.1;
    }
    assert_eq!(last, 413);
}

#[tokio::test]
async fn an_edge_killed_in_the_middle_of_an_upload_leaves_nothing_to_be_seen() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let mut upload = open(&mut scene, SENDONLY).await;
    upload.send("half0001", "1-5/10", b"Hello", '+').await;
    assert_eq!(upload.msrp().response().await.1, 200);
    scene.deployment.kill(Part::SipEdge).await;
    let user = uri(&upload.sender.user);
    assert!(scene.operator.list(&user).await.is_empty());
    scene.deployment.launch(Part::SipEdge).await;
    scene.reconnect().await;
    let upload = open(&mut scene, SENDONLY).await;
    finish(&mut scene, upload).await;
    assert!(scene.operator.list(&user).await.is_empty());
}

#[tokio::test]
async fn a_store_that_goes_away_gives_no_final_200_and_the_session_ends() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let mut upload = open(&mut scene, SENDONLY).await;
    upload.send("half0001", "1-5/10", b"Hello", '+').await;
    assert_eq!(upload.msrp().response().await.1, 200);
    scene.deployment.kill(Part::Storage).await;
    upload.send("half0002", "6-10/10", b"World", '$').await;
    upload.bye_of_edge(&mut scene.core).await;
    upload.until_gone(&scene.core).await;
    let answers = upload.answers_to_the_end().await;
    // The session may be over before the rest comes.
    let promises = answers.iter().filter(|(_, status)| *status != 481);
    assert_eq!(promises.count(), 0, "{answers:?}");
}

/// A 413 would tell the sender that his message is not wanted (ERR-35); it is, later.
#[tokio::test]
async fn a_store_that_goes_away_in_the_middle_of_an_upload_refuses_nothing() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let mut upload = open(&mut scene, SENDONLY).await;
    let (piece, total) = (vec![b'x'; 300_000], 3_000_000);
    let range = |place: usize| format!("{}-{}/{total}", place * 300_000 + 1, (place + 1) * 300_000);
    upload.send("piece000", &range(0), &piece, '+').await;
    assert_eq!(upload.msrp().response().await.1, 200);
    scene.deployment.kill(Part::Storage).await;
    for place in 1..5 {
        let transaction = format!("piece00{place}");
        upload.send(&transaction, &range(place), &piece, '+').await;
    }
    let bye = upload.bye_of_edge(&mut scene.core).await;
    assert_eq!(bye.field("Reason"), "SIP;cause=503");
    upload.until_gone(&scene.core).await;
    for (transaction, status) in upload.answers_to_the_end().await {
        assert!([200, 481].contains(&status), "{transaction}: {status}");
    }
}

#[tokio::test]
async fn a_drain_lets_an_upload_finish_and_takes_no_new_one() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let upload = open(&mut scene, SENDONLY).await;
    scene.deployment.process(Part::SipEdge).terminate();
    let from = sender(&scene).await;
    // The signal may still be on its way.
    let status = eventually(ANSWER, "the edge to drain", async || {
        let invite = from.offer(SENDONLY).set("Call-ID", &fresh());
        let status = answer(&mut scene, &invite).await.status();
        status.filter(|status| *status != 200)
    });
    assert_eq!(status.await, 503);
    finish(&mut scene, upload).await;
    let status = scene.deployment.ended(Part::SipEdge).await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn ct_ft_01_to_04_and_ci_03_what_is_said_of_a_file_is_kept_in_either_spelling() {
    let mut scene = Scene::all().await;
    let draft = "a=filename:plan.pdf\r\na=filetype:application/pdf\r\na=filesize:5\r\na=disposition:attachment\r\n";
    let published = "a=file-selector:name:\"plan.pdf\" type:application/pdf size:5\r\n\
                     a=file-disposition:attachment\r\n";
    let mut files = Vec::new();
    for attributes in [draft, published] {
        let upload = open(&mut scene, &format!("{SENDONLY}{attributes}")).await;
        let user = uri(&upload.sender.user);
        finish(&mut scene, upload).await;
        files.push(scene.operator.only(&user).await.file.expect("a file"));
    }
    assert_eq!(files[0], files[1]);
    assert_eq!(files[0].name, "plan.pdf");

    let mut upload = open(&mut scene, SENDONLY).await;
    let disposition = "attachment; filename=\"a  b.txt\"";
    let lines = format!("Message-ID: m1\r\nContent-Disposition: {disposition}\r\n");
    let send = upload.chunk("disp0001", &lines, b"Hello", '$');
    upload.msrp().write(&send).await;
    assert_eq!(upload.msrp().response().await.1, 200);
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    let stored = scene.operator.only(&uri(&upload.sender.user)).await;
    let headers = stored.headers.expect("always set");
    assert_eq!(headers.content_disposition, disposition);

    let from = sender(&scene).await;
    let external = from.invite("").body(
        "message/external-body; access-type=\"URL\"; URL=\"http://198.51.100.7/sdp\"",
        "Content-Type: application/sdp\r\n\r\n",
    );
    let external = external.line("Content-Disposition: session");
    let response = answer(&mut scene, &external).await;
    assert_eq!(response.status(), Some(415), "{response}");
}

#[tokio::test]
async fn imd_09_headers_of_cpim_are_seen_in_what_comes_by_msrp() {
    let mut scene = Scene::all().await;
    let mut upload = open(&mut scene, SENDONLY).await;
    let cpim = "From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\n\
        NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 34jk324j\r\n\
        imdn.Disposition-Notification: positive-delivery\r\n\r\nContent-Type: text/plain\r\n\r\nHi";
    let range = format!("1-{0}/{0}", cpim.len());
    let lines = format!("Message-ID: m1\r\nByte-Range: {range}\r\n");
    let send = upload.chunk("cpim0001", &lines, cpim.as_bytes(), '$');
    let send = String::from_utf8(send).expect("text");
    let send = send.replacen("Content-Type: text/plain", "Content-Type: message/cpim", 1);
    upload.msrp().write(send.as_bytes()).await;
    assert_eq!(upload.msrp().response().await.1, 200);
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    let stored = scene.operator.only(&uri(&upload.sender.user)).await;
    assert_eq!(
        stored.headers.expect("always set").imdn_message_id,
        "34jk324j"
    );
}

#[tokio::test]
async fn two_record_routes_of_a_sender_are_the_routes_of_our_bye() {
    // CT-DLG-01
    let plan = Deployment::all().set("large.first_send", "1s");
    let mut scene = Scene::start(plan).await;
    let from = sender(&scene).await;
    let first = format!("<sip:{};transport=tcp;lr>", scene.core.tcp());
    let second = "<sip:p2.example.org;lr>";
    let invite = from
        .offer(SENDONLY)
        .line(format!("Record-Route: {first}"))
        .line(format!("Record-Route: {second}"));
    let upload = accepted(&mut scene, from, &invite).await;
    let bye = upload.bye_of_edge(&mut scene.core).await;
    assert_eq!(bye.all("Route"), [first.as_str(), second]);
}
