//! Kamailio's IMS modules as an S-CSCF: the initial filter criteria of its subscribers name our edge as application server
//! (3GPP TS 24.229 §5.4.3). The HSS, the P-CSCF and the clients behind it are played.

use std::path::{Path, PathBuf};

use proto::v1::MessageState;
use restante_tests::msrp::{PushSession, Setup};
use restante_tests::patience::{ANSWER, START, eventually, within};
use restante_tests::process::Process;
use restante_tests::sip::{RequestText, SipPeer, SipText, Transport, Way, fresh};
use restante_tests::{Deployment, LoopbackNet, uri};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{PAUSE, Parent, are_there, is_satisfied, line, logging};

/// Hosts of the HSS and the P-CSCF.
const HSS: u8 = 12;
const P_CSCF: u8 = 5;

/// Where the HSS takes Diameter.
const DIAMETER: u16 = 3868;

/// Where the S-CSCF takes SIP.
const SIP: u16 = 5060;

/// Whether Debian's IMS and presence modules are there.
fn has_modules() -> bool {
    let folders = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let mut folders = folders.map(|entry| entry.path().join("kamailio/modules"));
    let is_there = folders.any(|modules| {
        ["ims_isc.so", "presence.so"]
            .iter()
            .all(|module| modules.join(module).exists())
    });
    let need = "the packages kamailio-ims-modules and kamailio-presence-modules";
    is_satisfied(need, is_there)
}

fn given(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The core of an IMS.
struct Core {
    hss: Process,
    s_cscf: Parent,
}

impl Core {
    /// Starts it before the edge of a deployment.
    async fn start(deployment: &Deployment) -> Self {
        let net = deployment.net();
        let (own, hss) = (net.host(LoopbackNet::CORE), net.host(HSS));
        let folder = deployment.scratch().join("s-cscf");
        std::fs::create_dir(&folder).expect("a folder");
        let cdp = folder.join("cdp.xml");
        for file in ["scscf.cfg", "cdp.xml"] {
            let text = std::fs::read_to_string(given("kamailio").join(file)).expect("the file");
            let text = text
                .replace("192.0.2.11", &own.to_string())
                .replace("192.0.2.12", &hss.to_string())
                .replace("/etc/kamailio/cdp.xml", &cdp.display().to_string());
            std::fs::write(folder.join(file), text).expect("writable");
        }
        let application = format!("sip:{};transport=tcp", deployment.edge(Transport::Tcp));
        let command =
            format!("/usr/bin/python3 \"$1\" {hss}:{DIAMETER} example.org '{application}'");
        let hss = logging("hss", &command, &[&given("python/hss.py")]);
        line(&hss, 0, "listening").await;
        let options = "-f \"$1\" -w \"$2\" -Y \"$2\" -P \"$2/pid\" -m 64 -M 8 -DD -E";
        let command = format!("kamailio {options}");
        let process = logging("s-cscf", &command, &[&folder.join("scscf.cfg"), &folder]);
        let s_cscf = Parent(Some(process));
        let started = Self { hss, s_cscf };
        // It asks for nothing before it knows that it is connected.
        line(&started.hss, 0, "connected").await;
        within(START, "the S-CSCF", async {
            while TcpStream::connect((own, SIP)).await.is_err() {
                sleep(PAUSE).await;
            }
        })
        .await;
        started
    }

    async fn stop(mut self) {
        self.s_cscf.stop().await;
        self.hss.terminate();
        self.hss.ended().await;
    }
}

/// The REGISTER of an IM client as the P-CSCF passes it on.
fn register(user: &str, at: &SipPeer, cseq: u32, expires: u32) -> RequestText {
    RequestText::new(&format!(
        "REGISTER sip:example.org SIP/2.0
        Via: {{hop}}
        Max-Forwards: 69
        From: <sip:{user}@example.org>;tag={}
        To: <sip:{user}@example.org>
        Call-ID: reg-{user}@203.0.113.9
        CSeq: {cseq} REGISTER
        Contact: <sip:{user}@{};transport=tcp>;+g.oma.sip-im;expires={expires}
        P-Visited-Network-ID: example.org
        P-Charging-Vector: icid-value=\"icid-{cseq}\"
        Content-Length: 0",
        fresh(),
        at.tcp()
    ))
}

/// A MESSAGE of Alice, who has been let in.
fn message(user: &str) -> RequestText {
    RequestText::new(&format!(
        "MESSAGE sip:{user}@example.org SIP/2.0
        Via: {{hop}}
        Max-Forwards: 69
        From: <sip:alice@example.org>;tag={}
        To: <sip:{user}@example.org>
        Call-ID: {}@198.51.100.7
        CSeq: 1 MESSAGE
        P-Asserted-Identity: <sip:alice@example.org>
        P-Charging-Vector: icid-value=\"icid-4711\"
        Content-Length: 0",
        fresh(),
        fresh()
    ))
    .body("text/plain", "Lunch at noon?")
}

async fn status(peer: &mut SipPeer, way: &Way, request: &RequestText) -> Option<u16> {
    peer.call(way, request).await.response.status()
}

/// An edge whose core is an S-CSCF, and the P-CSCF with its way there.
async fn behind_s_cscf() -> (Deployment, Core, SipPeer, Way) {
    let plan = Deployment::two_processes();
    let own = plan.net().host(LoopbackNet::CORE);
    let deployment = plan
        .set("sip.next_hop", &format!("sip:{own}:{SIP};transport=tcp"))
        .set("trust.loopback", "false")
        .set("trust.peers", &format!("{own}/32"))
        .set("msrp.allow_networks", "127.0.0.0/8")
        .start()
        .await;
    let core = Core::start(&deployment).await;
    let p_cscf = SipPeer::open(deployment.net().host(P_CSCF)).await;
    let way = p_cscf.way(Transport::Udp, (own, SIP).into()).await;
    (deployment, core, p_cscf, way)
}

#[tokio::test]
async fn an_s_cscf_has_messages_deferred_and_tells_of_registrations_by_its_filter_criteria() {
    if !are_there(&["kamailio", "stdbuf", "/usr/bin/python3"]) || !has_modules() {
        return;
    }
    let (deployment, core, mut p_cscf, way) = behind_s_cscf().await;
    let own = deployment.net().host(LoopbackNet::CORE);
    let (bob, operator) = (format!("bob-{}", fresh()), deployment.operator());

    // Bob is not registered: by his second criterion the message is ours.
    assert_eq!(status(&mut p_cscf, &way, &message(&bob)).await, Some(202));
    let stored = operator.only(&uri(&bob)).await;
    let request = SipText::new(operator.request_octets(&stored.message_id).await);
    let expected = format!("<{}>;sescase=term;regstate=unreg", uri(&bob));
    assert_eq!(request.field("P-Served-User"), expected);
    let route = format!(
        "<sip:{};transport=tcp;lr>, <sip:iscmark@{own}:{SIP};lr;",
        deployment.edge(Transport::Tcp)
    );
    assert!(request.field("Route").starts_with(&route), "{request}");

    // He registers: by the first the S-CSCF tells us, and the push comes to his Contact.
    let way_to_him = register(&bob, &p_cscf, 1, 3_600);
    assert_eq!(status(&mut p_cscf, &way, &way_to_him).await, Some(200));
    let is_invite = |text: &SipText| text.method() == Some("INVITE");
    let invite = p_cscf.expect("the push", is_invite).await;
    let target = format!("INVITE sip:{bob}@{};transport=tcp SIP/2.0", p_cscf.tcp());
    assert_eq!(invite.text.start_line(), target);
    let mut session = PushSession::answer_invite(&mut p_cscf, invite, Setup::Active).await;
    assert_eq!(session.take().await.message_id(), stored.message_id);
    session.bye(&mut p_cscf).await;
    operator
        .until(&stored.message_id, MessageState::Delivered)
        .await;

    // He leaves, and it tells us that too.
    assert!(
        !operator
            .mailbox(&uri(&bob))
            .await
            .expect("his")
            .bindings
            .is_empty()
    );
    let farewell = register(&bob, &p_cscf, 2, 0);
    assert_eq!(status(&mut p_cscf, &way, &farewell).await, Some(200));
    eventually(ANSWER, "the end of his registration", async || {
        let mailbox = operator.mailbox(&uri(&bob)).await.ok()?;
        mailbox.bindings.is_empty().then_some(())
    })
    .await;
    core.stop().await;
}

/// With IncludeRegisterRequest in the criterion the edge sees what registers: a phone, which gets a MESSAGE.
#[tokio::test]
async fn an_s_cscf_includes_the_register_of_a_phone() {
    if !are_there(&["kamailio", "stdbuf", "/usr/bin/python3"]) || !has_modules() {
        return;
    }
    let (deployment, core, mut p_cscf, way) = behind_s_cscf().await;
    let (phone, operator) = (format!("phone-{}", fresh()), deployment.operator());
    assert_eq!(status(&mut p_cscf, &way, &message(&phone)).await, Some(202));
    let stored = operator.only(&uri(&phone)).await;
    let plain = format!("<sip:{phone}@{};transport=tcp>;expires=3600", p_cscf.tcp());
    let request = register(&phone, &p_cscf, 1, 3_600).set("Contact", &plain);
    assert_eq!(status(&mut p_cscf, &way, &request).await, Some(200));
    let is_message = |text: &SipText| text.method() == Some("MESSAGE");
    let arrival = p_cscf.expect("the message", is_message).await;
    assert_eq!(arrival.text.body(), b"Lunch at noon?");
    assert_eq!(arrival.text.field("Message-ID"), stored.message_id);
    p_cscf.answer(&arrival, "200 OK", &[], "").await;
    operator
        .until(&stored.message_id, MessageState::Delivered)
        .await;
    core.stop().await;
}
