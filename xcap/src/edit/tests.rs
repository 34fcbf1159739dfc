//! Nodes put and deleted, as XDM clients do it.

use proptest::prelude::*;

use super::*;
use crate::percent;
use crate::resource::Resource;

const NS: &str = "urn:list";
const DOCUMENT: &str = "<?xml version=\"1.0\"?>\n<!-- kept -->\n<list xmlns=\"urn:list\" xmlns:o=\"urn:other\">\n  \
    <item id=\"1\" o:id='x'>one</item>\n  <item id=\"2\"/>\n  <o:other/>\n  <empty />\n</list>\n";
const READING: Reading<'_> = Reading {
    limits: Limits {
        octets: 10_000,
        nodes: 1_000,
        depth: 8,
    },
    default_namespace: NS,
};

fn selector(steps: &str) -> NodeSelector {
    let steps: Vec<_> = steps.split('/').map(percent::encode).collect();
    let path = format!("/a/users/u/d/~~/{}", steps.join("/"));
    let resource = Resource::parse(&path, Some("xmlns(o=urn:other)"));
    resource.expect("a resource").node.expect("a selector")
}

fn put_at(steps: &str, new: &str) -> Result<Edited, NotEdited> {
    put(DOCUMENT, &selector(steps), new, READING)
}

fn delete_at(steps: &str) -> Result<String, NotEdited> {
    delete(DOCUMENT, &selector(steps), READING)
}

#[test]
fn an_element_is_put_over_the_one_that_is_there() {
    let edited = put_at("list/item[@id=\"1\"]", "<item id=\"1\">new</item>").expect("one item");
    let expected = DOCUMENT.replace(
        "<item id=\"1\" o:id='x'>one</item>",
        "<item id=\"1\">new</item>",
    );
    assert_eq!((edited.text, edited.is_new), (expected, false));
}

#[test]
fn a_new_element_stands_where_the_selector_says() {
    let new = "<item id=\"3\"/>";
    let behind = DOCUMENT.replace("<item id=\"2\"/>", "<item id=\"2\"/><item id=\"3\"/>");
    let before = DOCUMENT.replace("<item id=\"1\"", "<item id=\"3\"/><item id=\"1\"");
    let between = DOCUMENT.replace("<item id=\"2\"/>", "<item id=\"3\"/><item id=\"2\"/>");
    let last = DOCUMENT.replace("<empty />\n", "<empty />\n<last/>");
    let opened = DOCUMENT.replace("<empty />", "<empty><in/></empty>");
    for (steps, new, expected) in [
        ("list/item[@id=\"3\"]", new, behind.as_str()),
        ("list/item[3]", new, &behind),
        ("list/item[1][@id=\"3\"]", new, &before),
        ("list/item[2][@id=\"3\"]", new, &between),
        ("list/last", " <last/>\r\n", &last),
        ("list/empty/in", "<in/>", &opened),
    ] {
        let edited = put_at(steps, new).expect(steps);
        assert_eq!((edited.text.as_str(), edited.is_new), (expected, true));
    }
}

#[test]
fn what_would_not_be_found_again_is_not_put() {
    let table = [
        ("list/none/item", "<item/>", NotEdited::NoParent),
        ("other/item", "<item/>", NotEdited::NoParent),
        ("other", "<other/>", NotEdited::CannotInsert),
        ("list/item[4]", "<item/>", NotEdited::CannotInsert),
        ("list/item", "<item/>", NotEdited::CannotInsert),
        (
            "list/item[@id=\"3\"]",
            "<item id=\"4\"/>",
            NotEdited::CannotInsert,
        ),
        (
            "list/item[@id=\"1\"]",
            "<item id=\"4\"/>",
            NotEdited::CannotInsert,
        ),
        ("list/a", "<b/>", NotEdited::CannotInsert),
        ("list/a", "<a/><a/>", NotEdited::NotXmlFragment),
        ("list/a", "</list><list>", NotEdited::NotXmlFragment),
        ("list/a", "a", NotEdited::NotXmlFragment),
        ("list/a", "<!-- a --><a/>", NotEdited::NotXmlFragment),
        ("list/a", "<p:a/>", NotEdited::NotXmlFragment),
        ("list/a", "", NotEdited::NotXmlFragment),
        (
            "list/item[1]/@id",
            "a\"b'c",
            NotEdited::NotXmlAttributeValue,
        ),
        ("list/item[1]/@id", "a<b", NotEdited::NotXmlAttributeValue),
        ("list/item[1]/@id", "a&b", NotEdited::NotXmlAttributeValue),
        (
            "list/item[1]/@xmlns",
            "urn:x",
            NotEdited::NotXmlAttributeValue,
        ),
        ("list/item[@id=\"1\"]/@id", "7", NotEdited::CannotInsert),
        ("list/item[7]/@id", "7", NotEdited::NoParent),
        ("list/namespace::*", "", NotEdited::Namespaces),
    ];
    for (steps, new, expected) in table {
        assert_eq!(put_at(steps, new), Err(expected), "{steps} {new}");
    }
}

#[test]
fn attributes_are_put_and_deleted() {
    let table = [
        ("list/item[1]/@id", "7", "id=\"1\"", "id=\"7\"", false),
        (
            "list/item[1]/@o:id",
            "a\"b",
            "o:id='x'",
            "o:id='a\"b'",
            false,
        ),
        (
            "list/item[2]/@new",
            "&amp;",
            "<item id=\"2\"/>",
            "<item new=\"&amp;\" id=\"2\"/>",
            true,
        ),
        (
            "list/empty/@new",
            "x",
            "<empty />",
            "<empty new=\"x\" />",
            true,
        ),
    ];
    for (steps, new, was, becomes, is_new) in table {
        let edited = put_at(steps, new).expect(steps);
        let expected = DOCUMENT.replace(was, becomes);
        assert_eq!((edited.text, edited.is_new), (expected, is_new), "{steps}");
    }
    let gone = delete_at("list/item[1]/@o:id").expect("it is there");
    assert_eq!(gone, DOCUMENT.replace(" o:id='x'", ""));
    assert_eq!(delete_at("list/item[2]/@none"), Err(NotEdited::NotFound));
}

#[test]
fn an_element_is_deleted_unless_another_one_would_be_hit_next() {
    let gone = delete_at("list/item[@id=\"1\"]").expect("it is there");
    let expected = DOCUMENT.replace("<item id=\"1\" o:id='x'>one</item>", "");
    assert_eq!(gone, expected);
    let table = [
        ("list/item[1]", NotEdited::CannotDelete),
        ("list", NotEdited::CannotDelete),
        ("list/item", NotEdited::NotFound),
        ("list/item[@id=\"3\"]", NotEdited::NotFound),
        ("list/item[1]/namespace::*", NotEdited::Namespaces),
    ];
    for (steps, expected) in table {
        assert_eq!(delete_at(steps), Err(expected), "{steps}");
    }
    assert!(delete_at("list/item[2]").is_ok(), "nothing comes after it");
}

fn documents() -> impl Strategy<Value = String> {
    let ids = proptest::collection::btree_set("[a-z]{1,3}", 0..6);
    ids.prop_map(|ids| {
        let items = ids.iter().map(|id| format!("<item id=\"{id}\"/>\n"));
        format!(
            "<list xmlns=\"urn:list\">{}</list>",
            items.collect::<String>()
        )
    })
}

proptest! {
    #[test]
    fn what_is_put_is_found_and_what_is_deleted_is_not(text in documents(), id in "[a-z]{1,3}") {
        let steps = selector(&format!("list/item[@id=\"{id}\"]"));
        let new = format!("<item id=\"{id}\">x</item>");
        let was = exists(&text, &steps, READING);
        let edited = put(&text, &steps, &new, READING).expect("it can be put");
        prop_assert_eq!(edited.is_new, !was);
        let again = put(&edited.text, &steps, &new, READING).expect("again");
        prop_assert_eq!(&again.text, &edited.text);
        let document = Document::parse(&edited.text).expect("well-formed");
        let found = select::select(&document, &steps, NS).map(|found| found.body);
        prop_assert_eq!(found, Some(new));
        let gone = delete(&edited.text, &steps, READING).expect("it can be deleted");
        prop_assert!(!exists(&gone, &steps, READING));
        if !was {
            prop_assert_eq!(gone, text);
        }
    }

    #[test]
    fn any_change_leaves_xml_behind(
        text in documents(),
        steps in "(list|item|\\*)(\\[[1-3]\\])?(/(item|\\*|b)(\\[[1-3]\\])?(\\[@id=\"[a-c]\"\\])?)?(/@id|/@x)?",
        new in "(<item id=\"[a-c]\"/>|<b/>|[a-c<>&\"' /]{0,8})",
    ) {
        let selector = selector(&steps);
        if let Ok(edited) = put(&text, &selector, &new, READING) {
            prop_assert!(Document::parse(&edited.text).is_ok());
            prop_assert!(exists(&edited.text, &selector, READING));
        }
        if let Ok(gone) = delete(&text, &selector, READING) {
            prop_assert!(Document::parse(&gone).is_ok());
            prop_assert!(!exists(&gone, &selector, READING));
        }
    }
}
