//! Large messages in, with a store that does what the test tells it (DEF rows).

use bytes::Bytes;
use msrp::{MessageId, OutboundMessage};
use net::msrp::{
    MsrpConfig, MsrpEndpoint, MsrpSession, MsrpTlsConfig, PendingSession, SendFailure,
};
use proto::v1;
use restante_sip_edge::Config;
use sip::{Request, Response};

use crate::client::{TcpPeer, value};
use crate::msrp_client::path_in;
use crate::running::{Running, laptop};
use crate::store::{Asked, Behaviour, Store, Taking};
use crate::{PATIENCE, within};

/// Alice, behind a core, with a large message for Bob.
pub(crate) struct Alice {
    pub(crate) store: Store,
    pub(crate) core: TcpPeer,
    msrp: MsrpEndpoint,
    // Ends with the test.
    _edge: Running,
}

/// Her end of a session.
pub(crate) struct Offered {
    pub(crate) pending: PendingSession,
    pub(crate) description: String,
}

impl Alice {
    pub(crate) async fn new(configure: impl FnOnce(&mut Config)) -> Self {
        let store = Store::start(Behaviour::Stores).await;
        let mut config = laptop(store.address);
        configure(&mut config);
        let edge = Running::ready(config).await;
        let any = "127.0.0.1:0".parse().expect("an address");
        let endpoint = MsrpConfig {
            tls: Some(MsrpTlsConfig::new(any)),
            allow_networks: vec!["127.0.0.0/8".parse().expect("a network")],
            ..MsrpConfig::new(any)
        };
        Self {
            store,
            core: TcpPeer::connect(edge.tcp).await,
            msrp: MsrpEndpoint::bind(endpoint).await.expect("free ports"),
            _edge: edge,
        }
    }

    /// Describes a session in clear, with these attribute lines.
    pub(crate) fn offer(&self, attributes: &str) -> Offered {
        let pending = self.msrp.open();
        Offered {
            description: description(&pending, "TCP/MSRP", attributes),
            pending,
        }
    }

    /// Describes a session over TLS.
    pub(crate) fn offer_secure(&self, attributes: &str) -> Offered {
        let pending = self.msrp.open_secure().expect("it listens for TLS");
        Offered {
            description: description(&pending, "TCP/TLS/MSRP", attributes),
            pending,
        }
    }

    pub(crate) async fn invite(&mut self, description: &str) {
        self.invite_with(description, "").await;
    }

    async fn invite_with(&mut self, description: &str, lines: &str) {
        let text = self.text_of_invite(description, lines);
        self.core.send(&text).await;
    }

    fn text_of_invite(&self, description: &str, lines: &str) -> String {
        let address = self.core.address();
        let octets = description.len();
        format!(
            "INVITE sip:bob@example.org SIP/2.0\r\n\
             Via: SIP/2.0/TCP {address};branch=z9hG4bK-s1-9b21\r\n\
             Max-Forwards: 68\r\n\
             From: \"Alice\" <sip:alice@example.org>;tag=a5510\r\n\
             To: <sip:bob@example.org>\r\n\
             Call-ID: 90bd21ff@198.51.100.7\r\n\
             CSeq: 1 INVITE\r\n\
             Contact: <sip:alice@{address};transport=tcp>;+g.oma.sip-im\r\n\
             Supported: timer\r\n{lines}\
             P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: {octets}\r\n\r\n{description}"
        )
    }

    /// Has an offer admitted and answered 200, and acknowledges it.
    pub(crate) async fn accepted(&mut self, offered: &Offered) -> Response {
        self.invite(&offered.description).await;
        self.store.admission().await;
        let response = self.core.response().await;
        assert_eq!(response.status().code(), 200, "{response:?}");
        self.in_dialog(&response, "ACK", 1).await;
        response
    }

    /// Sends a request in the dialog of an answer.
    pub(crate) async fn in_dialog(&mut self, answer: &Response, method: &str, cseq: u32) {
        let contact = value(answer.headers(), "Contact");
        let uri = contact.split(['<', '>']).nth(1).expect("a URI").to_owned();
        let text = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/TCP {};branch=z9hG4bK-{method}{cseq}\r\n\
             Max-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
            self.core.address(),
            value(answer.headers(), "From"),
            value(answer.headers(), "To"),
            value(answer.headers(), "Call-ID"),
        );
        self.core.send(&text).await;
    }

    /// Has an offer accepted and connects.
    pub(crate) async fn connected(&mut self, attributes: &str) -> (Response, MsrpSession) {
        let offered = self.offer(attributes);
        let response = self.accepted(&offered).await;
        let path = path_in(response.body()).parse().expect("a path");
        let connecting = offered.pending.connect(path, "edge", PATIENCE);
        let session = within("the session", Box::pin(connecting)).await;
        (response, session.expect("a session"))
    }

    /// Waits for the BYE of the edge.
    pub(crate) async fn bye(&mut self) -> Request {
        let bye = self.core.request_of("BYE").await;
        self.core.answer(&bye, "200 OK", "", "").await;
        bye
    }
}

fn description(pending: &PendingSession, protocol: &str, attributes: &str) -> String {
    let path = pending.local_path();
    let port = path.first().effective_port();
    format!(
        "v=0\r\no=alice 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=message {port} {protocol} *\r\na=path:{path}\r\na=accept-types:*\r\na=sendonly\r\n{attributes}"
    )
}

/// Sends a message of so many octets; the outcome.
pub(crate) async fn send(session: &MsrpSession, octets: usize) -> Result<(), SendFailure> {
    let id = "12339sdqwer".parse::<MessageId>().expect("an id");
    let message = OutboundMessage::new(id, "text/plain", octets as u64);
    let ticket = session.send(message, Bytes::from(vec![b'x'; octets])).await;
    within("the outcome", ticket).await.map(drop)
}

#[tokio::test]
async fn a_message_streams_to_the_store_and_the_bye_of_its_sender_follows() {
    let mut alice = Alice::new(|_| {}).await;
    let (answer, session) = alice.connected("").await;
    let sending = tokio::spawn(async move {
        let sent = send(&session, 700_000).await;
        (session, sent)
    });
    let (deposit, body) = alice.store.large().await;
    assert_eq!((deposit.octets, body.len()), (700_000, 700_000));
    assert_eq!(deposit.msrp_message_id, "12339sdqwer");
    assert_eq!(deposit.served_user, "sip:bob@example.org");
    let (_session, sent) = within("the outcome", sending).await.expect("no panic");
    sent.expect("stored");
    alice.in_dialog(&answer, "BYE", 2).await;
    assert_eq!(alice.core.response().await.status().code(), 200);
    let Asked::SenderBye(bye) = alice.store.asked().await else {
        panic!("no BYE");
    };
    assert!(bye.octets.starts_with(b"BYE "));
}

#[tokio::test]
async fn what_the_store_does_not_admit_gets_its_status() {
    for (reason, status) in [
        (v1::RefusalReason::UnknownUser, 404),
        (v1::RefusalReason::Barred, 480),
        (v1::RefusalReason::MailboxFull, 480),
        (v1::RefusalReason::DiskFull, 503),
    ] {
        let mut alice = Alice::new(|_| {}).await;
        alice.store.take_as(Taking::Refuses(reason));
        let offered = alice.offer("");
        alice.invite(&offered.description).await;
        let response = alice.core.response().await;
        assert_eq!(response.status().code(), status, "{response:?}");
        assert!(value(response.headers(), "Server").starts_with("IM-serv/"));
    }
}

#[tokio::test]
async fn ct_def_19_an_invite_that_waits_for_its_admission_can_be_cancelled() {
    let mut alice = Alice::new(|_| {}).await;
    alice.store.take_as(Taking::WaitsToAdmit);
    let offered = alice.offer("");
    alice.invite(&offered.description).await;
    alice.store.admission().await;
    let cancel = format!(
        "CANCEL sip:bob@example.org SIP/2.0\r\n\
         Via: SIP/2.0/TCP {};branch=z9hG4bK-s1-9b21\r\nMax-Forwards: 68\r\n\
         From: \"Alice\" <sip:alice@example.org>;tag=a5510\r\nTo: <sip:bob@example.org>\r\n\
         Call-ID: 90bd21ff@198.51.100.7\r\nCSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n",
        alice.core.address()
    );
    alice.core.send(&cancel).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let response = alice.core.response().await;
        answers.push((value(response.headers(), "CSeq"), response.status().code()));
    }
    answers.sort();
    let expected = [("1 CANCEL".to_owned(), 200), ("1 INVITE".to_owned(), 487)];
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn a_mailbox_that_fills_up_meanwhile_refuses_with_413_and_ends_the_session() {
    let mut alice = Alice::new(|_| {}).await;
    let full = Taking::RefusesPieces(v1::RefusalReason::MailboxFull);
    alice.store.take_as(full);
    let (_, session) = alice.connected("").await;
    assert_eq!(
        send(&session, 5_000_000).await,
        Err(SendFailure::Refused(413))
    );
    alice.bye().await;
}

#[tokio::test]
async fn a_store_that_fails_at_the_end_gives_no_200_and_the_session_ends() {
    let mut alice = Alice::new(|_| {}).await;
    alice.store.take_as(Taking::FailsToCommit);
    let (_, session) = alice.connected("").await;
    let sending = tokio::spawn(async move { send(&session, 1000).await });
    let bye = alice.bye().await;
    assert_eq!(value(bye.headers(), "Reason"), "SIP;cause=503");
    assert!(!sending.is_finished(), "it was answered");
    sending.abort();
}

/// RFC 3261 §15: the callee says BYE to who has his 200, or after 64·T1.
#[tokio::test]
async fn a_session_that_fails_before_its_ack_gets_its_bye_after_it() {
    let mut alice =
        Alice::new(|config| config.sip.t1 = std::time::Duration::from_millis(250)).await;
    let offered = alice.offer("a=filelength:10\r\n");
    alice.invite(&offered.description).await;
    alice.store.admission().await;
    let response = alice.core.response().await;
    let path = path_in(response.body()).parse().expect("a path");
    let connecting = offered.pending.connect(path, "edge", PATIENCE);
    let session = within("the session", Box::pin(connecting)).await;
    let session = session.expect("a session");
    assert_eq!(send(&session, 20).await, Err(SendFailure::Refused(413)));
    // The third comes 1.75 s after the first; no BYE comes among them.
    for _ in 0..3 {
        let copy = alice.core.response().await;
        assert_eq!(copy.as_bytes(), response.as_bytes());
    }
    alice.in_dialog(&response, "ACK", 1).await;
    alice.bye().await;
}

#[tokio::test]
async fn under_cema_an_active_edge_connects_to_what_the_media_line_says() {
    let mut alice = Alice::new(|config| {
        config.msrp.allow_networks = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    let mut offered = alice.offer("a=setup:passive\r\na=msrp-cema\r\n");
    // The path names a host behind a middlebox; c= and m= name the middlebox.
    let path = offered.pending.local_path().to_string();
    let inside = path.replace("127.0.0.1", "192.0.2.77");
    offered.description = offered.description.replace(&path, &inside);
    let response = alice.accepted(&offered).await;
    let text = String::from_utf8_lossy(response.body()).into_owned();
    assert!(
        text.contains("a=msrp-cema\r\n") && text.contains("a=setup:active\r\n"),
        "{text}"
    );
    let peer = path_in(response.body()).parse().expect("a path");
    // The edge binds with the path it was told, which is not known at this end: 481, and BYE.
    let refused = tokio::spawn(offered.pending.accept(peer, PATIENCE));
    alice.bye().await;
    refused.abort();
}

/// A config in which only session timers end a session.
fn patient(config: &mut Config) {
    let hour = std::time::Duration::from_secs(3_600);
    config.large.first_send = hour;
    config.large.stall = hour;
}

/// Lets so many seconds pass at once.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

impl Alice {
    /// Has a session accepted whose INVITE has these timer lines and allows these methods.
    async fn timed(&mut self, lines: &str) -> Response {
        let offered = self.offer("");
        self.invite_with(&offered.description, lines).await;
        self.store.admission().await;
        let response = self.core.response().await;
        assert_eq!(response.status().code(), 200, "{response:?}");
        self.in_dialog(&response, "ACK", 1).await;
        // Its ACK has been taken in.
        self.still_lives(&response, 2).await;
        response
    }

    /// The session lives, and nothing has been sent in it: an OPTIONS is answered first.
    async fn still_lives(&mut self, answer: &Response, cseq: u32) {
        self.in_dialog(answer, "OPTIONS", cseq).await;
        let response = self.core.response().await;
        assert_eq!(response.status().code(), 200, "{response:?}");
    }
}

#[tokio::test]
async fn ct_def_23_a_session_that_nobody_refreshes_ends_before_its_interval() {
    for (interval, lead) in [(1_800, 32), (90, 30)] {
        let mut alice = Alice::new(patient).await;
        let timer = format!("Session-Expires: {interval};refresher=uac\r\n");
        let answer = alice.timed(&timer).await;
        // In steps: a connection on which nothing comes for long is closed.
        let (mut left, mut cseq) = (interval - lead, 2);
        while left > 10 {
            let step = (left - 10).min(60);
            pass(step).await;
            left -= step;
            cseq += 1;
            alice.still_lives(&answer, cseq).await;
        }
        pass(10).await;
        alice.bye().await;
    }
}

#[tokio::test]
async fn ct_def_22_the_edge_refreshes_by_update_where_that_is_allowed_else_by_invite() {
    for (allow, method) in [
        ("INVITE, ACK, BYE, UPDATE", "UPDATE"),
        ("INVITE, ACK, BYE", "INVITE"),
    ] {
        let mut alice = Alice::new(patient).await;
        let lines = format!("Session-Expires: 90;refresher=uas\r\nAllow: {allow}\r\n");
        let answer = alice.timed(&lines).await;
        assert_eq!(
            value(answer.headers(), "Session-Expires"),
            "90;refresher=uas"
        );
        for round in [3, 5] {
            pass(46).await;
            let refresh = alice.core.request_of(method).await;
            assert_eq!(refresh.body().is_empty(), method == "UPDATE");
            let timer = "Session-Expires: 90;refresher=uac\r\nRequire: timer\r\n";
            alice.core.answer(&refresh, "200 OK", timer, "").await;
            if method == "INVITE" {
                alice.core.request_of("ACK").await;
                // It did not arrive.
                alice.core.answer(&refresh, "200 OK", timer, "").await;
                alice.core.request_of("ACK").await;
            }
            // What came before them has been taken in when they are answered.
            alice.still_lives(&answer, round).await;
            alice.still_lives(&answer, round + 1).await;
        }
        pass(46).await;
        let unanswered = alice.core.request_of(method).await;
        alice.core.answer(&unanswered, "481 Gone", "", "").await;
        if method == "INVITE" {
            alice.core.request_of("ACK").await;
        }
        alice.bye().await;
    }
}

#[tokio::test]
async fn ct_def_33_requests_of_the_peer_are_answered_while_our_refresh_is_under_way() {
    let mut alice = Alice::new(patient).await;
    let answer = alice
        .timed("Session-Expires: 90;refresher=uas\r\nAllow: INVITE, ACK, BYE\r\n")
        .await;
    pass(46).await;
    let refresh = alice.core.request_of("INVITE").await;
    alice.in_dialog(&answer, "INVITE", 3).await;
    let pending = alice.core.response().await;
    assert_eq!(pending.status().code(), 491, "{pending:?}");
    alice
        .core
        .answer(&refresh, "491 Request Pending", "", "")
        .await;
    alice.core.request_of("ACK").await;
    // RFC 3261 §14.1: within two seconds, since the Call-ID is hers.
    let again = alice.core.request_of("INVITE").await;
    let timer = "Session-Expires: 90;refresher=uac\r\nRequire: timer\r\n";
    alice.core.answer(&again, "200 OK", timer, "").await;
    alice.core.request_of("ACK").await;
    alice.in_dialog(&answer, "BYE", 4).await;
    let ended = alice.core.response().await;
    assert_eq!(ended.status().code(), 200, "{ended:?}");
}

#[tokio::test]
async fn ct_def_33_a_copy_of_an_invite_that_waits_is_refused() {
    let mut alice = Alice::new(|_| {}).await;
    alice.store.take_as(Taking::WaitsToAdmit);
    let offered = alice.offer("");
    alice.invite(&offered.description).await;
    alice.store.admission().await;
    let copy = alice.text_of_invite(&offered.description, "");
    let copy = copy.replace("z9hG4bK-s1-9b21", "z9hG4bK-s2-44d0");
    alice.core.send(&copy).await;
    let refused = alice.core.response().await;
    assert_eq!(refused.status().code(), 482, "{refused:?}");
    let via = value(refused.headers(), "Via");
    assert!(via.contains("z9hG4bK-s2-44d0"), "{via}");
    alice.store.go_on();
    let accepted = alice.core.response().await;
    assert_eq!(accepted.status().code(), 200, "{accepted:?}");
}
