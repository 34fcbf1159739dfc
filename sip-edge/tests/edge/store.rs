//! A storage service that keeps everything in memory and tells the test what it is asked.

mod large;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use bytes::Bytes;
use proto::v1;
use proto::v1::attach_reply::Reply as Attached;
use proto::v1::delivery_service_server::{DeliveryService, DeliveryServiceServer};
use proto::v1::deposit_service_server::{DepositService, DepositServiceServer};
use proto::v1::exchange_answer::Answer;
use proto::v1::exchange_entry::Request as Entry;
use proto::v1::exchange_reply::Reply;
use proto::v1::large_message_service_server::LargeMessageServiceServer;
use proto::v1::registration_service_server::{RegistrationService, RegistrationServiceServer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::within;

/// Hostname in Message-IDs.
pub(crate) const HOSTNAME: &str = "mailserver32.example.org";

/// Octets of one piece of a body that is read.
const PIECE_OCTETS: usize = 64 * 1024;

/// The first Message-ID of the example.
pub(crate) const FIRST: u64 = 13_684_434_990;

/// What the edge asked for, in the order of the asking.
#[derive(Debug)]
pub(crate) enum Asked {
    Deposit(Box<v1::Deposit>),
    Register(v1::RegisterRequest),
    Acknowledge(v1::Acknowledge),
    Release(v1::ReleaseRequest),
    Admit(v1::AdmitRequest),
    Large(Box<v1::LargeDeposit>, Vec<u8>),
    SenderBye(v1::AddSenderByeRequest),
}

/// How deposits are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Stored and answered.
    Stores,
    /// Taken and never answered.
    NeverSyncs,
    /// Answered as by a store that is latched.
    IsLatched,
    /// Refused with this reason.
    Refuses(v1::RefusalReason),
}

/// How the octets of a large message are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// To their end.
    Whole,
    /// So many; then the reading fails.
    FailsAfter(usize),
    /// So many; the rest when the test says [`Store::go_on`].
    StopsAfter(usize),
}

/// How large messages are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taking {
    /// Admitted and stored.
    Stores,
    /// Not admitted, for this reason.
    Refuses(v1::RefusalReason),
    /// Admitted when the test says [`Store::go_on`].
    WaitsToAdmit,
    /// Refused for this reason when the first piece comes.
    RefusesPieces(v1::RefusalReason),
    /// Failed when the message is whole.
    FailsToCommit,
}

#[derive(Debug)]
struct State {
    taking: Taking,
    behaviour: Behaviour,
    reading: Reading,
    bodies: HashMap<String, Bytes>,
    messages: Vec<v1::TakenMessage>,
    duplicates: HashMap<(String, String), v1::Deposited>,
    bindings: Vec<v1::Binding>,
    jobs: Option<mpsc::Sender<Result<v1::AttachReply, Status>>>,
    generation: u64,
}

/// The service; its clones share the state.
#[derive(Debug, Clone)]
struct Service {
    state: Arc<Mutex<State>>,
    asked: mpsc::Sender<Asked>,
    going_on: Arc<Semaphore>,
}

/// A running store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) address: SocketAddr,
    asked: mpsc::Receiver<Asked>,
    service: Service,
    listener: Option<TcpListener>,
}

impl Store {
    /// A store that serves.
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let mut store = Self::silent(behaviour).await;
        store.serve();
        store
    }

    /// A store that listens and says nothing until [`Store::serve`].
    pub(crate) async fn silent(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (sender, asked) = mpsc::channel(64);
        let state = State {
            taking: Taking::Stores,
            behaviour,
            reading: Reading::Whole,
            bodies: HashMap::new(),
            messages: Vec::new(),
            duplicates: HashMap::new(),
            bindings: Vec::new(),
            jobs: None,
            generation: 0,
        };
        let service = Service {
            state: Arc::new(Mutex::new(state)),
            asked: sender,
            going_on: Arc::new(Semaphore::new(0)),
        };
        Self {
            address,
            asked,
            service,
            listener: Some(listener),
        }
    }

    /// Begins to serve.
    pub(crate) fn serve(&mut self) {
        let listener = self.listener.take().expect("it does not serve yet");
        let router = Server::builder()
            .add_service(DepositServiceServer::new(self.service.clone()))
            .add_service(DeliveryServiceServer::new(self.service.clone()))
            .add_service(LargeMessageServiceServer::new(self.service.clone()))
            .add_service(RegistrationServiceServer::new(self.service.clone()));
        tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    }

    /// The next thing asked for.
    pub(crate) async fn asked(&mut self) -> Asked {
        within("a request to the store", self.asked.recv())
            .await
            .expect("it serves")
    }

    /// The next thing asked for, which must be a deposit.
    pub(crate) async fn deposit(&mut self) -> v1::Deposit {
        match self.asked().await {
            Asked::Deposit(deposit) => *deposit,
            other => panic!("no deposit: {other:?}"),
        }
    }

    /// The next thing asked for, which must be a registration.
    pub(crate) async fn registration(&mut self) -> v1::RegisterRequest {
        match self.asked().await {
            Asked::Register(registration) => registration,
            other => panic!("no registration: {other:?}"),
        }
    }

    /// The next thing asked for, which must be a settlement.
    pub(crate) async fn acknowledgement(&mut self) -> v1::Acknowledge {
        match self.asked().await {
            Asked::Acknowledge(acknowledge) => acknowledge,
            other => panic!("no settlement: {other:?}"),
        }
    }

    /// The next thing asked for, which must be a release.
    pub(crate) async fn release(&mut self) -> v1::ReleaseRequest {
        match self.asked().await {
            Asked::Release(release) => release,
            other => panic!("no release: {other:?}"),
        }
    }

    /// Whether nothing has been asked for that the test has not seen.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }

    /// Keeps a large message for Bob: these parts, and this body, inline or to be read.
    pub(crate) fn keep_large(&self, parts: Vec<v1::Part>, body: Bytes, is_inline: bool) {
        let mut state = self.service.lock();
        let deposit = v1::Deposit {
            served_user: "sip:bob@example.org".to_owned(),
            sender: "sip:alice@example.org".to_owned(),
            class: v1::MessageClass::Large.into(),
            headers: Some(v1::MessageHeaders {
                from: "\"Alice\" <sip:alice@example.org>;tag=a5510".to_owned(),
                to: "<sip:bob@example.org>".to_owned(),
                call_id: "90bd21ff@198.51.100.7".to_owned(),
                asserted_identity: "\"Alice\" <sip:alice@example.org>".to_owned(),
                ..v1::MessageHeaders::default()
            }),
            duplicate_key: Some(v1::DuplicateKey {
                cseq: u32::try_from(state.duplicates.len()).expect("few"),
                ..v1::DuplicateKey::default()
            }),
            parts,
            body_octets: body.len() as u64,
            ..v1::Deposit::default()
        };
        let message_id = state.store(&deposit).message_id;
        let kept = state.messages.last_mut().expect("just stored");
        if is_inline {
            kept.parts.push(v1::Part {
                kind: v1::PartKind::SendBody.into(),
                octets: body,
            });
        } else {
            state.bodies.insert(message_id, body);
        }
    }

    /// How large messages are taken from now on.
    pub(crate) fn take_as(&self, taking: Taking) {
        self.service.lock().taking = taking;
    }

    /// The next thing asked for, which must be a large message, after its admission.
    pub(crate) async fn large(&mut self) -> (v1::LargeDeposit, Vec<u8>) {
        match self.asked().await {
            Asked::Large(deposit, body) => (*deposit, body),
            other => panic!("no large message: {other:?}"),
        }
    }

    /// The next thing asked for, which must be an admission.
    pub(crate) async fn admission(&mut self) -> v1::AdmitRequest {
        match self.asked().await {
            Asked::Admit(request) => request,
            other => panic!("no admission: {other:?}"),
        }
    }

    /// How bodies are read from now on.
    pub(crate) fn read_as(&self, reading: Reading) {
        self.service.lock().reading = reading;
    }

    /// Lets a reading that has stopped go on.
    pub(crate) fn go_on(&self) {
        self.service.going_on.add_permits(1);
    }

    /// Messages that are still stored.
    pub(crate) fn stored(&self) -> usize {
        self.service.lock().messages.len()
    }
}

impl State {
    /// Stores a message, or finds the one stored before.
    fn store(&mut self, deposit: &v1::Deposit) -> v1::Deposited {
        let key = deposit.duplicate_key.clone().unwrap_or_default();
        let key = (deposit.served_user.clone(), format!("{key:?}"));
        if let Some(first) = self.duplicates.get(&key) {
            return v1::Deposited {
                duplicate: true,
                ..first.clone()
            };
        }
        let sequence = u64::try_from(self.duplicates.len()).expect("few") + 1;
        let message_id = format!("{}@{HOSTNAME}", FIRST + sequence - 1);
        let now = SystemTime::now();
        let message = v1::Message {
            message_id: message_id.clone(),
            message_uri: format!("sip:{message_id}"),
            served_user: deposit.served_user.clone(),
            sender: deposit.sender.clone(),
            class: deposit.class,
            state: v1::MessageState::Claimed.into(),
            priority: deposit.priority,
            headers: deposit.headers.clone(),
            body_octets: deposit.body_octets,
            body_offset: deposit.body_offset,
            received_at: Some(now.into()),
            expires_at: Some((now + std::time::Duration::from_secs(86_400)).into()),
            sequence,
            ..v1::Message::default()
        };
        self.messages.push(v1::TakenMessage {
            message: Some(message),
            parts: deposit.parts.clone(),
        });
        let deposited = v1::Deposited {
            message_id,
            received_at: Some(now.into()),
            duplicate: false,
            registered: !self.bindings.is_empty(),
        };
        self.duplicates.insert(key, deposited.clone());
        deposited
    }

    /// Hands out a push job if something waits for somebody registered.
    fn push_job(
        &mut self,
    ) -> Option<(
        mpsc::Sender<Result<v1::AttachReply, Status>>,
        v1::AttachReply,
    )> {
        let first = self.messages.first()?.message.clone()?;
        if self.bindings.is_empty() {
            return None;
        }
        self.generation += 1;
        let job = v1::PushJob {
            claim: Some(v1::Claim {
                mailbox: 1,
                generation: self.generation,
            }),
            served_user: first.served_user,
            bindings: self.bindings.clone(),
            attempt: self.generation,
            first: None,
            by_device: false,
            traceparent: String::new(),
        };
        Some((
            self.jobs.clone()?,
            v1::AttachReply {
                reply: Some(Attached::Push(job)),
            },
        ))
    }
}

impl Service {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }

    async fn tell(&self, asked: Asked) {
        self.asked.send(asked).await.expect("the test listens");
    }

    async fn answer(&self, entry: Entry) -> Option<Answer> {
        match entry {
            Entry::Deposit(deposit) => {
                let answer = self.decide(&deposit);
                self.tell(Asked::Deposit(Box::new(deposit))).await;
                answer
            }
            Entry::Acknowledge(acknowledge) => {
                if matches!(
                    acknowledge.settlement,
                    Some(v1::acknowledge::Settlement::Delivered(_))
                ) {
                    let id = &acknowledge.message_id;
                    let is_other = |taken: &v1::TakenMessage| {
                        taken
                            .message
                            .as_ref()
                            .is_some_and(|message| message.message_id != *id)
                    };
                    self.lock().messages.retain(is_other);
                }
                self.tell(Asked::Acknowledge(acknowledge)).await;
                let result = v1::AcknowledgeResult::Settled.into();
                Some(Answer::Acknowledged(v1::Acknowledged { result }))
            }
            Entry::Release(release) => Some(Answer::Released(self.released(release).await)),
        }
    }

    async fn released(&self, release: v1::ReleaseRequest) -> v1::ReleaseReply {
        let completed = i32::from(v1::DeliveryResult::Completed);
        let is_completed = release
            .outcome
            .as_ref()
            .is_some_and(|outcome| outcome.result == completed);
        let last = release.last_sequence;
        let has_newer = self.lock().messages.iter().any(|taken| {
            taken
                .message
                .as_ref()
                .is_some_and(|message| message.sequence > last)
        });
        self.tell(Asked::Release(release)).await;
        let result = match is_completed && has_newer {
            true => v1::ReleaseResult::LookAgain,
            false => v1::ReleaseResult::Released,
        };
        v1::ReleaseReply {
            result: result.into(),
        }
    }

    fn decide(&self, deposit: &v1::Deposit) -> Option<Answer> {
        let mut state = self.lock();
        match state.behaviour {
            Behaviour::Stores => Some(Answer::Deposited(state.store(deposit))),
            Behaviour::NeverSyncs => None,
            Behaviour::IsLatched => Some(Answer::Unavailable(v1::Unavailable {
                reason: "the store is latched".to_owned(),
                retry_after: None,
                until_restart: true,
            })),
            Behaviour::Refuses(reason) => Some(Answer::Refused(v1::Refused {
                reason: reason.into(),
                retry_after: None,
            })),
        }
    }
}

fn identity() -> Option<v1::StoreIdentity> {
    Some(v1::StoreIdentity {
        hostname: HOSTNAME.to_owned(),
        secret: b"secret of the store".to_vec().into(),
    })
}

fn reply(reply: Reply) -> v1::ExchangeReply {
    v1::ExchangeReply {
        reply: Some(reply),
        ..v1::ExchangeReply::default()
    }
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl DepositService for Service {
    type ExchangeStream = Replies<v1::ExchangeReply>;

    async fn exchange(
        &self,
        request: Request<Streaming<v1::ExchangeRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let (sender, receiver) = mpsc::channel(64);
        let opened = Reply::Opened(v1::ExchangeOpened {
            window: 1_024,
            store: identity(),
            readiness: None,
        });
        sender.try_send(Ok(reply(opened))).expect("it is empty");
        let (service, mut requests) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            while let Some(Ok(request)) = requests.next().await {
                let mut answers = Vec::new();
                for entry in request.entries {
                    let answer = service.answer(entry.request.expect("a request")).await;
                    answers.extend(answer.map(|answer| v1::ExchangeAnswer {
                        correlation: entry.correlation,
                        answer: Some(answer),
                    }));
                }
                let answers = Reply::Answers(v1::ExchangeAnswers { answers });
                if sender.send(Ok(reply(answers))).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

#[tonic::async_trait]
impl DeliveryService for Service {
    type AttachStream = Replies<v1::AttachReply>;

    async fn attach(
        &self,
        request: Request<Streaming<v1::AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let (sender, receiver) = mpsc::channel(64);
        let lease = Some(prost_types::Duration {
            seconds: 60,
            nanos: 0,
        });
        let opened = Attached::Opened(v1::AttachOpened {
            store: identity(),
            lease,
        });
        sender
            .try_send(Ok(v1::AttachReply {
                reply: Some(opened),
            }))
            .expect("it is empty");
        let job = {
            let mut state = self.lock();
            state.jobs = Some(sender);
            state.push_job()
        };
        if let Some((jobs, job)) = job {
            jobs.send(Ok(job)).await.expect("it is open");
        }
        let mut requests = request.into_inner();
        // Renewals need no answer here: the lease outlives every test.
        tokio::spawn(async move { while let Some(Ok(_)) = requests.next().await {} });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn take_messages(
        &self,
        request: Request<v1::TakeMessagesRequest>,
    ) -> Result<Response<v1::TakeMessagesReply>, Status> {
        let after = request.get_ref().after_sequence;
        let is_later = |taken: &&v1::TakenMessage| {
            taken
                .message
                .as_ref()
                .is_some_and(|message| message.sequence > after)
        };
        let messages = self
            .lock()
            .messages
            .iter()
            .filter(is_later)
            .cloned()
            .collect();
        Ok(Response::new(v1::TakeMessagesReply {
            messages,
            is_last: false,
        }))
    }

    async fn claim_forward(
        &self,
        _: Request<v1::ClaimForwardRequest>,
    ) -> Result<Response<v1::ClaimForwardReply>, Status> {
        Ok(Response::new(v1::ClaimForwardReply::default()))
    }

    async fn release(
        &self,
        request: Request<v1::ReleaseRequest>,
    ) -> Result<Response<v1::ReleaseReply>, Status> {
        Ok(Response::new(self.released(request.into_inner()).await))
    }
}

#[tonic::async_trait]
impl RegistrationService for Service {
    async fn register(
        &self,
        request: Request<v1::RegisterRequest>,
    ) -> Result<Response<v1::RegisterReply>, Status> {
        let registration = request.into_inner();
        let (bindings, job) = {
            let mut state = self.lock();
            for change in &registration.changes {
                match &change.change {
                    Some(v1::binding_change::Change::Bind(binding)) => {
                        state.bindings.push(binding.clone());
                    }
                    Some(_) => state.bindings.clear(),
                    None => {}
                }
            }
            (state.bindings.clone(), state.push_job())
        };
        self.tell(Asked::Register(registration)).await;
        if let Some((jobs, job)) = job {
            jobs.send(Ok(job)).await.expect("it is open");
        }
        Ok(Response::new(v1::RegisterReply {
            bindings,
            refused_aliases: Vec::new(),
        }))
    }
}
