//! Servers and clients that show each other good certificates, bad ones, and none.

use std::io;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::authority::Authority;
use crate::{
    CertificateFiles, CertificateNames, ClientConfig, KeyPair, MutualClient, MutualServer,
    ServerConfig, TlsError,
};

/// Octets from the server, so that a client knows it was let in.
const WELCOME: &[u8] = b"welcome";

struct Site {
    authority: Authority,
    _folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            authority: Authority::new(folder.path()),
            _folder: folder,
        }
    }

    fn server(&self, own: CertificateFiles) -> MutualServer {
        let config = ServerConfig {
            own,
            peer_ca: vec![self.authority.file()],
        };
        MutualServer::new(config).expect("sound files")
    }

    fn client(&self, own: Option<CertificateFiles>) -> MutualClient {
        let config = ClientConfig {
            own,
            peer_ca: vec![self.authority.file()],
        };
        MutualClient::new(config).expect("sound files")
    }
}

/// What the server learned of the client, and what the client learned of the server.
async fn meet(
    server: &MutualServer,
    client: &MutualClient,
    host: &str,
) -> (io::Result<CertificateNames>, io::Result<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let accepting = async {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (mut stream, names) = server.accept(stream).await?;
        stream.write_all(WELCOME).await?;
        stream.flush().await?;
        Ok(names)
    };
    let connecting = async {
        let mut stream = client.connect(host, port).await?;
        let mut read = [0; WELCOME.len()];
        stream.read_exact(&mut read).await?;
        Ok(())
    };
    tokio::join!(accepting, connecting)
}

fn names(texts: &[&str]) -> CertificateNames {
    texts.iter().collect()
}

#[tokio::test]
async fn each_side_proves_its_names_to_the_other() {
    let site = Site::new();
    let server = site.server(site.authority.certify(&["localhost", "127.0.0.1"]));
    let shown = ["Edge1.example.org", "urn:restante:edge:1"];
    let client = site.client(Some(site.authority.certify(&shown)));
    for host in ["localhost", "127.0.0.1"] {
        let (seen, welcomed) = meet(&server, &client, host).await;
        welcomed.expect("let in");
        let seen = seen.expect("a good certificate");
        assert_eq!(seen, names(&["edge1.example.org", "urn:restante:edge:1"]));
    }
}

#[tokio::test]
async fn who_has_no_certificate_is_not_let_in_and_told_why() {
    let site = Site::new();
    let server = site.server(site.authority.certify(&["localhost"]));
    let (seen, welcomed) = meet(&server, &site.client(None), "localhost").await;
    assert!(seen.is_err());
    let told = welcomed.expect_err("not let in").to_string();
    assert_eq!(told, "the server lets nobody in without a certificate");
}

#[tokio::test]
async fn certificate_of_a_foreign_authority_is_not_let_in_and_told_why() {
    let (site, elsewhere) = (Site::new(), Site::new());
    let server = site.server(site.authority.certify(&["localhost"]));
    let client = site.client(Some(elsewhere.authority.certify(&["edge1.example.org"])));
    let (seen, welcomed) = meet(&server, &client, "localhost").await;
    assert!(seen.is_err());
    let told = welcomed.expect_err("not let in").to_string();
    assert_eq!(
        told,
        "our certificate leads to no authority that the server believes"
    );
}

#[tokio::test]
async fn expired_certificates_are_believed_by_neither_side() {
    let site = Site::new();
    let good = site.authority.certify(&["localhost"]);
    let old = site.authority.certify_long_ago(&["localhost"]);
    let table = [
        (
            good.clone(),
            old.clone(),
            "our certificate has expired, or is not valid yet",
        ),
        (old, good, "the server's certificate has expired"),
    ];
    for (of_server, of_client, expected) in table {
        let (server, client) = (site.server(of_server), site.client(Some(of_client)));
        let (seen, welcomed) = meet(&server, &client, "localhost").await;
        assert!(seen.is_err());
        assert_eq!(welcomed.expect_err("not let in").to_string(), expected);
    }
}

#[tokio::test]
async fn server_of_another_name_or_authority_is_not_believed() {
    let (site, elsewhere) = (Site::new(), Site::new());
    let client = site.client(Some(site.authority.certify(&["edge1.example.org"])));
    let table = [
        (
            site.authority.certify(&["store.example.org"]),
            "the server's certificate is not for localhost, but for ",
        ),
        (
            elsewhere.authority.certify(&["localhost"]),
            "the server's certificate leads to no authority that is believed here",
        ),
    ];
    for (of_server, expected) in table {
        let (seen, welcomed) = meet(&site.server(of_server), &client, "localhost").await;
        assert!(seen.is_err());
        let told = welcomed.expect_err("not believed").to_string();
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn server_without_tls_is_told_apart() {
    let site = Site::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let answering = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        stream.write_all(answer).await.expect("an open connection");
        stream
    };
    let client = site.client(None);
    let (_open, connected) = tokio::join!(answering, client.connect("localhost", port));
    let told = connected.expect_err("no TLS").to_string();
    assert_eq!(told, "the server does not speak TLS");
}

#[tokio::test]
async fn client_shows_a_renewed_certificate_at_its_next_connection() {
    let site = Site::new();
    let server = site.server(site.authority.certify(&["localhost"]));
    let files = site.authority.certify(&["old.example.org"]);
    let client = site.client(Some(files.clone()));
    let (seen, _) = meet(&server, &client, "localhost").await;
    assert_eq!(seen.expect("let in"), names(&["old.example.org"]));
    site.authority.renew(&files, &["renewed.example.org"]);
    let (seen, _) = meet(&server, &client, "localhost").await;
    assert_eq!(seen.expect("let in"), names(&["renewed.example.org"]));
}

#[tokio::test(start_paused = true)]
async fn watching_server_shows_a_renewed_certificate_and_keeps_it_when_the_files_break() {
    let site = Site::new();
    let files = site.authority.certify(&["before.example.org"]);
    let server = site.server(files.clone());
    let watching = async {
        let shown = || server.0.current();
        let before = shown();
        site.authority.renew(&files, &["localhost"]);
        while std::sync::Arc::ptr_eq(&before, &shown()) {
            tokio::time::sleep(crate::RELOAD_INTERVAL).await;
        }
        std::fs::write(&files.certificate, "no certificate").expect("written");
        tokio::time::sleep(3 * crate::RELOAD_INTERVAL).await;
    };
    tokio::select! {
        () = server.watch() => unreachable!("it watches for ever"),
        () = watching => {}
    }
    let client = site.client(Some(site.authority.certify(&["edge1.example.org"])));
    tokio::time::resume();
    let (_, welcomed) = meet(&server, &client, "localhost").await;
    welcomed.expect("the renewed certificate is still shown");
}

#[test]
fn the_end_of_a_chain_is_that_of_the_first_that_ends() {
    let site = Site::new();
    let old = KeyPair::read(&site.authority.certify_long_ago(&["localhost"])).expect("sound");
    assert_eq!(old.ends_at(), Some(1_009_843_200));
    let mut chain = KeyPair::read(&site.authority.certify(&["localhost"])).expect("sound");
    assert!(chain.ends_at() > Some(4_000_000_000));
    chain.chain.extend(old.chain);
    assert_eq!(chain.ends_at(), Some(1_009_843_200));
    chain.chain.push(b"none".to_vec().into());
    assert_eq!(chain.ends_at(), None);
}

#[test]
fn neither_side_believes_everybody() {
    let site = Site::new();
    let own = site.authority.certify(&["localhost"]);
    let server = MutualServer::new(ServerConfig {
        own: own.clone(),
        peer_ca: Vec::new(),
    });
    assert!(matches!(server, Err(TlsError::NoAuthority(_))));
    let client = MutualClient::new(ClientConfig {
        own: Some(own),
        peer_ca: Vec::new(),
    });
    assert!(matches!(client, Err(TlsError::NoAuthority(_))));
}

#[test]
fn name_is_compared_whole_and_a_uri_to_the_letter() {
    let names = names(&["Ops.example.org", "*.example.net", "urn:restante:Ops"]);
    assert!(names.contains("OPS.example.org"));
    assert!(!names.contains("example.org"));
    assert!(!names.contains("a.example.net"));
    assert!(names.contains("urn:restante:Ops"));
    assert!(!names.contains("urn:restante:ops"));
    assert_eq!(
        names.to_string(),
        "ops.example.org, *.example.net, urn:restante:Ops"
    );
}
