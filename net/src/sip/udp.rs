//! UDP sockets, or what stands for them: one message per datagram.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sip::parse_datagram;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::config::SipConfig;
use super::core::Core;
use super::flow::Flow;
use super::metric;
use super::receive;
use crate::network::Datagrams;

/// Largest UDP payload; a datagram is never cut.
const MAX_DATAGRAM: usize = 65_535;

/// Datagrams taken in a row before other tasks get their turn.
const BURST: usize = 32;

/// One bound socket.
#[derive(Debug)]
pub(crate) struct UdpChannel {
    port: Port,
    local: SocketAddr,
}

#[derive(Debug)]
enum Port {
    Socket(UdpSocket),
    Passed(Box<dyn Datagrams>),
}

impl UdpChannel {
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits until the runtime knows that the socket can be written; before, nothing can be sent.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        match &self.port {
            Port::Socket(socket) => socket.writable().await,
            Port::Passed(_) => Ok(()),
        }
    }

    /// Sends one datagram without waiting. A full socket buffer loses it, as the network may: the transaction layers
    /// of both sides retransmit.
    pub(crate) fn send(&self, bytes: &Bytes, destination: SocketAddr) -> io::Result<()> {
        let socket = match &self.port {
            Port::Socket(socket) => socket,
            Port::Passed(port) => {
                port.send(bytes, destination);
                return Ok(());
            }
        };
        match socket.try_send_to(bytes, destination) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                metric::dropped(metric::Drop::SendBufferFull);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Binds `count` sockets to the same address; with port 0 all share the port the first one got.
pub(crate) fn bind(
    address: SocketAddr,
    count: usize,
    config: &SipConfig,
) -> io::Result<Vec<Arc<UdpChannel>>> {
    let first = bind_one(address, config)?;
    let address = first.local;
    let mut channels = vec![Arc::new(first)];
    for _ in 1..count {
        channels.push(Arc::new(bind_one(address, config)?));
    }
    Ok(channels)
}

fn bind_one(address: SocketAddr, config: &SipConfig) -> io::Result<UdpChannel> {
    if let Some(network) = &config.network {
        let port = network.bind(address)?;
        let local = port.local();
        let port = Port::Passed(port);
        return Ok(UdpChannel { port, local });
    }
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if config.udp_sockets > 1 {
        socket.set_reuse_port(true)?;
    }
    set_buffers(&socket, config)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    let local = socket.local_addr()?;
    let port = Port::Socket(socket);
    Ok(UdpChannel { port, local })
}

/// Asks for the configured buffers. Linux grants at most `net.core.rmem_max` and `wmem_max` without an error, and
/// reports twice what it granted.
fn set_buffers(socket: &Socket, config: &SipConfig) -> io::Result<()> {
    socket.set_recv_buffer_size(config.receive_buffer_octets)?;
    socket.set_send_buffer_size(config.send_buffer_octets)?;
    let granted = [
        socket.recv_buffer_size()? / 2,
        socket.send_buffer_size()? / 2,
    ];
    let wanted = [config.receive_buffer_octets, config.send_buffer_octets];
    for (name, wanted, granted) in [
        ("receive", wanted[0], granted[0]),
        ("send", wanted[1], granted[1]),
    ] {
        if granted < wanted {
            tracing::warn!(
                event = "udp.buffer_capped",
                buffer = name,
                wanted,
                granted,
                "kernel caps the udp socket buffer"
            );
        }
    }
    Ok(())
}

/// Serves one socket until the endpoint closes.
pub(crate) async fn serve(core: Arc<Core>, channel: Arc<UdpChannel>) {
    let shutdown = core.shutdown.clone();
    let receiving = async {
        match &channel.port {
            Port::Socket(socket) => receive_all(&core, &channel, socket).await,
            Port::Passed(port) => loop {
                let (datagram, source) = port.receive().await;
                take(&core, &channel, &datagram, source);
            },
        }
    };
    shutdown.run_until_cancelled(receiving).await;
}

async fn receive_all(core: &Arc<Core>, channel: &Arc<UdpChannel>, socket: &UdpSocket) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        if let Err(error) = socket.readable().await {
            tracing::error!(event = "udp.failed", %error, "udp socket failed");
            return;
        }
        for _ in 0..BURST {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, source)) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    take(core, channel, datagram, source);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Errors of earlier sends come back here (ICMP); the socket goes on.
                Err(_) => metric::dropped(metric::Drop::SocketError),
            }
        }
        tokio::task::yield_now().await;
    }
}

fn take(core: &Arc<Core>, channel: &Arc<UdpChannel>, datagram: &[u8], source: SocketAddr) {
    // Keep-alives of address translators: no message, no answer.
    if datagram
        .iter()
        .all(|octet| matches!(octet, b'\r' | b'\n' | 0))
    {
        return;
    }
    let flow = Flow::udp(Arc::clone(channel), source);
    match parse_datagram(Bytes::copy_from_slice(datagram), &core.config.limits) {
        Ok(message) => receive::message(core, message, &flow),
        Err(error) => receive::malformed(core, &error, &flow),
    }
}
