//! Requirements §5.2, §5.8: which large messages the store lets in, and what is stored only once.

use std::collections::BTreeSet;

use proto::v1::{OverrideSettingsRequest, SettingValues};
use restante_tests::msrp::{Sender, Upload};
use restante_tests::patience::{START, eventually};
use restante_tests::sip::{SipText, fresh};
use restante_tests::{Deployment, Part, Scene, somebody, uri};

use crate::large_session::answer;
use crate::settings::admin;

const SENDONLY: &str = "a=sendonly\r\n";

/// An offer of a large message to a user; the answer.
async fn offered(scene: &mut Scene, user: &str, attributes: &str) -> SipText {
    let sender = Sender::new(&scene.core, user).await;
    let invite = sender.offer(&format!("{SENDONLY}{attributes}"));
    answer(scene, &invite).await
}

async fn open(scene: &mut Scene, user: &str) -> Upload {
    let sender = Sender::new(&scene.core, user).await;
    let way = scene.way.clone();
    sender.open(&mut scene.core, &way, SENDONLY).await
}

/// A user for whom an operator says what holds.
async fn with_settings(scene: &mut Scene, values: SettingValues) -> String {
    let user = format!("bob-{}", fresh());
    scene.deposit_text(&user, "hi").await;
    let order = OverrideSettingsRequest {
        address: uri(&user),
        values: Some(values),
        reason: "a test".to_owned(),
        lifetime: None,
    };
    let told = admin(scene).override_settings(order).await;
    told.expect("an account");
    user
}

#[tokio::test]
async fn ct_def_20_who_bars_messages_or_files_is_unavailable_for_them() {
    let mut scene = Scene::all().await;
    let barred = SettingValues {
        message_barring: Some(true),
        ..SettingValues::default()
    };
    let user = with_settings(&mut scene, barred).await;
    let response = offered(&mut scene, &user, "").await;
    assert_eq!(response.status(), Some(480), "{response}");
    assert_eq!(response.find("Retry-After"), None);

    let no_files = SettingValues {
        file_transfer_barring: Some(true),
        ..SettingValues::default()
    };
    let user = with_settings(&mut scene, no_files).await;
    for file in [
        "a=file-selector:name:\"plan.pdf\" size:5\r\n",
        "a=filename:plan.pdf\r\n",
    ] {
        let response = offered(&mut scene, &user, file).await;
        assert_eq!(response.status(), Some(480), "{file}: {response}");
    }
    let mut message = open(&mut scene, &user).await;
    message.send_whole(b"no file").await;
    assert_eq!(message.bye(&mut scene.core).await, 200);
}

#[tokio::test]
async fn ct_def_20_a_full_mailbox_and_an_unknown_user_have_their_statuses() {
    let plan = Deployment::all().set("limits.mailbox_messages", "1");
    let mut scene = Scene::start(plan).await;
    let user = format!("bob-{}", fresh());
    scene.deposit_text(&user, "hi").await;
    let response = offered(&mut scene, &user, "").await;
    assert_eq!(response.status(), Some(480), "{response}");
    assert!(response.find("Retry-After").is_some(), "{response}");

    let plan = Deployment::all().set("provisioning", "listed");
    let mut scene = Scene::start(plan).await;
    let response = offered(&mut scene, &user, "").await;
    assert_eq!(response.status(), Some(404), "{response}");
}

#[tokio::test]
async fn ct_def_31_what_is_announced_is_reserved_until_its_lease_is_over() {
    let plan = Deployment::all()
        .set("large.max_octets", "64MiB")
        .set("limits.upload_lease", "5s");
    let mut scene = Scene::start(plan).await;
    let user = format!("bob-{}", fresh());
    let announced = format!("{SENDONLY}a=filelength:{}\r\n", 30 << 20);
    let first = Sender::new(&scene.core, &user).await;
    let way = scene.way.clone();
    let stalled = first.open(&mut scene.core, &way, &announced).await;
    let second = Sender::new(&scene.core, &user).await;
    let refused = answer(&mut scene, &second.offer(&announced)).await;
    assert_eq!(refused.status(), Some(480), "{refused}");
    assert!(refused.find("Retry-After").is_some(), "{refused}");
    let other = format!("bob-{}", fresh());
    let elsewhere = Sender::new(&scene.core, &other).await;
    elsewhere.open(&mut scene.core, &way, &announced).await;
    // The lease is the only thing that changes.
    let status = eventually(START, "the end of a lease", async || {
        let third = second.offer(&announced).set("Call-ID", &fresh());
        let status = answer(&mut scene, &third).await.status();
        status.filter(|status| *status != 480)
    });
    assert_eq!(status.await, 200);
    drop(stalled);
}

#[tokio::test]
async fn ct_dup_09_a_message_that_is_sent_again_is_stored_once() {
    let mut scene = Scene::all().await;
    let user = format!("bob-{}", fresh());
    let mut first = open(&mut scene, &user).await;
    first.send_whole(b"minutes").await;
    first.send("again001", "1-7/7", b"minutes", '$').await;
    // Only the first 200 is the proof; nothing that is said later may look like one.
    let again = first.msrp().response().await;
    assert_eq!(again, ("again001".to_owned(), 413));
    assert_eq!(first.bye(&mut scene.core).await, 200);

    for (body, stored) in [(b"minutes", 1), (b"seconds", 2)] {
        let mut upload = open(&mut scene, &user).await;
        upload.send_whole(body).await;
        assert_eq!(upload.bye(&mut scene.core).await, 200);
        assert_eq!(scene.operator.list(&uri(&user)).await.len(), stored);
    }
}

/// The rest of the row, a path that is used again, is `ct_def_26_and_msr_02…`.
#[tokio::test]
async fn ct_msr_01_a_thousand_sessions_have_paths_that_nobody_guesses() {
    let plan = Deployment::all().set("large.first_send", "10m");
    let mut scene = Scene::start(plan).await;
    let user = format!("bob-{}", fresh());
    let mut ids = BTreeSet::new();
    for _ in 0..1_000 {
        let sender = Sender::new(&scene.core, &user).await;
        let (way, invite) = (scene.way.clone(), sender.offer(SENDONLY));
        let upload = sender.accepted(&mut scene.core, &way, &invite).await;
        let id = upload.remote_path.rsplit('/').next().unwrap_or_default();
        let id = id.trim_end_matches(";tcp").to_owned();
        assert!(id.len() >= 21, "{id}");
        assert!(
            id.bytes().all(|octet| octet.is_ascii_alphanumeric()),
            "{id}"
        );
        assert!(ids.insert(id.clone()), "{id} again");
    }
}

#[tokio::test]
async fn ct_def_19_an_invite_that_waits_for_the_store_is_cancelled() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let from = Sender::new(&scene.core, &somebody()).await;
    let invite = from.offer(SENDONLY);
    scene.deployment.process(Part::Storage).freeze();
    let asked = scene.core.send(&scene.way, &invite).await;
    let cancel = invite
        .start_line(&asked.start_line().replace("INVITE", "CANCEL"))
        .set("Via", asked.all("Via")[0])
        .set("CSeq", "1 CANCEL")
        .without("Content-Type")
        .body("text/plain", "");
    let cancel = scene.core.send(&scene.way, &cancel).await;
    let response = scene.core.response_to(&cancel).await;
    assert_eq!(response.status(), Some(200), "{response}");
    scene.deployment.process(Part::Storage).thaw();
    let response = scene.core.response_to(&asked).await;
    assert_eq!(response.status(), Some(487), "{response}");
    scene.fence().await;
    assert_eq!(scene.states(&from.user).await, []);
}

#[tokio::test]
async fn ct_def_33_a_copy_of_an_invite_that_waits_for_the_store_is_refused() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let from = Sender::new(&scene.core, &somebody()).await;
    let invite = from.offer(SENDONLY);
    scene.deployment.process(Part::Storage).freeze();
    let first = scene.core.send(&scene.way, &invite).await;
    let copy = scene.call(&invite).await;
    assert_ne!(copy.request.branch(), first.branch());
    assert_eq!(copy.response.status(), Some(482), "{}", copy.response);
    scene.deployment.process(Part::Storage).thaw();
    let response = scene.core.response_to(&first).await;
    assert_eq!(response.status(), Some(200), "{response}");
}
