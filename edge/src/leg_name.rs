//! How the Call-ID of a copy names it: `cf-<job>-<index>`, of an INVITE with a token behind it, then `@` and a host.

use storage_client::LegName;

/// What the Call-ID of a copy begins with.
#[must_use]
pub fn call_id_prefix(leg: LegName) -> String {
    format!("cf-{}-{}", leg.job, leg.index)
}

/// The copy that a Call-ID names. Anybody may write one: it is to be believed of a request whose mark was verified, which
/// covers its Call-ID.
#[must_use]
pub fn named_by(call_id: &str) -> Option<LegName> {
    let name = call_id.split('@').next()?;
    let mut fields = name.strip_prefix("cf-")?.split('-');
    Some(LegName {
        job: fields.next()?.parse().ok()?,
        index: fields.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_the_call_ids_of_its_copies_alone() {
        let leg = LegName { job: 7, index: 12 };
        let prefix = call_id_prefix(leg);
        assert_eq!(named_by(&format!("{prefix}@store.example.org")), Some(leg));
        assert_eq!(
            named_by(&format!("{prefix}-aZ09@edge.example.org")),
            Some(leg)
        );
        for other in [
            "",
            "cf-7",
            "cf-7-@host",
            "cf-x-1@host",
            "push-7-1@host",
            "cf-7-4294967296@host",
        ] {
            assert_eq!(named_by(other), None, "{other}");
        }
    }
}
