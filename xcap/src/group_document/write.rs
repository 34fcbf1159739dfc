//! Writing a group document.

use super::{COMMON_POLICY, GroupDocument, Member, NAMESPACE, OMA_COMMON_POLICY};
use crate::resource_lists::RESOURCE_LISTS;
use crate::xml::escape;

/// The document of a group that nobody has written one for.
#[must_use]
pub fn write(group: &GroupDocument) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<group xmlns=\"{NAMESPACE}\" \
         xmlns:rl=\"{RESOURCE_LISTS}\" xmlns:cp=\"{COMMON_POLICY}\" \
         xmlns:ocp=\"{OMA_COMMON_POLICY}\">\n  <list-service uri=\"{}\">\n",
        escape(&group.uri)
    );
    if !group.display_name.is_empty() {
        let name = escape(&group.display_name);
        out.push_str(&format!("    <display-name>{name}</display-name>\n"));
    }
    out.push_str("    <list>\n");
    for member in &group.members {
        out.push_str("      ");
        out.push_str(&entry("", "rl:", member));
        out.push('\n');
    }
    out.push_str("    </list>\n    ");
    out.push_str(&ruleset(group));
    out.push_str("\n  </list-service>\n</group>\n");
    out
}

/// One member, with what stands before the names of elements: of the entry, and of the name in it.
pub(super) fn entry(prefix: &str, names: &str, member: &Member) -> String {
    let uri = escape(&member.uri);
    if member.display_name.is_empty() {
        return format!("<{prefix}entry uri=\"{uri}\"/>");
    }
    let name = escape(&member.display_name);
    format!(
        "<{prefix}entry uri=\"{uri}\"><{names}display-name>{name}</{names}display-name></{prefix}entry>"
    )
}

/// The rules that say what the flags of a group do. They bring their namespaces with them, wherever they are put.
pub(super) fn ruleset(group: &GroupDocument) -> String {
    let rule = |id: &str, condition: &str| {
        format!(
            "<cp:rule id=\"{id}\"><cp:conditions>{condition}</cp:conditions><cp:actions>\
             <ls:join-handling>true</ls:join-handling><ls:allow-anonymity>{}</ls:allow-anonymity>\
             </cp:actions></cp:rule>",
            group.allow_anonymity
        )
    };
    let others = match group.non_members_may_send {
        true => rule("others", "<ocp:other-identity/>"),
        false => String::new(),
    };
    format!(
        "<cp:ruleset xmlns:cp=\"{COMMON_POLICY}\" xmlns:ocp=\"{OMA_COMMON_POLICY}\" \
         xmlns:ls=\"{NAMESPACE}\">{}{others}</cp:ruleset>",
        rule("members", "<ls:is-list-member/>")
    )
}
