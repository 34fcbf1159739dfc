//! A storage service that answers every deposit at once and stores nothing: the peer of the
//! benchmark of an edge alone (docs/benchmarks.md, B2).
//!
//! `deposit_sink ADDRESS:PORT`

use std::pin::Pin;
use std::time::Instant;

use proto::v1;
use proto::v1::deposit_service_server::{DepositService, DepositServiceServer};
use proto::v1::exchange_answer::Answer;
use proto::v1::exchange_reply::Reply;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// Entries that may be unanswered at a time.
const WINDOW: u32 = 4_096;

struct Sink;

type Replies = mpsc::Sender<Result<v1::ExchangeReply, Status>>;

#[tonic::async_trait]
impl DepositService for Sink {
    type ExchangeStream = Pin<Box<dyn Stream<Item = Result<v1::ExchangeReply, Status>> + Send>>;

    async fn exchange(
        &self,
        request: Request<Streaming<v1::ExchangeRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let (sender, replies) = mpsc::channel(2);
        tokio::spawn(serve(request.into_inner(), sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }
}

async fn serve(mut requests: Streaming<v1::ExchangeRequest>, replies: Replies) {
    let opened_at = Instant::now();
    let opened = v1::ExchangeOpened {
        window: WINDOW,
        store: Some(v1::StoreIdentity {
            hostname: "sink.example.org".to_owned(),
            secret: vec![7; 32].into(),
        }),
        readiness: None,
    };
    if !send(&replies, opened_at, Reply::Opened(opened)).await {
        return;
    }
    let mut number = 0_u64;
    while let Ok(Some(request)) = requests.message().await {
        let answers = request.entries.into_iter().map(|entry| {
            number += 1;
            v1::ExchangeAnswer {
                correlation: entry.correlation,
                answer: Some(Answer::Deposited(v1::Deposited {
                    message_id: format!("{number}@sink.example.org"),
                    received_at: Some(std::time::SystemTime::now().into()),
                    duplicate: false,
                    registered: false,
                })),
            }
        });
        let answers = v1::ExchangeAnswers {
            answers: answers.collect(),
        };
        if !send(&replies, opened_at, Reply::Answers(answers)).await {
            return;
        }
    }
}

async fn send(replies: &Replies, opened_at: Instant, reply: Reply) -> bool {
    let clock = prost_types::Duration::try_from(opened_at.elapsed()).ok();
    let reply = v1::ExchangeReply {
        reply: Some(reply),
        stream_clock: clock,
    };
    replies.send(Ok(reply)).await.is_ok()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_default();
    let address = address.parse().expect("an address and port to listen on");
    Server::builder()
        .add_service(DepositServiceServer::new(Sink))
        .serve(address)
        .await
        .expect("the address is free");
}
