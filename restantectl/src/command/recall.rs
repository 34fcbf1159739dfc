//! `recall`: one message, for its sender.

use clap::Args;
use prost_types::Timestamp;
use proto::v1::RecallMessageRequest;
use serde::Serialize;

use super::{Session, Tally};
use crate::exit::{Failure, complain};
use crate::moment::parse_coming;
use crate::output::Items;
use crate::output::record::{ChangeRecord, ListedMessage, Outcome};
use crate::output::text::escape;
use crate::target::{Address, MessageId};

/// The name in records.
const COMMAND: &str = "recall";

/// Take an undelivered message back for its sender, or let it expire earlier
///
/// Possible until an edge has begun to send it. What is recalled is never delivered, its content is
/// gone, and its sender gets no report about it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl recall 17@store.example --sender alice@example.org --reason 'sent by mistake'
  restantectl recall --sender alice@example.org --to bob@example.org --imdn-message-id 34jk324j
  restantectl recall 17@store.example --sender alice@example.org --expires 2h")]
pub(crate) struct RecallArgs {
    /// Message-ID, bare or with `sip:`
    #[arg(value_name = "ID", required_unless_present = "imdn_message_id")]
    id: Option<MessageId>,
    /// Who sent it, as asserted: nobody else can recall it
    #[arg(long, value_name = "ADDRESS")]
    sender: Address,
    /// Whom it was sent to, by address or alias
    #[arg(long, value_name = "ADDRESS", requires = "imdn_message_id")]
    to: Option<Address>,
    /// The sender's own id of the message, instead of the Message-ID
    #[arg(long, value_name = "ID", requires = "to", conflicts_with = "id")]
    imdn_message_id: Option<String>,
    /// Do not take it back: let it expire at TIME, or after so long: 2026-08-23T14:30:00Z or 2h
    #[arg(long, value_name = "TIME", value_parser = parse_coming)]
    expires: Option<Timestamp>,
    /// Why; kept in the timeline of the message
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,
}

/// The end of the JSON document.
#[derive(Debug, Serialize)]
struct RecallEnd {
    dry_run: bool,
}

pub(crate) async fn run(args: RecallArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let is_shortened = args.expires.is_some();
    let name = args.id.as_ref().map(ToString::to_string);
    let name = name.or_else(|| args.imdn_message_id.clone());
    let name = name.unwrap_or_default();
    let mut tally = Tally::default();
    let record = match client.recall(request(args)).await {
        Ok(message) => ChangeRecord {
            message_id: message.message_id.clone(),
            command: COMMAND,
            outcome: Outcome::Done,
            message: Some(ListedMessage::from(message)),
            error: None,
        },
        Err(failure) if failure.is_of_one_item() => {
            tally.fail(&name, &format_args!("cannot {COMMAND}: {failure}"));
            ChangeRecord {
                message_id: name,
                command: COMMAND,
                outcome: Outcome::Failed,
                message: None,
                error: Some((&failure).into()),
            }
        }
        Err(failure) => {
            if let Failure::NoAnswer { .. } = &failure {
                complain(&format_args!(
                    "{name}: whether it was recalled is not known"
                ));
            }
            return Err(failure);
        }
    };
    let mut items = Items::begin(&mut session.output, "results")?;
    let written = items.write(&record, |record| text(record, is_shortened));
    let closed = items.finish(&RecallEnd { dry_run: false });
    written.and(closed).and(tally.result(1))
}

fn request(args: RecallArgs) -> RecallMessageRequest {
    let text = |address: Option<Address>| address.map(|to| to.to_string()).unwrap_or_default();
    RecallMessageRequest {
        sender: args.sender.to_string(),
        message_id: args.id.map(|id| id.to_string()).unwrap_or_default(),
        served_user: text(args.to),
        imdn_message_id: args.imdn_message_id.unwrap_or_default(),
        expires_at: args.expires,
        reason: args.reason,
    }
}

/// One line for people; what failed has its line on standard error.
fn text(record: &ChangeRecord, is_shortened: bool) -> String {
    let Some(message) = &record.message else {
        return String::new();
    };
    let id = &record.message_id;
    let to = escape(&message.served_user);
    match (is_shortened, &message.expires_at) {
        (true, Some(at)) => format!("{id}: expires {at}, to {to}\n"),
        _ => format!("{id}: recalled, to {to}\n"),
    }
}
