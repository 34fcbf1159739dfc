//! Suspended deliveries, as operators and edges meet them.

use std::time::Duration;

use proto::v1;
use proto::v1::operator_service_client::OperatorServiceClient;
use proto::v1::{cancel_suspension_request, suspend_deliveries_request};
use storage_client::StorageClient;
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt;

use crate::support::{BOB, Service, config, deposited, message_to, next, register, soon};

type Operators = OperatorServiceClient<Channel>;

const HOUR: Duration = Duration::from_secs(3_600);

async fn suspend(operators: &mut Operators, duration: Duration) {
    let target = suspend_deliveries_request::Target::ServedUser(BOB.to_owned());
    let request = v1::SuspendDeliveriesRequest {
        target: Some(target),
        duration: Some(duration.try_into().expect("short")),
        reason: String::new(),
    };
    let suspended = operators.suspend_deliveries(request).await;
    suspended.expect("suspended");
}

async fn cancel(operators: &mut Operators) {
    let target = cancel_suspension_request::Target::ServedUser(BOB.to_owned());
    let request = v1::CancelSuspensionRequest {
        target: Some(target),
    };
    let ended = operators.cancel_suspension(request).await;
    ended.expect("ended");
}

/// Until the mailbox waits for its time.
async fn waits(operators: &mut Operators) {
    let served_user = BOB.to_owned();
    let waits = async {
        loop {
            let served_user = served_user.clone();
            let request = v1::GetDeliveryPlanRequest { served_user };
            let plan = operators.get_delivery_plan(request).await;
            let plan = plan.expect("a plan").into_inner();
            let seconds = plan.due_at.map_or(0, |due| due.seconds);
            let until = plan.suspension.as_ref().and_then(|it| it.until);
            let until = until.expect("suspended").seconds;
            if plan.phase() == v1::DeliveryPhase::Waiting
                && (until - 2..=until + 2).contains(&seconds)
            {
                return;
            }
        }
    };
    soon(waits).await;
}

/// Bob has mail, is suspended for an hour, and has come back: what there is for him waits.
async fn back_while_suspended(client: &StorageClient, operators: &mut Operators) {
    deposited(client, message_to(BOB, 1)).await;
    suspend(operators, HOUR).await;
    client.register(register(BOB, 1)).await.expect("registered");
    waits(operators).await;
}

#[tokio::test]
async fn a_shorter_suspension_replaces_a_longer_one_for_who_waits_already() {
    let service = Service::in_memory(config());
    let client = service.client();
    let mut operators = service.operators().await;
    let mut jobs = client.attach(1);
    back_while_suspended(&client, &mut operators).await;
    suspend(&mut operators, Duration::from_millis(10)).await;
    assert_eq!(next(&mut jobs).await.served_user, BOB);
}

#[tokio::test]
async fn an_order_for_who_is_suspended_is_refused_and_says_why() {
    let service = Service::in_memory(config());
    let client = service.client();
    let mut operators = service.operators().await;
    let _jobs = client.attach(1);
    deposited(&client, message_to(BOB, 1)).await;
    suspend(&mut operators, HOUR).await;
    for force in [false, true] {
        let request = v1::PushMailboxRequest {
            served_user: BOB.to_owned(),
            force,
        };
        let refused = operators.push_mailbox(request).await;
        let refused = refused.expect_err("suspended");
        assert_eq!(refused.code(), Code::FailedPrecondition);
        let info = refused.get_details_error_info().expect("details");
        assert_eq!(info.reason, "SUSPENDED");
        assert!(refused.message().contains("suspended until 2"), "{refused}");
    }
}

#[tokio::test]
async fn what_was_not_forwarded_is_pushed_after_the_suspension_whatever_deposits_plan() {
    let mut config = config();
    config.push.on_deposit = None;
    let service = Service::in_memory(config);
    let client = service.client();
    let mut operators = service.operators().await;
    let mut jobs = client.attach(1);
    client.register(register(BOB, 1)).await.expect("registered");
    suspend(&mut operators, HOUR).await;
    let stored = deposited(&client, message_to(BOB, 1)).await;
    let forward = client.claim_forward(&stored).await.expect("answered");
    assert!(forward.is_none(), "suspended");
    waits(&mut operators).await;
    cancel(&mut operators).await;
    assert_eq!(next(&mut jobs).await.served_user, BOB);
}

#[tokio::test]
async fn an_erased_user_who_is_back_is_not_suspended() {
    let service = Service::in_memory(config());
    let client = service.client();
    let mut operators = service.operators().await;
    let mut jobs = client.attach(1);
    back_while_suspended(&client, &mut operators).await;
    let mut accounts = service.accounts().await;
    let request = v1::EraseAccountRequest {
        address: BOB.to_owned(),
        reason: "he asked for it".to_owned(),
    };
    accounts.erase_account(request).await.expect("erased");
    let left = operators.list_suspensions(v1::ListSuspensionsRequest {});
    assert_eq!(left.await.expect("a list").into_inner().suspensions, []);
    client.register(register(BOB, 2)).await.expect("registered");
    deposited(&client, message_to(BOB, 2)).await;
    assert_eq!(next(&mut jobs).await.served_user, BOB);
}
