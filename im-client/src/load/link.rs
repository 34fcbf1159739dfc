//! One socket of a load.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};

use super::plan::{Plan, Transport};

const DATAGRAM_OCTETS: usize = 65_536;

/// A connected socket, and what was read from it and not yet handed out.
pub(super) enum Link {
    Udp(UdpSocket, Box<[u8]>),
    Tcp {
        read: OwnedReadHalf,
        write: OwnedWriteHalf,
        buffer: Vec<u8>,
        used: usize,
    },
}

impl Link {
    pub(super) async fn open(plan: &Plan) -> io::Result<Self> {
        match plan.transport {
            Transport::Udp => {
                let any: std::net::IpAddr = match plan.target {
                    std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
                    std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
                };
                let socket = UdpSocket::bind((any, 0)).await?;
                socket.connect(plan.target).await?;
                Ok(Self::Udp(socket, vec![0; DATAGRAM_OCTETS].into()))
            }
            Transport::Tcp => {
                let stream = TcpStream::connect(plan.target).await?;
                stream.set_nodelay(true)?;
                let (read, write) = stream.into_split();
                Ok(Self::Tcp {
                    read,
                    write,
                    buffer: Vec::new(),
                    used: 0,
                })
            }
        }
    }

    pub(super) fn local_address(&self) -> io::Result<std::net::SocketAddr> {
        match self {
            Self::Udp(socket, _) => socket.local_addr(),
            Self::Tcp { read, .. } => read.local_addr(),
        }
    }

    pub(super) fn is_reliable(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }

    /// Sends what is in `requests`: over UDP it must be one request, over TCP any number.
    pub(super) async fn send(&mut self, requests: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket, _) => match socket.send(requests).await {
                // The peer's port was closed for a moment; retransmission makes up for it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
                outcome => outcome.map(drop),
            },
            Self::Tcp { write, .. } => write.write_all(requests).await,
        }
    }

    /// Waits for octets and hands every complete answer to `each`.
    pub(super) async fn receive(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        match self {
            Self::Udp(socket, buffer) => {
                socket.readable().await?;
                loop {
                    match socket.try_recv(buffer) {
                        Ok(length) => each(&buffer[..length]),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Self::Tcp {
                read, buffer, used, ..
            } => {
                buffer.drain(..*used);
                *used = 0;
                if read.read_buf(buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                while let Some(length) = answer_length(&buffer[*used..]) {
                    each(&buffer[*used..*used + length]);
                    *used += length;
                }
                Ok(())
            }
        }
    }
}

/// The length of the first complete answer, which has no body (PFM-03).
fn answer_length(octets: &[u8]) -> Option<usize> {
    memchr::memmem::find(octets, b"\r\n\r\n").map(|at| at + 4)
}

#[cfg(test)]
mod tests {
    use super::answer_length;

    #[test]
    fn answers_are_cut_at_their_empty_line() {
        assert_eq!(answer_length(b"SIP/2.0 202 Accepted\r\n\r\nSIP"), Some(24));
        assert_eq!(answer_length(b"SIP/2.0 202 Accepted\r\n"), None);
    }
}
