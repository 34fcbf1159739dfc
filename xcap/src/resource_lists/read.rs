//! Reading a list of recipients.

use roxmltree::Node;

use super::{COPY_CONTROL, CopyControl, Entry, RESOURCE_LISTS};
use crate::xml::{self, NotRead};

/// Elements within each other; what lies deeper than two is skipped anyway.
const DEPTH: usize = 16;
/// Octets of a URI.
const URI_OCTETS_MAX: usize = 1_024;
/// Elements, attributes' elements and texts that an entry may take, with its display name and the blanks around.
const NODES_OF_AN_ENTRY: u32 = 8;
/// Octets that an entry may take on average.
const OCTETS_OF_AN_ENTRY: usize = 512;

/// Bounds of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries, whether or not they name the same recipient.
    pub entries: usize,
}

/// Why nobody is named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAList {
    /// No XML that is read.
    #[error(transparent)]
    Xml(NotRead),
    /// The root is another element, or an entry has no URI, or an attribute has no value of its type.
    #[error("{0}")]
    Malformed(&'static str),
    /// More entries than are allowed, or so large that there must be.
    #[error("too many recipients")]
    TooMany,
}

impl From<NotRead> for NotAList {
    fn from(not_read: NotRead) -> Self {
        match not_read {
            NotRead::TooLarge => Self::TooMany,
            not_read => Self::Xml(not_read),
        }
    }
}

/// The recipients, in the order of the document; possibly none.
///
/// # Errors
/// [`NotAList`]: nothing of it counts.
pub fn read(octets: &[u8], limits: Limits) -> Result<Vec<Entry>, NotAList> {
    let entries_max = u32::try_from(limits.entries).unwrap_or(u32::MAX);
    let bounds = xml::Limits {
        octets: limits
            .entries
            .saturating_mul(OCTETS_OF_AN_ENTRY)
            .saturating_add(4 << 10),
        nodes: entries_max
            .saturating_mul(NODES_OF_AN_ENTRY)
            .saturating_add(256),
        depth: DEPTH,
    };
    let document = xml::parse(octets, bounds)?;
    let root = document.root_element();
    if !root.has_tag_name((RESOURCE_LISTS, "resource-lists")) {
        return Err(NotAList::Malformed("the root is not resource-lists"));
    }
    let lists = named(root, "list");
    let entries: Vec<_> = lists.flat_map(|list| named(list, "entry")).collect();
    if entries.len() > limits.entries {
        return Err(NotAList::TooMany);
    }
    entries.into_iter().map(entry).collect()
}

fn named<'a, 'input: 'a>(
    parent: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    parent
        .children()
        .filter(move |child| child.has_tag_name((RESOURCE_LISTS, name)))
}

fn entry(entry: Node<'_, '_>) -> Result<Entry, NotAList> {
    let uri = entry.attribute("uri").map(str::trim).unwrap_or_default();
    if !(1..=URI_OCTETS_MAX).contains(&uri.len()) {
        return Err(NotAList::Malformed("an entry has no URI"));
    }
    Ok(Entry {
        uri: uri.to_owned(),
        copy_control: copy_control(entry)?,
        anonymize: anonymize(entry)?,
    })
}

fn copy_control(entry: Node<'_, '_>) -> Result<CopyControl, NotAList> {
    match entry
        .attribute((COPY_CONTROL, "copyControl"))
        .map(str::trim)
    {
        Some("to") => Ok(CopyControl::To),
        Some("cc") => Ok(CopyControl::Cc),
        Some("bcc") | None => Ok(CopyControl::Bcc),
        Some(_) => Err(NotAList::Malformed("copyControl is none of to, cc, bcc")),
    }
}

/// `xs:boolean`.
fn anonymize(entry: Node<'_, '_>) -> Result<bool, NotAList> {
    match entry.attribute((COPY_CONTROL, "anonymize")).map(str::trim) {
        Some("true" | "1") => Ok(true),
        Some("false" | "0") | None => Ok(false),
        Some(_) => Err(NotAList::Malformed("anonymize is no boolean")),
    }
}
