//! One upload from its first request to its reply.

use std::time::{Duration, Instant};

use proto::v1;
use proto::v1::upload_reply::Answer;
use proto::v1::upload_request::Request;
use storage::Store;
use storage::model::{DepositOutcome, Refusal, UploadId};
use tokio::time::sleep;
use tonic::{Code, Status, Streaming};

use super::Context;
use super::convert::large_deposit;
use super::count::Ending;
use crate::convert::refusal;
use crate::deposit::receipt::deposited;
use crate::status;

/// Most octets of a piece.
const PIECE_OCTETS: usize = 256 << 10;
/// The sender has given up by then: its transaction takes 30 s (RFC 4975 §7.1.1).
const COMMIT_TIME: Duration = Duration::from_secs(30);

/// Serves an upload. Whatever ends it before its commit leaves nothing behind.
pub(super) async fn serve<S: Store>(
    context: &Context<S>,
    mut requests: Streaming<v1::UploadRequest>,
) -> Result<v1::UploadReply, Status> {
    let Request::Open(open) = next(context, &mut requests).await? else {
        return Err(Status::invalid_argument("an upload begins with its id"));
    };
    let begun = Instant::now();
    let upload = UploadId(open.upload);
    context.counters.begun();
    let served = match receive(context, upload, &mut requests).await {
        Ok(Received::Whole(deposit)) => commit(context, upload, *deposit).await,
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
    context.counters.ended(ending, begun.elapsed());
    reply
}

/// How the octets of an upload ended.
enum Received {
    Whole(Box<v1::LargeDeposit>),
    Refused(Refusal),
}

/// Stages pieces until the commit comes.
async fn receive<S: Store>(
    context: &Context<S>,
    upload: UploadId,
    requests: &mut Streaming<v1::UploadRequest>,
) -> Result<Received, Status> {
    loop {
        let piece = match next(context, requests).await? {
            Request::Piece(piece) => piece,
            Request::Commit(deposit) => return Ok(Received::Whole(Box::new(deposit))),
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
    }
}

/// The next request; an error if none comes in time.
async fn next<S: Store>(
    context: &Context<S>,
    requests: &mut Streaming<v1::UploadRequest>,
) -> Result<Request, Status> {
    let drained = async {
        context.shutdown.cancelled().await;
        sleep(context.patience.drain).await;
    };
    let request = tokio::select! {
        biased;
        request = requests.message() => request?,
        () = sleep(context.patience.lease) => {
            let message = "no progress within the lease";
            return Err(status::with_reason(Code::NotFound, "LAPSED", message));
        }
        () = drained => return Err(status::draining()),
    };
    let request = request.ok_or_else(|| Status::cancelled("the edge has ended the upload"))?;
    let request = request.request;
    request.ok_or_else(|| Status::invalid_argument("a request is empty"))
}

async fn commit<S: Store>(
    context: &Context<S>,
    upload: UploadId,
    deposit: v1::LargeDeposit,
) -> Result<(Ending, Answer), Status> {
    let begun = Instant::now();
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
        DepositOutcome::Stored(receipt) => {
            context.counters.accepted(class, begun.elapsed());
            context.watch.deposited(served_user);
            (Ending::Stored, Answer::Deposited(deposited(receipt, false)))
        }
        DepositOutcome::Duplicate(receipt) => (
            Ending::Duplicate,
            Answer::Deposited(deposited(receipt, true)),
        ),
        DepositOutcome::Refused(refused) => refusing(context, &refused),
    })
}

fn refusing<S>(context: &Context<S>, refused: &Refusal) -> (Ending, Answer) {
    context.counters.refused(refused);
    (Ending::Refused, Answer::Refused(refusal(refused)))
}
