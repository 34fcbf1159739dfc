//! `user`.

use proto::v1::{Account, Mailbox};
use tonic::Status;

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::mailbox;

fn account(user: &str, aliases: &[&str]) -> Account {
    Account {
        address: user.to_owned(),
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        provisioned: aliases.is_empty(),
    }
}

fn service() -> State {
    let bob = account(
        "sip:bob@example.org",
        &["tel:+4930123456", "sip:b@example.org"],
    );
    let empty = Mailbox {
        text: None,
        multimedia: None,
        imdn: 0,
        ..mailbox()
    };
    let mailboxes = [
        ("sip:bob@example.org".to_owned(), mailbox()),
        ("tel:+4930123456".to_owned(), mailbox()),
        ("sip:carol@example.org".to_owned(), empty),
    ];
    State {
        accounts: vec![bob, account("sip:carol@example.org", &[])],
        mailboxes: mailboxes.into(),
        ..State::default()
    }
}

fn changes(fake: &Fake) -> Vec<(&'static str, Vec<String>)> {
    fake.state().account_changes.clone()
}

#[test]
fn users_are_listed() {
    let fake = Fake::start(service());
    let list = restantectl("user list -o json").at(&fake).well();
    list.golden("users.json");
    let text = restantectl("user list").at(&fake).well().text();
    let words: Vec<Vec<_>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(words[0], ["ADDRESS", "PROVISIONED", "ALIASES"]);
    assert_eq!(
        words[1][..3],
        ["sip:bob@example.org", "no", "tel:+4930123456"]
    );
    assert_eq!(words[2], ["sip:carol@example.org", "yes"]);
}

#[test]
fn a_user_is_found_by_an_alias_in_any_spelling() {
    let fake = Fake::start(service());
    let run = restantectl("user list tel:+49-(30)-123456 -o jsonl").at(&fake);
    let records = run.well().records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["served_user"], "sip:bob@example.org");
}

#[test]
fn a_list_can_go_on() {
    let fake = Fake::start(service());
    let first = restantectl("user list --limit 1").at(&fake).code(0);
    first.says("there may be more: go on with --page-token 1");
    let rest = restantectl("user list --limit all --page-token 1 -o jsonl").at(&fake);
    assert_eq!(
        rest.well().records()[0]["served_user"],
        "sip:carol@example.org"
    );
}

#[test]
fn users_are_added_under_their_canonical_address() {
    let fake = Fake::start(service());
    let run = restantectl("user add Bob@EXAMPLE.org:5060 -").input("+49-30-1\n\nSIPS:x@h\n");
    let text = run.at(&fake).well().text();
    let lines = "sip:Bob@example.org: has a mailbox\n\
                 tel:+49301: has a mailbox\n\
                 sip:x@h: has a mailbox\n";
    assert_eq!(text, lines);
    let asked = ["sip:Bob@example.org", "tel:+49301", "sip:x@h"];
    let asked = asked.map(|user| ("create", vec![user.to_owned()]));
    assert_eq!(changes(&fake), asked);
}

#[test]
fn aliases_are_added_and_removed() {
    let fake = Fake::start(service());
    let run = restantectl("user alias add bob@h +49-1 +49-2").at(&fake);
    let lines = "sip:bob@h: tel:+491 leads to this mailbox\n\
                 sip:bob@h: tel:+492 leads to this mailbox\n";
    assert_eq!(run.well().text(), lines);
    let run = restantectl("user alias remove bob@h +491").at(&fake);
    assert_eq!(
        run.well().text(),
        "sip:bob@h: tel:+491 leads here no more\n"
    );
    let both = |alias: &str| vec!["sip:bob@h".to_owned(), alias.to_owned()];
    let expected = [
        ("add_alias", both("tel:+491")),
        ("add_alias", both("tel:+492")),
        ("remove_alias", both("tel:+491")),
    ];
    assert_eq!(changes(&fake), expected);
}

#[test]
fn a_refusal_concerns_one_alias_only() {
    let taken = Status::already_exists("the address belongs to another account");
    let fake = Fake::start(service().refuse("tel:+491", taken));
    restantectl("user alias add bob@h +491 +492 -o json")
        .at(&fake)
        .code(1)
        .says("tel:+491: the address belongs to another account")
        .golden("user-alias.json");
}

#[test]
fn several_users_are_deleted_only_if_that_is_confirmed() {
    let fake = Fake::start(service());
    let run = restantectl("user delete a@h b@h").at(&fake).code(64);
    run.says("would change 2 users").says("--yes");
    assert_eq!(changes(&fake), []);
    let list = "{\"served_user\":\"sip:a@h\",\"aliases\":[]}\nb@h\n";
    let run = restantectl("user delete - --yes").input(list).at(&fake);
    assert_eq!(run.well().text(), "sip:a@h: deleted\nsip:b@h: deleted\n");
    let asked = ["sip:a@h", "sip:b@h"].map(|user| ("delete", vec![user.to_owned()]));
    assert_eq!(changes(&fake), asked);
}

#[test]
fn a_dry_run_deletes_nobody_and_foresees_refusals() {
    let fake = Fake::start(service());
    let users = "bob@example.org +4930123456 carol@example.org nobody@example.org";
    let run = restantectl("user delete --dry-run -o json")
        .arg_list(users)
        .at(&fake);
    run.code(1).golden("user-delete-dry-run.json");
    assert_eq!(changes(&fake), []);
}

#[test]
fn what_is_no_address_is_said_before_anything_is_done() {
    let fake = Fake::start(service());
    restantectl("user add bob")
        .at(&fake)
        .code(64)
        .says("write an address");
    let run = restantectl("user add -").input("a@h\ntel:bob\n").at(&fake);
    run.code(65).says("line 2").says("nothing was done");
    assert_eq!(changes(&fake), []);
}

#[test]
fn an_unknown_outcome_names_the_way_to_find_out() {
    let fake = Fake::start(State {
        silent: true,
        ..service()
    });
    let run = restantectl("user add bob@h --timeout 200ms").at(&fake);
    run.code(69).says("user list sip:bob@h");
}

fn with_mailbox() -> State {
    State {
        mailboxes: [("sip:bob@example.org".to_owned(), mailbox())].into(),
        ..State::default()
    }
}

#[test]
fn what_waits_is_exported_as_the_user_reads_it() {
    let fake = Fake::start(with_mailbox());
    let exported = restantectl("user export-list bob@example.org")
        .at(&fake)
        .well();
    assert!(exported.text().ends_with("<history-list/>\n"));
    restantectl("user export-list bob@example.org -o json")
        .at(&fake)
        .well()
        .golden("user-export-list.json");
    restantectl("user export-list carol@example.org")
        .at(&fake)
        .code(1)
        .says("no mailbox");
}
