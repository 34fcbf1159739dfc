//! What operators ask of an edge, which comes through the storage service.

use std::time::Duration;

use proto::v1;
use proto::v1::attach_control_reply::Reply;
use proto::v1::attach_control_request::Request;
use proto::v1::control_question::Question as ProtoQuestion;
use proto::v1::control_service_client::ControlServiceClient;
use proto::v1::process_answer::Answer as ProtoAnswer;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::stay::{Stay, stay};
use crate::{StorageClient, convert};

/// How long a change of the log filter holds if it does not say so.
const FILTER_TIME: Duration = Duration::from_secs(600);

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which lines are written to the log.
    LogFilter,
    /// Write these for a while; without any: end all changes.
    ChangeLogFilter(Vec<String>, Duration),
    /// What the configuration is.
    Configuration,
    /// Read the configuration again.
    Reload,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing is told or changed, and why.
    Refused(String),
    /// The configured filter, and what holds besides with the time that is left.
    LogFilter(String, Vec<(String, Duration)>),
    /// Each key.
    Configuration(Vec<Key>),
    /// What has taken effect, and what waits for a restart.
    Changes(Vec<Changed>, Vec<Changed>),
}

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `section.key`.
    pub key: String,
    /// As it may be shown.
    pub value: String,
    /// Where it is written; empty for a default.
    pub place: String,
    /// Another value takes effect without a restart.
    pub reloadable: bool,
}

/// A key that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// `section.key`.
    pub key: String,
    /// As it may be shown.
    pub from: String,
    /// As it may be shown.
    pub to: String,
}

impl StorageClient {
    /// Has `answer` answer what operators ask of this edge, as long as the service can be reached. Never returns.
    pub async fn answer_operators<A>(&self, answer: A)
    where
        A: Fn(Question) -> Answer + Send + Sync,
    {
        let mut driver = Driver {
            client: ControlServiceClient::new(self.channel.clone()),
            edge: self.config.edge.clone(),
            answer,
        };
        stay(&mut driver, &self.config).await;
    }
}

struct Driver<A> {
    client: ControlServiceClient<Channel>,
    edge: String,
    answer: A,
}

/// One open stream.
struct Stream {
    requests: mpsc::Sender<v1::AttachControlRequest>,
    replies: Streaming<v1::AttachControlReply>,
}

impl<A: Fn(Question) -> Answer + Send + Sync> Stay for Driver<A> {
    type Stream = Stream;

    const WHAT: &'static str = "control";

    async fn open(&mut self) -> Result<Stream, Status> {
        let (requests, receiver) = mpsc::channel(4);
        let edge = self.edge.clone();
        // The channel is new and has room.
        let _ = requests.try_send(request(Request::Hello(v1::ControlHello { edge })));
        let replies = self
            .client
            .attach_control(ReceiverStream::new(receiver))
            .await?;
        let mut replies = replies.into_inner();
        match next(&mut replies).await? {
            Reply::Opened(_) => Ok(Stream { requests, replies }),
            Reply::Question(_) => Err(Status::internal("the first reply is not the opening")),
        }
    }

    async fn serve(&mut self, mut stream: Stream) -> Status {
        loop {
            let question = match next(&mut stream.replies).await {
                Ok(Reply::Question(question)) => question,
                Ok(Reply::Opened(_)) => continue,
                Err(status) => return status,
            };
            let answer = match question.question.map(read) {
                Some(question) => (self.answer)(question),
                // Of a later version of the service.
                None => {
                    Answer::Refused("this edge does not know the question: it is older".to_owned())
                }
            };
            let answer = v1::ControlAnswer {
                id: question.id,
                answer: Some(v1::ProcessAnswer {
                    process: self.edge.clone(),
                    answer: Some(written(answer)),
                }),
            };
            if stream
                .requests
                .send(request(Request::Answer(answer)))
                .await
                .is_err()
            {
                return Status::unavailable("the stream is broken");
            }
        }
    }
}

fn request(request: Request) -> v1::AttachControlRequest {
    v1::AttachControlRequest {
        request: Some(request),
    }
}

async fn next(replies: &mut Streaming<v1::AttachControlReply>) -> Result<Reply, Status> {
    let reply = replies.message().await?;
    let reply = reply.ok_or_else(|| Status::unavailable("the service has ended the stream"))?;
    reply
        .reply
        .ok_or_else(|| Status::internal("an empty reply"))
}

fn read(question: ProtoQuestion) -> Question {
    match question {
        ProtoQuestion::GetLogFilters(_) => Question::LogFilter,
        ProtoQuestion::ChangeLogFilters(change) => {
            let time = change.duration.and_then(convert::duration);
            Question::ChangeLogFilter(change.directives, time.unwrap_or(FILTER_TIME))
        }
        ProtoQuestion::GetConfigurations(_) => Question::Configuration,
        ProtoQuestion::ReloadConfigurations(_) => Question::Reload,
    }
}

fn written(answer: Answer) -> ProtoAnswer {
    match answer {
        Answer::Refused(why) => ProtoAnswer::Refusal(why),
        Answer::LogFilter(configured, changes) => ProtoAnswer::LogFilter(v1::LogFilter {
            configured,
            changes: changes
                .into_iter()
                .map(|(directive, left)| v1::LogFilterChange {
                    directive,
                    left: prost_types::Duration::try_from(left).ok(),
                })
                .collect(),
        }),
        Answer::Configuration(keys) => ProtoAnswer::Configuration(v1::Configuration {
            keys: keys
                .into_iter()
                .map(|key| v1::ConfigurationKey {
                    key: key.key,
                    value: key.value,
                    place: key.place,
                    reloadable: key.reloadable,
                })
                .collect(),
        }),
        Answer::Changes(applied, waiting) => ProtoAnswer::Changes(v1::ConfigurationChanges {
            applied: applied.into_iter().map(changed).collect(),
            waiting: waiting.into_iter().map(changed).collect(),
        }),
    }
}

fn changed(changed: Changed) -> v1::ConfigurationChange {
    v1::ConfigurationChange {
        key: changed.key,
        from: changed.from,
        to: changed.to,
    }
}
