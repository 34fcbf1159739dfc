//! Requirements §5.11: who registers, and where his messages go.

use restante_tests::msrp::{PushSession, Setup};
use restante_tests::patience::{ANSWER, within};
use restante_tests::sip::example::{IM_CONTACT, bare_register, embedded_register};
use restante_tests::sip::{Arrival, RequestText, SipPeer, Transport, Way, example, fresh};
use restante_tests::{Deployment, LoopbackNet, Part, Scene, somebody, uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The REGISTER that a client sends itself.
fn own_register(user: &str, contact: &str, cseq: u32) -> RequestText {
    RequestText::new(&format!(
        "REGISTER sip:example.org SIP/2.0
        Via: {{hop}}
        Max-Forwards: 70
        From: <{0}>;tag=r1
        To: <{0}>
        Call-ID: reg-{user}@client.example.org
        CSeq: {cseq} REGISTER
        Contact: {contact}
        Expires: 3600
        Content-Length: 0",
        uri(user)
    ))
}

/// A client and a deployment without a core.
struct Laptop {
    deployment: Deployment,
    client: SipPeer,
    way: Way,
}

impl Laptop {
    async fn start() -> Self {
        let deployment = Deployment::all().start().await;
        let client = SipPeer::open(deployment.net().host(LoopbackNet::CORE)).await;
        let way = client
            .way(Transport::Tcp, deployment.edge(Transport::Tcp))
            .await;
        Self {
            deployment,
            client,
            way,
        }
    }

    async fn status(&mut self, request: &RequestText) -> u16 {
        self.call(request).await.text.status().expect("a response")
    }

    async fn call(&mut self, request: &RequestText) -> Arrival {
        let text = self.client.call(&self.way, request).await.response;
        Arrival {
            text,
            way: self.way.clone(),
        }
    }

    async fn invite(&mut self, user: &str) -> Arrival {
        let to = format!("<{}>", uri(user));
        let wanted = |text: &restante_tests::sip::SipText| {
            text.method() == Some("INVITE") && text.field("To") == to
        };
        self.client.expect("a push INVITE", wanted).await
    }

    async fn contacts(&mut self, request: &RequestText) -> Vec<String> {
        let answer = self.call(request).await;
        assert_eq!(answer.text.status(), Some(200), "{}", answer.text);
        answer
            .text
            .all("Contact")
            .iter()
            .flat_map(|line| line.split(", "))
            .map(str::to_owned)
            .collect()
    }
}

#[tokio::test]
async fn ct_reg_01_a_copied_register_of_the_core_is_pushed_by_the_next_hop() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let register = own_register(&bob, IM_CONTACT, 1).line("Path: <sip:pcscf1.example.org;lr>");
    scene.registered(&register).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
    let mailbox = scene.operator.mailbox(&uri(&bob)).await.expect("a mailbox");
    assert!(
        mailbox.bindings[0].path[0].contains("pcscf1.example.org"),
        "{mailbox:?}"
    );
}

#[tokio::test]
async fn ct_reg_01_a_stranger_cannot_register() {
    let scene = Scene::all().await;
    let host = scene.deployment.net().host(LoopbackNet::STRANGER);
    let mut stranger = SipPeer::open(host).await;
    let way = stranger
        .way(Transport::Tcp, scene.deployment.edge(Transport::Tcp))
        .await;
    let bob = somebody();
    for register in [own_register(&bob, IM_CONTACT, 1), example::register(&bob)] {
        assert_eq!(
            stranger.call(&way, &register).await.response.status(),
            Some(403)
        );
    }
    let none = scene
        .operator
        .mailbox(&uri(&bob))
        .await
        .expect_err("nothing is stored");
    assert_eq!(none.code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn ct_reg_05_a_client_behind_a_nat_gets_its_push_on_the_connection_it_registered_on() {
    let mut laptop = Laptop::start().await;
    let bob = somebody();
    assert_eq!(laptop.status(&example::message(&bob)).await, 202);
    // 192.0.2.0/24 is nowhere (RFC 5737 §3).
    let unreachable = "<sip:bob@192.0.2.77:5060;transport=tcp>;+g.oma.sip-im";
    assert_eq!(
        laptop.status(&own_register(&bob, unreachable, 1)).await,
        200
    );
    let invite = laptop.invite(&bob).await;
    assert_eq!(invite.way.to, laptop.way.to);
    let mut session = PushSession::answer_invite(&mut laptop.client, invite, Setup::Active).await;
    let id = session.take().await.message_id();
    session.bye(&mut laptop.client).await;
    assert_eq!(
        laptop
            .deployment
            .operator()
            .only(&uri(&bob))
            .await
            .message_id,
        id
    );
}

#[tokio::test]
async fn ct_reg_04_a_registrar_keeps_bindings_in_order_and_within_bounds() {
    let mut laptop = Laptop::start().await;
    let bob = somebody();
    let (phone, desk) = (
        "<sip:bob@127.0.0.1:7001>;+g.oma.sip-im",
        "<sip:bob@127.0.0.1:7002>",
    );
    assert_eq!(
        laptop.contacts(&own_register(&bob, phone, 1)).await.len(),
        1
    );
    let both = laptop.contacts(&own_register(&bob, desk, 2)).await;
    assert_eq!(both.len(), 2);
    assert!(
        both.iter().all(|contact| contact.contains(";expires=")),
        "{both:?}"
    );
    assert_eq!(laptop.contacts(&own_register(&bob, desk, 3)).await.len(), 2);
    assert_eq!(
        laptop.status(&own_register(&bob, desk, 1)).await,
        500,
        "an old CSeq"
    );
    assert_eq!(
        laptop
            .status(&own_register(&bob, "*", 4).set("Expires", "60"))
            .await,
        400
    );
    let brief = laptop
        .call(&own_register(&bob, desk, 5).set("Expires", "10"))
        .await
        .text;
    assert_eq!(
        (brief.status(), brief.field("Min-Expires")),
        (Some(423), "60")
    );
    for port in 7_003..=7_010 {
        let contact = format!("<sip:bob@127.0.0.1:{port}>");
        assert_eq!(
            laptop.status(&own_register(&bob, &contact, port)).await,
            200
        );
    }
    let eleventh = own_register(&bob, "<sip:bob@127.0.0.1:7011>", 8_000);
    assert_eq!(laptop.status(&eleventh).await, 403);
    let none = laptop
        .contacts(&own_register(&bob, "*", 9_000).set("Expires", "0"))
        .await;
    assert_eq!(none, [""; 0]);
}

#[tokio::test]
async fn ct_reg_04_the_same_instance_from_a_new_address_replaces_the_old_one() {
    let mut laptop = Laptop::start().await;
    let bob = somebody();
    let instance = "+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\";reg-id=1";
    for port in [7_001_u32, 7_002] {
        let contact = format!("<sip:bob@127.0.0.1:{port}>;{instance}");
        let bound = laptop.contacts(&own_register(&bob, &contact, port)).await;
        assert_eq!(bound.len(), 1, "{bound:?}");
        let uri = format!("<sip:bob@127.0.0.1:{port}>");
        assert!(bound[0].starts_with(&uri), "{bound:?}");
    }
    let another = format!("<sip:bob@127.0.0.1:7003>;{instance}").replace("reg-id=1", "reg-id=2");
    let bound = laptop.contacts(&own_register(&bob, &another, 7_003)).await;
    assert_eq!(bound.len(), 2, "another flow: {bound:?}");
}

#[tokio::test]
async fn ct_reg_01_without_a_core_a_push_goes_to_the_contact() {
    let mut laptop = Laptop::start().await;
    let bob = somebody();
    assert_eq!(laptop.status(&example::message(&bob)).await, 202);
    let contact = format!(
        "<sip:bob@{};transport=tcp>;+g.oma.sip-im",
        laptop.client.tcp()
    );
    let edge = laptop.deployment.edge(Transport::Tcp);
    // The connection of the registration is gone when the push is due.
    let mut connection = laptop.client.connect(edge).await.expect("it listens");
    let hop = laptop.client.hop(&laptop.way);
    let register = own_register(&bob, &contact, 1).octets(&hop, &edge.to_string());
    connection.write_all(&register).await.expect("sent");
    let mut answer = vec![0; 4_096];
    let length = connection.read(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    drop(connection);
    let invite = laptop.invite(&bob).await;
    assert_eq!(
        invite.text.start_line(),
        format!("INVITE {} SIP/2.0", uri(&bob))
    );
    let mut session = PushSession::answer_invite(&mut laptop.client, invite, Setup::Active).await;
    session.take().await;
    session.bye(&mut laptop.client).await;
}

#[tokio::test]
async fn ct_reg_02_beyond_loopback_nobody_registers_until_it_is_said_how() {
    let plan = Deployment::all();
    let client = SipPeer::open(plan.net().host(LoopbackNet::CORE)).await;
    let (server, peer) = (plan.net().host(LoopbackNet::SERVER), client.tcp().ip());
    let plan = plan
        .set("sip-edge.listen_tcp", "0.0.0.0:0")
        .set("sip-edge.advertised_host", &server.to_string())
        .set("trust.peers", &format!("{peer}/32"));
    let deployment = plan.start().await;
    let port = deployment.edge(Transport::Tcp).port();
    let way = client.way(Transport::Tcp, (server, port).into()).await;
    let mut laptop = Laptop {
        deployment,
        client,
        way,
    };
    let bob = somebody();
    assert_eq!(laptop.status(&own_register(&bob, IM_CONTACT, 1)).await, 403);
    assert_eq!(laptop.status(&example::message(&bob)).await, 202, "trusted");
    let log = laptop.deployment.process(Part::All).log().lines();
    let hint = "set registrar.enabled and registrar.auth";
    assert!(log.iter().any(|line| line.contains(hint)), "{log:#?}");
}

#[tokio::test]
async fn ct_reg_02_on_loopback_a_client_registers_without_any_configuration() {
    let mut laptop = Laptop::start().await;
    let bob = somebody();
    assert_eq!(laptop.status(&own_register(&bob, IM_CONTACT, 1)).await, 200);
}

#[tokio::test]
async fn ct_reg_05_a_phone_behind_a_nat_and_a_proxy_gets_its_message_on_that_connection() {
    let mut laptop = Laptop::start().await;
    let bob = somebody();
    assert_eq!(laptop.status(&example::message(&bob)).await, 202);
    let unreachable = "<sip:bob@192.0.2.77:5060;transport=tcp>";
    let path = "<sip:proxy.example.org;lr>";
    let register = own_register(&bob, unreachable, 1)
        .line(format!("Path: {path}"))
        .line("Supported: path");
    let answer = laptop.call(&register).await.text;
    assert_eq!((answer.status(), answer.field("Path")), (Some(200), path));
    let is_message = |text: &restante_tests::sip::SipText| text.method() == Some("MESSAGE");
    let message = laptop.client.expect("a MESSAGE", is_message).await;
    assert_eq!(message.way.to, laptop.way.to);
    assert_eq!(message.text.all("Route"), [path]);
    let line = "MESSAGE sip:bob@192.0.2.77:5060;transport=tcp SIP/2.0";
    assert_eq!(message.text.start_line(), line);
    laptop.client.answer(&message, "200 OK", &[], "").await;
}

#[tokio::test]
async fn ct_reg_06_a_client_gets_no_address_by_its_own_word() {
    let mut laptop = Laptop::start().await;
    let (bob, carol) = (somebody(), somebody());
    let register = own_register(&bob, "<sip:bob@127.0.0.1:7001>", 1).line(format!(
        "P-Associated-URI: <{}>, <{}>",
        uri(&bob),
        uri(&carol)
    ));
    assert_eq!(laptop.status(&register).await, 200);
    assert_eq!(laptop.status(&example::message(&carol)).await, 202);
    let operator = laptop.deployment.operator();
    assert_eq!(operator.list(&uri(&bob)).await, []);
    assert_eq!(operator.only(&uri(&carol)).await.served_user, uri(&carol));
}

#[tokio::test]
async fn ct_reg_06_the_core_moves_no_address_of_another_account_and_none_of_a_foreign_domain() {
    let mut scene = Scene::all().await;
    let (bob, carol) = (somebody(), somebody());
    // Nobody owns an address before its first registration.
    scene.registered(&bare_register(&carol, 3_600)).await;
    let of_carol = scene.deposit_text(&carol, "for Carol").await;
    let foreign = format!("sip:{bob}@elsewhere.example");
    let register = bare_register(&bob, 3_600).line(format!(
        "P-Associated-URI: <{}>, <{}>, <{foreign}>",
        uri(&bob),
        uri(&carol)
    ));
    scene.registered(&register).await;
    scene.deposit_text(&bob, "for Bob").await;
    assert_eq!(scene.operator.list(&uri(&carol)).await, [of_carol]);
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 1);
    let unknown = scene.operator.mailbox(&foreign).await;
    assert_eq!(unknown.expect_err("no alias").code(), tonic::Code::NotFound);
    let is_refusal = |event: &serde_json::Value| {
        let text = event["event"].as_str().unwrap_or_default();
        (text == "alias.refused").then_some(())
    };
    let log = scene.deployment.process(Part::All).log();
    within(ANSWER, "an audit event", log.find(is_refusal)).await;
}

#[tokio::test]
async fn ct_reg_08_a_registration_outlives_edge_and_store() {
    let plan = Deployment::two_processes().set("push.on_deposit", "50ms");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    scene.register(&bob).await;
    scene.deployment.kill(Part::SipEdge).await;
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    scene.deployment.launch(Part::SipEdge).await;
    scene.reconnect().await;
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let mailbox = scene.operator.mailbox(&uri(&bob)).await.expect("a mailbox");
    assert_eq!(mailbox.bindings.len(), 1, "{mailbox:?}");
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_reg_09_a_register_of_kamailio_is_understood() {
    let mut scene = Scene::all().await;
    let (bob, number) = (somebody(), rand_number());
    let to_number = example::message(&bob)
        .start_line(&format!("MESSAGE tel:{number} SIP/2.0"))
        .without("P-Served-User");
    let ids = [scene.deposit_text(&bob, "hi").await.message_id];
    // Its ims_isc module sends one body of the three, never a multipart.
    let contact = "<sip:scscf.example.org:6060;transport=tcp;alias=1>;+sip.src;q=0.5";
    let register = bare_register(&bob, 3_600)
        .set("Max-Forwards", "10")
        .set("Contact", contact)
        .line("Event: registration")
        .line("Path: <sip:term@pcscf.example.org:4060;lr>")
        .line(format!("P-Associated-URI: <{}>,<tel:{number}>", uri(&bob)))
        .body("message/sip", embedded_register(&bob, IM_CONTACT));
    let answer = scene.registered(&register).await.response;
    assert_eq!(answer.field("Contact"), format!("{contact};expires=3600"));
    assert_eq!(scene.receive(&bob, 1).await, ids);
    scene.deposit(&to_number).await;
    let stored = scene.operator.list(&uri(&bob)).await;
    assert_eq!(stored.len(), 2, "the alias is learned: {stored:#?}");
}

#[tokio::test]
async fn ct_reg_07_a_third_party_deregistration_ends_the_bindings_it_names() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let phone = "<sip:bob@203.0.113.9:5060>;+g.oma.sip-im;expires=3600";
    let desk = "<sip:bob@203.0.113.10:5060>;+g.oma.sip-im;expires=3600";
    for contact in [phone, desk] {
        let register =
            bare_register(&bob, 3600).body("message/sip", embedded_register(&bob, contact));
        scene.registered(&register).await;
    }
    let gone = embedded_register(&bob, &phone.replace("expires=3600", "expires=0"));
    scene
        .registered(&bare_register(&bob, 0).body("message/sip", gone))
        .await;
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let mailbox = scene.operator.mailbox(&uri(&bob)).await.expect("a mailbox");
    assert_eq!(mailbox.bindings.len(), 1, "{mailbox:?}");
    scene
        .operator
        .push(&uri(&bob), false)
        .await
        .expect("an answer");
    assert_eq!(scene.receive(&bob, 1).await, [id]);
    scene.registered(&bare_register(&bob, 0)).await;
    let mailbox = scene.operator.mailbox(&uri(&bob)).await.expect("a mailbox");
    assert_eq!(mailbox.bindings, []);
}

#[tokio::test]
async fn ct_sto_06_an_alias_learned_from_the_core_is_the_same_account() {
    let plan = Deployment::all().set("pf.forward_online", "false");
    let mut scene = Scene::start(plan).await;
    let (bob, number) = (somebody(), rand_number());
    let register = bare_register(&bob, 3600)
        .line(format!("P-Associated-URI: <{}>, <tel:{number}>", uri(&bob)));
    scene.registered(&register).await;
    let to_number = example::message(&bob)
        .start_line(&format!("MESSAGE tel:{number} SIP/2.0"))
        .without("P-Served-User");
    scene.deposit(&to_number).await;
    scene.deposit(&example::message(&bob)).await;
    let stored = scene.operator.list(&uri(&bob)).await;
    assert_eq!(stored.len(), 2, "{stored:#?}");
    assert_eq!(scene.operator.list(&format!("tel:{number}")).await, stored);
    let ids: Vec<String> = stored
        .into_iter()
        .map(|message| message.message_id)
        .collect();
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 2).await, ids);
}

/// A telephone number that nobody else has.
fn rand_number() -> String {
    let digits = u64::from_str_radix(&fresh(), 16).expect("hexadecimal") % 10_000_000_000;
    format!("+1{digits:010}")
}
