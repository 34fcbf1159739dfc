//! Stands before all methods of a listener.

use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, ready};
use metrics::counter;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::{Code, Status};
use tower_layer::Layer;

use super::method::{Needed, needed, of_operators};
use crate::secure::Caller;
use crate::status;

/// Lets through what the caller may call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Guard;

/// A service behind it.
#[derive(Clone, Debug)]
pub(crate) struct Guarded<S>(S);

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded(inner)
    }
}

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<Self::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let caller = request.extensions().get::<Caller>();
        let method = of_operators(request.uri().path());
        let answer = match (check(request.uri().path(), caller), method) {
            (Ok(()), None) => return Either::Left(self.0.call(request)),
            (Ok(()), Some(_)) => Either::Left(self.0.call(request)),
            (Err(status), _) => Either::Right(ready(Ok(status.into_http()))),
        };
        let counted = answer.inspect(move |answer| {
            if let (Some(method), Ok(answer)) = (method, answer) {
                count(method, answer);
            }
        });
        Either::Right(counted.boxed())
    }
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
    fn health_needs_a_certificate_and_no_role() {
        let nobody = caller(&["x.example.org"], &[]);
        assert!(check("/grpc.health.v1.Health/Check", Some(&nobody)).is_ok());
        assert!(check(HOLD, Some(&nobody)).is_err());
    }
}
