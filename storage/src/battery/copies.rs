//! Copies of messages to groups: known by the group, if they are what they say.

use bytes::Bytes;
use tokio::sync::mpsc::unbounded_channel;

use super::large_jobs::large_job;
use super::legs::{answered, job, owner};
use super::uploads::{large_deposit, octets};
use super::{Bench, Engine, MINUTE, address, letter};
use crate::fan_out::FanOutStore;
use crate::model::{
    Address, ClaimedLeg, Deposit, DepositOutcome, JobClass, JobOutcome, JobRequest, LegName,
    ListQuery, MessageNumber,
};
use crate::store::Store;

const LARGE: usize = 700_000;

/// The copy that arrives for a user as this leg.
fn copy(user: &str, leg: LegName) -> Deposit {
    Deposit {
        leg: Some(leg),
        ..letter(user)
    }
}

fn behind(leg: LegName, index: u32) -> LegName {
    LegName { index, ..leg }
}

impl<E: Engine> Bench<E> {
    async fn group_of(&self, number: MessageNumber) -> Option<Address> {
        let message = self.store().message(number).await;
        message.expect("it is there").envelope.group
    }

    async fn through(&self, group: &str) -> Vec<MessageNumber> {
        let query = ListQuery {
            group: Some(address(group)),
            page_size: 100,
            ..ListQuery::default()
        };
        let page = self.store().list(query).await.expect("the store answers");
        page.messages.iter().map(|m| m.envelope.id.number).collect()
    }

    async fn legs_of_class(&self, class: JobClass) -> Vec<ClaimedLeg> {
        let batch = self.store().claim_legs(owner(1), class, 100, MINUTE).await;
        batch.expect("the store answers").legs
    }

    async fn stored(&self, deposit: Deposit) -> MessageNumber {
        self.accept(deposit).await.id.number
    }
}

/// One by one, among others, and where the job must be read from the disk.
pub(crate) async fn a_copy_is_known_by_its_group<E: Engine>() {
    let bench = Bench::<E>::new();
    let to_team = job("alice", &["bob", "carol", "dave"]);
    bench.accept_job(to_team).await;
    let legs = bench.legs().await;
    let names: Vec<_> = legs.iter().map(|leg| leg.token.leg).collect();
    let first = bench.stored(copy("bob", names[0])).await;
    let direct = bench.stored(letter("bob")).await;
    let (outcomes, mut told) = unbounded_channel();
    let second = vec![(1, copy("carol", names[1]))];
    bench.store().deposit_all(second, &outcomes);
    let mut told = told.recv().await.expect("an answer");
    let Some((1, Ok(DepositOutcome::Stored(second)))) = told.pop() else {
        panic!("not stored: {told:?}");
    };
    let second = second.into_inner().id.number;
    let bench = bench.reopen().await;
    let (outcomes, mut told) = unbounded_channel();
    let third = vec![(1, copy("dave", names[2]))];
    bench.store().deposit_all(third, &outcomes);
    let mut told = told.recv().await.expect("an answer");
    let Some((1, Ok(DepositOutcome::Stored(third)))) = told.pop() else {
        panic!("not stored: {told:?}");
    };
    let third = third.into_inner().id.number;
    assert_eq!(bench.through("team").await, [first, second, third]);
    assert_eq!(bench.group_of(first).await, Some(address("team")));
    assert_eq!(bench.group_of(direct).await, None);
    assert_eq!(bench.through("others").await, []);
}

pub(crate) async fn a_large_copy_is_known_by_its_group<E: Engine>() {
    let bench = Bench::<E>::new();
    let content: Bytes = octets(LARGE);
    let outcome = bench
        .upload_job(&content, large_job(&["bob"], "m", LARGE))
        .await;
    assert!(matches!(outcome, JobOutcome::Accepted(_)), "{outcome:?}");
    let legs = bench.legs_of_class(JobClass::Large).await;
    let upload = bench.admit("bob", LARGE).await;
    let staged = bench.store().stage(upload, 0, content).await;
    assert_eq!(staged, Ok(Ok(())));
    let mut deposit = large_deposit("bob", "copy", LARGE);
    deposit.leg = Some(legs[0].token.leg);
    let outcome = bench.store().commit_upload(upload, deposit).await;
    let Ok(DepositOutcome::Stored(receipt)) = outcome else {
        panic!("not stored: {outcome:?}");
    };
    let number = receipt.into_inner().id.number;
    assert_eq!(bench.through("team").await, [number]);
}

pub(crate) async fn a_copy_under_an_alias_is_known_by_its_group<E: Engine>() {
    let bench = Bench::<E>::new();
    let store = bench.store();
    let made = store.create_account(address("bob")).await;
    made.expect("it is free");
    let added = store.add_alias(address("bob"), address("bobby")).await;
    added.expect("it is free");
    bench.accept_job(job("alice", &["bob"])).await;
    let leg = bench.legs().await.remove(0).token.leg;
    let number = bench.stored(copy("bobby", leg)).await;
    assert_eq!(bench.group_of(number).await, Some(address("team")));
}

/// A leg that was not sent, or is done with; somebody else's; one of a list; no leg at all.
pub(crate) async fn nothing_else_is_known_by_a_group<E: Engine>() {
    let bench = Bench::<E>::new();
    let to_list = JobRequest {
        to_group: false,
        ..job("alice", &["bob"])
    };
    bench.accept_job(to_list).await;
    let listed = bench.legs().await.remove(0).token;
    let of_list = bench.stored(copy("bob", listed.leg)).await;
    bench.outcome(listed, answered(200)).await;
    let number = bench.accept_job(job("alice", &["bob", "carol"])).await;
    let name = LegName {
        job: number,
        index: 0,
    };
    let unsent = bench.stored(copy("bob", name)).await;
    let token = bench.legs().await.remove(0).token;
    let of_another = bench.stored(copy("carol", token.leg)).await;
    let of_nobody = bench.stored(copy("mallory", token.leg)).await;
    let beyond = bench.stored(copy("bob", behind(token.leg, 300))).await;
    let unknown = LegName {
        job: crate::model::JobNumber(number.0 + 1),
        index: 0,
    };
    let of_no_job = bench.stored(copy("bob", unknown)).await;
    bench.outcome(token, answered(200)).await;
    let late = bench.stored(copy("bob", token.leg)).await;
    for number in [
        of_list, unsent, of_another, of_nobody, beyond, of_no_job, late,
    ] {
        assert_eq!(bench.group_of(number).await, None, "{number:?}");
    }
    assert_eq!(bench.through("team").await, []);
}
