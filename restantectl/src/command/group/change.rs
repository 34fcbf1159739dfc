//! Changes of groups, one after the other.

use proto::v1::{Group, GroupMember};
use serde::Serialize;

use super::foresee::Foresight;
use crate::client::Client;
use crate::command::{Session, Tally, stopped};
use crate::exit::{Failure, complain};
use crate::output::Items;
use crate::output::record::{GroupChangeRecord, GroupRecord, Outcome};
use crate::output::text::escape;
use crate::target::Address;

/// One change of a group.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Create(Group),
    Add(Address, Vec<GroupMember>),
    Remove(Address, Vec<Address>),
    Delete(Address),
    /// As read from an export; `replace` puts it in the place of one that is there.
    Import {
        group: Group,
        replace: bool,
    },
}

impl Action {
    pub(super) fn group(&self) -> String {
        match self {
            Self::Create(group) | Self::Import { group, .. } => group.uri.clone(),
            Self::Add(uri, _) | Self::Remove(uri, _) | Self::Delete(uri) => uri.to_string(),
        }
    }

    /// The command, which is also its name in records.
    fn command(&self) -> &'static str {
        match self {
            Self::Create(_) => "group create",
            Self::Add(..) => "group add",
            Self::Remove(..) => "group remove",
            Self::Delete(_) => "group delete",
            Self::Import { .. } => "group import",
        }
    }
}

/// The end of the JSON document.
#[derive(Debug, Serialize)]
struct ChangeEnd {
    dry_run: bool,
}

/// Makes changes one after the other, or foresees them.
pub(super) async fn run(
    actions: Vec<Action>,
    dry_run: bool,
    session: &mut Session,
) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let mut tally = Tally::default();
    let total = actions.len();
    let mut foresight = dry_run.then(Foresight::default);
    let mut items = Items::begin(&mut session.output, "results")?;
    let ended = async {
        for (done, action) in actions.into_iter().enumerate() {
            let record = one(action, foresight.as_mut(), &mut client).await;
            let record = record.map_err(|source| stopped(done, total, source))?;
            if let Some(error) = &record.error {
                tally.fail(&escape(&record.uri), &error.text);
            }
            items
                .write(&record, text)
                .map_err(|source| stopped(done + 1, total, source))?;
        }
        Ok(())
    };
    let ended = ended.await;
    let closed = items.finish(&ChangeEnd { dry_run });
    ended.and(closed).and(tally.result(total))
}

/// What came of one change; fails only if the others have no chance either.
async fn one(
    action: Action,
    foresight: Option<&mut Foresight>,
    client: &mut Client,
) -> Result<GroupChangeRecord, Failure> {
    let (uri, command) = (action.group(), action.command());
    let dry_run = foresight.is_some();
    let (done, failed) = match dry_run {
        true => (Outcome::WouldDo, Outcome::WouldFail),
        false => (Outcome::Done, Outcome::Failed),
    };
    let answer = match foresight {
        Some(foresight) => foresight.foresee(action, client).await,
        None => carry_out(action, client).await,
    };
    let (outcome, group, error) = match answer {
        Ok(group) => (done, group.map(GroupRecord::head), None),
        Err(failure) if failure.is_of_one_item() => (failed, None, Some((&failure).into())),
        Err(failure) => {
            if let (Failure::NoAnswer { .. }, false) = (&failure, dry_run) {
                let uri = escape(&uri);
                complain(&format_args!(
                    "{uri}: whether this {command} was carried out is not known: see `restantectl \
                     group show {uri}`"
                ));
            }
            return Err(failure);
        }
    };
    Ok(GroupChangeRecord {
        uri,
        command,
        outcome,
        group,
        error,
    })
}

async fn carry_out(action: Action, client: &mut Client) -> Result<Option<Group>, Failure> {
    match action {
        Action::Create(group) => client.create_group(group).await.map(Some),
        Action::Add(uri, members) => {
            let uri = uri.to_string();
            client.add_members(uri, members).await.map(Some)
        }
        Action::Remove(uri, members) => {
            let members = members.iter().map(ToString::to_string).collect();
            let uri = uri.to_string();
            client.remove_members(uri, members).await.map(Some)
        }
        Action::Delete(uri) => client.delete_group(uri.to_string()).await.map(|_| None),
        Action::Import { group, replace } => match client.create_group(group.clone()).await {
            Err(Failure::Item {
                code: "already_exists",
                ..
            }) if replace => client.update_group(group).await,
            answer => answer,
        }
        .map(Some),
    }
}

/// One line for people; what failed has its line on standard error.
fn text(record: &GroupChangeRecord) -> String {
    let uri = escape(&record.uri);
    let would = record.outcome == Outcome::WouldDo;
    match (&record.error, &record.group) {
        (Some(_), _) => String::new(),
        (None, None) if would => format!("{uri}: would be deleted\n"),
        (None, None) => format!("{uri}: deleted\n"),
        (None, Some(group)) if would => {
            format!("{uri}: would have {} members\n", group.member_count)
        }
        (None, Some(group)) => format!("{uri}: has {} members\n", group.member_count),
    }
}
