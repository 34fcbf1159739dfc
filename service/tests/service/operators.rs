//! What operators see and order, over gRPC.

use proto::v1;
use proto::v1::job_service_client::JobServiceClient;
use storage_client::delivery::DeliveryOutcome;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::support::{
    BOB, Service, channel, config, delivered, deposited, message_to, next, register, soon, take,
};

fn order(message_id: &str) -> v1::MessageOrder {
    v1::MessageOrder {
        message_id: message_id.to_owned(),
        reason: "because".to_owned(),
        deliver_after: None,
    }
}

#[tokio::test]
async fn pages_of_a_list_meet_every_message_once() {
    let service = Service::in_memory(config());
    let client = service.client();
    for number in 1..=7 {
        deposited(&client, message_to(BOB, number)).await;
    }
    let mut mailboxes = service.mailboxes().await;
    let mut request = v1::ListMessagesRequest {
        served_user: BOB.to_owned(),
        page_size: 3,
        ..Default::default()
    };
    let mut sequences = Vec::new();
    loop {
        let page = mailboxes.list_messages(request.clone()).await;
        let page = page.expect("listed").into_inner();
        sequences.extend(page.messages.iter().map(|message| message.sequence));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(sequences.len(), 7);
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");

    request.page_token = "nonsense".to_owned();
    let refused = mailboxes.list_messages(request.clone()).await;
    assert_eq!(refused.expect_err("no token").code(), Code::InvalidArgument);
    request.page_token.clear();
    request.page_size = 1_001;
    let refused = mailboxes.list_messages(request).await;
    assert_eq!(
        refused.expect_err("too large").code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn a_message_is_shown_with_its_timeline() {
    let service = Service::in_memory(config());
    let id = deposited(&service.client(), message_to(BOB, 1)).await;
    let mut mailboxes = service.mailboxes().await;
    for spelling in [
        id.message_id().to_owned(),
        format!("sip:{}", id.message_id()),
    ] {
        let request = v1::GetMessageRequest {
            message_id: spelling,
        };
        let reply = mailboxes.get_message(request).await.expect("found");
        let reply = reply.into_inner();
        let message = reply.message.expect("whole");
        assert_eq!(message.message_uri, format!("sip:{}", id.message_id()));
        assert_eq!(message.state(), v1::MessageState::Stored);
        assert_eq!(reply.timeline[0].kind(), v1::EventKind::Deposited);
    }
    for (spelling, code) in [
        ("7@elsewhere.example", Code::NotFound),
        ("99999@store.example", Code::NotFound),
        ("007@store.example", Code::InvalidArgument),
    ] {
        let request = v1::GetMessageRequest {
            message_id: spelling.to_owned(),
        };
        let missing = mailboxes.get_message(request).await.expect_err(spelling);
        assert_eq!(missing.code(), code, "{spelling}");
    }
}

#[tokio::test]
async fn content_is_read_in_pieces_byte_for_byte() {
    let service = Service::in_memory(config());
    let mut deposit = message_to(BOB, 1);
    let content: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    deposit.parts[0].octets = content.clone().into();
    let id = deposited(&service.client(), deposit).await;
    let mut mailboxes = service.mailboxes().await;
    for (offset, length, expected) in [
        (0, 0, &content[..]),
        (10, 0, &content[10..]),
        (65_535, 3, &content[65_535..65_538]),
        (200_000, 0, &[]),
    ] {
        let request = v1::ReadContentRequest {
            message_id: id.message_id().to_owned(),
            part: v1::PartKind::Message.into(),
            offset,
            length,
        };
        let pieces = mailboxes.read_content(request).await.expect("there");
        let mut pieces = pieces.into_inner();
        let mut octets = Vec::new();
        while let Some(piece) = pieces.message().await.expect("read") {
            assert!(piece.octets.len() <= 64 << 10);
            octets.extend_from_slice(&piece.octets);
        }
        assert_eq!(octets, expected, "{offset} {length}");
    }
    let absent = v1::ReadContentRequest {
        message_id: id.message_id().to_owned(),
        part: v1::PartKind::Bye.into(),
        ..Default::default()
    };
    let missing = mailboxes.read_content(absent).await.expect_err("no BYE");
    assert_eq!(missing.code(), Code::NotFound);
}

#[tokio::test]
async fn a_mailbox_shows_counters_and_bindings() {
    let service = Service::in_memory(config());
    let client = service.client();
    let ask = |served_user: &str| v1::GetMailboxRequest {
        served_user: served_user.to_owned(),
    };
    let mut mailboxes = service.mailboxes().await;
    let none = mailboxes
        .get_mailbox(ask(BOB))
        .await
        .expect_err("no mailbox");
    assert_eq!(none.code(), Code::NotFound);
    client.register(register(BOB, 1)).await.expect("registered");
    deposited(&client, message_to(BOB, 1)).await;
    let mailbox = mailboxes.get_mailbox(ask(BOB)).await.expect("there");
    let mailbox = mailbox.into_inner();
    assert_eq!(mailbox.text.expect("counted").new, 1);
    assert_eq!(mailbox.bindings.len(), 1);
}

#[tokio::test]
async fn an_operators_push_starts_joins_or_says_why_not() {
    let mut config = config();
    config.push.on_deposit = None;
    let service = Service::in_memory(config);
    let client = service.client();
    let mut operators = service.operators().await;
    let push = |force| v1::PushMailboxRequest {
        served_user: BOB.to_owned(),
        force,
    };
    let unknown = operators.push_mailbox(push(false)).await;
    assert_eq!(unknown.expect_err("no mailbox").code(), Code::NotFound);
    deposited(&client, message_to(BOB, 1)).await;
    let reply = operators.push_mailbox(push(false)).await.expect("answered");
    assert_eq!(reply.get_ref().plan(), v1::PushPlan::NotRegistered);
    assert_eq!(reply.get_ref().waiting, 1);
    let no_edge = operators.push_mailbox(push(true)).await;
    assert_eq!(
        no_edge.expect_err("no edge").code(),
        Code::FailedPrecondition
    );

    let mut jobs = client.attach(1);
    let plan = soon(async {
        loop {
            if let Ok(reply) = operators.push_mailbox(push(true)).await {
                return reply.get_ref().plan();
            }
        }
    });
    assert_eq!(plan.await, v1::PushPlan::Started);
    let job = next(&mut jobs).await;
    assert!(job.bindings.is_empty(), "forced without a registration");
    let reply = operators.push_mailbox(push(true)).await.expect("answered");
    assert_eq!(reply.get_ref().plan(), v1::PushPlan::Joined);

    let taken = take(&client, job.claim, 0).await;
    let id = taken[0].message.message_id.clone();
    let settled = client.acknowledge(job.claim, id, delivered()).await;
    settled.expect("settled");
    let outcome = DeliveryOutcome::completed();
    client
        .release(job.claim, taken[0].message.sequence, outcome)
        .await
        .expect("released");
    let reply = operators.push_mailbox(push(true)).await.expect("answered");
    assert_eq!(reply.get_ref().plan(), v1::PushPlan::NothingWaiting);
}

#[tokio::test]
async fn a_held_message_waits_for_its_operator() {
    let service = Service::in_memory(config());
    let client = service.client();
    let mut jobs = client.attach(4);
    let mut operators = service.operators().await;
    let id = deposited(&client, message_to(BOB, 1)).await;
    let held = operators.hold_message(order(id.message_id())).await;
    assert_eq!(
        held.expect("held").get_ref().state(),
        v1::MessageState::Held
    );
    let again = operators.hold_message(order(id.message_id())).await;
    assert_eq!(again.expect_err("held").code(), Code::FailedPrecondition);
    client.register(register(BOB, 1)).await.expect("registered");
    operators
        .unhold_message(order(id.message_id()))
        .await
        .expect("offered again");
    assert_eq!(next(&mut jobs).await.served_user, BOB);
    let request = v1::GetMessageRequest {
        message_id: id.message_id().to_owned(),
    };
    let shown = service.mailboxes().await.get_message(request).await;
    let timeline = shown.expect("found").into_inner().timeline;
    let held = timeline
        .iter()
        .find(|event| event.kind() == v1::EventKind::Held)
        .expect("recorded");
    assert_eq!(held.actor, "operator at 127.0.0.1");
    assert_eq!(held.detail, "because");
}

#[tokio::test]
async fn the_status_names_edges_and_conditions() {
    let service = Service::in_memory(config());
    let client = service.client_named("edge-7");
    let _jobs = client.attach(3);
    let mut operators = service.operators().await;
    let status = soon(async {
        loop {
            let status = operators.get_status(v1::GetStatusRequest {}).await;
            let status = status.expect("answered").into_inner();
            if !status.edges.is_empty() && status.ready {
                return status;
            }
        }
    })
    .await;
    assert_eq!(status.hostname, "store.example");
    assert_eq!(
        (status.edges[0].name.as_str(), status.edges[0].capacity),
        ("edge-7", 3)
    );
    assert_eq!(status.conditions, Vec::<String>::new());
}

#[tokio::test]
async fn health_follows_readiness_on_both_listeners() {
    let service = Service::in_memory(config());
    for (address, name) in [
        (service.data, "restante.v1.DepositService"),
        (service.operator, "restante.v1.MailboxService"),
    ] {
        let mut health = HealthClient::new(channel(address).await);
        for service in [name, ""] {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let mut watch = health.watch(request).await.expect("watched").into_inner();
            soon(async {
                while let Some(reply) = watch.message().await.expect("lives") {
                    if reply.status() == ServingStatus::Serving {
                        return;
                    }
                }
                panic!("never serving");
            })
            .await;
        }
    }
}

#[tokio::test]
async fn whoever_watches_health_hears_of_a_drain() {
    let service = Service::in_memory(config());
    let mut health = HealthClient::new(channel(service.data).await);
    let asked = health.watch(HealthCheckRequest::default()).await;
    let mut watch = asked.expect("watched").into_inner();
    let mut told_until = async |wanted: ServingStatus| {
        while let Some(reply) = watch.message().await.ok().flatten() {
            if reply.status() == wanted {
                return;
            }
        }
        panic!("never told: {wanted:?}");
    };
    soon(told_until(ServingStatus::Serving)).await;
    let stopping = tokio::spawn(service.stop());
    soon(told_until(ServingStatus::NotServing)).await;
    assert_eq!(soon(stopping).await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn reflection_lists_the_contract_on_both_listeners() {
    let service = Service::in_memory(config());
    for (address, expected) in [
        (service.data, &["restante.v1.DeliveryService"][..]),
        (
            service.operator,
            &[
                "restante.v1.MailboxService",
                "restante.v1.OperatorService",
                "restante.v1.AccountService",
            ],
        ),
    ] {
        let mut client = ServerReflectionClient::new(channel(address).await);
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let replies = client
            .server_reflection_info(tokio_stream::iter([request]))
            .await;
        let reply = replies.expect("answered").into_inner().message().await;
        let reply = reply.expect("whole").expect("one");
        let Some(MessageResponse::ListServicesResponse(list)) = reply.message_response else {
            panic!("no list: {reply:?}");
        };
        for expected in expected {
            let is_listed = list.service.iter().any(|service| service.name == *expected);
            assert!(is_listed, "{expected} is not in {list:?}");
        }
    }
}

#[tokio::test]
async fn a_stop_answers_what_is_under_way_and_ends() {
    let service = Service::on_disk(config()).await;
    let client = service.client();
    let _jobs = client.attach(1);
    deposited(&client, message_to(BOB, 1)).await;
    assert_eq!(service.stop().await, Ok(()));
    let mut connected = client.connected();
    let lost = soon(connected.wait_for(|connected| !connected)).await;
    assert!(lost.is_ok());
}

#[tokio::test]
async fn a_reason_that_is_too_long_to_keep_is_refused_and_nothing_is_done() {
    let service = Service::in_memory(config());
    let mut operators = service.operators().await;
    let id = deposited(&service.client(), message_to(BOB, 1)).await;
    let reason = "x".repeat(1_025);
    let order = v1::MessageOrder {
        reason: reason.clone(),
        ..order(id.message_id())
    };
    let recall = v1::RecallMessageRequest {
        sender: "sip:alice@example.org".to_owned(),
        message_id: id.message_id().to_owned(),
        reason: reason.clone(),
        ..v1::RecallMessageRequest::default()
    };
    let erasure = v1::EraseAccountRequest {
        address: BOB.to_owned(),
        reason: reason.clone(),
    };
    let cancel = v1::CancelJobRequest { job: 1, reason };
    let mut jobs = JobServiceClient::new(channel(service.operator).await);
    for refused in [
        operators.delete_message(order).await.err(),
        operators.recall_message(recall).await.err(),
        service.accounts().await.erase_account(erasure).await.err(),
        jobs.cancel_job(cancel).await.err(),
    ] {
        let refused = refused.expect("it is too long");
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains("1,024 octets"), "{refused}");
    }
    let left = service.messages().await;
    assert_eq!(left[0].state(), v1::MessageState::Stored);
}
