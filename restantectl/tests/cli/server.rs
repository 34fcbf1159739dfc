//! Reaching the server, and the command line as such.

use std::net::TcpListener;

use tonic::Status;

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::status;

fn well() -> State {
    State {
        status: status(),
        ..State::default()
    }
}

/// An address where nobody listens any more.
fn deserted() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn an_unreachable_server_is_named_with_the_ways_to_name_another() {
    let url = deserted();
    let ran = restantectl("status --server").arg(&url).now().code(69);
    ran.says(&url)
        .says("Connection refused")
        .says("--server")
        .says("RESTANTE_SERVER");
}

#[test]
fn the_environment_names_the_server_and_the_option_wins() {
    let fake = Fake::start(well());
    restantectl("status")
        .env("RESTANTE_SERVER", &fake.url)
        .now()
        .well();
    restantectl("status")
        .env("RESTANTE_SERVER", &deserted())
        .at(&fake)
        .well();
}

#[test]
fn a_unix_socket_serves_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("operators.sock");
    let fake = Fake::start_unix(&path, well());
    restantectl("status").at(&fake).well();
    drop(fake);
    std::fs::remove_file(&path).unwrap();
    let url = format!("unix:{}", path.display());
    restantectl("status --server")
        .arg(&url)
        .now()
        .code(69)
        .says(&url);
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    restantectl("status --timeout 50ms --server")
        .arg(&url)
        .now()
        .code(69)
        .says("50ms");
}

#[test]
fn wrong_servers_are_wrong_usage() {
    for url in ["https://", "127.0.0.1:7401", "unix:", "ftp://h"] {
        restantectl("status --server")
            .arg(url)
            .now()
            .code(64)
            .says(url);
    }
}

#[test]
fn texts_of_the_server_are_escaped() {
    let refusal = Status::not_found("no \u{1b}[2J\u{202e}such");
    let fake = Fake::start(well().refuse("mailbox", refusal));
    let ran = restantectl("summary a@h")
        .at(&fake)
        .code(1)
        .says("no \\u{1b}[2J\\u{202e}such");
    assert!(!ran.err.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn a_server_without_the_command_is_told_apart() {
    let fake = Fake::start(well().refuse("status", Status::unimplemented("GetStatus")));
    restantectl("status")
        .at(&fake)
        .code(70)
        .says("does not know this command");
}

#[test]
fn an_operator_the_server_does_not_know_is_denied() {
    let fake = Fake::start(well().refuse("status", Status::unauthenticated("who are you?")));
    restantectl("status")
        .at(&fake)
        .code(77)
        .says("who are you?");
}

#[test]
fn help_is_an_answer_and_lists_the_exit_codes() {
    let text = restantectl("--help").now().well().text();
    for code in [
        "  0  ", "  1  ", " 64  ", " 65  ", " 69  ", " 70  ", " 74  ", " 77  ",
    ] {
        assert!(text.contains(code), "{code} is not in {text}");
    }
    restantectl("list --help").now().well();
    restantectl("--version").now().well();
}

#[test]
fn nothing_and_nonsense_are_wrong_usage() {
    restantectl("").now().code(64);
    restantectl("frobnicate").now().code(64).says("frobnicate");
    restantectl("status --timeout 0s").now().code(64);
    restantectl("show").now().code(64);
}
