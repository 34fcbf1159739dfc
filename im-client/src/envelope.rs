//! What every message of a user says, by whichever procedure it goes (requirements §1.1).

use std::fmt;
use std::str::FromStr;

use rand::rngs::StdRng;
use sip::{Method, Name, RequestBuilder, SipDate, Uri, token};

use crate::recipients::Recipients;
use crate::{Account, IM_FEATURE_TAG, RELEASE};

/// Hops a request may take (RFC 3261 §8.1.1.6).
pub(crate) const MAX_FORWARDS: u8 = 70;

/// To whom a message goes, and how its sender shows himself.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The recipient: a user, a group (OPG-07), the session identity of a session both take part in
    /// (OPG-08), or the factory of [`recipients`](Self::recipients).
    pub to: Uri,
    /// Several recipients, by way of a factory (OPG-04).
    pub recipients: Option<Recipients>,
    /// `Subject`, if any.
    pub subject: Option<String>,
    /// Hide the sender from the recipient (COM-06).
    pub anonymous: bool,
    /// Assert the sender's identity, as a trusted core does, instead of preferring it.
    pub asserted: bool,
    /// The session whose participants are meant, if `to` is its identity (OPG-08, RFC 4538).
    pub target_dialog: Option<TargetDialog>,
}

impl Envelope {
    /// To this recipient, with nothing special about it.
    #[must_use]
    pub fn to(to: Uri) -> Self {
        Self {
            to,
            recipients: None,
            subject: None,
            anonymous: false,
            asserted: false,
            target_dialog: None,
        }
    }

    /// To all of these, with nothing special about it.
    #[must_use]
    pub fn to_all(recipients: Recipients) -> Self {
        let to_factory = Self::to(recipients.factory.clone());
        Self {
            recipients: Some(recipients),
            ..to_factory
        }
    }

    /// An initial request with the fields that all of them carry, without Via and body.
    pub(crate) fn request(
        &self,
        method: Method,
        account: &Account,
        ids: &RequestIds,
        now: SipDate,
    ) -> RequestBuilder {
        let cseq = format!("{} {}", ids.cseq, method.as_str());
        let list = self.recipients.as_ref();
        let uri = list.map_or_else(|| self.to.clone(), Recipients::request_uri);
        let option_tag = list.map(|_| Recipients::option_tag(&method));
        let mut builder = RequestBuilder::new(method, &uri)
            .header(Name::MaxForwards, MAX_FORWARDS)
            .header(
                Name::From,
                format_args!("{};tag={}", self.from(account), ids.from_tag),
            )
            .header(Name::To, format_args!("<{}>", self.to))
            .header(Name::CallId, &ids.call_id)
            .header(Name::CSeq, cseq)
            .header(Name::Date, now)
            .raw_header("Accept-Contact", format_args!("*;{IM_FEATURE_TAG}"));
        builder = self.sign(builder, account);
        if let Some(tag) = option_tag {
            builder = builder.header(Name::Require, tag);
        }
        if let Some(dialog) = &self.target_dialog {
            builder = builder.raw_header("Target-Dialog", dialog);
        }
        if let Some(subject) = &self.subject {
            builder = builder.header(Name::Subject, subject);
        }
        builder
    }

    /// Who sends, and whether he wants to be hidden: in every request, BYE too (COM-14, LMR-03).
    pub(crate) fn sign(&self, builder: RequestBuilder, account: &Account) -> RequestBuilder {
        let identity = if self.asserted {
            Name::PAssertedIdentity
        } else {
            Name::PPreferredIdentity
        };
        let builder = builder
            .header(identity, format_args!("<{}>", account.user))
            .header(Name::UserAgent, RELEASE);
        if self.anonymous {
            builder.header(Name::Privacy, "id")
        } else {
            builder
        }
    }

    fn from(&self, account: &Account) -> String {
        if self.anonymous {
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned()
        } else {
            format!("<{}>", account.user)
        }
    }
}

/// What makes a request of ours one of its kind.
#[derive(Clone, Debug)]
pub(crate) struct RequestIds {
    pub(crate) call_id: String,
    pub(crate) from_tag: String,
    pub(crate) cseq: u32,
}

impl RequestIds {
    pub(crate) fn new(host: &str, rng: &mut StdRng) -> Self {
        Self {
            call_id: token::call_id(rng, host),
            from_tag: token::tag(rng),
            cseq: 1,
        }
    }
}

/// A dialog as `Target-Dialog` names it (RFC 4538 §7): `CALL-ID;local-tag=TAG;remote-tag=TAG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetDialog(String);

/// The text names no dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a dialog is written CALL-ID;local-tag=TAG;remote-tag=TAG")]
pub struct NoDialog;

impl FromStr for TargetDialog {
    type Err = NoDialog;

    fn from_str(text: &str) -> Result<Self, NoDialog> {
        let mut parts = text.split(';').map(str::trim);
        let has_call_id = parts.next().is_some_and(is_word);
        let parts: Vec<_> = parts.collect();
        let has = |name: &str| {
            let value = |part: &&str| part.strip_prefix(name)?.strip_prefix('=').map(is_word);
            parts.iter().find_map(value).unwrap_or(false)
        };
        match has_call_id && has("local-tag") && has("remote-tag") {
            true => Ok(Self(text.trim().to_owned())),
            false => Err(NoDialog),
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic())
}

impl fmt::Display for TargetDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_has_a_call_id_and_two_tags() {
        let whole = "a84b4c76e66710@pc33;local-tag=1928301774;remote-tag=a6c85cf";
        assert_eq!(
            whole.parse::<TargetDialog>().map(|read| read.to_string()),
            Ok(whole.to_owned())
        );
        for wrong in [
            "",
            "a84b",
            "a84b;local-tag=1",
            ";local-tag=1;remote-tag=2",
            "a84b;local-tag=;remote-tag=2",
            "a84b;local-tag=1;remote-tag=2\r\nX: y",
        ] {
            assert_eq!(wrong.parse::<TargetDialog>(), Err(NoDialog), "{wrong}");
        }
    }
}
