//! Operators steer deliveries with `restantectl`: suspend, explain, select by filters, purge, erase.

use restante_tests::patience::{START, eventually};
use restante_tests::run::Ended;
use restante_tests::{Deployment, Part, Scene, uri};
use serde_json::Value;

async fn ctl(scene: &Scene, line: &str) -> Ended {
    let arguments: Vec<_> = line.split_whitespace().collect();
    scene.deployment.restantectl(&arguments).await
}

/// The only record of a command that succeeds.
async fn record(scene: &Scene, line: &str) -> Value {
    let records = ctl(scene, line).await.done().records();
    assert_eq!(records.len(), 1, "{line}: {records:?}");
    records.into_iter().next().unwrap_or_default()
}

fn why(explained: &Value) -> String {
    let why = explained["why"].as_array().expect("sentences").iter();
    why.filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn suspended_deliveries_wait_for_the_end_or_the_cancellation_and_survive_a_restart() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let first = scene.deposit_text("bob", "first").await.message_id;
    let added = "suspend add --to bob@example.org --duration 1h --reason loops";
    let suspended = record(&scene, added).await;
    assert_eq!(suspended["reason"], "loops");
    scene.register("bob").await;
    eventually(START, "a plan for the end of the suspension", async || {
        let minute = |time: &Value| Some(time.as_str()?.get(..16)?.to_owned());
        let plan = &record(&scene, "explain --to bob@example.org").await["plan"];
        let is_then = minute(&plan["due_at"]) == minute(&suspended["until"]);
        (plan["phase"] == "waiting" && is_then).then_some(())
    })
    .await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites("bob"), 0, "nothing is begun");
    let second = scene.deposit_text("bob", "second").await.message_id;

    let explained = record(&scene, "explain --to bob@example.org").await;
    assert!(why(&explained).contains("suspended until"), "{explained}");
    let pushed = ctl(&scene, "push bob@example.org --force").await;
    assert_ne!(pushed.code, Some(0));
    assert!(
        pushed.errors.contains("suspended until"),
        "{}",
        pushed.errors
    );
    assert!(why(&explained).contains("loops"), "{explained}");
    let status = record(&scene, "status").await;
    assert_eq!(status["suspensions"][0]["served_user"], uri("bob"));

    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    scene.deployment.ready(Part::SipEdge).await;
    let listed = record(&scene, "suspend list").await;
    assert_eq!(listed["served_user"], uri("bob"));
    record(&scene, "suspend cancel --to bob@example.org").await;
    assert_eq!(scene.receive("bob", 2).await, [first, second]);
    let gone = ctl(&scene, "suspend cancel --to bob@example.org").await;
    assert_eq!(gone.code, Some(1), "{}", gone.errors);
}

#[tokio::test]
async fn suspension_of_a_domain_ends_by_itself() {
    let mut scene = Scene::all().await;
    let id = scene.deposit_text("bob", "Lunch?").await.message_id;
    let suspended = record(&scene, "suspend add --domain EXAMPLE.org --duration 5s").await;
    scene.register("bob").await;
    assert_eq!(scene.receive("bob", 1).await, std::slice::from_ref(&id));
    let shown = record(&scene, &format!("show {id}")).await;
    let timeline = shown["timeline"].as_array().expect("events");
    let claimed = timeline.iter().find(|event| event["event"] == "claimed");
    let (claimed, until) = (&claimed.expect("one")["at"], &suspended["until"]);
    assert!(
        claimed.as_str() >= until.as_str(),
        "{claimed}, before {until}"
    );
    assert!(
        ctl(&scene, "suspend list")
            .await
            .done()
            .records()
            .is_empty()
    );
}

#[tokio::test]
async fn a_message_is_explained_by_what_stands_in_its_way() {
    let mut scene = Scene::all().await;
    let id = scene.deposit_text("bob", "Lunch?").await.message_id;
    let explained = record(&scene, &format!("explain {id}")).await;
    assert!(
        why(&explained).contains("The user is not registered."),
        "{explained}"
    );
    assert_eq!(explained["plan"]["phase"], "idle");
    ctl(&scene, &format!("hold {id} --reason legal"))
        .await
        .done();
    let explained = record(&scene, &format!("explain {id}")).await;
    assert!(why(&explained).contains("legal"), "{explained}");
    let unknown = ctl(&scene, "explain 17@nowhere.example").await;
    assert_ne!(unknown.code, Some(0));
}

#[tokio::test]
async fn filters_need_consent_and_everything_needs_the_word_for_it() {
    let mut scene = Scene::all().await;
    for text in ["one", "two"] {
        scene.deposit_text("bob", text).await;
    }
    let kept = scene.deposit_text("carol", "three").await.message_id;
    let refused = ctl(&scene, "hold --to bob@example.org").await;
    assert_eq!(refused.code, Some(64), "{}", refused.errors);
    assert!(
        refused.errors.contains("would change 2 messages"),
        "{}",
        refused.errors
    );
    let nothing = ctl(&scene, "hold --yes").await;
    assert_eq!(nothing.code, Some(64), "{}", nothing.errors);
    let both = ctl(&scene, &format!("hold {kept} --to bob@example.org --yes")).await;
    assert_eq!(both.code, Some(64), "{}", both.errors);
    let foreseen = ctl(&scene, "hold ALL --dry-run").await.done().records();
    assert_eq!(foreseen.len(), 3);
    let held = ctl(&scene, "hold --to bob@example.org --yes --reason many")
        .await
        .done();
    assert_eq!(held.records().len(), 2);
    let left = record(&scene, "list --state stored").await;
    assert_eq!(left["message_id"], kept.as_str());
    let one = ctl(
        &scene,
        "unhold --to bob@example.org --max-size 1KiB --domain example.org --yes",
    )
    .await;
    assert_eq!(one.done().records().len(), 2);

    let shape: Vec<_> = ctl(&scene, "shape --by user").await.done().records();
    assert_eq!(
        (&shape[0]["total"], &shape[1]["name"]),
        (&3.into(), &uri("bob").into())
    );
    let retried = ctl(&scene, "retry ALL --yes").await.done().records();
    assert_eq!(retried.len(), 2, "each user once: {retried:?}");
    let purged = record(&scene, "purge --to bob@example.org --yes --reason spam").await;
    assert_eq!(
        (&purged["deleted"], &purged["failed"]),
        (&2.into(), &0.into())
    );
    let top = ctl(&scene, "top").await.done();
    assert!(top.output.contains("\"ready\":true"), "{}", top.output);
}

#[tokio::test]
async fn what_is_kept_of_a_user_is_exported_and_erased() {
    let mut scene = Scene::all().await;
    let id = scene.deposit_text("bob", "Lunch?").await.message_id;
    scene.register("bob").await;
    assert_eq!(scene.receive("bob", 1).await, std::slice::from_ref(&id));
    ctl(&scene, "settings set bob@example.org offline-delivery=off")
        .await
        .done();
    let waiting = scene.deposit_text("bob", "Dinner?").await.message_id;
    let exported = ctl(&scene, "user export bob@example.org --bodies")
        .await
        .done()
        .records();
    let of = |kind: &str| {
        let found = exported.iter().filter(|record| record["kind"] == kind);
        found.cloned().collect::<Vec<_>>()
    };
    assert_eq!(of("account")[0]["served_user"], uri("bob"));
    assert_eq!(of("settings").len(), 1);
    assert_eq!(of("mailbox")[0]["text"]["new"], 1);
    let messages = of("message");
    assert_eq!(
        (&messages[0]["message_id"], &messages[1]["message_id"]),
        (&id.into(), &waiting.clone().into())
    );
    assert_eq!(messages[1]["content"]["text"], "Dinner?");

    let unsure = ctl(&scene, "user erase bob@example.org").await;
    assert_eq!(unsure.code, Some(64), "{}", unsure.errors);
    let foreseen = record(&scene, "user erase bob@example.org --dry-run").await;
    assert_eq!(foreseen["messages"], 2);
    let erased = record(&scene, "user erase bob@example.org --yes --reason asked").await;
    assert_eq!(
        (&erased["messages"], &erased["account"]),
        (&2.into(), &true.into())
    );
    let content = ctl(&scene, &format!("show {waiting} --body")).await;
    assert_eq!(content.code, Some(1), "{}", content.output);
    assert!(
        ctl(&scene, "user list bob@example.org")
            .await
            .done()
            .records()
            .is_empty()
    );
}

#[tokio::test]
async fn one_user_is_traced_and_sessions_are_listed() {
    let mut scene = Scene::start(Deployment::all().set("events.enabled", "true")).await;
    scene.deposit_text("bob", "Lunch?").await;
    scene.register("bob").await;
    let push = scene.accept_push("bob").await;
    let sessions = eventually(START, "the push", async || {
        let sessions = ctl(&scene, "sessions").await.done().records();
        sessions
            .into_iter()
            .find(|session| session["kind"] == "push")
    });
    assert_eq!(sessions.await["served_user"], uri("bob"));
    let traced = ctl(&scene, "trace bob@example.org --duration 1s")
        .await
        .done()
        .records();
    assert_eq!(traced[0]["plan"]["phase"], "running", "{traced:?}");
    drop(push);
}
