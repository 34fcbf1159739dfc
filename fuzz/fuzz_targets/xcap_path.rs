//! Whatever stands in the path of an XCAP request: it is refused, or its selector finds at most one thing, and the
//! element found is one that a selector of its own finds again.

#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use xcap::deferred_list::{History, NAMESPACE, id_of, write};
use xcap::resource::Resource;
use xcap::xml::{Limits, parse};
use xcap::{percent, select};

const LIMITS: Limits = Limits {
    octets: 1 << 20,
    nodes: 10_000,
    depth: 8,
};

fn history(number: u64) -> History {
    let date = UNIX_EPOCH + Duration::from_secs(number);
    History {
        id: format!("{number}@store.example.org"),
        reference: format!("sip:{number}@store.example.org"),
        size: number,
        expiry: date,
        subject: Some("a & b".to_owned()),
        date,
        from: "<sip:alice@example.org>".to_owned(),
        to: "<sip:bob@example.org>".to_owned(),
        authenticated: None,
    }
}

fuzz_target!(|text: &str| {
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let Ok(resource) = Resource::parse(path, query) else {
        return;
    };
    let Some(selector) = resource.node else {
        return;
    };
    let list = write(&[history(1), history(2), history(3)]);
    let document = parse(list.as_bytes(), LIMITS).expect("our own document");
    let _ = select::select(&document, &selector, NAMESPACE);
    let _ = select::finds_another(&document, &selector, NAMESPACE);
    let Some(id) = select::element(&document, &selector, NAMESPACE).and_then(id_of) else {
        return;
    };
    let step = percent::encode(&format!("history[@id=\"{id}\"]"));
    let own = Resource::parse(&format!("/a/users/u/d/~~/history-list/{step}"), None);
    let own = own.expect("a resource").node.expect("a selector");
    let found = select::element(&document, &own, NAMESPACE).and_then(id_of);
    assert_eq!(found, Some(id));
});
