//! Questions to HTTP listeners.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// What a listener answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status code; zero if there is none.
    pub status: u16,
    /// The head as it came.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Reply {
    fn new(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap_or_default(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The value of a header field; empty if there is none.
    pub fn field(&self, name: &str) -> &str {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut named = fields.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named
            .next()
            .map(|(_, value)| value.trim())
            .unwrap_or_default()
    }
}

/// Status code and body of `GET path`; an error if nobody answers there.
///
/// # Errors
/// Those of the connection.
pub async fn fetch(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let connection = TcpStream::connect(address).await?;
    let reply = ask(connection, "GET", path, &[], "").await?;
    Ok((reply.status, reply.body))
}

/// The answer to a request without a body, with these header lines, from this local address.
///
/// # Errors
/// Those of the connection.
pub async fn request(
    (from, to): (IpAddr, SocketAddr),
    method: &str,
    path: &str,
    lines: &[String],
) -> std::io::Result<Reply> {
    request_with((from, to), method, path, lines, "").await
}

/// As [`request`], with a body; its length is told unless the lines tell another one.
///
/// # Errors
/// Those of the connection.
pub async fn request_with(
    (from, to): (IpAddr, SocketAddr),
    method: &str,
    path: &str,
    lines: &[String],
    body: &str,
) -> std::io::Result<Reply> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut lines = lines.to_vec();
    if !lines.iter().any(|line| line.starts_with("Content-Length")) {
        lines.push(format!("Content-Length: {}", body.len()));
    }
    ask(socket.connect(to).await?, method, path, &lines, body).await
}

/// The answer to a request that is sent as it stands here.
///
/// # Errors
/// Those of the connection.
pub async fn send(to: SocketAddr, request: &str) -> std::io::Result<Reply> {
    let mut connection = TcpStream::connect(to).await?;
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    Ok(Reply::new(&String::from_utf8_lossy(&answer)))
}

async fn ask(
    mut connection: TcpStream,
    method: &str,
    path: &str,
    lines: &[String],
    body: &str,
) -> std::io::Result<Reply> {
    let host = connection.peer_addr()?;
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n{body}"
    );
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(Reply::new(&answer))
}
