//! The edges that can be asked, and what they are asked.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::v1;
use proto::v1::attach_control_reply::Reply;
use proto::v1::attach_control_request::Request;
use proto::v1::control_question::Question;
use proto::v1::process_answer::Answer;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

use super::OWN;
use crate::status;

/// Edges at a time.
const EDGES_MAX: usize = 1_024;

/// Octets of the name of an edge.
const NAME_OCTETS_MAX: usize = 256;

/// Questions that one edge may have unanswered.
const QUESTIONS: usize = 16;

/// How long an edge has for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shared by all clones.
#[derive(Clone)]
pub(super) struct Edges {
    by_name: Arc<Mutex<BTreeMap<String, mpsc::Sender<Asked>>>>,
    streams: TaskTracker,
    shutdown: CancellationToken,
}

/// A question on its way to an edge.
struct Asked {
    question: Question,
    answer: oneshot::Sender<Answer>,
}

impl Edges {
    pub(super) fn new(streams: TaskTracker, shutdown: CancellationToken) -> Self {
        Self {
            by_name: Arc::default(),
            streams,
            shutdown,
        }
    }

    /// Those that are connected.
    pub(super) fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Asks one, and has it answer or says why it does not.
    pub(super) async fn ask(&self, edge: &str, question: Question) -> v1::ProcessAnswer {
        let (answer, answered) = oneshot::channel();
        let stream = self.lock().get(edge).cloned();
        let sent = stream.is_some_and(|stream| stream.try_send(Asked { question, answer }).is_ok());
        let answer = match sent {
            false => None,
            true => timeout(PATIENCE, answered).await.ok().and_then(Result::ok),
        };
        let silent = || Answer::Refusal("the edge does not answer".to_owned());
        v1::ProcessAnswer {
            process: edge.to_owned(),
            answer: Some(answer.unwrap_or_else(silent)),
        }
    }

    /// Takes an edge in. A new stream of the same edge takes the place of the old one.
    pub(super) async fn attach(
        &self,
        mut requests: Streaming<v1::AttachControlRequest>,
    ) -> Result<ReceiverStream<Result<v1::AttachControlReply, Status>>, Status> {
        if self.shutdown.is_cancelled() {
            return Err(status::draining());
        }
        let hello = match requests.message().await?.and_then(|first| first.request) {
            Some(Request::Hello(hello)) if is_name(&hello.edge) => hello,
            Some(Request::Hello(hello)) if hello.edge == OWN => {
                let message = format!("`{OWN}` is this process: the edge needs another name");
                return Err(Status::invalid_argument(message));
            }
            _ => {
                return Err(Status::invalid_argument(
                    "the first request is not a hello with a name of at most 256 octets",
                ));
            }
        };
        let (asked, questions) = mpsc::channel(QUESTIONS);
        {
            let mut by_name = self.lock();
            if by_name.len() >= EDGES_MAX && !by_name.contains_key(&hello.edge) {
                return Err(Status::resource_exhausted("too many edges"));
            }
            by_name.insert(hello.edge.clone(), asked.clone());
        }
        let (replies, receiver) = mpsc::channel(QUESTIONS);
        // The channel is new and has room.
        let _ = replies.try_send(Ok(reply(Reply::Opened(v1::ControlOpened {}))));
        // Its questions end once another stream has taken its place: nobody but the table may keep the way open.
        let asked = asked.downgrade();
        let (edges, shutdown) = (self.clone(), self.shutdown.clone());
        self.streams.spawn(async move {
            shutdown
                .run_until_cancelled(serve(requests, replies, questions))
                .await;
            let mut by_name = edges.lock();
            // Without a sender another stream has its place already.
            let known = by_name.get(&hello.edge).zip(asked.upgrade());
            if known.is_some_and(|(known, own)| known.same_channel(&own)) {
                by_name.remove(&hello.edge);
            }
        });
        Ok(ReceiverStream::new(receiver))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, mpsc::Sender<Asked>>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands questions out and answers back, until the stream breaks or another one has taken its place.
async fn serve(
    mut requests: Streaming<v1::AttachControlRequest>,
    replies: mpsc::Sender<Result<v1::AttachControlReply, Status>>,
    mut questions: mpsc::Receiver<Asked>,
) {
    let mut waiting: HashMap<u64, oneshot::Sender<Answer>> = HashMap::new();
    let mut last = 0;
    loop {
        tokio::select! {
            asked = questions.recv() => {
                let Some(Asked { question, answer }) = asked else {
                    return;
                };
                last += 1;
                // Who has not waited for his answer needs none.
                waiting.retain(|_, answer| !answer.is_closed());
                waiting.insert(last, answer);
                let question = v1::ControlQuestion { id: last, question: Some(question) };
                if replies.send(Ok(reply(Reply::Question(question)))).await.is_err() {
                    return;
                }
            }
            request = requests.message() => match request {
                Ok(Some(v1::AttachControlRequest { request: Some(Request::Answer(answer)) })) => {
                    let found = waiting.remove(&answer.id);
                    let content = answer.answer.and_then(|answer| answer.answer);
                    if let (Some(waiting), Some(content)) = (found, content) {
                        let _ = waiting.send(content);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            },
        }
    }
}

/// What operators can ask an edge by, and see on one line.
fn is_name(edge: &str) -> bool {
    let is_plain = !edge.is_empty() && edge.len() <= NAME_OCTETS_MAX;
    is_plain && edge != OWN && !edge.contains(char::is_control)
}

fn reply(reply: Reply) -> v1::AttachControlReply {
    v1::AttachControlReply { reply: Some(reply) }
}
