//! `subscriptions list` and `watch`.

use std::sync::{Arc, Mutex};

use futures_util::stream::{self, BoxStream, StreamExt};
use proto::v1::waiting_service_server::WaitingService;
use proto::v1::watch_mailbox_reply::Event;
use proto::v1::{
    ListSubscriptionsReply, ListSubscriptionsRequest, Mailbox, MessageState, Subscription,
    WatchMailboxReply, WatchMailboxRequest,
};
use tonic::{Request, Response, Status};

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::{at, in_state, mailbox};

/// What the fake tells about subscriptions.
#[derive(Clone, Default)]
pub(crate) struct Waiting(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    subscriptions: Vec<Subscription>,
    events: Vec<WatchMailboxReply>,
    /// Ends the watch after its events.
    end: Option<Status>,
    lists: Vec<ListSubscriptionsRequest>,
}

impl Waiting {
    fn state(subscriptions: Vec<Subscription>, events: Vec<Event>, end: Option<Status>) -> State {
        let events = events
            .into_iter()
            .map(|event| WatchMailboxReply { event: Some(event) });
        let told = Told {
            subscriptions,
            events: events.collect(),
            end,
            lists: Vec::new(),
        };
        State {
            waiting: Self(Arc::new(Mutex::new(told))),
            ..State::default()
        }
    }
}

#[tonic::async_trait]
impl WaitingService for Waiting {
    type WatchMailboxStream = BoxStream<'static, Result<WatchMailboxReply, Status>>;

    async fn list_subscriptions(
        &self,
        request: Request<ListSubscriptionsRequest>,
    ) -> Result<Response<ListSubscriptionsReply>, Status> {
        let request = request.into_inner();
        let mut told = self.0.lock().unwrap();
        let from: usize = request.page_token.parse().unwrap_or(0);
        let size = usize::try_from(request.page_size).unwrap();
        let page = told.subscriptions.iter().skip(from).take(size);
        let subscriptions: Vec<_> = page.cloned().collect();
        let next = from + subscriptions.len();
        let is_end = next >= told.subscriptions.len();
        told.lists.push(request);
        let next_page_token = if is_end {
            String::new()
        } else {
            next.to_string()
        };
        Ok(Response::new(ListSubscriptionsReply {
            subscriptions,
            next_page_token,
        }))
    }

    async fn watch_mailbox(
        &self,
        request: Request<WatchMailboxRequest>,
    ) -> Result<Response<Self::WatchMailboxStream>, Status> {
        if request.into_inner().served_user != "sip:bob@example.org" {
            return Err(Status::not_found("no mailbox"));
        }
        let told = self.0.lock().unwrap();
        let events: Vec<_> = told.events.iter().cloned().map(Ok).collect();
        let events = stream::iter(events);
        Ok(Response::new(match told.end.clone() {
            Some(status) => events.chain(stream::iter([Err(status)])).boxed(),
            None => events.chain(stream::pending()).boxed(),
        }))
    }
}

fn subscription(number: u32) -> Subscription {
    Subscription {
        served_user: "sip:bob@example.org".to_owned(),
        subscriber: "<sip:bob@example.org>;tag=f1".to_owned(),
        call_id: format!("sub{number}@192.0.2.7"),
        contact: "sip:bob@192.0.2.7:5060\u{1b}[2J".to_owned(),
        edge: "edge-1".to_owned(),
        epoch: number,
        expires_at: at(3_600),
        notified_version: 9,
    }
}

fn events() -> Vec<Event> {
    let settled = in_state(1, MessageState::Delivered).message.unwrap();
    let after = Mailbox {
        text: None,
        ..mailbox()
    };
    vec![
        Event::Mailbox(mailbox()),
        Event::Message(settled),
        Event::Mailbox(after),
    ]
}

#[test]
fn subscriptions_are_listed_and_terminals_are_safe() {
    let fake = Fake::start(Waiting::state(vec![subscription(1)], Vec::new(), None));
    let list = restantectl("subscriptions list bob@example.org -o json").at(&fake);
    list.well().golden("subscriptions.json");
    let table = restantectl("subscriptions list").at(&fake).well().text();
    let words: Vec<_> = table.split_whitespace().take(5).collect();
    assert_eq!(words, ["USER", "CONTACT", "EDGE", "EPOCH", "EXPIRES"]);
    assert!(!table.contains('\u{1b}'), "{table:?}");
    let state = fake.state();
    let told = state.waiting.0.lock().unwrap();
    let users: Vec<_> = told.lists.iter().map(|list| &*list.served_user).collect();
    assert_eq!(users, ["sip:bob@example.org", ""]);
}

#[test]
fn a_cut_list_says_where_it_goes_on() {
    let all = (1..=3).map(subscription).collect();
    let fake = Fake::start(Waiting::state(all, Vec::new(), None));
    let first = restantectl("subscriptions list --limit 2 -o jsonl")
        .at(&fake)
        .code(0);
    let first = first.says("--page-token 2");
    assert_eq!(first.records().len(), 2);
    let rest = restantectl("subscriptions list --page-token 2 -o jsonl")
        .at(&fake)
        .well();
    assert_eq!(rest.records()[0]["epoch"], 3);
}

#[test]
fn a_watch_shows_messages_and_counters_and_ends_by_count() {
    let fake = Fake::start(Waiting::state(Vec::new(), events(), None));
    let watch = restantectl("watch bob@example.org --count 3 -o json").at(&fake);
    watch.well().golden("watch.json");
    let text = restantectl("watch bob@example.org --count 2")
        .at(&fake)
        .well()
        .text();
    assert_eq!(
        text,
        "waiting   text 2 new 5 old, multimedia 1 new 0 old\ndelivered 1@store.example\n"
    );
}

#[test]
fn a_watch_that_breaks_off_keeps_its_document_whole_and_says_why() {
    let end = Status::unavailable("draining");
    let fake = Fake::start(Waiting::state(Vec::new(), events(), Some(end)));
    let watch = restantectl("watch bob@example.org -o json")
        .at(&fake)
        .says("draining");
    assert_ne!(watch.code, Some(0));
    assert_eq!(watch.json()["events"].as_array().unwrap().len(), 3);
}

#[test]
fn nobody_is_watched_without_a_mailbox() {
    let fake = Fake::start(Waiting::state(Vec::new(), events(), None));
    let watch = restantectl("watch carol@example.org")
        .at(&fake)
        .says("no mailbox");
    assert_eq!(watch.code, Some(1));
}
