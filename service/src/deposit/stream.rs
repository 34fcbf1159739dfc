//! One deposit stream, in one task: no task and no message per entry.
//!
//! The deposits of a request message enter the store together, in the order they came; none waits
//! for another's commit. Answers leave in the order of the commits, as many together as have
//! accumulated: those of one group at least.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use proto::v1;
use proto::v1::exchange_reply::Reply;
use storage::{Outcomes, Store};
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

use super::Context;
use super::entry::{Entry, Other, UnderWay, Wanted};
use crate::convert;
use crate::{now, status};

type Replies = mpsc::Sender<Result<v1::ExchangeReply, Status>>;

/// Serves a stream to its end. Whatever has been taken up is carried out and, as long as the edge
/// listens, answered.
pub(super) async fn serve<S: Store>(
    context: Arc<Context<S>>,
    mut requests: Streaming<v1::ExchangeRequest>,
    replies: Replies,
) {
    let opened_at = now();
    let mut stream = Outgoing {
        replies,
        opened_at,
        answers: Vec::new(),
        readiness: None,
    };
    let mut unready = context.unready.clone();
    let present = readiness(unready.borrow_and_update().as_deref());
    if !stream.open(&context, present).await {
        return;
    }
    // Not bounded by itself: it holds outcomes of deposits under way alone, of which `accept` takes no
    // more than the window.
    let (outcomes, mut told) = mpsc::unbounded_channel();
    let mut deposits = Deposits::new(outcomes);
    let mut others = FuturesUnordered::new();
    let mut end: Option<Status> = None;
    loop {
        let under_way = deposits.under_way.len() + others.len() + stream.answers.len();
        if end.is_some() && under_way == 0 {
            break;
        }
        tokio::select! {
            request = requests.message(), if end.is_none() => {
                match accept(&context, request, opened_at, under_way) {
                    Ok(entries) => for (correlation, other) in deposits.hand_over(entries, &context) {
                        others.push(other.carry_out(correlation, &context));
                    },
                    Err(status) => end = Some(status),
                }
            }
            Some(outcomes) = told.recv() => {
                deposits.answer(outcomes, &context, &mut stream.answers);
                while let Ok(outcomes) = told.try_recv() {
                    deposits.answer(outcomes, &context, &mut stream.answers);
                }
            }
            Some(answer) = others.next() => stream.answers.push(answer),
            () = context.shutdown.cancelled(), if end.is_none() => end = Some(status::draining()),
            Ok(()) = unready.changed(), if end.is_none() => {
                stream.readiness = Some(readiness(unready.borrow_and_update().as_deref()));
            }
            is_listening = stream.flush(), if stream.has_something() => {
                if !is_listening {
                    end.get_or_insert_with(|| Status::cancelled("the edge is gone"));
                }
            }
        }
    }
    if let Some(status) = end.filter(|status| status.code() != Code::Ok) {
        // An edge that is gone needs no status.
        let _ = stream.replies.send(Err(status)).await;
    }
}

/// The deposits of the stream that the store has in hand. The window bounds them.
struct Deposits {
    outcomes: mpsc::UnboundedSender<Outcomes>,
    /// By tag.
    under_way: HashMap<u64, UnderWay>,
    next_tag: u64,
}

impl Deposits {
    fn new(outcomes: mpsc::UnboundedSender<Outcomes>) -> Self {
        Self {
            outcomes,
            under_way: HashMap::new(),
            next_tag: 0,
        }
    }

    /// Hands the deposits among these entries to the store; the others are returned.
    fn hand_over<S: Store>(
        &mut self,
        entries: Vec<Entry>,
        context: &Context<S>,
    ) -> Vec<(u64, Other)> {
        let mut deposits = Vec::with_capacity(entries.len());
        let mut others = Vec::new();
        for Entry {
            correlation,
            request,
        } in entries
        {
            match request {
                Wanted::Deposit(deposit) => {
                    let tag = self.next_tag;
                    self.next_tag += 1;
                    let under_way = UnderWay::new(correlation, &deposit);
                    self.under_way.insert(tag, under_way);
                    deposits.push((tag, *deposit));
                }
                Wanted::Other(other) => others.push((correlation, other)),
            }
        }
        if !deposits.is_empty() {
            context.store.deposit_all(deposits, &self.outcomes);
        }
        others
    }

    fn answer<S: Store>(
        &mut self,
        outcomes: Outcomes,
        context: &Context<S>,
        answers: &mut Vec<v1::ExchangeAnswer>,
    ) {
        for (tag, outcome) in outcomes {
            let under_way = self.under_way.remove(&tag);
            answers.extend(under_way.map(|under_way| under_way.answer(outcome, context)));
        }
    }
}

/// The entries of one request message, or why the stream ends.
fn accept<S: Store>(
    context: &Context<S>,
    request: Result<Option<v1::ExchangeRequest>, Status>,
    opened_at: Instant,
    unanswered: usize,
) -> Result<Vec<Entry>, Status> {
    let request = request?.ok_or_else(|| Status::ok("the edge has ended the stream"))?;
    if unanswered + request.entries.len() > context.window {
        let message = format!("more than {} entries unanswered", context.window);
        return Err(Status::resource_exhausted(message));
    }
    let now = now();
    let sent_at = request.stream_clock.map(convert::duration);
    // An edge cannot have sent it later than now, whatever its clock says.
    let clock = sent_at.map_or(now, |clock| now.min(opened_at + clock));
    let hostname = context.store.hostname();
    let entries = request.entries.into_iter();
    Ok(entries
        .map(|entry| Entry::decode(entry, clock, hostname))
        .collect())
}

/// The way back to the edge.
struct Outgoing {
    replies: Replies,
    opened_at: Instant,
    answers: Vec<v1::ExchangeAnswer>,
    /// What is to be told of the store.
    readiness: Option<v1::StoreReadiness>,
}

fn readiness(unready: Option<&str>) -> v1::StoreReadiness {
    v1::StoreReadiness {
        unready: unready.unwrap_or_default().to_owned(),
    }
}

impl Outgoing {
    /// Says hello; false if nobody listens.
    async fn open<S: Store>(&self, context: &Context<S>, readiness: v1::StoreReadiness) -> bool {
        let opened = v1::ExchangeOpened {
            window: u32::try_from(context.window).unwrap_or(u32::MAX),
            store: Some(v1::StoreIdentity {
                hostname: context.store.hostname().to_owned(),
                secret: context.store.secret().to_vec().into(),
            }),
            readiness: Some(readiness),
        };
        let reply = self.reply(Reply::Opened(opened));
        self.replies.send(Ok(reply)).await.is_ok()
    }

    fn has_something(&self) -> bool {
        self.readiness.is_some() || !self.answers.is_empty()
    }

    /// Sends what has accumulated as soon as there is room; false if nobody listens. May be dropped
    /// and called again.
    async fn flush(&mut self) -> bool {
        let replies = self.replies.clone();
        let permit = replies.reserve().await;
        let next = match self.readiness.take() {
            Some(readiness) => Reply::Readiness(readiness),
            None => Reply::Answers(v1::ExchangeAnswers {
                answers: std::mem::take(&mut self.answers),
            }),
        };
        let Ok(permit) = permit else {
            self.answers.clear();
            return false;
        };
        let reply = self.reply(next);
        permit.send(Ok(reply));
        true
    }

    fn reply(&self, reply: Reply) -> v1::ExchangeReply {
        v1::ExchangeReply {
            reply: Some(reply),
            stream_clock: Some(convert::proto_duration(
                now().duration_since(self.opened_at),
            )),
        }
    }
}
