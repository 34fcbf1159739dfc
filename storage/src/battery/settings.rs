//! SET-12..14, PFM-08, DLV-06.

use std::time::Duration;

use super::bench::{Bench, Engine, MINUTE, START, address, letter, registration};
use crate::config::{Provisioning, StoreConfig};
use crate::model::{
    Class, Deposit, Entity, EntityTag, Publish, PublishChange, PublishRefusal, Refusal, Setting,
    SettingValues, SettingsChanged, SettingsOrder, UserSettings,
};
use crate::store::{Store, StoreError};

fn says(setting: Setting, active: bool) -> Vec<Entity> {
    vec![Entity {
        id: "urn:uuid:1".to_owned(),
        values: SettingValues::default().with(setting, active),
    }]
}

fn publish(change: PublishChange, tag: u64) -> Publish {
    Publish {
        served_user: address("bob"),
        publisher: address("bob"),
        change,
        lifetime: MINUTE,
        tag: EntityTag(tag),
    }
}

async fn published<E: Engine>(
    bench: &Bench<E>,
    change: PublishChange,
    tag: u64,
) -> SettingsChanged {
    let published = bench.store().publish(publish(change, tag)).await;
    published
        .expect("the store answers")
        .expect("it is allowed")
        .into_inner()
}

async fn settings<E: Engine>(bench: &Bench<E>) -> UserSettings {
    let mailbox = bench.mailbox("bob").await;
    let settings = bench.store().settings(mailbox).await;
    settings.expect("the mailbox is there")
}

async fn order<E: Engine>(bench: &Bench<E>, order: SettingsOrder) {
    let ordered = bench.store().order_settings(address("bob"), order).await;
    ordered.expect("bob has an account");
}

fn bars() -> PublishChange {
    PublishChange::Initial(says(Setting::MessageBarring, true))
}

pub(crate) async fn a_publication_holds_from_its_commit_to_its_end<E: Engine>() {
    let bench = Bench::<E>::new();
    let changed = published(&bench, bars(), 1).await;
    assert!(!changed.before.barring().pager && changed.after.barring().pager);
    assert_eq!(bench.refuse(letter("bob")).await, Refusal::Barred);
    let bench = bench.reopen().await;
    bench.clock.advance(MINUTE - Duration::from_millis(1));
    assert_eq!(bench.refuse(letter("bob")).await, Refusal::Barred);
    bench.clock.advance(Duration::from_millis(1));
    bench.accept(letter("bob")).await;
    assert_eq!(settings(&bench).await, UserSettings::default());
}

pub(crate) async fn what_has_ended_is_swept_and_the_rest_stays<E: Engine>() {
    let bench = Bench::<E>::new();
    published(&bench, bars(), 1).await;
    bench.clock.advance(MINUTE / 2);
    let off = PublishChange::Initial(says(Setting::OfflineDelivery, false));
    published(&bench, off, 2).await;
    bench.clock.advance(MINUTE / 2);
    bench.sweep().await;
    bench.accept(letter("bob")).await;
    let left = settings(&bench).await;
    assert_eq!(left.publications.len(), 1);
    assert!(!left.effective.is_active(Setting::OfflineDelivery));
    bench.clock.advance(MINUTE / 2);
    bench.sweep().await;
    assert_eq!(settings(&bench).await, UserSettings::default());
}

pub(crate) async fn a_publication_holds_no_longer_than_the_registration<E: Engine>() {
    let bench = Bench::<E>::new();
    let registered = bench.register(registration("bob", "sip:a@1", 1)).await;
    let end = registered.expect("it is new").bindings[0].expires_at;
    let long = Publish {
        lifetime: end.since(START) * 2,
        ..publish(bars(), 1)
    };
    let published = bench.store().publish(long).await;
    let published = published.expect("the store answers").expect("allowed");
    assert_eq!(published.lifetime, end.since(START));
}

pub(crate) async fn every_success_has_a_new_tag<E: Engine>() {
    let bench = Bench::<E>::new();
    published(&bench, bars(), 1).await;
    published(&bench, PublishChange::Refresh(EntityTag(1)), 2).await;
    let stale = publish(PublishChange::Refresh(EntityTag(1)), 3);
    let refused = bench.store().publish(stale).await;
    assert_eq!(refused, Ok(Err(PublishRefusal::UnknownTag)));
    let other = says(Setting::MessageBarring, false);
    published(&bench, PublishChange::Modify(EntityTag(2), other), 4).await;
    bench.accept(letter("bob")).await;
    published(&bench, PublishChange::Remove(EntityTag(4)), 5).await;
    assert_eq!(settings(&bench).await, UserSettings::default());
}

pub(crate) async fn settings_are_published_by_their_owner_only<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("carol").await;
    let by = |publisher: &str| Publish {
        publisher: address(publisher),
        ..publish(bars(), 1)
    };
    for stranger in ["carol", "nobody"] {
        let refused = bench.store().publish(by(stranger)).await;
        assert_eq!(refused, Ok(Err(PublishRefusal::NotOwner)));
    }
    assert_eq!(bench.store().mailbox(address("bob")).await, Ok(None));
    bench.mail("bob").await;
    let alias = bench.store();
    let added = alias.add_alias(address("bob"), address("bobby")).await;
    added.expect("it is free");
    let taken = bench.store().publish(by("bobby")).await;
    assert!(matches!(taken, Ok(Ok(_))));
}

pub(crate) async fn a_listed_store_takes_settings_of_its_accounts_only<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        provisioning: Provisioning::Listed,
        ..StoreConfig::default()
    });
    let refused = bench.store().publish(publish(bars(), 1)).await;
    assert_eq!(refused, Ok(Err(PublishRefusal::UnknownUser)));
    let clear = SettingsOrder::Clear { preset: true };
    let refused = bench.store().order_settings(address("bob"), clear).await;
    assert_eq!(refused, Err(StoreError::UnknownAccount));
}

pub(crate) async fn an_override_wins_while_it_lives<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    let barred = SettingValues::default().with(Setting::MessageBarring, true);
    order(&bench, SettingsOrder::Preset(barred)).await;
    assert_eq!(bench.refuse(letter("bob")).await, Refusal::Barred);
    let open = PublishChange::Initial(says(Setting::MessageBarring, false));
    published(&bench, open, 1).await;
    bench.accept(letter("bob")).await;
    let wins = SettingsOrder::Override {
        values: barred,
        reason: "abuse".to_owned(),
        actor: "operator".to_owned(),
        lifetime: Some(MINUTE / 2),
    };
    order(&bench, wins).await;
    assert_eq!(bench.refuse(letter("bob")).await, Refusal::Barred);
    let seen = settings(&bench).await.overridden.expect("it lives");
    assert_eq!(
        (seen.reason.as_str(), seen.until),
        ("abuse", Some(START.after(MINUTE / 2)))
    );
    bench.clock.advance(MINUTE / 2);
    let large = Deposit {
        class: Class::Large,
        ..letter("bob")
    };
    bench.accept(large).await;
    order(&bench, SettingsOrder::Clear { preset: true }).await;
    bench.clock.advance(MINUTE / 2);
    assert_eq!(settings(&bench).await, UserSettings::default());
}

pub(crate) async fn what_an_order_would_bring_is_told_and_not_done<E: Engine>() {
    let bench = Bench::<E>::new();
    published(&bench, bars(), 1).await;
    let preset = SettingValues::default().with(Setting::OfflineDelivery, false);
    order(&bench, SettingsOrder::Preset(preset)).await;
    let before = settings(&bench).await;
    let admits = SettingsOrder::Override {
        values: SettingValues::default().with(Setting::MessageBarring, false),
        reason: "ticket 4711".to_owned(),
        actor: "anna".to_owned(),
        lifetime: Some(MINUTE),
    };
    for wanted in [admits, SettingsOrder::Clear { preset: true }] {
        let mailbox = bench.mailbox("bob").await;
        let foreseen = bench.store().settings_after(mailbox, wanted.clone()).await;
        assert_eq!(settings(&bench).await, before);
        order(&bench, wanted).await;
        assert_eq!(foreseen, Ok(settings(&bench).await));
        assert_ne!(foreseen, Ok(before.clone()));
        order(&bench, SettingsOrder::Clear { preset: true }).await;
        order(&bench, SettingsOrder::Preset(preset)).await;
    }
}

pub(crate) async fn a_deleted_account_forgets_its_settings<E: Engine>() {
    let bench = Bench::<E>::new();
    published(&bench, bars(), 1).await;
    let deleted = bench.store().delete_account(address("bob")).await;
    deleted.expect("it is empty");
    bench.accept(letter("bob")).await;
    bench.clock.advance(MINUTE);
    bench.sweep().await;
}

pub(crate) async fn the_default_is_the_operators_choice<E: Engine>() {
    let config = StoreConfig::default();
    let bench = Bench::<E>::with(StoreConfig {
        settings: config.settings.with(Setting::OfflineDelivery, false),
        ..config
    });
    bench.mail("bob").await;
    let effective = settings(&bench).await.effective;
    assert!(!effective.is_active(Setting::OfflineDelivery));
}
