//! Where the operators' console of this process comes in: tokens by which people sign in to it, and connections to the
//! operators' services in their names.
//!
//! A token is asked for over gRPC (`ConsoleService`), carries who asked and what he may do, lives for a minute and works
//! once. Whoever shows it becomes a [`Visitor`], whose connections go through the same guard as all others.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proto::v1;
use proto::v1::console_service_server::ConsoleService;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use subtle::ConstantTimeEq as _;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};

use crate::access::{Granted, Role};
use crate::audit::{Audit, Change};
use crate::connection::Connection;
use crate::operator::actor;
use crate::secure::Caller;
use crate::{convert, status};

/// How long a token waits to be used.
const TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// Tokens that wait to be used, and of them those that one caller has asked for: nobody keeps others out.
const MAX_TOKENS: usize = 64;
const MAX_TOKENS_EACH: usize = 8;

/// Random octets of a token.
const TOKEN_OCTETS: usize = 32;

/// Connections that wait to be served.
const MAX_WAITING: usize = 16;

/// Octets that may be on their way in each direction of a connection.
const CONNECTION_OCTETS: usize = 64 << 10;

/// Somebody who has signed in to the console.
#[derive(Clone, Debug)]
pub struct Visitor {
    name: Arc<str>,
    roles: Granted,
}

impl Visitor {
    pub(crate) fn new(name: String, roles: &[Role]) -> Self {
        Self {
            name: name.into(),
            roles: roles.iter().copied().collect(),
        }
    }

    /// Who asked for his token, as he stands in timelines.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether he may change what is stored.
    #[must_use]
    pub fn may_change(&self) -> bool {
        self.roles.include(Role::Operator)
    }

    /// Whether he may read contents.
    #[must_use]
    pub fn may_read_contents(&self) -> bool {
        self.roles.include(Role::BodyReader)
    }

    pub(crate) fn roles(&self) -> &Granted {
        &self.roles
    }
}

/// A connection of a visitor.
pub(crate) type Visit = Connection<DuplexStream, Visitor>;

/// The connections of visitors, for the server.
pub(crate) type Visits = mpsc::Receiver<Visit>;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Door(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Where browsers find the console; not there until it is open.
    url: OnceLock<String>,
    tokens: Mutex<Vec<Token>>,
    audit: Audit,
    visits: mpsc::Sender<Visit>,
}

#[derive(Debug)]
struct Token {
    secret: [u8; TOKEN_OCTETS],
    ends_at: Instant,
    visitor: Visitor,
}

impl Door {
    /// `audit` is told who goes in and out.
    pub(crate) fn new(audit: Audit) -> (Self, Visits) {
        let (visits, receiver) = mpsc::channel(MAX_WAITING);
        let inner = Inner {
            url: OnceLock::new(),
            tokens: Mutex::default(),
            audit,
            visits,
        };
        (Self(Arc::new(inner)), receiver)
    }

    /// From now on tokens are given out, for a console that browsers find at this URL.
    pub fn open(&self, url: String) {
        // The first opening counts: there is one console.
        let _ = self.0.url.set(url);
    }

    /// Who a token stands for; none if there is no such token any more. It works only once.
    ///
    /// # Errors
    /// UNAVAILABLE if it cannot be told in the audit log. The token is used up all the same.
    pub async fn redeem(&self, token: &str) -> Result<Option<Visitor>, Status> {
        let Some(visitor) = self.take(token) else {
            return Ok(None);
        };
        let audit = &self.0.audit;
        let told = audit.write_visit("SignIn", &visitor.name, Some(visitor.roles.all()));
        told.await?;
        Ok(Some(visitor))
    }

    /// Tells that a visitor of this name has signed out.
    pub async fn leave(&self, name: &str) {
        // He is out: where it cannot be told, the log and readiness say so.
        let _ = self.0.audit.write_visit("SignOut", name, None).await;
    }

    fn take(&self, token: &str) -> Option<Visitor> {
        let shown = URL_SAFE_NO_PAD.decode(token).ok()?;
        let mut tokens = self.tokens();
        let at = tokens
            .iter()
            .position(|token| bool::from(token.secret.ct_eq(&shown)))?;
        Some(tokens.swap_remove(at).visitor)
    }

    /// A connection to the operators' services in the name of a visitor.
    ///
    /// # Errors
    /// When too many are waiting to be served, or the service has ended.
    pub fn connect(&self, visitor: &Visitor) -> io::Result<DuplexStream> {
        let (stream, far) = tokio::io::duplex(CONNECTION_OCTETS);
        let visit = Visit::new(far, visitor.clone());
        let sent = self.0.visits.try_send(visit);
        sent.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(stream)
    }

    /// The tokens whose time is not over.
    fn tokens(&self) -> MutexGuard<'_, Vec<Token>> {
        let mut tokens = self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        tokens.retain(|token| token.ends_at > now);
        tokens
    }

    fn issue(&self, visitor: Visitor) -> Result<String, Status> {
        let mut secret = [0; TOKEN_OCTETS];
        if let Err(error) = OsRng.try_fill_bytes(&mut secret) {
            return Err(Status::internal(format!("no randomness: {error}")));
        }
        let mut tokens = self.tokens();
        let own = |token: &&Token| token.visitor.name == visitor.name;
        let is_full = tokens.len() >= MAX_TOKENS;
        if is_full || tokens.iter().filter(own).count() >= MAX_TOKENS_EACH {
            let message = match is_full {
                true => "too many tokens wait to be used; they live for a minute",
                false => "too many tokens of yours wait to be used; they live for a minute",
            };
            let code = Code::ResourceExhausted;
            return Err(status::with_reason(code, "TOO_MANY_TOKENS", message));
        }
        tokens.push(Token {
            secret,
            ends_at: Instant::now() + TOKEN_LIFETIME,
            visitor,
        });
        Ok(URL_SAFE_NO_PAD.encode(secret))
    }
}

#[tonic::async_trait]
impl ConsoleService for Door {
    async fn create_sign_in(
        &self,
        request: Request<v1::CreateSignInRequest>,
    ) -> Result<Response<v1::CreateSignInReply>, Status> {
        if request.extensions().get::<Visitor>().is_some() {
            // A session would never end that can make its successor.
            let message = "who has signed in to the console by a token gets no further one there";
            let code = Code::PermissionDenied;
            return Err(status::with_reason(code, "FROM_CONSOLE", message));
        }
        let Some(url) = self.0.url.get() else {
            let message = "there is no console: console.listen is off";
            let code = Code::FailedPrecondition;
            return Err(status::with_reason(code, "NO_CONSOLE", message));
        };
        let roles = granted(&request)?;
        let actor = actor(&request);
        let token = self.issue(Visitor::new(actor, &roles))?;
        let expires_at = prost_types::Timestamp::from(SystemTime::now() + TOKEN_LIFETIME);
        let change = Change::of_roles(&roles);
        let mut response = Response::new(v1::CreateSignInReply {
            url: format!("{url}/sign-in#{token}"),
            token,
            expires_at: Some(expires_at),
            roles: roles
                .into_iter()
                .map(console_role)
                .map(Into::into)
                .collect(),
        });
        response.extensions_mut().insert(change);
        Ok(response)
    }
}

/// The roles that a caller asks for and has; all he has, if he asks for none.
fn granted(request: &Request<v1::CreateSignInRequest>) -> Result<Vec<Role>, Status> {
    let caller = request.extensions().get::<Caller>();
    let has = |role| caller.is_none_or(|caller| caller.roles.include(role));
    let asked = &request.get_ref().roles;
    if asked.is_empty() {
        let all = Role::OF_PEOPLE.into_iter();
        return Ok(all.filter(|role| has(*role)).collect());
    }
    let asked: Option<Vec<Role>> = asked.iter().map(|number| role(*number)).collect();
    let asked = asked.ok_or_else(|| convert::invalid("there is no such role of the console"))?;
    let missing = asked.iter().find(|role| !has(**role));
    match (missing, caller) {
        (Some(role), Some(caller)) => Err(status::role_missing(*role, &caller.names)),
        _ => Ok(asked),
    }
}

/// The role with this number in the contract.
fn role(number: i32) -> Option<Role> {
    match v1::ConsoleRole::try_from(number).ok()? {
        v1::ConsoleRole::Unspecified => None,
        v1::ConsoleRole::Reader => Some(Role::Reader),
        v1::ConsoleRole::Operator => Some(Role::Operator),
        v1::ConsoleRole::BodyReader => Some(Role::BodyReader),
    }
}

fn console_role(role: Role) -> v1::ConsoleRole {
    match role {
        Role::Edge => v1::ConsoleRole::Unspecified,
        Role::Reader => v1::ConsoleRole::Reader,
        Role::Operator => v1::ConsoleRole::Operator,
        Role::BodyReader => v1::ConsoleRole::BodyReader,
    }
}

#[cfg(test)]
mod tests {
    use daemon::readiness::Readiness;
    use tokio::time::advance;

    use super::*;

    fn caller(roles: &[Role]) -> Caller {
        Caller {
            address: ([127, 0, 0, 1], 1).into(),
            names: ["ops.example.org"].iter().collect(),
            roles: roles.iter().copied().collect(),
        }
    }

    fn asked(
        roles: &[v1::ConsoleRole],
        caller: Option<Caller>,
    ) -> Request<v1::CreateSignInRequest> {
        let roles = roles.iter().map(|role| i32::from(*role)).collect();
        let mut request = Request::new(v1::CreateSignInRequest { roles });
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        request
    }

    fn open() -> (Door, Visits) {
        let (door, visits) = Door::new(Audit::off());
        door.open("http://127.0.0.1:9403".to_owned());
        (door, visits)
    }

    async fn sign_in(door: &Door) -> String {
        let reply = door.create_sign_in(asked(&[], None)).await;
        reply.expect("an open door").into_inner().token
    }

    async fn redeem(door: &Door, token: &str) -> Option<Visitor> {
        door.redeem(token).await.expect("no log is kept")
    }

    /// Somebody else than all with other numbers.
    fn operator(number: usize) -> Caller {
        Caller {
            names: [format!("ops{number}.example.org")].iter().collect(),
            ..caller(&[Role::Operator])
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_works_once_and_for_a_minute() {
        let (door, _visits) = open();
        let token = sign_in(&door).await;
        assert!(redeem(&door, "").await.is_none());
        assert!(redeem(&door, &token[1..]).await.is_none());
        let visitor = redeem(&door, &token).await.expect("a good token");
        assert_eq!(visitor.name(), "operator");
        assert!(visitor.may_change() && visitor.may_read_contents());
        assert!(redeem(&door, &token).await.is_none(), "used");

        let late = sign_in(&door).await;
        advance(TOKEN_LIFETIME).await;
        assert!(redeem(&door, &late).await.is_none(), "too late");
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_wait_are_bounded() {
        let (door, _visits) = open();
        let ask = async |number| {
            let asked = asked(&[], Some(operator(number)));
            let reply = door.create_sign_in(asked).await;
            reply.map_err(|status| status.code()).err()
        };
        let (full, one_too_many) = (Some(Code::ResourceExhausted), MAX_TOKENS / MAX_TOKENS_EACH);
        for number in 0..one_too_many {
            for _ in 0..MAX_TOKENS_EACH {
                assert_eq!(ask(number).await, None);
            }
            assert_eq!(ask(number).await, full, "of one caller");
        }
        assert_eq!(ask(one_too_many).await, full, "of all");
        advance(TOKEN_LIFETIME).await;
        assert_eq!(ask(one_too_many).await, None);
    }

    #[tokio::test]
    async fn roles_that_are_not_known_are_refused_and_give_none() {
        let (door, _visits) = open();
        for roles in [&[0][..], &[77], &[1, 0], &[77, 2]] {
            let roles = roles.to_vec();
            let request = Request::new(v1::CreateSignInRequest { roles });
            let refused = door.create_sign_in(request).await;
            let code = refused.expect_err("no such role").code();
            assert_eq!(code, Code::InvalidArgument);
        }
        assert!(door.tokens().is_empty());
    }

    #[tokio::test]
    async fn who_goes_in_and_out_is_told_and_nobody_goes_in_untold() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = |path: &std::path::Path| {
            let condition = Readiness::new().condition("audit");
            let clock = Arc::new(storage::model::SystemClock);
            Audit::open(path, clock, condition).expect("a file")
        };
        let path = folder.path().join("audit.jsonl");
        let (door, _visits) = Door::new(kept(&path));
        door.open("http://127.0.0.1:9403".to_owned());
        let request = asked(&[v1::ConsoleRole::Operator], None);
        let reply = door.create_sign_in(request).await.expect("an open door");
        assert!(reply.extensions().get::<Change>().is_some());
        assert!(redeem(&door, "AAAA").await.is_none());
        let visitor = redeem(&door, &reply.get_ref().token).await;
        door.leave(visitor.expect("a good token").name()).await;
        let told = std::fs::read_to_string(&path).expect("there");
        let told: Vec<serde_json::Value> = told
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let verbs: Vec<_> = told.iter().map(|line| &line["verb"]).collect();
        assert_eq!(verbs, ["SignIn", "SignOut"]);
        assert_eq!(told[0]["who"], "operator in the console");
        assert_eq!(told[0]["after"]["roles"][0], "operator");

        let (door, _visits) = Door::new(kept(std::path::Path::new("/dev/full")));
        door.open("http://127.0.0.1:9403".to_owned());
        let token = sign_in(&door).await;
        let refused = door.redeem(&token).await.expect_err("not told");
        assert_eq!(refused.code(), Code::Unavailable);
    }

    #[tokio::test]
    async fn nobody_gets_more_than_he_has_and_everybody_may_ask_for_less() {
        use v1::ConsoleRole::{BodyReader, Operator, Reader};
        let (door, _visits) = open();
        for (has, asks, gets) in [
            (Some(&[Role::Operator][..]), &[][..], Some((true, false))),
            (Some(&[Role::Operator]), &[Reader], Some((false, false))),
            (Some(&[Role::Reader]), &[], Some((false, false))),
            (Some(&[Role::Reader]), &[Operator], None),
            (Some(&[Role::Operator]), &[Operator, BodyReader], None),
            (Some(&[Role::Edge]), &[], Some((false, false))),
            (None, &[], Some((true, true))),
            (None, &[BodyReader], Some((false, true))),
        ] {
            let reply = door.create_sign_in(asked(asks, has.map(caller))).await;
            let reply = reply.map(Response::into_inner);
            let code = reply.as_ref().err().map(Status::code);
            assert_eq!(code.is_none(), gets.is_some(), "{has:?} {asks:?}");
            assert!(code.is_none_or(|code| code == Code::PermissionDenied));
            let visitor = match reply {
                Ok(reply) => redeem(&door, &reply.token).await,
                Err(_) => None,
            };
            let may = visitor.map(|who| (who.may_change(), who.may_read_contents()));
            assert_eq!(may, gets, "{has:?} {asks:?}");
        }
    }

    #[tokio::test]
    async fn the_console_gets_no_tokens_and_nobody_while_there_is_none() {
        let (door, _visits) = Door::new(Audit::off());
        let closed = door.create_sign_in(asked(&[], None)).await;
        let code = closed.expect_err("there is no console").code();
        assert_eq!(code, Code::FailedPrecondition);

        let (door, _visits) = open();
        let mut request = asked(&[], None);
        let visitor = Visitor::new("operator".to_owned(), &Role::OF_PEOPLE);
        request.extensions_mut().insert(visitor);
        let refused = door.create_sign_in(request).await;
        let code = refused.expect_err("the console itself").code();
        assert_eq!(code, Code::PermissionDenied);
    }
}
