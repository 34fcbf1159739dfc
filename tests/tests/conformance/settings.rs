//! Requirements §5.6, and the rows of §5.2 and §5.4 that settings decide.

use std::time::Duration;

use proto::v1::settings_admin_service_client::SettingsAdminServiceClient;
use proto::v1::{
    ClearSettingsRequest, GetSettingsRequest, OverrideSettingsRequest, PresetSettingsRequest,
    PushPlan, SettingValues, UserSettings,
};
use restante_tests::deployment::Part;
use restante_tests::patience::{ANSWER, within};
use restante_tests::run::run;
use restante_tests::sip::{Exchange, RequestText, example, fresh};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Deployment, Scene, uri};
use tonic::transport::{Channel, Endpoint};

fn somebody() -> String {
    format!("bob-{}", fresh())
}

const ENTITY: &str = "urn:uuid:00000000-0000-1000-8000-000A95A0E128";

/// A document with one entity.
fn document(entity: &str, inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\"
              xmlns:im=\"urn:oma:xml:im:service-settings\">
  <entity id=\"{entity}\">{inner}</entity>
</poc-settings>"
    )
}

/// What the entity of requirements §2.6 says, with these values of b, d and g.
fn all_seven(barring: bool, delivery: &str, files: bool) -> String {
    document(
        ENTITY,
        &format!(
            "<isb-settings>
      <incoming-session-barring active=\"false\"/>
      <im:incoming-pager-large-barring active=\"{barring}\"/>
      <im:incoming-file-transfer-barring active=\"{files}\"/>
    </isb-settings>
    <im:vis-settings><im:vis-status active=\"true\"/></im:vis-settings>
    <im:deferred-settings><im:offline-delivery active=\"{delivery}\"/></im:deferred-settings>
    <im:hist-settings>
      <im:hist-activation active=\"false\"><im:session-mode/></im:hist-activation>
      <im:hist-activation active=\"true\"><im:pager-large-mode/></im:hist-activation>
    </im:hist-settings>"
        ),
    )
}

pub(crate) fn delivery(active: &str) -> String {
    document(
        ENTITY,
        &format!(
            "<im:deferred-settings><im:offline-delivery active=\"{active}\"/></im:deferred-settings>"
        ),
    )
}

/// The PUBLISH of requirements §2.6 without a body.
fn bare(user: &str) -> RequestText {
    RequestText::new(&format!(
        "PUBLISH sip:{user}@example.org SIP/2.0
        Via: {{hop}}
        Via: SIP/2.0/TCP 203.0.113.9:5060;branch=z9hG4bK-b-p1
        Max-Forwards: 68
        Route: <sip:{{edge}};transport=tcp;lr>
        From: <sip:{user}@example.org>;tag={}
        To: <sip:{user}@example.org>
        Call-ID: {}@203.0.113.9
        CSeq: 1 PUBLISH
        Event: poc-settings
        Expires: 3600
        Accept-Contact: *;+g.oma.sip-im
        User-Agent: IM-client/OMA1.0 AcmeIM/3.2
        P-Asserted-Identity: <sip:{user}@example.org>
        Content-Length: 0",
        fresh(),
        fresh()
    ))
}

pub(crate) fn publish(user: &str, document: &str) -> RequestText {
    bare(user).body("application/poc-settings+xml", document)
}

async fn published(scene: &mut Scene, request: &RequestText) -> Exchange {
    let exchange = scene.call(request).await;
    assert_eq!(
        exchange.response.status(),
        Some(200),
        "{}",
        exchange.response
    );
    exchange
}

/// Publishes and returns the entity-tag.
async fn tag(scene: &mut Scene, request: &RequestText) -> String {
    let exchange = published(scene, request).await;
    let tag = exchange.response.field("SIP-ETag").to_owned();
    assert!(!tag.is_empty(), "{}", exchange.response);
    tag
}

pub(crate) fn admin(scene: &Scene) -> SettingsAdminServiceClient<Channel> {
    let url = format!(
        "http://{}",
        scene.deployment.address("storage.operator_listen")
    );
    let endpoint = Endpoint::from_shared(url).expect("a URL");
    SettingsAdminServiceClient::new(endpoint.connect_lazy())
}

async fn seen(scene: &Scene, user: &str) -> UserSettings {
    let request = GetSettingsRequest { address: uri(user) };
    let answer = admin(scene).get_settings(request).await;
    answer.expect("an account").into_inner()
}

async fn effective(scene: &Scene, user: &str) -> SettingValues {
    seen(scene, user).await.effective.expect("always set")
}

/// What holds where nobody says anything.
fn defaults() -> SettingValues {
    SettingValues {
        session_barring: Some(false),
        message_barring: Some(false),
        invisibility: Some(false),
        offline_delivery: Some(true),
        session_history: Some(false),
        message_history: Some(false),
        file_transfer_barring: Some(false),
    }
}

#[tokio::test]
async fn ct_set_01_a_publish_sets_seven_values() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let document = all_seven(true, "false", true);
    let exchange = published(&mut scene, &publish(&bob, &document)).await;
    let response = &exchange.response;
    assert!(!response.field("SIP-ETag").is_empty(), "{response}");
    assert_eq!(response.field("Expires"), "3600");
    assert!(
        response.field("Server").starts_with("IM-serv/"),
        "{response}"
    );
    assert!(response.find("Date").is_some(), "{response}");
    let expected = SettingValues {
        message_barring: Some(true),
        invisibility: Some(true),
        offline_delivery: Some(false),
        message_history: Some(true),
        file_transfer_barring: Some(true),
        ..defaults()
    };
    let seen = seen(&scene, &bob).await;
    assert_eq!(seen.effective, Some(expected));
    assert_eq!(seen.publications.len(), 1);
    assert_eq!(seen.publications[0].entities[0].id, ENTITY);
}

#[tokio::test]
async fn ct_set_01_a_client_without_accept_contact_is_served_and_the_originating_case_too() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = publish(&bob, &delivery("false"))
        .without("Accept-Contact")
        .set(
            "P-Served-User",
            &format!("<{}>;sescase=orig;regstate=reg", uri(&bob)),
        );
    published(&mut scene, &request).await;
    assert_eq!(effective(&scene, &bob).await.offline_delivery, Some(false));
}

#[tokio::test]
async fn ct_set_02_a_publication_is_refreshed_modified_and_removed() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let first = tag(&mut scene, &publish(&bob, &delivery("false"))).await;
    let second = tag(&mut scene, &bare(&bob).set("SIP-If-Match", &first)).await;
    assert_ne!(first, second);
    assert_eq!(effective(&scene, &bob).await.offline_delivery, Some(false));
    let modify = publish(&bob, &all_seven(true, "true", false)).set("SIP-If-Match", &second);
    let third = tag(&mut scene, &modify).await;
    let now = effective(&scene, &bob).await;
    assert_eq!(
        (now.message_barring, now.offline_delivery),
        (Some(true), Some(true))
    );
    assert_eq!(seen(&scene, &bob).await.publications.len(), 1);
    let remove = bare(&bob).set("SIP-If-Match", &third).set("Expires", "0");
    let exchange = published(&mut scene, &remove).await;
    assert_eq!(exchange.response.field("Expires"), "0");
    assert_eq!(effective(&scene, &bob).await, defaults());
}

#[tokio::test]
async fn ct_set_03_a_stale_tag_is_412_and_two_are_400() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let first = tag(&mut scene, &publish(&bob, &delivery("false"))).await;
    let second = tag(&mut scene, &bare(&bob).set("SIP-If-Match", &first)).await;
    for stale in [first.as_str(), "never-given"] {
        let refresh = bare(&bob).set("SIP-If-Match", stale);
        assert_eq!(scene.status(&refresh).await, 412);
        let modify = publish(&bob, &delivery("true")).set("SIP-If-Match", stale);
        assert_eq!(scene.status(&modify).await, 412);
    }
    let two = bare(&bob)
        .set("SIP-If-Match", &first)
        .line(format!("SIP-If-Match: {second}"));
    assert_eq!(scene.status(&two).await, 400);
    assert_eq!(effective(&scene, &bob).await.offline_delivery, Some(false));
}

#[tokio::test]
async fn ct_set_04_another_package_is_489() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = publish(&bob, &delivery("false"));
    for request in [
        request.clone().without("Event"),
        request.set("Event", "presence"),
    ] {
        let exchange = scene.call(&request).await;
        assert_eq!(exchange.response.status(), Some(489));
        let packages = exchange.response.field("Allow-Events");
        assert!(packages.contains("poc-settings"), "{packages}");
    }
}

#[tokio::test]
async fn ct_set_05_what_is_no_settings_document_is_refused() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    assert_eq!(scene.status(&bare(&bob)).await, 400, "no body, no tag");
    let exchange = scene.call(&bare(&bob).body("text/plain", "hi")).await;
    assert_eq!(exchange.response.status(), Some(415));
    let accept = exchange.response.field("Accept");
    assert_eq!(accept, "application/poc-settings+xml");
    let zipped = publish(&bob, &delivery("false")).set("Content-Encoding", "gzip");
    assert_eq!(scene.status(&zipped).await, 415);
    let entity = "<!ENTITY a \"xxxxxxxxxx\">".to_owned()
        + &(0..20)
            .map(|n| format!("<!ENTITY a{n} \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"))
            .collect::<String>();
    let bomb = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE poc-settings [{entity}]><poc-settings>&a19;</poc-settings>"
    );
    let deep = format!("{}{}", "<a>".repeat(9_000), "</a>".repeat(9_000));
    let namespaces: String = (0..2_000).map(|n| format!(" xmlns:a{n}=\"u\"")).collect();
    let children = "<b xmlns:z=\"u\"/>".repeat(1_500);
    let slow = format!("<a{namespaces}>{children}</a>");
    for document in [
        "<poc-settings",
        "<other/>",
        &bomb,
        &slow,
        &deep,
        &delivery("perhaps"),
        &delivery("false").replace("UTF-8", "ISO-8859-1"),
    ] {
        let exchange = scene.call(&publish(&bob, document)).await;
        assert_eq!(exchange.response.status(), Some(400), "{document:.80}");
    }
    let known = admin(&scene)
        .get_settings(GetSettingsRequest { address: uri(&bob) })
        .await;
    assert_eq!(known.expect_err("no account").code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn ct_set_06_nobody_publishes_for_another() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = publish(&bob, &delivery("false"));
    let by_alice = request
        .clone()
        .set("P-Asserted-Identity", "<sip:alice@example.org>");
    assert_eq!(scene.status(&by_alice).await, 403);
    let by_nobody = request.clone().without("P-Asserted-Identity");
    assert_eq!(scene.status(&by_nobody).await, 403);
    let elsewhere = request
        .start_line("PUBLISH sip:bob@elsewhere.org SIP/2.0")
        .set("P-Asserted-Identity", "<sip:bob@elsewhere.org>");
    assert_eq!(scene.status(&elsewhere).await, 404);
}

#[tokio::test]
async fn set_12_who_is_not_listed_has_no_settings() {
    let mut scene = Scene::start(Deployment::all().set("provisioning", "listed")).await;
    let bob = somebody();
    let request = publish(&bob, &delivery("false"));
    assert_eq!(scene.status(&request).await, 404);
    let add = ["user", "add", &uri(&bob)];
    scene.deployment.restantectl(&add).await.done();
    published(&mut scene, &request).await;
}

#[tokio::test]
async fn ct_set_07_lifetimes_are_shortened_never_lengthened() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = publish(&bob, &delivery("false"));
    let brief = scene.call(&request.clone().set("Expires", "10")).await;
    assert_eq!(brief.response.status(), Some(423));
    assert_eq!(brief.response.field("Min-Expires"), "60");
    let long = published(&mut scene, &request.clone().set("Expires", "999999")).await;
    assert_eq!(long.response.field("Expires"), "86400");
    let silent = published(&mut scene, &request.clone().without("Expires")).await;
    assert_eq!(silent.response.field("Expires"), "3600");
    scene.register(&bob).await;
    let registered = published(&mut scene, &request.set("Expires", "86400")).await;
    let granted: u64 = registered
        .response
        .field("Expires")
        .parse()
        .expect("a number");
    assert!(
        (3_000..=3_600).contains(&granted),
        "as the registration: {granted}"
    );
}

#[tokio::test]
async fn ct_set_08_known_elements_are_read_among_unknown_ones() {
    let mut scene = Scene::all().await;
    for inner in [
        "<x:later xmlns:x=\"urn:x\"><x:thing active=\"perhaps\"/></x:later>\
         <im:deferred-settings><im:service-id>7</im:service-id><im:offline-delivery active=\"0\"/></im:deferred-settings>",
        "<q:deferred-settings xmlns:q=\"urn:oma:xml:im:service-settings\"><q:offline-delivery active=\"false\"/>\
         </q:deferred-settings>",
        "<deferred-settings xmlns=\"urn:oma:xml:im:service-settings\"><offline-delivery active=\"false\"/>\
         </deferred-settings>",
        "<deferred-settings><offline-delivery active=\"false\"/></deferred-settings>",
    ] {
        let bob = somebody();
        published(&mut scene, &publish(&bob, &document(ENTITY, inner))).await;
        let expected = SettingValues {
            offline_delivery: Some(false),
            ..defaults()
        };
        assert_eq!(effective(&scene, &bob).await, expected, "{inner}");
    }
}

#[tokio::test]
async fn ct_set_08_element_names_are_configuration() {
    let names = "message-barring={urn:vendor}no-messages";
    let mut scene = Scene::start(Deployment::all().set("settings.xml_names", names)).await;
    let bob = somebody();
    let inner =
        "<isb-settings><v:no-messages xmlns:v=\"urn:vendor\" active=\"true\"/></isb-settings>";
    published(&mut scene, &publish(&bob, &document(ENTITY, inner))).await;
    assert_eq!(scene.status(&example::message(&bob)).await, 480);
}

#[tokio::test]
async fn ct_set_09_of_two_entities_the_newest_wins_and_its_end_gives_back_the_other() {
    let plan = Deployment::all()
        .set("settings.min_expires", "1s")
        .set("settings.default_expires", "1h");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let off = publish(&bob, &delivery("false"));
    tag(&mut scene, &off).await;
    let on = document(
        "urn:uuid:2",
        "<im:deferred-settings><im:offline-delivery active=\"true\"/></im:deferred-settings>",
    );
    tag(&mut scene, &publish(&bob, &on).set("Expires", "1")).await;
    let first = seen(&scene, &bob).await;
    if first.publications.len() == 2 {
        let now = first.effective.expect("always set");
        assert_eq!(now.offline_delivery, Some(true), "the newest");
    }
    until_publications(&scene, &bob, 1).await;
    assert_eq!(effective(&scene, &bob).await.offline_delivery, Some(false));
}

/// Returns when so many publications are left.
async fn until_publications(scene: &Scene, user: &str, count: usize) {
    let waiting = async {
        while seen(scene, user).await.publications.len() != count {
            tokio::task::yield_now().await;
        }
    };
    within(ANSWER, "a publication to end", waiting).await;
}

#[tokio::test]
async fn ct_set_10_ct_dlv_08_a_lapsed_publication_leaves_the_defaults() {
    let mut scene = Scene::start(Deployment::all().set("settings.min_expires", "1s")).await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let short = publish(&bob, &delivery("false")).set("Expires", "1");
    tag(&mut scene, &short).await;
    until_publications(&scene, &bob, 0).await;
    assert_eq!(effective(&scene, &bob).await, defaults());
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_set_11_without_a_store_a_publish_is_503_and_the_old_state_stays() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let bob = somebody();
    let first = tag(&mut scene, &publish(&bob, &delivery("false"))).await;
    scene.deployment.kill(Part::Storage).await;
    let exchange = scene.call(&publish(&bob, &delivery("true"))).await;
    assert_eq!(exchange.response.status(), Some(503));
    assert!(exchange.response.find("Retry-After").is_some());
    scene.deployment.launch(Part::Storage).await;
    scene.deployment.ready(Part::SipEdge).await;
    assert_eq!(effective(&scene, &bob).await.offline_delivery, Some(false));
    tag(&mut scene, &bare(&bob).set("SIP-If-Match", &first)).await;
}

#[tokio::test]
async fn ct_set_11_while_the_store_says_nothing_every_publish_is_answered_in_time() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let bob = somebody();
    let first = tag(&mut scene, &publish(&bob, &delivery("false"))).await;
    scene.deployment.process(Part::Storage).freeze();
    let mut sent = Vec::new();
    for _ in 0..16 {
        let request = publish(&bob, &delivery("true"));
        sent.push(scene.core.send(&scene.way, &request).await);
    }
    // Longer than the first of them may take, shorter than one after the other would.
    let answers = async {
        for request in &sent {
            assert_eq!(scene.core.response_to(request).await.status(), Some(503));
        }
    };
    within(Duration::from_secs(12), "503 for all of them", answers).await;
    scene.deployment.process(Part::Storage).thaw();
    scene.deployment.ready(Part::SipEdge).await;
    tag(&mut scene, &bare(&bob).set("SIP-If-Match", &first)).await;
}

#[tokio::test]
async fn ct_set_12_options_names_publish_and_its_package() {
    let mut scene = Scene::all().await;
    let options = bare("bob")
        .start_line("OPTIONS sip:{edge} SIP/2.0")
        .set("CSeq", "1 OPTIONS")
        .without("Event");
    let exchange = scene.call(&options).await;
    assert_eq!(
        exchange.response.status(),
        Some(200),
        "{}",
        exchange.response
    );
    let allow = exchange.response.field("Allow");
    for method in ["PUBLISH", "MESSAGE", "INVITE"] {
        assert!(allow.contains(method), "{allow}");
    }
    let events = exchange.response.field("Allow-Events");
    assert!(events.contains("poc-settings"), "{events}");
}

#[tokio::test]
async fn set_12_publishes_of_one_user_are_served_in_their_order() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let mut sent = Vec::new();
    for round in 0..20 {
        let active = if round % 2 == 0 { "true" } else { "false" };
        let request = publish(&bob, &delivery(active));
        sent.push(scene.core.send(&scene.way, &request).await);
    }
    for request in &sent {
        assert_eq!(scene.core.response_to(request).await.status(), Some(200));
    }
    assert_eq!(effective(&scene, &bob).await.offline_delivery, Some(false));
    let left = seen(&scene, &bob).await.publications.len();
    assert_eq!(left, 16, "bounded: the oldest make room");
}

#[tokio::test]
async fn ct_pfm_15_a_barred_message_is_480_and_not_stored() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let tag = tag(&mut scene, &publish(&bob, &all_seven(true, "true", false))).await;
    let exchange = scene.call(&example::message(&bob)).await;
    assert_eq!(
        exchange.response.status(),
        Some(480),
        "{}",
        exchange.response
    );
    assert_eq!(scene.states(&bob).await, []);
    let remove = bare(&bob).set("SIP-If-Match", &tag).set("Expires", "0");
    published(&mut scene, &remove).await;
    scene.deposit(&example::message(&bob)).await;
}

#[tokio::test]
async fn ct_pfm_30_a_retry_of_what_was_stored_before_the_barring_is_202() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = example::message(&bob);
    scene.deposit(&request).await;
    published(&mut scene, &publish(&bob, &all_seven(true, "true", false))).await;
    scene.deposit(&request).await;
    assert_eq!(scene.states(&bob).await.len(), 1);
}

#[tokio::test]
async fn ct_dlv_06_what_is_switched_off_is_not_pushed_until_it_is_switched_on() {
    let mut scene = Scene::start(Deployment::all().set("push.on_deposit", "50ms")).await;
    let bob = somebody();
    let tag = tag(&mut scene, &publish(&bob, &delivery("false"))).await;
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let on = publish(&bob, &delivery("true")).set("SIP-If-Match", &tag);
    published(&mut scene, &on).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_dlv_06_dlv_04_who_is_back_and_wants_no_push_is_told_what_waits() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    published(&mut scene, &publish(&bob, &delivery("false"))).await;
    scene.deposit_text(&bob, "hi").await;
    let mut subscriber = Subscriber::behind(&scene.core, &bob);
    let way = scene.way.clone();
    subscriber.subscribe(&mut scene.core, &way, 3_600).await;
    let first = subscriber.notified(&mut scene.core).await;
    scene.register(&bob).await;
    let reminded = subscriber.notified(&mut scene.core).await;
    assert!(reminded.has("Text-Message: 1/0 (1/0)"), "{}", reminded.body);
    assert_eq!(reminded.cseq(), first.cseq() + 1);
    assert_eq!(scene.unanswered_invites(&bob), 0);
}

#[tokio::test]
async fn ct_dlv_06_who_has_nothing_waiting_is_not_told_so_again() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    published(&mut scene, &publish(&bob, &delivery("false"))).await;
    let mut subscriber = Subscriber::behind(&scene.core, &bob);
    let way = scene.way.clone();
    subscriber.subscribe(&mut scene.core, &way, 3_600).await;
    let first = subscriber.notified(&mut scene.core).await;
    scene.register(&bob).await;
    scene.deposit_text(&bob, "hi").await;
    let next = subscriber.notified(&mut scene.core).await;
    assert!(next.has("Text-Message: 1/0 (1/0)"), "{}", next.body);
    assert_eq!(next.cseq(), first.cseq() + 1);
}

#[tokio::test]
async fn ct_dlv_08_an_operator_may_switch_delivery_off_for_all_who_say_nothing() {
    let plan = Deployment::all()
        .set("push.on_deposit", "50ms")
        .set("settings.offline_delivery", "false");
    let mut scene = Scene::start(plan).await;
    let (bob, carol) = (somebody(), somebody());
    published(&mut scene, &publish(&carol, &delivery("true"))).await;
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let hers = scene.deposit_text(&carol, "hi").await.message_id;
    scene.register(&bob).await;
    scene.register(&carol).await;
    assert_eq!(
        scene.receive(&carol, 1).await,
        [hers],
        "she comes after him"
    );
    assert_eq!(effective(&scene, &bob).await.offline_delivery, Some(false));
    assert_eq!(scene.unanswered_invites(&bob), 0);
    published(&mut scene, &publish(&bob, &delivery("true"))).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_dlv_07_every_spelling_of_the_boolean_is_understood() {
    let mut scene = Scene::all().await;
    for (spelling, active) in [("1", true), ("0", false), ("True", true), ("False", false)] {
        let bob = somebody();
        published(&mut scene, &publish(&bob, &delivery(spelling))).await;
        let now = effective(&scene, &bob).await.offline_delivery;
        assert_eq!(now, Some(active), "{spelling}");
    }
}

#[tokio::test]
async fn ct_dlv_11_a_forced_push_ignores_the_setting() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    published(&mut scene, &publish(&bob, &delivery("false"))).await;
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    let reply = scene.operator.push(&uri(&bob), false).await;
    assert_eq!(reply.expect("an answer").plan(), PushPlan::SwitchedOff);
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let reply = scene.operator.push(&uri(&bob), true).await;
    assert_eq!(reply.expect("an answer").plan(), PushPlan::Started);
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn an_operators_override_wins_while_it_lives_and_his_preset_loses() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    published(&mut scene, &publish(&bob, &all_seven(false, "true", false))).await;
    let barred = SettingValues {
        message_barring: Some(true),
        ..SettingValues::default()
    };
    let mut admin = admin(&scene);
    let preset = PresetSettingsRequest {
        address: uri(&bob),
        values: Some(barred),
    };
    admin.preset_settings(preset).await.expect("an account");
    scene.deposit(&example::message(&bob)).await;
    let mut order = OverrideSettingsRequest {
        address: uri(&bob),
        values: Some(barred),
        reason: String::new(),
        lifetime: None,
    };
    let refused = admin.override_settings(order.clone()).await;
    assert_eq!(
        refused.expect_err("no reason").code(),
        tonic::Code::InvalidArgument
    );
    order.reason = "abuse".to_owned();
    let seen = admin.override_settings(order).await.expect("an account");
    let told = seen.into_inner().r#override.expect("it lives");
    assert!(
        told.actor.starts_with("operator") && told.reason == "abuse",
        "{told:?}"
    );
    assert_eq!(scene.status(&example::message(&bob)).await, 480);
    let clear = ClearSettingsRequest {
        address: uri(&bob),
        preset: true,
    };
    let left = admin
        .clear_settings(clear)
        .await
        .expect("an account")
        .into_inner();
    assert_eq!(
        (left.r#override, left.preset),
        (None, Some(SettingValues::default()))
    );
    scene.deposit(&example::message(&bob)).await;
}

#[tokio::test]
async fn a_client_publishes_and_an_operator_overrides_on_the_command_line() {
    // Without a core: clients are trusted on loopback.
    let deployment = Deployment::all().start().await;
    let (bob, alice) = (uri(&somebody()), uri("alice"));
    let publish = deployment.im_client(&bob, &["publish", "offline-delivery=off"]);
    let published = run(publish).await.done();
    assert!(published.output.starts_with("tag "), "{}", published.output);
    let shown = deployment.restantectl(&["settings", "get", &bob]).await;
    let record = shown.done().records().remove(0);
    assert_eq!(record["effective"]["offline_delivery"], false);
    let order = ["message-barring=on", "--for", "1h", "--reason", "abuse"];
    let arguments = [&["settings", "override", bob.as_str()], &order[..]].concat();
    deployment.restantectl(&arguments).await.done();
    let send = ["send", bob.as_str(), "hi"];
    let barred = run(deployment.im_client(&alice, &send)).await;
    assert!(
        barred.code == Some(69) && barred.errors.contains("480"),
        "{barred:?}"
    );
    let cleared = deployment.restantectl(&["settings", "clear", &bob]).await;
    assert!(cleared.done().records()[0]["override"].is_null());
    run(deployment.im_client(&alice, &send)).await.done();
}
