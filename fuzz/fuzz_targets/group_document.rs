//! Whatever a client puts as a group document, or into one at whatever place: it is refused, or what comes out is read
//! again, has what was put, and can be put once more without a change.

#![no_main]

use libfuzzer_sys::fuzz_target;
use xcap::edit::{self, Reading};
use xcap::group_document::{GroupDocument, LIMITS, Member, NAMESPACE, amend, read, write};
use xcap::resource::Resource;

const READING: Reading<'static> = Reading {
    limits: LIMITS,
    default_namespace: NAMESPACE,
};

fn team() -> GroupDocument {
    GroupDocument {
        uri: "sip:team@example.org".to_owned(),
        display_name: "Team".to_owned(),
        members: vec![Member {
            uri: "sip:bob@example.org".to_owned(),
            display_name: "Bob".to_owned(),
        }],
        allow_anonymity: true,
        non_members_may_send: false,
    }
}

// A selector, a line break, and what is put; or a document alone.
fuzz_target!(|text: &str| {
    if let Ok(group) = read(text.as_bytes()) {
        assert!(read(write(&group).as_bytes()).is_ok());
        if let Ok(amended) = amend(text.as_bytes(), &team(), str::to_owned) {
            let amended = read(amended.as_bytes()).expect("still a group");
            assert!(amended.members.iter().all(|held| held.uri == "sip:bob@example.org"));
            assert!(!amended.members.is_empty());
        }
    }
    let Some((steps, new)) = text.split_once('\n') else {
        return;
    };
    let path = format!("/a/users/u/d/~~/{steps}");
    let Ok(resource) = Resource::parse(&path, Some("xmlns(cp=urn:ietf:params:xml:ns:common-policy)")) else {
        return;
    };
    let Some(selector) = resource.node else {
        return;
    };
    let document = write(&team());
    if let Ok(edited) = edit::put(&document, &selector, new, READING) {
        assert!(edit::exists(&edited.text, &selector, READING));
        let again = edit::put(&edited.text, &selector, new, READING).expect("once more");
        assert_eq!(again.text, edited.text);
    }
    if let Ok(text) = edit::delete(&document, &selector, READING) {
        assert!(!edit::exists(&text, &selector, READING));
    }
});
