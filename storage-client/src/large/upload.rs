//! One upload: a stream of pieces with back-pressure, ended by a commit or forgotten.

use std::time::Duration;

use bytes::Bytes;
use proto::v1;
use proto::v1::large_message_service_client::LargeMessageServiceClient;
use proto::v1::upload_request::Request;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::transport::Channel;

use super::{LargeDeposit, UploadError};
use crate::fan_out::{JobAnswer, LargeJobRequest};
use crate::{DepositAnswer, Unavailable, convert};

/// Octets of one piece on the wire.
const PIECE_OCTETS: usize = 256 << 10;
/// Pieces that wait for the connection; about as many are in its buffers.
const PIECES_WAITING: usize = 1;
/// The lease of a store that does not say how long it is.
const DEFAULT_LEASE: Duration = Duration::from_secs(60);

/// An admitted message whose octets may be written now. Dropped before [`Upload::commit`] or
/// [`Upload::commit_job`] the store
/// forgets it, and with it the reservation.
#[derive(Debug)]
pub struct Upload {
    max_octets: u64,
    lease: Duration,
    /// Boxed: a channel keeps places for 32, and a request is as large as a commit inline.
    requests: mpsc::Sender<Box<v1::UploadRequest>>,
    reply: AbortOnDropHandle<Reply>,
    /// Why it is over.
    ended: Option<UploadError>,
    patience: Duration,
}

/// What the call comes back with.
type Reply = Result<v1::UploadReply, Status>;

impl Upload {
    /// Opens the stream at once, so that dropping it is noticed.
    pub(crate) fn open(
        mut client: LargeMessageServiceClient<Channel>,
        admission: &v1::Admission,
        patience: Duration,
    ) -> Self {
        let (requests, outgoing) = mpsc::channel::<Box<v1::UploadRequest>>(PIECES_WAITING);
        let open = Request::Open(v1::UploadOpen {
            upload: admission.upload,
        });
        let first = v1::UploadRequest {
            request: Some(open),
        };
        let requests_of_call = tokio_stream::StreamExt::chain(
            tokio_stream::once(first),
            tokio_stream::StreamExt::map(ReceiverStream::new(outgoing), |request| *request),
        );
        let call: JoinHandle<_> = tokio::spawn(async move {
            let reply = client.upload(requests_of_call).await;
            reply.map(tonic::Response::into_inner)
        });
        let lease = admission.lease.and_then(convert::duration);
        Self {
            max_octets: admission.max_octets,
            lease: lease.unwrap_or(DEFAULT_LEASE),
            requests,
            reply: AbortOnDropHandle::new(call),
            ended: None,
            patience,
        }
    }

    /// More octets than these are not taken.
    #[must_use]
    pub fn max_octets(&self) -> u64 {
        self.max_octets
    }

    /// The store forgets the upload if nothing is written for so long.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Takes octets for their place; any order, and where they overlap the later ones win. Each call
    /// is one of the store too, so small pieces are better joined before. Takes as long as the storage
    /// service is behind: at most some 1 MiB is under way. Dropped in the middle, the octets may be
    /// written or not.
    ///
    /// # Errors
    /// [`UploadError`]: the upload is over.
    pub async fn write(&mut self, mut offset: u64, mut octets: Bytes) -> Result<(), UploadError> {
        let length = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        let end = offset.checked_add(length).ok_or(UploadError::TooLarge)?;
        if end > self.max_octets {
            return Err(UploadError::TooLarge);
        }
        while !octets.is_empty() {
            let piece = octets.split_to(octets.len().min(PIECE_OCTETS));
            let length = piece.len() as u64;
            let octets = piece;
            self.send(Request::Piece(v1::UploadPiece { offset, octets }))
                .await?;
            offset += length;
        }
        Ok(())
    }

    /// Waits until the upload is over without our doing: the store has failed, drains, refuses it or
    /// has lost patience. May be dropped and called again.
    pub async fn ended(&mut self) -> UploadError {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let reply = (&mut self.reply).await;
        self.end(reply)
    }

    /// Makes the message durable and visible, all at once.
    ///
    /// # Errors
    /// [`UploadError`]: it is not stored; if it is [`Unavailable`] because the answer was lost or took
    /// longer than [`crate::ClientConfig::commit_deadline`] it may be, and the sender's retry is a
    /// duplicate.
    pub async fn commit(mut self, message: LargeDeposit) -> Result<DepositAnswer, UploadError> {
        let request = Request::Commit(convert::large_deposit(message));
        match self.send(request).await {
            Ok(()) => {}
            Err(UploadError::Refused(refusal)) => return Ok(DepositAnswer::Refused(refusal)),
            Err(error) => return Err(error),
        }
        let reply = self.committed().await?;
        Ok(convert::upload_answer(reply)?)
    }

    /// Makes the message a durable job, all at once: its legs begin then (CFL-16).
    ///
    /// # Errors
    /// As [`Upload::commit`].
    pub async fn commit_job(mut self, job: LargeJobRequest) -> Result<JobAnswer, UploadError> {
        self.send(Request::CommitJob(convert::large_job(job)))
            .await?;
        let reply = self.committed().await?;
        convert::upload_job_answer(reply)
    }

    /// The answer to a commit.
    async fn committed(&mut self) -> Result<v1::UploadReply, UploadError> {
        match timeout(self.patience, &mut self.reply).await {
            Ok(Ok(Ok(reply))) => Ok(reply),
            Ok(Ok(Err(status))) => Err(UploadError::from_status(&status)),
            Ok(Err(_)) => Err(Unavailable::new("the call ended early").into()),
            Err(_) => Err(Unavailable::new("no answer within the deadline").into()),
        }
    }

    async fn send(&mut self, request: Request) -> Result<(), UploadError> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        let request = Box::new(v1::UploadRequest {
            request: Some(request),
        });
        let reply = tokio::select! {
            biased;
            reply = &mut self.reply => reply,
            sent = self.requests.send(request) => match sent {
                Ok(()) => return Ok(()),
                // The call has let go of its requests: it is about to say why.
                Err(_) => (&mut self.reply).await,
            },
        };
        Err(self.end(reply))
    }

    fn end(&mut self, reply: Result<Reply, JoinError>) -> UploadError {
        let error = match reply {
            Ok(Ok(reply)) => refused(reply),
            Ok(Err(status)) => UploadError::from_status(&status),
            Err(_) => Unavailable::new("the call ended early").into(),
        };
        self.ended.insert(error).clone()
    }
}

/// A reply in the middle can only be a refusal.
fn refused(reply: v1::UploadReply) -> UploadError {
    match convert::upload_answer(reply) {
        Ok(DepositAnswer::Refused(refusal)) => UploadError::Refused(refusal),
        Ok(DepositAnswer::Deposited(_)) => Unavailable::new("an answer before its question").into(),
        Err(unavailable) => unavailable.into(),
    }
}
