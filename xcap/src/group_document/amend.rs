//! Bringing a document up to date with a group that was changed otherwise.

use std::collections::HashSet;
use std::ops::Range;

use roxmltree::Node;

use super::read::{children, is_of_list, list_service, read, ruleset};
use super::{GroupDocument, LIMITS, Member, NotAGroup, write};
use crate::edit::{Splice, behind_start_tag, prefix_of, to_the_end_of};
use crate::resource_lists::RESOURCE_LISTS;
use crate::xml::{self, escape};

/// The document with the members, the name and the rules that the group has now; all else stays as it is written, and
/// all of it if nothing differs. The addresses of the group are canonical, and `canonical` makes those of the
/// document so; a name that a member has in the document stays.
///
/// # Errors
/// [`NotAGroup`] if the document is none, or would be none then.
pub fn amend(
    octets: &[u8],
    group: &GroupDocument,
    canonical: impl Fn(&str) -> String,
) -> Result<String, NotAGroup> {
    let written = read(octets)?;
    let document = xml::parse(octets, LIMITS)?;
    let service = list_service(document.root_element())?;
    let empty = GroupDocument {
        uri: group.uri.clone(),
        ..GroupDocument::default()
    };
    if !service.has_children() && *group != empty {
        // Several changes within it need a place each.
        let opened = apply(document.input_text(), vec![to_the_end_of(service, "\n")]);
        return amend(opened.as_bytes(), group, canonical);
    }
    let mut changes = Vec::new();
    if written.display_name != group.display_name {
        changes.push(display_name(service, &group.display_name));
    }
    changes.extend(members(service, &written, group, canonical));
    let flags = |group: &GroupDocument| (group.allow_anonymity, group.non_members_may_send);
    if flags(&written) != flags(group) {
        let rules = write::ruleset(group);
        changes.push(match ruleset(service) {
            Some(ruleset) => (ruleset.range(), rules),
            None => to_the_end_of(service, &rules),
        });
    }
    let amended = apply(document.input_text(), changes);
    // Ours, but larger than it was: it must still be read.
    read(amended.as_bytes()).map(|_| amended)
}

/// Takes out who is no member any more, and adds who is new to the last list.
fn members(
    service: Node<'_, '_>,
    written: &GroupDocument,
    group: &GroupDocument,
    canonical: impl Fn(&str) -> String,
) -> Vec<Splice> {
    let wanted: HashSet<&str> = group.members.iter().map(|held| held.uri.as_str()).collect();
    let written = written.members.iter().map(|held| canonical(&held.uri));
    let written: Vec<String> = written.collect();
    let lists: Vec<_> = children(service, "list").collect();
    let entries = lists.iter().flat_map(|list| list.children());
    let entries = entries.filter(|child| is_of_list(*child, "entry"));
    let gone = entries.zip(&written);
    let gone = gone.filter(|(_, uri)| !wanted.contains(uri.as_str()));
    let mut changes: Vec<Splice> = gone
        .map(|(entry, _)| (entry.range(), String::new()))
        .collect();
    let known: HashSet<&str> = written.iter().map(String::as_str).collect();
    let new = group.members.iter();
    let new: Vec<&Member> = new
        .filter(|member| !known.contains(member.uri.as_str()))
        .collect();
    if !new.is_empty() {
        changes.push(with_entries(service, lists.last().copied(), &new));
    }
    changes
}

fn with_entries(service: Node<'_, '_>, list: Option<Node<'_, '_>>, new: &[&Member]) -> Splice {
    let place = list.unwrap_or(service);
    let prefix = prefix_of(service);
    let names = place
        .lookup_prefix(RESOURCE_LISTS)
        .filter(|found| !found.is_empty());
    let names = names.map_or_else(|| prefix.clone(), |found| format!("{found}:"));
    let entries = new
        .iter()
        .map(|member| write::entry(&prefix, &names, member));
    let entries: String = entries.collect();
    match list {
        Some(list) => to_the_end_of(list, &entries),
        None => to_the_end_of(service, &format!("<{prefix}list>{entries}</{prefix}list>")),
    }
}

fn display_name(service: Node<'_, '_>, name: &str) -> Splice {
    let prefix = prefix_of(service);
    let element = format!(
        "<{prefix}display-name>{}</{prefix}display-name>",
        escape(name)
    );
    let mut known = service.children();
    match known.find(|child| is_of_list(*child, "display-name")) {
        Some(known) => (known.range(), element),
        None => {
            let start = behind_start_tag(service);
            (start..start, element)
        }
    }
}

/// Several changes at a time, none of which lies within another one.
fn apply(text: &str, mut changes: Vec<Splice>) -> String {
    // Those at one place in the order in which they were made.
    changes.sort_by_key(|(range, _): &(Range<usize>, String)| (range.start, range.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in changes {
        out.push_str(&text[at..range.start]);
        out.push_str(&new);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}
