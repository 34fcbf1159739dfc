//! One upload from its first request to its reply.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use proto::v1;
use proto::v1::upload_reply::Answer;
use proto::v1::upload_request::Request;
use storage::Store;
use storage::model::{DepositOutcome, JobOutcome, Refusal, UploadId};
use tokio::time::sleep;
use tonic::{Code, Status, Streaming};

use super::Context;
use super::convert::large_deposit;
use super::count::Ending;
use super::under_way::UnderWay;
use crate::convert::{job_refusal, large_job, refusal};
use crate::deposit::receipt::{Novelty, deposited};
use crate::fan_out::receipt::accepted;
use crate::fan_out::{count_accepted, count_job};
use crate::{now, status};

/// Most octets of a piece.
const PIECE_OCTETS: usize = 256 << 10;
/// The sender has given up by then: its transaction takes 30 s (RFC 4975 §7.1.1).
const COMMIT_TIME: Duration = Duration::from_secs(30);

/// Serves an upload. Whatever ends it before its commit leaves nothing behind.
pub(super) async fn serve<S: Store>(
    context: &Context<S>,
    mut requests: Streaming<v1::UploadRequest>,
) -> Result<v1::UploadReply, Status> {
    let interruption = pin!(interruption(context));
    let mut incoming = Incoming {
        requests: &mut requests,
        lease: context.patience.lease,
        interruption,
    };
    let Request::Open(open) = incoming.next().await? else {
        return Err(Status::invalid_argument("an upload begins with its id"));
    };
    let begun = now();
    let upload = UploadId(open.upload);
    context.counters.begun();
    let under_way = context.under_way.begin(upload, begun);
    let served = match receive(context, &under_way, upload, &mut incoming).await {
        Ok(Received::Whole(deposit)) => commit(context, upload, *deposit).await,
        Ok(Received::WholeJob(job)) => commit_job(context, upload, *job).await,
        Ok(Received::Refused(refused)) => {
            context.store.abandon(upload).await;
            Ok(refusing(context, &refused))
        }
        Err(status) => {
            context.store.abandon(upload).await;
            Err(status)
        }
    };
    let (ending, reply) = match served {
        Ok((ending, answer)) => {
            let answer = Some(answer);
            (ending, Ok(v1::UploadReply { answer }))
        }
        Err(status) => (Ending::Abandoned, Err(status)),
    };
    context.counters.ended(ending, now().duration_since(begun));
    reply
}

/// How the octets of an upload ended.
enum Received {
    Whole(Box<v1::LargeDeposit>),
    WholeJob(Box<v1::LargeJob>),
    Refused(Refusal),
}

/// Stages pieces until the commit comes.
async fn receive<S: Store>(
    context: &Context<S>,
    under_way: &UnderWay,
    upload: UploadId,
    incoming: &mut Incoming<'_, impl Future<Output = Status>>,
) -> Result<Received, Status> {
    loop {
        let piece = match incoming.next().await? {
            Request::Piece(piece) => piece,
            Request::Commit(deposit) => return Ok(Received::Whole(Box::new(deposit))),
            Request::CommitJob(job) => return Ok(Received::WholeJob(Box::new(job))),
            Request::Open(_) => return Err(Status::invalid_argument("it is open already")),
        };
        if piece.octets.len() > PIECE_OCTETS {
            return Err(Status::invalid_argument("a piece has at most 256 KiB"));
        }
        let octets = piece.octets.len();
        let staged = context.store.stage(upload, piece.offset, piece.octets);
        if let Err(refused) = staged.await.map_err(|error| status::of_store(&error))? {
            return Ok(Received::Refused(refused));
        }
        context.counters.octets(octets);
        under_way.grow(octets);
    }
}

/// What ends an upload from outside: a drain that has lasted long enough, or a store that has failed,
/// of which an edge whose sender is silent would not hear otherwise.
async fn interruption<S: Store>(context: &Context<S>) -> Status {
    let drained = async {
        context.shutdown.cancelled().await;
        sleep(context.patience.drain).await;
    };
    tokio::select! {
        () = drained => status::draining(),
        error = context.store.latched() => status::of_store(&error),
    }
}

/// The requests of an upload.
struct Incoming<'a, I> {
    requests: &'a mut Streaming<v1::UploadRequest>,
    lease: Duration,
    interruption: Pin<&'a mut I>,
}

impl<I: Future<Output = Status>> Incoming<'_, I> {
    /// The next request; an error if none comes in time, or the upload is interrupted.
    async fn next(&mut self) -> Result<Request, Status> {
        let request = tokio::select! {
            // First, so that a busy edge does not put it off.
            biased;
            status = &mut self.interruption => return Err(status),
            request = self.requests.message() => request?,
            () = sleep(self.lease) => {
                let message = "no progress within the lease";
                return Err(status::with_reason(Code::NotFound, "LAPSED", message));
            }
        };
        let request = request.ok_or_else(|| Status::cancelled("the edge has ended the upload"))?;
        let request = request.request;
        request.ok_or_else(|| Status::invalid_argument("a request is empty"))
    }
}

async fn commit<S: Store>(
    context: &Context<S>,
    upload: UploadId,
    deposit: v1::LargeDeposit,
) -> Result<(Ending, Answer), Status> {
    let begun = now();
    let deposit = match large_deposit(deposit, begun + COMMIT_TIME) {
        Ok(deposit) => deposit,
        Err(status) => {
            context.store.abandon(upload).await;
            return Err(status);
        }
    };
    let (class, served_user) = (deposit.class, deposit.served_user.clone());
    let outcome = context.store.commit_upload(upload, deposit).await;
    Ok(match outcome.map_err(|error| status::of_store(&error))? {
        DepositOutcome::Stored(receipt) | DepositOutcome::IdReused(receipt) => {
            context
                .counters
                .accepted(class, now().duration_since(begun));
            context.watch.deposited(served_user);
            (
                Ending::Stored,
                Answer::Deposited(deposited(receipt, Novelty::Stored { registered: false })),
            )
        }
        DepositOutcome::Duplicate(receipt) => (
            Ending::Duplicate,
            Answer::Deposited(deposited(receipt, Novelty::Duplicate)),
        ),
        DepositOutcome::Refused(refused) => refusing(context, &refused),
    })
}

async fn commit_job<S: Store>(
    context: &Context<S>,
    upload: UploadId,
    job: v1::LargeJob,
) -> Result<(Ending, Answer), Status> {
    let job = match large_job(job, now() + COMMIT_TIME) {
        Ok(job) => job,
        Err(status) => {
            context.store.abandon(upload).await;
            return Err(status);
        }
    };
    let recipients = job.job.roster.len();
    let outcome = context.store.commit_job(upload, job).await;
    Ok(match outcome.map_err(|error| status::of_store(&error))? {
        JobOutcome::Accepted(receipt) => {
            context.dispatcher.wake();
            count_accepted(recipients);
            (
                Ending::Stored,
                Answer::JobAccepted(accepted(receipt, false)),
            )
        }
        JobOutcome::Duplicate(receipt) => {
            count_job("duplicate");
            (
                Ending::DuplicateJob,
                Answer::JobAccepted(accepted(receipt, true)),
            )
        }
        JobOutcome::Refused(refused) => {
            count_job("refused");
            (Ending::Refused, Answer::JobRefused(job_refusal(&refused)))
        }
    })
}

fn refusing<S>(context: &Context<S>, refused: &Refusal) -> (Ending, Answer) {
    context.counters.refused(refused);
    (Ending::Refused, Answer::Refused(refusal(refused)))
}
