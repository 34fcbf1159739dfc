//! Failover order, and what happens where answers are missing.

use super::*;

#[tokio::test]
async fn servers_come_by_priority_and_their_addresses_together() {
    let zone = Zone::default()
        .srv("_sip._udp.example.com", "20 0 5060 backup.example.com.")
        .srv("_sip._udp.example.com", "10 0 5062 main.example.com.")
        .srv("_sip._tcp.example.com", "10 0 5060 main.example.com.")
        .address("main.example.com.", "2001:db8::1")
        .address("main.example.com.", "192.0.2.1")
        .address("backup.example.com.", "192.0.2.2");
    let hops = zone.resolved("sip:example.com", &NO_TLS).await.unwrap();
    assert_eq!(
        hops,
        [
            "UDP [2001:db8::1]:5062",
            "UDP 192.0.2.1:5062",
            "UDP 192.0.2.2:5060",
            "TCP [2001:db8::1]:5060",
            "TCP 192.0.2.1:5060",
        ]
    );
}

#[tokio::test]
async fn a_server_without_address_is_passed_over() {
    let zone = Zone::default()
        .srv("_sip._udp.example.com", "10 0 5060 gone.example.com.")
        .srv("_sip._udp.example.com", "20 0 5060 host.example.com.")
        .address("host.example.com.", "192.0.2.2");
    let hops = zone.resolved("sip:example.com", &NO_TLS).await.unwrap();
    assert_eq!(hops, ["UDP 192.0.2.2:5060"]);
}

#[tokio::test]
async fn a_denied_service_is_not_replaced_by_the_host() {
    let denied = || Zone::default().address("example.com", "192.0.2.1");
    let zone = denied().srv("_sip._tcp.example.com", "0 0 0 .");
    let hops = zone.resolved("sip:example.com;transport=tcp", &SMALL);
    assert!(matches!(hops.await, Err(ResolveError::NotOffered)));
    let zone = denied()
        .srv("_sip._udp.example.com", "0 0 0 .")
        .srv("_sip._tcp.example.com", "0 0 5060 example.com");
    let hops = zone.resolved("sip:example.com", &SMALL).await.unwrap();
    assert_eq!(hops, ["TCP 192.0.2.1:5060"]);
}

#[tokio::test]
async fn a_question_that_fails_counts_as_without_records() {
    let mut zone = Zone::default().address("example.com", "192.0.2.1");
    zone.refused = vec![
        "_sip._udp.example.com".to_owned(),
        "_sip._tcp.example.com".to_owned(),
    ];
    let hops = zone.resolved("sip:example.com", &SMALL).await.unwrap();
    assert_eq!(hops, ["UDP 192.0.2.1:5060"]);
}

#[tokio::test]
async fn without_a_hop_the_failure_is_told() {
    let zone = Zone {
        refused: vec!["example.com".to_owned()],
        ..Zone::default()
    };
    let hops = zone.resolved("sip:example.com", &SMALL).await;
    assert!(matches!(hops, Err(ResolveError::LookUp(_))));
    let hops = Zone::default().resolved("sip:example.com", &SMALL).await;
    assert!(matches!(hops, Err(ResolveError::NoAddress)));
}

#[tokio::test]
async fn silence_ends_with_the_time_of_the_resolution() {
    let zone = Zone {
        silent: vec!["example.com".to_owned()],
        ..Zone::default()
    };
    let resolver = Resolver::new(Arc::new(zone), Duration::from_millis(20));
    let uri = "sip:example.com".parse().unwrap();
    let hops = tokio::time::timeout(TOO_LONG, resolver.hops(&uri, &SMALL)).await;
    assert!(matches!(hops, Ok(Err(ResolveError::Timeout))), "{hops:?}");
}

#[tokio::test]
async fn the_host_table_overrides_the_domain() {
    let mut zone = Zone::default()
        .srv("_sip._udp.example.com", "0 0 5070 host.example.com.")
        .address("host.example.com.", "192.0.2.1");
    let own = vec!["127.0.0.2".parse().unwrap()];
    zone.hosts.insert("example.com".to_owned(), own);
    let zone = Arc::new(zone);
    for (uri, hop) in [
        ("sip:example.com", "UDP 127.0.0.2:5060"),
        ("sip:example.com:5080", "UDP 127.0.0.2:5080"),
        ("sip:example.com;transport=tcp", "TCP 127.0.0.2:5060"),
    ] {
        assert_eq!(zone.resolve(uri, &SMALL).await.unwrap(), [hop], "{uri}");
    }
    assert!(zone.asked().is_empty());
}

#[tokio::test]
async fn a_domain_with_many_servers_is_asked_about_the_first_ones_only() {
    let mut zone = Zone::default();
    for server in 0..100 {
        let host = format!("host{server}.example.com.");
        zone = zone.srv("_sip._udp.example.com", &format!("{server} 0 5060 {host}"));
        for address in 0..10 {
            zone = zone.address(&host, &format!("192.0.{server}.{address}"));
        }
    }
    let zone = Arc::new(zone);
    let hops = zone.resolve("sip:example.com", &NO_TLS).await.unwrap();
    assert_eq!(hops.len(), 32);
    assert_eq!(hops[10], "UDP 192.0.1.0:5060");
    let questions = zone.asked();
    let addresses = questions.iter().filter(|asked| asked.starts_with("A "));
    assert_eq!(addresses.count(), 16);
}
