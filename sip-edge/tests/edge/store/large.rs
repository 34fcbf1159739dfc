//! Large messages of the store of the tests.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use proto::v1;
use proto::v1::admit_reply::Answer as Admitted;
use proto::v1::large_message_service_server::LargeMessageService;
use proto::v1::upload_reply::Answer;
use proto::v1::upload_request::Request as Piece;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Asked, FIRST, HOSTNAME, PIECE_OCTETS, Reading, Replies, Service, Taking};

/// More octets are not admitted.
const MAX_OCTETS: u64 = 10 << 20;

fn refused(reason: v1::RefusalReason) -> v1::Refused {
    v1::Refused {
        reason: reason.into(),
        retry_after: None,
    }
}

fn upload_reply(answer: Answer) -> Response<v1::UploadReply> {
    Response::new(v1::UploadReply {
        answer: Some(answer),
    })
}

#[tonic::async_trait]
impl LargeMessageService for Service {
    type ReadPartStream = Replies<v1::ReadPartReply>;

    async fn admit(
        &self,
        request: Request<v1::AdmitRequest>,
    ) -> Result<Response<v1::AdmitReply>, Status> {
        self.tell(Asked::Admit(request.into_inner())).await;
        let taking = self.lock().taking;
        if taking == Taking::WaitsToAdmit {
            self.going_on.acquire().await.expect("open").forget();
        }
        let answer = match taking {
            Taking::Refuses(reason) => Admitted::Refused(refused(reason)),
            _ => Admitted::Admitted(v1::Admission {
                upload: 1,
                max_octets: MAX_OCTETS,
                lease: None,
            }),
        };
        Ok(Response::new(v1::AdmitReply {
            answer: Some(answer),
        }))
    }

    async fn admit_job(
        &self,
        _: Request<v1::AdmitJobRequest>,
    ) -> Result<Response<v1::AdmitJobReply>, Status> {
        Err(Status::unimplemented("this edge has no messages to many"))
    }

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Result<Response<v1::UploadReply>, Status> {
        let mut requests = request.into_inner();
        let mut body = Vec::new();
        while let Some(Ok(request)) = requests.next().await {
            let taking = self.lock().taking;
            match (request.request.expect("a request"), taking) {
                (Piece::Open(_), _) => {}
                (Piece::Piece(_), Taking::RefusesPieces(reason)) => {
                    return Ok(upload_reply(Answer::Refused(refused(reason))));
                }
                (Piece::Piece(piece), _) => {
                    let start = usize::try_from(piece.offset).expect("small");
                    let end = start + piece.octets.len();
                    body.resize(body.len().max(end), 0);
                    body[start..end].copy_from_slice(&piece.octets);
                }
                (Piece::Commit(_), Taking::FailsToCommit) => {
                    return Err(Status::unavailable("the disk is gone"));
                }
                (Piece::CommitJob(_), _) => {
                    return Err(Status::invalid_argument("it was admitted for a mailbox"));
                }
                (Piece::Commit(deposit), _) => {
                    self.tell(Asked::Large(Box::new(deposit), body)).await;
                    return Ok(upload_reply(Answer::Deposited(v1::Deposited {
                        message_id: format!("{FIRST}@{HOSTNAME}"),
                        received_at: Some(SystemTime::now().into()),
                        duplicate: false,
                        registered: false,
                    })));
                }
            }
        }
        Err(Status::cancelled("forgotten"))
    }

    async fn read_part(
        &self,
        request: Request<v1::ReadPartRequest>,
    ) -> Result<Response<Self::ReadPartStream>, Status> {
        let request = request.into_inner();
        let (body, reading, generation) = {
            let state = self.lock();
            let body = state.bodies.get(&request.message_id).cloned();
            let body = body.ok_or_else(|| Status::not_found("no such body"))?;
            (body, state.reading, state.generation)
        };
        assert_eq!(request.part(), v1::PartKind::SendBody);
        assert_eq!(
            request.claim.map(|claim| claim.generation),
            Some(generation)
        );
        let from = usize::try_from(request.offset).expect("small");
        let to = from + usize::try_from(request.length).expect("small");
        let (sender, receiver) = mpsc::channel(1);
        let going_on = Arc::clone(&self.going_on);
        tokio::spawn(async move {
            let mut given = 0;
            for piece in body.slice(from..to).chunks(PIECE_OCTETS) {
                match reading {
                    Reading::FailsAfter(octets) if given >= octets => {
                        let _ = sender.send(Err(Status::data_loss("it is gone"))).await;
                        return;
                    }
                    Reading::StopsAfter(octets)
                        if given >= octets && given < octets + PIECE_OCTETS =>
                    {
                        going_on.acquire().await.expect("open").forget();
                    }
                    _ => {}
                }
                given += piece.len();
                let octets = Bytes::copy_from_slice(piece);
                if sender.send(Ok(v1::ReadPartReply { octets })).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn add_sender_bye(
        &self,
        request: Request<v1::AddSenderByeRequest>,
    ) -> Result<Response<v1::AddSenderByeReply>, Status> {
        self.tell(Asked::SenderBye(request.into_inner())).await;
        Ok(Response::new(v1::AddSenderByeReply {}))
    }
}
