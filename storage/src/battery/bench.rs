//! What the claims work with: a store on a clock they move, and words for common steps.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::config::StoreConfig;
use crate::model::{
    Address, Binding, BindingChange, ClaimGrant, ClaimRequest, ClaimToken, Class, Deposit,
    DepositOutcome, DuplicateKey, EventKind, Headers, MailboxId, ManualClock, MessageNumber, Order,
    Part, PartKind, Priority, Receipt, Refusal, Registered, Registration, RegistrationKind,
    RegistrationRefusal, ReleaseOutcome, Released, Sequence, Settled, Settlement, StoredMessage,
    TakeLimit, Taken, UnixMillis, Verb,
};
use crate::store::{Store, StoreError};

/// An engine under test.
pub(crate) trait Engine: Sized {
    type Store: Store;

    fn open(config: StoreConfig, clock: Arc<ManualClock>) -> Self;

    fn store(&self) -> &Self::Store;

    /// As after a restart of the process.
    fn reopen(self) -> impl Future<Output = Self>;

    /// As after `kill -9`: what was in memory alone is gone.
    fn crash(self) -> impl Future<Output = Self>;
}

/// The time at which every test begins.
pub(crate) const START: UnixMillis = UnixMillis(1_700_000_000_000);

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) const EVERYTHING: TakeLimit = TakeLimit {
    messages: 1_000,
    octets: u64::MAX,
};

pub(crate) struct Bench<E> {
    engine: E,
    pub(crate) clock: Arc<ManualClock>,
}

impl<E: Engine> Bench<E> {
    pub(crate) fn new() -> Self {
        Self::with(StoreConfig::default())
    }

    pub(crate) fn with(config: StoreConfig) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let config = StoreConfig {
            hostname: "store.example.org".to_owned(),
            ..config
        };
        Self {
            engine: E::open(config, Arc::clone(&clock)),
            clock,
        }
    }

    pub(crate) fn store(&self) -> &E::Store {
        self.engine.store()
    }

    pub(crate) async fn reopen(self) -> Self {
        Self {
            engine: self.engine.reopen().await,
            clock: self.clock,
        }
    }

    pub(crate) async fn crash(self) -> Self {
        Self {
            engine: self.engine.crash().await,
            clock: self.clock,
        }
    }

    pub(crate) async fn deposit(&self, deposit: Deposit) -> DepositOutcome {
        let outcome = self.store().deposit(deposit).await;
        outcome.expect("the store answers")
    }

    pub(crate) async fn accept(&self, deposit: Deposit) -> Receipt {
        match self.deposit(deposit).await {
            DepositOutcome::Stored(receipt) => receipt.into_inner(),
            other => panic!("not stored: {other:?}"),
        }
    }

    pub(crate) async fn refuse(&self, deposit: Deposit) -> Refusal {
        match self.deposit(deposit).await {
            DepositOutcome::Refused(refusal) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// A letter that is stored.
    pub(crate) async fn mail(&self, user: &str) -> MessageNumber {
        self.accept(letter(user)).await.id.number
    }

    pub(crate) async fn mailbox(&self, user: &str) -> MailboxId {
        let mailbox = self.store().mailbox(address(user)).await;
        mailbox.expect("the store answers").expect("it has one")
    }

    pub(crate) async fn message(&self, number: MessageNumber) -> StoredMessage {
        self.store().message(number).await.expect("it is there")
    }

    pub(crate) async fn grant(&self, user: &str) -> ClaimGrant {
        self.grant_for(user, MINUTE).await
    }

    pub(crate) async fn grant_for(&self, user: &str, lease: Duration) -> ClaimGrant {
        let request = ClaimRequest {
            mailbox: self.mailbox(user).await,
            edge: "edge-1".to_owned(),
            lease,
        };
        self.store()
            .claim(request)
            .await
            .expect("the store answers")
    }

    pub(crate) async fn claim(&self, user: &str) -> ClaimToken {
        match self.grant(user).await {
            ClaimGrant::Granted(token) => token,
            other => panic!("not granted: {other:?}"),
        }
    }

    pub(crate) async fn take(&self, claim: ClaimToken, limit: TakeLimit) -> Vec<Taken> {
        self.take_after(claim, Sequence::default(), limit).await
    }

    pub(crate) async fn take_after(
        &self,
        claim: ClaimToken,
        after: Sequence,
        limit: TakeLimit,
    ) -> Vec<Taken> {
        let taken = self.store().take(claim, after, limit).await;
        taken.expect("the store answers")
    }

    pub(crate) async fn take_numbers(&self, claim: ClaimToken) -> Vec<MessageNumber> {
        numbers(&self.take(claim, EVERYTHING).await)
    }

    pub(crate) async fn settle(
        &self,
        claim: ClaimToken,
        number: MessageNumber,
        settlement: Settlement,
    ) -> Settled {
        let settled = self.store().acknowledge(claim, number, settlement).await;
        settled.expect("the store answers").into_inner()
    }

    pub(crate) async fn delivered(&self, claim: ClaimToken, number: MessageNumber) -> Settled {
        self.settle(claim, number, by_msrp()).await
    }

    /// Claims, takes, delivers everything and releases.
    pub(crate) async fn deliver_all(&self, user: &str) -> Vec<MessageNumber> {
        let claim = self.claim(user).await;
        let numbers = self.take_numbers(claim).await;
        for number in &numbers {
            assert_eq!(self.delivered(claim, *number).await, Settled::Settled);
        }
        let last = numbers.last().map_or(0, |number| number.0);
        assert_eq!(self.release(claim, last).await, Released::Released);
        numbers
    }

    pub(crate) async fn release(&self, claim: ClaimToken, last_seen: u64) -> Released {
        self.release_with(claim, last_seen, "").await
    }

    pub(crate) async fn release_with(
        &self,
        claim: ClaimToken,
        last_seen: u64,
        reason: &str,
    ) -> Released {
        let outcome = ReleaseOutcome {
            reason: reason.to_owned(),
        };
        let released = self
            .store()
            .release(claim, Sequence(last_seen), outcome)
            .await;
        released.expect("the store answers")
    }

    pub(crate) async fn order(
        &self,
        number: MessageNumber,
        verb: Verb,
    ) -> Result<StoredMessage, StoreError> {
        let order = Order {
            verb,
            actor: "operator".to_owned(),
            reason: "as asked".to_owned(),
        };
        let done = self.store().carry_out(number, order).await;
        done.map(crate::store::Synced::into_inner)
    }

    pub(crate) async fn register(
        &self,
        registration: Registration,
    ) -> Result<Registered, RegistrationRefusal> {
        let registered = self.store().register(registration).await;
        let registered = registered.expect("the store answers");
        registered.map(crate::store::Synced::into_inner)
    }

    /// Kinds of the events of a message.
    pub(crate) async fn events(&self, number: MessageNumber) -> Vec<EventKind> {
        let timeline = self.store().timeline(number).await;
        let timeline = timeline.expect("it is there");
        timeline.into_iter().map(|event| event.kind).collect()
    }

    pub(crate) async fn sweep(&self) -> crate::store::Swept {
        let now = UnixMillis(u64::MAX);
        let swept = self.store().sweep(now, 10_000).await;
        swept.expect("the store answers")
    }
}

pub(crate) fn address(user: &str) -> Address {
    Address::new(format!("sip:{user}@example.org"))
}

pub(crate) fn numbers(taken: &[Taken]) -> Vec<MessageNumber> {
    let messages = taken.iter().map(|taken| &taken.message);
    messages.map(|message| message.envelope.id.number).collect()
}

pub(crate) fn by_msrp() -> Settlement {
    Settlement::Delivered {
        by: "MSRP 200".to_owned(),
    }
}

pub(crate) fn failed(refusal: bool) -> Settlement {
    Settlement::Failed {
        reason: "MSRP 413".to_owned(),
        refusal,
    }
}

/// A deposit like no other: its Call-ID is new.
pub(crate) fn letter(user: &str) -> Deposit {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    deposit_to(user, &format!("call-{number}"), "Hello, how are you?")
}

/// A deposit of a short text.
pub(crate) fn deposit_to(user: &str, call_id: &str, body: &str) -> Deposit {
    let head = format!(
        "MESSAGE sip:{user}@example.org SIP/2.0\r\nCall-ID: {call_id}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Deposit {
        served_user: address(user),
        sender: Some(address("alice")),
        sender_exempt: false,
        class: Class::Pager,
        priority: Priority::Normal,
        is_text: true,
        headers: Headers {
            from: "\"Alice\" <sip:alice@example.org>;tag=1".to_owned(),
            subject: "Lunch".to_owned(),
            call_id: call_id.to_owned(),
            ..Headers::default()
        },
        duplicate_key: DuplicateKey {
            method: "MESSAGE".to_owned(),
            from_tag: "1".to_owned(),
            call_id: call_id.to_owned(),
            cseq: 1,
        },
        imdn_key: None,
        body_octets: body.len() as u64,
        body_offset: head.len() as u64,
        parts: vec![Part {
            kind: PartKind::Message,
            octets: Bytes::from(head + body),
        }],
        lifetime: None,
        received_from: "udp 192.0.2.1:5060".to_owned(),
        sha256: None,
        file: None,
        report_request: None,
        traceparent: None,
        leg: None,
        deadline: Instant::now() + Duration::from_secs(400 * 86_400),
    }
}

/// A REGISTER with one Contact for an hour.
pub(crate) fn registration(user: &str, contact: &str, cseq: u32) -> Registration {
    Registration {
        address: address(user),
        aliases: Vec::new(),
        call_id: format!("register-{user}"),
        cseq,
        changes: vec![BindingChange::Bind(binding(user, contact, cseq))],
    }
}

pub(crate) fn binding(user: &str, contact: &str, cseq: u32) -> Binding {
    Binding {
        contact: contact.to_owned(),
        instance: String::new(),
        reg_id: 0,
        call_id: format!("register-{user}"),
        cseq,
        path: vec!["<sip:edge.example.org;lr>".to_owned()],
        flow: None,
        has_im_tag: true,
        allows_message: true,
        kind: RegistrationKind::Direct,
        user_agent: "phone".to_owned(),
        expires_at: START.after(Duration::from_secs(3_600)),
        gruu: String::new(),
    }
}
