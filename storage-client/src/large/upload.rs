//! One upload: a stream of pieces with back-pressure, ended by a commit or forgotten.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proto::v1;
use proto::v1::large_message_service_client::LargeMessageServiceClient;
use proto::v1::upload_request::Request;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{LargeDeposit, UploadError};
use crate::{DepositAnswer, Unavailable, convert};

/// Octets of one piece on the wire.
const PIECE_OCTETS: usize = 256 << 10;
/// Octets that follow each other are gathered up to this size: a call per chunk of a sender would cost
/// more than the octets.
const GATHERED_OCTETS: usize = 16 << 10;
/// Pieces that wait for the connection; about as many are in its buffers.
const PIECES_WAITING: usize = 1;

/// An admitted message whose octets may be written now. Dropped before [`Upload::commit`] the store
/// forgets it, and with it the reservation.
#[derive(Debug)]
pub struct Upload {
    max_octets: u64,
    /// Octets that have not been sent yet, and where they begin.
    gathered: (u64, BytesMut),
    requests: mpsc::Sender<v1::UploadRequest>,
    reply: AbortOnDropHandle<Result<v1::UploadReply, Status>>,
    /// Why it is over.
    ended: Option<UploadError>,
    patience: Duration,
}

impl Upload {
    /// Opens the stream at once, so that dropping it is noticed.
    pub(crate) fn open(
        mut client: LargeMessageServiceClient<Channel>,
        admission: &v1::Admission,
        patience: Duration,
    ) -> Self {
        let (requests, outgoing) = mpsc::channel(PIECES_WAITING);
        let open = Request::Open(v1::UploadOpen {
            upload: admission.upload,
        });
        let first = v1::UploadRequest {
            request: Some(open),
        };
        let requests_of_call = tokio_stream::StreamExt::chain(
            tokio_stream::once(first),
            ReceiverStream::new(outgoing),
        );
        let call: JoinHandle<_> = tokio::spawn(async move {
            let reply = client.upload(requests_of_call).await;
            reply.map(tonic::Response::into_inner)
        });
        Self {
            max_octets: admission.max_octets,
            gathered: (0, BytesMut::new()),
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

    /// Takes octets for their place; any order, and where they overlap the later ones win. Small
    /// pieces that follow each other wait until they are worth a call, at the latest for the commit.
    /// Takes as long as the storage service is behind: at most some 1 MiB is under way. Dropped in the
    /// middle, the octets may be written or not.
    ///
    /// # Errors
    /// [`UploadError`]: the upload is over.
    pub async fn write(&mut self, offset: u64, octets: Bytes) -> Result<(), UploadError> {
        let length = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        let end = offset.checked_add(length).ok_or(UploadError::TooLarge)?;
        if end > self.max_octets {
            return Err(UploadError::TooLarge);
        }
        let (start, gathered) = &mut self.gathered;
        if *start + gathered.len() as u64 == offset && octets.len() < GATHERED_OCTETS {
            gathered.extend_from_slice(&octets);
            return match gathered.len() < GATHERED_OCTETS {
                true => Ok(()),
                false => self.send_gathered().await,
            };
        }
        self.send_gathered().await?;
        if octets.len() < GATHERED_OCTETS {
            self.gathered = (offset, BytesMut::from(octets));
            return Ok(());
        }
        self.gathered.0 = end;
        self.send_pieces(offset, octets).await
    }

    async fn send_gathered(&mut self) -> Result<(), UploadError> {
        let (start, gathered) = &mut self.gathered;
        let (offset, octets) = (*start, gathered.split().freeze());
        *start += octets.len() as u64;
        self.send_pieces(offset, octets).await
    }

    async fn send_pieces(&mut self, mut offset: u64, mut octets: Bytes) -> Result<(), UploadError> {
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

    /// Makes the message durable and visible, all at once.
    ///
    /// # Errors
    /// [`Unavailable`]: it is not stored; if the answer was lost or took longer than
    /// [`crate::ClientConfig::commit_deadline`] it may be, and the sender's retry is a duplicate.
    pub async fn commit(mut self, message: LargeDeposit) -> Result<DepositAnswer, Unavailable> {
        let request = Request::Commit(convert::large_deposit(message));
        let sent = match self.send_gathered().await {
            Ok(()) => self.send(request).await,
            failed => failed,
        };
        match sent {
            Ok(()) => {}
            Err(UploadError::Refused(refusal)) => return Ok(DepositAnswer::Refused(refusal)),
            Err(UploadError::TooLarge) => return Err(Unavailable::new("larger than admitted")),
            Err(UploadError::Unavailable(unavailable)) => return Err(unavailable),
        }
        let Ok(reply) = timeout(self.patience, &mut self.reply).await else {
            return Err(Unavailable::new("no answer within the deadline"));
        };
        let reply = reply.map_err(|_| Unavailable::new("the call ended early"))?;
        reply
            .map_err(|status| Unavailable::from_status(&status))
            .and_then(convert::upload_answer)
    }

    async fn send(&mut self, request: Request) -> Result<(), UploadError> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        let request = v1::UploadRequest {
            request: Some(request),
        };
        let reply = tokio::select! {
            biased;
            reply = &mut self.reply => reply,
            sent = self.requests.send(request) => match sent {
                Ok(()) => return Ok(()),
                // The call has let go of its requests: it is about to say why.
                Err(_) => (&mut self.reply).await,
            },
        };
        let error = match reply {
            Ok(Ok(reply)) => refused(reply),
            Ok(Err(status)) => failed(&status),
            Err(_) => Unavailable::new("the call ended early").into(),
        };
        Err(self.ended.insert(error).clone())
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

fn failed(status: &Status) -> UploadError {
    match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => UploadError::TooLarge,
        _ => Unavailable::from_status(status).into(),
    }
}
