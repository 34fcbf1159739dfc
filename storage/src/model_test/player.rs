//! Plays steps on one engine and writes down what it answers.

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;

use super::history::{BODIES, Ending, Nth, PublishKind, Step, User};
use crate::battery::reports::request;
use crate::battery::uploads::large_deposit;
use crate::battery::{Bench, Engine, MINUTE, START, address, deposit_to, registration};
use crate::config::{DeliveryScope, Quota, StoreConfig};
use crate::model::{
    Admission, AdmissionOutcome, Binding, BindingChange, ClaimGrant, ClaimRequest, ClaimToken,
    Deposit, DepositOutcome, Device, Entity, EntityTag, Generation, ListQuery, MailboxId,
    MessageNumber, Order, PartKind, Publish, PublishChange, Recall, Registration, ReleaseOutcome,
    Sequence, Setting, SettingValues, SettingsOrder, Settlement, TakeLimit, UploadId, Verb,
};
use crate::rule::duplicate::sha256;
use crate::store::Store;

pub(super) struct Player<E> {
    bench: Bench<E>,
    /// Granted claims, newest first.
    claims: Vec<ClaimToken>,
    cseq: u32,
    /// Counts PUBLISHes: their tags.
    tags: u64,
    /// Of this life of the store, newest first.
    uploads: Vec<Begun>,
}

/// An upload that was admitted.
#[derive(Clone, Copy)]
struct Begun {
    id: UploadId,
    user: User,
    octets: usize,
}

const HOUR: Duration = Duration::from_secs(3_600);

const USERS: [&str; 4] = ["bob", "carol", "dave", "erin"];

fn name(user: User) -> &'static str {
    USERS[usize::from(user) % USERS.len()]
}

/// The device of a number; the first has no instance.
fn instance(device: u8) -> Device {
    match device {
        0 => Device::default(),
        _ => Device::new(format!("<urn:uuid:{device}>")),
    }
}

fn number(nth: Nth) -> MessageNumber {
    MessageNumber(START.0 * 1_000 + nth)
}

fn told(answer: impl Debug) -> String {
    format!("{answer:?}")
}

fn decided(outcome: DepositOutcome) -> String {
    match outcome {
        DepositOutcome::Stored(receipt) => told(("stored", receipt.into_inner())),
        DepositOutcome::IdReused(receipt) => told(("id reused", receipt.into_inner())),
        DepositOutcome::Duplicate(receipt) => told(("duplicate", receipt.into_inner())),
        DepositOutcome::Refused(refusal) => told(refusal),
    }
}

impl<E: Engine> Player<E> {
    pub(super) fn new(scope: DeliveryScope) -> Self {
        let config = StoreConfig {
            scope,
            quota: Quota {
                messages: 5,
                octets: 900_000,
                imdn: 2,
            },
            ..StoreConfig::default()
        };
        Self {
            bench: Bench::with(config),
            claims: Vec::new(),
            cseq: 0,
            tags: 0,
            uploads: Vec::new(),
        }
    }

    pub(super) async fn reopen(self) -> Self {
        Self {
            bench: self.bench.reopen().await,
            uploads: Vec::new(),
            ..self
        }
    }

    pub(super) async fn crash(self) -> Self {
        Self {
            bench: self.bench.crash().await,
            uploads: Vec::new(),
            ..self
        }
    }

    pub(super) fn store(&self) -> &E::Store {
        self.bench.store()
    }

    fn claim(&self, older: bool) -> ClaimToken {
        let nobody = ClaimToken {
            mailbox: MailboxId(1),
            generation: Generation(0),
        };
        let claim = self.claims.get(usize::from(older));
        claim.copied().unwrap_or(nobody)
    }

    /// What the store says to one step.
    pub(super) async fn play(&mut self, step: &Step) -> String {
        match step {
            Step::Deposit { .. } => self.deposit(step).await,
            Step::Claim(_)
            | Step::Take { .. }
            | Step::Acknowledge { .. }
            | Step::Renew { .. }
            | Step::Release { .. } => self.deliver(step).await,
            Step::Order(nth, verb) => self.order(*nth, *verb).await,
            Step::Recall {
                nth,
                expires,
                promised,
            } => self.recall(*nth, *expires, *promised).await,
            Step::Advance(duration) => {
                self.bench.clock.advance(*duration);
                String::new()
            }
            Step::Sweep => self.sweep().await,
            Step::Reopen | Step::Crash => String::new(),
            Step::Admit { .. }
            | Step::Stage { .. }
            | Step::CommitUpload { .. }
            | Step::Abandon { .. }
            | Step::Upload { .. } => self.upload(step).await,
            Step::ReadBody { nth, from, length } => self.read_body(*nth, *from, *length).await,
            Step::Look(nth) => self.look(*nth).await,
            Step::List { .. } => self.list(step).await,
            Step::Publish { .. } => self.publish(step).await,
            _ => self.change_account(step).await,
        }
    }

    async fn deposit(&self, step: &Step) -> String {
        let Step::Deposit {
            user,
            call,
            class,
            priority,
            lifetime,
        } = step
        else {
            return String::new();
        };
        let deposit = Deposit {
            class: *class,
            priority: *priority,
            lifetime: *lifetime,
            report_request: (call % 2 == 0).then(request),
            traceparent: None,
            leg: None,
            ..deposit_to(name(*user), &format!("call-{call}"), "hi")
        };
        decided(self.bench.deposit(deposit).await)
    }

    /// Rows that a crash has left behind are nothing the model knows of.
    async fn sweep(&self) -> String {
        let swept = self.bench.sweep().await;
        told((swept.expired, swept.contents_removed, swept.more))
    }

    async fn upload(&mut self, step: &Step) -> String {
        match *step {
            Step::Admit {
                user,
                body,
                is_announced,
            } => self.admit(user, BODIES[body], is_announced).await,
            Step::Stage {
                upload,
                from,
                upto,
                content,
            } => self.stage(upload, (from, upto), content).await,
            Step::CommitUpload { upload, msrp } => self.commit(upload, msrp).await,
            Step::Abandon { upload } => {
                let Begun { id, .. } = self.upload_at(upload);
                self.bench.store().abandon(id).await;
                String::new()
            }
            Step::Upload {
                user,
                body,
                msrp,
                content,
            } => {
                let mut all = vec![self.admit(user, BODIES[body], true).await];
                all.push(self.stage(0, (0, 16), content).await);
                all.push(self.commit(0, msrp).await);
                all.join(" ")
            }
            _ => String::new(),
        }
    }

    fn upload_at(&self, place: usize) -> Begun {
        let nobodys = Begun {
            id: UploadId(u64::MAX - 1),
            user: 0,
            octets: BODIES[0],
        };
        self.uploads.get(place).copied().unwrap_or(nobodys)
    }

    async fn admit(&mut self, user: User, octets: usize, is_announced: bool) -> String {
        let admission = Admission {
            sender: Some(address("alice")),
            sender_exempt: false,
            served_user: address(name(user)),
            announced_octets: is_announced.then_some(octets as u64),
            file_transfer: false,
        };
        match self.bench.store().admit(admission).await {
            Ok(AdmissionOutcome::Admitted { upload, max_octets }) => {
                let id = upload;
                self.uploads.insert(0, Begun { id, user, octets });
                told(max_octets)
            }
            other => told(other),
        }
    }

    async fn stage(&self, upload: usize, (from, upto): (usize, usize), content: u8) -> String {
        let Begun { id, octets, .. } = self.upload_at(upload);
        let (from, upto) = (octets * from / 16, octets * upto / 16);
        let octets: Bytes = (from..upto.max(from))
            .map(|place| u8::try_from(place / 9 % 251).expect("small") ^ content)
            .collect();
        let store = self.bench.store();
        told(store.stage(id, from as u64, octets).await)
    }

    async fn commit(&self, upload: usize, msrp: u8) -> String {
        let Begun { id, user, octets } = self.upload_at(upload);
        let deposit = large_deposit(name(user), &format!("msrp-{msrp}"), octets);
        let outcome = self.bench.store().commit_upload(id, deposit).await;
        match outcome {
            Ok(outcome) => decided(outcome),
            Err(error) => told(error),
        }
    }

    /// Its hash and length: strings of whole bodies would be long.
    async fn read_body(&self, nth: Nth, from: usize, length: usize) -> String {
        let kind = PartKind::SendBody;
        let store = self.bench.store();
        let read = store
            .read_part(number(nth), kind, from as u64, length)
            .await;
        told(read.map(|octets| (octets.len(), sha256(&octets))))
    }

    /// Ends what is under way, and sweeps until nothing is left of it.
    pub(super) async fn forget_uploads(&self) {
        for upload in &self.uploads {
            self.bench.store().abandon(upload.id).await;
        }
        self.bench.clock.advance(2 * HOUR);
        while self.bench.sweep().await.more {}
    }

    async fn deliver(&mut self, step: &Step) -> String {
        let store = self.bench.store();
        match *step {
            Step::Claim(user) => {
                let mailbox = store.mailbox(address(name(user))).await;
                let request = ClaimRequest {
                    mailbox: mailbox.ok().flatten().unwrap_or(MailboxId(999)),
                    edge: "edge-1".to_owned(),
                    lease: MINUTE,
                };
                let grant = store.claim(request).await;
                if let Ok(ClaimGrant::Granted(claim)) = grant {
                    self.claims.insert(0, claim);
                }
                told(grant)
            }
            Step::Take {
                older,
                messages,
                device,
            } => {
                let limit = TakeLimit {
                    messages,
                    octets: u64::MAX,
                };
                let (claim, device) = (self.claim(older), device.map(instance));
                let taken = store.take_for(claim, device, Sequence(0), limit).await;
                told(taken)
            }
            Step::Acknowledge {
                older,
                nth,
                ending,
                device,
            } => {
                let (claim, device) = (self.claim(older), device.map(instance));
                let (number, settlement) = (number(nth), settlement(ending));
                let settled = store.acknowledge_for(claim, device, number, settlement);
                told(settled.await)
            }
            Step::Renew { older } => told(store.renew(self.claim(older), MINUTE).await),
            Step::Release {
                older,
                last_seen,
                failed,
            } => {
                let reason = if failed { "INVITE 480" } else { "" }.to_owned();
                let last_seen = Sequence(number(last_seen).0);
                let outcome = ReleaseOutcome { reason };
                told(store.release(self.claim(older), last_seen, outcome).await)
            }
            _ => String::new(),
        }
    }

    async fn order(&self, nth: Nth, verb: Verb) -> String {
        let order = Order {
            verb,
            actor: "operator".to_owned(),
            reason: "as asked".to_owned(),
        };
        told(self.bench.store().carry_out(number(nth), order).await)
    }

    async fn recall(&self, nth: Nth, expires: Option<Duration>, promised: bool) -> String {
        let now = crate::model::Clock::now(&*self.bench.clock);
        let recall = Recall {
            number: number(nth),
            sender: address("alice"),
            expires_at: expires.map(|after| now.after(after)),
            actor: "sender".to_owned(),
            reason: "a mistake".to_owned(),
            withdrawn: promised.then(|| self.claim(false)),
        };
        told(self.bench.store().recall(recall).await)
    }

    async fn change_account(&mut self, step: &Step) -> String {
        let store = self.bench.store();
        match *step {
            Step::Register {
                user,
                device,
                alias,
                ends,
            } => {
                self.cseq += 1;
                let registration = register(user, device, alias, ends, self.cseq);
                told(store.register(registration).await)
            }
            Step::AddAlias(user, alias) => {
                let user = address(name(user));
                told(store.add_alias(user, address(name(alias))).await)
            }
            Step::RemoveAlias(alias) => told(store.remove_alias(address(name(alias))).await),
            Step::CreateAccount(user) => told(store.create_account(address(name(user))).await),
            Step::DeleteAccount(user) => told(store.delete_account(address(name(user))).await),
            Step::Override(user, lasting) => {
                let order = override_order(lasting);
                told(store.order_settings(address(name(user)), order).await)
            }
            _ => String::new(),
        }
    }

    async fn publish(&mut self, step: &Step) -> String {
        let Step::Publish {
            user,
            publisher,
            setting,
            active,
            kind,
            nth,
            lifetime,
        } = *step
        else {
            return String::new();
        };
        self.tags += 1;
        let old = EntityTag(self.tags.saturating_sub(nth));
        let entities = vec![Entity {
            id: "urn:uuid:1".to_owned(),
            values: SettingValues::default().with(setting, active),
        }];
        let publish = Publish {
            served_user: address(name(user)),
            publisher: address(name(publisher)),
            change: match kind {
                PublishKind::Initial => PublishChange::Initial(entities),
                PublishKind::Modify => PublishChange::Modify(old, entities),
                PublishKind::Refresh => PublishChange::Refresh(old),
                PublishKind::Remove => PublishChange::Remove(old),
            },
            lifetime,
            tag: EntityTag(self.tags),
        };
        told(self.bench.store().publish(publish).await)
    }

    async fn look(&self, nth: Nth) -> String {
        let store = self.bench.store();
        let number = number(nth);
        let kind = PartKind::Message;
        told((
            store.message(number).await,
            store.timeline(number).await,
            store.read_part(number, kind, 3, 20).await,
            self.read_body(nth, 0, usize::MAX).await,
        ))
    }

    async fn list(&self, step: &Step) -> String {
        let Step::List {
            user,
            state,
            page_size,
        } = step
        else {
            return String::new();
        };
        let query = ListQuery {
            served_user: user.map(|user| address(name(user))),
            states: state.iter().copied().collect(),
            page_size: *page_size,
            ..ListQuery::default()
        };
        told(self.bench.store().list(query).await)
    }

    /// All that can be asked, at the end of a history.
    pub(super) async fn everything(&self) -> Vec<String> {
        let store = self.bench.store();
        let mut all = vec![
            told(store.list_accounts(None, 100).await),
            told(store.reachable_with_waiting(None, 100).await),
        ];
        for user in USERS {
            let mailbox = store.mailbox(address(user)).await;
            all.push(told(&mailbox));
            if let Ok(Some(mailbox)) = mailbox {
                all.push(told(store.summary(mailbox).await));
                all.push(told(store.registration(mailbox).await));
                all.push(told(store.account(mailbox).await));
                all.push(told(store.settings(mailbox).await));
            }
        }
        for nth in 0..60 {
            all.push(self.look(nth).await);
        }
        all
    }
}

fn override_order(lasting: Option<(Setting, bool, Duration)>) -> SettingsOrder {
    match lasting {
        Some((setting, active, lifetime)) => SettingsOrder::Override {
            values: SettingValues::default().with(setting, active),
            reason: "as asked".to_owned(),
            actor: "operator".to_owned(),
            lifetime: Some(lifetime),
        },
        None => SettingsOrder::Clear { preset: true },
    }
}

fn settlement(ending: Ending) -> Settlement {
    let reason = "MSRP 413".to_owned();
    match ending {
        Ending::Delivered => Settlement::Delivered {
            by: "MSRP 200".to_owned(),
        },
        Ending::Refused => Settlement::Refused { reason },
        Ending::Failed => Settlement::Failed {
            reason,
            refusal: false,
        },
        Ending::RefusedThisTime => Settlement::Failed {
            reason,
            refusal: true,
        },
    }
}

fn register(user: User, device: u8, alias: Option<User>, ends: bool, cseq: u32) -> Registration {
    let contact = format!("sip:device{device}@192.0.2.1");
    let bind = registration(name(user), &contact, cseq);
    let unbind = BindingChange::Unbind {
        contact,
        instance: String::new(),
        reg_id: 0,
    };
    Registration {
        aliases: alias
            .map(|alias| address(name(alias)))
            .into_iter()
            .collect(),
        changes: match ends {
            true => vec![unbind],
            false => bind
                .changes
                .into_iter()
                .map(|change| for_a_month(change, device))
                .collect(),
        },
        ..bind
    }
}

fn for_a_month(change: BindingChange, device: u8) -> BindingChange {
    match change {
        BindingChange::Bind(binding) => BindingChange::Bind(Binding {
            expires_at: START.after(MINUTE * 60 * 24 * 30),
            instance: instance(device).as_str().to_owned(),
            ..binding
        }),
        other => other,
    }
}
