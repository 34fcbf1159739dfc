//! The operators' gRPC, as a client without any library of ours sees it.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use proto::v1::group_service_client::GroupServiceClient;
use proto::v1::job_service_client::JobServiceClient;
use proto::v1::mailbox_service_client::MailboxServiceClient;
use proto::v1::operator_service_client::OperatorServiceClient;
use proto::v1::waiting_service_client::WaitingServiceClient;
use proto::v1::watch_mailbox_reply::Event as Watched;
use proto::v1::{
    AddMembersRequest, CancelJobRequest, CreateGroupRequest, Event, EventKind, GetGroupRequest,
    GetJobRequest, GetMailboxRequest, GetMessageReply, GetMessageRequest, GetStatusRequest, Group,
    GroupMember, Job, JobLeg, ListJobsRequest, ListLegsRequest, ListMessagesRequest,
    ListSubscriptionsRequest, Mailbox, Message, MessageOrder, MessageState, PartKind,
    PushMailboxReply, PushMailboxRequest, ReadContentRequest, RecallMessageRequest, Status,
    Subscription, WatchMailboxReply, WatchMailboxRequest,
};
use tonic::transport::{Channel, Endpoint};

use crate::patience::{ANSWER, START, eventually, within};
use crate::target::not_against_a_target;

/// A connection to the operators' listener.
#[derive(Clone, Debug)]
pub struct Operator {
    mailboxes: MailboxServiceClient<Channel>,
    orders: OperatorServiceClient<Channel>,
    waiting: WaitingServiceClient<Channel>,
    groups: GroupServiceClient<Channel>,
    jobs: JobServiceClient<Channel>,
    /// For what takes as long as it takes.
    streams: WaitingServiceClient<Channel>,
}

impl Operator {
    /// Connects when it is first used, and again when it was lost.
    ///
    /// # Panics
    /// When the address makes no URL.
    pub fn new(address: SocketAddr) -> Self {
        let url = format!("http://{address}");
        let endpoint = Endpoint::from_shared(url).expect("a URL");
        let streams = WaitingServiceClient::new(endpoint.connect_lazy());
        let channel = endpoint.timeout(ANSWER).connect_lazy();
        Self {
            mailboxes: MailboxServiceClient::new(channel.clone()),
            orders: OperatorServiceClient::new(channel.clone()),
            waiting: WaitingServiceClient::new(channel.clone()),
            groups: GroupServiceClient::new(channel.clone()),
            jobs: JobServiceClient::new(channel),
            streams,
        }
    }

    /// One page of messages.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn page(
        &self,
        request: ListMessagesRequest,
    ) -> Result<(Vec<Message>, String), tonic::Status> {
        let reply = self
            .mailboxes
            .clone()
            .list_messages(request)
            .await?
            .into_inner();
        Ok((reply.messages, reply.next_page_token))
    }

    /// All messages of a user, in the order of the mailbox; of everybody if the user is empty.
    ///
    /// # Panics
    /// When the service refuses.
    pub async fn list(&self, served_user: &str) -> Vec<Message> {
        if served_user.is_empty() {
            not_against_a_target("counts the messages of everybody");
        }
        let mut messages = Vec::new();
        let mut request = ListMessagesRequest {
            served_user: served_user.to_owned(),
            page_size: 1_000,
            ..ListMessagesRequest::default()
        };
        loop {
            let (page, token) = self.page(request.clone()).await.expect("a list");
            messages.extend(page);
            if token.is_empty() {
                return messages;
            }
            request.page_token = token;
        }
    }

    /// The one message that a user has.
    ///
    /// # Panics
    /// When there are more or fewer.
    pub async fn only(&self, served_user: &str) -> Message {
        let mut messages = self.list(served_user).await;
        assert_eq!(
            messages.len(),
            1,
            "messages of {served_user}: {messages:#?}"
        );
        messages.remove(0)
    }

    /// A message with its timeline.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn message(&self, id: &str) -> Result<GetMessageReply, tonic::Status> {
        let request = GetMessageRequest {
            message_id: id.to_owned(),
        };
        Ok(self
            .mailboxes
            .clone()
            .get_message(request)
            .await?
            .into_inner())
    }

    /// Where a message is in its life.
    ///
    /// # Panics
    /// When there is no such message.
    pub async fn state(&self, id: &str) -> MessageState {
        let reply = self.message(id).await.expect("a message");
        reply.message.expect("always set").state()
    }

    /// The octets of the stored request.
    ///
    /// # Panics
    /// When they cannot be read.
    pub async fn request_octets(&self, id: &str) -> Vec<u8> {
        self.part(id, PartKind::Message).await
    }

    /// The octets of a part of a message.
    ///
    /// # Panics
    /// When they cannot be read.
    pub async fn part(&self, id: &str, part: PartKind) -> Vec<u8> {
        self.content(id, part).await.expect("content")
    }

    /// The octets of a part of a message.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn content(&self, id: &str, part: PartKind) -> Result<Vec<u8>, tonic::Status> {
        let request = ReadContentRequest {
            message_id: id.to_owned(),
            part: part.into(),
            ..ReadContentRequest::default()
        };
        let reply = self.mailboxes.clone().read_content(request).await?;
        let mut pieces = reply.into_inner();
        let mut octets = Vec::new();
        while let Some(piece) = pieces.message().await? {
            octets.extend(piece.octets);
        }
        Ok(octets)
    }

    /// Counters and bindings of a user.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn mailbox(&self, served_user: &str) -> Result<Mailbox, tonic::Status> {
        let request = GetMailboxRequest {
            served_user: served_user.to_owned(),
        };
        Ok(self
            .mailboxes
            .clone()
            .get_mailbox(request)
            .await?
            .into_inner())
    }

    /// Delivers what waits for a user.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn push(
        &self,
        served_user: &str,
        force: bool,
    ) -> Result<PushMailboxReply, tonic::Status> {
        let request = PushMailboxRequest {
            served_user: served_user.to_owned(),
            force,
        };
        Ok(self
            .orders
            .clone()
            .push_mailbox(request)
            .await?
            .into_inner())
    }

    /// Has a settled message delivered again.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn redeliver(&self, id: &str) -> Result<Message, tonic::Status> {
        let reply = self.orders.clone().redeliver_message(order(id)).await?;
        Ok(reply.into_inner())
    }

    /// Takes a message out of delivery.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn hold(&self, id: &str) -> Result<Message, tonic::Status> {
        let reply = self.orders.clone().hold_message(order(id)).await?;
        Ok(reply.into_inner())
    }

    /// Keeps a message back for so long from now.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn hold_for(&self, id: &str, span: Duration) -> Result<Message, tonic::Status> {
        let order = MessageOrder {
            deliver_after: Some((SystemTime::now() + span).into()),
            ..order(id)
        };
        let reply = self.orders.clone().hold_message(order).await?;
        Ok(reply.into_inner())
    }

    /// Puts a held message back.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn unhold(&self, id: &str) -> Result<Message, tonic::Status> {
        let reply = self.orders.clone().unhold_message(order(id)).await?;
        Ok(reply.into_inner())
    }

    /// Removes a message.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn delete(&self, id: &str) -> Result<Message, tonic::Status> {
        let reply = self.orders.clone().delete_message(order(id)).await?;
        Ok(reply.into_inner())
    }

    /// Recalls a message for its sender.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn recall(&self, wish: RecallMessageRequest) -> Result<Message, tonic::Status> {
        let reply = self.orders.clone().recall_message(wish).await?;
        Ok(reply.into_inner())
    }

    /// Ends the lifetime of a message.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn expire(&self, id: &str) -> Result<Message, tonic::Status> {
        let reply = self.orders.clone().expire_message(order(id)).await?;
        Ok(reply.into_inner())
    }

    /// What happened to a message, in its order.
    ///
    /// # Panics
    /// When there is no such message.
    pub async fn timeline(&self, id: &str) -> Vec<EventKind> {
        let reply = self.message(id).await.expect("a message");
        reply.timeline.iter().map(Event::kind).collect()
    }

    /// Waits until a message is in this state.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn until(&self, id: &str, state: MessageState) {
        let what = format!("{id} to be {state:?}");
        eventually(START, &what, async || {
            (self.state(id).await == state).then_some(())
        })
        .await;
    }

    /// Subscriptions of a user; none if he has no mailbox.
    ///
    /// # Panics
    /// When the service refuses for another reason.
    pub async fn subscriptions(&self, served_user: &str) -> Vec<Subscription> {
        let request = ListSubscriptionsRequest {
            served_user: served_user.to_owned(),
            ..ListSubscriptionsRequest::default()
        };
        match self.waiting.clone().list_subscriptions(request).await {
            Ok(reply) => reply.into_inner().subscriptions,
            Err(status) if status.code() == tonic::Code::NotFound => Vec::new(),
            Err(status) => panic!("no list of subscriptions: {status}"),
        }
    }

    /// Makes a group.
    ///
    /// # Panics
    /// When the service refuses.
    pub async fn create_group(&self, group: Group) -> Group {
        let request = CreateGroupRequest { group: Some(group) };
        let made = self.groups.clone().create_group(request).await;
        made.expect("a group").into_inner()
    }

    /// A group with its members.
    ///
    /// # Panics
    /// When there is none.
    pub async fn group(&self, uri: &str) -> Group {
        let request = GetGroupRequest {
            uri: uri.to_owned(),
        };
        let found = self.groups.clone().get_group(request).await;
        found.expect("a group").into_inner()
    }

    /// Adds a member to a group.
    ///
    /// # Panics
    /// When the service refuses.
    pub async fn add_member(&self, group: &str, member: &str) {
        let request = AddMembersRequest {
            uri: group.to_owned(),
            members: vec![GroupMember {
                uri: member.to_owned(),
                display_name: String::new(),
            }],
        };
        let added = self.groups.clone().add_members(request).await;
        added.expect("a group");
    }

    /// A fan-out job.
    ///
    /// # Panics
    /// When there is none.
    pub async fn job(&self, job: u64) -> Job {
        let found = self.jobs.clone().get_job(GetJobRequest { job }).await;
        found.expect("a job").into_inner()
    }

    /// All jobs, the newest first, at most a thousand.
    ///
    /// # Panics
    /// When the service refuses.
    pub async fn jobs(&self) -> Vec<Job> {
        let request = ListJobsRequest {
            page_size: 1_000,
            ..ListJobsRequest::default()
        };
        let found = self.jobs.clone().list_jobs(request).await;
        found.expect("jobs").into_inner().jobs
    }

    /// Ends a fan-out job.
    ///
    /// # Panics
    /// When the service refuses.
    pub async fn cancel_job(&self, job: u64) {
        let request = CancelJobRequest {
            job,
            ..CancelJobRequest::default()
        };
        let cancelled = self.jobs.clone().cancel_job(request).await;
        cancelled.expect("a running job");
    }

    /// The legs of a job, the first thousand.
    ///
    /// # Panics
    /// When there is no such job.
    pub async fn legs(&self, job: u64) -> Vec<JobLeg> {
        let request = ListLegsRequest {
            job,
            page_size: 1_000,
            ..ListLegsRequest::default()
        };
        let found = self.jobs.clone().list_legs(request).await;
        found.expect("a job").into_inner().legs
    }

    /// Follows a mailbox.
    ///
    /// # Panics
    /// When the service refuses.
    pub async fn watch(&self, served_user: &str) -> MailboxWatch {
        let request = WatchMailboxRequest {
            served_user: served_user.to_owned(),
        };
        let events = self.streams.clone().watch_mailbox(request).await;
        MailboxWatch(events.expect("a watch").into_inner())
    }

    /// The service at a glance.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn status(&self) -> Status {
        let answer = within(
            ANSWER,
            "a status",
            self.orders.clone().get_status(GetStatusRequest {}),
        )
        .await;
        answer.expect("a status").into_inner()
    }
}

/// What a test orders.
fn order(id: &str) -> MessageOrder {
    MessageOrder {
        message_id: id.to_owned(),
        reason: "a test".to_owned(),
        deliver_after: None,
    }
}

/// A mailbox as it changes.
#[derive(Debug)]
pub struct MailboxWatch(tonic::Streaming<WatchMailboxReply>);

impl MailboxWatch {
    async fn next(&mut self) -> Watched {
        let next = within(ANSWER, "an event of a mailbox", self.0.message()).await;
        let event = next.expect("an open stream").and_then(|reply| reply.event);
        event.expect("an event")
    }

    /// The next event, which is counters.
    ///
    /// # Panics
    /// When it is not.
    pub async fn counters(&mut self) -> Mailbox {
        match self.next().await {
            Watched::Mailbox(mailbox) => mailbox,
            other => panic!("no counters: {other:?}"),
        }
    }

    /// The next event, which is a message; its id and state.
    ///
    /// # Panics
    /// When it is not.
    pub async fn message(&mut self) -> (String, String) {
        match self.next().await {
            Watched::Message(message) => {
                let state = message.state().as_str_name().to_owned();
                let state = state.trim_start_matches("MESSAGE_STATE_").to_owned();
                (message.message_id, state)
            }
            other => panic!("no message: {other:?}"),
        }
    }
}
