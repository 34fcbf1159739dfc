//! The clients' end of MSRP: every SEND is answered 200.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use memchr::memmem::find;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Inbox;
use crate::text::number;

/// Takes connections on a port of its own.
pub(super) async fn listen(host: IpAddr, inbox: Arc<Inbox>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((host, 0)).await?;
    let local = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&inbox)));
        }
    });
    Ok(local)
}

async fn serve(mut stream: TcpStream, inbox: Arc<Inbox>) {
    let _ = stream.set_nodelay(true);
    let mut received = Vec::with_capacity(16 * 1024);
    while let Ok(1..) = stream.read_buf(&mut received).await {
        let (mut done, mut answers) = (0, Vec::new());
        while let Some((length, answer)) = frame(&received[done..]) {
            if let Some(number) = number(&received[done..done + length]) {
                inbox.take(number);
            }
            answers.extend_from_slice(answer.as_bytes());
            done += length;
        }
        received.drain(..done);
        if stream.write_all(&answers).await.is_err() {
            return;
        }
    }
}

/// Length of the first whole SEND, and its answer.
fn frame(octets: &[u8]) -> Option<(usize, String)> {
    let head = std::str::from_utf8(&octets[..find(octets, b"\r\nMessage-ID: ")?]).ok()?;
    let mut lines = head.split("\r\n");
    let transaction = lines.next()?.split(' ').nth(1)?;
    let value = |name: &str| {
        head.split("\r\n")
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let (to, from) = (value("To-Path")?, value("From-Path")?);
    let end_line = format!("\r\n-------{transaction}");
    let length = find(octets, end_line.as_bytes())? + end_line.len() + 3;
    let answer = format!(
        "MSRP {transaction} 200 OK\r\nTo-Path: {from}\r\nFrom-Path: {to}\r\n-------{transaction}$\r\n"
    );
    (octets.len() >= length).then_some((length, answer))
}
