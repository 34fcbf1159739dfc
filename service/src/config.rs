//! Configuration of the storage service: what is written, and what it means to the parts.

mod audit;
mod delivery;
mod encryption;
mod maintenance;
mod security;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use daemon::config::{Document, Octets, Section, SectionDoc};
use daemon::http_client::Root;
use daemon::secret::Secret;
use storage::StoreConfig;
use storage::config as store;
use storage::model::Setting;

pub(crate) use self::audit::AuditLog;
pub(crate) use self::delivery::{Delivery, DeliveryMode, DeliveryScope};
use self::encryption::InlineKeys;
pub(crate) use self::maintenance::Maintenance;
pub(crate) use self::security::{GrpcTls, Reflection, Roles};
use crate::scheduler::Policy;

daemon::section! {
    /// Keys shared by all processes.
    pub struct Common in "" {
        /// Who has a mailbox: `open`, everybody the core lets through; `listed`, the accounts and
        /// aliases that an operator has made.
        provisioning: Provisioning = "open",
    }
}

daemon::choice! {
    /// Who has a mailbox (PFM-09).
    pub enum Provisioning {
        /// Every user of a served domain: the core has admitted him.
        Open = "open",
        /// Accounts and aliases made by an operator.
        Listed = "listed",
    }
}

daemon::choice! {
    /// What becomes of a message for a full mailbox (requirements §3.6).
    pub enum MailboxFull {
        /// It is refused.
        RejectNew = "reject-new",
        /// The oldest messages make way.
        DropOldest = "drop-oldest",
    }
}

daemon::section! {
    /// The storage service: mailboxes over gRPC.
    pub struct Process in "storage" {
        /// Folder of the store; made if it does not exist.
        data_dir: PathBuf = "data",
        /// Name in the Message-IDs. Choose it once: a change makes the Message-IDs jump.
        hostname: String = "localhost",
        /// Address for the edges: deposits, deliveries, registrations.
        listen: SocketAddr = "127.0.0.1:7400",
        /// Address for operators: reading and steering what is stored.
        operator_listen: SocketAddr = "127.0.0.1:7401",
        /// Unix socket for operators on this machine, besides the address.
        operator_socket: Option<PathBuf> = "off",
        /// Address of `/livez`, `/readyz` and `/metrics`.
        admin_listen: SocketAddr = "127.0.0.1:9400",
        /// Accept that gRPC is reachable from beyond this machine without TLS.
        insecure: bool = false,
        /// Whether gRPC tells what it offers (server reflection): `auto` means while both listeners are on loopback.
        reflection: Reflection = "auto",
        /// File of the master keys, `ID:KEY` by line, mode 0600: contents and names are encrypted with them, and lost without them.
        master_key_file: Option<PathBuf> = "off",
        /// The same keys themselves, separated by commas: for the environment.
        master_keys: Option<InlineKeys> = "off",
        /// Memory for cached blocks of the store.
        cache: Octets = "128MiB",
        /// Open although the log was cut in its middle, as after a disk lost writes; what came after
        /// the cut is given up and the Message-IDs jump.
        accept_truncated_wal: bool = false,
        /// Deposits that one edge may have unanswered.
        window: u32 = 4096,
        /// How long a drain waits for what is under way.
        drain_time: Duration = "30s",
    }
}

daemon::section! {
    /// How long what is kept.
    pub struct Retention in "retention" {
        /// Lifetime of a message whose sender asked for none.
        default: Duration = "7d" => Reload,
        /// The same of a delivery report, or another notification.
        imdn: Duration = "7d" => Reload,
        /// Longest lifetime of an undelivered message.
        max: Duration = "30d" => Reload,
        /// How long the content of a delivered message stays, for redelivery; `0s` removes it at once.
        delivered: Duration = "24h" => Reload,
        /// How long the timeline of a settled message stays.
        timeline: Duration = "7d" => Reload,
        /// How long a delivery report is tried that does not reach its sender.
        reports: Duration = "24h" => Reload,
    }
}

daemon::section! {
    /// How a retry of a sender is recognised.
    pub struct Dedupe in "dedupe" {
        /// How long, from acceptance; also after the message has left.
        window: Duration = "24h" => Reload,
    }
}

daemon::section! {
    /// Bounds of a mailbox and of the disk.
    pub struct Limits in "limits" {
        /// Undelivered messages of one mailbox.
        mailbox_messages: u64 = 1000 => Reload,
        /// Undelivered octets of one mailbox.
        mailbox_octets: Octets = "50MiB" => Reload,
        /// Undelivered notifications of one mailbox, which have a quota of their own.
        mailbox_imdn: u64 = 200 => Reload,
        /// What becomes of a message for a full mailbox: `reject-new`, it is refused; `drop-oldest`, the oldest messages make
        /// way, urgent ones after all others and for urgent ones only.
        mailbox_full: MailboxFull = "reject-new" => Reload,
        /// Messages of one sender that are stored and undelivered, over all mailboxes; `off`: no bound. What stores
        /// send of themselves and copies of messages to groups do not count.
        sender_stored: Option<u64> = 10000 => Reload,
        /// Octets of one sender that are stored and undelivered; `off`: no bound.
        sender_stored_octets: Option<Octets> = "200MiB" => Reload,
        /// When a sender may try again who met a full mailbox, or has too much stored himself.
        full_retry_after: Duration = "1h" => Reload,
        /// Large messages that may arrive at a time.
        uploads: u32 = 1024,
        /// How long the place stays reserved for a large message of which nothing arrives.
        upload_lease: Duration = "60s",
        /// Memory for those of them that have at most 256 KiB, while they arrive.
        upload_memory: Octets = "16MiB",
        /// Free disk below which nothing more is accepted.
        disk_reserve: Octets = "256MiB",
    }
}

daemon::section! {
    /// Push sessions: when deferred messages are pushed to a user who is registered.
    pub struct Push in "push" {
        /// Time from a registration to its push.
        delay: Duration = "1s" => Reload,
        /// Time from a deposit for a registered user to its push; `off`: the message waits for the
        /// next registration.
        on_deposit: Option<Duration> = "5s" => Reload,
        /// How long a claim lives that its edge does not renew.
        lease: Duration = "60s",
        /// Push sessions at a time, over all edges.
        max_sessions: u32 = 1024 => Reload,
        /// Deliveries that begin per second, over all edges, so that a crowd that registers leaves messages that come in
        /// their part of the machine; 0: no bound. With four processors or more it may be raised.
        rate: u32 = 250 => Reload,
        /// Pauses before further tries within one registration.
        backoff: Vec<Duration> = ["30s", "2m", "10m"] => Reload,
        /// Rest of a next hop that is down and gave no Retry-After.
        hop_pause: Duration = "10s" => Reload,
        /// Refusals of a message on distinct registrations after which it is a dead letter.
        max_refusals: u32 = 3 => Reload,
        /// Mailboxes planned per second after a restart.
        restart_rate: u32 = 200,
    }
}

daemon::section! {
    /// What holds for a user about whose settings neither he nor an operator says anything.
    pub struct Settings in "settings" {
        /// Push deferred messages when he registers; `false`: they wait for his retrieval, and his
        /// waiting indication tells of them.
        offline_delivery: bool = true,
    }
}

daemon::section! {
    /// Events out: what happens to messages, told to gateways that wake phones or send SMS. No content.
    pub struct Events in "events" {
        /// Keep a log of what happens to messages, for `WatchEvents` and the webhook.
        enabled: bool = false,
        /// How long an event is kept for those who come later.
        retention: Duration = "24h",
        /// Events that are kept at most; beyond them the oldest go.
        max_events: u64 = 1000000,
        /// Where events are posted as they happen: `https://HOST[:PORT]/PATH`.
        webhook: Option<String> = "off",
        /// Signs what is posted.
        webhook_secret: Option<Secret> = "off",
        /// File whose first line is that secret.
        webhook_secret_file: Option<PathBuf> = "off",
        /// PEM file of the authorities that the certificate of the webhook must lead to.
        webhook_ca: PathBuf = "/etc/ssl/certs/ca-certificates.crt",
        /// How long the webhook may take to answer.
        webhook_timeout: Duration = "10s",
        /// Accept that events are posted in clear beyond this machine.
        insecure: bool = false,
    }
}

daemon::section! {
    /// The controlling function: messages to groups and lists.
    pub struct FanOut in "cf" {
        /// Recipients that one sender may address per minute; one message may overdraw it. 0: no bound.
        sender_fanout_rate: u32 = 2000 => Reload,
        /// Unfinished fan-out jobs of one sender.
        sender_jobs: u32 = 10000 => Reload,
        /// Octets of the largest message to many; a controlling edge may take less.
        max_large: Octets = "10MiB" => Reload,
        /// Groups that one user makes by documents; operators are not bound.
        groups_per_owner: u32 = 100 => Reload,
        /// Legs handed to controlling edges per second, over all of them.
        leg_rate: u32 = 10000,
        /// How long the claim of a leg lives that its edge does not renew.
        leg_lease: Duration = "60s",
    }
}

daemon::section! {
    /// Delivery reports to senders who asked for them.
    pub struct Reports in "reports" {
        /// Reports to one sender per second. 0: no bound.
        sender_rate: u32 = 10 => Reload,
        /// Reports per second, over all senders and edges.
        rate: u32 = 200,
        /// How long an edge that has claimed a report has for it: longer than three transactions of SIP last, 96s, since where
        /// one host of the next hop is silent another is tried; or reports are sent twice.
        lease: Duration = "2m",
    }
}

impl Events {
    /// Where events are posted.
    pub(crate) fn webhook_root(&self) -> Option<Root> {
        self.webhook.as_deref()?.parse().ok()
    }

    fn checks(&self) -> [(bool, &'static str, &'static str); 7] {
        let root = self.webhook_root();
        let is_posted = self.webhook.is_some();
        [
            (
                !is_posted || root.is_some(),
                "events.webhook",
                "must be `https://HOST[:PORT]/PATH`",
            ),
            (
                self.insecure || root.is_none_or(|root| root.is_safe()),
                "events.webhook",
                "is posted to in clear beyond this machine; use https, or accept it with `insecure = true` in [events]",
            ),
            (
                !is_posted || self.enabled,
                "events.webhook",
                "needs `enabled = true` in [events]: there is nothing to post",
            ),
            (
                self.webhook_secret.is_none() || self.webhook_secret_file.is_none(),
                "events.webhook_secret_file",
                "must be off where events.webhook_secret is set",
            ),
            (
                !self.webhook_timeout.is_zero(),
                "events.webhook_timeout",
                "must not be 0: no event would be posted in time",
            ),
            (
                !self.retention.is_zero(),
                "events.retention",
                "must not be 0: no event would be there when it is asked for",
            ),
            (
                self.max_events > 0,
                "events.max_events",
                "must not be 0: no event would be there when it is asked for",
            ),
        ]
    }
}

/// Everything the process is told before it starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Provisioning.
    pub common: Common,
    /// Listeners and the data folder.
    pub process: Process,
    /// How gRPC is spoken over TLS.
    pub grpc_tls: GrpcTls,
    /// What the holders of certificates may do.
    pub roles: Roles,
    /// Who did what.
    pub audit: AuditLog,
    /// Backups.
    pub maintenance: Maintenance,
    /// Lifetimes.
    pub retention: Retention,
    /// Duplicates.
    pub dedupe: Dedupe,
    /// Bounds.
    pub limits: Limits,
    /// When deliveries begin.
    pub push: Push,
    /// By what they are made.
    pub delivery: Delivery,
    /// Fan-out to groups and lists.
    pub fan_out: FanOut,
    /// Delivery reports.
    pub reports: Reports,
    /// Who is told what happens.
    pub events: Events,
    /// What users say if they say nothing.
    pub settings: Settings,
    /// What the operator has accepted and is reminded of in log and readiness.
    pub warnings: Vec<String>,
}

impl Config {
    /// The sections, for the default file and for processes that share one.
    pub const DOCS: [&'static SectionDoc; 15] = [
        &Common::DOC,
        &Process::DOC,
        &GrpcTls::DOC,
        &Roles::DOC,
        &AuditLog::DOC,
        &Maintenance::DOC,
        &Retention::DOC,
        &Dedupe::DOC,
        &Limits::DOC,
        &Push::DOC,
        &Delivery::DOC,
        &FanOut::DOC,
        &Reports::DOC,
        &Events::DOC,
        &Settings::DOC,
    ];

    /// Reads the sections; mistakes and contradictions are noted in the document.
    pub fn read(document: &mut Document) -> Self {
        let mut config = Self {
            common: document.read(),
            process: document.read(),
            grpc_tls: document.read(),
            roles: document.read(),
            audit: document.read(),
            maintenance: document.read(),
            retention: document.read(),
            dedupe: document.read(),
            limits: document.read(),
            push: document.read(),
            delivery: document.read(),
            fan_out: document.read(),
            reports: document.read(),
            events: document.read(),
            settings: document.read(),
            warnings: Vec::new(),
        };
        for (key, sentence) in config.contradictions() {
            document.error_at(key, sentence);
        }
        config.warnings = config.exposures(document);
        config
    }

    /// Address of the admin server.
    pub fn admin_listen(&self) -> SocketAddr {
        self.process.admin_listen
    }

    /// What is wrong with the values together, each with the key to mend.
    fn contradictions(&self) -> Vec<(&'static str, &'static str)> {
        let host = &self.process.hostname;
        let is_host_octet = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        let checks = [
            (
                !host.is_empty() && host.chars().all(is_host_octet),
                "storage.hostname",
                "must be a host name: it is what stands after the @ of Message-IDs",
            ),
            (
                self.retention.default <= self.retention.max,
                "retention.default",
                "must not exceed retention.max",
            ),
            (
                self.push.lease >= Duration::from_secs(1),
                "push.lease",
                "must be at least 1s: edges renew four times within it",
            ),
            (
                self.push.max_sessions > 0,
                "push.max_sessions",
                "must not be 0: nothing would ever be delivered",
            ),
            (
                self.push.restart_rate > 0,
                "push.restart_rate",
                "must not be 0: nothing would be delivered after a restart",
            ),
            (
                self.process.window > 0,
                "storage.window",
                "must not be 0: nothing could be deposited",
            ),
            (
                self.limits.upload_lease >= Duration::from_secs(1),
                "limits.upload_lease",
                "must be at least 1s: no large message would ever arrive",
            ),
            (
                self.delivery.forget_devices >= Duration::from_secs(3_600),
                "delivery.forget_devices",
                "must be at least 1h: devices that are off for a while would miss messages",
            ),
            (
                self.push.max_refusals > 0,
                "push.max_refusals",
                "must not be 0: every message would be refused",
            ),
        ];
        let checks = checks
            .into_iter()
            .chain(self.rooms())
            .chain(self.securing())
            .chain(self.events.checks())
            .chain(self.upkeep())
            .chain([self.keys_of_one_place()]);
        let wrong = checks.filter(|(holds, ..)| !holds);
        wrong.map(|(_, key, sentence)| (key, sentence)).collect()
    }

    /// Times and places of which there must be some.
    fn rooms(&self) -> [(bool, &'static str, &'static str); 14] {
        let (limits, push) = (&self.limits, &self.push);
        [
            (
                self.reports.lease >= Duration::from_secs(1),
                "reports.lease",
                "must be at least 1s: no report would arrive in time",
            ),
            (
                self.reports.rate > 0,
                "reports.rate",
                "must not be 0: no report would be sent",
            ),
            (
                !self.retention.imdn.is_zero(),
                "retention.imdn",
                "must not be 0: every notification would have expired on arrival",
            ),
            (
                !self.retention.reports.is_zero(),
                "retention.reports",
                "must not be 0: no report would be sent",
            ),
            (
                self.fan_out.sender_jobs > 0,
                "cf.sender_jobs",
                "must not be 0: no message to a group or list would be accepted",
            ),
            (
                self.fan_out.max_large.0 > 0,
                "cf.max_large",
                "must not be 0: no large message to a group or list would be accepted",
            ),
            (
                self.fan_out.leg_rate > 0,
                "cf.leg_rate",
                "must not be 0: no message to a group or list would be sent",
            ),
            (
                self.fan_out.leg_lease >= Duration::from_secs(1),
                "cf.leg_lease",
                "must be at least 1s: edges renew four times within it",
            ),
            (
                !self.retention.default.is_zero(),
                "retention.default",
                "must not be 0: every message would have expired on arrival",
            ),
            (
                !self.dedupe.window.is_zero(),
                "dedupe.window",
                "must not be 0: every retry of a sender would be delivered too",
            ),
            (
                limits.mailbox_messages > 0,
                "limits.mailbox_messages",
                "must not be 0: every mailbox would be full",
            ),
            (
                limits.sender_stored != Some(0),
                "limits.sender_stored",
                "must not be 0: nothing would be stored; off sets no bound",
            ),
            (
                limits.mailbox_octets.0 > 0,
                "limits.mailbox_octets",
                "must not be 0: every mailbox would be full",
            ),
            (
                !push.hop_pause.is_zero(),
                "push.hop_pause",
                "must not be 0: a next hop that is down would be tried without a rest",
            ),
        ]
    }

    pub(crate) fn policy(&self) -> Policy {
        let push = &self.push;
        Policy {
            delay: push.delay,
            on_deposit: push.on_deposit,
            lease: push.lease,
            max_sessions: usize::try_from(push.max_sessions).unwrap_or(usize::MAX),
            backoff: push.backoff.clone(),
            hop_pause: push.hop_pause,
            rate: push.rate,
            restart_rate: push.restart_rate,
            mode: self.delivery.mode,
            by_device: self.delivery.scope == DeliveryScope::All,
        }
    }

    /// What the store is told.
    pub fn store(&self) -> StoreConfig {
        let limits = &self.limits;
        StoreConfig {
            data_dir: self.process.data_dir.clone(),
            hostname: self.process.hostname.clone(),
            provisioning: match self.common.provisioning {
                Provisioning::Open => store::Provisioning::Open,
                Provisioning::Listed => store::Provisioning::Listed,
            },
            retention: store::Retention {
                default: self.retention.default,
                imdn: self.retention.imdn,
                max: self.retention.max,
                delivered: self.retention.delivered,
                timeline: self.retention.timeline,
                reports: self.retention.reports,
            },
            event_log: self.events.enabled.then_some(store::EventLogConfig {
                retention: self.events.retention,
                entries: self.events.max_events,
            }),
            dedupe_window: self.dedupe.window,
            quota: store::Quota {
                messages: limits.mailbox_messages,
                octets: limits.mailbox_octets.get(),
                imdn: limits.mailbox_imdn,
            },
            fan_out: store::FanOutLimits {
                sender_rate: self.fan_out.sender_fanout_rate,
                sender_jobs: self.fan_out.sender_jobs,
                large_octets: self.fan_out.max_large.get(),
                groups_per_owner: usize::try_from(self.fan_out.groups_per_owner)
                    .unwrap_or(usize::MAX),
            },
            uploads: store::UploadLimits {
                lease: limits.upload_lease,
                concurrent: usize::try_from(limits.uploads).unwrap_or(usize::MAX),
                memory_octets: limits.upload_memory.as_usize(),
            },
            report_rate: self.reports.sender_rate,
            mailbox_full: match limits.mailbox_full {
                MailboxFull::RejectNew => store::MailboxFull::RejectNew,
                MailboxFull::DropOldest => store::MailboxFull::DropOldest,
            },
            sender: store::SenderLimits {
                messages: limits.sender_stored,
                octets: limits.sender_stored_octets.map(Octets::get),
            },
            full_retry_after: limits.full_retry_after,
            disk_reserve_octets: limits.disk_reserve.get(),
            scope: match self.delivery.scope {
                DeliveryScope::First => store::DeliveryScope::First,
                DeliveryScope::All => store::DeliveryScope::All {
                    forget_after: self.delivery.forget_devices,
                },
            },
            max_refusals: self.push.max_refusals,
            settings: storage::model::Settings::default()
                .with(Setting::OfflineDelivery, self.settings.offline_delivery),
            cache_octets: self.process.cache.as_usize(),
            accept_truncated_wal: self.process.accept_truncated_wal,
            ..StoreConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use daemon::config::Environment;

    use super::*;

    fn mistakes(text: &str) -> String {
        let mut document = Document::parse("r.toml", text, Environment::default());
        Config::read(&mut document);
        let errors = document.finish().expect_err("there are mistakes");
        errors.to_string()
    }

    #[test]
    fn the_defaults_are_sound() {
        let mut document = Document::load(None, Environment::default());
        let config = Config::read(&mut document);
        document.finish().expect("sound");
        assert_eq!(config, Config::default());
        assert_eq!(config.store().retention, store::Retention::default());
        assert_eq!(config.store().quota, store::Quota::default());
        assert_eq!(config.store().uploads, store::UploadLimits::default());
        assert_eq!(config.store().fan_out, store::FanOutLimits::default());
    }

    #[test]
    fn a_listener_beyond_loopback_needs_consent() {
        let text = "[storage]\nlisten = \"0.0.0.0:7400\"\n";
        assert!(mistakes(text).contains("r.toml:2:1: storage.listen"));
        let consent = format!("{text}insecure = true\n");
        let mut document = Document::parse("r.toml", &consent, Environment::default());
        let config = Config::read(&mut document);
        document.finish().expect("consented");
        assert_eq!(config.warnings.len(), 1);
    }

    #[test]
    fn contradictions_are_all_reported_at_once() {
        let found = mistakes(
            "[storage]\nhostname = \"a b\"\n[retention]\ndefault = \"31d\"\n\
             [push]\nlease = \"0s\"\nmax_sessions = 0\n[delivery]\nforget_devices = \"59m\"\n",
        );
        for key in [
            "storage.hostname",
            "retention.default",
            "push.lease",
            "push.max_sessions",
            "delivery.forget_devices",
        ] {
            assert!(found.contains(key), "{key} in {found}");
        }
    }

    #[test]
    fn what_must_be_there_may_not_be_nothing() {
        let found = mistakes(
            "[retention]\ndefault = \"0s\"\n[dedupe]\nwindow = \"0s\"\n\
             [limits]\nmailbox_messages = 0\nmailbox_octets = \"0\"\n[push]\nhop_pause = \"0s\"\n[reports]\nrate = 0\n",
        );
        for key in [
            "retention.default",
            "dedupe.window",
            "limits.mailbox_messages",
            "limits.mailbox_octets",
            "push.hop_pause",
            "reports.rate",
        ] {
            assert!(found.contains(key), "{key} in {found}");
        }
    }
}
