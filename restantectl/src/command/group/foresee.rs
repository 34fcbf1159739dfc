//! What changes of groups would come to, each on what those before it would leave behind.

use std::collections::{HashMap, HashSet};

use proto::v1::Group;

use super::change::Action;
use crate::client::Client;
use crate::exit::Failure;

/// Members of a group at most.
const MEMBERS_MAX: usize = 10_000;

/// Groups as they would be.
#[derive(Debug, Default)]
pub(super) struct Foresight(HashMap<String, Option<Group>>);

impl Foresight {
    /// The group afterwards; `None` if there would be none any more.
    ///
    /// # Errors
    /// As the change itself.
    pub(super) async fn foresee(
        &mut self,
        action: Action,
        client: &mut Client,
    ) -> Result<Option<Group>, Failure> {
        let uri = action.group();
        if !self.0.contains_key(&uri) {
            let known = match client.group(&uri).await {
                Err(Failure::Item {
                    code: "not_found", ..
                }) => None,
                found => Some(found?),
            };
            self.0.insert(uri.clone(), known);
        }
        let known = self.0.get(&uri).and_then(Option::as_ref);
        let changed = after(action, known)?;
        self.0.insert(uri, changed.clone());
        Ok(changed)
    }
}

fn after(action: Action, known: Option<&Group>) -> Result<Option<Group>, Failure> {
    let unknown = || refused("not_found", "no such group");
    let mut group = match (action, known) {
        (Action::Create(_) | Action::Import { replace: false, .. }, Some(_)) => {
            return Err(refused("already_exists", "there is such a group"));
        }
        (Action::Create(group) | Action::Import { group, .. }, _) => group,
        (Action::Delete(_), Some(_)) => return Ok(None),
        (Action::Add(_, members), Some(known)) => {
            let mut group = known.clone();
            group.members.extend(members);
            group
        }
        (Action::Remove(_, members), Some(known)) => {
            let gone: HashSet<_> = members.iter().map(ToString::to_string).collect();
            let mut group = known.clone();
            group.members.retain(|member| !gone.contains(&member.uri));
            group
        }
        (_, None) => return Err(unknown()),
    };
    let mut seen = HashSet::new();
    group
        .members
        .retain(|member| seen.insert(member.uri.clone()));
    if group.members.len() > MEMBERS_MAX {
        let text = "a group has at most 10,000 members";
        return Err(refused("invalid_argument", text));
    }
    group.member_count = u32::try_from(group.members.len()).unwrap_or(u32::MAX);
    Ok(Some(group))
}

fn refused(code: &'static str, text: &str) -> Failure {
    Failure::Item {
        code,
        text: text.to_owned(),
    }
}
