//! Claims about the configuration.

use daemon::config::{Document, Environment, render_default};
use net::tls::VerifyPeers;

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

fn store_identity(config: &Config) -> sip::SipUri {
    let host = config.listening().advertised_host().expect("a host");
    config.sip.store_identity(&host).expect("known")
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
    assert!(config.listening().is_loopback_only());
    assert_eq!(
        store_identity(&config).to_string(),
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
                [sip-edge]\nlisten_udp = [\"0.0.0.0:5060\"]\n[registrar]\nenabled = \"on\"\n[push]\nsessions = 0\nsession_expires = \"89s\"\n[limits]\ndeposit_time = \"5s\"\n[reports]\nin_flight = 0\n";
    let found = mistakes(text);
    for key in [
        "domains",
        "sip.next_hop",
        "sip.release",
        "sip.t2",
        "sip-edge.advertised_host",
        "registrar.auth",
        "push.sessions",
        "reports.in_flight",
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
fn a_shared_contact_is_a_host_with_or_without_a_port() {
    for sound in ["edges.example.org", "192.0.2.1:5060", "[2001:db8::1]"] {
        let found = mistakes(&format!("[sip]\ncontact = \"{sound}\"\n"));
        assert_eq!(found, [""; 0], "{sound}");
    }
    for wrong in [
        "",
        "store@edges.example.org",
        "edges.example.org;lr",
        "edges.example.org:0x",
        "edges.example.org : 5060",
        "sip:edges.example.org",
    ] {
        let found = mistakes(&format!("[sip]\ncontact = \"{wrong}\"\n"));
        assert!(
            found.iter().any(|line| line.contains("sip.contact: ")),
            "{wrong}: {found:?}"
        );
    }
}

#[test]
fn half_a_setting_of_tls_is_reported_with_every_place() {
    let text = "[sip-edge]\nlisten_tls = [\"127.0.0.1:5061\"]\n[tls]\nverify_peers = \"required\"\n\
                [trust]\npeers = [\"tls:core.example.net\"]\n[msrp]\ncertificate = \"c.pem\"\noffer_tls = true\n";
    let found = mistakes(text);
    let expected = [
        "tls.certificate: ",
        "tls.peer_ca: ",
        "restante.toml:6:1: trust.peers: ",
        "msrp.key: ",
        "restante.toml:9:1: msrp.offer_tls: ",
        "restante.toml:8:1: msrp.certificate: ",
    ];
    for key in expected {
        assert!(
            found.iter().any(|line| line.contains(key)),
            "{key}: {found:#?}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (text, key) in [
        ("[tls]\ncertificate = \"c.pem\"\n", "tls.key: "),
        ("[tls]\nkey = \"k.pem\"\n", "tls.certificate: "),
        ("[msrp]\nkey = \"k.pem\"\n", "msrp.certificate: "),
        (
            "[sip]\nnext_hop = \"sips:core.example.net\"\n",
            "sip.next_hop: ",
        ),
    ] {
        let found = mistakes(text);
        assert!(found.len() == 1 && found[0].contains(key), "{found:#?}");
    }
}

#[test]
fn a_name_is_not_trusted_where_nobody_is_asked_for_one() {
    let text = "[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\npeer_ca = [\"a.pem\"]\n\
                verify_peers = \"none\"\n[trust]\npeers = [\"tls:core.example.net\"]\n";
    let found = mistakes(text);
    assert!(
        found.len() == 1 && found[0].contains("tls.verify_peers: "),
        "{found:#?}"
    );
}

#[test]
fn peers_are_verified_as_soon_as_there_is_an_authority() {
    let own = "[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";
    let verified = |more: &str| {
        let tls = config(&format!("{own}{more}")).tls.sip();
        tls.expect("TLS is spoken").verify_peers
    };
    assert_eq!(verified(""), VerifyPeers::None);
    assert_eq!(verified("peer_ca = [\"a.pem\"]\n"), VerifyPeers::Optional);
    let required = "peer_ca = [\"a.pem\"]\nverify_peers = \"required\"\n";
    assert_eq!(verified(required), VerifyPeers::Required);
    assert_eq!(config("").tls.sip(), None);
}

#[test]
fn a_listener_for_tls_beyond_loopback_is_one_beyond_loopback() {
    let text = "[sip-edge]\nlisten_tls = [\"192.0.2.20:5061\"]\n\
                [tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";
    assert!(!config(text).listening().is_loopback_only());
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
    let identity = store_identity(&config);
    assert_eq!(identity.to_string(), "sip:im-store@df1.im.example.org");
}
