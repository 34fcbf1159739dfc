//! The operators' services with the memory of a test: it answers from [`State`] and notes what it
//! was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::stream::{self, BoxStream, StreamExt};
use proto::v1::account_service_server::{AccountService, AccountServiceServer};
use proto::v1::group_service_server::GroupServiceServer;
use proto::v1::job_service_server::JobServiceServer;
use proto::v1::mailbox_service_server::{MailboxService, MailboxServiceServer};
use proto::v1::operator_service_server::{OperatorService, OperatorServiceServer};
use proto::v1::settings_admin_service_server::SettingsAdminServiceServer;
use proto::v1::waiting_service_server::WaitingServiceServer;
use proto::v1::{
    Account, AddAliasRequest, CancelSuspensionRequest, CreateAccountRequest, DeleteAccountReply,
    DeleteAccountRequest, DeliveryPlan, EraseAccountReply, EraseAccountRequest,
    ExportDeferredListReply, ExportDeferredListRequest, GetDeliveryPlanRequest, GetMailboxRequest,
    GetMessageReply, GetMessageRequest, GetStatusRequest, ListAccountsReply, ListAccountsRequest,
    ListMessagesReply, ListMessagesRequest, ListSessionsReply, ListSessionsRequest,
    ListSuspensionsReply, ListSuspensionsRequest, Mailbox, Message, MessageOrder, MessageState,
    PartKind, PushMailboxReply, PushMailboxRequest, ReadContentReply, ReadContentRequest,
    RecallMessageRequest, RemoveAliasRequest, SuspendDeliveriesRequest, Suspension,
};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::fan_out::FanOut;
use crate::settings::Settings;
use crate::waiting::Waiting;

/// What the fake knows, and what it was asked.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) messages: Vec<GetMessageReply>,
    pub(crate) parts: HashMap<(String, i32), Vec<u8>>,
    pub(crate) mailboxes: HashMap<String, Mailbox>,
    pub(crate) pushes: HashMap<String, PushMailboxReply>,
    pub(crate) plans: HashMap<String, DeliveryPlan>,
    pub(crate) status: proto::v1::Status,
    /// Hits of a page at most, however many are asked for.
    pub(crate) page_cap: Option<usize>,
    /// Answers by what is asked: the name of a call, a Message-ID, an address or a page token.
    pub(crate) refusals: HashMap<String, Status>,
    /// Calls that are never answered.
    pub(crate) silent: bool,
    pub(crate) lists: Vec<ListMessagesRequest>,
    pub(crate) reads: Vec<ReadContentRequest>,
    pub(crate) pushed: Vec<PushMailboxRequest>,
    pub(crate) orders: Vec<(&'static str, MessageOrder)>,
    pub(crate) recalls: Vec<RecallMessageRequest>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) account_lists: Vec<ListAccountsRequest>,
    /// Changes of accounts: the call and its addresses.
    pub(crate) account_changes: Vec<(&'static str, Vec<String>)>,
    pub(crate) waiting: Waiting,
    pub(crate) fan_out: FanOut,
}

/// A running fake; it ends when it is dropped.
pub(crate) struct Fake {
    pub(crate) url: String,
    service: Service,
    _runtime: Runtime,
}

#[derive(Clone, Default)]
struct Service(Arc<Mutex<State>>);

impl Fake {
    /// A fake on a free port of the loopback interface.
    pub(crate) fn start(state: State) -> Self {
        let runtime = runtime();
        let service = Service(Arc::new(Mutex::new(state)));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        runtime.spawn(
            service
                .router()
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        Self {
            url: format!("http://{address}"),
            service,
            _runtime: runtime,
        }
    }

    /// A fake on a Unix socket.
    pub(crate) fn start_unix(path: &Path, state: State) -> Self {
        let runtime = runtime();
        let service = Service(Arc::new(Mutex::new(state)));
        let listener = runtime.block_on(async { UnixListener::bind(path).unwrap() });
        runtime.spawn(
            service
                .router()
                .serve_with_incoming(UnixListenerStream::new(listener)),
        );
        Self {
            url: format!("unix:{}", path.display()),
            service,
            _runtime: runtime,
        }
    }

    /// What it knows and was asked.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.service.state()
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

impl Service {
    fn router(&self) -> tonic::transport::server::Router {
        let (waiting, fan_out) = {
            let state = self.state();
            (state.waiting.clone(), state.fan_out.clone())
        };
        Server::builder()
            .add_service(MailboxServiceServer::new(self.clone()))
            .add_service(OperatorServiceServer::new(self.clone()))
            .add_service(AccountServiceServer::new(self.clone()))
            .add_service(SettingsAdminServiceServer::new(Settings))
            .add_service(WaitingServiceServer::new(waiting))
            .add_service(GroupServiceServer::new(fan_out.clone()))
            .add_service(JobServiceServer::new(fan_out))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Answers with a refusal if one is planned for any of `keys`, never if the fake is silent.
    async fn admit(&self, keys: &[&str]) -> Result<(), Status> {
        let is_silent = self.state().silent;
        if is_silent {
            std::future::pending::<()>().await;
        }
        let state = self.state();
        keys.iter()
            .find_map(|key| state.refusals.get(*key))
            .cloned()
            .map_or(Ok(()), Err)
    }

    fn find(&self, id: &str) -> Result<GetMessageReply, Status> {
        let state = self.state();
        let found = state.messages.iter().find(|reply| reply_id(reply) == id);
        found
            .cloned()
            .ok_or_else(|| Status::not_found("no such message"))
    }

    async fn change(
        &self,
        order: &'static str,
        request: Request<MessageOrder>,
        to: MessageState,
    ) -> Result<Response<Message>, Status> {
        let request = request.into_inner();
        self.admit(&[order, &request.message_id]).await?;
        let mut message = self.find(&request.message_id)?.message.unwrap();
        message.set_state(to);
        self.state().orders.push((order, request));
        Ok(Response::new(message))
    }
}

impl Service {
    async fn account(
        &self,
        call: &'static str,
        addresses: &[&str],
    ) -> Result<Response<Account>, Status> {
        self.admit(addresses).await?;
        let mut state = self.state();
        let names = addresses.iter().map(|&name| name.to_owned()).collect();
        state.account_changes.push((call, names));
        let account = Account {
            address: addresses[0].to_owned(),
            aliases: addresses[1..].iter().map(|&name| name.to_owned()).collect(),
            provisioned: true,
        };
        Ok(Response::new(account))
    }
}

#[tonic::async_trait]
impl AccountService for Service {
    async fn create_account(
        &self,
        request: Request<CreateAccountRequest>,
    ) -> Result<Response<Account>, Status> {
        let request = request.into_inner();
        self.account("create", &[&request.address]).await
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListAccountsReply>, Status> {
        let request = request.into_inner();
        self.state().account_lists.push(request.clone());
        let state = self.state();
        let from: usize = request.page_token.parse().unwrap_or(0);
        let size = usize::try_from(request.page_size).unwrap().max(1);
        let is_asked_for = |account: &&Account| {
            request.address.is_empty()
                || account.address == request.address
                || account.aliases.contains(&request.address)
        };
        let found: Vec<_> = state.accounts.iter().filter(is_asked_for).collect();
        let page: Vec<_> = found
            .iter()
            .skip(from)
            .take(size)
            .copied()
            .cloned()
            .collect();
        let next = from + page.len();
        let is_end = next >= found.len();
        Ok(Response::new(ListAccountsReply {
            accounts: page,
            next_page_token: if is_end {
                String::new()
            } else {
                next.to_string()
            },
        }))
    }

    async fn delete_account(
        &self,
        request: Request<DeleteAccountRequest>,
    ) -> Result<Response<DeleteAccountReply>, Status> {
        let request = request.into_inner();
        self.account("delete", &[&request.address]).await?;
        Ok(Response::new(DeleteAccountReply {}))
    }

    async fn erase_account(
        &self,
        request: Request<EraseAccountRequest>,
    ) -> Result<Response<EraseAccountReply>, Status> {
        let request = request.into_inner();
        self.account("erase", &[&request.address]).await?;
        Ok(Response::new(EraseAccountReply { messages: 0 }))
    }

    async fn add_alias(
        &self,
        request: Request<AddAliasRequest>,
    ) -> Result<Response<Account>, Status> {
        let request = request.into_inner();
        let addresses = [request.address.as_str(), &request.alias];
        self.account("add_alias", &addresses).await
    }

    async fn remove_alias(
        &self,
        request: Request<RemoveAliasRequest>,
    ) -> Result<Response<Account>, Status> {
        let request = request.into_inner();
        let addresses = [request.address.as_str(), &request.alias];
        self.account("remove_alias", &addresses).await
    }
}

fn reply_id(reply: &GetMessageReply) -> &str {
    reply
        .message
        .as_ref()
        .map_or("", |message| &message.message_id)
}

#[tonic::async_trait]
impl MailboxService for Service {
    type ReadContentStream = BoxStream<'static, Result<ReadContentReply, Status>>;

    async fn export_deferred_list(
        &self,
        request: Request<ExportDeferredListRequest>,
    ) -> Result<Response<ExportDeferredListReply>, Status> {
        let user = request.into_inner().served_user;
        self.admit(&["export", &user]).await?;
        match self.state().mailboxes.contains_key(&user) {
            true => Ok(Response::new(ExportDeferredListReply {
                document: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<history-list/>\n"
                    .to_owned(),
            })),
            false => Err(Status::not_found("no mailbox")),
        }
    }

    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesReply>, Status> {
        let request = request.into_inner();
        self.state().lists.push(request.clone());
        self.admit(&["list", &request.page_token]).await?;
        let state = self.state();
        let from: usize = request.page_token.parse().unwrap_or(0);
        let size = usize::try_from(request.page_size).unwrap();
        let page = state
            .messages
            .iter()
            .skip(from)
            .take(state.page_cap.unwrap_or(size).min(size));
        let messages: Vec<_> = page.filter_map(|reply| reply.message.clone()).collect();
        let next = from + messages.len();
        let is_end = next >= state.messages.len();
        let next_page_token = if is_end {
            String::new()
        } else {
            next.to_string()
        };
        Ok(Response::new(ListMessagesReply {
            messages,
            next_page_token,
        }))
    }

    async fn get_message(
        &self,
        request: Request<GetMessageRequest>,
    ) -> Result<Response<GetMessageReply>, Status> {
        let id = request.into_inner().message_id;
        self.admit(&["get", &id]).await?;
        self.find(&id).map(Response::new)
    }

    async fn read_content(
        &self,
        request: Request<ReadContentRequest>,
    ) -> Result<Response<Self::ReadContentStream>, Status> {
        let request = request.into_inner();
        self.state().reads.push(request.clone());
        let content = format!("content of {}", request.message_id);
        self.admit(&["read", &content]).await?;
        let octets = self
            .state()
            .parts
            .get(&(request.message_id, request.part))
            .cloned();
        let octets = octets.ok_or_else(|| Status::not_found("its content is gone"))?;
        let begin = usize::try_from(request.offset).unwrap();
        let length = usize::try_from(request.length).unwrap();
        let end = if length == 0 {
            octets.len()
        } else {
            begin + length
        };
        // Pieces of three octets cut characters and line ends apart.
        let pieces: Vec<_> = octets[begin..end].chunks(3).map(piece).collect();
        Ok(Response::new(stream::iter(pieces).boxed()))
    }

    async fn get_mailbox(
        &self,
        request: Request<GetMailboxRequest>,
    ) -> Result<Response<Mailbox>, Status> {
        let user = request.into_inner().served_user;
        self.admit(&["mailbox", &user]).await?;
        let mailbox = self.state().mailboxes.get(&user).cloned();
        mailbox
            .map(Response::new)
            .ok_or_else(|| Status::not_found("no mailbox"))
    }
}

fn piece(octets: &[u8]) -> Result<ReadContentReply, Status> {
    Ok(ReadContentReply {
        octets: octets.to_vec().into(),
    })
}

#[tonic::async_trait]
impl OperatorService for Service {
    async fn push_mailbox(
        &self,
        request: Request<PushMailboxRequest>,
    ) -> Result<Response<PushMailboxReply>, Status> {
        let request = request.into_inner();
        self.admit(&["push", &request.served_user]).await?;
        self.state().pushed.push(request.clone());
        let reply = self.state().pushes.get(&request.served_user).copied();
        reply
            .map(Response::new)
            .ok_or_else(|| Status::not_found("no mailbox"))
    }

    async fn redeliver_message(
        &self,
        request: Request<MessageOrder>,
    ) -> Result<Response<Message>, Status> {
        self.change("redeliver", request, MessageState::Stored)
            .await
    }

    async fn hold_message(
        &self,
        request: Request<MessageOrder>,
    ) -> Result<Response<Message>, Status> {
        self.change("hold", request, MessageState::Held).await
    }

    async fn unhold_message(
        &self,
        request: Request<MessageOrder>,
    ) -> Result<Response<Message>, Status> {
        self.change("unhold", request, MessageState::Stored).await
    }

    async fn expire_message(
        &self,
        request: Request<MessageOrder>,
    ) -> Result<Response<Message>, Status> {
        self.change("expire", request, MessageState::Expired).await
    }

    async fn delete_message(
        &self,
        request: Request<MessageOrder>,
    ) -> Result<Response<Message>, Status> {
        self.change("delete", request, MessageState::Deleted).await
    }

    async fn recall_message(
        &self,
        request: Request<RecallMessageRequest>,
    ) -> Result<Response<Message>, Status> {
        let request = request.into_inner();
        self.admit(&["recall"]).await?;
        let first = self
            .state()
            .messages
            .first()
            .and_then(|reply| reply.message.clone());
        let mut message = first.ok_or_else(|| Status::not_found("no such message"))?;
        match request.expires_at {
            Some(at) => message.expires_at = Some(at),
            None => message.set_state(MessageState::Recalled),
        }
        self.state().recalls.push(request);
        Ok(Response::new(message))
    }

    async fn get_status(
        &self,
        _request: Request<GetStatusRequest>,
    ) -> Result<Response<proto::v1::Status>, Status> {
        self.admit(&["status"]).await?;
        Ok(Response::new(self.state().status.clone()))
    }

    // What follows is tried with the real service only.

    async fn suspend_deliveries(
        &self,
        _request: Request<SuspendDeliveriesRequest>,
    ) -> Result<Response<Suspension>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn cancel_suspension(
        &self,
        _request: Request<CancelSuspensionRequest>,
    ) -> Result<Response<Suspension>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn list_suspensions(
        &self,
        _request: Request<ListSuspensionsRequest>,
    ) -> Result<Response<ListSuspensionsReply>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn get_delivery_plan(
        &self,
        request: Request<GetDeliveryPlanRequest>,
    ) -> Result<Response<DeliveryPlan>, Status> {
        let user = request.into_inner().served_user;
        let plan = self.state().plans.get(&user).cloned();
        plan.map(Response::new)
            .ok_or_else(|| Status::not_found("no mailbox"))
    }

    async fn list_sessions(
        &self,
        _request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsReply>, Status> {
        Ok(Response::new(ListSessionsReply::default()))
    }
}

impl State {
    /// Keeps `octets` as a part of a message.
    pub(crate) fn part(mut self, id: &str, kind: PartKind, octets: &[u8]) -> Self {
        self.parts
            .insert((id.to_owned(), kind.into()), octets.to_vec());
        self
    }

    /// Refuses what concerns `key`.
    pub(crate) fn refuse(mut self, key: &str, status: Status) -> Self {
        self.refusals.insert(key.to_owned(), status);
        self
    }
}
