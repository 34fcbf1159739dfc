//! `user add`, `user delete`, `user alias add`, `user alias remove`: one change after the other.

use proto::v1::Account;
use serde::Serialize;

use super::list::find;
use crate::client::Client;
use crate::command::{Session, Tally, stopped};
use crate::exit::{Failure, complain};
use crate::output::Items;
use crate::output::record::{ErrorRecord, MailboxRecord, Outcome, UserChangeRecord, UserRecord};
use crate::output::text::escape;
use crate::target::Address;

/// One change of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Add,
    Delete,
    AddAlias(Address),
    RemoveAlias(Address),
}

impl Action {
    /// The command, which is also its name in records.
    fn command(&self) -> &'static str {
        match self {
            Self::Add => "user add",
            Self::Delete => "user delete",
            Self::AddAlias(_) => "user alias add",
            Self::RemoveAlias(_) => "user alias remove",
        }
    }

    fn alias(&self) -> Option<&Address> {
        match self {
            Self::Add | Self::Delete => None,
            Self::AddAlias(alias) | Self::RemoveAlias(alias) => Some(alias),
        }
    }
}

/// An action and whom it concerns.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) user: Address,
    pub(super) action: Action,
}

impl Change {
    /// What is changed: the alias if there is one, else the user.
    fn subject(&self) -> &Address {
        self.action.alias().unwrap_or(&self.user)
    }
}

/// The end of the JSON document.
#[derive(Debug, Serialize)]
struct ChangeEnd {
    dry_run: bool,
}

/// Makes changes one after the other, or foresees them.
pub(super) async fn run(
    changes: Vec<Change>,
    dry_run: bool,
    session: &mut Session,
) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let mut tally = Tally::default();
    let mut items = Items::begin(&mut session.output, "results")?;
    let ended = each(&changes, dry_run, &mut client, &mut items, &mut tally).await;
    let closed = items.finish(&ChangeEnd { dry_run });
    ended.and(closed).and(tally.result(changes.len()))
}

async fn each(
    changes: &[Change],
    dry_run: bool,
    client: &mut Client,
    items: &mut Items<'_>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    for (done, change) in changes.iter().enumerate() {
        let record = one(change, dry_run, client).await;
        let record = record.map_err(|source| stopped(done, changes.len(), source))?;
        if let Some(error) = &record.error {
            tally.fail(change.subject(), &error.text);
        }
        items
            .write(&record, text)
            .map_err(|source| stopped(done + 1, changes.len(), source))?;
    }
    Ok(())
}

/// What came of one change; fails only if the others have no chance either.
async fn one(
    change: &Change,
    dry_run: bool,
    client: &mut Client,
) -> Result<UserChangeRecord, Failure> {
    let answer = match dry_run {
        true => foresee(change, client).await,
        false => carry_out(change, client).await,
    };
    match answer {
        Err(failure) if failure.is_of_one_item() => {
            let outcome = if dry_run {
                Outcome::WouldFail
            } else {
                Outcome::Failed
            };
            Ok(record(change, outcome, None, Some((&failure).into())))
        }
        answer => answer,
    }
}

async fn carry_out(change: &Change, client: &mut Client) -> Result<UserChangeRecord, Failure> {
    let user = &change.user;
    let changed = match &change.action {
        Action::Add => client.create_account(user).await.map(Some),
        Action::Delete => client.delete_account(user).await.map(|_| None),
        Action::AddAlias(alias) => client.add_alias(user, alias).await.map(Some),
        Action::RemoveAlias(alias) => client.remove_alias(user, alias).await.map(Some),
    };
    if let Err(Failure::NoAnswer { .. }) = &changed {
        let subject = change.subject();
        complain(&format_args!(
            "{subject}: whether this {} was carried out is not known: see `restantectl user list \
             {subject}`",
            change.action.command()
        ));
    }
    Ok(record(change, Outcome::Done, changed?, None))
}

/// What a change would come to, as far as the service's contract says.
async fn foresee(change: &Change, client: &mut Client) -> Result<UserChangeRecord, Failure> {
    let account = find(&change.user, client).await?;
    let obstacle = match (&change.action, &account) {
        (Action::Add, None) => None,
        (_, None) => Some(refused("not_found", "no such user")),
        (Action::Add, Some(account)) => addition(change, account),
        (Action::Delete, Some(account)) => deletion(change, account, client).await?,
        (Action::AddAlias(alias), Some(account)) => new_alias(alias, account, client).await?,
        (Action::RemoveAlias(alias), Some(account)) => old_alias(alias, account, client).await?,
    };
    let outcome = match obstacle {
        None => Outcome::WouldDo,
        Some(_) => Outcome::WouldFail,
    };
    Ok(record(change, outcome, account, obstacle))
}

fn refused(code: &'static str, text: impl Into<String>) -> ErrorRecord {
    ErrorRecord {
        code,
        text: text.into(),
    }
}

fn addition(change: &Change, account: &Account) -> Option<ErrorRecord> {
    let is_alias = account.address != change.user.to_string();
    is_alias.then(|| {
        let text = format!("the address is an alias of {}", escape(&account.address));
        refused("already_exists", text)
    })
}

async fn deletion(
    change: &Change,
    account: &Account,
    client: &mut Client,
) -> Result<Option<ErrorRecord>, Failure> {
    let user = &change.user;
    let waiting = MailboxRecord::from(client.mailbox(user).await?).waiting();
    let obstacle = match waiting {
        _ if account.address != user.to_string() => Some("the address is an alias".to_owned()),
        0 => None,
        waiting => Some(format!("the user has {waiting} undelivered messages")),
    };
    Ok(obstacle.map(ErrorRecord::precondition))
}

/// An address joins that nobody has, or that has been given nothing but mail.
async fn new_alias(
    alias: &Address,
    account: &Account,
    client: &mut Client,
) -> Result<Option<ErrorRecord>, Failure> {
    let owner = match find(alias, client).await? {
        Some(owner) if owner.address != account.address => owner,
        _ => return Ok(None),
    };
    let is_owned = owner.provisioned || !owner.aliases.is_empty();
    if is_owned || !client.mailbox(alias).await?.bindings.is_empty() {
        let text = "the address belongs to another account";
        return Ok(Some(refused("already_exists", text)));
    }
    Ok(None)
}

async fn old_alias(
    alias: &Address,
    account: &Account,
    client: &mut Client,
) -> Result<Option<ErrorRecord>, Failure> {
    let name = alias.to_string();
    if account.address == name {
        let text = "the address is the account's own";
        return Ok(Some(ErrorRecord::precondition(text)));
    }
    if account.aliases.contains(&name) {
        return Ok(None);
    }
    Ok(Some(match find(alias, client).await? {
        Some(_) => ErrorRecord::precondition("the alias belongs to another account"),
        None => refused("not_found", "no such alias"),
    }))
}

fn record(
    change: &Change,
    outcome: Outcome,
    user: Option<Account>,
    error: Option<ErrorRecord>,
) -> UserChangeRecord {
    UserChangeRecord {
        served_user: change.user.to_string(),
        alias: change.action.alias().map(ToString::to_string),
        command: change.action.command(),
        outcome,
        user: user.map(UserRecord::from),
        error,
    }
}

/// One line for people; what failed has its line on standard error.
fn text(record: &UserChangeRecord) -> String {
    let user = escape(&record.served_user);
    let alias = record.alias.as_deref().map(escape).unwrap_or_default();
    match (record.outcome, record.command) {
        (Outcome::Failed | Outcome::WouldFail, _) => String::new(),
        (Outcome::WouldDo, command) => would(command, record.user.as_ref(), (&user, &alias)),
        (_, "user add") => format!("{user}: has a mailbox\n"),
        (_, "user delete") => format!("{user}: deleted\n"),
        (_, "user alias add") => format!("{user}: {alias} leads to this mailbox\n"),
        (_, _) => format!("{user}: {alias} leads here no more\n"),
    }
}

/// What a dry run says of what would happen.
fn would(command: &str, known: Option<&UserRecord>, (user, alias): (&str, &str)) -> String {
    let has_alias = known.is_some_and(|known| known.aliases.iter().any(|name| name == alias));
    match command {
        "user add" => match known.map(|known| known.provisioned) {
            None => format!("{user}: would get a mailbox\n"),
            Some(false) => format!("{user}: would be provisioned, and has a mailbox\n"),
            Some(true) => format!("{user}: is provisioned, nothing would change\n"),
        },
        "user delete" => format!("{user}: would be deleted\n"),
        "user alias add" if has_alias => {
            format!("{user}: {alias} leads to this mailbox, nothing would change\n")
        }
        "user alias add" => format!("{user}: {alias} would lead to this mailbox\n"),
        _ => format!("{user}: {alias} would lead here no more\n"),
    }
}
