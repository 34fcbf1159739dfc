//! What happens to a message between the socket and the transaction layer.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use sip::{
    Headers, Message, Method, Name, ParseError, Request, Response, ResponseBuilder, SipDate,
    StatusCode, Violation,
};

use super::core::{Core, requester};
use super::flow::Flow;
use super::{metric, via};

/// The answer to a keep-alive (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

/// Takes a message that could be parsed.
pub(crate) fn message(core: &Arc<Core>, message: Message, flow: &Flow) {
    match message {
        Message::Request(request) => take_request(core, request, flow),
        Message::Response(response) => take_response(core, response),
    }
}

/// Answers what could not be parsed, if the answer can be routed; else it is dropped (`ERR-01`).
pub(crate) fn malformed(core: &Arc<Core>, error: &ParseError, flow: &Flow) {
    tracing::debug!(%error, transport = %flow.transport(), "malformed message");
    let Some(reply) = error.reply() else {
        metric::dropped(metric::Drop::Malformed);
        return;
    };
    reply_outside(
        core,
        reply.reason(&error.to_string()),
        error.headers(),
        flow,
    );
}

pub(crate) fn keep_alive(flow: &Flow) {
    // A connection that cannot take two octets is about to be closed anyway.
    let _ = flow.send(&Bytes::from_static(PONG), flow.remote());
}

/// The 503 of a node that has no room (`P9`).
pub(crate) fn unavailable(core: &Core, request: &Request) -> Response {
    let reply = ResponseBuilder::reply_to(request, StatusCode::SERVICE_UNAVAILABLE);
    signed(core, reply)
        .to_tag(&stateless_tag(core, request.headers()))
        .header(Name::RetryAfter, core.config.retry_after.as_secs().max(1))
        .build()
}

/// What every answer of the node says: when it was given, and by what (requirements 1.20).
pub(crate) fn signed(core: &Core, reply: ResponseBuilder) -> ResponseBuilder {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
    let reply = reply.header(Name::Date, SipDate::from_unix_seconds(seconds));
    match &core.config.server {
        Some(server) => reply.header(Name::Server, server),
        None => reply,
    }
}

fn take_request(core: &Arc<Core>, request: Request, flow: &Flow) {
    if let Err(violation) = request.check() {
        refuse(core, &request, violation, flow);
        return;
    }
    let (Ok(Some(top)), Some(call_id)) = (request.top_via(), request.headers().call_id()) else {
        metric::dropped(metric::Drop::Malformed);
        return;
    };
    if *request.method() == Method::Ack && !core.takes_acks() {
        metric::dropped(metric::Drop::AckQueueFull);
        return;
    }
    let shard = core.shard(&call_id);
    let peer = requester(
        &request,
        flow,
        via::response_destination(top, flow.remote()),
    );
    let reliable = flow.transport().is_reliable();
    let request = request.received_from(flow.remote());
    core.step(shard, |layer| {
        layer.handle_request(super::now(), request, peer, reliable);
    });
}

fn take_response(core: &Arc<Core>, response: Response) {
    let call_id = response
        .check()
        .ok()
        .and_then(|()| response.headers().call_id());
    let Some(shard) = call_id.map(|call_id| core.shard(&call_id)) else {
        metric::dropped(metric::Drop::Malformed);
        return;
    };
    if !core.step(shard, |layer| layer.handle_response(super::now(), response)) {
        metric::dropped(metric::Drop::StrayResponse);
    }
}

/// Answers a request whose form is wrong; an ACK is never answered.
fn refuse(core: &Arc<Core>, request: &Request, violation: Violation, flow: &Flow) {
    tracing::debug!(%violation, "request refused");
    if *request.method() == Method::Ack {
        metric::dropped(metric::Drop::Malformed);
        return;
    }
    let reply = ResponseBuilder::reply_to(request, violation.status).reason(violation.reason);
    reply_outside(core, reply, request.headers(), flow);
}

/// Sends a response outside any transaction: each copy of the request gets the same one, Date apart (RFC 3261 §8.2.7).
fn reply_outside(core: &Arc<Core>, reply: ResponseBuilder, request: &Headers, flow: &Flow) {
    let Ok(Some(top)) = request.top_via() else {
        metric::dropped(metric::Drop::Malformed);
        return;
    };
    let destination = via::response_destination(&top, flow.remote());
    let response = signed(core, reply)
        .to_tag(&stateless_tag(core, request))
        .received_from(flow.remote())
        .build();
    metric::refused();
    if flow.send(response.as_bytes(), destination).is_err() {
        metric::dropped(metric::Drop::ResponseUndeliverable);
    }
}

/// A To tag that is the same for each copy of a request (RFC 3261 §8.2.7).
fn stateless_tag(core: &Core, request: &Headers) -> String {
    let via = request
        .first(Name::Via)
        .map(|field| field.raw_value().to_owned());
    format!("{:016x}", core.keyed_hash((via, request.call_id())))
}
