//! The rules and examples of RFC 3263 §4.1 and §4.2.

use super::*;

/// The records of the example in RFC 3263 §4.1 and §4.2, with one address per server.
fn example() -> Zone {
    Zone::default()
        .naptr("example.com", 50, "SIPS+D2T", "_sips._tcp.example.com.")
        .naptr("example.com", 90, "SIP+D2T", "_sip._tcp.example.com.")
        .naptr("example.com", 100, "SIP+D2U", "_sip._udp.example.com.")
        .srv("_sip._tcp.example.com.", "0 1 5060 server1.example.com.")
        .srv("_sip._tcp.example.com.", "1 2 5060 server2.example.com.")
        .srv("_sips._tcp.example.com.", "0 1 5061 server1.example.com.")
        .srv("_sip._udp.example.com.", "0 1 5060 server1.example.com.")
        .address("server1.example.com.", "192.0.2.1")
        .address("server2.example.com.", "192.0.2.2")
}

#[tokio::test]
async fn the_most_preferred_transport_that_we_speak_is_chosen() {
    let hops = example()
        .resolved("sip:user@example.com", &NO_TLS)
        .await
        .unwrap();
    assert_eq!(hops, ["TCP 192.0.2.1:5060", "TCP 192.0.2.2:5060"]);
    let hops = example()
        .resolved("sip:user@example.com", &SMALL)
        .await
        .unwrap();
    assert_eq!(hops, ["TLS 192.0.2.1:5061"]);
}

#[tokio::test]
async fn a_sips_uri_takes_only_the_services_of_tls() {
    let zone = example()
        .naptr("example.com", 10, "SIP+D2U", "_sip._udp.example.com.")
        .srv("_sip._tcp.example.com.", "0 0 5060 server2.example.com.");
    let hops = zone
        .resolved("sips:user@example.com", &SMALL)
        .await
        .unwrap();
    assert_eq!(hops, ["TLS 192.0.2.1:5061"]);
}

#[tokio::test]
async fn a_sips_uri_without_records_goes_to_tls_on_5061() {
    let zone = Zone::default().address("example.com", "192.0.2.9");
    let hops = zone
        .resolved("sips:user@example.com", &NO_TLS)
        .await
        .unwrap();
    assert_eq!(hops, ["TLS 192.0.2.9:5061"]);
}

#[tokio::test]
async fn a_sips_uri_never_leaves_tls() {
    let hops = example().resolved("sips:example.com;transport=tcp", &SMALL);
    assert_eq!(hops.await.unwrap_err().to_string(), "no address");
    let hops = Zone::default().resolved("sips:192.0.2.1;transport=tcp", &SMALL);
    assert_eq!(hops.await.unwrap(), ["TLS 192.0.2.1:5061"]);
    let refused = example().resolved("sips:example.com;transport=udp", &SMALL);
    assert!(matches!(refused.await, Err(ResolveError::Transport)));
}

#[tokio::test]
async fn a_large_request_prefers_streams_and_keeps_datagrams_as_the_way_out() {
    let zone = Zone::default()
        .naptr("example.com", 10, "SIP+D2U", "_sip._udp.example.com.")
        .naptr("example.com", 20, "SIP+D2T", "_sip._tcp.example.com.")
        .srv("_sip._udp.example.com.", "0 0 5060 host.example.com.")
        .srv("_sip._tcp.example.com.", "0 0 5070 host.example.com.")
        .address("host.example.com.", "192.0.2.1");
    let zone = Arc::new(zone);
    let small = zone.resolve("sip:example.com", &SMALL).await.unwrap();
    assert_eq!(small, ["UDP 192.0.2.1:5060"]);
    let large = zone.resolve("sip:example.com", &LARGE).await.unwrap();
    assert_eq!(large, ["TCP 192.0.2.1:5070", "UDP 192.0.2.1:5060"]);
}

#[tokio::test]
async fn records_that_are_not_ours_do_not_count() {
    let mut zone = example();
    let records = zone.naptr.get_mut("example.com").unwrap();
    records[0].flags = "u".to_owned();
    records[1].regexp = "!^.*$!sip:info@example.com!".to_owned();
    let zone = zone
        .naptr("example.com", 1, "E2U+sip", "_sip._tcp.example.com.")
        .naptr("example.com", 2, "SIP+D2S", "_sip._sctp.example.com.")
        .naptr("example.com", 3, "SIP+D2T", ".");
    let hops = zone.resolved("sip:example.com", &SMALL).await.unwrap();
    assert_eq!(hops, ["UDP 192.0.2.1:5060"]);
}

#[tokio::test]
async fn a_replacement_may_lie_in_another_domain_and_in_any_letter_case() {
    let mut zone = Zone::default()
        .naptr("example.com", 10, "sip+d2u", "_sip._udp.example.net.")
        .srv("_sip._udp.example.net.", "0 0 5080 host.example.net.")
        .address("host.example.net.", "2001:db8::1");
    zone.naptr.get_mut("example.com").unwrap()[0].flags = "S".to_owned();
    let hops = zone.resolved("sip:example.com", &SMALL).await.unwrap();
    assert_eq!(hops, ["UDP [2001:db8::1]:5080"]);
}

#[tokio::test]
async fn without_naptr_the_service_of_each_transport_is_asked_for() {
    let zone = Zone::default()
        .srv("_sip._tcp.example.com", "0 0 5070 host.example.com.")
        .address("host.example.com.", "192.0.2.1");
    let zone = Arc::new(zone);
    let hops = zone.resolve("sip:example.com", &SMALL).await.unwrap();
    assert_eq!(hops, ["TCP 192.0.2.1:5070"]);
    assert_eq!(
        zone.asked(),
        [
            "NAPTR example.com",
            "SRV _sip._udp.example.com",
            "SRV _sip._tcp.example.com",
            "A host.example.com."
        ]
    );
}

#[tokio::test]
async fn without_any_record_the_domain_is_the_host() {
    let zone = Zone::default()
        .address("example.com", "2001:db8::7")
        .address("example.com", "192.0.2.7");
    let zone = Arc::new(zone);
    let small = zone.resolve("sip:example.com", &SMALL).await.unwrap();
    assert_eq!(small, ["UDP [2001:db8::7]:5060", "UDP 192.0.2.7:5060"]);
    let large = zone.resolve("sip:example.com", &LARGE).await.unwrap();
    assert_eq!(large[0], "TCP [2001:db8::7]:5060");
    assert_eq!(large[3], "UDP 192.0.2.7:5060");
}

#[tokio::test]
async fn a_transport_parameter_skips_naptr() {
    let zone = Zone::default()
        .srv("_sip._tcp.example.com", "0 0 5070 host.example.com.")
        .address("host.example.com.", "192.0.2.1")
        .address("example.com", "192.0.2.2");
    let zone = Arc::new(zone);
    let tcp = zone.resolve("sip:example.com;transport=TCP", &SMALL);
    assert_eq!(tcp.await.unwrap(), ["TCP 192.0.2.1:5070"]);
    assert_eq!(
        zone.asked(),
        ["SRV _sip._tcp.example.com", "A host.example.com."]
    );
    let udp = zone.resolve("sip:example.com;transport=udp", &LARGE);
    assert_eq!(udp.await.unwrap(), ["UDP 192.0.2.2:5060"]);
    let tls = zone.resolve("sip:example.com;transport=tls", &SMALL);
    assert_eq!(tls.await.unwrap(), ["TLS 192.0.2.2:5061"]);
}

#[tokio::test]
async fn a_port_skips_naptr_and_srv() {
    let zone = Arc::new(example().address("example.com", "192.0.2.2"));
    let hops = zone.resolve("sip:example.com:5062", &SMALL).await.unwrap();
    assert_eq!(hops, ["UDP 192.0.2.2:5062"]);
    assert_eq!(zone.asked(), ["A example.com"]);
    let hops = zone.resolve("sip:example.com:5062;transport=tcp", &SMALL);
    assert_eq!(hops.await.unwrap(), ["TCP 192.0.2.2:5062"]);
    let hops = zone.resolve("sips:example.com:5062", &SMALL);
    assert_eq!(hops.await.unwrap(), ["TLS 192.0.2.2:5062"]);
}

#[tokio::test]
async fn an_address_is_asked_nothing() {
    let zone = Arc::new(Zone::default());
    for (uri, hop) in [
        ("sip:192.0.2.1", "UDP 192.0.2.1:5060"),
        ("sip:[2001:db8::1]", "UDP [2001:db8::1]:5060"),
        ("sip:[2001:db8::1]:5070", "UDP [2001:db8::1]:5070"),
        ("sip:192.0.2.1;transport=tcp", "TCP 192.0.2.1:5060"),
        ("sips:192.0.2.1", "TLS 192.0.2.1:5061"),
        ("sip:192.0.2.1;maddr=198.51.100.1", "UDP 192.0.2.1:5060"),
    ] {
        assert_eq!(zone.resolve(uri, &SMALL).await.unwrap(), [hop], "{uri}");
    }
    let large = zone.resolve("sip:192.0.2.1", &LARGE).await.unwrap();
    assert_eq!(large, ["TCP 192.0.2.1:5060", "UDP 192.0.2.1:5060"]);
    assert!(zone.asked().is_empty());
}

#[tokio::test]
async fn a_transport_we_do_not_speak_is_not_replaced() {
    let hops = example().resolved("sip:example.com;transport=sctp", &SMALL);
    assert!(matches!(hops.await, Err(ResolveError::Transport)));
    let hops = example().resolved("tel:+15550100", &SMALL);
    assert!(matches!(hops.await, Err(ResolveError::NotSip)));
}
