//! The records of `-o json` and `-o jsonl`. Their field names are a promise to scripts: they only
//! grow. `JSON.md` beside the sources describes each field.

mod changed;
mod event_log;
mod group;
mod job;
mod keys;
mod mailbox;
mod maintenance;
mod message;
mod process;
mod push;
mod settings;
mod sign_in;
mod status;
mod steering;
mod user;
mod waiting;

pub(crate) use changed::{ChangeRecord, ErrorRecord, Outcome};
pub(crate) use event_log::MessageEventRecord;
pub(crate) use group::{GroupChangeRecord, GroupRecord};
pub(crate) use job::{JobChangeRecord, JobRecord, LegRecord};
pub(crate) use keys::KeysRecord;
pub(crate) use mailbox::{BindingRecord, CountRecord, DeferredListRecord, MailboxRecord};
pub(crate) use maintenance::{BackupRecord, CompactedRecord, MadeRecord, ReportRecord};
pub(crate) use message::{
    ContentRecord, EventRecord, FileRecord, ListedMessage, ShownMessage, class_name, state_name,
};
pub(crate) use process::{ChangedKeyRecord, ProcessRecord};
pub(crate) use push::PushRecord;
pub(crate) use settings::{SettingsRecord, ValuesRecord};
pub(crate) use sign_in::SignInRecord;
pub(crate) use status::{EdgeRecord, StatusRecord};
pub(crate) use steering::{PlanRecord, SessionRecord, SuspensionRecord};
pub(crate) use user::{UserChangeRecord, UserRecord};
pub(crate) use waiting::{SubscriptionRecord, WatchRecord};

/// A word of the contract without its prefix, in lower case; a number this build does not know is
/// shown as such, because a newer server may have more words.
fn word<E: TryFrom<i32>>(number: i32, name: fn(&E) -> &'static str, prefix: &str) -> String {
    match E::try_from(number) {
        Ok(known) => name(&known).trim_start_matches(prefix).to_ascii_lowercase(),
        Err(_) => format!("unknown_{number}"),
    }
}

/// Absent rather than empty.
fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
