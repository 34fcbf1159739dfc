//! `--dry-run` of what changes users, groups and settings.

use proto::v1::Account;

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::mailbox;

/// Bob, whom mail and his number have made, and Carol, who is provisioned.
fn users() -> State {
    let account = |user: &str, aliases: &[&str]| Account {
        address: user.to_owned(),
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        provisioned: aliases.is_empty(),
    };
    let users = ["sip:bob@h", "sip:carol@h"];
    State {
        accounts: vec![account(users[0], &["tel:+491"]), account(users[1], &[])],
        mailboxes: users.map(|user| (user.to_owned(), mailbox())).into(),
        ..State::default()
    }
}

#[test]
fn additions_of_users_are_foreseen() {
    let fake = Fake::start(users());
    let run = restantectl("user add bob@h carol@h dave@h +49-1 --dry-run");
    let ran = run.at(&fake).code(1);
    let lines = "sip:bob@h: would be provisioned, and has a mailbox\n\
                 sip:carol@h: is provisioned, nothing would change\n\
                 sip:dave@h: would get a mailbox\n";
    assert_eq!(ran.text(), lines);
    ran.says("tel:+491: the address is an alias of sip:bob@h");
    assert_eq!(fake.state().account_changes, []);
}

#[test]
fn changes_of_aliases_are_foreseen() {
    let fake = Fake::start(users());
    let run = restantectl("user alias add bob@h +491 dave@h carol@h --dry-run");
    let ran = run.at(&fake).code(1);
    let lines = "sip:bob@h: tel:+491 leads to this mailbox, nothing would change\n\
                 sip:bob@h: sip:dave@h would lead to this mailbox\n";
    assert_eq!(ran.text(), lines);
    ran.says("sip:carol@h: the address belongs to another account");
    let run = restantectl("user alias remove bob@h +491 bob@h carol@h dave@h --dry-run");
    let ran = run.at(&fake).code(1);
    let line = "sip:bob@h: tel:+491 would lead here no more\n";
    assert_eq!(ran.text(), line);
    ran.says("sip:bob@h: the address is the account's own")
        .says("sip:carol@h: the alias belongs to another account")
        .says("sip:dave@h: no such alias");
    restantectl("user alias add erin@h +492 --dry-run")
        .at(&fake)
        .code(1)
        .says("no such user");
    assert_eq!(fake.state().account_changes, []);
}

/// A group of Bob and Carol.
fn with_group() -> Fake {
    let fake = Fake::start(State::default());
    let create = "group create team@h bob@h carol@h";
    restantectl(create).at(&fake).well();
    fake
}

/// Nothing was changed.
fn is_as_it_was(fake: &Fake) {
    let groups = restantectl("group list -o jsonl").at(fake).well().records();
    let counts: Vec<_> = groups
        .iter()
        .map(|it| it["member_count"].as_u64())
        .collect();
    assert_eq!(counts, [Some(2)]);
}

#[test]
fn changes_of_groups_are_foreseen() {
    let fake = with_group();
    let foreseen = [
        (
            "group create news@h bob@h bob@h",
            "sip:news@h: would have 1 members\n",
        ),
        (
            "group add team@h bob@h dave@h",
            "sip:team@h: would have 3 members\n",
        ),
        (
            "group remove team@h bob@h dave@h",
            "sip:team@h: would have 1 members\n",
        ),
        ("group delete team@h", "sip:team@h: would be deleted\n"),
    ];
    for (command, expected) in foreseen {
        let run = restantectl(command).arg("--dry-run").at(&fake);
        assert_eq!(run.well().text(), expected);
        is_as_it_was(&fake);
    }
    let refused = [
        ("group create team@h", "there is such a group"),
        ("group add news@h bob@h", "no such group"),
        ("group remove news@h bob@h", "no such group"),
    ];
    for (command, why) in refused {
        let run = restantectl(command).arg("--dry-run").at(&fake);
        run.code(1).says(why);
    }
}

#[test]
fn an_import_of_groups_is_foreseen_line_by_line() {
    let fake = with_group();
    let lines = "{\"uri\":\"sip:team@h\"}\n{\"uri\":\"sip:news@h\"}\n{\"uri\":\"sip:news@h\"}\n";
    let run = restantectl("group import - --dry-run -o json").input(lines);
    let document = run.at(&fake).code(1).json();
    let outcomes = document["results"].as_array().unwrap().iter();
    let outcomes: Vec<_> = outcomes.map(|it| it["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["would_fail", "would_do", "would_fail"]);
    assert_eq!(document["dry_run"], true);
    let run = restantectl("group import - --replace --dry-run").input(lines);
    run.at(&fake).well();
    is_as_it_was(&fake);
}

#[test]
fn settings_are_foreseen_by_the_service() {
    let fake = Fake::start(State::default());
    let commands = [
        "settings set bob@h offline-delivery=off",
        "settings override bob@h offline-delivery=off --reason loops",
    ];
    for command in commands {
        let run = restantectl(command).arg_list("--dry-run -o json").at(&fake);
        let foreseen = run.well().json();
        assert_eq!(foreseen["dry_run"], true);
        // The fake says what it was asked, and nothing of what it is told to do.
        assert_eq!(foreseen["preset"]["offline_delivery"], false);
        let done = restantectl(command).arg_list("-o json").at(&fake);
        let done = done.well().json();
        assert!(done["preset"]["offline_delivery"].is_null() && done["dry_run"].is_null());
    }
    let cleared = restantectl("settings clear bob@h --dry-run").at(&fake);
    assert!(cleared.well().text().contains("nothing has changed"));
}
