//! One deposit stream, in one task: no task and no message per entry.
//!
//! Entries enter the store in the order they came, because a new future is first polled in the
//! order it was pushed; none waits for another's commit. Answers leave in the order of the commits,
//! as many together as have accumulated.

use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use proto::v1;
use proto::v1::exchange_reply::Reply;
use storage::Store;
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

use super::Context;
use super::entry::Entry;
use crate::convert;
use crate::status;

type Replies = mpsc::Sender<Result<v1::ExchangeReply, Status>>;

/// Serves a stream to its end. Whatever has been taken up is carried out and, as long as the edge
/// listens, answered.
pub(super) async fn serve<S: Store>(
    context: Arc<Context<S>>,
    mut requests: Streaming<v1::ExchangeRequest>,
    replies: Replies,
) {
    let opened_at = Instant::now();
    let mut stream = Outgoing {
        replies,
        opened_at,
        answers: Vec::new(),
    };
    if !stream.open(&context).await {
        return;
    }
    let mut pending = FuturesUnordered::new();
    let mut end: Option<Status> = None;
    while end.is_none() || !pending.is_empty() || !stream.answers.is_empty() {
        tokio::select! {
            request = requests.message(), if end.is_none() => {
                let unanswered = pending.len() + stream.answers.len();
                match accept(&context, request, opened_at, unanswered) {
                    Ok(entries) => pending.extend(
                        entries.into_iter().map(|entry| entry.carry_out(&context)),
                    ),
                    Err(status) => end = Some(status),
                }
            }
            Some(answer) = pending.next() => {
                stream.answers.push(answer);
                while let Some(Some(answer)) = pending.next().now_or_never() {
                    stream.answers.push(answer);
                }
            }
            () = context.shutdown.cancelled(), if end.is_none() => end = Some(status::draining()),
            is_listening = stream.flush(), if !stream.answers.is_empty() => {
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
    let now = Instant::now();
    let sent_at = request.stream_clock.map(convert::duration);
    // An edge cannot have sent it later than now, whatever its clock says.
    let clock = sent_at.map_or(now, |clock| now.min(opened_at + clock));
    let hostname = context.store.hostname();
    let entries = request.entries.into_iter();
    entries
        .map(|entry| Entry::decode(entry, clock, hostname))
        .collect()
}

/// The way back to the edge.
struct Outgoing {
    replies: Replies,
    opened_at: Instant,
    answers: Vec<v1::ExchangeAnswer>,
}

impl Outgoing {
    /// Says hello; false if nobody listens.
    async fn open<S: Store>(&self, context: &Context<S>) -> bool {
        let opened = v1::ExchangeOpened {
            window: u32::try_from(context.window).unwrap_or(u32::MAX),
            store: Some(v1::StoreIdentity {
                hostname: context.store.hostname().to_owned(),
                secret: context.store.secret().to_vec().into(),
            }),
        };
        let reply = self.reply(Reply::Opened(opened));
        self.replies.send(Ok(reply)).await.is_ok()
    }

    /// Sends what has accumulated as soon as there is room; false if nobody listens. May be dropped
    /// and called again.
    async fn flush(&mut self) -> bool {
        let replies = self.replies.clone();
        let permit = replies.reserve().await;
        let answers = std::mem::take(&mut self.answers);
        let Ok(permit) = permit else {
            return false;
        };
        let reply = self.reply(Reply::Answers(v1::ExchangeAnswers { answers }));
        permit.send(Ok(reply));
        true
    }

    fn reply(&self, reply: Reply) -> v1::ExchangeReply {
        v1::ExchangeReply {
            reply: Some(reply),
            stream_clock: Some(convert::proto_duration(self.opened_at.elapsed())),
        }
    }
}
