//! Requirements §3.6: what one sender may cause, and what that costs others.

use restante_tests::sip::{RequestText, SipText, example, fresh};
use restante_tests::{Deployment, Part, Scene, uri};

fn somebody() -> String {
    format!("bob-{}", fresh())
}

fn from_carol() -> RequestText {
    example::message(&somebody()).set("P-Asserted-Identity", "<sip:carol@example.org>")
}

async fn answers(scene: &mut Scene, sent: &[SipText]) -> Vec<SipText> {
    let mut answers = Vec::new();
    for request in sent {
        answers.push(scene.core.response_to(request).await);
    }
    answers
}

#[tokio::test]
async fn ct_pfm_33_a_sender_who_is_too_fast_is_told_so_and_others_are_served() {
    let plan = Deployment::all().set("limits.sender_rate", "20");
    let mut scene = Scene::start(plan).await;
    let (mut alice, mut carol) = (Vec::new(), Vec::new());
    for number in 0..200 {
        let message = example::message(&somebody());
        alice.push(scene.core.send(&scene.way, &message).await);
        if number % 20 == 0 {
            carol.push(scene.core.send(&scene.way, &from_carol()).await);
        }
    }
    for response in answers(&mut scene, &carol).await {
        assert_eq!(response.status(), Some(202), "{response}");
    }
    let (refused, accepted): (Vec<_>, Vec<_>) = answers(&mut scene, &alice)
        .await
        .into_iter()
        .partition(|response| response.status() == Some(480));
    for response in &accepted {
        assert_eq!(response.status(), Some(202), "{response}");
    }
    // The burst, and what the rate has let through meanwhile.
    assert!(accepted.len() >= 100, "{}", accepted.len());
    assert!(!refused.is_empty());
    for response in &refused {
        let seconds = response.field("Retry-After").parse::<u32>();
        assert!(seconds.is_ok_and(|s| (1..=5).contains(&s)), "{response}");
        let warning = response.field("Warning");
        assert!(
            warning.starts_with("399 ") && warning.contains("sender rate"),
            "{response}"
        );
    }
    assert_eq!(
        scene.operator.list("").await.len(),
        accepted.len() + carol.len()
    );
}

#[tokio::test]
async fn ct_pfm_34_by_default_no_sender_is_too_fast() {
    /// A core that sends no more before it has answers.
    const UNDER_WAY: usize = 100;
    let mut scene = Scene::all().await;
    let users: Vec<_> = (0..100).map(|_| somebody()).collect();
    for batch in 0..5_000 / UNDER_WAY {
        let mut sent = Vec::new();
        for number in 0..UNDER_WAY {
            let user = &users[(batch * UNDER_WAY + number) % users.len()];
            sent.push(scene.core.send(&scene.way, &example::message(user)).await);
        }
        for response in answers(&mut scene, &sent).await {
            assert_eq!(response.status(), Some(202), "{response}");
        }
    }
}

#[tokio::test]
async fn ct_pfm_33_a_sender_with_too_much_stored_is_told_so_until_some_of_it_is_delivered() {
    let plan = Deployment::all().set("limits.sender_stored", "10");
    let mut scene = Scene::start(plan).await;
    let users: Vec<_> = (0..10).map(|_| somebody()).collect();
    for user in &users {
        scene.deposit(&example::message(user)).await;
    }
    let refused = scene.call(&example::message(&somebody())).await.response;
    assert_eq!(refused.status(), Some(480), "{refused}");
    let seconds: u32 = refused.field("Retry-After").parse().expect("a number");
    assert!(seconds > 0);
    assert_eq!(scene.status(&from_carol()).await, 202);
    // What is counted is on disk with the messages.
    scene.deployment.kill(Part::All).await;
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    assert_eq!(scene.status(&example::message(&somebody())).await, 480);
    scene.register(&users[0]).await;
    let ids = scene.receive(&users[0], 1).await;
    scene
        .operator
        .until(&ids[0], proto::v1::MessageState::Delivered)
        .await;
    scene.deposit(&example::message(&users[1])).await;
    assert_eq!(scene.status(&example::message(&somebody())).await, 480);
    assert_eq!(scene.operator.list(&uri(&users[1])).await.len(), 2);
}
