//! Applying a node selector to a document (RFC 4825 §6.3, §7).

use roxmltree::{Document, Node, NodeId};

use crate::node_selector::{Name, NodeSelector, Step, Target};
use crate::xml::escape;

/// What was found, as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its media type.
    pub media_type: &'static str,
    /// Its text.
    pub body: String,
}

/// What a selector finds; `None` if that is not exactly one thing.
#[must_use]
pub fn select(
    document: &Document<'_>,
    selector: &NodeSelector,
    default_namespace: &str,
) -> Option<Found> {
    let element = element(document, selector, default_namespace)?;
    let (media_type, body) = match &selector.target {
        Target::Element => {
            let text = &document.input_text()[element.range()];
            ("application/xcap-el+xml", text.to_owned())
        }
        Target::Attribute(name) => {
            let value = attribute(element, name)?;
            ("application/xcap-att+xml", escape(value))
        }
        Target::Namespaces => ("application/xcap-ns+xml", namespaces(element)),
    };
    Some(Found { media_type, body })
}

/// The element that the steps lead to; `None` if that is not exactly one.
#[must_use]
pub fn element<'a, 'input>(
    document: &'a Document<'input>,
    selector: &NodeSelector,
    default_namespace: &str,
) -> Option<Node<'a, 'input>> {
    walk(document, selector, default_namespace, None)
}

/// Whether the same selector would find something else once the element is gone: such a removal is
/// refused, because it could not be repeated safely (RFC 4825 §7.9).
#[must_use]
pub fn finds_another(
    document: &Document<'_>,
    selector: &NodeSelector,
    default_namespace: &str,
) -> bool {
    let first = element(document, selector, default_namespace);
    first.is_some_and(|first| {
        walk(document, selector, default_namespace, Some(first.id())).is_some()
    })
}

/// Children with the name of a step, whatever else it asks for.
pub(crate) fn named<'a, 'input: 'a>(
    parent: Node<'a, 'input>,
    step: &Step,
    default_namespace: &str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    parent
        .children()
        .filter(|child| child.is_element())
        .filter(move |child| is_named(*child, step, default_namespace))
}

fn walk<'a, 'input>(
    document: &'a Document<'input>,
    selector: &NodeSelector,
    default_namespace: &str,
    without: Option<NodeId>,
) -> Option<Node<'a, 'input>> {
    let mut here = document.root();
    for step in &selector.steps {
        let named = named(here, step, default_namespace);
        let named = named.filter(|child| Some(child.id()) != without);
        let mut matching = named
            .enumerate()
            .filter(|(place, _)| step.position.is_none_or(|wanted| place + 1 == wanted))
            .map(|(_, child)| child)
            .filter(|child| has_attribute(*child, step));
        here = matching.next()?;
        if matching.next().is_some() {
            return None;
        }
    }
    Some(here)
}

fn is_named(child: Node<'_, '_>, step: &Step, default_namespace: &str) -> bool {
    let Some(name) = &step.name else {
        return true;
    };
    let namespace = name.namespace.as_deref().unwrap_or(default_namespace);
    let tag = child.tag_name();
    tag.name() == name.local && tag.namespace().unwrap_or_default() == namespace
}

fn has_attribute(child: Node<'_, '_>, step: &Step) -> bool {
    step.attribute
        .as_ref()
        .is_none_or(|(name, value)| attribute(child, name) == Some(value))
}

fn attribute<'a>(element: Node<'a, '_>, name: &Name) -> Option<&'a str> {
    match &name.namespace {
        Some(namespace) => element.attribute((namespace.as_str(), name.local.as_str())),
        None => element.attribute(name.local.as_str()),
    }
}

/// An element of that name with the bindings in scope (RFC 4825 §7.10).
fn namespaces(element: Node<'_, '_>) -> String {
    let prefix = element
        .tag_name()
        .namespace()
        .and_then(|uri| element.lookup_prefix(uri))
        .filter(|prefix| !prefix.is_empty());
    let mut out = String::from("<");
    if let Some(prefix) = prefix {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(element.tag_name().name());
    for binding in element.namespaces() {
        match binding.name() {
            Some("xml") => continue,
            Some(prefix) => out.push_str(&format!(" xmlns:{prefix}=\"{}\"", escape(binding.uri()))),
            None => out.push_str(&format!(" xmlns=\"{}\"", escape(binding.uri()))),
        }
    }
    out.push_str("/>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Resource;

    const NS: &str = "urn:list";
    const DOCUMENT: &str = "<list xmlns=\"urn:list\" xmlns:o=\"urn:other\">\
        <item id=\"1\" o:id=\"x\">one</item><o:item>other</o:item><item id=\"2&amp;\"><deep/></item></list>";

    fn selector(steps: &str) -> NodeSelector {
        let path = format!("/a/users/u/d/~~/{steps}");
        let resource = Resource::parse(&path, Some("xmlns(o=urn:other)xmlns(l=urn:list)"));
        resource.expect("a resource").node.expect("a selector")
    }

    fn found(steps: &str) -> Option<String> {
        let document = Document::parse(DOCUMENT).expect("well-formed");
        select(&document, &selector(steps), NS).map(|found| found.body)
    }

    #[test]
    fn each_selector_finds_what_the_standard_says() {
        let table = [
            ("list/item[1]", Some("<item id=\"1\" o:id=\"x\">one</item>")),
            ("l:list/l:item[2]/deep", Some("<deep/>")),
            ("list/o:item", Some("<o:item>other</o:item>")),
            ("list/*[2]", Some("<o:item>other</o:item>")),
            ("list/item[@id=\"2%26\"]/@id", Some("2&amp;")),
            ("list/item[@o:id=\"x\"]/@id", Some("1")),
            ("list/item[1][@id=\"1\"]/@o:id", Some("x")),
            ("list/item[2][@id=\"1\"]", None),
            ("list/item", None),
            ("list/item[3]", None),
            ("list/other", None),
            ("list/item[1]/@none", None),
            ("*/*[3]/*", Some("<deep/>")),
            ("*/*/deep", None),
        ];
        for (steps, expected) in table {
            assert_eq!(found(steps).as_deref(), expected, "{steps}");
        }
    }

    #[test]
    fn bindings_in_scope_are_told() {
        let told = found("list/o:item/namespace::*").expect("one element");
        assert!(told.starts_with("<o:item "), "{told}");
        assert!(
            told.contains(" xmlns=\"urn:list\"") && told.contains(" xmlns:o=\"urn:other\""),
            "{told}"
        );
    }

    #[test]
    fn a_removal_that_would_hit_another_one_is_seen() {
        let document = Document::parse(DOCUMENT).expect("well-formed");
        let table = [
            ("list/item[1]", true),
            ("list/item[2]", false),
            ("list/item[@id=\"1\"]", false),
            ("list/*[1]", true),
            ("list/o:item", false),
            ("list/none", false),
        ];
        for (steps, expected) in table {
            assert_eq!(
                finds_another(&document, &selector(steps), NS),
                expected,
                "{steps}"
            );
        }
    }
}
