//! The subscription to the waiting indication (requirements §2.5).

use std::time::Duration;

use restante_im_client::ClientError;
use restante_im_client::client::{Options, WaitingIndication};
use restante_im_client::waiting::WaitingNotice;
use sip::subscription::{EndReason, SubscriptionState};
use sip::{Method, Name, Request, RequestBuilder, StatusCode};

use crate::server::{Server, field, reply};
use crate::{alice, in_time};

/// The dialog of a subscription from the side of the notifier.
struct Notifier {
    subscribe: Request,
    cseq: u32,
}

impl Notifier {
    /// A NOTIFY with this state and document.
    fn notify(&mut self, server: &Server, state: &str, summary: &str) -> Request {
        self.cseq += 1;
        let to = self.contact();
        RequestBuilder::new(Method::Notify, &to)
            .header(Name::MaxForwards, 70)
            .header(Name::From, "<sip:alice@example.org>;tag=server1")
            .header(Name::To, field(&self.subscribe, "From"))
            .header(Name::CallId, field(&self.subscribe, "Call-ID"))
            .header(Name::CSeq, format_args!("{} NOTIFY", self.cseq))
            .header(Name::Contact, format_args!("<{}>", server.uri()))
            .header(Name::Event, "message-summary")
            .header(Name::SubscriptionState, state)
            .body("application/simple-message-summary", summary.to_owned())
            .build()
    }

    fn contact(&self) -> sip::Uri {
        let contact = field(&self.subscribe, "Contact");
        let uri = contact.split(['<', '>']).nth(1).unwrap();
        uri.parse().unwrap()
    }
}

/// Takes the SUBSCRIBE and grants so many seconds.
async fn granted(server: &mut Server, seconds: u32) -> Request {
    let subscribe = server.request(Method::Subscribe).await;
    let answer = reply(&subscribe, StatusCode::OK)
        .header(Name::Contact, format_args!("<{}>", server.uri()))
        .header(Name::Expires, seconds);
    subscribe.respond(answer.build());
    subscribe.request().clone()
}

async fn next(waiting: &mut WaitingIndication) -> Option<WaitingNotice> {
    in_time(waiting.next()).await.unwrap()
}

#[tokio::test]
async fn ct_mwi_01_what_waits_is_told_as_it_changes_until_the_end() {
    let mut server = Server::start().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let subscribing = client.subscribe(Duration::from_secs(600), true);
    let (waiting, subscribe) = tokio::join!(subscribing, granted(&mut server, 600));
    let mut waiting = waiting.unwrap();
    assert_eq!(field(&subscribe, "Event"), "message-summary");
    assert_eq!(
        field(&subscribe, "Accept"),
        "application/simple-message-summary"
    );
    assert_eq!(field(&subscribe, "Expires"), "600");
    assert_eq!(
        field(&subscribe, "P-Asserted-Identity"),
        "<sip:alice@example.org>"
    );
    let mut notifier = Notifier { subscribe, cseq: 0 };
    let to = notifier.contact();

    for (document, new) in [
        ("Messages-Waiting: no\r\nText-Message: 0/0\r\n", 0),
        ("Messages-Waiting: yes\r\nText-Message: 3/1 (1/0)\r\n", 3),
    ] {
        let notify = notifier.notify(&server, "active;expires=600", document);
        let (notice, answer) = tokio::join!(next(&mut waiting), server.ask(notify, &to));
        let notice = notice.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(notice.summary.is_waiting, new > 0);
        assert_eq!(notice.summary.count("text-message").unwrap().new, new);
    }
    // A NOTIFY that is older than what was told is refused and not shown.
    notifier.cseq = 0;
    let late = notifier.notify(&server, "active", "Messages-Waiting: no\r\n");
    notifier.cseq = 2;
    let last = notifier.notify(
        &server,
        "terminated;reason=deactivated",
        "Messages-Waiting: no\r\n",
    );
    let played = async {
        let late = server.ask(late, &to).await;
        assert!(!late.status().is_success(), "{late:?}");
        server.ask(last, &to).await
    };
    let (notice, answer) = tokio::join!(next(&mut waiting), played);
    let end = SubscriptionState::Terminated(EndReason::Deactivated);
    assert_eq!(
        (notice.unwrap().state, answer.status()),
        (end, StatusCode::OK)
    );
    assert!(waiting.is_over());
    assert_eq!(next(&mut waiting).await, None);
    client.close().await;
}

#[tokio::test]
async fn ct_mwi_01_it_is_refreshed_at_half_time_and_ended_within_the_dialog() {
    let mut server = Server::start().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let subscribing = client.subscribe(Duration::from_secs(600), false);
    let (waiting, first) = tokio::join!(subscribing, granted(&mut server, 2));
    let mut waiting = waiting.unwrap();
    let mut notifier = Notifier {
        subscribe: first.clone(),
        cseq: 0,
    };
    let to = notifier.contact();
    let played = async {
        let refresh = granted(&mut server, 600).await;
        let notify = notifier.notify(&server, "active;expires=600", "Messages-Waiting: no\r\n");
        (refresh, server.ask(notify, &to).await)
    };
    let (notice, (refresh, _)) = tokio::join!(next(&mut waiting), played);
    assert!(notice.is_some());
    for name in ["Call-ID", "From"] {
        assert_eq!(field(&refresh, name), field(&first, name));
    }
    assert!(field(&refresh, "To").ends_with(";tag=server1"));
    assert_eq!(field(&refresh, "CSeq"), "2 SUBSCRIBE");
    let (ended, farewell) = tokio::join!(waiting.end(), granted(&mut server, 0));
    ended.unwrap();
    assert_eq!(
        (field(&farewell, "Expires"), field(&farewell, "CSeq")),
        ("0".to_owned(), "3 SUBSCRIBE".to_owned())
    );
    client.close().await;
}

#[tokio::test]
async fn ct_mwi_07_a_refusal_is_told() {
    let mut server = Server::start().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let subscribing = client.subscribe(Duration::from_secs(600), false);
    let refuse = async {
        let subscribe = server.request(Method::Subscribe).await;
        subscribe.respond(reply(&subscribe, StatusCode::FORBIDDEN).build());
    };
    let (waiting, ()) = tokio::join!(subscribing, refuse);
    let is_told = matches!(&waiting, Err(ClientError::Refused { status, .. }) if *status == StatusCode::FORBIDDEN);
    assert!(is_told, "{waiting:?}");
    client.close().await;
}
