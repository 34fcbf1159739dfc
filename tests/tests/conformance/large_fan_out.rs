//! Requirements §5.8: large messages to lists and groups.

use proto::v1::{JobState, LegState};
use restante_tests::msrp::{PushSession, Sender, Setup, Upload};
use restante_tests::patience::{ANSWER, eventually};
use restante_tests::sip::{Arrival, RequestText, SipText};
use restante_tests::{Deployment, Part, Scene, uri};

use crate::fan_out::{Controlling, LISTS, entry, list, people};

/// A size that takes several chunks.
const OCTETS: usize = 20_480;

fn content(octets: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(octets).collect()
}

fn attributes(octets: usize) -> String {
    format!("a=sendonly\r\na=filelength:{octets}\r\n")
}

/// The INVITE of a sender to a group or a factory.
fn invite_to(to: &str, sender: &Sender, octets: usize) -> RequestText {
    sender
        .offer(&attributes(octets))
        .start_line(&format!("INVITE {to} SIP/2.0"))
        .set("To", &format!("<{to}>"))
        .without("P-Served-User")
        .without("Route")
}

/// The example of requirements §2.8 to these entries.
fn invite_to_list(
    cf: &Controlling,
    sender: &Sender,
    entries: &[String],
    octets: usize,
) -> RequestText {
    let offer = sender.description(&sender.media(&attributes(octets)));
    let list = list(&entries.concat());
    let body = format!(
        "--gi1\r\nContent-Type: application/sdp\r\n\r\n{offer}\r\n--gi1\r\nContent-Type: {LISTS}\r\n\
         Content-Disposition: recipient-list\r\n\r\n{list}\r\n--gi1--\r\n"
    );
    invite_to(&format!("{};sessiontype=adhoc", cf.factory), sender, octets)
        .line("Require: recipient-list-invite")
        .body("multipart/mixed;boundary=\"gi1\"", body)
}

fn to_each(people: &[String]) -> Vec<String> {
    people.iter().map(|user| entry(user, "to")).collect()
}

/// The session of a sender whose INVITE to a list was accepted.
async fn opened(cf: &mut Controlling, people: &[String], octets: usize) -> Upload {
    let sender = Sender::new(&cf.scene.core, "nobody").await;
    let invite = invite_to_list(cf, &sender, &to_each(people), octets);
    let way = cf.way.clone();
    let mut upload = sender.accepted(&mut cf.scene.core, &way, &invite).await;
    upload.connect(&cf.scene.core).await;
    upload
}

/// A message to a list that is complete.
async fn sent(cf: &mut Controlling, people: &[String], content: &[u8]) -> Upload {
    let mut upload = opened(cf, people, content.len()).await;
    upload.send_whole(content).await;
    upload
}

/// The INVITE of the leg to a user.
async fn leg(cf: &mut Controlling, user: &str) -> Arrival {
    cf.scene.core.request("INVITE", &uri(user)).await
}

/// INVITEs to a user that nobody has asked for.
fn further(cf: &mut Controlling, user: &str) -> usize {
    let start_line = format!("INVITE {} SIP/2.0", uri(user));
    cf.scene.core.count(|text| text.start_line() == start_line)
}

/// Accepts the leg to a user.
async fn joined(cf: &mut Controlling, user: &str) -> PushSession {
    let invite = leg(cf, user).await;
    PushSession::answer_invite(&mut cf.scene.core, invite, Setup::Active).await
}

/// Takes the whole message of a leg; the SEND of its first chunk and the octets.
async fn received(cf: &mut Controlling, user: &str) -> (String, Vec<u8>) {
    let mut session = joined(cf, user).await;
    let message = session.take().await;
    session.bye(&mut cf.scene.core).await;
    (
        message.last().field("Message-ID").to_owned(),
        message.body(),
    )
}

/// The job of a leg.
fn job_of(invite: &SipText) -> u64 {
    let number = invite.field("Call-ID").split('-').nth(1);
    let number = number.and_then(|number| number.parse().ok());
    number.expect("cf-JOB-INDEX-…")
}

/// Waits until each leg of a job has an outcome.
async fn ended(cf: &Controlling, job: u64) -> JobState {
    let look = async || {
        let state = cf.scene.operator.job(job).await.state();
        (state != JobState::Running).then_some(state)
    };
    eventually(ANSWER, "the end of the job", look).await
}

#[tokio::test]
async fn ct_cfl_01_the_focus_takes_the_message_at_once() {
    let mut cf = Controlling::start(&[]).await;
    let upload = opened(&mut cf, &people(3), OCTETS).await;
    let contact = upload.response.field("Contact");
    assert!(contact.starts_with("<sip:lm-"), "{contact}");
    assert!(contact.ends_with(">;isfocus;+g.oma.sip-im"), "{contact}");
    let answer = String::from_utf8_lossy(upload.response.body()).into_owned();
    assert!(answer.contains("a=recvonly\r\n"), "{answer}");
    assert!(!answer.contains("a=sendonly\r\n"), "{answer}");
    let octets = OCTETS.to_string();
    assert_eq!(upload.answered("filelength"), Some(octets));
    let types = upload.answered("accept-types");
    assert_eq!(types.as_deref(), Some("message/cpim text/plain"));
    let session_expires = upload.response.field("Session-Expires");
    assert_eq!(session_expires, "1800;refresher=uac");
}

#[tokio::test]
async fn ct_cfl_02_03_each_recipient_is_invited_and_gets_the_message_of_the_sender() {
    let mut cf = Controlling::start(&[]).await;
    let (people, content) = (people(3), content(OCTETS));
    let mut upload = sent(&mut cf, &people, &content).await;
    for user in &people {
        let invite = leg(&mut cf, user).await;
        let text = invite.text.clone();
        assert_eq!(text.field("To"), format!("<{}>", uri(user)));
        let from = text.field("From");
        assert!(
            from.starts_with("\"Alice\" <sip:alice@example.org>;tag="),
            "{text}"
        );
        assert_eq!(text.field("Accept-Contact"), "*;+g.oma.sip-im;explicit");
        let contact = text.field("Contact");
        assert!(contact.ends_with(">;isfocus;+g.oma.sip-im"), "{text}");
        assert_eq!(text.field("Supported"), "timer");
        assert!(text.field("Session-Expires").starts_with("1800"), "{text}");
        let identity = "\"Alice\" <sip:alice@example.org>";
        assert_eq!(text.field("P-Asserted-Identity"), identity);
        assert_eq!(text.field("Subject"), "Minutes of the meeting");
        assert_eq!(text.field("Max-Forwards"), "67");
        assert!(text.field("Via").contains(";branch=z9hG4bK-rsg-"), "{text}");
        assert_eq!(text.find("Require"), None);
        let offer = String::from_utf8_lossy(text.body()).into_owned();
        assert!(offer.contains("a=sendonly\r\n"), "{offer}");
        assert!(
            offer.contains(&format!("a=filelength:{OCTETS}\r\n")),
            "{offer}"
        );
        assert!(
            offer.contains("a=accept-types:message/cpim text/plain\r\n"),
            "{offer}"
        );
        assert!(!offer.contains(&upload.sender.path), "{offer}");
        let mut session =
            PushSession::answer_invite(&mut cf.scene.core, invite, Setup::Active).await;
        let message = session.take().await;
        assert_eq!(message.last().field("Message-ID"), "example-1");
        assert_eq!(message.last().field("Content-Type"), "text/plain");
        assert!(message.body() == content, "the content is another one");
        session.bye(&mut cf.scene.core).await;
    }
    assert_eq!(upload.bye(&mut cf.scene.core).await, 200);
}

#[tokio::test]
async fn ct_cfl_03_a_sender_who_does_not_end_his_session_is_told_to() {
    let mut cf = Controlling::start(&[("large.stall", "1s")]).await;
    let people = people(1);
    let upload = sent(&mut cf, &people, b"short").await;
    received(&mut cf, &people[0]).await;
    upload.bye_of_edge(&mut cf.scene.core).await;
}

/// A Message-ID need not differ between two sessions: a list is told from another by whom it names.
#[tokio::test]
async fn ct_cfl_02_the_same_content_to_others_is_another_message() {
    let mut cf = Controlling::start(&[]).await;
    let content = content(OCTETS);
    for _ in 0..2 {
        let people = people(1);
        sent(&mut cf, &people, &content).await;
        let (message_id, octets) = received(&mut cf, &people[0]).await;
        assert_eq!(message_id, "example-1");
        assert!(octets == content, "the content is another one");
    }
}

#[tokio::test]
async fn ct_cfl_04_one_who_refuses_and_one_who_is_silent_leave_the_others_alone() {
    let mut cf = Controlling::start(&[]).await;
    let (people, content) = (people(4), content(OCTETS));
    sent(&mut cf, &people, &content).await;
    let refusing = leg(&mut cf, &people[0]).await;
    cf.scene
        .core
        .answer(&refusing, "603 Decline", &[], "")
        .await;
    // The second never says anything.
    leg(&mut cf, &people[1]).await;
    for user in &people[2..] {
        let (message_id, octets) = received(&mut cf, user).await;
        assert_eq!(message_id, "example-1");
        assert!(octets == content, "the content is another one");
    }
    let job = job_of(&refusing.text);
    let look = async || {
        let legs = cf.scene.operator.legs(job).await;
        let count = |state| legs.iter().filter(|leg| leg.state() == state).count();
        let settled = (count(LegState::Delivered), count(LegState::Failed));
        (settled == (2, 1)).then_some(())
    };
    eventually(ANSWER, "three outcomes", look).await;
}

#[tokio::test]
async fn ct_cfl_05_an_invite_that_is_cancelled_is_nothing() {
    let mut cf = Controlling::of(Scene::start(Deployment::three_processes()).await).await;
    let sender = Sender::new(&cf.scene.core, "nobody").await;
    let invite = invite_to_list(&cf, &sender, &to_each(&people(1)), OCTETS);
    cf.scene.deployment.process(Part::Storage).freeze();
    let way = cf.way.clone();
    let asked = cf.scene.core.send(&way, &invite).await;
    let cancel = invite
        .start_line(&asked.start_line().replace("INVITE", "CANCEL"))
        .set("Via", asked.field("Via"))
        .set("CSeq", &asked.field("CSeq").replace("INVITE", "CANCEL"))
        .without("Require")
        .without("Content-Type")
        .body("text/plain", "");
    let cancel = cf.scene.core.send(&way, &cancel).await;
    assert_eq!(cf.scene.core.response_to(&cancel).await.status(), Some(200));
    cf.scene.deployment.process(Part::Storage).thaw();
    assert_eq!(cf.scene.core.response_to(&asked).await.status(), Some(487));
}

#[tokio::test]
async fn ct_cfl_05_a_bye_before_the_last_octet_leaves_nothing() {
    let mut cf = Controlling::start(&[]).await;
    let people = people(1);
    let mut upload = opened(&mut cf, &people, OCTETS).await;
    upload
        .send("part0001", &format!("1-10/{OCTETS}"), b"0123456789", '+')
        .await;
    assert_eq!(upload.msrp().response().await.1, 200);
    assert_eq!(upload.bye(&mut cf.scene.core).await, 200);
    cf.fence().await;
    assert_eq!(further(&mut cf, &people[0]), 0);
}

#[tokio::test]
async fn ct_cfl_05_a_bye_right_after_the_last_200_touches_no_leg() {
    let mut cf = Controlling::start(&[]).await;
    let (people, content) = (people(2), content(OCTETS));
    let mut upload = sent(&mut cf, &people, &content).await;
    let mut ringing = Vec::new();
    for user in &people {
        let invite = leg(&mut cf, user).await;
        cf.scene.core.reply(&invite, "180 Ringing", &[], "").await;
        ringing.push(invite);
    }
    assert_eq!(upload.bye(&mut cf.scene.core).await, 200);
    for invite in ringing {
        let mut session =
            PushSession::answer_invite(&mut cf.scene.core, invite, Setup::Active).await;
        assert!(session.take().await.body() == content, "another content");
        session.bye(&mut cf.scene.core).await;
    }
}

#[tokio::test]
async fn ct_cfl_06_an_upload_that_is_aborted_starts_no_leg() {
    let mut cf = Controlling::start(&[]).await;
    let people = people(1);
    let large = content(5 << 20);
    for begun in [1, large.len()] {
        for is_reset in [false, true] {
            let mut upload = opened(&mut cf, &people, large.len() + 1).await;
            let range = format!("1-{begun}/{}", large.len() + 1);
            let flag = if is_reset { '+' } else { '#' };
            upload.send("part0001", &range, &large[..begun], flag).await;
            if is_reset {
                assert_eq!(upload.msrp().response().await.1, 200);
                upload.disconnect();
                upload.bye_of_edge(&mut cf.scene.core).await;
            } else {
                assert_eq!(upload.bye(&mut cf.scene.core).await, 200);
            }
        }
    }
    cf.fence().await;
    assert_eq!(further(&mut cf, &people[0]), 0);
}

#[tokio::test]
async fn ct_cfl_06_an_edge_that_is_killed_before_its_last_200_has_told_nobody() {
    let mut cf = Controlling::of(Scene::start(Deployment::three_processes()).await).await;
    let people = people(1);
    let mut upload = opened(&mut cf, &people, OCTETS).await;
    let range = format!("1-10/{OCTETS}");
    upload.send("part0001", &range, b"0123456789", '+').await;
    assert_eq!(upload.msrp().response().await.1, 200);
    cf.scene.deployment.kill(Part::ControllingEdge).await;
    cf.scene.deployment.launch(Part::ControllingEdge).await;
    cf.reconnect().await;
    cf.fence().await;
    assert_eq!(further(&mut cf, &people[0]), 0);
}

#[tokio::test]
async fn ct_cfl_06_an_edge_that_is_killed_after_its_last_200_has_told_everybody() {
    let plan = Deployment::three_processes().set("cf.leg_lease", "3s");
    let mut cf = Controlling::of(Scene::start(plan).await).await;
    let (people, content) = (people(2), content(OCTETS));
    sent(&mut cf, &people, &content).await;
    for user in &people {
        // What the edge has begun dies with it.
        leg(&mut cf, user).await;
    }
    cf.scene.deployment.kill(Part::ControllingEdge).await;
    cf.scene.deployment.launch(Part::ControllingEdge).await;
    for user in &people {
        let (message_id, octets) = received(&mut cf, user).await;
        assert_eq!(message_id, "example-1");
        assert!(octets == content, "the content is another one");
    }
}

#[tokio::test]
async fn ct_cfl_07_a_sender_who_asks_gets_a_report_that_the_focus_has_it_all() {
    let mut cf = Controlling::start(&[]).await;
    let people = people(1);
    let mut upload = opened(&mut cf, &people, 5).await;
    let lines = "Message-ID: example-1\r\nByte-Range: 1-5/5\r\nSuccess-Report: yes\r\n";
    let octets = upload.chunk("whole001", lines, b"hello", '$');
    upload.msrp().write(&octets).await;
    let answers = [upload.msrp().frame().await, upload.msrp().frame().await];
    let report = answers.iter().find(|frame| frame.kind == "REPORT");
    let report = report.expect("a report");
    assert_eq!(report.field("Message-ID"), "example-1");
    assert_eq!(report.field("Byte-Range"), "1-5/5");
    assert_eq!(report.field("Status"), "000 200 OK");
    assert!(
        answers.iter().any(|frame| frame.status() == 200),
        "{answers:?}"
    );
    let mut session = joined(&mut cf, &people[0]).await;
    let message = session.take().await;
    assert_eq!(message.last().field("Success-Report"), "yes");
    session.report("example-1", "1-5/5", "200 OK").await;
    session.bye(&mut cf.scene.core).await;
}

#[tokio::test]
async fn ct_cfl_08_an_invite_to_many_is_checked_as_a_message_to_many() {
    let mut cf = Controlling::start(&[]).await;
    let nobody = uri("team-nowhere");
    let members = ["alice", "bob"];
    let named = cf
        .group(&members, |group| group.allow_anonymity = false)
        .await;
    let foreign = cf.group(&["bob"], |_| ()).await;
    let table = [
        (nobody, None, 404),
        (named.clone(), Some("Privacy: id"), 403),
        (named, Some("Privacy: none"), 200),
        (foreign, None, 403),
        (cf.factory.clone(), None, 400),
    ];
    for (to, line, expected) in table {
        let sender = Sender::new(&cf.scene.core, "nobody").await;
        let mut invite = invite_to(&to, &sender, OCTETS);
        if let Some(line) = line {
            invite = invite.line(line);
        }
        assert_eq!(cf.status(&invite).await, expected, "{to} {line:?}");
    }
}

#[tokio::test]
async fn ct_cfl_09_one_slow_recipient_delays_nobody() {
    let mut cf = Controlling::start(&[]).await;
    let (people, content) = (people(3), content(3 << 20));
    sent(&mut cf, &people, &content).await;
    // He accepts, and reads nothing of what comes.
    let slow = joined(&mut cf, &people[0]).await;
    for user in &people[1..] {
        let (_, octets) = received(&mut cf, user).await;
        assert!(octets == content, "the content is another one");
    }
    drop(slow);
}

#[tokio::test]
async fn ct_cfl_11_no_conference_is_told_of() {
    let mut cf = Controlling::start(&[]).await;
    let mut upload = opened(&mut cf, &people(1), OCTETS).await;
    let subscribe = |request: RequestText| request.line("Event: conference").line("Expires: 3600");
    let within = subscribe(upload.next_request("SUBSCRIBE"));
    assert_eq!(cf.status(&within).await, 489);
    let without = Sender::new(&cf.scene.core, "nobody").await;
    let outside = invite_to(&cf.factory.clone(), &without, OCTETS);
    let outside = outside
        .start_line(&format!("SUBSCRIBE {} SIP/2.0", cf.factory))
        .set("CSeq", "1 SUBSCRIBE")
        .without("Content-Type")
        .body("text/plain", "");
    assert_eq!(cf.status(&subscribe(outside)).await, 489);
}

#[tokio::test]
async fn ct_cfl_12_an_operator_ends_a_message_to_many() {
    let mut cf = Controlling::start(&[]).await;
    let (people, content) = (people(3), content(1 << 20));
    sent(&mut cf, &people, &content).await;
    let (_, octets) = received(&mut cf, &people[0]).await;
    assert!(octets == content, "the content is another one");
    let ringing = leg(&mut cf, &people[1]).await;
    cf.scene.core.reply(&ringing, "180 Ringing", &[], "").await;
    let mut uploading = joined(&mut cf, &people[2]).await;
    uploading.frame().await;
    let job = job_of(&ringing.text);
    cf.scene.operator.cancel_job(job).await;
    let call_id = ringing.text.field("Call-ID").to_owned();
    let is_cancel =
        |text: &SipText| text.method() == Some("CANCEL") && text.field("Call-ID") == call_id;
    let cancel = cf.scene.core.expect("CANCEL", is_cancel).await;
    cf.scene.core.answer(&cancel, "200 OK", &[], "").await;
    let status = "487 Request Terminated";
    cf.scene.core.answer(&ringing, status, &[], "").await;
    uploading.bye(&mut cf.scene.core).await;
    assert_eq!(ended(&cf, job).await, JobState::Cancelled);
    let look = async || {
        let legs = cf.scene.operator.legs(job).await;
        let count = |state| legs.iter().filter(|leg| leg.state() == state).count();
        let settled = (count(LegState::Delivered), count(LegState::Cancelled));
        (settled == (1, 2)).then_some(())
    };
    eventually(ANSWER, "the outcomes of a cancelled job", look).await;
}

#[tokio::test]
async fn ct_ft_04_each_copy_of_a_file_has_its_preview() {
    let mut cf = Controlling::start(&[]).await;
    let people = people(2);
    let preview = b"Content-Type: image/png\r\nContent-ID: <icon1@198.51.100.7>\r\n\r\n\x89PNG\r\n\x1a\n\0\r\n\r\n\xff";
    let sender = Sender::new(&cf.scene.core, "nobody").await;
    let file = format!(
        "{}a=file-selector:name:\"plan.pdf\" type:application/pdf size:5\r\na=file-icon:cid:icon1@198.51.100.7\r\n",
        attributes(5)
    );
    let offer = sender.description(&sender.media(&file));
    let list = list(&to_each(&people).concat());
    let body = [
        format!("--gi1\r\nContent-Type: application/sdp\r\n\r\n{offer}\r\n--gi1\r\n").as_bytes(),
        preview,
        format!(
            "\r\n--gi1\r\nContent-Type: {LISTS}\r\nContent-Disposition: recipient-list\r\n\r\n{list}\r\n--gi1--\r\n"
        )
        .as_bytes(),
    ]
    .concat();
    let invite = invite_to(&format!("{};sessiontype=adhoc", cf.factory), &sender, 5)
        .line("Require: recipient-list-invite")
        .body("multipart/mixed;boundary=\"gi1\"", body);
    let way = cf.way.clone();
    let mut upload = sender.accepted(&mut cf.scene.core, &way, &invite).await;
    assert_eq!(
        upload.answered("file-icon"),
        None,
        "it would point to nothing"
    );
    upload.connect(&cf.scene.core).await;
    upload.send_whole(b"%PDF-").await;
    for user in &people {
        let invite = leg(&mut cf, user).await;
        let body = invite.text.body().to_vec();
        let has = |wanted: &[u8]| body.windows(wanted.len()).any(|octets| octets == wanted);
        assert!(
            has(b"\r\na=file-icon:cid:icon1@198.51.100.7\r\n"),
            "{}",
            invite.text
        );
        assert!(has(preview), "{}", invite.text);
        let mut session =
            PushSession::answer_invite(&mut cf.scene.core, invite, Setup::Active).await;
        assert_eq!(session.take().await.body(), b"%PDF-");
        session.bye(&mut cf.scene.core).await;
    }
}
