//! Requirements §5.1: who sends, and to whom.

use restante_tests::sip::{SipPeer, SipText, Transport, example, fresh};
use restante_tests::{Deployment, LoopbackNet, Scene, somebody, uri};

/// A peer that is not trusted.
async fn stranger(scene: &Scene) -> SipPeer {
    SipPeer::open(scene.deployment.net().host(LoopbackNet::STRANGER)).await
}

#[tokio::test]
async fn ct_pfm_16_strangers_senders_without_identity_and_foreign_users_are_refused() {
    let mut scene = Scene::all().await;
    let bob = format!("bob-{}", fresh());
    let foreign = example::message(&bob)
        .start_line("MESSAGE sip:bob@elsewhere.example SIP/2.0")
        .without("P-Served-User");
    assert_eq!(scene.status(&foreign).await, 404);
    let anonymous = example::message(&bob).without("P-Asserted-Identity");
    assert_eq!(scene.status(&anonymous).await, 403);
    let mut stranger = stranger(&scene).await;
    for transport in [Transport::Tcp, Transport::Udp] {
        let way = stranger
            .way(transport, scene.deployment.edge(transport))
            .await;
        let exchange = stranger.call(&way, &example::message(&bob)).await;
        assert_eq!(exchange.response.status(), Some(403), "{transport}");
    }
    assert_eq!(scene.operator.list(&uri(&bob)).await, []);
    scene.deposit(&example::message(&bob)).await;
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 1);
}

#[tokio::test]
async fn ct_pfm_16_an_unknown_user_is_404_where_users_are_listed() {
    let mut scene = Scene::start(Deployment::all().set("provisioning", "listed")).await;
    assert_eq!(scene.status(&example::message("nobody")).await, 404);
    assert_eq!(scene.operator.list("").await, []);
}

#[tokio::test]
async fn ct_pfm_22_an_address_is_compared_by_its_canonical_form() {
    let mut scene = Scene::all().await;
    let bob = format!("bob-{}", fresh());
    let upper = bob.to_uppercase();
    let unserved = |uri: String| {
        let line = format!("MESSAGE {uri} SIP/2.0");
        example::message(&bob)
            .without("P-Served-User")
            .start_line(&line)
    };
    scene
        .deposit(&unserved(format!("sip:{upper}@example.org")))
        .await;
    assert_eq!(
        scene.operator.list(&uri(&bob)).await,
        [],
        "the user part keeps its case"
    );
    scene
        .deposit(&unserved(format!(
            "sip:{bob}@EXAMPLE.org:5060;transport=tcp"
        )))
        .await;
    let stored = scene.operator.only(&uri(&bob)).await;
    assert_eq!(stored.served_user, uri(&bob));
    assert_eq!(
        scene.operator.only(&uri(&upper)).await.served_user,
        uri(&upper)
    );
}

#[tokio::test]
async fn ct_pfm_23_p_served_user_names_the_served_user() {
    let mut scene = Scene::all().await;
    let (bob, alias) = (format!("bob-{}", fresh()), format!("alias-{}", fresh()));
    let request = example::message(&bob).start_line(&format!("MESSAGE {} SIP/2.0", uri(&alias)));
    scene.deposit(&request).await;
    assert_eq!(scene.operator.only(&uri(&bob)).await.served_user, uri(&bob));
    assert_eq!(scene.operator.list(&uri(&alias)).await, []);
}

#[tokio::test]
async fn ct_pfm_27_the_originating_session_case_is_not_served() {
    let mut scene = Scene::all().await;
    let bob = format!("bob-{}", fresh());
    let originating = example::message(&bob)
        .without("Route")
        .set("P-Served-User", "<sip:alice@example.org>;sescase=orig");
    let response = scene.call(&originating).await.response;
    assert_eq!(response.status(), Some(404));
    assert!(response.field("Warning").starts_with("399 "), "{response}");
    for user in [uri(&bob), example::ALICE.to_owned()] {
        assert_eq!(scene.operator.list(&user).await, []);
    }
    let without_case = example::message(&bob).set("P-Served-User", &format!("<{}>", uri(&bob)));
    scene.deposit(&without_case).await;
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 1);
}

#[tokio::test]
async fn ct_pfm_27_the_originating_session_case_goes_on_to_the_next_route() {
    let mut scene = Scene::all().await;
    let bob = format!("bob-{}", fresh());
    let (edge, core) = (scene.deployment.edge(Transport::Tcp), scene.core.tcp());
    let next = format!("<sip:{core};transport=tcp;lr>");
    let routes = format!("<sip:{edge};transport=tcp;lr;orig>, {next}");
    let request = example::message(&bob)
        .without("P-Served-User")
        .set("Route", &routes);
    let sent = scene.core.send(&scene.way, &request).await;
    let arrival = scene.core.request("MESSAGE", &uri(&bob)).await;
    assert_eq!(arrival.text.all("Route"), [next.as_str()]);
    assert_eq!(arrival.text.body(), sent.body());
    let hops = |text: &SipText| text.field("Max-Forwards").parse::<u8>().expect("a number");
    assert_eq!(hops(&arrival.text), hops(&sent) - 1);
    let lines = ["X-Answer: yes".to_owned()];
    scene.core.answer(&arrival, "200 OK", &lines, "").await;
    let response = scene.core.response_to(&sent).await;
    assert_eq!(response.status(), Some(200), "{response}");
    assert_eq!(response.field("X-Answer"), "yes");
    assert_eq!(scene.operator.list(&uri(&bob)).await, []);
}

#[tokio::test]
async fn ct_prv_03_what_a_stranger_asserts_does_not_count() {
    let mut scene = Scene::all().await;
    let (bob, carol) = (somebody(), somebody());
    let plain = example::message(&bob)
        .without("P-Asserted-Identity")
        .without("P-Served-User");
    let served = format!("<{}>;sescase=term;regstate=unreg", uri(&carol));
    let asserted = plain
        .clone()
        .set("P-Asserted-Identity", &format!("<{}>", example::ALICE));
    let requests = [
        asserted.clone(),
        plain.clone().set("P-Served-User", &served),
        asserted.clone().set("P-Served-User", &served),
        plain,
    ];
    let mut stranger = stranger(&scene).await;
    for transport in [Transport::Tcp, Transport::Udp] {
        let way = stranger
            .way(transport, scene.deployment.edge(transport))
            .await;
        for request in &requests {
            let exchange = stranger.call(&way, request).await;
            let response = exchange.response;
            assert_eq!(response.status(), Some(403), "{transport} {response}");
        }
    }
    assert_eq!(scene.operator.list("").await, []);
    // The same words of the core are believed.
    scene.deposit(&requests[2]).await;
    scene.operator.only(&uri(&carol)).await;
    assert_eq!(scene.operator.list(&uri(&bob)).await, []);
}

#[tokio::test]
async fn ct_prv_04_a_sender_has_one_sip_and_one_tel_identity_and_no_third() {
    const SIP: &str = "\"Alice\" <sip:alice@example.org>";
    const TEL: &str = "<tel:+15550100>";
    const NAME: &str = "P-Asserted-Identity";
    let mut scene = Scene::all().await;
    let bob = somebody();
    let other = "<sip:alice@elsewhere.example>";
    let message = || example::message(&bob).without(NAME);
    let two = [
        message().set(NAME, &format!("{SIP}, {TEL}")),
        message()
            .line(format!("{NAME}: {TEL}"))
            .line(format!("{NAME}: {SIP}")),
    ];
    for request in &two {
        scene.deposit(request).await;
        let stored = scene.find(&bob, &request.field("Call-ID")).await;
        let headers = stored.headers.expect("always set");
        for identity in [SIP, TEL] {
            assert!(headers.asserted_identity.contains(identity), "{headers:?}");
        }
    }
    let three = [
        message().set(NAME, &format!("{SIP}, {TEL}, {other}")),
        message().set(NAME, &format!("{SIP}, {TEL}, <tel:+15550101>")),
        message()
            .line(format!("{NAME}: {SIP}, {TEL}"))
            .line(format!("{NAME}: {other}")),
    ];
    for request in &three {
        assert_eq!(scene.status(request).await, 400, "{request:?}");
    }
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), two.len());
}
