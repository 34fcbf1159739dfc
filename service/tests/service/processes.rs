//! The streams by which operators ask edges.

use proto::v1;
use proto::v1::attach_control_request::Request;
use proto::v1::control_service_client::ControlServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::support::{Service, channel, config, soon};

/// The way to the service, which ends the stream when it is dropped, and what comes back.
type Attached = (
    mpsc::Sender<v1::AttachControlRequest>,
    Streaming<v1::AttachControlReply>,
);

async fn attach(service: &Service, edge: &str) -> Result<Attached, Status> {
    let mut client = ControlServiceClient::new(channel(service.data).await);
    let (requests, receiver) = mpsc::channel(1);
    let edge = edge.to_owned();
    let hello = v1::AttachControlRequest {
        request: Some(Request::Hello(v1::ControlHello { edge })),
    };
    requests.send(hello).await.expect("there is room");
    let replies = client.attach_control(ReceiverStream::new(receiver)).await?;
    let mut replies = replies.into_inner();
    replies.message().await?.expect("it is opened");
    Ok((requests, replies))
}

#[tokio::test]
async fn a_new_stream_of_an_edge_ends_the_one_before() {
    let service = Service::in_memory(config());
    let mut first = attach(&service, "edge-1").await.expect("attached");
    let (_requests, mut second) = attach(&service, "edge-1").await.expect("attached");
    let ended = soon(first.1.message()).await;
    assert!(ended.expect("ended in order").is_none());
    // The second one is asked.
    let asked = tokio::spawn({
        let channel = channel(service.operator).await;
        async move {
            let mut operators = v1::process_service_client::ProcessServiceClient::new(channel);
            operators
                .get_log_filters(v1::GetLogFiltersRequest::default())
                .await
        }
    });
    let question = soon(second.message()).await.expect("it goes on");
    assert!(question.is_some());
    asked.abort();
}

#[tokio::test]
async fn an_edge_has_a_name_of_its_own() {
    let service = Service::in_memory(config());
    for odd in ["", "storage", "edge\n1", &"e".repeat(257)] {
        let refused = attach(&service, odd).await.err();
        let refused = refused.expect("it is no name");
        assert_eq!(refused.code(), Code::InvalidArgument, "{odd:?}");
    }
}
