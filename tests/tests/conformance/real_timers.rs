//! Rows whose times are half a minute and more, with the timers of a real deployment (requirements §3.1). With every
//! change the same rows are tested at shortened times. Tests of this tier about pushes and retries are with the shortened ones.

use std::time::{Duration, Instant};

use restante_tests::deployment::Plan;
use restante_tests::sip::SipText;
use restante_tests::{Deployment, Part, Scene, uri};

use crate::fan_out::{Controlling, entry, people};
use crate::large_session::{SENDONLY, accepted, open, sender};

/// A plan whose sessions end for want of refreshes before they end for want of content.
fn patient() -> Plan {
    Deployment::all()
        .set("large.first_send", "10m")
        .set("large.stall", "10m")
}

#[tokio::test]
#[ignore = "long: half a minute without a connection, a minute without progress"]
async fn ct_def_18_a_sender_that_never_sends_has_half_a_minute() {
    let mut scene = Scene::all().await;
    let from = sender(&scene).await;
    let invite = from.offer(SENDONLY);
    let silent = accepted(&mut scene, from, &invite).await;
    let times = Duration::from_secs(29)..Duration::from_secs(45);
    let bye = scene
        .bye_between(silent.invite.field("Call-ID"), times)
        .await;
    assert_eq!(bye.field("Reason"), "SIP;cause=408");

    let mut stalled = open(&mut scene, SENDONLY).await;
    stalled.send("half0001", "1-5/10", b"Hello", '+').await;
    assert_eq!(stalled.msrp().response().await.1, 200);
    let times = Duration::from_secs(59)..Duration::from_secs(75);
    let bye = scene
        .bye_between(stalled.invite.field("Call-ID"), times)
        .await;
    assert_eq!(bye.field("Reason"), "SIP;cause=408");
    let stored = scene.operator.list(&uri(&stalled.sender.user)).await;
    assert!(stored.is_empty(), "{stored:#?}");
}

#[tokio::test]
#[ignore = "long: a minute, half a minute before the end of a session of 90 s"]
async fn ct_def_23_a_session_that_nobody_refreshes_ends_half_a_minute_before_its_interval() {
    let mut scene = Scene::start(patient()).await;
    let from = sender(&scene).await;
    let invite = from.offer(SENDONLY);
    let invite = invite.set("Session-Expires", "90;refresher=uac");
    let upload = accepted(&mut scene, from, &invite).await;
    let times = Duration::from_secs(59)..Duration::from_secs(75);
    scene
        .bye_between(upload.invite.field("Call-ID"), times)
        .await;
}

#[tokio::test]
#[ignore = "long: a refresh at half of 90 s"]
async fn ct_def_22_the_edge_refreshes_at_half_of_the_interval() {
    let mut scene = Scene::start(patient()).await;
    let from = sender(&scene).await;
    let invite = from
        .offer(SENDONLY)
        .set("Session-Expires", "90;refresher=uas")
        .set("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE");
    let mut upload = accepted(&mut scene, from, &invite).await;
    let begun = Instant::now();
    let call_id = upload.invite.field("Call-ID").to_owned();
    let is_update =
        |text: &SipText| text.method() == Some("UPDATE") && text.field("Call-ID") == call_id;
    let limit = Duration::from_secs(60);
    let update = scene.core.expect_within(limit, "an UPDATE", is_update);
    let update = update.await;
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(44), "{waited:?}");
    assert!(update.text.body().is_empty(), "{}", update.text);
    let timer = [
        "Session-Expires: 90;refresher=uac".to_owned(),
        "Require: timer".to_owned(),
    ];
    scene.core.answer(&update, "200 OK", &timer, "").await;
    assert_eq!(upload.bye(&mut scene.core).await, 200);
}

#[tokio::test]
#[ignore = "long: 64 times T1 of 500 ms"]
async fn ct_def_25_the_200_is_repeated_at_growing_pauses_for_32_s() {
    let mut scene = Scene::all().await;
    let from = sender(&scene).await;
    let exchange = scene.call(&from.offer(SENDONLY)).await;
    assert_eq!(exchange.response.status(), Some(200));
    let begun = Instant::now();
    let call_id = exchange.request.field("Call-ID").to_owned();
    // RFC 3261 §13.3.1.4: T1, doubled up to T2.
    let mut at = Duration::ZERO;
    for pause in [500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000].map(Duration::from_millis) {
        at += pause;
        let is_200 =
            |text: &SipText| text.status() == Some(200) && text.field("Call-ID") == call_id;
        scene.core.expect("the 200 again", is_200).await;
        let waited = begun.elapsed();
        assert!(
            waited + Duration::from_millis(300) > at,
            "{waited:?} for {at:?}"
        );
        assert!(
            waited < at + Duration::from_secs(2),
            "{waited:?} for {at:?}"
        );
    }
    let left = Duration::from_secs(32) - begun.elapsed();
    let times = left.saturating_sub(Duration::from_secs(1))..left + Duration::from_secs(15);
    scene.bye_between(&call_id, times).await;
}

#[tokio::test]
#[ignore = "long: a hop that is down for three minutes"]
async fn ct_cfp_17_a_hop_that_is_down_for_three_minutes_costs_no_tries() {
    let scene = Scene::start(Deployment::three_processes()).await;
    let mut cf = Controlling::of(scene).await;
    let people = people(3);
    let entries: Vec<_> = people.iter().map(|user| entry(user, "bcc")).collect();
    let request = cf.to(&entries);
    cf.accepted(&request).await;
    let end = Instant::now() + Duration::from_secs(180);
    let (mut copy, mut refused) = (None, 0);
    let is_copy = |text: &SipText| text.method() == Some("MESSAGE");
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        let next = cf.scene.core.expect_within(left * 2, "a copy", is_copy);
        let Ok(arrival) = tokio::time::timeout(left, next).await else {
            break;
        };
        let wait = ["Retry-After: 5".to_owned()];
        let core = &cf.scene.core;
        core.reply(&arrival, "503 Service Unavailable", &wait, "")
            .await;
        copy = Some(arrival.text);
        refused += 1;
        if refused == 5 {
            cf.scene.deployment.kill(Part::ControllingEdge).await;
            cf.scene.deployment.launch(Part::ControllingEdge).await;
            cf.reconnect().await;
        }
    }
    assert!(refused > 5, "{refused}");
    for user in &people {
        cf.take(user, "200 OK").await;
    }
    let job = cf.ended_job(&copy.expect("a copy")).await;
    assert_eq!((job.delivered, job.failed), (3, 0));
    for leg in cf.scene.operator.legs(job.job).await {
        assert_eq!(leg.attempts, 1, "{leg:?}");
    }
}
