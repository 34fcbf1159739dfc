//! Requirements §5.8: what is told of a sender, and what he cannot write into what the server tells.

use restante_tests::sip::{RequestText, SipText, example, fresh};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Scene, somebody, uri};

#[tokio::test]
async fn ct_prv_02_a_message_that_hides_its_headers_names_no_hop_and_no_client() {
    const TRACES: [&str; 3] = ["Via", "Contact", "User-Agent"];
    let mut scene = Scene::all().await;
    let bob = somebody();
    let open = example::message(&bob).line("Contact: <sip:alice@198.51.100.7>");
    for request in [open.clone(), open.line("Privacy: header")] {
        scene.deposit(&request.set("Call-ID", &fresh())).await;
    }
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let open = SipText::new(session.take().await.original());
    let push = session.take().await;
    session.bye(&mut scene.core).await;
    let private = SipText::new(push.original());
    for name in TRACES {
        assert!(open.find(name).is_some(), "{open}");
        assert_eq!(private.find(name), None, "{private}");
    }
    assert_eq!(push.parts()[1].field("Content-Type"), "message/sipfrag");
    assert_eq!(private.field("Privacy"), "header");
    assert_eq!(private.body(), open.body());
    let text = String::from_utf8_lossy(&push.body()).into_owned();
    assert!(!text.contains("198.51.100.7"), "{text}");
}

/// The fields of part 1, in their order.
const SUMMARY: [&str; 8] = [
    "From",
    "To",
    "Call-ID",
    "Date",
    "Subject",
    "Priority",
    "P-Asserted-Identity",
    "Message-ID",
];

/// The fields of a block of the waiting indication, in their order.
const BLOCK: [&str; 7] = [
    "To",
    "From",
    "Date",
    "Subject",
    "Priority",
    "Message-ID",
    "P-Asserted-Identity",
];

/// The example with this in its Subject and in each display name.
fn with(user: &str, odd: &str) -> RequestText {
    let name = format!("\"Alice{odd}Smith\"");
    example::message(user)
        .set("Subject", &format!("Lunch{odd}time"))
        .set(
            "From",
            &format!("{name} <{}>;tag={}", example::ALICE, fresh()),
        )
        .set("To", &format!("{name} <{}>", uri(user)))
        .set(
            "P-Asserted-Identity",
            &format!("{name} <{}>", example::ALICE),
        )
}

fn names<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    lines
        .map(|line| line.split_once(": ").map_or(line, |(name, _)| name))
        .collect()
}

#[tokio::test]
async fn ct_prv_08_subjects_and_display_names_make_no_field_of_their_own() {
    const FORGED: &str = "X-Forged: <sip:eve@example.org>";
    let mut scene = Scene::all().await;
    let bob = somebody();
    // RFC 3261 §7.3: a lone CR or LF ends no line, and peers must not be made to disagree about it.
    let udp = scene.udp().await;
    for lone in ["\r", "\n", "\r\r\n ", "\n\r\n "] {
        let request = with(&bob, &format!("{lone}{FORGED}"));
        let response = scene.core.call(&udp, &request).await.response;
        assert_eq!(response.status(), Some(400), "{lone:?} {response}");
    }
    assert_eq!(scene.operator.list(&uri(&bob)).await, []);
    let odd = [
        format!("\r\n {FORGED}\r\n\t"),
        format!("\0{FORGED}\0"),
        format!("\u{1}\u{b}\u{c}\u{7f}{FORGED}\u{85}\u{2028}"),
        "=0D=0A%0D%0A%00".to_owned(),
    ];
    for odd in &odd {
        scene.deposit(&with(&bob, odd)).await;
    }
    let mut subscriber = Subscriber::behind(&scene.core, &bob);
    let core = &mut scene.core;
    subscriber.subscribe(core, &scene.way, 3_600).await;
    let told = subscriber.notified(core).await;
    assert_eq!(told.blocks.len(), odd.len(), "{}", told.body);
    for block in &told.blocks {
        let lines = block.iter().map(String::as_str);
        assert_eq!(names(lines), BLOCK, "{}", told.body);
    }
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    for odd in &odd {
        let push = session.take().await;
        let parts = push.parts();
        let text = String::from_utf8_lossy(parts[0].body()).into_owned();
        assert_eq!(names(text.split_terminator("\r\n")), SUMMARY, "{odd:?}");
        assert!(
            !text.replace("\r\n", "").contains(char::is_control),
            "{text:?}"
        );
        for name in ["From", "To", "Subject", "P-Asserted-Identity"] {
            let value = push.summary().field(name).to_owned();
            assert_eq!(value.contains(FORGED), odd.contains(FORGED), "{value}");
        }
    }
    session.bye(&mut scene.core).await;
}
