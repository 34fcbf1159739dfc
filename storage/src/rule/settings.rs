//! The event state compositor (RFC 3903 §6, SET-12..14): what a PUBLISH or an operator's order does to
//! what is said about an account's settings, and what of it holds.

use std::time::Duration;

use crate::model::{
    Binding, Entity, EntityTag, Override, Publication, PublishChange, PublishRefusal,
    SettingValues, Settings, SettingsOrder, UnixMillis, UserSettings,
};

/// Most live publications of one account. One more ends the one whose document is oldest: its
/// agent learns that by 412 and publishes anew.
pub(crate) const MAX_PUBLICATIONS: usize = 16;

/// Shortest lifetime of a publication, whatever is left of the registration: an agent can refresh in
/// time (requirements §3.1).
const SHORTEST: Duration = Duration::from_secs(60);

/// How long a publication holds: no longer than the user is registered for, if he is (SET-07), and
/// never longer than asked for.
pub(crate) fn granted(asked: Duration, bindings: &[Binding], now: UnixMillis) -> Duration {
    let ends = bindings
        .iter()
        .map(|binding| binding.expires_at)
        .filter(|end| *end > now);
    match ends.max() {
        Some(end) => asked.min(end.since(now).max(SHORTEST)),
        None => asked,
    }
}

/// All that is said about the settings of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sayings {
    /// The oldest document first.
    pub(crate) publications: Vec<Publication>,
    pub(crate) preset: SettingValues,
    pub(crate) overridden: Option<Override>,
}

/// A change as it came, with the moment that decides about it.
pub(crate) struct Arrived<'a> {
    pub(crate) change: &'a PublishChange,
    /// What the publication is called from now on.
    pub(crate) tag: EntityTag,
    pub(crate) now: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

impl Sayings {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Without what has ended (SET-14).
    pub(crate) fn live(&self, now: UnixMillis) -> Self {
        let is_live = |said: &&Override| said.until.is_none_or(|until| until > now);
        let publications = self.publications.iter();
        Self {
            publications: publications
                .filter(|publication| publication.expires_at > now)
                .cloned()
                .collect(),
            preset: self.preset,
            overridden: self.overridden.as_ref().filter(is_live).cloned(),
        }
    }

    /// When the next of it ends.
    pub(crate) fn next_end(&self) -> Option<UnixMillis> {
        let publications = self.publications.iter();
        let overridden = self.overridden.iter().filter_map(|said| said.until);
        publications
            .map(|publication| publication.expires_at)
            .chain(overridden)
            .min()
    }

    /// What holds: the override, then for each setting the latest document that mentions it, then
    /// what is preset, then the defaults (SET-13).
    pub(crate) fn composed(&self, defaults: Settings, now: UnixMillis) -> Settings {
        let live = self.live(now);
        let overridden = live.overridden.map(|said| said.values);
        let latest_first = live.publications.iter().rev();
        let published = latest_first
            .flat_map(|publication| publication.entities.iter().rev())
            .map(|entity| entity.values);
        let said = overridden
            .into_iter()
            .chain(published)
            .chain([live.preset])
            .fold(SettingValues::default(), SettingValues::or);
        defaults.overlaid(&said)
    }

    /// For those who ask.
    pub(crate) fn seen(&self, defaults: Settings, now: UnixMillis) -> UserSettings {
        let effective = self.composed(defaults, now);
        let live = self.live(now);
        UserSettings {
            effective,
            publications: live.publications,
            preset: live.preset,
            overridden: live.overridden,
        }
    }

    /// All of the change or nothing (SET-12).
    pub(crate) fn published(&self, arrived: &Arrived<'_>) -> Result<Self, PublishRefusal> {
        let mut said = self.live(arrived.now);
        match arrived.change {
            PublishChange::Initial(entities) => said.add(arrived.publication(entities.clone())),
            PublishChange::Modify(tag, entities) => {
                said.remove(*tag)?;
                said.add(arrived.publication(entities.clone()));
            }
            PublishChange::Refresh(tag) => {
                let refreshed = said.find(*tag)?;
                refreshed.tag = arrived.tag;
                refreshed.expires_at = arrived.expires_at;
            }
            PublishChange::Remove(tag) => {
                said.remove(*tag)?;
            }
        }
        Ok(said)
    }

    /// What an operator wants.
    pub(crate) fn ordered(&self, order: &SettingsOrder, now: UnixMillis) -> Self {
        let mut said = self.live(now);
        match order {
            SettingsOrder::Preset(values) => said.preset = *values,
            SettingsOrder::Override {
                values,
                reason,
                actor,
                lifetime,
            } => {
                said.overridden = Some(Override {
                    values: *values,
                    reason: reason.clone(),
                    actor: actor.clone(),
                    since: now,
                    until: lifetime.map(|lifetime| now.after(lifetime)),
                });
            }
            SettingsOrder::Clear { preset } => {
                said.overridden = None;
                if *preset {
                    said.preset = SettingValues::default();
                }
            }
        }
        said
    }

    fn add(&mut self, publication: Publication) {
        self.publications.push(publication);
        let surplus = self.publications.len().saturating_sub(MAX_PUBLICATIONS);
        self.publications.drain(..surplus);
    }

    fn find(&mut self, tag: EntityTag) -> Result<&mut Publication, PublishRefusal> {
        let mut publications = self.publications.iter_mut();
        publications
            .find(|publication| publication.tag == tag)
            .ok_or(PublishRefusal::UnknownTag)
    }

    fn remove(&mut self, tag: EntityTag) -> Result<(), PublishRefusal> {
        self.find(tag)?;
        self.publications
            .retain(|publication| publication.tag != tag);
        Ok(())
    }
}

impl Arrived<'_> {
    fn publication(&self, entities: Vec<Entity>) -> Publication {
        Publication {
            tag: self.tag,
            entities,
            published_at: self.now,
            expires_at: self.expires_at,
        }
    }
}

#[cfg(test)]
mod tests;
