//! A running service, its clients, and a network that breaks on demand.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use daemon::exit::Fatal;
use daemon::readiness::Readiness;
use proto::v1::account_service_client::AccountServiceClient;
use proto::v1::mailbox_service_client::MailboxServiceClient;
use proto::v1::operator_service_client::OperatorServiceClient;
use restante_service::{App, Config};
use storage::model::SystemClock;
use storage::{MemoryStore, Store};
use storage_client::delivery::{Claim, Settlement, TakeLimits, TakenMessage};
use storage_client::deposit::DuplicateKey;
use storage_client::message::{Class, Headers, Part, PartKind, Priority};
use storage_client::registration::{Binding, BindingChange, Registration, RegistrationKind};
use storage_client::{
    ClientConfig, Deposit, DepositAnswer, Deposited, PushJob, PushJobs, StorageClient,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

pub(crate) const BOB: &str = "sip:bob@example.org";
pub(crate) const ALICE: &str = "sip:alice@example.org";

/// Long enough for anything that is going to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what must happen.
pub(crate) async fn soon<T>(event: impl Future<Output = T>) -> T {
    timeout(PATIENCE, event).await.expect("it happens in time")
}

/// A service that ends with the test.
pub(crate) struct Service {
    pub(crate) data: SocketAddr,
    pub(crate) operator: SocketAddr,
    pub(crate) readiness: Readiness,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Fatal>>,
    _folder: Option<tempfile::TempDir>,
}

/// Short times, free ports.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.process.listen = ([127, 0, 0, 1], 0).into();
    config.process.operator_listen = ([127, 0, 0, 1], 0).into();
    config.process.hostname = "store.example".to_owned();
    config.push.delay = Duration::from_millis(20);
    config.push.on_deposit = Some(Duration::from_millis(20));
    config
}

/// A store whose syncs a test may hold or fail.
pub(crate) fn memory(config: &Config) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(config.store(), SystemClock))
}

impl Service {
    pub(crate) fn over<S: Store>(config: Config, store: Arc<S>) -> Self {
        let readiness = Readiness::new();
        let app = App::with_store(config, store, Arc::new(SystemClock), &readiness);
        Self::serve(app.expect("free ports"), readiness)
    }

    /// Over a store in memory.
    pub(crate) fn in_memory(config: Config) -> Self {
        let store = memory(&config);
        Self::over(config, store)
    }

    /// Over a store on disk.
    pub(crate) async fn on_disk(mut config: Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        config.process.data_dir = folder.path().join("data");
        let readiness = Readiness::new();
        let app = App::build(config, &readiness).await.expect("a new store");
        let mut service = Self::serve(app, readiness);
        service._folder = Some(folder);
        service
    }

    fn serve<S: Store>(app: App<S>, readiness: Readiness) -> Self {
        let stop = CancellationToken::new();
        Self {
            data: app.data_address().expect("bound"),
            operator: app.operator_address().expect("bound"),
            readiness,
            task: tokio::spawn(app.run(stop.clone())),
            stop,
            _folder: None,
        }
    }

    pub(crate) fn client(&self) -> StorageClient {
        client_of(self.data, "edge-1", |_| {})
    }

    pub(crate) fn client_named(&self, edge: &str) -> StorageClient {
        client_of(self.data, edge, |_| {})
    }

    pub(crate) async fn mailboxes(&self) -> MailboxServiceClient<Channel> {
        MailboxServiceClient::new(channel(self.operator).await)
    }

    pub(crate) async fn accounts(&self) -> AccountServiceClient<Channel> {
        AccountServiceClient::new(channel(self.operator).await)
    }

    pub(crate) async fn operators(&self) -> OperatorServiceClient<Channel> {
        OperatorServiceClient::new(channel(self.operator).await)
    }

    /// All messages, oldest first.
    pub(crate) async fn messages(&self) -> Vec<proto::v1::Message> {
        let request = proto::v1::ListMessagesRequest {
            page_size: 1_000,
            ..Default::default()
        };
        let reply = self.mailboxes().await.list_messages(request).await;
        reply.expect("listed").into_inner().messages
    }

    /// Ends the service as a signal would.
    pub(crate) async fn stop(self) -> Result<(), Fatal> {
        self.stop.cancel();
        soon(self.task).await.expect("no panic")
    }
}

/// A connection for any client of the contract.
pub(crate) async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URL");
    endpoint.connect().await.expect("listens")
}

/// A client at some address, which may be a proxy.
pub(crate) fn client_of(
    address: SocketAddr,
    edge: &str,
    change: impl FnOnce(&mut ClientConfig),
) -> StorageClient {
    let mut config = ClientConfig::new(format!("http://{address}"), edge);
    change(&mut config);
    StorageClient::connect(config)
}

pub(crate) async fn connected(client: &StorageClient) {
    let mut connected = client.connected();
    soon(connected.wait_for(|connected| *connected))
        .await
        .expect("the client lives");
}

/// A MESSAGE from Alice; the number makes it one of its own.
pub(crate) fn message_to(served_user: &str, number: u32) -> Deposit {
    let head = format!("MESSAGE {served_user} SIP/2.0\r\nCSeq: {number} MESSAGE\r\n\r\n");
    let octets = Bytes::from(format!("{head}Hello no. {number}"));
    Deposit {
        served_user: served_user.to_owned(),
        sender: Some(ALICE.to_owned()),
        sender_exempt: false,
        class: Class::Pager,
        priority: Priority::Normal,
        is_text: true,
        headers: Headers {
            subject: format!("no. {number}"),
            ..Headers::default()
        },
        imdn_key: None,
        duplicate_key: DuplicateKey {
            method: "MESSAGE".to_owned(),
            from_tag: "a1".to_owned(),
            call_id: format!("{number}@alice.example"),
            cseq: number,
        },
        body_octets: (octets.len() - head.len()) as u64,
        body_offset: head.len() as u64,
        parts: vec![Part {
            kind: PartKind::Message,
            octets,
        }],
        lifetime: None,
        received_from: "udp 192.0.2.1:5060".to_owned(),
        report_request: None,
        traceparent: None,
        leg: None,
    }
}

/// Deposits and expects it to be stored.
pub(crate) async fn deposited(client: &StorageClient, deposit: Deposit) -> Deposited {
    match client.deposit(deposit).await {
        Ok(DepositAnswer::Deposited(deposited)) => deposited,
        other => panic!("not deposited: {other:?}"),
    }
}

/// A REGISTER of one device with the IM tag; the number is its CSeq.
pub(crate) fn register(address: &str, cseq: u32) -> Registration {
    let binding = Binding {
        contact: "sip:bob@192.0.2.7".to_owned(),
        instance: String::new(),
        reg_id: 0,
        call_id: "reg-1".to_owned(),
        cseq,
        path: Vec::new(),
        flow: None,
        has_im_tag: true,
        allows_message: true,
        kind: RegistrationKind::ThirdParty,
        user_agent: "test".to_owned(),
        expires_at: SystemTime::now() + Duration::from_secs(3_600),
        gruu: String::new(),
    };
    Registration {
        address: address.to_owned(),
        aliases: Vec::new(),
        call_id: "reg-1".to_owned(),
        cseq,
        changes: vec![BindingChange::Bind(binding)],
    }
}

pub(crate) async fn next(jobs: &mut PushJobs) -> PushJob {
    soon(jobs.next()).await.expect("attached")
}

pub(crate) async fn take(client: &StorageClient, claim: Claim, after: u64) -> Vec<TakenMessage> {
    let taken = client.take(claim, after, TakeLimits::default()).await;
    taken.expect("taken").messages
}

pub(crate) fn delivered() -> Settlement {
    Settlement::Delivered {
        by: "MSRP 200".to_owned(),
    }
}
