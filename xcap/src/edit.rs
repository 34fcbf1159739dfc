//! Changing a document element by element, attribute by attribute (RFC 4825 §8.2, §8.3). The rest of the document keeps
//! its octets.
//!
//! Every change is tried and looked at: what the same selector finds afterwards must be what was put, or nothing, so
//! that a request can be repeated without harm (RFC 4825 §7.9). Whether the document is still one of its application
//! usage is for the caller to see.

use std::ops::Range;

use roxmltree::{Document, Node};

use crate::node_selector::{Name, NodeSelector, Target};
use crate::select;
use crate::xml::{self, Limits, NotRead};

/// A part of a text, and what it becomes.
pub(crate) type Splice = (Range<usize>, String);

/// A document after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Its text.
    pub text: String,
    /// Nothing was there before: 201, not 200.
    pub is_new: bool,
}

/// Why a document stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotEdited {
    /// The document itself is not read.
    #[error(transparent)]
    Unreadable(NotRead),
    /// What would be around it is not there: 409.
    #[error("there is nothing to put it into")]
    NoParent,
    /// What is put is not one element: 409.
    #[error("not one element")]
    NotXmlFragment,
    /// What is put is no attribute value: 409.
    #[error("not an attribute value")]
    NotXmlAttributeValue,
    /// The selector would not find what is put: 409.
    #[error("the selector would not find it")]
    CannotInsert,
    /// The selector would find something else then: 409.
    #[error("the selector would find something else")]
    CannotDelete,
    /// Nothing to delete is there, or more than one thing: 404.
    #[error("there is no such node")]
    NotFound,
    /// Bindings of namespaces are read only: 405.
    #[error("namespaces cannot be changed")]
    Namespaces,
}

/// How a document is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Bounds of it, also afterwards.
    pub limits: Limits,
    /// Namespace of elements that a selector names without one.
    pub default_namespace: &'a str,
}

/// Puts an element or an attribute where the selector says: over what is there, or as something new.
///
/// # Errors
/// [`NotEdited`].
pub fn put(
    text: &str,
    selector: &NodeSelector,
    new: &str,
    reading: Reading<'_>,
) -> Result<Edited, NotEdited> {
    let document = parse(text, reading).map_err(NotEdited::Unreadable)?;
    match &selector.target {
        Target::Element => put_element(&document, selector, new.trim(), reading),
        Target::Attribute(name) => put_attribute(&document, selector, name, new, reading),
        Target::Namespaces => Err(NotEdited::Namespaces),
    }
}

/// Takes an element or an attribute out.
///
/// # Errors
/// [`NotEdited`].
pub fn delete(
    text: &str,
    selector: &NodeSelector,
    reading: Reading<'_>,
) -> Result<String, NotEdited> {
    let document = parse(text, reading).map_err(NotEdited::Unreadable)?;
    let element = select::element(&document, selector, reading.default_namespace);
    let element = element.ok_or(NotEdited::NotFound)?;
    let range = match &selector.target {
        Target::Element if element == document.root_element() => {
            return Err(NotEdited::CannotDelete);
        }
        Target::Element => element.range(),
        Target::Attribute(name) => {
            let range = attribute(element, name).ok_or(NotEdited::NotFound)?;
            let before = &document.input_text()[..range.start];
            before.trim_end().len()..range.end
        }
        Target::Namespaces => return Err(NotEdited::Namespaces),
    };
    let edited = splice(document.input_text(), &(range, String::new()));
    let after = parse(&edited, reading).map_err(|_| NotEdited::CannotDelete)?;
    match select::select(&after, selector, reading.default_namespace) {
        None => Ok(edited),
        Some(_) => Err(NotEdited::CannotDelete),
    }
}

fn parse<'a>(text: &'a str, reading: Reading<'_>) -> Result<Document<'a>, NotRead> {
    xml::parse(text.as_bytes(), reading.limits)
}

fn put_element(
    document: &Document<'_>,
    selector: &NodeSelector,
    new: &str,
    reading: Reading<'_>,
) -> Result<Edited, NotEdited> {
    let known = select::element(document, selector, reading.default_namespace);
    let is_new = known.is_none();
    let (change, offset) = match known {
        Some(known) => ((known.range(), new.to_owned()), 0),
        None => insertion(document, selector, new, reading)?,
    };
    let put = change.0.start + offset;
    let text = splice(document.input_text(), &change);
    let after = parse(&text, reading).map_err(|_| NotEdited::NotXmlFragment)?;
    let range = put..put + new.len();
    let is_element = |node: Node<'_, '_>| node.is_element() && node.range() == range;
    if !after.descendants().any(is_element) {
        return Err(NotEdited::NotXmlFragment);
    }
    match select::element(&after, selector, reading.default_namespace) {
        Some(found) if found.range() == range => {
            drop(after);
            Ok(Edited { text, is_new })
        }
        _ => Err(NotEdited::CannotInsert),
    }
}

/// Puts an element that is not there at its position among its like, else behind the last of them, else at the end of
/// its parent (RFC 4825 §8.2.3). How far into the change it begins is told too.
fn insertion(
    document: &Document<'_>,
    selector: &NodeSelector,
    new: &str,
    reading: Reading<'_>,
) -> Result<(Splice, usize), NotEdited> {
    // A document has one root, and that is another one.
    let (last, above) = selector
        .steps
        .split_last()
        .filter(|(_, above)| !above.is_empty())
        .ok_or(NotEdited::CannotInsert)?;
    let above = NodeSelector {
        steps: above.to_vec(),
        target: Target::Element,
    };
    let parent = select::element(document, &above, reading.default_namespace);
    let parent = parent.ok_or(NotEdited::NoParent)?;
    let like: Vec<_> = select::named(parent, last, reading.default_namespace).collect();
    let position = last.position.unwrap_or(like.len() + 1);
    let at = match (like.get(position - 1), like.last()) {
        (Some(next), _) => next.range().start,
        (None, _) if position > like.len() + 1 => return Err(NotEdited::CannotInsert),
        (None, Some(last)) => last.range().end,
        (None, None) => return Ok(appended(parent, new)),
    };
    Ok(((at..at, new.to_owned()), 0))
}

fn put_attribute(
    document: &Document<'_>,
    selector: &NodeSelector,
    name: &Name,
    new: &str,
    reading: Reading<'_>,
) -> Result<Edited, NotEdited> {
    let element = select::element(document, selector, reading.default_namespace);
    let element = element.ok_or(NotEdited::NoParent)?;
    let quote = match (new.contains('"'), new.contains('\'')) {
        (true, true) => return Err(NotEdited::NotXmlAttributeValue),
        (true, false) => '\'',
        (false, _) => '"',
    };
    let known = attribute(element, name);
    let is_new = known.is_none();
    let written = match &name.namespace {
        None => name.local.clone(),
        Some(namespace) => {
            let prefix = element.lookup_prefix(namespace);
            let prefix = prefix.filter(|prefix| !prefix.is_empty());
            format!("{}:{}", prefix.ok_or(NotEdited::CannotInsert)?, name.local)
        }
    };
    let change = match known {
        Some(range) => (range, format!("{written}={quote}{new}{quote}")),
        None => {
            let at = element.range().start + 1 + qualified_name(element).len();
            (at..at, format!(" {written}={quote}{new}{quote}"))
        }
    };
    let text = splice(document.input_text(), &change);
    let after = parse(&text, reading).map_err(|_| NotEdited::NotXmlAttributeValue)?;
    // As many elements and attributes as before, and one more if it is new: nothing came in beside it.
    let grown = content(&after).checked_sub(content(document));
    let is_there = select::select(&after, selector, reading.default_namespace).is_some();
    match grown == Some(usize::from(is_new)) {
        false => Err(NotEdited::NotXmlAttributeValue),
        true if !is_there => Err(NotEdited::CannotInsert),
        true => {
            drop(after);
            Ok(Edited { text, is_new })
        }
    }
}

/// How many nodes and attributes there are.
fn content(document: &Document<'_>) -> usize {
    let nodes = document.descendants();
    nodes.map(|node| 1 + node.attributes().len()).sum()
}

/// Where an attribute stands, with its name.
fn attribute(element: Node<'_, '_>, name: &Name) -> Option<Range<usize>> {
    let found = match &name.namespace {
        Some(namespace) => element.attribute_node((namespace.as_str(), name.local.as_str())),
        None => element.attribute_node(name.local.as_str()),
    };
    found.map(|found| found.range())
}

fn splice(text: &str, (range, new): &Splice) -> String {
    [&text[..range.start], new, &text[range.end..]].concat()
}

/// Puts something behind all that an element holds.
pub(crate) fn to_the_end_of(element: Node<'_, '_>, new: &str) -> Splice {
    appended(element, new).0
}

/// As [`to_the_end_of`], with the place in the change where the new begins.
fn appended(element: Node<'_, '_>, new: &str) -> (Splice, usize) {
    let (range, text) = (element.range(), text_of(element));
    if is_empty_tag(element) {
        let start = text[..text.len() - 2].trim_end();
        let name = qualified_name(element);
        return ((range, format!("{start}>{new}</{name}>")), start.len() + 1);
    }
    let at = range.start + text.rfind("</").unwrap_or(text.len());
    ((at..at, new.to_owned()), 0)
}

/// Where the content of an element begins that has some.
pub(crate) fn behind_start_tag(element: Node<'_, '_>) -> usize {
    let first = element.first_child();
    first.map_or_else(|| element.range().end, |child| child.range().start)
}

/// What stands before the name of an element: its prefix with the colon, or nothing.
pub(crate) fn prefix_of(element: Node<'_, '_>) -> String {
    let name = qualified_name(element);
    let prefix = name.split_once(':').map(|(prefix, _)| prefix);
    prefix.map_or_else(String::new, |prefix| format!("{prefix}:"))
}

fn qualified_name<'a>(element: Node<'a, '_>) -> &'a str {
    let text = &text_of(element)[1..];
    let ends = |c: char| c.is_whitespace() || c == '/' || c == '>';
    &text[..text.find(ends).unwrap_or(text.len())]
}

fn text_of<'a>(element: Node<'a, '_>) -> &'a str {
    &element.document().input_text()[element.range()]
}

fn is_empty_tag(element: Node<'_, '_>) -> bool {
    element.is_element() && !element.has_children() && text_of(element).ends_with("/>")
}

/// Whether the selector finds something.
#[must_use]
pub fn exists(text: &str, selector: &NodeSelector, reading: Reading<'_>) -> bool {
    parse(text, reading).is_ok_and(|document| {
        select::select(&document, selector, reading.default_namespace).is_some()
    })
}

#[cfg(test)]
mod tests;
