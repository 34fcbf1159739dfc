//! Two participating edges behind Kamailio, of which one is gone.

use std::time::Instant;

use restante_tests::Part;
use restante_tests::patience::ANSWER;
use restante_tests::run::run;
use restante_tests::sip::{example, fresh};
use restante_tests::uri;

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
