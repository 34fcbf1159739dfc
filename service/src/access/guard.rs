//! Stands before all methods of a listener.

use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, ready};
use http_body_util::{BodyExt, Full, Limited};
use metrics::counter;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::server::{TcpConnectInfo, UdsConnectInfo};
use tonic::{Code, Status};
use tower_layer::Layer;

use super::Role;
use super::method::{Needed, needed, of_operators};
use crate::audit::{self, Audit, Change, Question, Stage};
use crate::door::Visitor;
use crate::secure::Caller;
use crate::status;

/// Why somebody calls, in UTF-8: what every call takes, whether its request has a field `reason` or not.
const REASON: &str = "restante-reason-bin";

/// Octets of a reason.
const REASON_OCTETS_MAX: usize = 1024;

/// Octets of a request that is told of: as many as any method of operators takes.
const REQUEST_OCTETS_MAX: usize = 17 << 20;

/// Octets before a message on the wire: whether it is compressed, and its length.
const FRAME_HEAD_OCTETS: usize = 5;

/// Lets through what the caller may call, and has told what he changes or reads of contents.
#[derive(Clone, Debug)]
pub(crate) struct Guard(pub(crate) Audit);

/// A service behind it.
#[derive(Clone, Debug)]
pub(crate) struct Guarded<S> {
    inner: S,
    audit: Audit,
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            audit: self.0.clone(),
        }
    }
}

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<Self::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let extensions = request.extensions();
        let (path, caller) = (request.uri().path(), extensions.get::<Caller>());
        let checked = match extensions.get::<Visitor>() {
            Some(visitor) => check_visitor(path, visitor),
            None => check(path, caller),
        };
        let method = of_operators(path);
        let role = match needed(path) {
            Some(Needed::Role(role)) => Some(role).filter(|_| self.audit.is_kept()),
            _ => None,
        };
        let answer = match (checked, role, method) {
            (Ok(()), Some(role), _) if is_told(role) => {
                // The one that is ready; the next call gets the other.
                let other = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, other);
                told(self.audit.clone(), inner, request, role).boxed()
            }
            (Ok(()), _, None) => return Either::Left(self.inner.call(request)),
            (Ok(()), _, Some(_)) => self.inner.call(request).boxed(),
            (Err(refusal), Some(role), _) => {
                let question = Question::of(&self.audit, &request, role, None);
                refused(self.audit.clone(), question, refusal).boxed()
            }
            (Err(refusal), None, _) => ready(Ok(refusal.into_http())).boxed(),
        };
        let counted = answer.inspect(move |answer| {
            if let (Some(method), Ok(answer)) = (method, answer) {
                count(method, answer);
            }
        });
        Either::Right(counted.boxed())
    }
}

/// Tells of a call that is not let through.
async fn refused<E>(
    audit: Audit,
    question: Question,
    refusal: Box<Status>,
) -> Result<http::Response<Body>, E> {
    let line = question.line(Stage::Refused);
    let line = line.with_outcome(name(refusal.code()), refusal.message());
    // Nothing happens: where it cannot be told either, the log and readiness say so.
    let _ = audit.write(line).await;
    Ok(refusal.into_http())
}

/// Counts a call of an operator by what came of it. What fails within a stream that has begun counts as what it was when it
/// began.
fn count(method: &'static str, answer: &http::Response<Body>) {
    // Errors stand in the head of an answer without a body.
    let code = Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code());
    let result = match code {
        Code::Ok => "ok",
        Code::PermissionDenied | Code::Unauthenticated => "denied",
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange => "refused",
        _ => "failed",
    };
    counter!("restante_operator_calls_total", "method" => method, "result" => result).increment(1);
}

/// Whether what needs this role is told of.
fn is_told(role: Role) -> bool {
    matches!(role, Role::Operator | Role::BodyReader)
}

/// Carries out a call between its two lines.
async fn told<S>(
    audit: Audit,
    mut inner: S,
    request: http::Request<Body>,
    role: Role,
) -> Result<http::Response<Body>, S::Error>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
{
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, REQUEST_OCTETS_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            return Ok(Status::invalid_argument(format!("the request: {error}")).into_http());
        }
    };
    let body_again = Body::new(Full::new(body.clone()).map_err(|never| match never {}));
    let request = http::Request::from_parts(head, body_again);
    let question = Question::of(&audit, &request, role, Some(body));
    if question.reason.len() > REASON_OCTETS_MAX {
        let refusal = "a reason has at most 1,024 octets";
        return Ok(Status::invalid_argument(refusal).into_http());
    }
    if let Err(unwritten) = audit.write(question.line(Stage::Asked)).await {
        return Ok(unwritten.into_http());
    }
    let response = inner.call(request).await;
    let line = question.line(Stage::Answered);
    let written = match &response {
        Err(_) => {
            audit
                .write(line.with_outcome("UNKNOWN", "the call broke"))
                .await
        }
        Ok(response) => match Status::from_header_map(response.headers()) {
            Some(status) if status.code() != Code::Ok => {
                let line = line.with_outcome(name(status.code()), status.message());
                audit.write(line).await
            }
            _ => {
                let line = line.with_outcome(name(Code::Ok), "");
                let change = response.extensions().get::<Change>().cloned();
                let line = match change {
                    Some(change) => line.with_change(change),
                    None => line,
                };
                audit.write(line).await
            }
        },
    };
    // What was asked is on disk, and it has been done: the caller is told that. The log and readiness tell the rest.
    drop(written);
    response
}

impl Question {
    /// What is asked; `body` is what came with it, if that is looked at.
    fn of(audit: &Audit, request: &http::Request<Body>, role: Role, body: Option<Bytes>) -> Self {
        let path = request.uri().path();
        let message = body.filter(|body| body.len() >= FRAME_HEAD_OCTETS);
        let read = message.and_then(|mut body| {
            body.advance(FRAME_HEAD_OCTETS);
            audit::read(path, &body)
        });
        let (asked, in_field) = match read {
            Some((asked, reason)) => (Some(asked), reason),
            None => (None, String::new()),
        };
        let in_head = tonic::metadata::MetadataMap::from_headers(request.headers().clone());
        let in_head = in_head
            .get_bin(REASON)
            .and_then(|reason| reason.to_bytes().ok());
        let reason = in_head.map(|reason| String::from_utf8_lossy(&reason).into_owned());
        Self {
            call: audit.call(),
            who: who(request.extensions()),
            role: role.name(),
            verb: path.rsplit('/').next().unwrap_or_default().to_owned(),
            reason: reason.unwrap_or(in_field),
            request: asked,
        }
    }
}

/// Who is at the other end: all names of a certificate, the user of a local process, or an address.
fn who(extensions: &http::Extensions) -> String {
    if let Some(visitor) = extensions.get::<Visitor>() {
        return format!("{} in the console", visitor.name());
    }
    if let Some(caller) = extensions.get::<Caller>() {
        return format!("certificate of {} at {}", caller.names, caller.address.ip());
    }
    let remote = extensions.get::<TcpConnectInfo>();
    if let Some(address) = remote.and_then(TcpConnectInfo::remote_addr) {
        return format!("address {}", address.ip());
    }
    let local = extensions.get::<UdsConnectInfo>();
    match local.and_then(|info| info.peer_cred.as_ref()) {
        Some(user) => format!("uid {}", user.uid()),
        None => "unknown".to_owned(),
    }
}

/// The name of a code as the contract of gRPC writes it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Whether a method may be called; without a caller, who came without TLS.
fn check(path: &str, caller: Option<&Caller>) -> Result<(), Box<Status>> {
    let Some(needed) = needed(path) else {
        return Err(Box::new(Status::unimplemented("there is no such method")));
    };
    let (Needed::Role(role), Some(caller)) = (needed, caller) else {
        return Ok(());
    };
    if caller.roles.include(role) {
        return Ok(());
    }
    counter!("restante_grpc_refused_total", "role" => role.name()).increment(1);
    tracing::debug!(certificate = %caller.names, peer = %caller.address, path, %role, "gRPC call refused");
    Err(Box::new(status::role_missing(role, &caller.names)))
}

/// Whether somebody who has signed in to the console may call a method.
fn check_visitor(path: &str, visitor: &Visitor) -> Result<(), Box<Status>> {
    let Some(needed) = needed(path) else {
        return Err(Box::new(Status::unimplemented("there is no such method")));
    };
    match needed {
        Needed::Role(role) if !visitor.roles().include(role) => {
            counter!("restante_grpc_refused_total", "role" => role.name()).increment(1);
            tracing::debug!(visitor = visitor.name(), path, %role, "gRPC call of the console refused");
            Err(Box::new(status::role_not_signed_in(role)))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;
    use crate::access::Role;

    const HOLD: &str = "/restante.v1.OperatorService/HoldMessage";

    fn caller(names: &[&str], roles: &[Role]) -> Caller {
        Caller {
            address: ([127, 0, 0, 1], 1).into(),
            names: names.iter().collect(),
            roles: roles.iter().copied().collect(),
        }
    }

    #[test]
    fn refusal_says_which_role_is_needed() {
        let reader = caller(&["ops.example.org"], &[Role::Reader]);
        let status = check(HOLD, Some(&reader)).expect_err("a reader");
        assert_eq!(status.code(), Code::PermissionDenied);
        let info = status.get_details_error_info().expect("details");
        assert_eq!(info.reason, "ROLE_MISSING");
        assert_eq!(info.metadata["role"], "operator");
        assert_eq!(info.metadata["certificate"], "ops.example.org");
    }

    #[test]
    fn certificate_that_names_nobody_authenticates_nobody() {
        let status = check(HOLD, Some(&caller(&[], &[]))).expect_err("nobody");
        assert_eq!(status.code(), Code::Unauthenticated);
        let info = status.get_details_error_info().expect("details");
        assert_eq!(
            (info.reason.as_str(), info.metadata["role"].as_str()),
            ("NO_NAME", "operator")
        );
    }

    #[test]
    fn who_comes_without_tls_may_call_what_there_is() {
        assert!(check(HOLD, None).is_ok());
        let status = check("/restante.v1.OperatorService/New", None).expect_err("no method");
        assert_eq!(status.code(), Code::Unimplemented);
    }

    #[test]
    fn visitor_of_the_console_may_what_his_roles_allow_and_nothing_else() {
        const READ: &str = "/restante.v1.MailboxService/ReadContent";
        const LIST: &str = "/restante.v1.MailboxService/ListMessages";
        const DEPOSIT: &str = "/restante.v1.DepositService/Exchange";
        for (role, allowed) in [
            (Role::Reader, [true, false, false, false]),
            (Role::Operator, [true, true, false, false]),
            (Role::BodyReader, [true, false, true, false]),
        ] {
            let visitor = Visitor::new("operator at 127.0.0.1".to_owned(), &[role]);
            let may = [LIST, HOLD, READ, DEPOSIT].map(|path| check_visitor(path, &visitor).is_ok());
            assert_eq!(may, allowed, "{role}");
        }
        let visitor = Visitor::new(String::new(), &[Role::Reader]);
        let status = check_visitor(HOLD, &visitor).expect_err("a reader");
        assert_eq!(status.code(), Code::PermissionDenied);
        let info = status.get_details_error_info().expect("details");
        assert_eq!(
            (info.reason.as_str(), info.metadata["role"].as_str()),
            ("ROLE_MISSING", "operator")
        );
    }

    #[test]
    fn health_needs_a_certificate_and_no_role() {
        let nobody = caller(&["x.example.org"], &[]);
        assert!(check("/grpc.health.v1.Health/Check", Some(&nobody)).is_ok());
        assert!(check(HOLD, Some(&nobody)).is_err());
    }
}
