//! Large messages: admission, uploads and ranged reading.

mod convert;
mod count;
mod under_way;
mod upload;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use proto::v1;
use proto::v1::admit_job_reply::Answer as JobAnswer;
use proto::v1::admit_reply::Answer;
use proto::v1::large_message_service_server::LargeMessageService;
use storage::Store;
use storage::model::{AdmissionOutcome, JobAdmissionOutcome, UploadId};
use tokio::sync::oneshot;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use self::count::Counters;
pub(crate) use self::under_way::UploadsUnderWay;
use crate::convert::{
    claim, job_admission, job_refusal, message_number, part_kind, proto_duration, refusal,
};
use crate::fan_out::{Dispatcher, count_job};
use crate::reading::{Content, Reading};
use crate::scheduler::DepositWatch;
use crate::status;

/// Most octets of a BYE.
const BYE_OCTETS: usize = 64 << 10;

/// How long an upload may be quiet, and go on while the service drains.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) lease: Duration,
    pub(crate) drain: Duration,
}

/// The service of large messages over a store.
pub(crate) struct LargeMessages<S> {
    context: Arc<Context<S>>,
    streams: TaskTracker,
}

/// What every upload needs.
struct Context<S> {
    store: Arc<S>,
    watch: DepositWatch,
    /// Woken when an upload has become a job.
    dispatcher: Dispatcher,
    counters: Counters,
    under_way: UploadsUnderWay,
    patience: Patience,
    shutdown: CancellationToken,
}

impl<S: Store> LargeMessages<S> {
    /// Uploads under way when `shutdown` is cancelled may go on for a while; `streams` tracks them.
    pub(crate) fn new(
        store: Arc<S>,
        watch: DepositWatch,
        (dispatcher, under_way): (Dispatcher, UploadsUnderWay),
        patience: Patience,
        streams: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let context = Context {
            store,
            watch,
            dispatcher,
            counters: Counters::new(),
            under_way,
            patience,
            shutdown,
        };
        Self {
            context: Arc::new(context),
            streams,
        }
    }

    fn admission(&self, upload: UploadId, max_octets: u64) -> v1::Admission {
        v1::Admission {
            upload: upload.0,
            max_octets,
            lease: Some(proto_duration(self.context.patience.lease)),
        }
    }

    fn check_running(&self) -> Result<(), Status> {
        match self.context.shutdown.is_cancelled() {
            true => Err(status::draining()),
            false => Ok(()),
        }
    }
}

type Pieces = Pin<Box<dyn Stream<Item = Result<v1::ReadPartReply, Status>> + Send>>;

#[tonic::async_trait]
impl<S: Store> LargeMessageService for LargeMessages<S> {
    type ReadPartStream = Pieces;

    async fn admit(
        &self,
        request: Request<v1::AdmitRequest>,
    ) -> Result<Response<v1::AdmitReply>, Status> {
        self.check_running()?;
        let context = &self.context;
        let admission = convert::admission(request.into_inner())?;
        let outcome = context.store.admit(admission).await;
        let answer = match outcome.map_err(|error| status::of_store(&error))? {
            AdmissionOutcome::Admitted { upload, max_octets } => {
                Answer::Admitted(self.admission(upload, max_octets))
            }
            AdmissionOutcome::Refused(refused) => {
                context.counters.refused(&refused);
                Answer::Refused(refusal(&refused))
            }
        };
        let answer = Some(answer);
        Ok(Response::new(v1::AdmitReply { answer }))
    }

    async fn admit_job(
        &self,
        request: Request<v1::AdmitJobRequest>,
    ) -> Result<Response<v1::AdmitJobReply>, Status> {
        self.check_running()?;
        let admission = job_admission(request.into_inner())?;
        let outcome = self.context.store.admit_job(admission).await;
        let answer = match outcome.map_err(|error| status::of_store(&error))? {
            JobAdmissionOutcome::Admitted { upload, max_octets } => {
                JobAnswer::Admitted(self.admission(upload, max_octets))
            }
            JobAdmissionOutcome::Refused(refused) => {
                count_job("refused");
                JobAnswer::Refused(job_refusal(&refused))
            }
        };
        let answer = Some(answer);
        Ok(Response::new(v1::AdmitJobReply { answer }))
    }

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Result<Response<v1::UploadReply>, Status> {
        self.check_running()?;
        let (sender, reply) = oneshot::channel();
        let context = Arc::clone(&self.context);
        // A task of its own: an edge that goes away does not stop it in the middle of a step.
        self.streams.spawn(async move {
            let served = upload::serve(&context, request.into_inner()).await;
            drop(sender.send(served));
        });
        let reply = reply.await;
        let reply = reply.map_err(|_| Status::internal("the upload ended without an answer"))?;
        reply.map(Response::new)
    }

    async fn read_part(
        &self,
        request: Request<v1::ReadPartRequest>,
    ) -> Result<Response<Pieces>, Status> {
        let request = request.into_inner();
        let part = part_kind(request.part())?;
        let store = &self.context.store;
        let number = message_number(&request.message_id, store.hostname())?;
        if request.claim.is_some() {
            let holds = store.holds(claim(request.claim)?, number).await;
            if !holds.map_err(|error| status::of_store(&error))? {
                return Err(status::superseded());
            }
        }
        let range = (request.offset, request.length);
        let content = Content::Part(number, part);
        let pieces = Reading::begin(Arc::clone(store), content, range).await?;
        let pieces = pieces.map(|piece| piece.map(|octets| v1::ReadPartReply { octets }));
        Ok(Response::new(Box::pin(pieces)))
    }

    async fn add_sender_bye(
        &self,
        request: Request<v1::AddSenderByeRequest>,
    ) -> Result<Response<v1::AddSenderByeReply>, Status> {
        let request = request.into_inner();
        if request.octets.len() > BYE_OCTETS {
            return Err(Status::invalid_argument("a BYE has at most 64 KiB"));
        }
        let store = &self.context.store;
        let number = message_number(&request.message_id, store.hostname())?;
        let added = store.add_sender_bye(number, request.octets).await;
        added.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(v1::AddSenderByeReply {}))
    }
}
