//! Requirements §5.8 and §2.9: delivery reports.

use std::time::{Duration, Instant};

use proto::v1::{EventKind, MessageClass, ReportState, ReportStatus};
use restante_tests::msrp::Sender;
use restante_tests::patience::{ANSWER, eventually};
use restante_tests::run::run;
use restante_tests::sip::{Arrival, RequestText, SipText, example, fresh};
use restante_tests::target::not_against_a_target;
use restante_tests::{Deployment, Part, Scene, somebody, uri};

use crate::fan_out::{Controlling, message as to_group};

const MADE: &str = "restante_reports_made_total";

/// A message in CPIM that asks for these reports.
fn cpim(user: &str, id: &str, asked: &str) -> String {
    format!(
        "From: Alice <sip:alice@example.org>\r\nTo: Bob <{}>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
         imdn.Message-ID: {id}\r\nimdn.Disposition-Notification: {asked}\r\n\r\n\
         Content-Type: text/plain\r\n\r\nLunch?",
        uri(user)
    )
}

fn asking(user: &str, id: &str, asked: &str) -> RequestText {
    example::message(user).body("message/cpim", cpim(user, id, asked))
}

/// The next MESSAGE to Alice, not answered yet.
async fn report(scene: &mut Scene) -> Arrival {
    scene.core.request("MESSAGE", example::ALICE).await
}

/// Takes it with 200.
async fn taken(scene: &mut Scene) -> SipText {
    let arrival = report(scene).await;
    scene.core.answer(&arrival, "200 OK", &[], "").await;
    arrival.text
}

/// How many MESSAGEs to Alice nobody has asked for.
fn further(scene: &mut Scene) -> usize {
    let start_line = format!("MESSAGE {} SIP/2.0", example::ALICE);
    scene.core.count(|text| text.start_line() == start_line)
}

/// Returns when every report that was made before has had its turn: those of one sender go in the order of their making.
async fn fence(scene: &mut Scene) {
    let id = format!("fence-{}", fresh());
    let request = asking(&somebody(), &id, "processing");
    scene.deposit(&request).await;
    let what = format!("the report about {id}");
    let is_it = |text: &SipText| {
        text.method() == Some("MESSAGE") && String::from_utf8_lossy(text.body()).contains(&id)
    };
    let arrival = scene.core.expect(&what, is_it).await;
    scene.core.answer(&arrival, "200 OK", &[], "").await;
}

/// A MESSAGE as the core brings it back.
fn back(request: &SipText) -> RequestText {
    example::returned(request).body("message/cpim", request.body())
}

/// The number of a Message-ID.
fn number(message_id: &str) -> &str {
    message_id.split('@').next().expect("a number")
}

/// The notification of requirements §2.9 about this message, whose only varying part is its time.
fn assert_says(report: &SipText, user: &str, id: &str, status: &str) {
    let body = String::from_utf8(report.body().to_vec()).expect("text");
    let (head, document) = body.split_once("<?xml").expect("a document");
    for line in [
        format!("From: Bob <{}>\r\n", uri(user)),
        "To: Alice <sip:alice@example.org>\r\n".to_owned(),
        "NS: imdn <urn:ietf:params:imdn>\r\n".to_owned(),
        "\r\n\r\nContent-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n"
            .to_owned(),
    ] {
        assert!(head.contains(&line), "{line} in {body}");
    }
    for element in [
        format!("  <message-id>{id}</message-id>\r\n"),
        format!("  <recipient-uri>{}</recipient-uri>\r\n", uri(user)),
        format!(
            "  <original-recipient-uri>{}</original-recipient-uri>\r\n",
            uri(user)
        ),
        format!("-notification><status><{status}/></status></"),
    ] {
        assert!(document.contains(&element), "{element} in {body}");
    }
    assert!(body.ends_with("</imdn>\r\n"), "{body}");
}

/// What the store says of the reports about a message.
async fn made(scene: &Scene, id: &str) -> Vec<(ReportStatus, ReportState)> {
    let reply = scene.operator.message(id).await.expect("answered");
    let reports = reply.message.expect("it is there").reports;
    let reports = reports.iter();
    reports.map(|made| (made.status(), made.state())).collect()
}

/// Waits until the store knows that a report has come.
async fn is_sent(scene: &Scene, id: &str, status: ReportStatus) {
    let what = format!("{status:?} to be sent");
    let wanted = (status, ReportState::Sent);
    eventually(ANSWER, &what, async || {
        made(scene, id).await.contains(&wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn ct_imd_01_who_asks_is_told_once_that_his_message_is_stored() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = asking(&bob, "Xk39s0QpLm2a", "positive-delivery, processing");
    scene.deposit(&request).await;
    let stored = scene.find(&bob, &request.field("Call-ID")).await;
    let report = taken(&mut scene).await;
    assert_says(&report, &bob, "Xk39s0QpLm2a", "stored");
    let (number, host) = stored.message_id.split_once('@').expect("a Message-ID");
    assert_eq!(report.start_line(), "MESSAGE sip:alice@example.org SIP/2.0");
    assert_eq!(report.field("To"), "<sip:alice@example.org>");
    assert_eq!(report.field("Call-ID"), format!("imdn-{number}-p@{host}"));
    assert_eq!(report.field("CSeq"), "1 MESSAGE");
    assert_eq!(report.field("Accept-Contact"), "*;+g.oma.sip-im");
    assert_eq!(report.field("Content-Type"), "message/cpim");
    assert_eq!(report.find("Contact"), None);
    let store = report.field("P-Asserted-Identity").to_owned();
    assert!(store.starts_with("<sip:im-store@"), "{store}");
    assert!(report.field("From").starts_with(&store), "{report}");
    let own_id = format!("\r\nimdn.Message-ID: st-{number}\r\n\r\n");
    assert!(String::from_utf8_lossy(report.body()).contains(&own_id));
    is_sent(&scene, &stored.message_id, ReportStatus::Stored).await;
    let asked = stored.report_request.expect("asked for");
    assert_eq!(asked.asked.len(), 2);
    // A retry is the same message.
    let again = scene.call(&request).await.response;
    assert_eq!(again.status(), Some(202), "{again}");
    fence(&mut scene).await;
    assert_eq!(further(&mut scene), 0);
    let kinds = scene.operator.timeline(&stored.message_id).await;
    let told = [
        EventKind::Deposited,
        EventKind::ReportMade,
        EventKind::ReportSent,
        EventKind::DuplicateAbsorbed,
    ];
    assert_eq!(kinds, told);
    let counter = format!("{MADE}{{status=\"stored\"}}");
    eventually(ANSWER, "two reports to be counted", async || {
        let made = scene.deployment.counter(Part::Storage, &counter).await;
        (made == 2).then_some(())
    })
    .await;
    let shown = scene
        .deployment
        .restantectl(&["show", &stored.message_id])
        .await
        .done();
    let record = &shown.records()[0];
    assert_eq!(record["reports"][0]["status"], "stored", "{record}");
    assert_eq!(record["reports"][0]["state"], "sent", "{record}");
    assert_eq!(record["reports_asked"][1], "processing", "{record}");
}

#[tokio::test]
async fn ct_imd_02_who_asks_is_told_once_that_his_message_has_failed() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    for (id, asked) in [
        ("first", "negative-delivery"),
        ("second", "positive-delivery"),
    ] {
        let request = asking(&bob, id, asked);
        scene.deposit(&request).await;
        let stored = scene.find(&bob, &request.field("Call-ID")).await;
        scene
            .operator
            .expire(&stored.message_id)
            .await
            .expect("it waits");
    }
    let report = taken(&mut scene).await;
    assert_says(&report, &bob, "first", "failed");
    let call_id = report.field("Call-ID");
    assert!(call_id.contains("-d@"), "{call_id}");
    fence(&mut scene).await;
    assert_eq!(further(&mut scene), 0);
}

#[tokio::test]
async fn imd_02_a_refusal_for_good_is_told_as_what_it_is() {
    let mut scene = Scene::all().await;
    let phone = "<sip:bob@203.0.113.9:5060;transport=tcp>;expires=3600";
    let bob = somebody();
    let request = asking(&bob, "Xk39", "negative-delivery");
    scene.deposit(&request).await;
    let register = example::bare_register(&bob, 3600)
        .body("message/sip", example::embedded_register(&bob, phone));
    scene.registered(&register).await;
    let pushed = scene.core.request("MESSAGE", &uri(&bob)).await;
    scene.core.answer(&pushed, "603 Decline", &[], "").await;
    let report = taken(&mut scene).await;
    assert_says(&report, &bob, "Xk39", "forbidden");
}

#[tokio::test]
async fn ct_imd_03_the_server_says_nothing_of_a_message_that_is_delivered() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = asking(&bob, "Xk39", "positive-delivery, negative-delivery");
    scene.deposit(&request).await;
    let stored = scene.find(&bob, &request.field("Call-ID")).await;
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, [&*stored.message_id]);
    fence(&mut scene).await;
    assert_eq!(further(&mut scene), 0);
    assert_eq!(made(&scene, &stored.message_id).await, []);
}

#[tokio::test]
async fn ct_imd_04_a_report_to_somebody_who_is_away_is_deferred() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = asking(&bob, "Xk39", "processing");
    scene.deposit(&request).await;
    let stored = scene.find(&bob, &request.field("Call-ID")).await;
    let arrival = report(&mut scene).await;
    // The core knows that she is away, and brings it back.
    scene.deposit(&back(&arrival.text)).await;
    scene.core.answer(&arrival, "202 Accepted", &[], "").await;
    is_sent(&scene, &stored.message_id, ReportStatus::Stored).await;
    let kept = scene.find("alice", arrival.text.field("Call-ID")).await;
    assert_eq!(kept.class(), MessageClass::Imdn);
    scene.register("alice").await;
    let mut session = scene.accept_push("alice").await;
    let pushed = session.take().await;
    assert_eq!(pushed.message_id(), kept.message_id);
    let original = String::from_utf8_lossy(&pushed.original()).into_owned();
    assert!(
        original.contains("<message-id>Xk39</message-id>"),
        "{original}"
    );
    session.bye(&mut scene.core).await;
    fence(&mut scene).await;
    assert_eq!(further(&mut scene), 0, "no report about a report");
}

#[tokio::test]
async fn ct_imd_05_an_anonymous_sender_is_told_and_nobody_else() {
    let plan = Deployment::all().set("trust.require_asserted_identity", "false");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let anonymous = "Anonymous <sip:anonymous@anonymous.invalid>";
    let body = cpim(&bob, "Xk39", "processing");
    let body = body.replace("Alice <sip:alice@example.org>", anonymous);
    let request = example::message(&bob)
        .set(
            "From",
            &format!(
                "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={}",
                fresh()
            ),
        )
        .line("Privacy: id")
        .body("message/cpim", body);
    scene.deposit(&request).await;
    let report = taken(&mut scene).await;
    let body = String::from_utf8_lossy(report.body()).into_owned();
    assert!(body.contains(&format!("To: {anonymous}\r\n")), "{body}");
    assert!(body.contains("<stored/>"), "{body}");
    // Whom nobody vouches for is told nothing.
    let unknown = asking(&bob, "unknown", "processing, negative-delivery");
    scene.deposit(&unknown.without("P-Asserted-Identity")).await;
    let log = scene.deployment.process(Part::SipEdge).log();
    let noted = log.find(|event| (event["event"] == "report.not_possible").then_some(()));
    assert!(noted.await.is_some());
    fence(&mut scene).await;
    assert_eq!(further(&mut scene), 0);
}

#[tokio::test]
async fn ct_imd_06_a_report_asks_for_none() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let notification = cpim(&bob, "Xk39", "processing, negative-delivery")
        .replace("text/plain", "message/imdn+xml")
        .replace("Lunch?", "<imdn/>");
    let request = example::message(&bob).body("message/cpim", notification);
    scene.deposit(&request).await;
    let stored = scene.find(&bob, &request.field("Call-ID")).await;
    assert_eq!(stored.class(), MessageClass::Imdn);
    scene
        .operator
        .expire(&stored.message_id)
        .await
        .expect("it waits");
    fence(&mut scene).await;
    assert_eq!(further(&mut scene), 0);
    assert_eq!(made(&scene, &stored.message_id).await, []);
}

#[tokio::test]
async fn ct_imd_07_a_large_message_is_reported_by_its_own_headers() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let sender = Sender::new(&scene.core, &bob).await;
    let mut upload = sender
        .open(&mut scene.core, &scene.way, "a=sendonly\r\n")
        .await;
    let mut body = cpim(&bob, "Xk39", "processing, negative-delivery");
    body.push_str(&"x".repeat(300_000));
    let range = format!("1-{0}/{0}", body.len());
    let lines = format!("Message-ID: m1\r\nByte-Range: {range}\r\nSuccess-Report: yes\r\n");
    let send = upload.chunk("cpim0001", &lines, body.as_bytes(), '$');
    let send = String::from_utf8(send).expect("text");
    let send = send.replacen("Content-Type: text/plain", "Content-Type: message/cpim", 1);
    upload.msrp().write(send.as_bytes()).await;
    assert_eq!(upload.msrp().response().await.1, 200);
    // All that MSRP says is that the store has it (IMD-05).
    let said = upload.msrp().frame().await;
    assert_eq!(said.field("Status"), "000 200 OK");
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    let stored = scene.operator.only(&uri(&bob)).await;
    assert_eq!(stored.class(), MessageClass::Large);
    assert_says(&taken(&mut scene).await, &bob, "Xk39", "stored");
    scene
        .operator
        .expire(&stored.message_id)
        .await
        .expect("it waits");
    assert_says(&taken(&mut scene).await, &bob, "Xk39", "failed");
    fence(&mut scene).await;
    assert_eq!(further(&mut scene), 0);
    is_sent(&scene, &stored.message_id, ReportStatus::Failed).await;
}

/// A group of 50 members who are away, and what Alice is told of a message to it: until no report has come for as long as
/// three have a right to, with its times.
async fn told_of_a_group(aggregate: &str, discloses: bool) -> Vec<(Instant, SipText)> {
    not_against_a_target("takes every MESSAGE for one that it has caused");
    let mut cf = Controlling::start(&[("cf.aggregate_imdn", aggregate)]).await;
    let people: Vec<_> = (0..50).map(|_| somebody()).collect();
    let mut members: Vec<_> = people.iter().map(String::as_str).collect();
    members.push("alice");
    let group = cf
        .group(&members, |group| group.disclose_members = discloses)
        .await;
    let body = cpim("team", "Xk39", "processing").replace(&uri("team"), &group);
    cf.accepted(&to_group(&group).body("message/cpim", body))
        .await;
    let mut told = Vec::new();
    let mut copies = 0;
    let expected = match (aggregate, discloses) {
        ("false", true) => 51,
        _ => 1,
    };
    while copies < people.len() || told.len() < expected {
        let arrival = cf
            .scene
            .core
            .expect("a copy or a report", |text| {
                text.method() == Some("MESSAGE")
            })
            .await;
        let scene = &mut cf.scene;
        if arrival.text.start_line().contains("sip:alice@") {
            told.push((Instant::now(), arrival.text.clone()));
            scene.core.answer(&arrival, "200 OK", &[], "").await;
        } else {
            // He is away: the core brings it to where it is deferred.
            copies += 1;
            scene.deposit(&back(&arrival.text)).await;
            scene.core.answer(&arrival, "202 Accepted", &[], "").await;
        }
    }
    fence(&mut cf.scene).await;
    assert_eq!(further(&mut cf.scene), 0);
    told
}

#[tokio::test]
async fn ct_imd_08_a_group_is_answered_once_by_the_focus_and_others_are_paced() {
    let told = told_of_a_group("false", true).await;
    let of_the_focus = told.iter().filter(|(_, report)| {
        let call_id = report.field("Call-ID");
        call_id.starts_with("imdn-j")
    });
    assert_eq!(of_the_focus.count(), 1);
    let mut recipients: Vec<_> = told
        .iter()
        .map(|(_, report)| {
            let body = String::from_utf8_lossy(report.body()).into_owned();
            assert!(body.contains("<stored/>"), "{body}");
            let from = body.split_once("<recipient-uri>").expect("one").1;
            from.split_once('<').expect("its end").0.to_owned()
        })
        .collect();
    recipients.sort();
    recipients.dedup();
    assert_eq!(recipients.len(), 51);
    // Ten a second, and one that a late look has held up.
    let took = told[50].0 - told[0].0;
    assert!(took >= Duration::from_millis(4_500), "{took:?}");
}

#[tokio::test]
async fn ct_imd_08_with_aggregation_the_focus_alone_answers() {
    let told = told_of_a_group("true", true).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].1.field("Call-ID").starts_with("imdn-j"));
}

#[tokio::test]
async fn cfp_19_no_report_names_the_members_of_a_group_that_hides_them() {
    let told = told_of_a_group("false", false).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].1.field("Call-ID").starts_with("imdn-j"));
}

#[tokio::test]
async fn imd_02_a_report_that_is_not_taken_is_sent_again_as_it_was() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = asking(&bob, "Xk39", "processing");
    scene.deposit(&request).await;
    let stored = scene.find(&bob, &request.field("Call-ID")).await;
    let first = report(&mut scene).await;
    scene
        .core
        .answer(&first, "480 Temporarily Unavailable", &[], "")
        .await;
    let second = taken(&mut scene).await;
    let without_via = |text: &SipText| {
        let octets = String::from_utf8_lossy(text.octets()).into_owned();
        let lines = octets
            .split("\r\n")
            .filter(|line| !line.starts_with("Via:"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_via(&first.text), without_via(&second));
    is_sent(&scene, &stored.message_id, ReportStatus::Stored).await;
}

#[tokio::test]
async fn prv_08_what_a_sender_writes_ends_no_line_of_a_report() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let body = cpim(&bob, "X<k&39", "processing").replace("To: Bob ", "To: \"B\0\rNS: x <y>\rb\" ");
    let request = example::message(&bob).body("message/cpim", body);
    scene.deposit(&request).await;
    let report = taken(&mut scene).await;
    let body = String::from_utf8_lossy(report.body()).into_owned();
    let (head, _) = body.split_once("\r\n\r\n").expect("an end");
    let names: Vec<_> = head
        .lines()
        .map(|line| line.split(':').next().unwrap_or_default())
        .collect();
    assert_eq!(names, ["From", "To", "NS", "imdn.Message-ID"], "{body}");
    assert!(!head.contains(['\0']) && !head.replace("\r\n", "").contains('\r'));
    assert!(
        body.contains("<message-id>X&lt;k&amp;39</message-id>"),
        "{body}"
    );
    assert!(number(report.field("Call-ID").trim_start_matches("imdn-")).ends_with("-p"));
}

/// A message of `sender` in CPIM, by the reference client.
async fn sent_by_client(deployment: &Deployment, sender: &str, arguments: &[&str]) -> String {
    let mut all = vec!["send"];
    all.extend(arguments);
    let ended = run(deployment.im_client(sender, &all)).await.done();
    assert!(ended.output.starts_with("202 "), "{}", ended.output);
    ended.output
}

#[tokio::test]
async fn ct_opg_06_reports_are_shown_with_the_message_they_are_about() {
    let deployment = Deployment::all().set("push.delay", "20ms").start().await;
    let (alice, bob) = (uri(&format!("alice-{}", fresh())), uri(&somebody()));
    let journal = deployment.scratch().join("sent.json");
    let journal = journal.to_str().expect("text");
    let asked = "processing,positive-delivery";
    let arguments = [
        &*bob,
        "Lunch at noon?",
        "--report",
        asked,
        "--reports",
        journal,
    ];
    let said = sent_by_client(&deployment, &alice, &arguments).await;
    let id = said
        .split("imdn.Message-ID: ")
        .nth(1)
        .expect("shown")
        .trim();
    let stored = deployment.operator().only(&bob).await;
    let headers = stored.headers.as_ref().expect("always set");
    assert_eq!(headers.content_type, "message/cpim");
    assert_eq!(headers.imdn_message_id, id);
    assert_eq!(stored.report_request.expect("asked for").asked.len(), 2);
    eventually(ANSWER, "the first report", async || {
        let told = deployment.operator().list(&alice).await;
        (told.len() == 1).then_some(())
    })
    .await;
    // Bob's client tells her that it has the message.
    let receive = ["receive", "--count", "1", "--json"];
    let received = run(deployment.im_client(&bob, &receive)).await.done();
    let body = received.records()[0]["body"].to_string();
    assert!(body.contains("NS: imdn <urn:ietf:params:imdn>"), "{body}");
    assert!(body.contains("processing, positive-delivery"), "{body}");
    // Of another message she knows nothing.
    let unknown = format!(
        "From: <{bob}>\r\nTo: <{alice}>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 1\r\n\r\n\
         Content-Type: message/imdn+xml\r\n\r\n<imdn><message-id>{}</message-id>\
         <delivery-notification><status><delivered/></status></delivery-notification></imdn>",
        id.to_lowercase() + "x"
    );
    let arguments = [&*alice, &*unknown, "--content-type", "message/cpim"];
    sent_by_client(&deployment, &bob, &arguments).await;
    let receive = [
        "receive",
        "--count",
        "3",
        "--for",
        "60s",
        "--json",
        "--reports",
        journal,
    ];
    let shown = run(deployment.im_client(&alice, &receive)).await.done();
    let told: Vec<_> = shown
        .records()
        .iter()
        .map(|record| {
            let report = &record["report"];
            let about = report["about"]["about"].as_str().unwrap_or("unknown");
            (
                report["status"].as_str().expect("a report").to_owned(),
                about.to_owned(),
            )
        })
        .collect();
    let expected = [
        ("stored", "Lunch at noon?"),
        ("delivered", "Lunch at noon?"),
        ("delivered", "unknown"),
    ];
    let expected = expected.map(|(status, about)| (status.to_owned(), about.to_owned()));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn ct_tpg_03_a_message_that_comes_twice_is_kept_and_told_once() {
    let deployment = Deployment::all().set("push.delay", "20ms").start().await;
    let (alice, bob) = (uri(&format!("alice-{}", fresh())), uri(&somebody()));
    let arguments = [&*bob, "Lunch?", "--report", "positive-delivery"];
    sent_by_client(&deployment, &alice, &arguments).await;
    let stored = deployment.operator().only(&bob).await;
    let journal = deployment.scratch().join("received.json");
    let journal = journal.to_str().expect("text");
    let receive = ["receive", "--count", "1", "--json", "--reports", journal];
    let first = run(deployment.im_client(&bob, &receive)).await.done();
    assert_eq!(first.records()[0]["message_id"], *stored.message_id);
    let again = deployment.operator().redeliver(&stored.message_id).await;
    again.expect("its content is retained");
    let second = run(deployment.im_client(&bob, &receive)).await.done();
    assert_eq!(second.records().len(), 0, "{}", second.output);
    let told = deployment.operator().list(&alice).await;
    let told: Vec<_> = told.iter().map(proto::v1::Message::class).collect();
    assert_eq!(told, [MessageClass::Imdn]);
}
