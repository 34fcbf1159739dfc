//! What clients write, and what is made of it.

use proptest::prelude::*;

use super::*;
use crate::xml::NotRead;

/// The body of requirements §2.6.
const EXAMPLE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"
              xmlns:im="urn:oma:xml:im:service-settings">
  <entity id="urn:uuid:00000000-0000-1000-8000-000A95A0E128">
    <isb-settings>
      <incoming-session-barring active="false"/>
      <im:incoming-pager-large-barring active="false"/>
      <im:incoming-file-transfer-barring active="true"/>
    </isb-settings>
    <im:vis-settings>
      <im:vis-status active="false"/>
    </im:vis-settings>
    <im:deferred-settings>
      <im:offline-delivery active="true"/>
    </im:deferred-settings>
    <im:hist-settings>
      <im:hist-activation active="false"><im:session-mode/></im:hist-activation>
      <im:hist-activation active="true"><im:pager-large-mode/></im:hist-activation>
    </im:hist-settings>
  </entity>
</poc-settings>"#;

fn one(document: &str) -> Result<Entity, NotSettings> {
    let mut entities = read(document.as_bytes(), &Names::default())?;
    assert_eq!(entities.len(), 1);
    Ok(entities.remove(0))
}

/// A document with this within its entity.
fn with(inner: &str) -> String {
    format!(
        "<p:poc-settings xmlns:p=\"{POC}\" xmlns:im=\"{IM}\"><p:entity id=\"1\">{inner}</p:entity></p:poc-settings>"
    )
}

#[test]
fn set_08_all_seven_settings_are_read() {
    let entity = one(EXAMPLE).expect("a document");
    assert_eq!(entity.id, "urn:uuid:00000000-0000-1000-8000-000A95A0E128");
    let values = Setting::ALL.map(|setting| entity.get(setting));
    let expected = [false, false, false, true, false, true, true].map(Some);
    assert_eq!(values, expected);
}

#[test]
fn set_13_other_prefixes_and_unknown_elements_make_no_difference() {
    let inner = "<x:y xmlns:x=\"urn:x\"><x:z active=\"perhaps\"/><deep><deeper active=\"?\"/></deep></x:y>\
        <p:isb-settings><q:incoming-pager-large-barring xmlns:q=\"urn:oma:xml:im:service-settings\" active=\"1\"/>\
        <im:service-id/></p:isb-settings>\
        <vis-settings xmlns=\"urn:oma:xml:im:service-settings\"><vis-status active=\"0\"/></vis-settings>";
    let entity = one(&with(inner)).expect("a document");
    let said = vec![
        (Setting::MessageBarring, true),
        (Setting::Invisibility, false),
    ];
    assert_eq!(entity.said, said);
}

#[test]
fn offline_delivery_is_read_in_any_namespace() {
    for (open, close) in [
        (
            "<deferred-settings xmlns=\"urn:x\"><offline-delivery active=\"false\"/>",
            "</deferred-settings>",
        ),
        (
            "<p:deferred-settings><p:offline-delivery active=\"False\"/>",
            "</p:deferred-settings>",
        ),
        (
            "<deferred-settings><offline-delivery active=\" 0 \"/>",
            "</deferred-settings>",
        ),
    ] {
        let entity = one(&with(&format!("{open}{close}"))).expect("a document");
        assert_eq!(entity.get(Setting::OfflineDelivery), Some(false), "{open}");
    }
    let elsewhere = "<x:y xmlns:x=\"urn:x\"><x:offline-delivery active=\"false\"/></x:y>";
    let entity = one(&with(elsewhere)).expect("a document");
    assert_eq!(entity.said, []);
}

#[test]
fn histories_are_named_by_child_or_attribute() {
    let inner = "<im:hist-settings><im:hist-activation active=\"true\" type=\"session-mode\"/>\
        <im:hist-activation active=\"false\" mode=\"pager-large-mode\"/>\
        <im:hist-activation active=\"true\"/></im:hist-settings>";
    let entity = one(&with(inner)).expect("a document");
    assert_eq!(entity.get(Setting::SessionHistory), Some(true));
    assert_eq!(entity.get(Setting::MessageHistory), Some(false));
}

#[test]
fn names_are_configuration() {
    let name: XmlName = "message-barring={urn:vendor}no-messages"
        .parse()
        .expect("a name");
    assert_eq!(name.to_string().parse(), Ok(name.clone()));
    let names = Names::with(&[name]);
    let inner = "<p:isb-settings><v:no-messages xmlns:v=\"urn:vendor\" active=\"true\"/>\
        <im:incoming-pager-large-barring active=\"false\"/></p:isb-settings>";
    let entities = read(with(inner).as_bytes(), &names).expect("a document");
    assert_eq!(entities[0].said, [(Setting::MessageBarring, true)]);
    for text in [
        "",
        "message-barring",
        "message-barring=x",
        "other={u}x",
        "message-barring={u}a b",
    ] {
        assert_eq!(text.parse::<XmlName>(), Err(BadXmlName), "{text}");
    }
}

#[test]
fn err_12_what_is_no_settings_document_is_refused_whole() {
    let bomb = "<!DOCTYPE p [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><p>&b;</p>";
    assert!(matches!(
        one(bomb),
        Err(NotSettings::Xml(NotRead::Malformed(_)))
    ));
    let table = [
        ("<poc-settings/>".to_owned(), NotSettings::Root),
        (
            format!("<poc-settings xmlns=\"{POC}\"/>"),
            NotSettings::Entities,
        ),
        (with("").replace(" id=\"1\"", ""), NotSettings::Entities),
        (
            with("<im:vis-settings><im:vis-status/></im:vis-settings>"),
            NotSettings::Value,
        ),
        (
            with("<im:vis-settings><im:vis-status active=\"perhaps\"/></im:vis-settings>"),
            NotSettings::Value,
        ),
    ];
    for (document, expected) in table {
        assert_eq!(
            read(document.as_bytes(), &Names::default()),
            Err(expected),
            "{document}"
        );
    }
    let entity = "<entity id=\"1\"/>".repeat(17);
    let many = format!("<poc-settings xmlns=\"{POC}\">{entity}</poc-settings>");
    assert_eq!(
        read(many.as_bytes(), &Names::default()),
        Err(NotSettings::Entities)
    );
}

fn entity() -> impl Strategy<Value = Entity> {
    let said = proptest::collection::btree_map(0..7usize, any::<bool>(), 0..7);
    ("[!-~][ -~]{0,20}[!-~]", said).prop_map(|(id, said)| Entity {
        id,
        said: said
            .into_iter()
            .map(|(place, active)| (Setting::ALL[place], active))
            .collect(),
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(entities in proptest::collection::vec(entity(), 1..4)) {
        let document = write(&entities, &Names::default());
        let back = read(document.as_bytes(), &Names::default()).expect("a document");
        prop_assert_eq!(back.len(), entities.len());
        for (back, entity) in back.iter().zip(&entities) {
            prop_assert_eq!(&back.id, &entity.id);
            for setting in Setting::ALL {
                prop_assert_eq!(back.get(setting), entity.get(setting));
            }
        }
    }

    #[test]
    fn a_document_with_octets_changed_is_read_or_refused(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut octets = EXAMPLE.as_bytes().to_vec();
        for (place, octet) in changes {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        drop(read(&octets, &Names::default()));
    }
}
