//! Lists as clients write them, and as nobody should.

use proptest::prelude::*;

use super::*;
use crate::xml::NotRead;

const LIMITS: Limits = Limits { entries: 5 };

fn entry(uri: &str, copy_control: CopyControl) -> Entry {
    Entry {
        uri: uri.to_owned(),
        copy_control,
        anonymize: false,
    }
}

fn document(inside: &str) -> String {
    format!(
        "<resource-lists xmlns=\"{RESOURCE_LISTS}\" xmlns:cp=\"{COPY_CONTROL}\">{inside}</resource-lists>"
    )
}

fn read_inside(inside: &str) -> Result<Vec<Entry>, NotAList> {
    read(document(inside).as_bytes(), LIMITS)
}

#[test]
fn cfp_15_entries_say_who_sees_them() {
    let inside = "<list><entry uri=\" sip:bob@example.org \" cp:copyControl=\"to\"/>\
                  <entry uri=\"sip:carol@example.org\" cp:copyControl=\"cc\"><display-name>C</display-name></entry></list>\
                  <list><entry uri=\"tel:+15550100\" cp:copyControl=\"bcc\"/>\
                  <entry uri=\"sip:dave@example.org\"/><entry uri=\"sip:e@example.org\" cp:copyControl=\"to\" cp:anonymize=\"1\"/></list>";
    let mut eve = entry("sip:e@example.org", CopyControl::To);
    eve.anonymize = true;
    assert_eq!(
        read_inside(inside),
        Ok(vec![
            entry("sip:bob@example.org", CopyControl::To),
            entry("sip:carol@example.org", CopyControl::Cc),
            entry("tel:+15550100", CopyControl::Bcc),
            entry("sip:dave@example.org", CopyControl::Bcc),
            eve,
        ])
    );
}

#[test]
fn cfp_16_nested_and_external_lists_are_skipped() {
    let inside = "<list><list><entry uri=\"sip:nested@example.org\"/></list>\
                  <external anchor=\"http://example.org/list\"/><entry-ref ref=\"x\"/>\
                  <entry uri=\"sip:bob@example.org\"/></list>";
    assert_eq!(
        read_inside(inside),
        Ok(vec![entry("sip:bob@example.org", CopyControl::Bcc)])
    );
    assert_eq!(read_inside("<list/>"), Ok(Vec::new()));
    assert_eq!(read_inside(""), Ok(Vec::new()));
}

#[test]
fn cfp_17_what_is_no_list_names_nobody() {
    for inside in [
        "<list><entry/></list>",
        "<list><entry uri=\"  \"/></list>",
        "<list><entry uri=\"sip:a@b\" cp:copyControl=\"all\"/></list>",
        "<list><entry uri=\"sip:a@b\" cp:anonymize=\"yes\"/></list>",
    ] {
        let refused = read_inside(inside).expect_err(inside);
        assert!(matches!(refused, NotAList::Malformed(_)), "{inside}");
    }
    let other_root = "<list xmlns=\"urn:ietf:params:xml:ns:resource-lists\"/>";
    assert!(matches!(
        read(other_root.as_bytes(), LIMITS),
        Err(NotAList::Malformed(_))
    ));
    let bomb = "<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><l>&b;</l>";
    assert!(matches!(
        read(bomb.as_bytes(), LIMITS),
        Err(NotAList::Xml(NotRead::Malformed(_)))
    ));
}

#[test]
fn cfp_17_a_list_is_bounded() {
    let entries = |count: usize| {
        let entries = "<entry uri=\"sip:bob@example.org\"/>".repeat(count);
        document(&format!("<list>{entries}</list>"))
    };
    assert_eq!(
        read(entries(5).as_bytes(), LIMITS).map(|read| read.len()),
        Ok(5)
    );
    for count in [6, 1_000, 1_000_000] {
        assert_eq!(
            read(entries(count).as_bytes(), LIMITS),
            Err(NotAList::TooMany)
        );
    }
}

#[test]
fn those_who_are_not_to_be_named_are_counted() {
    let mut hidden = entry("sip:dave@example.org", CopyControl::To);
    hidden.anonymize = true;
    let written = write(&[
        hidden.clone(),
        entry("sip:bob@example.org", CopyControl::To),
        hidden,
    ]);
    assert!(!written.contains("dave"), "{written}");
    assert!(
        written
            .contains("\"sip:anonymous@anonymous.invalid\" cp:copyControl=\"to\" cp:count=\"2\""),
        "{written}"
    );
    assert!(written.contains("<entry uri=\"sip:bob@example.org\" cp:copyControl=\"to\"/>"));
}

fn copy_controls() -> impl Strategy<Value = CopyControl> {
    prop_oneof![
        Just(CopyControl::To),
        Just(CopyControl::Cc),
        Just(CopyControl::Bcc)
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        written in proptest::collection::vec(("[!-~]{1,40}", copy_controls()), 0..5)
    ) {
        let entries: Vec<_> = written.iter().map(|(uri, copies)| entry(uri, *copies)).collect();
        prop_assert_eq!(read(write(&entries).as_bytes(), LIMITS), Ok(entries));
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(read(&octets, LIMITS));
    }
}
