//! The words of the store: mailboxes, messages, claims, registrations. Plain values, no behaviour
//! that needs a disk or a clock.

mod account;
mod claim;
mod content;
mod deposit;
mod device;
mod event_log;
mod fan_out;
mod group;
mod import;
mod large;
mod message;
mod order;
mod query;
mod recall;
mod registration;
mod report;
mod settings;
mod subscription;
mod suspension;
mod time;
mod timeline;

pub use account::{Account, Barring};
pub use claim::{
    ClaimGrant, ClaimRequest, ClaimToken, Generation, ReleaseOutcome, Released, Settled,
    Settlement, TakeLimit, Taken,
};
pub use content::{Part, PartKind};
pub use deposit::{Deposit, DepositOutcome, DuplicateKey, ImdnKey, Receipt, Refusal};
pub use device::{Device, DeviceDelivery, DeviceState, KnownDevice};
pub use event_log::{LogEntry, LogPage, LogPosition};
pub use fan_out::{
    ClaimedLeg, CopyControl, Job, JobAdmission, JobAdmissionOutcome, JobClass, JobCounts,
    JobNumber, JobOutcome, JobPage, JobQuery, JobReceipt, JobRefusal, JobRequest, JobState,
    JobWithTemplate, LargeJob, Leg, LegBatch, LegName, LegOutcome, LegSettled, LegState,
    LegTemplate, LegToken, ROSTER_MAX, RosterEntry, TEMPLATE_OCTETS_MAX, VARIATION_OCTETS_MAX,
};
pub use group::{
    GROUP_MEMBERS_MAX, Group, GroupChange, GroupDocument, GroupMember, GroupOrder, GroupRefusal,
};
pub use import::{Ahead, Import, ImportForecast, Importer};
pub use large::{Admission, AdmissionOutcome, INLINE_OCTETS, LargeDeposit, UploadId};
pub use message::{
    Address, Class, Envelope, FileAttributes, Headers, MailboxId, MessageId, MessageNumber,
    Priority, Sequence, State, StoredMessage,
};
pub use order::{Order, Verb};
pub use query::{
    ListPage, ListQuery, MailboxSummary, MessageCount, PageToken, Waiting, WaitingQuestion,
};
pub use recall::{Claimant, Recall, RecallOutcome};
pub use registration::{
    Binding, BindingChange, Flow, Registered, Registration, RegistrationKind, RegistrationRefusal,
};
pub use report::{
    ClaimedReport, Disposition, MessageReport, Report, ReportBatch, ReportKind, ReportName,
    ReportRequest, ReportSettled, ReportState, ReportStatus, ReportSubject, ReportToken,
};
pub use settings::{
    Entity, EntityTag, Override, Publication, Publish, PublishChange, PublishRefusal, Setting,
    SettingValues, Settings, SettingsChanged, SettingsOrder, UserSettings,
};
pub use subscription::{
    Notified, Owner, SUBSCRIPTION_EPOCHS, SUBSCRIPTION_GRACE, SUBSCRIPTIONS_MAX, Subscribe,
    Subscribed, Subscription, SubscriptionDialog, SubscriptionId, SubscriptionRefusal,
};
pub use suspension::{SUSPENSIONS_MAX, Suspended, Suspension};
pub use time::{Clock, ManualClock, SystemClock, UnixMillis};
pub use timeline::{Event, EventKind};
