//! Claims about the configuration.

use daemon::config::{Document, Environment, render_default};

use super::{Config, RegistrarSwitch};

fn mistakes(text: &str) -> Vec<String> {
    let mut document = Document::parse("restante.toml", text, Environment::default());
    Config::read(&mut document);
    let errors = document.finish().err();
    errors
        .iter()
        .flat_map(|errors| errors.iter())
        .map(ToString::to_string)
        .collect()
}

fn config(text: &str) -> Config {
    let mut document = Document::parse("restante.toml", text, Environment::default());
    let config = Config::read(&mut document);
    document.finish().expect("no mistakes");
    config
}

#[test]
fn an_empty_file_is_the_laptop_mode() {
    let config = config("");
    assert_eq!(config, Config::default());
    assert!(config.is_registrar());
    assert!(config.is_loopback_only());
    assert_eq!(
        config.store_identity().expect("known").to_string(),
        "sip:im-store@127.0.0.1"
    );
}

#[test]
fn the_default_file_gives_the_defaults() {
    assert_eq!(config(&render_default(&Config::DOCS)), Config::default());
}

#[test]
fn all_contradictions_are_reported_at_once() {
    let text = "domains = []\n[sip]\nnext_hop = \"tel:+1\"\nrelease = \"plain\"\nt2 = \"1ms\"\n\
                [sip-edge]\nlisten_udp = [\"0.0.0.0:5060\"]\n[registrar]\nenabled = \"on\"\n[push]\nsessions = 0\nsession_expires = \"89s\"\n[limits]\ndeposit_time = \"5s\"\n";
    let found = mistakes(text);
    for key in [
        "domains",
        "sip.next_hop",
        "sip.release",
        "sip.t2",
        "sip-edge.advertised_host",
        "registrar.auth",
        "push.sessions",
        "push.session_expires",
        "limits.deposit_time",
    ] {
        assert!(
            found.iter().any(|line| line.contains(&format!("{key}: "))),
            "{key}: {found:#?}"
        );
    }
}

#[test]
fn digest_wants_a_users_file_and_has_the_first_domain_for_realm() {
    let missing = mistakes("[registrar]\nauth = \"digest\"\n");
    assert!(
        missing
            .iter()
            .any(|line| line.contains("registrar.users: ")),
        "{missing:?}"
    );
    let text =
        "domains = [\"a.example\", \"b.example\"]\n[registrar]\nauth = \"digest\"\nusers = \"u\"\n";
    assert_eq!(config(text).realm(), "a.example");
    let own = format!("{text}realm = \"r\"\n");
    assert_eq!(config(&own).realm(), "r");
}

#[test]
fn a_next_hop_or_a_public_listener_turns_the_default_registrar_off() {
    let routed = config("[sip]\nnext_hop = \"sip:192.0.2.11;transport=tcp\"\n");
    assert!(!routed.is_registrar());
    let public = config("[sip-edge]\nlisten_tcp = [\"192.0.2.20:5060\"]\n");
    assert_eq!(public.registrar.enabled, RegistrarSwitch::Auto);
    assert!(!public.is_registrar());
    let told = config(
        "[sip-edge]\nlisten_tcp = [\"192.0.2.20:5060\"]\n[registrar]\nenabled = \"on\"\nauth = \"none\"\n",
    );
    assert!(told.is_registrar());
}

#[test]
fn the_store_identity_follows_the_advertised_host() {
    let config = config("[sip-edge]\nadvertised_host = \"df1.im.example.org\"\n");
    let identity = config.store_identity().expect("known");
    assert_eq!(identity.to_string(), "sip:im-store@df1.im.example.org");
}
