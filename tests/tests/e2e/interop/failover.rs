//! Two participating edges behind Kamailio, of which one is gone or not well.

use std::time::Instant;

use restante_tests::patience::ANSWER;
use restante_tests::run::run;
use restante_tests::sip::{SipPeer, SipText, example, fresh};
use restante_tests::{Part, uri};

use super::are_there;
use super::kamailio::{Kamailio, Passwords};
use super::site::Site;

/// Enough for some to be meant for either edge: Kamailio chooses by Call-ID.
const MESSAGES: usize = 8;

#[tokio::test]
async fn what_one_edge_does_not_take_goes_to_the_other_behind_kamailio() {
    if !are_there(&["kamailio", "stdbuf"]) {
        return;
    }
    let deployment = Site::plan().start().await;
    let second = deployment.second_edge().await;
    let kamailio = Kamailio::start_with(&deployment, Passwords::NotAsked, &[second.tcp]).await;
    let mut site = Site {
        deployment,
        kamailio,
    };
    let bob = uri(&format!("bob-{}", fresh()));
    for round in 0..2 {
        let sent = Instant::now();
        for _ in 0..MESSAGES {
            let said = run(site.client(example::ALICE, &["send", &bob, "Lunch?"])).await;
            assert_eq!(said.done().output, "202 Accepted\n");
        }
        assert!(sent.elapsed() < ANSWER, "{:?}", sent.elapsed());
        let stored = site.deployment.operator().list(&bob).await;
        assert_eq!(stored.len(), MESSAGES * (round + 1));
        if round == 0 {
            site.deployment.kill(Part::SipEdge).await;
        }
    }
    site.kamailio.stop().await;
}

/// A host of its own.
const UNWELL: u8 = 8;

#[tokio::test]
async fn an_edge_that_says_that_it_is_not_well_gets_nothing_from_kamailio() {
    if !are_there(&["kamailio", "stdbuf"]) {
        return;
    }
    let deployment = Site::plan().start().await;
    let mut unwell = SipPeer::open(deployment.net().host(UNWELL)).await;
    let other = [unwell.tcp()];
    let kamailio = Kamailio::start_with(&deployment, Passwords::NotAsked, &other).await;
    let site = Site {
        deployment,
        kamailio,
    };
    // Two are enough; with the third what follows from them is done.
    for _ in 0..3 {
        let is_question = |text: &SipText| text.method() == Some("OPTIONS");
        let question = unwell
            .expect("the question for its health", is_question)
            .await;
        assert_eq!(
            question.text.field("User-Agent").split(' ').next(),
            Some("kamailio")
        );
        let answer = "503 Service Unavailable";
        unwell
            .answer(&question, answer, &["Retry-After: 10".to_owned()], "")
            .await;
    }
    let bob = uri(&format!("bob-{}", fresh()));
    for _ in 0..MESSAGES {
        let said = run(site.client(example::ALICE, &["send", &bob, "Lunch?"])).await;
        assert_eq!(said.done().output, "202 Accepted\n");
    }
    assert_eq!(unwell.count(|text| text.method() == Some("MESSAGE")), 0);
    assert_eq!(site.deployment.operator().list(&bob).await.len(), MESSAGES);
    site.kamailio.stop().await;
}
