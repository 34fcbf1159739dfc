//! `restante ready`: what a health check of a container asks, which has no HTTP client of its own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use daemon::exit::{Code, Fatal};

use crate::args::Ready;
use crate::print::print;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between questions while waiting.
const PAUSE: Duration = Duration::from_millis(100);
/// More than any list of conditions.
const ANSWER_OCTETS: u64 = 64 * 1024;

/// Asks, and prints the conditions.
///
/// # Errors
/// [`Code::Unavailable`] if the process is not ready (in time) or does not answer.
pub(crate) fn run(ready: &Ready) -> Result<(), Fatal> {
    let deadline = Instant::now() + ready.wait.unwrap_or_default();
    loop {
        match ask(ready.admin) {
            Ok((true, conditions)) => return print(conditions),
            Ok((false, conditions)) if Instant::now() >= deadline => {
                let sentence = format!("{} is not ready:\n{}", ready.admin, conditions.trim_end());
                return Err(Fatal::new(Code::Unavailable, sentence));
            }
            Err(error) if Instant::now() >= deadline => {
                let sentence = format!("{} does not answer: {error}", ready.admin);
                return Err(Fatal::new(Code::Unavailable, sentence));
            }
            _ => std::thread::sleep(PAUSE),
        }
    }
}

/// Whether `/readyz` says 200, and what it says.
fn ask(admin: SocketAddr) -> std::io::Result<(bool, String)> {
    let mut connection = TcpStream::connect_timeout(&admin, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    // In one write: a peer that answers the first piece would meet the rest with a reset.
    let question = format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    connection.write_all(question.as_bytes())?;
    let mut answer = String::new();
    connection.take(ANSWER_OCTETS).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let is_ready = head.split(' ').nth(1) == Some("200");
    Ok((is_ready, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("a connection");
            let mut question = [0; 1024];
            let length = connection.read(&mut question).expect("a question");
            assert!(question[..length].starts_with(b"GET /readyz "));
            connection
                .write_all(answer.as_bytes())
                .expect("an open connection");
        });
        address
    }

    fn outcome(answer: &'static str) -> Result<(), Fatal> {
        run(&Ready {
            admin: answering(answer),
            wait: None,
        })
    }

    #[test]
    fn ready_is_a_200() {
        assert_eq!(outcome("HTTP/1.1 200 OK\r\n\r\nstore: ready\n"), Ok(()));
    }

    #[test]
    fn not_ready_says_why() {
        let fatal = outcome("HTTP/1.1 503 Service Unavailable\r\n\r\nstore: not ready: latched\n");
        let fatal = fatal.expect_err("not ready");
        assert_eq!(fatal.code, Code::Unavailable);
        assert!(
            fatal.sentence.ends_with("store: not ready: latched"),
            "{}",
            fatal.sentence
        );
    }

    #[test]
    fn nobody_listening_is_not_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let admin = listener.local_addr().expect("bound");
        drop(listener);
        assert!(run(&Ready { admin, wait: None }).is_err());
    }
}
