//! Suspended deliveries, as those who begin deliveries see them: in memory, and in the store before that.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use proto::v1;
use proto::v1::{cancel_suspension_request, suspend_deliveries_request, suspension};
use storage::model::{Address, Clock, MailboxId, Suspended, Suspension, UnixMillis};
use storage::{Store, StoreError};
use tokio::sync::Mutex;
use tonic::{Code, Status};

use crate::{convert, status};

/// For how long, if nothing is said: a suspension that is forgotten does little harm.
const DEFAULT_DURATION: Duration = Duration::from_secs(5 * 60);

/// The longest.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The suspensions of the store; clones share them.
#[derive(Clone)]
pub(crate) struct Suspensions {
    all: Arc<RwLock<Arc<[Suspension]>>>,
    /// Held from a change of the store until it is seen here, so that of two changes the later one is seen last.
    changes: Arc<Mutex<()>>,
    clock: Arc<dyn Clock>,
}

impl Suspensions {
    /// Those that the store has.
    pub(crate) async fn load<S: Store>(
        store: &S,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let all = store.suspensions().await?.into();
        let all = Arc::new(RwLock::new(all));
        Ok(Self {
            all,
            changes: Arc::default(),
            clock,
        })
    }

    /// Those that have not ended, ordered by target.
    pub(crate) fn live(&self) -> Vec<Suspension> {
        let now = self.clock.now();
        let all = self.all();
        all.iter().filter(|one| one.until > now).cloned().collect()
    }

    /// That of an account, or of its domain.
    pub(crate) fn of(&self, account: &Address) -> Option<Suspension> {
        let now = self.clock.now();
        let domain = domain(account);
        let concerns = |one: &&Suspension| match &one.target {
            Suspended::User(user) => user == account,
            Suspended::Domain(suspended) => domain.as_deref() == Some(suspended),
        };
        let all = self.all();
        let live = all.iter().filter(|one| one.until > now);
        live.filter(concerns).max_by_key(|one| one.until).cloned()
    }

    /// The same by a mailbox. Asks the store only while there are suspensions.
    pub(crate) async fn of_mailbox<S: Store>(
        &self,
        store: &S,
        mailbox: MailboxId,
    ) -> Result<Option<Suspension>, StoreError> {
        if self.all().is_empty() {
            return Ok(None);
        }
        Ok(self.of(&store.account(mailbox).await?))
    }

    /// How long it goes on.
    pub(crate) fn left(&self, suspension: &Suspension) -> Duration {
        let left = suspension.until.0.saturating_sub(self.clock.now().0);
        Duration::from_millis(left.max(1))
    }

    /// Begins one, for whoever `actor` is.
    pub(crate) async fn suspend<S: Store>(
        &self,
        store: &S,
        request: v1::SuspendDeliveriesRequest,
        actor: String,
    ) -> Result<Suspension, Status> {
        use suspend_deliveries_request::Target::{Domain, ServedUser};
        let target = match request.target {
            Some(ServedUser(user)) => self.account(store, user).await?,
            Some(Domain(domain)) => of_domain(&domain)?,
            None => return Err(convert::invalid("a user or a domain is to be named")),
        };
        let duration = match request.duration {
            None => DEFAULT_DURATION,
            Some(duration) => Duration::try_from(duration).unwrap_or_default(),
        };
        if duration.is_zero() || duration > LONGEST {
            return Err(convert::invalid(
                "the duration is at least 1 ms and at most 30 days",
            ));
        }
        let reason = convert::reason(request.reason)?;
        let since = self.clock.now();
        let suspension = Suspension {
            target,
            since,
            until: since.after(duration),
            actor,
            reason,
        };
        let _change = self.changes.lock().await;
        let suspended = store.suspend(suspension.clone()).await;
        suspended.map_err(|error| status::of_store(&error))?;
        self.reload(store).await?;
        Ok(suspension)
    }

    /// Ends one before its time.
    pub(crate) async fn cancel<S: Store>(
        &self,
        store: &S,
        request: v1::CancelSuspensionRequest,
    ) -> Result<Suspension, Status> {
        use cancel_suspension_request::Target::{Domain, ServedUser};
        let target = match request.target {
            Some(ServedUser(user)) => self.account(store, user).await?,
            Some(Domain(domain)) => of_domain(&domain)?,
            None => return Err(convert::invalid("a user or a domain is to be named")),
        };
        let _change = self.changes.lock().await;
        let ended = store.cancel_suspension(target).await;
        let ended = ended.map_err(|error| status::of_store(&error))?;
        self.reload(store).await?;
        let ended = ended.ok_or_else(|| Status::not_found("there is no such suspension"))?;
        Ok(ended.into_inner())
    }

    /// Sees what the store has after an erasure, which takes a user's suspension with it.
    pub(crate) async fn refresh<S: Store>(&self, store: &S) -> Result<(), Status> {
        let _change = self.changes.lock().await;
        self.reload(store).await
    }

    /// Sees what the store has; only for whoever holds `changes`.
    async fn reload<S: Store>(&self, store: &S) -> Result<(), Status> {
        let all = store.suspensions().await;
        let all = all.map_err(|error| status::of_store(&error))?;
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = all.into();
        Ok(())
    }

    /// The account of an address; who has none yet is suspended by this address.
    async fn account<S: Store>(&self, store: &S, user: String) -> Result<Suspended, Status> {
        let user = convert::named(user)?;
        let found = async {
            match store.mailbox(user.clone()).await? {
                Some(mailbox) => store.account(mailbox).await,
                None => Ok(user),
            }
        };
        let account = found.await.map_err(|error| status::of_store(&error))?;
        Ok(Suspended::User(account))
    }

    fn all(&self) -> Arc<[Suspension]> {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The domain of an address, in lower case; none of a number.
fn domain(address: &Address) -> Option<String> {
    let (_, domain) = address.as_str().rsplit_once('@')?;
    Some(domain.to_ascii_lowercase())
}

fn of_domain(domain: &str) -> Result<Suspended, Status> {
    let is_domain = !domain.is_empty()
        && domain.len() <= 255
        && domain
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && octet != b'@');
    match is_domain {
        true => Ok(Suspended::Domain(domain.to_ascii_lowercase())),
        false => Err(convert::invalid(
            "a domain is a host name such as example.org",
        )),
    }
}

/// The refusal of a delivery while there is this one.
pub(crate) fn refusal(suspension: &Suspension) -> Status {
    let until: DateTime<Utc> = (UNIX_EPOCH + Duration::from_millis(suspension.until.0)).into();
    let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
    let of = match &suspension.target {
        Suspended::User(_) => "this user".to_owned(),
        Suspended::Domain(domain) => format!("users of {domain}"),
    };
    let message = format!(
        "deliveries to {of} are suspended until {until}: what waits is delivered then, or when the suspension is cancelled"
    );
    status::with_reason(Code::FailedPrecondition, "SUSPENDED", message)
}

/// As the contract has it.
pub(crate) fn proto(suspension: Suspension) -> v1::Suspension {
    let Suspension {
        target,
        since,
        until,
        actor,
        reason,
    } = suspension;
    let target = match target {
        Suspended::User(address) => suspension::Target::ServedUser(address.as_str().to_owned()),
        Suspended::Domain(domain) => suspension::Target::Domain(domain),
    };
    let time = |time: UnixMillis| Some(convert::timestamp(time));
    v1::Suspension {
        target: Some(target),
        since: time(since),
        until: time(until),
        actor,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use storage::model::ManualClock;
    use storage::{MemoryStore, StoreConfig, SuspensionStore};

    use super::*;

    #[tokio::test]
    async fn user_and_domain_are_suspended_until_the_later_end() {
        let start = UnixMillis(1_000_000);
        let clock = Arc::new(ManualClock::new(start));
        let store = MemoryStore::new(StoreConfig::default(), Arc::clone(&clock));
        let minutes = |minutes: u64| start.after(Duration::from_secs(60 * minutes));
        let suspension = |target, until| Suspension {
            target,
            since: start,
            until,
            actor: String::new(),
            reason: String::new(),
        };
        let bob = Address::new("sip:bob@Example.ORG");
        let user = suspension(Suspended::User(bob.clone()), minutes(5));
        let domain = suspension(Suspended::Domain("example.org".to_owned()), minutes(10));
        for one in [&user, &domain] {
            store.suspend(one.clone()).await.expect("there is room");
        }
        let suspensions = Suspensions::load(&store, clock.clone());
        let suspensions = suspensions.await.expect("the store answers");
        assert_eq!(suspensions.of(&bob), Some(domain.clone()));
        assert_eq!(
            suspensions.of(&Address::new("sip:carol@example.org")),
            Some(domain.clone())
        );
        assert_eq!(suspensions.of(&Address::new("sip:carol@example.net")), None);
        assert_eq!(suspensions.of(&Address::new("tel:+4930123456")), None);
        clock.advance(Duration::from_secs(5 * 60));
        assert_eq!(suspensions.live(), std::slice::from_ref(&domain));
        assert_eq!(suspensions.left(&domain), Duration::from_secs(5 * 60));
        clock.advance(Duration::from_secs(5 * 60));
        assert_eq!(suspensions.of(&bob), None);
    }
}
