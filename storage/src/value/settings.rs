//! What is said about the settings of an account.

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{Entity, EntityTag, Override, Publication, Setting, SettingValues, UnixMillis};
use crate::rule::settings::Sayings;

impl Value for Sayings {
    const WHAT: &'static str = "settings";

    fn write(&self, out: &mut Encoder) {
        write_values(&self.preset, out);
        out.list(&self.publications, |out, publication| {
            out.u64(publication.tag.0);
            out.u64(publication.published_at.0);
            out.u64(publication.expires_at.0);
            out.list(&publication.entities, |out, entity| {
                write_values(&entity.values, out);
            });
        });
        out.option(self.overridden.as_ref(), |out, said| {
            write_values(&said.values, out);
            out.u64(said.since.0);
            out.option(said.until, |out, until| out.u64(until.0));
        });
        out.seal();
        for publication in &self.publications {
            for entity in &publication.entities {
                out.text(&entity.id);
            }
        }
        if let Some(said) = &self.overridden {
            out.text(&said.reason);
            out.text(&said.actor);
        }
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let preset = read_values(fields)?;
        let mut publications = fields.list(read_publication)?;
        let mut overridden = fields.option(read_override)?;
        for publication in &mut publications {
            for entity in &mut publication.entities {
                entity.id = fields.text()?;
            }
        }
        if let Some(said) = &mut overridden {
            said.reason = fields.text()?;
            said.actor = fields.text()?;
        }
        Ok(Self {
            publications,
            preset,
            overridden,
        })
    }
}

/// Two octets: which settings are mentioned, and which of these are active; bit n is setting n.
fn write_values(values: &SettingValues, out: &mut Encoder) {
    let bits = |wanted: fn(bool) -> bool| {
        Setting::ALL
            .into_iter()
            .filter(|setting| values.get(*setting).is_some_and(wanted))
            .fold(0, |bits, setting| bits | 1 << setting as u8)
    };
    out.u8(bits(|_| true));
    out.u8(bits(|active| active));
}

fn read_values(fields: &mut Decoder<'_>) -> Result<SettingValues, Malformed> {
    let (mentioned, active) = (fields.u8()?, fields.u8()?);
    if mentioned >= 1 << Setting::ALL.len() || active & !mentioned != 0 {
        return Err(Malformed);
    }
    let has = |bits: u8, setting: Setting| bits & 1 << setting as u8 != 0;
    Ok(Setting::ALL
        .into_iter()
        .filter(|setting| has(mentioned, *setting))
        .fold(SettingValues::default(), |values, setting| {
            values.with(setting, has(active, setting))
        }))
}

fn read_publication(fields: &mut Decoder<'_>) -> Result<Publication, Malformed> {
    Ok(Publication {
        tag: EntityTag(fields.u64()?),
        published_at: UnixMillis(fields.u64()?),
        expires_at: UnixMillis(fields.u64()?),
        entities: fields.list(|fields| {
            Ok(Entity {
                id: String::new(),
                values: read_values(fields)?,
            })
        })?,
    })
}

fn read_override(fields: &mut Decoder<'_>) -> Result<Override, Malformed> {
    Ok(Override {
        values: read_values(fields)?,
        since: UnixMillis(fields.u64()?),
        until: fields.option(|fields| fields.u64().map(UnixMillis))?,
        reason: String::new(),
        actor: String::new(),
    })
}
