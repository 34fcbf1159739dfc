//! The path of an XCAP request (RFC 4825 §6): application usage, tree, document, node.

use crate::node_selector::{BadSelector, Bindings, NodeSelector, is_name};
use crate::percent;

/// Octets of a path with its query.
pub const MAX_OCTETS: usize = 4_096;
/// Steps of a node selector.
pub const MAX_STEPS: usize = 16;
/// Prefixes bound in a query.
const MAX_BINDINGS: usize = 16;

/// Whose documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// One user's, by his XUI, percent-decoded once (requirements §2.13).
    User(String),
    /// Everybody's.
    Global,
}

/// What an XCAP request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The application usage.
    pub auid: String,
    /// The tree within it.
    pub tree: Tree,
    /// Path of the document within the tree; at least one segment.
    pub document: Vec<String>,
    /// What of the document; `None` for all of it.
    pub node: Option<NodeSelector>,
}

/// Why a path names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadResource {
    /// No path of XCAP: 404.
    #[error("no such document")]
    NoDocument,
    /// The document selector is one, the node selector is none: 400.
    #[error("not a node selector")]
    Node,
}

impl From<BadSelector> for BadResource {
    fn from(BadSelector: BadSelector) -> Self {
        Self::Node
    }
}

impl Resource {
    /// Reads what follows the XCAP root, still percent-encoded, with the query behind `?` if any.
    ///
    /// # Errors
    /// [`BadResource`].
    pub fn parse(path: &str, query: Option<&str>) -> Result<Self, BadResource> {
        if path.len() + query.map_or(0, str::len) > MAX_OCTETS {
            return Err(BadResource::NoDocument);
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let segments: Vec<&str> = path.split('/').collect();
        let separator = segments.iter().position(|segment| is_separator(segment));
        let (document, node) = match separator {
            Some(at) => (&segments[..at], Some(&segments[at + 1..])),
            None => (&segments[..], None),
        };
        let document: Option<Vec<String>> =
            document.iter().map(|text| percent::decode(text)).collect();
        let document = document.ok_or(BadResource::NoDocument)?;
        let (auid, tree, document) = split(document).ok_or(BadResource::NoDocument)?;
        let node = match node {
            Some(steps) if steps.len() > MAX_STEPS => return Err(BadResource::Node),
            Some(steps) => Some(NodeSelector::parse(steps, &bindings(query)?)?),
            None => None,
        };
        Ok(Self {
            auid,
            tree,
            document,
            node,
        })
    }
}

fn is_separator(segment: &str) -> bool {
    percent::decode(segment).as_deref() == Some("~~")
}

fn split(segments: Vec<String>) -> Option<(String, Tree, Vec<String>)> {
    if segments.iter().any(String::is_empty) {
        return None;
    }
    let mut segments = segments.into_iter();
    let auid = segments.next()?;
    let tree = match segments.next()?.as_str() {
        "users" => Tree::User(segments.next()?),
        "global" => Tree::Global,
        _ => return None,
    };
    let document: Vec<String> = segments.collect();
    (!document.is_empty()).then_some((auid, tree, document))
}

/// `xmlns(prefix=namespace)` expressions, one after the other (RFC 4825 §6.4).
fn bindings(query: Option<&str>) -> Result<Bindings, BadResource> {
    let query = percent::decode(query.unwrap_or_default()).ok_or(BadResource::Node)?;
    let mut rest = query.as_str();
    let mut bindings = Bindings::new();
    while !rest.is_empty() {
        let (expression, after) = rest
            .strip_prefix("xmlns(")
            .and_then(|open| open.split_once(')'))
            .ok_or(BadResource::Node)?;
        let (prefix, namespace) = expression.split_once('=').ok_or(BadResource::Node)?;
        if !is_name(prefix) || namespace.is_empty() || bindings.len() == MAX_BINDINGS {
            return Err(BadResource::Node);
        }
        bindings.push((prefix.to_owned(), namespace.to_owned()));
        rest = after;
    }
    Ok(bindings)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::node_selector::{Name, Target};

    const USER: &str =
        "/org.openmobilealliance.deferred-list/users/sip:bob@example.org/deferred-list";

    #[test]
    fn a_document_is_named_by_usage_tree_and_path() {
        let resource = Resource::parse(USER, None).expect("a document");
        assert_eq!(resource.auid, "org.openmobilealliance.deferred-list");
        assert_eq!(resource.tree, Tree::User("sip:bob@example.org".to_owned()));
        assert_eq!(resource.document, ["deferred-list"]);
        assert_eq!(resource.node, None);
        let encoded = USER.replace("sip:bob@", "sip%3Ab%6fb%40");
        assert_eq!(Resource::parse(&encoded, None), Ok(resource));
        let global = Resource::parse("a/global/index", None).map(|resource| resource.tree);
        assert_eq!(global, Ok(Tree::Global));
    }

    #[test]
    fn what_names_no_document_is_refused() {
        for path in [
            "",
            "/",
            "/a",
            "/a/users",
            "/a/users/u",
            "/a/users/u/",
            "/a//u/d",
            "/a/x/u/d",
            "/a/users/%zz/d",
        ] {
            assert_eq!(
                Resource::parse(path, None),
                Err(BadResource::NoDocument),
                "{path}"
            );
        }
        let long = format!("/a/users/u/{}", "d".repeat(MAX_OCTETS));
        assert_eq!(Resource::parse(&long, None), Err(BadResource::NoDocument));
    }

    fn node(selector: &str, query: Option<&str>) -> Result<NodeSelector, BadResource> {
        let path = format!("{USER}/~~/{selector}");
        Resource::parse(&path, query).map(|resource| resource.node.expect("it has one"))
    }

    #[test]
    fn every_form_of_a_step_is_read() {
        let selector = node(
            "history-list/h:history%5b2%5d%5B@id=%22a%2Fb%22%5D/@size",
            Some("xmlns(h=urn:x)"),
        );
        let selector = selector.expect("a selector");
        assert_eq!(selector.steps.len(), 2);
        let step = &selector.steps[1];
        let namespace = Some("urn:x".to_owned());
        assert_eq!(
            step.name,
            Some(Name {
                namespace,
                local: "history".to_owned()
            })
        );
        assert_eq!(step.position, Some(2));
        let (name, value) = step.attribute.as_ref().expect("a test");
        assert_eq!((name.local.as_str(), value.as_str()), ("id", "a/b"));
        assert!(matches!(selector.target, Target::Attribute(name) if name.local == "size"));
        let all = node("*/namespace::*", None).expect("a selector");
        assert_eq!(
            (all.steps[0].name.as_ref(), all.target),
            (None, Target::Namespaces)
        );
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for selector in [
            "",
            "@id",
            "a/",
            "a[0]",
            "a[-1]",
            "a[1",
            "a[@id]",
            "a[@id=x]",
            "a[@id=\"x\"",
            "a[@id=\"x\"]y",
            "p:a",
            "a/@id/b",
            "a/namespace::x",
            "a b",
            "a[1][2]",
            "%zz",
            "/a",
        ] {
            assert_eq!(node(selector, None), Err(BadResource::Node), "{selector}");
        }
        let many = vec!["a"; MAX_STEPS + 1].join("/");
        assert_eq!(node(&many, None), Err(BadResource::Node));
        for query in [
            "x",
            "xmlns(p)",
            "xmlns(p=)",
            "xmlns(1=u)",
            "xmlns(p=u",
            "xmlns(p=u)&",
        ] {
            assert_eq!(node("a", Some(query)), Err(BadResource::Node), "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_read_or_refused(path in ".{0,200}", query in proptest::option::of(".{0,60}")) {
            drop(Resource::parse(&path, query.as_deref()));
        }

        #[test]
        fn any_selector_is_read_or_refused(selector in "[a-z/:@*=~%0-9\\[\\]\"']{0,60}") {
            drop(node(&selector, Some("xmlns(a=b)")));
        }

        #[test]
        fn an_encoded_attribute_value_comes_back(value in "[^\"]{1,30}") {
            let step = percent::encode(&format!("history[@id=\"{value}\"]"));
            let read = node(&step, None).expect("a selector");
            let (_, found) = read.steps[0].attribute.clone().expect("a test");
            prop_assert_eq!(found, value);
        }
    }
}
