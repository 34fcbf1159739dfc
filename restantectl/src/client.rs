//! Calls of the operators' services, each with its deadline and its failure in words.

mod import;
mod keys;
pub(crate) mod maintenance;
mod process;
mod steering;

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use prost_types::Timestamp;
use proto::v1::account_service_client::AccountServiceClient;
use proto::v1::console_service_client::ConsoleServiceClient;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::foresee_settings_request::Order as SettingsOrder;
use proto::v1::group_service_client::GroupServiceClient;
use proto::v1::import_service_client::ImportServiceClient;
use proto::v1::job_service_client::JobServiceClient;
use proto::v1::key_service_client::KeyServiceClient;
use proto::v1::mailbox_service_client::MailboxServiceClient;
use proto::v1::maintenance_service_client::MaintenanceServiceClient;
use proto::v1::operator_service_client::OperatorServiceClient;
use proto::v1::process_service_client::ProcessServiceClient;
use proto::v1::settings_admin_service_client::SettingsAdminServiceClient;
use proto::v1::waiting_service_client::WaitingServiceClient;
use proto::v1::watch_mailbox_reply::Event;
use proto::v1::{
    Account, AddAliasRequest, AddMembersRequest, CancelJobRequest, CreateAccountRequest,
    CreateGroupRequest, CreateSignInReply, CreateSignInRequest, DeleteAccountReply,
    DeleteAccountRequest, DeleteGroupReply, DeleteGroupRequest, ExportDeferredListRequest,
    ForeseeSettingsRequest, GetGroupRequest, GetJobRequest, GetMailboxRequest, GetMessageReply,
    GetMessageRequest, GetSettingsRequest, GetStatusRequest, Group, GroupMember, Job,
    ListAccountsReply, ListAccountsRequest, ListGroupsReply, ListGroupsRequest, ListJobsReply,
    ListJobsRequest, ListLegsReply, ListLegsRequest, ListMessagesReply, ListMessagesRequest,
    ListSubscriptionsReply, ListSubscriptionsRequest, Mailbox, Message, MessageOrder,
    PushMailboxReply, PushMailboxRequest, ReadContentReply, ReadContentRequest,
    RecallMessageRequest, RemoveAliasRequest, RemoveMembersRequest, Status, UpdateGroupRequest,
    UserSettings, WatchEventsReply, WatchEventsRequest, WatchMailboxReply, WatchMailboxRequest,
};
use storage_client::{Connect, Connector, innermost};
use tonic::metadata::BinaryMetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Streaming};
use tonic_types::StatusExt;

use crate::credentials::Credentials;
use crate::exit::Failure;
use crate::moment;
use crate::output::text::escape;
use crate::server::Server;
use crate::target::{Address, MessageId};

/// A page of 1,000 messages with all their headers stays below this many octets.
const REPLY_OCTETS_MAX: usize = 64 * 1024 * 1024;

/// Where a call says why it is made, in UTF-8.
const REASON: &str = "restante-reason-bin";

/// The changes an operator can order for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Deliver a settled message again.
    Redeliver,
    /// Keep it back.
    Hold,
    /// Keep it back until then, in seconds since 1970.
    HoldUntil(i64),
    /// Offer it again.
    Unhold,
    /// End it as if its lifetime were over.
    Expire,
    /// End it, or remove its content.
    Delete,
}

/// One connection to the operators' listener.
pub(crate) struct Client {
    server: Server,
    deadline: Duration,
    /// Why it is called.
    reason: Option<BinaryMetadataValue>,
    mailboxes: MailboxServiceClient<Channel>,
    operators: OperatorServiceClient<Channel>,
    accounts: AccountServiceClient<Channel>,
    settings: SettingsAdminServiceClient<Channel>,
    waiting: WaitingServiceClient<Channel>,
    events: EventServiceClient<Channel>,
    groups: GroupServiceClient<Channel>,
    jobs: JobServiceClient<Channel>,
    console: ConsoleServiceClient<Channel>,
    keys: KeyServiceClient<Channel>,
    maintenance: MaintenanceServiceClient<Channel>,
    processes: ProcessServiceClient<Channel>,
    imports: ImportServiceClient<Channel>,
}

impl Client {
    /// Connects; `deadline` bounds this and each later answer.
    pub(crate) async fn connect(
        server: &Server,
        credentials: &Credentials,
        deadline: Duration,
    ) -> Result<Self, Failure> {
        let connector = credentials.connector(server)?;
        let channel = channel(server, connector, deadline).await;
        let channel = channel.map_err(|reason| Failure::Unreachable {
            server: server.clone(),
            reason,
        })?;
        let mailboxes = MailboxServiceClient::new(channel.clone());
        let groups = GroupServiceClient::new(channel.clone());
        let jobs = JobServiceClient::new(channel.clone());
        Ok(Self {
            mailboxes: mailboxes.max_decoding_message_size(REPLY_OCTETS_MAX),
            operators: OperatorServiceClient::new(channel.clone()),
            accounts: AccountServiceClient::new(channel.clone()),
            settings: SettingsAdminServiceClient::new(channel.clone()),
            waiting: WaitingServiceClient::new(channel.clone()),
            events: EventServiceClient::new(channel.clone()),
            keys: KeyServiceClient::new(channel.clone()),
            maintenance: MaintenanceServiceClient::new(channel.clone()),
            processes: ProcessServiceClient::new(channel.clone()),
            imports: ImportServiceClient::new(channel.clone()),
            console: ConsoleServiceClient::new(channel),
            groups: groups.max_decoding_message_size(REPLY_OCTETS_MAX),
            jobs: jobs.max_decoding_message_size(REPLY_OCTETS_MAX),
            server: server.clone(),
            deadline,
            reason: None,
        })
    }

    /// Says with every call why it is made; the audit log keeps that.
    pub(crate) fn because(self, reason: &str) -> Self {
        let reason =
            (!reason.is_empty()).then(|| BinaryMetadataValue::from_bytes(reason.as_bytes()));
        Self { reason, ..self }
    }

    /// One page of messages.
    pub(crate) async fn list(
        &mut self,
        query: ListMessagesRequest,
    ) -> Result<ListMessagesReply, Failure> {
        let request = self.request(query);
        let answer = self.mailboxes.list_messages(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// One message with its timeline.
    pub(crate) async fn message(&mut self, id: &MessageId) -> Result<GetMessageReply, Failure> {
        let request = self.request(GetMessageRequest {
            message_id: id.to_string(),
        });
        let answer = self.mailboxes.get_message(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// The octets of one part, in pieces.
    pub(crate) async fn content(&mut self, range: ReadContentRequest) -> Result<Content, Failure> {
        // No deadline for the whole: a large message may take long, but each piece must come.
        let request = self.explained(range);
        let answer = self.mailboxes.read_content(request);
        let pieces = finish(&self.server, self.deadline, answer).await?;
        Ok(Content {
            server: self.server.clone(),
            deadline: self.deadline,
            pieces,
        })
    }

    /// Counters and bindings of a served user.
    pub(crate) async fn mailbox(&mut self, user: &Address) -> Result<Mailbox, Failure> {
        let request = self.request(GetMailboxRequest {
            served_user: user.to_string(),
        });
        let answer = self.mailboxes.get_mailbox(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// The document that a served user reads of what waits for him.
    pub(crate) async fn deferred_list(&mut self, user: &Address) -> Result<String, Failure> {
        let request = self.request(ExportDeferredListRequest {
            served_user: user.to_string(),
        });
        let answer = self.mailboxes.export_deferred_list(request);
        let reply = finish(&self.server, self.deadline, answer).await?;
        Ok(reply.document)
    }

    /// Delivers what waits for a served user.
    pub(crate) async fn push(
        &mut self,
        user: &Address,
        force: bool,
    ) -> Result<PushMailboxReply, Failure> {
        let request = self.request(PushMailboxRequest {
            served_user: user.to_string(),
            force,
        });
        let answer = self.operators.push_mailbox(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Changes one message and returns it as it is then.
    pub(crate) async fn order(
        &mut self,
        order: Order,
        id: &MessageId,
        reason: &str,
    ) -> Result<Message, Failure> {
        let message = MessageOrder {
            message_id: id.to_string(),
            reason: reason.to_owned(),
            deliver_after: match order {
                Order::HoldUntil(seconds) => Some(Timestamp { seconds, nanos: 0 }),
                _ => None,
            },
        };
        let request = self.request(message);
        let operators = &mut self.operators;
        let answer = async {
            match order {
                Order::Redeliver => operators.redeliver_message(request).await,
                Order::Hold | Order::HoldUntil(_) => operators.hold_message(request).await,
                Order::Unhold => operators.unhold_message(request).await,
                Order::Expire => operators.expire_message(request).await,
                Order::Delete => operators.delete_message(request).await,
            }
        };
        finish(&self.server, self.deadline, answer).await
    }

    /// Recalls one message for its sender and returns it as it is then.
    pub(crate) async fn recall(
        &mut self,
        recall: RecallMessageRequest,
    ) -> Result<Message, Failure> {
        let request = self.request(recall);
        let answer = self.operators.recall_message(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// The service at a glance.
    pub(crate) async fn status(&mut self) -> Result<Status, Failure> {
        let request = self.request(GetStatusRequest {});
        let answer = self.operators.get_status(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// A token that signs its holder in to the console.
    pub(crate) async fn sign_in(
        &mut self,
        query: CreateSignInRequest,
    ) -> Result<CreateSignInReply, Failure> {
        let request = self.request(query);
        let answer = self.console.create_sign_in(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// One page of accounts.
    pub(crate) async fn accounts(
        &mut self,
        query: ListAccountsRequest,
    ) -> Result<ListAccountsReply, Failure> {
        let request = self.request(query);
        let answer = self.accounts.list_accounts(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Makes an account.
    pub(crate) async fn create_account(&mut self, user: &Address) -> Result<Account, Failure> {
        let request = self.request(CreateAccountRequest {
            address: user.to_string(),
        });
        let answer = self.accounts.create_account(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Forgets an account.
    pub(crate) async fn delete_account(
        &mut self,
        user: &Address,
    ) -> Result<DeleteAccountReply, Failure> {
        let request = self.request(DeleteAccountRequest {
            address: user.to_string(),
        });
        let answer = self.accounts.delete_account(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Adds an address to an account.
    pub(crate) async fn add_alias(
        &mut self,
        user: &Address,
        alias: &Address,
    ) -> Result<Account, Failure> {
        let request = self.request(AddAliasRequest {
            address: user.to_string(),
            alias: alias.to_string(),
        });
        let answer = self.accounts.add_alias(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Takes an alias away from its account.
    pub(crate) async fn remove_alias(
        &mut self,
        user: &Address,
        alias: &Address,
    ) -> Result<Account, Failure> {
        let request = self.request(RemoveAliasRequest {
            address: user.to_string(),
            alias: alias.to_string(),
        });
        let answer = self.accounts.remove_alias(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// What holds for a user, and who says so.
    pub(crate) async fn settings(&mut self, user: &Address) -> Result<UserSettings, Failure> {
        let request = self.request(GetSettingsRequest {
            address: user.to_string(),
        });
        let answer = self.settings.get_settings(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// What would hold for a user if that order were given.
    pub(crate) async fn foresee_settings(
        &mut self,
        order: SettingsOrder,
    ) -> Result<UserSettings, Failure> {
        let request = self.request(ForeseeSettingsRequest { order: Some(order) });
        let answer = self.settings.foresee_settings(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Gives an order about settings.
    pub(crate) async fn order_settings(
        &mut self,
        order: SettingsOrder,
    ) -> Result<UserSettings, Failure> {
        match order {
            SettingsOrder::Preset(order) => {
                let request = self.request(order);
                let answer = self.settings.preset_settings(request);
                finish(&self.server, self.deadline, answer).await
            }
            SettingsOrder::Override(order) => {
                let request = self.request(order);
                let answer = self.settings.override_settings(request);
                finish(&self.server, self.deadline, answer).await
            }
            SettingsOrder::Clear(order) => {
                let request = self.request(order);
                let answer = self.settings.clear_settings(request);
                finish(&self.server, self.deadline, answer).await
            }
        }
    }

    /// One page of subscriptions to the waiting indication.
    pub(crate) async fn subscriptions(
        &mut self,
        query: ListSubscriptionsRequest,
    ) -> Result<ListSubscriptionsReply, Failure> {
        let request = self.request(query);
        let answer = self.waiting.list_subscriptions(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// What happens to a mailbox from now on.
    pub(crate) async fn watch(&mut self, user: &Address) -> Result<MailboxEvents, Failure> {
        let request = Request::new(WatchMailboxRequest {
            served_user: user.to_string(),
        });
        let answer = self.waiting.watch_mailbox(request);
        let replies = finish(&self.server, self.deadline, answer).await?;
        Ok(MailboxEvents {
            server: self.server.clone(),
            deadline: self.deadline,
            replies,
        })
    }

    /// What happens to messages.
    pub(crate) async fn events(
        &mut self,
        request: WatchEventsRequest,
    ) -> Result<MessageEvents, Failure> {
        let answer = self.events.watch_events(Request::new(request));
        let replies = finish(&self.server, self.deadline, answer).await?;
        Ok(MessageEvents {
            server: self.server.clone(),
            deadline: self.deadline,
            replies,
        })
    }

    /// One page of groups, without their members.
    pub(crate) async fn groups(
        &mut self,
        query: ListGroupsRequest,
    ) -> Result<ListGroupsReply, Failure> {
        let request = self.request(query);
        let answer = self.groups.list_groups(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// A group with its members.
    pub(crate) async fn group(&mut self, uri: &str) -> Result<Group, Failure> {
        let request = self.request(GetGroupRequest {
            uri: uri.to_owned(),
        });
        let answer = self.groups.get_group(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Makes a group.
    pub(crate) async fn create_group(&mut self, group: Group) -> Result<Group, Failure> {
        let request = self.request(CreateGroupRequest { group: Some(group) });
        let answer = self.groups.create_group(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Puts a group in the place of one that is there.
    pub(crate) async fn update_group(&mut self, group: Group) -> Result<Group, Failure> {
        let request = self.request(UpdateGroupRequest {
            group: Some(group),
            expected_version: None,
        });
        let answer = self.groups.update_group(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Forgets a group.
    pub(crate) async fn delete_group(&mut self, uri: String) -> Result<DeleteGroupReply, Failure> {
        let request = self.request(DeleteGroupRequest {
            uri,
            expected_version: None,
        });
        let answer = self.groups.delete_group(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Adds members to a group.
    pub(crate) async fn add_members(
        &mut self,
        uri: String,
        members: Vec<GroupMember>,
    ) -> Result<Group, Failure> {
        let request = self.request(AddMembersRequest { uri, members });
        let answer = self.groups.add_members(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Takes members out of a group.
    pub(crate) async fn remove_members(
        &mut self,
        uri: String,
        members: Vec<String>,
    ) -> Result<Group, Failure> {
        let request = self.request(RemoveMembersRequest { uri, members });
        let answer = self.groups.remove_members(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// One page of jobs.
    pub(crate) async fn jobs(&mut self, query: ListJobsRequest) -> Result<ListJobsReply, Failure> {
        let request = self.request(query);
        let answer = self.jobs.list_jobs(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// One job.
    pub(crate) async fn job(&mut self, job: u64) -> Result<Job, Failure> {
        let request = self.request(GetJobRequest { job });
        let answer = self.jobs.get_job(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// One page of the recipients of a job.
    pub(crate) async fn legs(&mut self, query: ListLegsRequest) -> Result<ListLegsReply, Failure> {
        let request = self.request(query);
        let answer = self.jobs.list_legs(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Ends a job.
    pub(crate) async fn cancel_job(&mut self, order: CancelJobRequest) -> Result<Job, Failure> {
        let request = self.request(order);
        let answer = self.jobs.cancel_job(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// The failure of an answer that the contract does not allow.
    pub(crate) fn defect(&self, text: impl Into<String>) -> Failure {
        Failure::Defect {
            server: self.server.clone(),
            text: text.into(),
        }
    }

    /// A request that tells the server when nobody waits for the answer any more.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = self.explained(message);
        request.set_timeout(self.deadline);
        request
    }

    /// A request that says why it is made.
    fn explained<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(reason) = &self.reason {
            request.metadata_mut().insert_bin(REASON, reason.clone());
        }
        request
    }
}

/// The content of a message on its way here.
pub(crate) struct Content {
    server: Server,
    deadline: Duration,
    pieces: Streaming<ReadContentReply>,
}

impl Content {
    /// The next octets, or nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let piece = within(&self.server, self.deadline, self.pieces.message()).await?;
        Ok(piece.map(|piece| piece.octets))
    }
}

/// What happens to a mailbox.
pub(crate) struct MailboxEvents {
    server: Server,
    deadline: Duration,
    replies: Streaming<WatchMailboxReply>,
}

impl MailboxEvents {
    /// The next event, however long it takes; nothing once the server has ended the watch.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            let reply = self.replies.message().await;
            let reply = reply.map_err(|status| failure(&self.server, self.deadline, &status))?;
            match reply.map(|reply| reply.event) {
                None => return Ok(None),
                Some(Some(event)) => return Ok(Some(event)),
                // An event of a newer server.
                Some(None) => {}
            }
        }
    }
}

/// What happens to messages.
pub(crate) struct MessageEvents {
    server: Server,
    deadline: Duration,
    replies: Streaming<WatchEventsReply>,
}

impl MessageEvents {
    /// The next reply, however long it takes; nothing once the server has ended the watch.
    pub(crate) async fn next(&mut self) -> Result<Option<WatchEventsReply>, Failure> {
        let reply = self.replies.message().await;
        reply.map_err(|status| failure(&self.server, self.deadline, &status))
    }
}

async fn channel(
    server: &Server,
    connector: Option<Connector>,
    deadline: Duration,
) -> Result<Channel, String> {
    let endpoint = server.endpoint().map_err(|error| reason(&error))?;
    let connecting = async {
        match connector {
            None => endpoint.connect().await,
            Some(connector) => endpoint.connect_with_connector(Connect(connector)).await,
        }
    };
    match tokio::time::timeout(deadline, connecting).await {
        Ok(connected) => connected.map_err(|error| reason(&error)),
        Err(_) => Err(format!("no connection within {}", moment::span(deadline))),
    }
}

async fn finish<T>(
    server: &Server,
    deadline: Duration,
    answer: impl Future<Output = Result<Response<T>, tonic::Status>>,
) -> Result<T, Failure> {
    Ok(within(server, deadline, answer).await?.into_inner())
}

async fn within<T>(
    server: &Server,
    deadline: Duration,
    answer: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(deadline, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(status)) => Err(failure(server, deadline, &status)),
        Err(_) => Err(Failure::NoAnswer {
            server: server.clone(),
            waited: deadline,
        }),
    }
}

/// What a gRPC status means to an operator. The texts are the server's and may quote senders.
fn failure(server: &Server, waited: Duration, status: &tonic::Status) -> Failure {
    let server = server.clone();
    let text = sentence(status);
    match status.code() {
        Code::NotFound => Failure::Item {
            code: "not_found",
            text,
        },
        Code::FailedPrecondition => Failure::Item {
            code: "failed_precondition",
            text,
        },
        Code::AlreadyExists => Failure::Item {
            code: "already_exists",
            text,
        },
        Code::Aborted => Failure::Item {
            code: "aborted",
            text,
        },
        Code::ResourceExhausted => Failure::Item {
            code: "resource_exhausted",
            text,
        },
        Code::InvalidArgument | Code::OutOfRange => Failure::Rejected { server, text },
        Code::PermissionDenied | Code::Unauthenticated => Failure::Denied { server, text },
        Code::DeadlineExceeded | Code::Cancelled => Failure::NoAnswer { server, waited },
        // The connection broke, as when the server does not let us in: it said nothing itself.
        Code::Unavailable | Code::Unknown | Code::Internal if status.source().is_some() => {
            let reason = status.source().map(reason).unwrap_or_default();
            Failure::Unreachable { server, reason }
        }
        Code::Unavailable => Failure::Unavailable { server, text },
        Code::Unimplemented => Failure::Defect {
            server,
            text: format!("it does not know this command ({text})"),
        },
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => {
            Failure::Defect { server, text }
        }
    }
}

fn sentence(status: &tonic::Status) -> String {
    let text = match status.message() {
        "" => status.code().description().to_owned(),
        message => escape(message).into_owned(),
    };
    match status
        .get_details_retry_info()
        .and_then(|retry| retry.retry_delay)
    {
        Some(delay) => format!("{text} (try again in {})", moment::span(delay)),
        None => text,
    }
}

/// The cause of a failure on our side.
fn reason(error: &(dyn Error + 'static)) -> String {
    escape(&innermost(error)).into_owned()
}
