//! Large messages on their way out: enclosed, streamed, cut, kept (PSH-06, PSH-10, PSH-11).

use bytes::Bytes;
use msrp::{Continuation, Event};
use proto::v1;
use proto::v1::acknowledge::Settlement;
use restante_sip_edge::config::RequireReport;
use sip::Request;

use crate::client::TcpPeer;
use crate::deposit::message;
use crate::msrp_client::{Chunk, MsrpClient, own_path, path_in};
use crate::push::{IM_TAG, Story, contact, description};
use crate::push_failures::outcome;
use crate::registration::register;
use crate::store::{FIRST, HOSTNAME, Reading};

/// The path of the sender, as it stands in the stored SEND.
const FROM_PATH: &str = "msrp://198.51.100.7:7394/2s93i9idj;tcp";

/// Longest chunk of the edge.
const CHUNK: usize = 256 * 1024;

/// The parts that are stored with a large message of Alice.
pub(crate) fn parts() -> Vec<v1::Part> {
    let sdp = format!(
        "v=0\r\no=alice 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
         m=message 7394 TCP/MSRP *\r\na=path:{FROM_PATH}\r\na=accept-types:*\r\na=sendonly\r\n\
         a=filename:plan.pdf\r\na=filetype:application/pdf\r\na=icon:cid:icon1\r\n"
    );
    let invite = format!(
        "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/TCP 198.51.100.7;branch=z9hG4bK-a-2\r\n\
         Max-Forwards: 68\r\nFrom: \"Alice\" <sip:alice@example.org>;tag=a5510\r\n\
         To: <sip:bob@example.org>\r\nCall-ID: 90bd21ff@198.51.100.7\r\nCSeq: 1 INVITE\r\n\
         Subject: Minutes\r\nContact: <sip:alice@198.51.100.7>\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    let head = format!(
        "MSRP d93kswow SEND\r\nTo-Path: msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
         From-Path: {FROM_PATH}\r\nMessage-ID: 12339sdqwer\r\nByte-Range: 1-*/*\r\n\
         Success-Report: yes\r\nContent-Disposition: attachment\r\nContent-Type: text/plain\r\n"
    );
    let part = |kind: v1::PartKind, octets: String| v1::Part {
        kind: kind.into(),
        octets: octets.into(),
    };
    vec![
        part(v1::PartKind::Invite, invite),
        part(v1::PartKind::SendHead, head),
    ]
}

/// Octets that look like the ends of frames again and again.
pub(crate) fn deceptive(octets: usize) -> Bytes {
    let line =
        b"\r\n-------d93kswow$\r\n-------q1w2e3r4Ty6Ui8Op+\r\nMSRP d93kswow SEND\r\n\0\xff--b--";
    line.iter().copied().cycle().take(octets).collect()
}

/// Bob's client registers with a large message waiting behind so many short ones.
async fn waiting(short: usize, body: &Bytes, is_inline: bool) -> Story {
    let mut story = Story::begun(short, |_| {}).await;
    story.store.keep_large(parts(), body.clone(), is_inline);
    story.register(IM_TAG, "").await;
    story
}

/// What is inside the enclosed SEND, whose frame must be as the sender's.
fn enclosed(chunks: &[Chunk], octets: usize) -> Vec<u8> {
    let whole: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.body.clone()).collect();
    let start = b"Content-Type: message/msrp\r\n\r\n";
    let at = whole
        .windows(start.len())
        .position(|window| window == start)
        .expect("part 2");
    let mut decoder = msrp::Decoder::new();
    decoder.push(&whole[at + start.len()..]);
    let mut body = Vec::new();
    let mut own_id = String::new();
    loop {
        match decoder.next_event().expect("MSRP").expect("a whole SEND") {
            Event::RequestHead { head, raw } => {
                own_id = head.transaction_id.to_string();
                let expected = format!(
                    "MSRP {own_id} SEND\r\nTo-Path: msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
                     From-Path: {FROM_PATH}\r\nMessage-ID: 12339sdqwer\r\nByte-Range: 1-{octets}/{octets}\r\n\
                     Success-Report: yes\r\nContent-Disposition: attachment\r\nContent-Type: text/plain\r\n"
                );
                assert_eq!(String::from_utf8_lossy(&raw), expected);
            }
            Event::Body(octets) => body.extend_from_slice(&octets),
            Event::RequestEnd(flag) => {
                assert_eq!(flag, Continuation::Complete);
                assert!(own_id.len() >= 16 && own_id != "d93kswow", "{own_id}");
                return body;
            }
            Event::Response(response) => panic!("{response:?}"),
        }
    }
}

fn total(chunks: &[Chunk]) -> u64 {
    chunks.iter().map(|chunk| chunk.body.len() as u64).sum()
}

#[tokio::test]
async fn a_large_message_arrives_to_the_byte_in_interruptible_chunks() {
    let body = deceptive(1024 * 1024);
    let mut story = waiting(0, &body, false).await;
    let (_, mut client) = story.answered().await;
    let chunks = client.message(true).await;
    assert!(chunks.len() >= 4, "{}", chunks.len());
    let mut sent = 0;
    for chunk in &chunks {
        let range = chunk.head.byte_range.expect("a range");
        assert_eq!((range.start, range.total), (sent + 1, Some(total(&chunks))));
        let is_long = total(&chunks) - sent > 2_048;
        assert_eq!(range.end.is_none(), is_long, "{range:?}");
        assert!(chunk.body.len() <= CHUNK);
        assert!(chunk.raw.ends_with(b"\r\n"));
        let last = String::from_utf8_lossy(&chunk.raw).into_owned();
        let last = last.lines().last().expect("a line").to_owned();
        assert!(
            last.starts_with("Content-Type: multipart/mixed;boundary="),
            "{last}"
        );
        sent += chunk.body.len() as u64;
    }
    assert_eq!(enclosed(&chunks, body.len()), body);
    let acknowledge = story.store.acknowledgement().await;
    assert_eq!(acknowledge.message_id, format!("{FIRST}@{HOSTNAME}"));
    assert!(matches!(
        acknowledge.settlement,
        Some(Settlement::Delivered(_))
    ));
    story.bob.request_of("BYE").await;
    assert_eq!(story.store.stored(), 0);
}

#[tokio::test]
async fn a_body_that_came_inline_is_enclosed_all_the_same() {
    let body = deceptive(3_000);
    let mut story = waiting(0, &body, true).await;
    let (_, mut client) = story.answered().await;
    let chunks = client.message(true).await;
    assert_eq!(enclosed(&chunks, body.len()), body);
    story.bob.request_of("BYE").await;
    assert_eq!(story.store.stored(), 0);
}

#[tokio::test]
async fn our_answers_cut_into_a_chunk_that_waits_for_the_store() {
    let body = deceptive(CHUNK);
    let mut story = waiting(0, &body, false).await;
    story.store.read_as(Reading::StopsAfter(CHUNK / 2));
    let (_, mut client) = story.answered().await;
    let Event::RequestHead { head, .. } = client.event().await else {
        panic!("no request");
    };
    client.ask("ask00001").await;
    let mut seen = 0;
    loop {
        match client.event().await {
            Event::Body(octets) => seen += octets.len(),
            Event::RequestEnd(flag) => {
                assert_eq!(flag, Continuation::More);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(seen < body.len(), "{seen}");
    let Event::Response(answer) = client.event().await else {
        panic!("no answer");
    };
    assert_eq!(
        (answer.transaction_id.as_str(), answer.code),
        ("ask00001", 200)
    );
    story.store.go_on();
    let rest = client.message(false).await;
    assert_eq!(rest[0].head.message_id, head.message_id);
    assert_eq!(
        rest[0].head.byte_range.expect("a range").start,
        seen as u64 + 1
    );
    assert_eq!(
        rest.last().map(|chunk| chunk.flag),
        Some(Continuation::Complete)
    );
}

#[tokio::test]
async fn what_follows_a_large_message_waits_for_its_acknowledgement() {
    let body = deceptive(2 * 1024 * 1024);
    let mut story = waiting(1, &body, false).await;
    let mut core = TcpPeer::connect(story.edge.tcp).await;
    core.send(&message("z9hG4bK-m", "").replace("CSeq: 101", "CSeq: 9"))
        .await;
    assert_eq!(core.response().await.status().code(), 202);
    story.store.deposit().await;
    let (_, mut client) = story.answered().await;
    let first = client.message(true).await;
    assert_eq!(id(&first), format!("dlv-{FIRST}-1"));
    let large = client.message(false).await;
    assert_eq!(id(&large), format!("dlv-{}-1", FIRST + 1));
    client.ask("ask00001").await;
    let answered = client.event().await;
    assert!(matches!(answered, Event::Response(_)), "{answered:?}");
    client
        .answer_chunk(large.last().expect("a chunk"), "200 OK")
        .await;
    let last = client.message(true).await;
    assert_eq!(id(&last), format!("dlv-{}-1", FIRST + 2));
    story.bob.request_of("BYE").await;
    assert_eq!(story.store.stored(), 0);
}

fn id(chunks: &[Chunk]) -> String {
    let id = chunks
        .first()
        .and_then(|chunk| chunk.head.message_id.clone());
    id.expect("a Message-ID").to_string()
}

#[tokio::test]
async fn what_the_client_does_not_take_is_kept_and_the_rest_delivered() {
    let wrapped = "a=accept-wrapped-types:message/sip message/sipfrag";
    for (line, change) in [
        ("a=accept-wrapped-types:*", wrapped.to_owned()),
        ("a=recvonly", "a=max-size:2000\r\na=recvonly".to_owned()),
    ] {
        let mut story = waiting(1, &deceptive(3_000), true).await;
        let invite = story.bob.request_of("INVITE").await;
        let path = own_path(9);
        let answer = description(&path, "active").replace(line, &change);
        let (status, lines) = ("200 OK", contact(&story.bob));
        story.bob.answer(&invite, status, &lines, &answer).await;
        story.bob.request_of("ACK").await;
        let mut client = MsrpClient::connect(path, path_in(invite.body())).await;
        let pager = client.message(true).await;
        assert_eq!(id(&pager), format!("dlv-{FIRST}-1"));
        story.store.acknowledgement().await;
        let (result, _) = outcome(story.store.release().await);
        assert_eq!(result, v1::DeliveryResult::Completed, "{change}");
        story.bob.request_of("BYE").await;
        assert_eq!(story.store.stored(), 1, "{change}");
    }
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_ends_message_and_session() {
    let body = deceptive(1024 * 1024);
    let mut story = waiting(0, &body, false).await;
    story.store.read_as(Reading::FailsAfter(CHUNK));
    let (_, mut client) = story.answered().await;
    let chunks = client.message(true).await;
    let last = chunks.last().expect("a chunk");
    assert_eq!(last.flag, Continuation::Aborted);
    assert!(total(&chunks) < body.len() as u64);
    let expected = (
        v1::DeliveryResult::Broken,
        "message not readable".to_owned(),
    );
    story.bob.request_of("BYE").await;
    assert_eq!(outcome(story.store.release().await), expected);
    assert_eq!(story.store.stored(), 1);
}

/// Bob's client registers again.
async fn register_again(story: &mut Story) {
    let contact = format!("<sip:bob@{};transport=tcp>{IM_TAG}", story.bob.address());
    let refresh = register(&contact, "").replace("z9hG4bK-b-r1", "z9hG4bK-b-r2");
    let refresh = refresh.replace("CSeq: 12", "CSeq: 13");
    story.bob.send(&refresh).await;
    assert_eq!(
        story.bob.response_amid_requests().await.status().code(),
        200
    );
    story.store.registration().await;
}

#[tokio::test]
async fn a_cut_in_the_middle_repeats_the_broken_message_alone_and_anew() {
    let body = deceptive(1024 * 1024);
    let mut story = waiting(1, &body, false).await;
    let (first_invite, mut client) = story.answered().await;
    client.message(true).await;
    story.store.acknowledgement().await;
    let cut = client.chunk().await;
    drop(client);
    let bye = story.bob.request_of("BYE").await;
    story.bob.answer(&bye, "200 OK", "", "").await;
    let (result, _) = outcome(story.store.release().await);
    assert_eq!(result, v1::DeliveryResult::Broken);

    register_again(&mut story).await;
    let (second_invite, mut client) = story.answered().await;
    assert_ne!(path_in(first_invite.body()), path_in(second_invite.body()));
    let chunks = client.message(true).await;
    assert_eq!(chunks[0].head.byte_range.expect("a range").start, 1);
    assert_ne!(chunks[0].head.message_id, cut.head.message_id);
    assert_ne!(chunks[0].head.content_type, cut.head.content_type);
    assert_eq!(enclosed(&chunks, body.len()), body);
    let settled = story.store.acknowledgement().await;
    assert_eq!(settled.message_id, format!("{}@{HOSTNAME}", FIRST + 1));
    story.bob.request_of("BYE").await;
    assert_eq!(story.store.stored(), 0);
}

/// Bob is behind a relay: his answer has a path of two URIs.
async fn behind_a_relay(story: &mut Story) -> (Request, MsrpClient) {
    let invite = story.bob.request_of("INVITE").await;
    let path = format!("msrp://127.0.0.1:9/r3lay;tcp {}", own_path(9));
    let answer = description(&own_path(9), "active").replace(&own_path(9), &path);
    let lines = contact(&story.bob);
    story.bob.answer(&invite, "200 OK", &lines, &answer).await;
    story.bob.request_of("ACK").await;
    let client = MsrpClient::connect(path, path_in(invite.body())).await;
    (invite, client)
}

#[tokio::test]
async fn behind_a_relay_only_reports_of_all_octets_prove_delivery() {
    let mut story = waiting(0, &deceptive(1024 * 1024), false).await;
    let (_, mut client) = behind_a_relay(&mut story).await;
    let chunks = client.message(true).await;
    let asked = chunks
        .iter()
        .all(|chunk| chunk.head.success_report == Some(true));
    assert!(asked, "{:?}", chunks[0].head);
    let (id, total) = (id(&chunks), total(&chunks));
    client
        .report(&id, &format!("1-500/{total}"), "200 OK")
        .await;
    // What is answered after the report shows that it was not enough.
    client.ask("ask00001").await;
    assert!(matches!(client.event().await, Event::Response(_)));
    assert!(story.store.is_quiet());
    client
        .report(&id, &format!("501-{total}/{total}"), "200 OK")
        .await;
    let settled = story.store.acknowledgement().await.settlement;
    assert!(
        matches!(settled, Some(Settlement::Delivered(_))),
        "{settled:?}"
    );
    story.bob.request_of("BYE").await;
}

#[tokio::test]
async fn behind_a_relay_a_report_of_refusal_counts_as_one() {
    let mut story = waiting(0, &deceptive(100_000), false).await;
    let (_, mut client) = behind_a_relay(&mut story).await;
    let chunks = client.message(true).await;
    let range = format!("1-{0}/{0}", total(&chunks));
    client.report(&id(&chunks), &range, "413 Too Large").await;
    let settled = story.store.acknowledgement().await.settlement;
    let expected = v1::AttemptFailed {
        reason: "MSRP 413".to_owned(),
        refusal: true,
    };
    assert_eq!(settled, Some(Settlement::Failed(expected)));
    story.bob.request_of("BYE").await;
    assert_eq!(story.store.stored(), 1);
}

#[tokio::test]
async fn the_operator_decides_when_reports_are_required() {
    for (rule, is_asked) in [(RequireReport::Always, true), (RequireReport::Never, false)] {
        let mut story = Story::begun(1, |config| config.push.require_report = rule).await;
        story.register(IM_TAG, "").await;
        let (_, mut client) = match is_asked {
            true => story.answered().await,
            false => behind_a_relay(&mut story).await,
        };
        let chunks = client.message(true).await;
        assert_eq!(chunks[0].head.success_report, Some(is_asked));
        if is_asked {
            let range = format!("1-{0}/{0}", total(&chunks));
            client.report(&id(&chunks), &range, "200 OK").await;
        }
        story.bob.request_of("BYE").await;
        assert_eq!(story.store.stored(), 0);
    }
}
