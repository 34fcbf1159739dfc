//! `summary`: one user's mailbox.

use clap::Args;

use super::Session;
use crate::exit::Failure;
use crate::output::record::{BindingRecord, CountRecord, MailboxRecord};
use crate::output::table::{Column, Fields, Grid};
use crate::target::Address;

const BINDINGS: [Column; 6] = [
    Column::cuttable("CONTACT"),
    Column::whole("KIND"),
    Column::whole("IM-TAG"),
    Column::whole("MESSAGE"),
    Column::whole("EXPIRES"),
    Column::cuttable("USER-AGENT"),
];

/// Show how much waits for a user, and where the user is registered
///
/// `new` are undelivered messages, `old` delivered ones whose content is retained.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl summary bob@example.org
  restantectl summary +4930123456 -o json | jq .text.new")]
pub(crate) struct SummaryArgs {
    /// The served user, by address or alias
    #[arg(value_name = "ADDRESS")]
    address: Address,
}

impl SummaryArgs {
    /// Of this user.
    pub(super) fn of(address: Address) -> Self {
        Self { address }
    }
}

pub(crate) async fn run(args: &SummaryArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let mailbox: MailboxRecord = client.mailbox(&args.address).await?.into();
    session.output.single(&mailbox, text)
}

fn text(mailbox: &MailboxRecord) -> String {
    let mut text = Fields::default()
        .line("Served user", &mailbox.served_user)
        .line("Text", &count(&mailbox.text))
        .line("Multimedia", &count(&mailbox.multimedia))
        .line("Notifications", &format!("{} undelivered", mailbox.imdn))
        .line("Content", &format!("{} octets undelivered", mailbox.octets))
        .line(
            "Registered",
            if mailbox.bindings.is_empty() {
                "no"
            } else {
                "yes"
            },
        )
        .text();
    if !mailbox.bindings.is_empty() {
        let rows: Vec<_> = mailbox.bindings.iter().map(row).collect();
        text.push('\n');
        text.push_str(&Grid::new(&BINDINGS).page(&rows));
    }
    text
}

fn count(count: &CountRecord) -> String {
    let CountRecord {
        new,
        old,
        new_urgent,
        old_urgent,
    } = count;
    format!("{new} new ({new_urgent} urgent), {old} old ({old_urgent} urgent)")
}

fn row(binding: &BindingRecord) -> Vec<String> {
    let yes_or_no = |is: bool| if is { "yes" } else { "no" }.to_owned();
    vec![
        binding.contact.clone(),
        binding.kind.clone(),
        yes_or_no(binding.has_im_tag),
        yes_or_no(binding.allows_message),
        binding.expires_at.clone().unwrap_or_else(|| "-".to_owned()),
        binding.user_agent.clone().unwrap_or_default(),
    ]
}
