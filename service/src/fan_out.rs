//! Fan-out: groups looked up, jobs accepted, legs handed to edges (requirements §1.7).

mod dispatcher;
mod edges;
pub(crate) mod receipt;
mod session;

use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt;
use proto::v1;
use proto::v1::accept_job_reply::Answer as Accepted;
use proto::v1::fan_out_service_server::FanOutService;
use proto::v1::look_up_group_reply::Answer as LookedUp;
use storage::Store;
use storage::model::{Group, GroupChange, GroupOrder, JobOutcome};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

pub(crate) use self::dispatcher::Dispatcher;
pub(crate) use self::edges::Pace;
use crate::reading::{Content, Reading};
use crate::{convert, status};

/// Replies of a stream on their way.
const REPLY_BUFFER: usize = 64;

/// The fan-out service over a store.
pub(crate) struct FanOuts<S> {
    pub(crate) store: Arc<S>,
    pub(crate) dispatcher: Dispatcher,
    /// Tracks the streams.
    pub(crate) streams: TaskTracker,
    /// Ends them.
    pub(crate) shutdown: CancellationToken,
}

/// Counts a job that was accepted.
pub(crate) fn count_accepted(recipients: usize) {
    count_job("accepted");
    metrics::histogram!("restante_job_recipients")
        .record(f64::from(u32::try_from(recipients).unwrap_or(u32::MAX)));
}

/// Counts a message that wanted to be a job and is none.
pub(crate) fn count_job(result: &'static str) {
    metrics::counter!("restante_jobs_total", "result" => result).increment(1);
}

impl<S: Store> FanOuts<S> {
    async fn change(&self, order: GroupOrder) -> Result<Group, Status> {
        let changed = self.store.change_group(order).await;
        let changed = changed.map_err(|error| status::of_store(&error))?;
        let changed = changed.map_err(status::of_group)?;
        Ok(changed.into_inner())
    }
}

#[tonic::async_trait]
impl<S: Store> FanOutService for FanOuts<S> {
    type ReadJobContentStream =
        Pin<Box<dyn Stream<Item = Result<v1::ReadPartReply, Status>> + Send>>;
    type AttachFanOutStream =
        Pin<Box<dyn Stream<Item = Result<v1::AttachFanOutReply, Status>> + Send>>;

    async fn look_up_group(
        &self,
        request: Request<v1::LookUpGroupRequest>,
    ) -> Result<Response<v1::LookUpGroupReply>, Status> {
        let request = request.into_inner();
        let found = self.store.group(convert::named(request.uri)?).await;
        let answer = match found.map_err(|error| status::of_store(&error))? {
            None => LookedUp::Unknown(v1::GroupUnknown {}),
            Some(group) if group.version == request.known_version => {
                LookedUp::Unchanged(v1::GroupUnchanged {})
            }
            Some(group) => LookedUp::Group(convert::proto_group(group)),
        };
        let answer = Some(answer);
        Ok(Response::new(v1::LookUpGroupReply { answer }))
    }

    async fn which_are_groups(
        &self,
        request: Request<v1::WhichAreGroupsRequest>,
    ) -> Result<Response<v1::WhichAreGroupsReply>, Status> {
        let uris = convert::asked_about(request.into_inner().uris)?;
        let are_groups = self.store.which_are_groups(uris).await;
        let are_groups = are_groups.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(v1::WhichAreGroupsReply { are_groups }))
    }

    async fn get_group_document(
        &self,
        request: Request<v1::GetGroupDocumentRequest>,
    ) -> Result<Response<v1::GetGroupDocumentReply>, Status> {
        let request = request.into_inner();
        let owner = convert::named(request.owner)?;
        let name = convert::document_name(request.name)?;
        let found = self.store.group_document(owner, name).await;
        let found = found.map_err(|error| status::of_store(&error))?;
        let (group, document) = found.ok_or_else(|| Status::not_found("no such document"))?;
        Ok(Response::new(v1::GetGroupDocumentReply {
            group: Some(convert::proto_group(group)),
            document: document.map(Into::into),
        }))
    }

    async fn put_group(
        &self,
        request: Request<v1::PutGroupRequest>,
    ) -> Result<Response<v1::Group>, Status> {
        let request = request.into_inner();
        let group = convert::group(request.group)?;
        let editor = group.owner.clone();
        let order = GroupOrder {
            editor: Some(convert::required(editor, "the owner is missing")?),
            change: GroupChange::Put(group),
            expected_version: request.expected_version,
            document: request.document.map(convert::group_document).transpose()?,
        };
        let group = self.change(order).await?;
        Ok(Response::new(convert::group_head(group)))
    }

    async fn remove_group(
        &self,
        request: Request<v1::RemoveGroupRequest>,
    ) -> Result<Response<v1::RemoveGroupReply>, Status> {
        let request = request.into_inner();
        let order = GroupOrder {
            change: GroupChange::Delete(convert::named(request.uri)?),
            editor: Some(convert::named(request.owner)?),
            expected_version: request.expected_version,
            document: None,
        };
        self.change(order).await?;
        Ok(Response::new(v1::RemoveGroupReply {}))
    }

    async fn accept_job(
        &self,
        request: Request<v1::AcceptJobRequest>,
    ) -> Result<Response<v1::AcceptJobReply>, Status> {
        let mut request = request.into_inner();
        let remaining = convert::required(request.remaining.take(), "the time is missing")?;
        let deadline = crate::now() + convert::duration(remaining);
        let request = convert::job_request(request, deadline)?;
        let recipients = request.roster.len();
        let outcome = self.store.accept_job(request).await;
        let answer = match outcome.map_err(|error| status::of_store(&error))? {
            JobOutcome::Accepted(receipt) => {
                self.dispatcher.wake();
                let accepted = receipt::accepted(receipt, false);
                count_accepted(recipients);
                Accepted::Accepted(accepted)
            }
            JobOutcome::Duplicate(receipt) => {
                let accepted = receipt::accepted(receipt, true);
                count_job("duplicate");
                Accepted::Accepted(accepted)
            }
            JobOutcome::Refused(refusal) => {
                let refused = convert::job_refusal(&refusal);
                count_job("refused");
                Accepted::Refused(refused)
            }
        };
        let answer = Some(answer);
        Ok(Response::new(v1::AcceptJobReply { answer }))
    }

    async fn read_job_content(
        &self,
        request: Request<v1::ReadJobContentRequest>,
    ) -> Result<Response<Self::ReadJobContentStream>, Status> {
        let request = request.into_inner();
        let token = convert::leg_token(request.leg)?;
        let holds = self.store.holds_leg(token).await;
        if !holds.map_err(|error| status::of_store(&error))? {
            return Err(status::superseded());
        }
        let content = Content::Job(token.leg.job);
        let range = (request.offset, request.length);
        let pieces = Reading::begin(Arc::clone(&self.store), content, range).await?;
        let pieces = pieces.map(|piece| piece.map(|octets| v1::ReadPartReply { octets }));
        Ok(Response::new(Box::pin(pieces)))
    }

    async fn attach_fan_out(
        &self,
        request: Request<Streaming<v1::AttachFanOutRequest>>,
    ) -> Result<Response<Self::AttachFanOutStream>, Status> {
        if self.shutdown.is_cancelled() {
            return Err(status::draining());
        }
        let (replies, receiver) = mpsc::channel(REPLY_BUFFER);
        let session =
            session::Session::new(Arc::clone(&self.store), self.dispatcher.clone(), replies);
        let serving = session.serve(request.into_inner(), self.shutdown.clone());
        self.streams.spawn(serving);
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
