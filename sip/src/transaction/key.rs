//! What two messages must have in common to belong together.
//!
//! Each key is one string of the parts its rule names, separated by line feeds, which no header value can hold.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use crate::message::{Headers, Request, Response};
use crate::token::MAGIC_COOKIE;
use crate::{Method, Via};

/// One transaction: top Via branch, sent-by and method (RFC 3261 §17.1.3, §17.2.3).
///
/// A branch without the magic cookie comes from an implementation of RFC 2543 and identifies nothing: then the key is
/// Request-URI, From tag, Call-ID, CSeq number and top Via (§17.2.3). The To tag, which only an ACK would have to
/// differ in, is left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(Arc<str>);

impl Key {
    /// None if the message has no readable top Via.
    pub(super) fn of_request(request: &Request) -> Option<Self> {
        match request.method() {
            // The ACK of a failure belongs to the INVITE.
            Method::Ack => Self::matching(request, &Method::Invite),
            method => Self::matching(request, method),
        }
    }

    /// The key of the INVITE that `cancel` means (RFC 3261 §9.2).
    pub(super) fn of_cancelled(cancel: &Request) -> Option<Self> {
        Self::matching(cancel, &Method::Invite)
    }

    /// The key of the request that `response` answers.
    pub(super) fn of_response(response: &Response) -> Option<Self> {
        let via = response.headers().top_via().ok()??;
        let cseq = response.headers().cseq().ok()??;
        Some(Self::from_branch(&via, via.branch()?, &cseq.method))
    }

    fn matching(request: &Request, method: &Method) -> Option<Self> {
        let via = request.top_via().ok()??;
        match via.branch() {
            Some(branch) if has_cookie(branch) => Some(Self::from_branch(via, branch, method)),
            _ => Self::from_fields(request, via, method),
        }
    }

    fn from_branch(via: &Via, branch: &str, method: &Method) -> Self {
        let mut key = String::with_capacity(96);
        push(&mut key, branch);
        let host = key.len();
        push(&mut key, &via.sent_by);
        // Host names compare without letter case.
        if let Some(host) = key.get_mut(host..) {
            host.make_ascii_lowercase();
        }
        push(&mut key, method);
        Self(key.into())
    }

    fn from_fields(request: &Request, via: &Via, method: &Method) -> Option<Self> {
        let headers = request.headers();
        let mut key = String::with_capacity(192);
        push(&mut key, request.raw_uri());
        push(&mut key, request.from().ok()??.tag().unwrap_or_default());
        push(&mut key, headers.call_id()?);
        push(&mut key, request.cseq().ok()??.number);
        push(&mut key, via);
        push(&mut key, method);
        Some(Self(key.into()))
    }
}

/// One request, whichever path it took: From tag, Call-ID and CSeq (RFC 3261 §8.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct MergeKey(Arc<str>);

impl MergeKey {
    /// None inside a dialog, where the rule does not apply.
    pub(super) fn of(request: &Request) -> Option<Self> {
        if request.to().ok()??.tag().is_some() {
            return None;
        }
        let mut key = String::with_capacity(96);
        push(&mut key, request.from().ok()??.tag()?);
        push(&mut key, request.headers().call_id()?);
        push(&mut key, request.cseq().ok()??);
        Some(Self(key.into()))
    }
}

/// The 2xx of an INVITE and its ACK: Call-ID, both tags and the CSeq number (RFC 3261 §13.2.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct DialogKey(Arc<str>);

impl DialogKey {
    pub(super) fn of(headers: &Headers) -> Option<Self> {
        let mut key = String::with_capacity(96);
        push(&mut key, headers.call_id()?);
        push(&mut key, headers.from().ok()??.tag().unwrap_or_default());
        push(&mut key, headers.to().ok()??.tag().unwrap_or_default());
        push(&mut key, headers.cseq().ok()??.number);
        Some(Self(key.into()))
    }
}

/// The cookie is compared without letter case, like every parameter value (RFC 3261 §7.3.1).
fn has_cookie(branch: &str) -> bool {
    let start = branch.as_bytes().get(..MAGIC_COOKIE.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(MAGIC_COOKIE.as_bytes()))
}

fn push(key: &mut String, part: impl Display) {
    writeln!(key, "{part}").expect("writing to a string never fails");
}
