//! Stands before all methods of a listener.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, ready};
use http_body_util::{BodyExt, Full, Limited};
use metrics::counter;
use serde_json::Value as Json;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::server::{TcpConnectInfo, UdsConnectInfo};
use tonic::{Code, Status};
use tower_layer::Layer;

use super::Role;
use super::method::{Needed, is_told, needed, of_operators};
use crate::audit::{self, Audit, Change, Ending, Question, Stage};
use crate::convert;
use crate::door::Visitor;
use crate::secure::Caller;
use crate::status::{self, name};

/// Why somebody calls, in UTF-8: what every call takes, whether its request has a field `reason` or not.
const REASON: &str = "restante-reason-bin";

/// Octets of a request that is told of: as many as any method of operators takes.
const REQUEST_OCTETS_MAX: usize = 17 << 20;

/// Octets before a message on the wire: whether it is compressed, and its length.
const FRAME_HEAD_OCTETS: usize = 5;

/// Lets through what the caller may call, and has told what he changes or reads of contents.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    audit: Audit,
    calls: TaskTracker,
}

impl Guard {
    /// `calls` tracks those that go on though their caller has hung up.
    pub(crate) fn new(audit: Audit, calls: TaskTracker) -> Self {
        Self { audit, calls }
    }
}

/// A service behind it.
#[derive(Clone, Debug)]
pub(crate) struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            guard: self.clone(),
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
            Some(Needed::Role(role)) => Some(role),
            _ => None,
        };
        let audit = self.guard.audit.clone();
        let answer = match (checked, role, method) {
            (Ok(()), Some(role), _) if is_told(path, role) => {
                // The one that is ready; the next call gets the other.
                let other = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, other);
                let call = async move {
                    match audit.is_kept() {
                        true => told(audit, inner, request, role).await,
                        false => inner.call(request).await,
                    }
                };
                to_its_end(&self.guard.calls, call.boxed()).boxed()
            }
            (Ok(()), _, None) => return Either::Left(self.inner.call(request)),
            (Ok(()), _, Some(_)) => self.inner.call(request).boxed(),
            (Err(refusal), role, _) => match role.zip(audit.next_refusal()) {
                Some((role, untold)) => {
                    let question = Question::of(&audit, &request, role, None);
                    refused(audit, question, refusal, untold).boxed()
                }
                None => ready(Ok(refusal.into_http())).boxed(),
            },
        };
        let counted = answer.inspect(move |answer| {
            if let (Some(method), Ok(answer)) = (method, answer) {
                count(method, answer);
            }
        });
        Either::Right(counted.boxed())
    }
}

/// Carries a call out whatever becomes of its caller: he may hang up, or not wait any longer, when it is half done.
fn to_its_end<E: Send + 'static>(
    calls: &TaskTracker,
    call: BoxFuture<'static, Result<http::Response<Body>, E>>,
) -> impl Future<Output = Result<http::Response<Body>, E>> + Send + use<E> {
    let carried_out = calls.spawn(call);
    async move {
        let broken = |_| Ok(Status::internal("the call broke").into_http());
        carried_out.await.unwrap_or_else(broken)
    }
}

/// Tells of a call that is not let through, and of how many before it nothing was told.
async fn refused<E>(
    audit: Audit,
    question: Question,
    refusal: Box<Status>,
    untold: u64,
) -> Result<http::Response<Body>, E> {
    let line = question.line(Stage::Refused).with_untold(untold);
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
    let (mut request, asked) = match looked_at(request).await {
        Ok(looked_at) => looked_at,
        Err(refusal) => return Ok(refusal.into_http()),
    };
    let question = Arc::new(Question::of(&audit, &request, role, asked));
    let ending = Ending::new(audit.clone(), Arc::clone(&question));
    request.extensions_mut().insert(ending);
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

/// What a request says: its fields without the reason, and its reason.
type Asked = (Json, String);

/// The request again, and what it says; of a stream nothing.
///
/// What is told must be what is carried out: what is not exactly one message that the contract knows is refused, and so is a
/// reason that is too long to be told.
async fn looked_at(
    request: http::Request<Body>,
) -> Result<(http::Request<Body>, Option<Asked>), Status> {
    convert::check_reason(&reason_in_head(&request).unwrap_or_default())?;
    if audit::is_streamed(request.uri().path()) {
        return Ok((request, None));
    }
    let (head, body) = request.into_parts();
    let body = Limited::new(body, REQUEST_OCTETS_MAX).collect().await;
    let body = body.map_err(|error| Status::invalid_argument(format!("the request: {error}")))?;
    let body = body.to_bytes();
    let asked = one_message(&body).and_then(|message| audit::read(head.uri.path(), message));
    let Some(asked) = asked else {
        let refusal =
            "the request is not one message, uncompressed, of the kind that the method takes";
        return Err(Status::invalid_argument(refusal));
    };
    convert::check_reason(&asked.1)?;
    let body = Body::new(Full::new(body).map_err(|never| match never {}));
    Ok((http::Request::from_parts(head, body), Some(asked)))
}

/// The message of a body that is one frame, which is not compressed.
fn one_message(body: &[u8]) -> Option<&[u8]> {
    let (mut head, message) = body.split_at_checked(FRAME_HEAD_OCTETS)?;
    let is_compressed = head.get_u8() != 0;
    let length = usize::try_from(head.get_u32()).ok()?;
    (!is_compressed && length == message.len()).then_some(message)
}

fn reason_in_head(request: &http::Request<Body>) -> Option<String> {
    // The decoder takes nothing else; there are few.
    let metadata = tonic::metadata::MetadataMap::from_headers(request.headers().clone());
    let reason = metadata.get_bin(REASON)?.to_bytes().ok()?;
    Some(String::from_utf8_lossy(&reason).into_owned())
}

impl Question {
    /// What is asked; `asked` is what the request says, if that is looked at. Where the metadata and the request give
    /// different reasons both are told.
    fn of(audit: &Audit, request: &http::Request<Body>, role: Role, asked: Option<Asked>) -> Self {
        let path = request.uri().path();
        let (mut asked, in_field) = match asked {
            Some((asked, reason)) => (Some(asked), reason),
            None => (None, String::new()),
        };
        let reason = reason_in_head(request);
        if let Some(Json::Object(fields)) = &mut asked
            && reason.as_ref().is_some_and(|reason| *reason != in_field)
            && !in_field.is_empty()
        {
            fields.insert("reason".to_owned(), audit::cut(&in_field).into());
        }
        Self {
            call: audit.call(),
            who: who(request.extensions()),
            role: role.name(),
            verb: path.rsplit('/').next().unwrap_or_default().to_owned(),
            reason: audit::cut(&reason.unwrap_or(in_field)).to_owned(),
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
    use std::path::Path;

    use bytes::{BufMut, Bytes, BytesMut};
    use daemon::readiness::Readiness;
    use prost::Message;
    use proto::v1;
    use storage::model::SystemClock;
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;
    use crate::access::Role;

    const HOLD: &str = "/restante.v1.OperatorService/HoldMessage";

    /// What is behind the guard: says when it is called and when it has come to its end, and goes on when it is let.
    #[derive(Clone)]
    struct Inner {
        told: tokio::sync::mpsc::UnboundedSender<&'static str>,
        let_go: Arc<tokio::sync::Semaphore>,
    }

    impl Service<http::Request<Body>> for Inner {
        type Response = http::Response<Body>;
        type Error = std::convert::Infallible;
        type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            let inner = self.clone();
            let told = move |what| inner.told.send(what).expect("a test that listens");
            told("called");
            let let_go = Arc::clone(&self.let_go);
            async move {
                let_go.acquire().await.expect("open").forget();
                told("done");
                Ok(http::Response::new(Body::empty()))
            }
            .boxed()
        }
    }

    /// A guard with that behind it, which is let go so many times.
    fn guarded(
        audit: Audit,
        times: usize,
    ) -> (
        Guarded<Inner>,
        tokio::sync::mpsc::UnboundedReceiver<&'static str>,
        Arc<tokio::sync::Semaphore>,
    ) {
        let (told, heard) = tokio::sync::mpsc::unbounded_channel();
        let let_go = Arc::new(tokio::sync::Semaphore::new(times));
        let inner = Inner {
            told,
            let_go: Arc::clone(&let_go),
        };
        let guard = Guard::new(audit, TaskTracker::new());
        (guard.layer(inner), heard, let_go)
    }

    fn kept(path: &Path) -> Audit {
        let condition = Readiness::new().condition("audit");
        Audit::open(path, Arc::new(SystemClock), condition).expect("a file")
    }

    fn told(path: &Path) -> Vec<Json> {
        let text = std::fs::read_to_string(path).expect("an audit log");
        let line = |line| serde_json::from_str(line).expect("JSON");
        text.lines().map(line).collect()
    }

    /// Frames as they travel.
    fn frames(messages: &[&[u8]]) -> Vec<u8> {
        let mut octets = BytesMut::new();
        for message in messages {
            octets.put_u8(0);
            octets.put_u32(u32::try_from(message.len()).expect("little"));
            octets.put_slice(message);
        }
        octets.to_vec()
    }

    fn order(reason: &str) -> Vec<u8> {
        let order = v1::MessageOrder {
            message_id: "17@store.example.org".to_owned(),
            reason: reason.to_owned(),
            deliver_after: None,
        };
        order.encode_to_vec()
    }

    fn request(path: &str, body: Vec<u8>) -> http::Request<Body> {
        let body = Body::new(Full::new(Bytes::from(body)).map_err(|never| match never {}));
        let request = http::Request::builder().uri(path);
        request.body(body).expect("a request")
    }

    fn because(mut request: http::Request<Body>, reason: &str) -> http::Request<Body> {
        let mut metadata = tonic::metadata::MetadataMap::new();
        let value = tonic::metadata::MetadataValue::from_bytes(reason.as_bytes());
        metadata.insert_bin(REASON, value);
        request.headers_mut().extend(metadata.into_headers());
        request
    }

    fn code(response: &http::Response<Body>) -> Code {
        Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code())
    }

    #[tokio::test]
    async fn what_is_told_is_what_is_carried_out_or_nothing_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let (mut guarded, mut heard, _let_go) = guarded(kept(&path), 1);
        let whole = frames(&[&order("")]);
        let cut = whole[..whole.len() - 1].to_vec();
        let mut compressed = whole.clone();
        compressed[0] = 1;
        for body in [
            frames(&[&order(""), b""]),
            frames(&[&order(""), &order("")]),
            frames(&[b"\xff"]),
            frames(&[&order(&"a".repeat(1_025))]),
            Vec::new(),
            cut,
            compressed,
        ] {
            let Ok(refused) = guarded.call(request(HOLD, body)).await;
            assert_eq!(code(&refused), Code::InvalidArgument);
        }
        let long = because(request(HOLD, whole.clone()), &"é".repeat(513));
        let Ok(refused) = guarded.call(long).await;
        assert_eq!(code(&refused), Code::InvalidArgument);
        assert!(heard.try_recv().is_err(), "nothing was carried out");
        assert!(told(&path).is_empty());

        let Ok(done) = guarded.call(request(HOLD, whole)).await;
        assert_eq!(code(&done), Code::Ok);
        let lines = told(&path);
        assert_eq!(lines.len(), 2);
        assert!(
            lines
                .iter()
                .all(|line| line["request"]["message_id"] == "17@store.example.org")
        );
    }

    #[tokio::test]
    async fn two_different_reasons_are_both_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let (mut guarded, _heard, _let_go) = guarded(kept(&path), 3);
        for (field, head) in [("one", Some("other")), ("one", Some("one")), ("one", None)] {
            let request = request(HOLD, frames(&[&order(field)]));
            let request = match head {
                Some(head) => because(request, head),
                None => request,
            };
            let Ok(_) = guarded.call(request).await;
        }
        let lines = told(&path);
        let reasons: Vec<_> = lines
            .iter()
            .step_by(2)
            .map(|line| (line["reason"].as_str(), line["request"]["reason"].as_str()))
            .collect();
        assert_eq!(
            reasons,
            [
                (Some("other"), Some("one")),
                (Some("one"), None),
                (Some("one"), None)
            ]
        );
    }

    #[tokio::test]
    async fn a_change_comes_to_its_end_though_its_caller_hangs_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        for audit in [kept(&path), Audit::off()] {
            let (mut guarded, mut heard, let_go) = guarded(audit, 0);
            let mut call = guarded.call(request(HOLD, frames(&[&order("")])));
            tokio::select! {
                _ = &mut call => panic!("it is not let go"),
                called = heard.recv() => assert_eq!(called, Some("called")),
            }
            drop(call);
            let_go.add_permits(1);
            assert_eq!(heard.recv().await, Some("done"));
            let calls = guarded.guard.calls.clone();
            calls.close();
            calls.wait().await;
        }
        let stages: Vec<_> = told(&path)
            .iter()
            .map(|line| line["stage"].clone())
            .collect();
        assert_eq!(stages, ["asked", "answered"]);
    }

    #[tokio::test]
    async fn refusals_do_not_fill_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let (mut guarded, _heard, _let_go) = guarded(kept(&path), 0);
        // Whether one is told is decided when it comes, not when it is on disk.
        let mut calls = Vec::new();
        for _ in 0..50 {
            let mut call = because(request(HOLD, Vec::new()), &"a".repeat(8_000));
            let reader = caller(&["r.example.org"], &[Role::Reader]);
            call.extensions_mut().insert(reader);
            calls.push(guarded.call(call));
        }
        for call in calls {
            let Ok(refused) = call.await;
            assert_eq!(code(&refused), Code::PermissionDenied);
        }
        let lines = told(&path);
        assert!((10..=20).contains(&lines.len()), "{}", lines.len());
        assert!(
            lines
                .iter()
                .all(|line| line["reason"].as_str().map(str::len) == Some(1_024))
        );
    }

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
