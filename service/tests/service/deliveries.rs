//! Push jobs through the edges' client.

use std::time::Duration;

use storage_client::delivery::{
    AcknowledgeResult, DeliveryOutcome, DeliveryResult, ReleaseResult, Settlement,
};
use storage_client::registration::{BindingChange, Flow, Registration};
use storage_client::{ClaimedMessage, Deposited, RegisterError, StorageClient};
use tokio::time::{Instant, timeout};

use crate::support::{
    BOB, Service, client_of, config, connected, delivered, deposited, message_to, next, register,
    take,
};

async fn delivers_what_waits(service: &Service) {
    let client = service.client();
    let mut jobs = client.attach(4);
    let id = deposited(&client, message_to(BOB, 1)).await;
    client.register(register(BOB, 1)).await.expect("registered");
    let job = next(&mut jobs).await;
    assert_eq!(job.served_user, BOB);
    assert_eq!(job.bindings.len(), 1);
    let taken = take(&client, job.claim, 0).await;
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].message.message_id, id.message_id());
    assert_eq!(taken[0].parts, message_to(BOB, 1).parts);

    // Something newer: the release looks again (DLV-18).
    deposited(&client, message_to(BOB, 2)).await;
    let settled = client
        .acknowledge(job.claim, id.message_id(), delivered())
        .await;
    assert_eq!(settled, Ok(AcknowledgeResult::Settled));
    let sequence = taken[0].message.sequence;
    let release = |last| client.release(job.claim, last, DeliveryOutcome::completed());
    assert_eq!(release(sequence).await, Ok(ReleaseResult::LookAgain));
    let more = take(&client, job.claim, sequence).await;
    assert_eq!(more.len(), 1);
    let id = more[0].message.message_id.clone();
    let refused = Settlement::Failed {
        reason: "MSRP 413".to_owned(),
        refusal: true,
    };
    let settled = client.acknowledge(job.claim, id, refused).await;
    assert_eq!(settled, Ok(AcknowledgeResult::Settled));
    let last = more[0].message.sequence;
    assert_eq!(release(last).await, Ok(ReleaseResult::Released));
    assert_eq!(release(last).await, Ok(ReleaseResult::Superseded));
}

#[tokio::test]
async fn a_registration_delivers_what_waits_in_memory() {
    delivers_what_waits(&Service::in_memory(config())).await;
}

#[tokio::test]
async fn a_registration_delivers_what_waits_on_disk() {
    delivers_what_waits(&Service::on_disk(config()).await).await;
}

/// A registration of a client that takes no session.
fn register_phone(cseq: u32) -> Registration {
    let mut registration = register(BOB, cseq);
    for change in &mut registration.changes {
        if let BindingChange::Bind(binding) = change {
            binding.has_im_tag = false;
        }
    }
    registration
}

#[tokio::test]
async fn a_job_for_a_phone_brings_its_first_messages() {
    let service = Service::in_memory(config());
    let client = service.client();
    let mut jobs = client.attach(4);
    let first = deposited(&client, message_to(BOB, 1)).await;
    let second = deposited(&client, message_to(BOB, 2)).await;
    client
        .register(register_phone(1))
        .await
        .expect("registered");
    let job = next(&mut jobs).await;
    let brought = job.first.clone().expect("little, and by MESSAGE");
    let ids = brought
        .messages
        .iter()
        .map(|taken| &*taken.message.message_id);
    assert!(ids.eq([first.message_id(), second.message_id()]));
    assert_eq!(brought.messages[0].parts, message_to(BOB, 1).parts);
    assert!(brought.is_last);

    // What comes after it is told by the release (DLV-18).
    let third = deposited(&client, message_to(BOB, 3)).await;
    for id in [first.message_id(), second.message_id()] {
        let settled = client.acknowledge(job.claim, id, delivered()).await;
        assert_eq!(settled, Ok(AcknowledgeResult::Settled));
    }
    let last = brought.messages[1].message.sequence;
    let released = client.release(job.claim, last, DeliveryOutcome::completed());
    assert_eq!(released.await, Ok(ReleaseResult::LookAgain));
    let more = take(&client, job.claim, last).await;
    assert_eq!(more[0].message.message_id, third.message_id());
}

#[tokio::test]
async fn a_job_brings_no_more_than_a_little_and_a_session_takes_for_itself() {
    let service = Service::in_memory(config());
    let client = service.client();
    let mut jobs = client.attach(4);
    for number in 1..=10 {
        deposited(&client, message_to(BOB, number)).await;
    }
    client
        .register(register_phone(1))
        .await
        .expect("registered");
    let job = next(&mut jobs).await;
    let brought = job.first.clone().expect("by MESSAGE");
    assert!(brought.messages.len() < 10 && !brought.is_last);
    let last = brought
        .messages
        .last()
        .map_or(0, |taken| taken.message.sequence);
    assert_eq!(
        take(&client, job.claim, last).await.len(),
        10 - brought.messages.len()
    );

    let broken = DeliveryOutcome::new(DeliveryResult::Broken, "a test");
    let released = client.release(job.claim, last, broken).await;
    assert_eq!(released, Ok(ReleaseResult::Released));
    client.register(register(BOB, 2)).await.expect("registered");
    assert_eq!(next(&mut jobs).await.first, None);
}

#[tokio::test]
async fn a_deposit_for_a_registered_user_plans_a_push_by_itself() {
    let service = Service::in_memory(config());
    let client = service.client();
    let mut jobs = client.attach(4);
    client.register(register(BOB, 1)).await.expect("registered");
    deposited(&client, message_to(BOB, 1)).await;
    assert_eq!(next(&mut jobs).await.served_user, BOB);
}

#[tokio::test]
async fn one_mailbox_is_one_job_however_many_edges_and_triggers() {
    let service = Service::in_memory(config());
    let (first, second) = (service.client_named("a"), service.client_named("b"));
    let (mut at_first, mut at_second) = (first.attach(4), second.attach(4));
    deposited(&first, message_to(BOB, 1)).await;
    for cseq in 1..=3 {
        first
            .register(register(BOB, cseq))
            .await
            .expect("registered");
    }
    let (job, other) = tokio::select! {
        job = next(&mut at_first) => (job, &mut at_second),
        job = next(&mut at_second) => (job, &mut at_first),
    };
    let quiet = timeout(Duration::from_millis(300), other.next()).await;
    assert!(quiet.is_err(), "two jobs for one mailbox");
    drop(job);
}

#[tokio::test]
async fn the_job_of_an_edge_that_vanishes_goes_to_another_with_the_lease() {
    let mut config = config();
    config.push.lease = Duration::from_secs(1);
    let service = Service::in_memory(config);
    let first = service.client_named("a");
    let mut at_first = first.attach(4);
    let id = deposited(&first, message_to(BOB, 1)).await;
    first.register(register(BOB, 1)).await.expect("registered");
    let job = next(&mut at_first).await;

    let begun = Instant::now();
    let second = service.client_named("b");
    let mut at_second = second.attach(4);
    let old_claim = job.claim;
    // The edge dies: no renewals any more.
    drop((job, at_first));
    let job = next(&mut at_second).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(500),
        "before the lease ran out"
    );
    assert!(job.claim.generation > old_claim.generation);
    let late = first
        .acknowledge(old_claim, id.message_id(), delivered())
        .await;
    assert_eq!(late, Ok(AcknowledgeResult::Superseded));
    let settled = second
        .acknowledge(job.claim, id.message_id(), delivered())
        .await;
    assert_eq!(settled, Ok(AcknowledgeResult::Settled));
}

#[tokio::test]
async fn renewals_keep_a_claim_beyond_its_lease() {
    let mut config = config();
    config.push.lease = Duration::from_secs(1);
    let service = Service::in_memory(config);
    let client = service.client();
    let mut jobs = client.attach(4);
    deposited(&client, message_to(BOB, 1)).await;
    client.register(register(BOB, 1)).await.expect("registered");
    let job = next(&mut jobs).await;
    let quiet = timeout(Duration::from_millis(2_500), async {
        tokio::select! {
            () = job.lost() => {}
            _ = jobs.next() => {}
        }
    });
    assert!(quiet.await.is_err(), "lost, or given out twice");
    assert!(!job.is_lost());
}

#[tokio::test]
async fn a_redelivery_takes_the_claim_away() {
    let mut config = config();
    config.push.lease = Duration::from_secs(2);
    let service = Service::in_memory(config);
    let client = service.client();
    let mut jobs = client.attach(4);
    let id = deposited(&client, message_to(BOB, 1)).await;
    client.register(register(BOB, 1)).await.expect("registered");
    let job = next(&mut jobs).await;
    client
        .acknowledge(job.claim, id.message_id(), delivered())
        .await
        .expect("settled");
    let order = proto::v1::MessageOrder {
        message_id: id.message_id().to_owned(),
        reason: "the phone was stolen".to_owned(),
        deliver_after: None,
    };
    let mut operators = service.operators().await;
    operators.redeliver_message(order).await.expect("retained");
    // By its next renewal the edge knows; what it releases meanwhile is no longer its own.
    let outcome = DeliveryOutcome::completed();
    let released = client.release(job.claim, 1, outcome).await;
    drop(job);
    assert!(released.is_ok(), "{released:?}");
    let job = next(&mut jobs).await;
    let taken = take(&client, job.claim, 0).await;
    assert_eq!(taken[0].message.message_id, id.message_id());
    assert_eq!(taken[0].message.redeliveries, 1);
}

#[tokio::test]
async fn a_draining_edge_hands_its_jobs_on_at_once() {
    let service = Service::in_memory(config());
    let (first, second) = (service.client_named("a"), service.client_named("b"));
    let mut at_first = first.attach(4);
    deposited(&first, message_to(BOB, 1)).await;
    first.register(register(BOB, 1)).await.expect("registered");
    let job = next(&mut at_first).await;
    let mut at_second = second.attach(4);
    let draining = DeliveryOutcome::new(DeliveryResult::EdgeDraining, "draining");
    let released = first.release(job.claim, 0, draining).await;
    assert_eq!(released, Ok(ReleaseResult::Released));
    assert_eq!(next(&mut at_second).await.served_user, BOB);
}

#[tokio::test]
async fn a_direct_registration_is_delivered_by_the_edge_that_holds_its_flow() {
    let service = Service::in_memory(config());
    let (first, second) = (service.client_named("a"), service.client_named("b"));
    let mut jobs = [first.attach(4), second.attach(4)];
    connected(&first).await;
    deposited(&first, message_to(BOB, 1)).await;
    let mut registration = register(BOB, 1);
    if let Some(BindingChange::Bind(binding)) = registration.changes.first_mut() {
        binding.flow = Some(Flow {
            edge: "b".to_owned(),
            token: "7".to_owned(),
        });
    }
    // Both are attached before the push begins.
    wait_for_edges(&service, 2).await;
    first.register(registration).await.expect("registered");
    let [_, at_second] = &mut jobs;
    let job = next(at_second).await;
    let flow = job.bindings[0].flow.as_ref().expect("as registered");
    assert_eq!((flow.edge.as_str(), flow.token.as_str()), ("b", "7"));
}

async fn wait_for_edges(service: &Service, count: usize) {
    let mut operators = service.operators().await;
    crate::support::soon(async {
        loop {
            let status = operators.get_status(proto::v1::GetStatusRequest {}).await;
            if status.expect("answered").into_inner().edges.len() == count {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn one_name_attaches_once() {
    let service = Service::in_memory(config());
    let first = service.client_named("same");
    let mut at_first = first.attach(4);
    wait_for_edges(&service, 1).await;
    let second = client_of(service.data, "same", |config| {
        config.reconnect_max = Duration::from_millis(50);
    });
    let mut at_second = second.attach(4);
    deposited(&first, message_to(BOB, 1)).await;
    first.register(register(BOB, 1)).await.expect("registered");
    let job = next(&mut at_first).await;
    let released = first
        .release(
            job.claim,
            0,
            DeliveryOutcome::new(DeliveryResult::Rejected, "INVITE 403"),
        )
        .await;
    assert_eq!(released, Ok(ReleaseResult::Released));
    // Once the older stream has ended the newer one is let in.
    drop((job, at_first));
    first.register(register(BOB, 2)).await.expect("registered");
    assert_eq!(next(&mut at_second).await.served_user, BOB);
}

#[tokio::test]
async fn refused_registrations_say_why() {
    let service = Service::in_memory(config());
    let client = service.client();
    client.register(register(BOB, 5)).await.expect("registered");
    let older = client.register(register(BOB, 4)).await;
    assert_eq!(older, Err(RegisterError::OutOfOrder));
    let question = Registration {
        changes: Vec::new(),
        ..register(BOB, 0)
    };
    let bindings = client.register(question).await.expect("answered").bindings;
    assert_eq!(bindings.len(), 1);
    assert_eq!(bindings[0].cseq, 5);
}

/// What a forward of the first message of Bob would get, by this edge.
async fn forwarded(client: &StorageClient, number: u32) -> (Deposited, Option<ClaimedMessage>) {
    let deposited = deposited(client, message_to(BOB, number)).await;
    let claimed = client.claim_forward(&deposited).await;
    (deposited, claimed.expect("answered"))
}

#[tokio::test]
async fn a_message_for_who_is_registered_is_claimed_for_its_forward_alone() {
    let mut config = config();
    config.push.on_deposit = None;
    let service = Service::in_memory(config);
    let client = service.client();
    client.register(register(BOB, 1)).await.expect("registered");
    let (first, claimed) = forwarded(&client, 1).await;
    assert!(first.registered());
    let claimed = claimed.expect("nothing waits before it");
    assert_eq!(claimed.job.served_user, BOB);
    assert_eq!(claimed.job.bindings.len(), 1);
    // Another that comes meanwhile is not for a forward, nor is one behind it.
    let (second, busy) = forwarded(&client, 2).await;
    assert!(busy.is_none());
    let settled = client
        .acknowledge(claimed.job.claim, first.message_id(), delivered())
        .await;
    assert_eq!(settled, Ok(AcknowledgeResult::Settled));
    let released = client
        .release(claimed.job.claim, u64::MAX, DeliveryOutcome::completed())
        .await;
    assert_eq!(released, Ok(ReleaseResult::Released));
    assert!(forwarded(&client, 3).await.1.is_none());
    // Which has not kept the mailbox.
    let again = client.claim_forward(&second).await.expect("answered");
    assert!(again.is_some());
}

#[tokio::test]
async fn a_message_is_not_claimed_for_an_edge_that_cannot_reach_its_user() {
    let mut config = config();
    config.push.on_deposit = None;
    let service = Service::in_memory(config);
    let (client, other) = (service.client(), service.client_named("edge-2"));
    let (first, claimed) = forwarded(&client, 1).await;
    assert!(!first.registered() && claimed.is_none());
    let mut registration = register(BOB, 1);
    for change in &mut registration.changes {
        if let BindingChange::Bind(binding) = change {
            binding.flow = Some(Flow {
                edge: "edge-2".to_owned(),
                token: "1".to_owned(),
            });
        }
    }
    client.register(registration).await.expect("registered");
    assert!(
        client
            .claim_forward(&first)
            .await
            .expect("answered")
            .is_none()
    );
    assert!(
        other
            .claim_forward(&first)
            .await
            .expect("answered")
            .is_some()
    );
}
