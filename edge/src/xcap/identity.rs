//! Who asks, as the proxy asserts it: `X-3GPP-Asserted-Identity` (3GPP TS 24.109), else
//! `X-XCAP-Asserted-Identity` (OMA).

use axum::http::HeaderMap;
use sip::{Aor, Uri};

const NAMES: [&str; 2] = ["x-3gpp-asserted-identity", "x-xcap-asserted-identity"];
/// Identities of one user.
const IDENTITIES_MAX: usize = 16;

/// The identities asserted, canonical, in their order. Where both headers are there, one of them may be
/// what a client wrote and the proxy does not know: only who stands in both is believed. A header that
/// holds something else than SIP and tel URIs asserts nobody.
pub(super) fn asserted(headers: &HeaderMap) -> Vec<Aor> {
    let of = |name: &&str| {
        let values = headers.get_all(*name).iter();
        let values = values.flat_map(|value| value.to_str().unwrap_or("?").split(','));
        let identities: Option<Vec<Aor>> = values.take(IDENTITIES_MAX + 1).map(identity).collect();
        identities.filter(|found| !found.is_empty() && found.len() <= IDENTITIES_MAX)
    };
    let present = NAMES.iter().filter(|name| headers.contains_key(**name));
    let asserted = present.map(|name| of(name).unwrap_or_default());
    asserted
        .reduce(|first, second| {
            let both = first.into_iter().filter(|known| second.contains(known));
            both.collect()
        })
        .unwrap_or_default()
}

/// A URI, in quotes or not.
fn identity(text: &str) -> Option<Aor> {
    let text = text.trim();
    let bare = text
        .strip_prefix('"')
        .and_then(|open| open.strip_suffix('"'))
        .unwrap_or(text);
    let uri: Uri = bare.parse().ok()?;
    Aor::from_uri(&uri)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn found(lines: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let identities = asserted(&headers);
        identities.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn identities_are_read_in_both_spellings() {
        let [gpp, oma] = NAMES;
        let bob = ["sip:bob@example.org".to_owned()];
        assert_eq!(found(&[(gpp, "\"sip:bob@EXAMPLE.org\"")]), bob);
        assert_eq!(found(&[(oma, "sip:bob@example.org")]), bob);
        let two = found(&[(gpp, "\"sip:bob@example.org\", \"tel:+1-555-0100\"")]);
        assert_eq!(two, ["sip:bob@example.org", "tel:+15550100"]);
    }

    #[test]
    fn only_who_stands_in_both_headers_is_believed() {
        let [gpp, oma] = NAMES;
        let both = |oma_value| found(&[(oma, oma_value), (gpp, "\"sip:bob@example.org\"")]);
        assert_eq!(
            both("sip:eve@example.org, sip:bob@example.org"),
            ["sip:bob@example.org"]
        );
        for other in ["sip:eve@example.org", "", "?"] {
            assert_eq!(both(other), [""; 0], "{other}");
        }
    }

    #[test]
    fn whoever_is_not_named_well_is_nobody() {
        let [gpp, oma] = NAMES;
        for value in ["", "\"\"", "bob", "\"sip:bob@example.org\",", "http://x"] {
            assert_eq!(found(&[(gpp, value)]), [""; 0], "{value}");
            assert_eq!(found(&[(oma, value)]), [""; 0], "{value}");
        }
        assert_eq!(found(&[]), [""; 0]);
    }
}
