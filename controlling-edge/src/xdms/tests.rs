//! An XDMS that is played.

use std::path::PathBuf;

use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use xcap::group_document::{GroupDocument, Member, write};

use super::*;

const TEAM: &str = "sip:team@example.org";
const PATIENCE: Duration = Duration::from_secs(30);

fn document(members: &[&str]) -> String {
    write(&GroupDocument {
        uri: TEAM.to_owned(),
        members: members
            .iter()
            .map(|uri| Member {
                uri: (*uri).to_owned(),
                display_name: String::new(),
            })
            .collect(),
        ..GroupDocument::default()
    })
}

fn ok(tag: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn bare(status: &str, line: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{line}Content-Length: 0\r\n\r\n")
}

/// Gives these answers in turn, and tells the requests it got.
async fn server(answers: Vec<String>) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (requests, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("open");
            let mut head = vec![0; 4_096];
            let length = stream.read(&mut head).await.expect("a request");
            head.truncate(length);
            let request = String::from_utf8(head).expect("text");
            if requests.send(request).is_err() {
                return;
            }
            // Who does not want to hear all of it has gone.
            drop(stream.write_all(answer.as_bytes()).await);
            drop(stream.shutdown().await);
        }
    });
    (port, told)
}

fn config() -> Config {
    Config {
        timeout: PATIENCE,
        max_age: Duration::ZERO,
        ..Config::default()
    }
}

fn xdms_at(root: &str, config: &Config) -> Xdms {
    let root = root.parse().expect("a root");
    Xdms::new(root, config, "sip:im-store@example.org".to_owned()).expect("an XDMS")
}

fn xdms(port: u16) -> Xdms {
    xdms_at(&format!("http://127.0.0.1:{port}/groups/"), &config())
}

async fn members(xdms: &Xdms) -> Result<Option<usize>, NoAnswer> {
    let group = xdms.group(TEAM).await?;
    Ok(group.map(|group| group.members.len()))
}

#[tokio::test]
async fn cfp_05_a_group_is_asked_about_below_the_root_and_again_by_its_tag() {
    let first = document(&[
        "sip:a@example.org",
        "sip:A@example.org:5060",
        "sip:a@EXAMPLE.org",
    ]);
    let answers = vec![
        ok("\"one\"", &first),
        bare("304 Not Modified", ""),
        ok("\"two\"", &document(&[])),
        bare("404 Not Found", ""),
        bare("404 Not Found", ""),
    ];
    let (port, mut told) = server(answers).await;
    let xdms = xdms(port);
    assert_eq!(members(&xdms).await, Ok(Some(2)), "each once");
    let request = told.recv().await.expect("a request").to_ascii_lowercase();
    assert!(
        request.starts_with("get /groups/sip:team@example.org http/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("\r\nx-3gpp-asserted-identity: \"sip:im-store@example.org\"\r\n"),
        "{request}"
    );
    assert!(!request.contains("if-none-match"), "{request}");
    assert_eq!(members(&xdms).await, Ok(Some(2)));
    let request = told.recv().await.expect("a request").to_ascii_lowercase();
    assert!(
        request.contains("\r\nif-none-match: \"one\"\r\n"),
        "{request}"
    );
    assert_eq!(members(&xdms).await, Ok(Some(0)));
    assert_eq!(members(&xdms).await, Ok(None));
    told.recv().await.expect("the third");
    told.recv().await.expect("the fourth");
    assert_eq!(members(&xdms).await, Ok(None));
    let request = told.recv().await.expect("a request").to_ascii_lowercase();
    assert!(
        !request.contains("if-none-match"),
        "it is forgotten: {request}"
    );
}

#[tokio::test]
async fn a_group_is_not_asked_about_again_at_once() {
    let (port, _told) = server(vec![ok("\"one\"", &document(&["sip:a@example.org"]))]).await;
    let config = Config {
        max_age: PATIENCE,
        ..config()
    };
    let xdms = xdms_at(&format!("http://127.0.0.1:{port}"), &config);
    for _ in 0..3 {
        assert_eq!(members(&xdms).await, Ok(Some(1)), "the server answers once");
    }
}

#[tokio::test]
async fn cfp_05_what_is_no_group_of_that_name_is_no_answer() {
    let (elsewhere, mut asked) = server(vec![ok("\"x\"", &document(&[]))]).await;
    let location = format!("Location: http://127.0.0.1:{elsewhere}/\r\n");
    let other = document(&[]).replace("team", "other");
    let large = document(&[]).replace("<list>", &format!("<list>{}", " ".repeat(2 << 20)));
    let answers = vec![
        bare("302 Found", &location),
        bare("503 Service Unavailable", ""),
        bare("304 Not Modified", ""),
        ok("\"x\"", "<group/>"),
        ok("\"x\"", &other),
        ok("\"x\"", &document(&["nobody"])),
        ok("\"x\"", &large),
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<group".to_owned(),
        "SIP/2.0 200 OK\r\n\r\n".to_owned(),
    ];
    let count = answers.len();
    let (port, mut told) = server(answers).await;
    let xdms = xdms(port);
    for answer in 0..count {
        assert_eq!(members(&xdms).await, Err(NoAnswer), "answer {answer}");
        told.recv().await.expect("a request");
    }
    assert!(asked.try_recv().is_err(), "nobody followed the redirection");
    assert_eq!(members(&xdms).await, Err(NoAnswer), "the server is gone");
}

#[tokio::test]
async fn cfp_05_a_server_that_says_nothing_is_waited_for_so_long() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let config = Config {
        timeout: Duration::from_millis(50),
        ..config()
    };
    let xdms = xdms_at(&format!("http://127.0.0.1:{port}"), &config);
    assert_eq!(members(&xdms).await, Err(NoAnswer));
}

/// A server with a certificate of its own for `localhost`, and the file to know it by.
async fn secure_server() -> (u16, tempfile::NamedTempFile) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let own = own.expect("a certificate");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), own.cert.pem()).expect("room");
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a pair")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("open");
            // Who does not believe the certificate goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = [0; 4_096];
            let length = stream.read(&mut head).await.expect("a request");
            assert!(head[..length].starts_with(b"GET /sip:team"));
            let answer = ok("\"x\"", &document(&["sip:a@example.org"]));
            stream.write_all(answer.as_bytes()).await.expect("open");
            stream.shutdown().await.expect("open");
        }
    });
    (port, file)
}

#[tokio::test]
async fn cfp_05_a_server_proves_its_name() {
    let (port, ca) = secure_server().await;
    let (_, other) = secure_server().await;
    let at = |host: &str, ca: &std::path::Path| {
        let config = Config {
            ca: ca.to_owned(),
            ..config()
        };
        xdms_at(&format!("https://{host}:{port}"), &config)
    };
    assert_eq!(members(&at("localhost", ca.path())).await, Ok(Some(1)));
    assert_eq!(members(&at("localhost", other.path())).await, Err(NoAnswer));
    assert_eq!(members(&at("127.0.0.1", ca.path())).await, Err(NoAnswer));
    let config = Config {
        ca: PathBuf::from("/nowhere"),
        ..config()
    };
    let root = "https://localhost".parse().expect("a root");
    let unreadable = Xdms::new(root, &config, String::new());
    assert_eq!(unreadable.expect_err("no authorities").code, Code::Config);
}

#[test]
fn a_root_is_a_place_over_http() {
    for (text, is_safe) in [
        ("https://xdms.example.org/a/b", Some(true)),
        ("https://[2001:db8::1]:8443", Some(true)),
        ("http://127.0.0.1:8080/", Some(true)),
        ("http://[::1]", Some(true)),
        ("http://xdms.example.org/", Some(false)),
        ("ftp://xdms.example.org/", None),
        ("https://user@xdms.example.org/", None),
        ("https://xdms.example.org/?a", None),
        ("/groups", None),
    ] {
        let root = text.parse::<Root>().ok();
        assert_eq!(root.map(|root| root.is_safe()), is_safe, "{text}");
    }
}
