//! Group documents as XDM clients write them, and as nobody should.

use proptest::prelude::*;

use super::*;
use crate::xml::NotRead;

/// What a client of OMA XDM sends.
const FRIENDS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<group xmlns=\"urn:oma:xml:poc:list-service\"
    xmlns:rl=\"urn:ietf:params:xml:ns:resource-lists\"
    xmlns:cp=\"urn:ietf:params:xml:ns:common-policy\">
  <list-service uri=\"sip:friends@example.org\">
    <display-name xml:lang=\"en-us\">Friends</display-name>
    <list>
      <entry uri=\"tel:+15550100\"/>
      <entry uri=\"sip:bob@example.org\"><rl:display-name>Bob &amp; Co</rl:display-name></entry>
    </list>
    <invite-members>true</invite-members>
    <max-participant-count>10</max-participant-count>
    <cp:ruleset>
      <cp:rule id=\"a7c\">
        <cp:conditions><is-list-member/></cp:conditions>
        <cp:actions><join-handling>true</join-handling><allow-anonymity>true</allow-anonymity></cp:actions>
      </cp:rule>
    </cp:ruleset>
  </list-service>
</group>
";

fn member(uri: &str, display_name: &str) -> Member {
    Member {
        uri: uri.to_owned(),
        display_name: display_name.to_owned(),
    }
}

fn friends() -> GroupDocument {
    GroupDocument {
        uri: "sip:friends@example.org".to_owned(),
        display_name: "Friends".to_owned(),
        members: vec![
            member("tel:+15550100", ""),
            member("sip:bob@example.org", "Bob & Co"),
        ],
        allow_anonymity: true,
        non_members_may_send: false,
    }
}

fn document(inside: &str) -> String {
    format!(
        "<group xmlns=\"{NAMESPACE}\" xmlns:cp=\"{COMMON_POLICY}\" xmlns:ocp=\"{OMA_COMMON_POLICY}\">\
         <list-service uri=\"sip:g@example.org\">{inside}</list-service></group>"
    )
}

/// Conditions and actions of a rule.
type Said<'a> = (&'a str, &'a str);

fn rules(rules: &[Said<'_>]) -> Result<(bool, bool), NotAGroup> {
    let rules = rules.iter().map(|(conditions, actions)| {
        format!(
            "<cp:rule id=\"r\"><cp:conditions>{conditions}</cp:conditions>\
             <cp:actions>{actions}</cp:actions></cp:rule>"
        )
    });
    let rules: String = rules.collect();
    let group = read(document(&format!("<cp:ruleset>{rules}</cp:ruleset>")).as_bytes())?;
    Ok((group.non_members_may_send, group.allow_anonymity))
}

#[test]
fn a_document_says_who_belongs_to_the_group() {
    assert_eq!(read(FRIENDS.as_bytes()), Ok(friends()));
    let empty = read(document("").as_bytes()).expect("a group of nobody");
    assert_eq!(empty.members, []);
}

#[test]
fn what_is_no_group_is_refused() {
    let schema = [
        "<list xmlns=\"urn:oma:xml:poc:list-service\"/>".to_owned(),
        format!("<group xmlns=\"{NAMESPACE}\"/>"),
        format!("<group xmlns=\"{NAMESPACE}\"><list-service/></group>"),
        "<group><list-service uri=\"sip:g@example.org\"/></group>".to_owned(),
        document("<list><entry/></list>"),
    ];
    for text in schema {
        let refused = read(text.as_bytes());
        assert!(matches!(refused, Err(NotAGroup::Schema(_))), "{text}");
    }
    let constraints = [
        document("<list><external anchor=\"http://example.org/\"/></list>"),
        document("<list><list/></list>"),
        document("<list><entry-ref ref=\"x\"/></list>"),
        format!(
            "<group xmlns=\"{NAMESPACE}\"><list-service uri=\"a\"/><list-service uri=\"b\"/></group>"
        ),
    ];
    for text in constraints {
        let refused = read(text.as_bytes());
        assert!(matches!(refused, Err(NotAGroup::Constraint(_))), "{text}");
    }
}

#[test]
fn a_document_is_bounded_and_expands_nothing() {
    let bomb = "<!DOCTYPE g [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><g>&b;</g>";
    assert!(matches!(
        read(bomb.as_bytes()),
        Err(NotAGroup::Xml(NotRead::Malformed(_)))
    ));
    let entries = |count: usize| {
        let entries: String = (0..count)
            .map(|n| format!("<entry uri=\"sip:u{n}@example.org\"/>"))
            .collect();
        read(document(&format!("<list>{entries}</list>")).as_bytes())
    };
    let full = entries(MEMBERS_MAX).map(|group| group.members.len());
    assert_eq!(full, Ok(MEMBERS_MAX));
    assert!(matches!(
        entries(MEMBERS_MAX + 1),
        Err(NotAGroup::Constraint(_))
    ));
    assert_eq!(entries(1_000_000), Err(NotAGroup::Xml(NotRead::TooLarge)));
    let deep = document(&format!("{}{}", "<a>".repeat(20), "</a>".repeat(20)));
    assert_eq!(
        read(deep.as_bytes()),
        Err(NotAGroup::Xml(NotRead::TooLarge))
    );
}

#[test]
fn rules_come_to_who_may_send_and_how() {
    let (join, not) = (
        "<join-handling>true</join-handling>",
        "<join-handling>false</join-handling>",
    );
    let anonymous = "<allow-anonymity>1</allow-anonymity>";
    let both = format!("{join}{anonymous}");
    let many = "<cp:identity><cp:many/></cp:identity>";
    let (members, others) = ("<is-list-member/>", "<ocp:other-identity/>");
    let table: [(&[Said<'_>], (bool, bool)); 9] = [
        (&[], (false, false)),
        (&[(members, join)], (false, false)),
        (&[(members, &both)], (false, true)),
        (&[(members, anonymous)], (false, true)),
        (&[("", join)], (true, false)),
        (&[(many, &both)], (true, true)),
        (&[(members, join), (others, join)], (true, false)),
        (&[(members, join), (others, not)], (false, false)),
        (
            &[(many, not), (members, join), (others, join)],
            (false, false),
        ),
    ];
    for (said, expected) in table {
        assert_eq!(rules(said), Ok(expected), "{said:?}");
    }
}

#[test]
fn rules_that_cannot_be_kept_are_refused() {
    let join = "<join-handling>true</join-handling>";
    let anonymous = "<join-handling>true</join-handling><allow-anonymity>true</allow-anonymity>";
    let refused: [&[Said<'_>]; 7] = [
        &[("<cp:identity><cp:one id=\"sip:a@b\"/></cp:identity>", join)],
        &[("<cp:identity><cp:many domain=\"b\"/></cp:identity>", join)],
        &[(
            "<cp:identity><cp:many><cp:except id=\"sip:a@b\"/></cp:many></cp:identity>",
            join,
        )],
        &[("<cp:validity/>", join)],
        &[("<is-list-member/><cp:sphere value=\"x\"/>", join)],
        &[("<is-list-member/>", "<join-handling>false</join-handling>")],
        &[
            ("<is-list-member/>", join),
            ("<ocp:other-identity/>", anonymous),
        ],
    ];
    for said in refused {
        assert!(
            matches!(rules(said), Err(NotAGroup::Constraint(_))),
            "{said:?}"
        );
    }
    let no_boolean = rules(&[("", "<join-handling>yes</join-handling>")]);
    assert!(matches!(no_boolean, Err(NotAGroup::Schema(_))));
}

#[test]
fn an_amended_document_keeps_what_is_not_about_the_change() {
    let same = amend(FRIENDS.as_bytes(), &friends(), str::to_owned);
    assert_eq!(same.as_deref(), Ok(FRIENDS));
    let mut changed = friends();
    changed.members.remove(0);
    changed
        .members
        .push(member("sip:carol@example.org", "Carol"));
    let amended = amend(FRIENDS.as_bytes(), &changed, str::to_owned).expect("a group");
    assert_eq!(read(amended.as_bytes()), Ok(changed.clone()));
    let expected = FRIENDS
        .replace("<entry uri=\"tel:+15550100\"/>", "")
        .replace(
            "</entry>\n    </list>",
            "</entry>\n    <entry uri=\"sip:carol@example.org\"><rl:display-name>Carol</rl:display-name></entry></list>",
        );
    assert_eq!(amended, expected);
    changed.display_name = "Mates".to_owned();
    changed.allow_anonymity = false;
    changed.non_members_may_send = true;
    let amended = amend(amended.as_bytes(), &changed, str::to_owned).expect("a group");
    assert_eq!(read(amended.as_bytes()), Ok(changed));
    assert!(amended.contains("<max-participant-count>10</max-participant-count>"));
}

#[test]
fn a_document_with_prefixes_and_without_a_list_is_amended() {
    let text =
        format!("<g:group xmlns:g=\"{NAMESPACE}\"><g:list-service uri=\"sip:g@b\"/></g:group>");
    let group = GroupDocument {
        uri: "sip:g@b".to_owned(),
        display_name: "G".to_owned(),
        members: vec![member("sip:a@b", "A")],
        ..GroupDocument::default()
    };
    let amended = amend(text.as_bytes(), &group, str::to_owned).expect("a group");
    assert_eq!(read(amended.as_bytes()), Ok(group));
}

fn groups() -> impl Strategy<Value = GroupDocument> {
    let text = "[!-~]([ -~]{0,18}[!-~])?";
    let members = proptest::collection::btree_map("[!-~]{1,30}", proptest::option::of(text), 0..6);
    let flags = any::<(bool, bool)>();
    ("[!-~]{1,40}", proptest::option::of(text), members, flags).prop_map(
        |(uri, name, members, (allow_anonymity, non_members_may_send))| GroupDocument {
            uri,
            display_name: name.unwrap_or_default(),
            members: members
                .iter()
                .map(|(uri, name)| member(uri, name.as_deref().unwrap_or_default()))
                .collect(),
            allow_anonymity,
            non_members_may_send,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(group in groups()) {
        prop_assert_eq!(read(write(&group).as_bytes()), Ok(group));
    }

    #[test]
    fn an_amended_document_says_what_the_group_is(before in groups(), after in groups()) {
        let after = GroupDocument { uri: before.uri.clone(), ..after };
        let text = write(&before);
        let amended = amend(text.as_bytes(), &after, str::to_owned).expect("a group");
        let read = read(amended.as_bytes()).expect("a group");
        let uris = |group: &GroupDocument| {
            let mut uris: Vec<_> = group.members.iter().map(|held| held.uri.clone()).collect();
            uris.sort();
            uris
        };
        prop_assert_eq!(uris(&read), uris(&after));
        prop_assert_eq!(
            (read.display_name, read.allow_anonymity, read.non_members_may_send),
            (after.display_name, after.allow_anonymity, after.non_members_may_send)
        );
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(read(&octets));
    }
}
