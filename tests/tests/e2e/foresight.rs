//! What `--dry-run` says: nothing changes, to look is enough, and what is done then is what was foreseen.

use restante_tests::{Deployment, Scene, somebody, uri};
use serde_json::{Value, json};

use crate::secure::{Certificates, OPERATOR, READER, operate};

/// What a change comes to, as far as a dry run can tell: a version is given by the store.
fn outcome(records: &[Value]) -> Value {
    let record = &records[0];
    json!([
        record["group"]["member_count"],
        record["effective"],
        record["preset"],
        record["override"]["values"],
    ])
}

#[tokio::test]
async fn a_reader_foresees_what_an_operator_does_then() {
    let plan = Deployment::two_processes();
    let certificates = Certificates::new(plan.net());
    let scene = Scene::start(certificates.secure(plan)).await;
    let run = async |name: &str, arguments: &[&str]| {
        let own = certificates.authority.certify(&[name]);
        let ran = operate(&scene.deployment, &certificates, Some(&own), arguments).await;
        ran.done().records()
    };
    let (user, alias, team) = (somebody(), somebody(), uri(&somebody()));
    let (user, alias) = (&uri(&user), &uri(&alias));
    let changes: [&[&str]; 10] = [
        &["user", "add", user],
        &["user", "alias", "add", user, alias],
        &["settings", "set", user, "offline-delivery=off"],
        &[
            "settings",
            "override",
            user,
            "message-barring=on",
            "--reason",
            "loops",
        ],
        &["settings", "clear", user, "--preset"],
        &["group", "create", &team, user],
        &["group", "add", &team, user, alias],
        &["group", "remove", &team, user],
        &["group", "delete", &team],
        &["user", "alias", "remove", user, alias],
    ];
    for change in changes {
        let look = async || {
            (
                run(READER, &["user", "list"]).await,
                run(READER, &["group", "export"]).await,
                match change[0] {
                    "settings" => run(READER, &["settings", "get", user]).await,
                    _ => Vec::new(),
                },
            )
        };
        let before = look().await;
        let foreseen = run(READER, &[change, &["--dry-run"]].concat()).await;
        assert_eq!(look().await, before, "{change:?}");
        let done = run(OPERATOR, change).await;
        assert_eq!(outcome(&foreseen), outcome(&done), "{change:?}");
    }
    let audit = scene.deployment.data().join("audit.jsonl");
    let audit = std::fs::read_to_string(audit).expect("an audit log");
    assert!(audit.contains(OPERATOR), "{audit}");
    assert!(!audit.contains(READER), "{audit}");
}

#[tokio::test]
async fn a_push_is_foreseen_with_what_keeps_each_message_back() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let first = scene.deposit_text(&user, "Lunch?").await.message_id;
    let held = scene.deposit_text(&user, "At one?").await.message_id;
    scene.operator.hold(&held).await.expect("it waits");
    let foresee = async || {
        let foreseen = ["push", &uri(&user), "--dry-run"];
        let ended = scene.deployment.restantectl(&foreseen).await;
        assert_eq!(ended.code, Some(1), "{}", ended.errors);
        let kept_back = |message: &Value| {
            let all = message["kept_back"].as_array().expect("a list");
            let by = all.iter().map(|it| it["by"].clone()).collect::<Vec<_>>();
            (message["message_id"].clone(), by)
        };
        let record = ended.records().remove(0);
        let messages = record["messages"].as_array().expect("a list");
        messages.iter().map(kept_back).collect::<Vec<_>>()
    };
    let by = |all: &[&str]| all.iter().map(|&by| json!(by)).collect::<Vec<_>>();
    let unregistered = vec![
        (json!(first), by(&["registration"])),
        (json!(held), by(&["hold", "registration"])),
    ];
    assert_eq!(foresee().await, unregistered);
    let suspend = ["suspend", "add", "--to", &uri(&user), "--reason", "loops"];
    scene.deployment.restantectl(&suspend).await.done();
    let suspended = vec![
        (json!(first), by(&["suspension", "registration"])),
        (json!(held), by(&["hold", "suspension", "registration"])),
    ];
    assert_eq!(foresee().await, suspended);
    let cancel = ["suspend", "cancel", "--to", &uri(&user), "--dry-run"];
    let cancelled = scene.deployment.restantectl(&cancel).await.done().records();
    assert_eq!(cancelled[0]["served_user"], uri(&user));
    assert_eq!(foresee().await, suspended);
    let nobodys = ["suspend", "cancel", "--domain", "example.net", "--dry-run"];
    let refused = scene.deployment.restantectl(&nobodys).await;
    assert_ne!(refused.code, Some(0), "{}", refused.output);
}
