//! What must not be in a log is not in it (P10).

use restante_tests::sip::{example, fresh};
use restante_tests::{Deployment, Part, Scene};

/// Everything all processes have logged.
fn log(scene: &Scene) -> String {
    let parts = [Part::Storage, Part::SipEdge];
    let lines = parts.map(|part| scene.deployment.process(part).log().lines().join("\n"));
    lines.join("\n")
}

/// Has a message deferred, refused, and pushed; the secrets in it.
async fn run(filter: &str) -> (String, [String; 3]) {
    let plan = Deployment::two_processes().set("log.filter", filter);
    let mut scene = Scene::start(plan).await;
    let (bob, body, subject) = (format!("bob-{}", fresh()), fresh(), fresh());
    let request = example::message(&bob)
        .set("Subject", &subject)
        .body("text/plain", body.as_str());
    scene.deposit(&request).await;
    let refused = [
        example::message(&bob).body("text/plain", body.repeat(5_000)),
        request
            .clone()
            .set("CSeq", "101 INVITE")
            .set("Call-ID", &fresh()),
    ];
    for request in &refused {
        assert_ne!(scene.status(request).await, 202);
    }
    scene.register(&bob).await;
    scene.receive(&bob, 1).await;
    for part in [Part::SipEdge, Part::Storage] {
        scene.deployment.process(part).terminate();
    }
    for part in [Part::SipEdge, Part::Storage] {
        scene.deployment.process(part).log().closed().await;
    }
    (log(&scene), [bob, body, subject])
}

#[tokio::test]
async fn ct_prv_05_no_log_holds_a_body_or_a_subject() {
    let (log, [_, body, subject]) = run(
        "restante=trace,restante_sip_edge=trace,restante_service=trace,\
        restante_storage=trace,restante_net=trace,restante_storage_client=trace,debug",
    )
    .await;
    assert!(
        log.contains("\"level\":\"DEBUG\""),
        "the filter has an effect"
    );
    for secret in [body, subject] {
        assert!(!log.contains(&secret), "a log holds {secret}");
    }
}

#[tokio::test]
async fn ct_prv_05_the_log_of_an_ordinary_day_names_no_user() {
    let (log, [bob, ..]) = run("info").await;
    for user in [bob.as_str(), "alice"] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(user)).collect();
        assert_eq!(lines, [""; 0]);
    }
}
