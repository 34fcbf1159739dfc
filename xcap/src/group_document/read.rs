//! Reading a group document.

use roxmltree::Node;

use super::policy::{Policy, policy};
use super::{COMMON_POLICY, GroupDocument, LIMITS, MEMBERS_MAX, Member, NAMESPACE};
use crate::resource_lists::RESOURCE_LISTS;
use crate::xml::{self, NotRead};

/// Octets of a URI, and of a name.
const TEXT_OCTETS_MAX: usize = 1_024;

/// Why a document is no group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAGroup {
    /// No XML, or more than is read.
    #[error(transparent)]
    Xml(#[from] NotRead),
    /// Elements or attributes are missing, or stand where they do not belong.
    #[error("{0}")]
    Schema(&'static str),
    /// It says what is not carried out here, or is larger than groups are.
    #[error("{0}")]
    Constraint(&'static str),
}

/// The group of a document.
///
/// # Errors
/// [`NotAGroup`]: nothing of it counts.
pub fn read(octets: &[u8]) -> Result<GroupDocument, NotAGroup> {
    let document = xml::parse(octets, LIMITS)?;
    let service = list_service(document.root_element())?;
    let uri = uri(service)?;
    let mut members = Vec::new();
    for list in children(service, "list") {
        read_list(list, &mut members)?;
    }
    let Policy {
        allow_anonymity,
        non_members_may_send,
    } = policy(ruleset(service))?;
    Ok(GroupDocument {
        uri,
        display_name: display_name(service)?,
        members,
        allow_anonymity,
        non_members_may_send,
    })
}

/// The one element that a group is.
pub(super) fn list_service<'a, 'input>(
    root: Node<'a, 'input>,
) -> Result<Node<'a, 'input>, NotAGroup> {
    if !root.has_tag_name((NAMESPACE, "group")) {
        return Err(NotAGroup::Schema("the root is not group"));
    }
    let mut services = children(root, "list-service");
    let service = services.next();
    let service = service.ok_or(NotAGroup::Schema("there is no list-service"))?;
    match services.next() {
        None => Ok(service),
        Some(_) => Err(NotAGroup::Constraint(
            "a document has one list-service here",
        )),
    }
}

/// Children of the namespace of groups.
pub(super) fn children<'a, 'input: 'a>(
    parent: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    let named = move |child: &Node<'_, '_>| child.has_tag_name((NAMESPACE, name));
    parent.children().filter(named)
}

/// The rules of a group.
pub(super) fn ruleset<'a, 'input>(service: Node<'a, 'input>) -> Option<Node<'a, 'input>> {
    let mut children = service.children();
    children.find(|child| child.has_tag_name((COMMON_POLICY, "ruleset")))
}

/// Whether an element has this name: documents write what lists consist of in either namespace.
pub(super) fn is_of_list(element: Node<'_, '_>, name: &str) -> bool {
    element.has_tag_name((NAMESPACE, name)) || element.has_tag_name((RESOURCE_LISTS, name))
}

fn read_list(list: Node<'_, '_>, members: &mut Vec<Member>) -> Result<(), NotAGroup> {
    for element in list.children().filter(Node::is_element) {
        if is_of_list(element, "entry") {
            if members.len() == MEMBERS_MAX {
                return Err(NotAGroup::Constraint(
                    "a group has at most 10,000 members here",
                ));
            }
            members.push(Member {
                uri: uri(element)?,
                display_name: display_name(element)?,
            });
        } else if ["external", "entry-ref", "list"]
            .iter()
            .any(|name| is_of_list(element, name))
        {
            return Err(NotAGroup::Constraint(
                "lists within lists and lists elsewhere are not resolved here",
            ));
        }
    }
    Ok(())
}

fn uri(element: Node<'_, '_>) -> Result<String, NotAGroup> {
    let uri = element.attribute("uri").map(str::trim).unwrap_or_default();
    match (1..=TEXT_OCTETS_MAX).contains(&uri.len()) {
        true => Ok(uri.to_owned()),
        false => Err(NotAGroup::Schema("a uri is missing or too long")),
    }
}

/// The first of the names, which may be in several languages.
fn display_name(element: Node<'_, '_>) -> Result<String, NotAGroup> {
    let mut names = element.children();
    let name = names.find(|child| is_of_list(*child, "display-name"));
    let name = name.and_then(|name| name.text()).unwrap_or_default().trim();
    match name.len() <= TEXT_OCTETS_MAX {
        true => Ok(name.to_owned()),
        false => Err(NotAGroup::Constraint("a display-name is too long")),
    }
}
