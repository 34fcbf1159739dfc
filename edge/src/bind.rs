//! The sockets of an edge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use daemon::exit::{Code, Fatal};
use ipnet::IpNet;
use net::msrp::{MsrpConfig, MsrpEndpoint};
use net::sip::{Incoming, SipConfig, SipEndpoint, SipListener};
use sip::transaction::Timers;
use tokio::net::TcpListener;

use crate::config::{Listening, Msrp, Sip, Tls};
use crate::signature::Signature;
use crate::surroundings::Surroundings;

/// Binds every SIP listener. `section` is that of the listeners, for the sentence about one that cannot
/// be bound.
///
/// # Errors
/// [`Code::Config`] for certificates that cannot be used, [`Code::Unavailable`] for an address that
/// cannot be bound.
pub async fn sip(
    section: &str,
    listening: &Listening<'_>,
    (sip, tls): (&Sip, &Tls),
    (signature, surroundings): (&Signature, &Surroundings),
) -> Result<(SipEndpoint, Incoming), Fatal> {
    let listen = |(transport, address)| SipListener { transport, address };
    let timers = Timers {
        t1: sip.t1,
        t2: sip.t2,
        t4: sip.t4,
        ..Timers::default()
    };
    let bound = SipEndpoint::bind(SipConfig {
        listeners: listening.sip().map(listen).collect(),
        advertised_host: signature.host().to_string(),
        tls: tls.sip(),
        server: Some(signature.product().to_owned()),
        timers,
        network: surroundings.network.clone(),
        ..SipConfig::default()
    });
    bound.await.map_err(|error| match error {
        net::sip::BindError::Tls(error) => Fatal::new(Code::Config, format!("tls: {error}")),
        error => {
            let keys = format!("{section}.listen_udp, {section}.listen_tcp, {section}.listen_tls");
            Fatal::new(Code::Unavailable, format!("{error} ({keys})"))
        }
    })
}

/// Binds the listener of documents, if there is to be one. `key` is that of its address.
///
/// # Errors
/// [`Code::Unavailable`] for an address that cannot be bound.
pub async fn xcap(
    key: &str,
    address: Option<SocketAddr>,
) -> Result<Option<(TcpListener, SocketAddr)>, Fatal> {
    let Some(address) = address else {
        return Ok(None);
    };
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    };
    let bound = bound.await.map_err(|error| {
        let sentence = format!("cannot listen on {address} ({key}): {error}");
        Fatal::new(Code::Unavailable, sentence)
    })?;
    Ok(Some(bound))
}

/// Binds the MSRP listeners, beside SIP listeners like these.
///
/// # Errors
/// As [`sip()`].
pub async fn msrp(
    section: &str,
    (listen, listen_tls): (SocketAddr, Option<SocketAddr>),
    msrp: &Msrp,
    listening: &Listening<'_>,
    (signature, surroundings): (&Signature, &Surroundings),
) -> Result<MsrpEndpoint, Fatal> {
    let bound = MsrpEndpoint::bind(MsrpConfig {
        advertised_host: Some(signature.host().to_string()),
        allow_networks: allowed_networks(msrp, listening.is_loopback_only()),
        other_listeners: listening.sip().map(|(_, address)| address).collect(),
        deny_networks: msrp.deny_networks.clone(),
        connect_timeout: msrp.connect_timeout,
        connects_per_second: usize::try_from(msrp.connects_per_second).unwrap_or(usize::MAX),
        tls: listen_tls.map(|listen| msrp.tls(listen)),
        network: surroundings.network.clone(),
        sessmatch: msrp.sessmatch,
        ..MsrpConfig::new(listen)
    });
    bound.await.map_err(|error| match error {
        net::msrp::BindError::Tls(error) => {
            Fatal::new(Code::Config, format!("msrp.certificate: {error}"))
        }
        error => {
            let keys = format!("{section}.msrp_listen, {section}.msrp_listen_tls");
            Fatal::new(Code::Unavailable, format!("{error} ({keys})"))
        }
    })
}

/// In the laptop mode, with every SIP listener on loopback, clients are on loopback too.
fn allowed_networks(msrp: &Msrp, loopback: bool) -> Vec<IpNet> {
    let mut networks = msrp.allow_networks.clone();
    if loopback {
        let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        networks.extend(addresses.map(IpNet::from));
    }
    networks
}
