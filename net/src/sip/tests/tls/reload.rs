//! Certificates that change while they are in use.

use std::fs;

use super::*;
use crate::tls::CertificateFiles;

const NAMES: &[&str] = &["edge.example"];

struct Edge {
    authority: Authority,
    own: CertificateFiles,
    endpoint: SipEndpoint,
}

impl Edge {
    /// Answers everything; looks at its files that often.
    async fn new(reload_interval: Duration) -> Self {
        let authority = Authority::new();
        let own = authority.certify(NAMES);
        let tls = TlsConfig {
            reload_interval,
            ..authority.config_with(own.clone())
        };
        let (endpoint, incoming) = secure(tls).await;
        tokio::spawn(answer_all(incoming));
        Self {
            authority,
            own,
            endpoint,
        }
    }

    async fn peer(&self) -> TlsPeer {
        TlsPeer::new(&self.endpoint, &self.authority).await
    }

    /// Connects until another certificate is shown than this one; every connection is served.
    async fn shows_another_than(&self, certificate: &[u8]) {
        soon(async {
            for at in 0.. {
                let mut peer = self.peer().await;
                peer.is_answered(&format!("z9hG4bKnew{at}")).await;
                if peer.certificate() != certificate {
                    return;
                }
            }
        })
        .await;
    }
}

/// Longer than any test runs: only what is asked for is read.
const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn new_certificate_is_shown_on_demand_and_loses_no_request() {
    let edge = Edge::new(NEVER).await;
    let mut old = edge.peer().await;
    let first = old.certificate();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let load = async {
        let mut stopped = std::pin::pin!(stopped);
        for at in 0.. {
            old.is_answered(&format!("z9hG4bKold{at}")).await;
            edge.peer()
                .await
                .is_answered(&format!("z9hG4bKother{at}"))
                .await;
            if futures_util::poll!(&mut stopped).is_ready() {
                return at;
            }
        }
        0
    };
    let change = async {
        let mut shown = first.clone();
        for _ in 0..5 {
            edge.authority.renew(&edge.own, NAMES);
            edge.endpoint.reload_certificates().await.unwrap();
            edge.shows_another_than(&shown).await;
            shown = edge.peer().await.certificate();
        }
        stop.send(()).unwrap();
    };
    let (rounds, ()) = tokio::join!(load, change);
    assert!(rounds > 0);
    assert_eq!(old.certificate(), first);
}

#[tokio::test]
async fn changed_files_are_found_without_being_told() {
    let edge = Edge::new(Duration::from_millis(5)).await;
    let first = edge.peer().await.certificate();
    edge.authority.renew(&edge.own, NAMES);
    edge.shows_another_than(&first).await;
}

#[tokio::test]
async fn broken_certificate_leaves_the_old_one_in_use() {
    let edge = Edge::new(NEVER).await;
    let first = edge.peer().await.certificate();
    fs::write(&edge.own.certificate, "broken").unwrap();
    edge.endpoint.reload_certificates().await.unwrap_err();
    let mut peer = edge.peer().await;
    peer.is_answered("z9hG4bK1").await;
    assert_eq!(peer.certificate(), first);
    edge.authority.renew(&edge.own, NAMES);
    edge.endpoint.reload_certificates().await.unwrap();
    assert_ne!(edge.peer().await.certificate(), first);
}
