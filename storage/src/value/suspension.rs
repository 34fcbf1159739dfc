//! Suspensions, all in one row.

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{Address, Suspended, Suspension, UnixMillis};

/// Kinds of targets.
const USER: u8 = 1;
const DOMAIN: u8 = 2;

/// In the order of targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SuspensionsValue(pub(crate) Vec<Suspension>);

impl Value for SuspensionsValue {
    const WHAT: &'static str = "suspensions";

    fn write(&self, out: &mut Encoder) {
        out.seal();
        out.list(&self.0, |out, suspension| {
            let (kind, name) = match &suspension.target {
                Suspended::User(address) => (USER, address.as_str()),
                Suspended::Domain(domain) => (DOMAIN, domain.as_str()),
            };
            out.u8(kind);
            out.text(name);
            out.u64(suspension.since.0);
            out.u64(suspension.until.0);
            out.text(&suspension.actor);
            out.text(&suspension.reason);
        });
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let all = fields.list(|fields| {
            let kind = fields.u8()?;
            let name = fields.text()?;
            Ok(Suspension {
                target: match kind {
                    USER => Suspended::User(Address::new(name)),
                    DOMAIN => Suspended::Domain(name),
                    _ => return Err(Malformed),
                },
                since: UnixMillis(fields.u64()?),
                until: UnixMillis(fields.u64()?),
                actor: fields.text()?,
                reason: fields.text()?,
            })
        });
        all.map(Self)
    }
}
