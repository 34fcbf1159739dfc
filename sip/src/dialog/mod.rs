//! Dialogs (RFC 3261 §12): what two peers share after a request that made them peers.
//!
//! One [`Dialog`] serves both roles; it numbers our requests, checks the peer's, keeps the route set and follows the
//! remote target. What it is not: it holds no session, runs no timer ([`session_timer`](crate::session_timer) does)
//! and sends nothing; requests come out as builders to which the caller adds Max-Forwards, Contact and a body.

mod id;
mod invites;
mod route_set;
mod saved;
#[cfg(test)]
mod tests;

pub use id::DialogId;
pub use saved::SavedDialog;

use invites::PendingInvites;
use route_set::RouteSet;

use crate::message::{Headers, Request, RequestBuilder, Response, Violation};
use crate::{CSeq, Contacts, HeaderError, Method, Name, StatusCode, Uri};

/// Why a request or response makes no dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialogError {
    /// A header that identifies the dialog or its target is malformed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A header that identifies the dialog or its target is not there; for a Contact also: not exactly one
    /// (RFC 3261 §8.1.1.8).
    #[error("missing or ambiguous {}", .0.as_str())]
    Missing(Name),
}

impl From<DialogError> for Violation {
    fn from(error: DialogError) -> Self {
        match error {
            DialogError::Header(error) => error.into(),
            DialogError::Missing(_) => Self::bad_request("Missing or ambiguous dialog header"),
        }
    }
}

/// One side of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    /// From of our requests with its tag, as on the wire.
    local: String,
    /// To of our requests, its tag included once the peer has one.
    remote: String,
    local_contact: Option<Uri>,
    remote_target: Uri,
    route_set: RouteSet,
    /// Number of our last request.
    local_cseq: u32,
    /// Number of the peer's last request; none before the first.
    remote_cseq: Option<u32>,
    invites: PendingInvites,
    terminated: bool,
}

impl Dialog {
    /// The UAC's side (RFC 3261 §12.1.2): our request and the peer's response with a To tag, 1xx or 2xx.
    ///
    /// # Errors
    ///
    /// [`DialogError`] if a header that the dialog needs is missing or malformed.
    pub fn uac(request: &Request, response: &Response) -> Result<Self, DialogError> {
        let (sent, received) = (request.headers(), response.headers());
        let id = DialogId::new(sent, tag(received, Name::From)?, tag(received, Name::To)?)?;
        Ok(Self {
            id,
            local: raw(sent, Name::From)?,
            remote: raw(received, Name::To)?,
            local_contact: contact(sent)?,
            remote_target: contact(received)?.ok_or(DialogError::Missing(Name::Contact))?,
            route_set: RouteSet::reversed(received.record_routes()?),
            local_cseq: cseq(sent)?.number,
            remote_cseq: None,
            invites: PendingInvites::default(),
            terminated: false,
        })
    }

    /// The UAS's side (RFC 3261 §12.1.1): the peer's request and the tag and Contact of our response.
    ///
    /// # Errors
    ///
    /// [`DialogError`] if a header that the dialog needs is missing or malformed; the request deserves a 400 then.
    pub fn uas(
        request: &Request,
        local_tag: &str,
        local_contact: Uri,
    ) -> Result<Self, DialogError> {
        let headers = request.headers();
        let id = DialogId::new(headers, local_tag.to_owned(), tag(headers, Name::From)?)?;
        Ok(Self {
            id,
            local: format!("{};tag={local_tag}", raw(headers, Name::To)?),
            remote: raw(headers, Name::From)?,
            local_contact: Some(local_contact),
            remote_target: contact(headers)?.ok_or(DialogError::Missing(Name::Contact))?,
            route_set: RouteSet::in_order(headers.record_routes()?),
            local_cseq: 0,
            remote_cseq: Some(cseq(headers)?.number),
            invites: PendingInvites::default(),
            terminated: false,
        })
    }

    /// Call-ID and tags: the key to keep the dialog under.
    #[must_use]
    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// Where the peer wants its requests, as last refreshed.
    #[must_use]
    pub fn remote_target(&self) -> &Uri {
        &self.remote_target
    }

    /// Our own Contact, for target refresh requests and their responses.
    #[must_use]
    pub fn local_contact(&self) -> Option<&Uri> {
        self.local_contact.as_ref()
    }

    /// Where requests are to be sent: the first route, strict or loose, else the remote target (RFC 3261 §8.1.2).
    #[must_use]
    pub fn next_hop(&self) -> &Uri {
        self.route_set.first().unwrap_or(&self.remote_target)
    }

    /// Whether a response has said that the peer knows the dialog no more (RFC 3261 §12.2.1.2).
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.terminated
    }

    /// The next request (RFC 3261 §12.2.1.1): Request-URI, Route, From, To, Call-ID and a new CSeq. An INVITE counts as
    /// pending until [`handle_response`](Self::handle_response) sees its final response.
    pub fn request(&mut self, method: Method) -> RequestBuilder {
        self.local_cseq = self.local_cseq.saturating_add(1);
        if method == Method::Invite {
            self.invites.begin_local();
        }
        self.builder(method, self.local_cseq)
    }

    /// The ACK of the 2xx to our INVITE with that CSeq number (RFC 3261 §13.2.2.4).
    #[must_use]
    pub fn ack(&self, invite_cseq: u32) -> RequestBuilder {
        self.builder(Method::Ack, invite_cseq)
    }

    /// Takes a request of the peer (RFC 3261 §12.2.2): checks its order and follows its Contact. ACK and CANCEL bear
    /// the number of their INVITE and change nothing.
    ///
    /// # Errors
    ///
    /// The status to answer with: 500 for an old CSeq or an INVITE during the peer's own, which wants a Retry-After of
    /// 0 to 10 s as well, and 491 for an INVITE during ours (RFC 3261 §14.2, `ERR-22`); 400 for a malformed header.
    pub fn handle_request(&mut self, request: &Request) -> Result<(), Violation> {
        if matches!(request.method(), Method::Ack | Method::Cancel) {
            return Ok(());
        }
        let number = cseq(request.headers())?.number;
        if self.remote_cseq.is_some_and(|last| number < last) {
            let status = StatusCode::SERVER_INTERNAL_ERROR;
            return Err(Violation {
                status,
                reason: "CSeq out of order",
            });
        }
        self.remote_cseq = Some(number);
        if *request.method() == Method::Invite {
            self.invites.begin_remote()?;
        }
        if refreshes_target(request.method())
            && let Some(target) = contact(request.headers())?
        {
            self.remote_target = target;
        }
        Ok(())
    }

    /// Our final response to the peer's INVITE within the dialog has left: it may send the next one.
    pub fn invite_answered(&mut self) {
        self.invites.end_remote();
    }

    /// Takes a response to a request of ours within the dialog (RFC 3261 §12.2.1.2): 2xx of a target refresh follows
    /// its Contact, 481 and 408 end the dialog.
    pub fn handle_response(&mut self, response: &Response) {
        let Ok(CSeq { method, .. }) = cseq(response.headers()) else {
            return;
        };
        let status = response.status();
        if method == Method::Invite && status.is_final() {
            self.invites.end_local();
        }
        let gone = [
            StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
            StatusCode::REQUEST_TIMEOUT,
        ];
        self.terminated |= gone.contains(&status);
        if status.is_success()
            && refreshes_target(&method)
            && let Ok(Some(target)) = contact(response.headers())
        {
            self.remote_target = target;
        }
    }

    fn builder(&self, method: Method, number: u32) -> RequestBuilder {
        let cseq = CSeq {
            number,
            method: method.clone(),
        };
        let (uri, routes) = self.route_set.apply(&self.remote_target);
        let builder = RequestBuilder::new(method, &uri);
        let builder = routes
            .iter()
            .fold(builder, |builder, route| builder.header(Name::Route, route));
        builder
            .header(Name::From, &self.local)
            .header(Name::To, &self.remote)
            .header(Name::CallId, self.id.call_id())
            .header(Name::CSeq, cseq)
    }
}

/// Requests whose Contact moves the remote target (RFC 3261 §12.2, RFC 3311 §5.1, RFC 6665 §4.4.1).
fn refreshes_target(method: &Method) -> bool {
    matches!(
        method,
        Method::Invite | Method::Update | Method::Subscribe | Method::Notify
    )
}

fn raw(headers: &Headers, name: Name) -> Result<String, DialogError> {
    let field = headers.first(name).ok_or(DialogError::Missing(name))?;
    Ok(field.value().into_owned())
}

/// The tag of From or To; peers of RFC 2543 may send none, which reads as empty (RFC 3261 §12.1.1).
fn tag(headers: &Headers, name: Name) -> Result<String, DialogError> {
    let address = if name == Name::From {
        headers.from()?
    } else {
        headers.to()?
    };
    let address = address.ok_or(DialogError::Missing(name))?;
    Ok(address.tag().unwrap_or_default().to_owned())
}

fn cseq(headers: &Headers) -> Result<CSeq, DialogError> {
    headers.cseq()?.ok_or(DialogError::Missing(Name::CSeq))
}

/// The one Contact, if there is any.
fn contact(headers: &Headers) -> Result<Option<Uri>, DialogError> {
    match headers.contacts()? {
        Contacts::List(list) if list.len() <= 1 => {
            Ok(list.into_iter().next().map(|contact| contact.uri))
        }
        Contacts::List(_) | Contacts::Wildcard => Err(DialogError::Missing(Name::Contact)),
    }
}
