//! The rules of the compositor, one claim each.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{Binding, Setting};

const NOW: UnixMillis = UnixMillis(1_000);

fn says(setting: Setting, active: bool) -> Vec<Entity> {
    vec![Entity {
        id: "urn:uuid:1".to_owned(),
        values: SettingValues::default().with(setting, active),
    }]
}

fn publish(said: &Sayings, change: &PublishChange, tag: u64, end: u64) -> Sayings {
    let arrived = Arrived {
        change,
        tag: EntityTag(tag),
        now: NOW,
        expires_at: UnixMillis(end),
    };
    said.published(&arrived).expect("the tag is known")
}

fn refusal(said: &Sayings, change: &PublishChange, now: u64) -> Option<PublishRefusal> {
    let arrived = Arrived {
        change,
        tag: EntityTag(99),
        now: UnixMillis(now),
        expires_at: UnixMillis(now + 1),
    };
    said.published(&arrived).err()
}

fn delivers(said: &Sayings, now: u64) -> bool {
    let held = said.composed(Settings::default(), UnixMillis(now));
    held.is_active(Setting::OfflineDelivery)
}

#[test]
fn set_09_the_newest_document_wins_and_its_end_gives_back_the_other() {
    let off = PublishChange::Initial(says(Setting::OfflineDelivery, false));
    let on = PublishChange::Initial(says(Setting::OfflineDelivery, true));
    let said = publish(&Sayings::default(), &off, 1, 9_000);
    assert!(!delivers(&said, 1_000));
    let said = publish(&said, &on, 2, 5_000);
    assert!(delivers(&said, 4_999));
    assert!(!delivers(&said, 5_000));
    assert!(delivers(&said, 9_000), "the default");
    assert_eq!(said.next_end(), Some(UnixMillis(5_000)));
}

#[test]
fn a_document_that_does_not_mention_a_setting_says_nothing_about_it() {
    let off = PublishChange::Initial(says(Setting::OfflineDelivery, false));
    let other = PublishChange::Initial(says(Setting::Invisibility, true));
    let said = publish(&Sayings::default(), &off, 1, 9_000);
    let said = publish(&said, &other, 2, 9_000);
    assert!(!delivers(&said, 1_000));
    let held = said.composed(Settings::default(), NOW);
    assert!(held.is_active(Setting::Invisibility));
}

#[test]
fn a_refresh_makes_a_document_live_longer_but_not_newer() {
    let off = PublishChange::Initial(says(Setting::OfflineDelivery, false));
    let on = PublishChange::Initial(says(Setting::OfflineDelivery, true));
    let said = publish(&Sayings::default(), &off, 1, 9_000);
    let said = publish(&said, &on, 2, 9_000);
    let said = publish(&said, &PublishChange::Refresh(EntityTag(1)), 3, 12_000);
    assert!(delivers(&said, 1_000));
    assert!(!delivers(&said, 11_000));
    let stale = PublishChange::Refresh(EntityTag(1));
    assert_eq!(
        refusal(&said, &stale, 1_000),
        Some(PublishRefusal::UnknownTag)
    );
}

#[test]
fn a_modified_document_is_the_newest() {
    let off = PublishChange::Initial(says(Setting::OfflineDelivery, false));
    let on = PublishChange::Initial(says(Setting::OfflineDelivery, true));
    let said = publish(&Sayings::default(), &off, 1, 9_000);
    let said = publish(&said, &on, 2, 9_000);
    let again = PublishChange::Modify(EntityTag(1), says(Setting::OfflineDelivery, false));
    let said = publish(&said, &again, 3, 9_000);
    assert!(!delivers(&said, 1_000));
    let said = publish(&said, &PublishChange::Remove(EntityTag(3)), 4, 0);
    assert!(delivers(&said, 1_000));
}

#[test]
fn a_publication_that_has_ended_is_unknown() {
    let off = PublishChange::Initial(says(Setting::OfflineDelivery, false));
    let said = publish(&Sayings::default(), &off, 1, 2_000);
    let refresh = PublishChange::Refresh(EntityTag(1));
    assert_eq!(refusal(&said, &refresh, 1_999), None);
    assert_eq!(
        refusal(&said, &refresh, 2_000),
        Some(PublishRefusal::UnknownTag)
    );
}

#[test]
fn an_override_wins_while_it_lives_and_a_preset_loses() {
    let preset = SettingValues::default().with(Setting::OfflineDelivery, false);
    let said = Sayings::default().ordered(&SettingsOrder::Preset(preset), NOW);
    assert!(!delivers(&said, 1_000));
    let on = PublishChange::Initial(says(Setting::OfflineDelivery, true));
    let said = publish(&said, &on, 1, 9_000);
    assert!(delivers(&said, 1_000));
    let order = SettingsOrder::Override {
        values: preset,
        reason: "storm".to_owned(),
        actor: "operator".to_owned(),
        lifetime: Some(Duration::from_secs(2)),
    };
    let said = said.ordered(&order, NOW);
    assert!(!delivers(&said, 2_999));
    assert!(delivers(&said, 3_000));
    let cleared = said.ordered(&SettingsOrder::Clear { preset: false }, NOW);
    assert!(delivers(&cleared, 1_000));
    assert!(!delivers(&cleared, 9_000), "what was preset is left");
}

#[test]
fn set_07_a_lifetime_is_shortened_never_lengthened() {
    let seconds = Duration::from_secs;
    let binding = |end: u64| Binding {
        contact: "sip:bob@192.0.2.1".to_owned(),
        instance: String::new(),
        reg_id: 0,
        call_id: "r".to_owned(),
        cseq: 1,
        path: Vec::new(),
        flow: None,
        has_im_tag: true,
        allows_message: true,
        kind: crate::model::RegistrationKind::Direct,
        user_agent: String::new(),
        gruu: String::new(),
        expires_at: NOW.after(seconds(end)),
    };
    let table = [
        (vec![], 3_600, 3_600),
        (vec![binding(600)], 3_600, 600),
        (vec![binding(600), binding(900)], 3_600, 900),
        (vec![binding(600)], 300, 300),
        (vec![binding(10)], 3_600, 60),
        (vec![binding(0)], 3_600, 3_600),
    ];
    for (bindings, asked, expected) in table {
        let lifetime = granted(seconds(asked), &bindings, NOW);
        assert_eq!(lifetime, seconds(expected), "{asked} {}", bindings.len());
    }
}

proptest! {
    #[test]
    fn publications_are_bounded_and_what_has_ended_says_nothing(
        changes in proptest::collection::vec((0..4u8, 0..40u64, any::<bool>(), 0..5_000u64), 0..60),
    ) {
        let mut said = Sayings::default();
        for (at, (kind, old, active, life)) in (1_000u64..).step_by(10).zip(changes) {
            let entities = says(Setting::OfflineDelivery, active);
            let change = match kind {
                0 => PublishChange::Initial(entities),
                1 => PublishChange::Modify(EntityTag(1_000 + old * 10), entities),
                2 => PublishChange::Refresh(EntityTag(1_000 + old * 10)),
                _ => PublishChange::Remove(EntityTag(1_000 + old * 10)),
            };
            let arrived = Arrived {
                change: &change,
                tag: EntityTag(at),
                now: UnixMillis(at),
                expires_at: UnixMillis(at + life),
            };
            if let Ok(changed) = said.published(&arrived) {
                said = changed;
            }
            prop_assert!(said.publications.len() <= MAX_PUBLICATIONS);
            if let Some(end) = said.next_end() {
                let just_before = said.composed(Settings::default(), UnixMillis(end.0 - 1));
                prop_assert!(end.0 <= at || just_before == said.composed(Settings::default(), UnixMillis(at)));
            }
        }
        let last = said.publications.iter().map(|publication| publication.expires_at).max();
        let after = last.unwrap_or(NOW);
        prop_assert!(said.live(after).is_empty());
    }
}
