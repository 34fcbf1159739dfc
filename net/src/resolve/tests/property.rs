//! What holds for any records.

use std::net::SocketAddr;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::super::resolver::{hops_of, servers_of};
use super::super::service::{Service, services};
use super::super::srv::ordered;
use super::*;
use crate::hop::Hop;

prop_compose! {
    fn a_record()(
        priority in 0_u16..4,
        weight in prop_oneof![Just(0), 0_u16..4, any::<u16>()],
        port in 5060_u16..5063,
        host in 0_u8..8,
    ) -> Srv {
        let target = if host == 0 { ".".to_owned() } else { format!("host{host}.") };
        Srv { priority, weight, port, target }
    }
}

prop_compose! {
    fn an_offer()(
        order in 0_u16..3,
        preference in 0_u16..3,
        flags in "[sSua]?",
        services in prop::sample::select(vec!["SIP+D2U", "SIP+D2T", "sips+d2t", "SIP+D2S", "E2U"]),
        replacement in prop::sample::select(vec![".", "a.example.", "b.example."]),
    ) -> Naptr {
        Naptr {
            order,
            preference,
            flags,
            services: services.to_owned(),
            regexp: String::new(),
            replacement: replacement.to_owned(),
        }
    }
}

/// Two addresses for each even host, one for odd ones, none for the last; neighbours share one.
fn addresses(host: u8) -> Vec<IpAddr> {
    match host {
        7 => vec![],
        _ if host.is_multiple_of(2) => vec![[192, 0, 2, host].into(), [192, 0, 2, host + 1].into()],
        _ => vec![[192, 0, 2, host].into()],
    }
}

proptest! {
    #[test]
    fn ordering_keeps_all_records_and_never_inverts_priorities(
        records in prop::collection::vec(a_record(), 0..20),
        seed in any::<u64>(),
    ) {
        let mut ordered = ordered(records.clone(), &mut StdRng::seed_from_u64(seed));
        prop_assert!(ordered.is_sorted_by_key(|record| record.priority));
        let key = |record: &Srv| (record.priority, record.weight, record.port, record.target.clone());
        let mut records = records;
        records.sort_by_key(key);
        ordered.sort_by_key(key);
        prop_assert_eq!(ordered, records);
    }

    #[test]
    fn every_hop_comes_once_and_by_priority(
        records in prop::collection::vec(a_record(), 0..12),
        seed in any::<u64>(),
    ) {
        let names: Vec<_> = (1..8).map(|host| (format!("host{host}."), addresses(host))).collect();
        let table: HashMap<&str, Vec<IpAddr>> =
            names.iter().map(|(name, found)| (name.as_str(), found.clone())).collect();
        let service = Service { transport: Transport::Tcp, name: String::new() };
        let answers = vec![(&service, records.clone())];
        let servers = servers_of(answers, &mut StdRng::seed_from_u64(seed));
        let hops = hops_of(&servers, &table);

        // The best priority that leads to a hop.
        let priority = |hop: &Hop| {
            let leads = |record: &&Srv| table.get(record.target.as_str()).is_some_and(|found| {
                found.iter().any(|address| SocketAddr::new(*address, record.port) == hop.address)
            });
            records.iter().filter(leads).map(|record| record.priority).min()
        };
        prop_assert!(hops.iter().all(|hop| priority(hop).is_some()));
        prop_assert!(hops.is_sorted_by_key(priority));
        let distinct: std::collections::HashSet<_> = hops.iter().collect();
        prop_assert_eq!(distinct.len(), hops.len());
        // None is left out.
        let expected: std::collections::HashSet<_> = records
            .iter()
            .flat_map(|record| {
                let found = table.get(record.target.as_str()).cloned().unwrap_or_default();
                found.into_iter().map(|address| SocketAddr::new(address, record.port))
            })
            .collect();
        prop_assert_eq!(expected.len(), hops.len());
    }

    #[test]
    fn services_are_ones_we_can_use_and_of_one_order(
        records in prop::collection::vec(an_offer(), 0..10),
        is_secure in any::<bool>(),
        has_tls in any::<bool>(),
        is_large in any::<bool>(),
    ) {
        let transports = if has_tls { ALL } else { NO_TLS.transports };
        let sending = Sending { transports, is_large };
        let found = services("example.com", &records, is_secure, &sending);
        for service in &found {
            prop_assert!(transports.contains(&service.transport));
            prop_assert!(!is_secure || service.transport == Transport::Tls);
        }
        let usable = |record: &&Naptr| {
            let is_known = ["SIP+D2U", "SIP+D2T"].contains(&record.services.as_str());
            let is_tls = record.services == "sips+d2t";
            let is_ours = is_tls && has_tls || is_known && !is_secure;
            is_ours && record.flags.eq_ignore_ascii_case("s") && record.replacement != "."
        };
        let first = records.iter().filter(usable).map(|record| record.order).min();
        if let (Some(order), false) = (first, is_large) {
            let ours = records.iter().filter(usable).filter(|record| record.order == order);
            let mut names: Vec<_> = ours.map(|record| &record.replacement).collect();
            let mut found: Vec<_> = found.iter().map(|service| &service.name).collect();
            names.sort_unstable();
            found.sort_unstable();
            prop_assert_eq!(names, found);
        }
        if is_large {
            prop_assert!(found.is_sorted_by_key(|service| !service.transport.is_reliable()));
        }
        prop_assert!(!found.is_empty() || is_secure && !has_tls);
    }
}
