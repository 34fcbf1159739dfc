//! Processes that operators ask: this one, and the edges that are connected to it.

mod answer;
mod edges;

use std::pin::Pin;
use std::time::Duration;

use daemon::control::Control;
use daemon::log::{Directive, LONGEST};
use futures_util::future::join_all;
use proto::v1;
use proto::v1::control_question::Question;
use proto::v1::control_service_server::ControlService;
use proto::v1::process_answer::Answer;
use proto::v1::process_service_server::ProcessService;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::convert;
use edges::Edges;

/// What this process is called among those that are asked.
const OWN: &str = "storage";

/// How long a change of the log filter holds if it does not say so.
const FILTER_TIME: Duration = Duration::from_secs(600);

/// The process services. Clones share the edges.
#[derive(Clone)]
pub(crate) struct Processes {
    /// This process; none where it runs in the process of somebody else, as in a test.
    pub(crate) own: Option<Control>,
    edges: Edges,
}

impl Processes {
    pub(crate) fn new(
        own: Option<Control>,
        streams: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let edges = Edges::new(streams, shutdown);
        Self { own, edges }
    }

    /// Asks the process of this name, or all.
    async fn ask(
        &self,
        process: &str,
        question: Question,
    ) -> Result<Response<v1::ProcessAnswers>, Status> {
        let mut edges = self.edges.names();
        edges.retain(|name| process.is_empty() || name == process);
        let own = self
            .own
            .as_ref()
            .filter(|_| process.is_empty() || process == OWN);
        if edges.is_empty() && own.is_none() {
            let known = self.edges.names().join(", ");
            let message = format!(
                "no process is called `{process}`: there is {OWN}; connected edges: {known}"
            );
            return Err(Status::not_found(message));
        }
        let asked = edges
            .iter()
            .map(|edge| self.edges.ask(edge, question.clone()));
        let mut answers = join_all(asked).await;
        if let Some(own) = own {
            let (own, question) = (own.clone(), question.clone());
            // It may read files.
            let answer = tokio::task::spawn_blocking(move || answer::answer(&own, question)).await;
            let answer =
                answer.unwrap_or_else(|_| Answer::Refusal("the question broke".to_owned()));
            answers.push(v1::ProcessAnswer {
                process: OWN.to_owned(),
                answer: Some(answer),
            });
        }
        answers.sort_by(|one, other| one.process.cmp(&other.process));
        Ok(Response::new(v1::ProcessAnswers { answers }))
    }
}

#[tonic::async_trait]
impl ProcessService for Processes {
    async fn get_log_filters(
        &self,
        request: Request<v1::GetLogFiltersRequest>,
    ) -> Result<Response<v1::ProcessAnswers>, Status> {
        let request = request.into_inner();
        let process = request.process.clone();
        self.ask(&process, Question::GetLogFilters(request)).await
    }

    async fn change_log_filters(
        &self,
        request: Request<v1::ChangeLogFiltersRequest>,
    ) -> Result<Response<v1::ProcessAnswers>, Status> {
        let mut request = request.into_inner();
        for directive in &request.directives {
            let read = directive.parse::<Directive>();
            read.map_err(Status::invalid_argument)?;
        }
        let time = request.duration.map_or(FILTER_TIME, convert::lifetime);
        if time.is_zero() || time > LONGEST {
            let message =
                "a change of the log filter holds for 24 hours at most, and not for no time";
            return Err(Status::invalid_argument(message));
        }
        request.duration = Some(convert::proto_duration(time));
        let process = request.process.clone();
        self.ask(&process, Question::ChangeLogFilters(request))
            .await
    }

    async fn get_configurations(
        &self,
        request: Request<v1::GetConfigurationsRequest>,
    ) -> Result<Response<v1::ProcessAnswers>, Status> {
        let request = request.into_inner();
        let process = request.process.clone();
        self.ask(&process, Question::GetConfigurations(request))
            .await
    }

    async fn reload_configurations(
        &self,
        request: Request<v1::ReloadConfigurationsRequest>,
    ) -> Result<Response<v1::ProcessAnswers>, Status> {
        let request = request.into_inner();
        let process = request.process.clone();
        self.ask(&process, Question::ReloadConfigurations(request))
            .await
    }
}

#[tonic::async_trait]
impl ControlService for Processes {
    type AttachControlStream =
        Pin<Box<dyn Stream<Item = Result<v1::AttachControlReply, Status>> + Send>>;

    async fn attach_control(
        &self,
        request: Request<Streaming<v1::AttachControlRequest>>,
    ) -> Result<Response<Self::AttachControlStream>, Status> {
        let replies = self.edges.attach(request.into_inner()).await?;
        Ok(Response::new(Box::pin(replies)))
    }
}
