//! The messages of RFC 5118 as the edge serves them. What the parser makes of each is tested beside it, in `sip/tests/torture.rs`.

use std::path::Path;

use restante_tests::sip::{SipText, fresh};
use restante_tests::{Deployment, Scene};

/// What each is answered.
const EXPECTED: [(&str, u16); 12] = [
    ("ipv6-good", 200),
    ("ipv6-bad", 400),
    ("port-ambiguous", 200),
    ("port-unambiguous", 200),
    // Dialogs that we do not have.
    ("via-received-param-with-delim", 481),
    ("mult-ip-in-header", 481),
    ("via-received-param-no-delim", 200),
    // Nobody of ours has an address for a domain.
    ("ipv6-in-sdp", 404),
    ("mult-ip-in-sdp", 404),
    // A call by voice.
    ("ipv4-mapped-ipv6", 488),
    // RFC 5118 §4.10 leaves it to us to be lenient with what an error in RFC 3261 allowed.
    ("ipv6-bug-abnf-3-colons", 400),
    ("ipv6-correct-abnf-2-colons", 200),
];

#[tokio::test]
async fn messages_of_rfc_5118_have_their_answers() {
    let plan = Deployment::all()
        .set("domains", "example.org,example.com")
        .set("trust.require_asserted_identity", "false");
    let mut scene = Scene::start(plan).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sip/testdata/rfc5118");
    let mut wrong = Vec::new();
    for (name, expected) in EXPECTED {
        let octets = std::fs::read(folder.join(name).with_extension("sip")).expect("the message");
        let text = String::from_utf8(octets).expect("text");
        // Many have the same branch and Call-ID, and would be taken for repetitions.
        let text = text
            .replacen("branch=z9hG4bK", &format!("branch=z9hG4bK{}", fresh()), 1)
            .replace("Call-ID: ", &format!("Call-ID: {}", fresh()));
        let request = SipText::new(text.into_bytes());
        scene.way.send(request.octets()).await;
        let response = scene.core.response_to(&request).await;
        if response.status() != Some(expected) {
            wrong.push(format!("{name}: {}", response.start_line()));
        }
        assert_eq!(
            response.all("Via").len(),
            request.all("Via").len(),
            "{response}"
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
