//! `user summary`, `user export`, `user erase`: all that is kept of one user.

use clap::Args;
use proto::v1::foresee_settings_request::Order as SettingsOrder;
use proto::v1::{ClearSettingsRequest, ListMessagesRequest, ListSubscriptionsRequest};
use serde::Serialize;

use super::list::find;
use crate::client::{Client, Order};
use crate::command::interruption::Interruption;
use crate::command::selection::{Batches, Selected};
use crate::command::show::whole_body;
use crate::command::{Session, Tally, summary};
use crate::exit::{Code, Failure};
use crate::output::Progress;
use crate::output::record::{
    MailboxRecord, SettingsRecord, ShownMessage, SubscriptionRecord, UserRecord,
};
use crate::target::{Address, MessageId};

/// Show how much waits for a user, and where the user is registered: as `summary`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl user summary bob@example.org
  restantectl user summary +4930123456 -o json | jq .text.new")]
pub(crate) struct UserSummaryArgs {
    /// The served user, by address or alias
    #[arg(value_name = "ADDRESS")]
    pub(super) address: Address,
}

/// Write all that is kept of a user, one JSON record per line
///
/// The account with its aliases, counters and registrations, settings, subscriptions, and each message with its timeline. Bodies
/// need the right to read contents and are written with --bodies only, those up to 16 MiB; each reading is in the audit log. What
/// cannot be written is told on standard error, and the rest goes on. What the user has sent to others is in their mailboxes: `list --from`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl user export bob@example.org > bob.jsonl
  restantectl user export bob@example.org --bodies --reason 'asked for by himself' > bob.jsonl")]
pub(crate) struct UserExportArgs {
    /// The served user, by address or alias
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// With the bodies of the messages
    #[arg(long)]
    bodies: bool,
}

/// Erase what is kept of a user: messages, settings, registrations, subscriptions, account
///
/// Messages go with contents and timelines, whatever has become of them; where the store encrypts, the key of the mailbox goes too.
/// Backups, the event log and the audit log have what they have. With `provisioning = open` the next message makes a new mailbox. Interrupted, it goes on when it is called again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl user erase bob@example.org --dry-run
  restantectl user erase bob@example.org --yes --reason 'asked for by himself, ticket 4711'")]
pub(crate) struct UserEraseArgs {
    /// The address the user was made for
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// Show how much would be erased
    #[arg(long)]
    dry_run: bool,
    /// Erase it
    #[arg(long)]
    yes: bool,
}

pub(super) async fn summary(args: UserSummaryArgs, session: &mut Session) -> Result<(), Failure> {
    summary::run(&summary::SummaryArgs::of(args.address), session).await
}

/// One line of an export.
#[derive(Serialize)]
struct Exported<R> {
    kind: &'static str,
    #[serde(flatten)]
    record: R,
}

pub(super) async fn export(args: &UserExportArgs, session: &mut Session) -> Result<(), Failure> {
    let user = &args.address;
    let mut client = session.connect().await?;
    let account = find(user, &mut client).await?.ok_or_else(unknown)?;
    write(session, "account", &UserRecord::from(account))?;
    let mailbox = client.mailbox(user).await?;
    write(session, "mailbox", &MailboxRecord::from(mailbox))?;
    let settings = client.settings(user).await?;
    write(session, "settings", &SettingsRecord::from(settings))?;
    let query = ListSubscriptionsRequest {
        served_user: user.to_string(),
        ..ListSubscriptionsRequest::default()
    };
    for subscription in client.subscriptions(query).await?.subscriptions {
        write(
            session,
            "subscription",
            &SubscriptionRecord::from(subscription),
        )?;
    }
    let progress = Progress::begin(None, true);
    let mut batches = Batches::new(all_of(user));
    let (mut tally, mut total) = (Tally::default(), 0);
    loop {
        let batch = batches.next(&mut client).await?;
        if batch.is_empty() {
            return tally.result(total);
        }
        for (id, _) in batch {
            total += 1;
            match exported(&id, args.bodies, &mut tally, &mut client).await {
                Ok(shown) => write(session, "message", &shown)?,
                Err(failure) if failure.is_of_one_item() => tally.fail(&id, &failure),
                Err(failure) => return Err(failure),
            }
            progress.step();
        }
    }
}

/// A message, with its body if that is asked for and can be had.
async fn exported(
    id: &MessageId,
    with_body: bool,
    tally: &mut Tally,
    client: &mut Client,
) -> Result<ShownMessage, Failure> {
    let shown = ShownMessage::from_reply(client.message(id).await?);
    let mut shown = shown.ok_or_else(|| client.defect("a reply without a message"))?;
    if with_body && shown.message.content_retained {
        match whole_body(&shown, client).await {
            Ok(body) => shown.content = Some(body),
            Err(failure) if failure.is_of_one_item() => tally.fail(id, &failure),
            Err(failure) => return Err(failure),
        }
    }
    Ok(shown)
}

fn write(
    session: &mut Session,
    kind: &'static str,
    record: &impl Serialize,
) -> Result<(), Failure> {
    session.output.line(&Exported { kind, record })
}

/// What an erasure came to.
#[derive(Debug, Default, Serialize)]
struct ErasedRecord {
    served_user: String,
    dry_run: bool,
    /// Messages whose contents are gone now.
    messages: usize,
    aliases: Vec<String>,
    account: bool,
}

pub(super) async fn erase(args: &UserEraseArgs, session: &mut Session) -> Result<(), Failure> {
    let user = &args.address;
    let mut client = session.connect().await?;
    let account = find(user, &mut client).await?.ok_or_else(unknown)?;
    if account.address != user.to_string() {
        return Err(Failure::Item {
            code: "failed_precondition",
            text: format!("the address is an alias of {}: name that", account.address),
        });
    }
    if !args.yes && !args.dry_run {
        return Err(Failure::Unconfirmed {
            verb: "user erase",
            count: 1,
            items: "user with all that is kept of him",
        });
    }
    let reason = session.globals.reason.clone();
    let mut record = ErasedRecord {
        served_user: user.to_string(),
        dry_run: args.dry_run,
        aliases: account.aliases,
        account: !args.dry_run,
        ..ErasedRecord::default()
    };
    erase_messages(args, &reason, &mut record, &mut client).await?;
    if !args.dry_run {
        let clear = ClearSettingsRequest {
            address: user.to_string(),
            preset: true,
        };
        client.order_settings(SettingsOrder::Clear(clear)).await?;
        client.erase_account(user, &reason).await?;
    }
    session.output.single(&record, |record| {
        let (user, messages) = (&record.served_user, record.messages);
        match record.dry_run {
            true => format!("{user}: {messages} messages and the account would be erased\n"),
            false => format!("{user}: erased, with {messages} messages\n"),
        }
    })
}

async fn erase_messages(
    args: &UserEraseArgs,
    reason: &str,
    record: &mut ErasedRecord,
    client: &mut Client,
) -> Result<(), Failure> {
    let interruption = Interruption::listen();
    let progress = Progress::begin(None, false);
    let mut batches = Batches::new(all_of(&args.address));
    loop {
        let batch = batches.next(client).await?;
        if batch.is_empty() {
            return Ok(());
        }
        for (id, found) in batch {
            if interruption.is_here() {
                return Err(Failure::BrokenOff {
                    done: record.messages,
                    why: "interrupted".to_owned(),
                    token: None,
                    code: Code::Interrupted,
                });
            }
            let is_over = found.is_some_and(|message| Order::Delete.refusal(&message).is_some());
            if is_over {
                continue;
            }
            if !args.dry_run {
                match client.order(Order::Delete, &id, reason).await {
                    Ok(_) => {}
                    // It has changed meanwhile; whatever is left goes with the account.
                    Err(failure) if failure.is_of_one_item() => continue,
                    Err(failure) => return Err(failure),
                }
            }
            record.messages += 1;
            progress.step();
        }
    }
}

/// All messages of a user.
fn all_of(user: &Address) -> Selected {
    Selected::Query(Box::new(ListMessagesRequest {
        served_user: user.to_string(),
        ..ListMessagesRequest::default()
    }))
}

fn unknown() -> Failure {
    Failure::Item {
        code: "not_found",
        text: "no such user".to_owned(),
    }
}
