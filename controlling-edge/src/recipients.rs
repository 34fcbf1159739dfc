//! To whom a message goes: entries of a list, or members of a group, as the people they name (CFP-06, CFP-16, CFP-20,
//! CFP-21).

use std::collections::HashSet;

use edge::refuse::Refusal;
use sip::{Aor, SipUri, Uri};
use xcap::resource_lists::{CopyControl, Entry};

use crate::site::Site;

/// One person who gets a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipient {
    /// Request-URI and To of the copy.
    pub(crate) uri: String,
    /// Who it is; two spellings of one address are one.
    pub(crate) address: Aor,
    /// What the others learn of him.
    pub(crate) copy_control: CopyControl,
    /// Whether he is counted without being named.
    pub(crate) anonymize: bool,
}

/// The people whom entries name: each once, as his first entry has him, without the sender and without what is ours
/// (a factory or a store would send it on, and on).
///
/// # Errors
/// An entry is no address, or of a domain we do not serve where that is not wanted.
pub(crate) fn recipients(
    entries: &[Entry],
    sender: &Aor,
    site: &Site,
) -> Result<Vec<Recipient>, Refusal> {
    let mut seen = HashSet::from([sender.clone()]);
    let mut recipients = Vec::with_capacity(entries.len());
    for entry in entries {
        let (uri, recipient) = recipient(entry)?;
        let is_ours = site.is_own(&uri) || site.is_store(&recipient.address);
        if is_ours || seen.contains(&recipient.address) {
            continue;
        }
        if !site.foreign_recipients && !site.serves(&recipient.address) {
            return Err(Refusal::Forbidden("recipient of a foreign domain"));
        }
        seen.insert(recipient.address.clone());
        recipients.push(recipient);
    }
    Ok(recipients)
}

/// Members of a group that get a copy: not the sender, and nobody whom a message would pass through again (CFP-20).
/// What the store has as a member is an address already.
pub(crate) fn members<'a>(
    uris: impl Iterator<Item = &'a str>,
    sender: &Aor,
    site: &Site,
) -> Vec<Recipient> {
    let member = |uri: &str| {
        let read: Uri = uri.parse().ok()?;
        let address = Aor::from_uri(&read)?;
        let is_ours = site.is_own(&read) || site.is_store(&address);
        let is_meant = !is_ours && address != *sender;
        is_meant.then(|| Recipient {
            uri: uri.to_owned(),
            address,
            copy_control: CopyControl::To,
            anonymize: false,
        })
    };
    uris.filter_map(member).collect()
}

fn recipient(entry: &Entry) -> Result<(Uri, Recipient), Refusal> {
    let unreadable = || Refusal::Unreadable("an entry of the recipient list is no address");
    let uri: Uri = entry.uri.parse().map_err(|_| unreadable())?;
    let address = Aor::from_uri(&uri)
        // A domain alone names nobody.
        .filter(|address| address.domain().is_none() || address.user().is_some())
        .ok_or_else(unreadable)?;
    let recipient = Recipient {
        uri: request_uri(&uri),
        address,
        copy_control: entry.copy_control,
        anonymize: entry.anonymize,
    };
    Ok((uri, recipient))
}

/// What a URI asks to be put in the request is left out (CFP-16): the sender of the message says what is in it.
fn request_uri(uri: &Uri) -> String {
    match uri {
        Uri::Sip(uri) => {
            let mut uri = uri.clone();
            uri.headers = None;
            uri.params.remove("method");
            uri.to_string()
        }
        // `im:` names the same user, and no proxy routes it (RFC 3861).
        Uri::Other { .. } => Aor::from_uri(uri).map_or(uri.to_string(), |aor| aor.to_string()),
        Uri::Tel(_) => uri.to_string(),
    }
}

/// Whether a URI is a factory's: with the user part that is configured, on a host of ours.
pub(crate) fn is_factory(uri: &SipUri, site: &Site) -> bool {
    let is_factory = uri.user.as_deref() == Some(site.factory.as_str());
    is_factory && site.is_own(&Uri::Sip(uri.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::cf1;

    fn entry(uri: &str) -> Entry {
        Entry {
            uri: uri.to_owned(),
            copy_control: CopyControl::To,
            anonymize: false,
        }
    }

    fn uris(entries: &[&str], site: &Site) -> Result<Vec<String>, Refusal> {
        let entries: Vec<_> = entries.iter().map(|uri| entry(uri)).collect();
        let sender = "sip:alice@example.org".parse().expect("an address");
        let recipients = recipients(&entries, &sender, site)?;
        Ok(recipients.into_iter().map(|held| held.uri).collect())
    }

    #[test]
    fn cfp_06_each_gets_one_copy_and_the_sender_none() {
        let entries = [
            "sip:bob@EXAMPLE.org:5060",
            "sip:bob@example.org",
            "sips:alice@example.org",
            "tel:+1-555-0100",
            "tel:+15550100",
            "im:carol@example.org",
        ];
        assert_eq!(
            uris(&entries, &cf1()),
            Ok(vec![
                "sip:bob@EXAMPLE.org:5060".to_owned(),
                "tel:+1-555-0100".to_owned(),
                "sip:carol@example.org".to_owned(),
            ])
        );
    }

    #[test]
    fn cfp_16_what_a_uri_would_put_in_the_request_is_left_out() {
        let entries = ["sip:bob@example.org;method=INVITE;user=phone?body=x&Subject=y"];
        assert_eq!(
            uris(&entries, &cf1()),
            Ok(vec!["sip:bob@example.org;user=phone".to_owned()])
        );
    }

    #[test]
    fn cfp_20_what_is_ours_gets_no_copy() {
        let entries = [
            "sip:im-factory@cf1.im.example.org;sessiontype=adhoc",
            "sip:anything@cf1.im.example.org",
            "sip:im-store@df1.im.example.org",
            "sip:bob@example.org",
        ];
        assert_eq!(
            uris(&entries, &cf1()),
            Ok(vec!["sip:bob@example.org".to_owned()])
        );
    }

    #[test]
    fn cfp_21_foreign_recipients_only_where_they_are_wanted() {
        let entries = ["sip:bob@example.org", "sip:dave@example.net"];
        let mut site = cf1();
        assert!(matches!(uris(&entries, &site), Err(Refusal::Forbidden(_))));
        site.foreign_recipients = true;
        assert_eq!(uris(&entries, &site).map(|uris| uris.len()), Ok(2));
    }

    #[test]
    fn cfp_17_what_is_no_address_is_refused() {
        for uri in [
            "bob",
            "sip:",
            "sip:example.org",
            "http://example.org/",
            "tel:12",
        ] {
            assert!(
                matches!(uris(&[uri], &cf1()), Err(Refusal::Unreadable(_))),
                "{uri}"
            );
        }
    }
}
