//! One question to the XDMS: a GET below the configured root.

use std::path::Path;

use bytes::Bytes;
use daemon::http_client::HttpClient;
pub(crate) use daemon::http_client::Root;
use hyper::StatusCode;
use hyper::header::{ACCEPT, ETAG, HeaderMap, IF_NONE_MATCH};
use xcap::group_document::{LIMITS, MEDIA_TYPE};
use xcap::percent;

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The document, and its tag if it has one.
    Document { text: Bytes, tag: Option<String> },
    /// It still has the tag that was named.
    Unchanged,
    /// There is none.
    Unknown,
}

/// Asks one server.
#[derive(Debug)]
pub(super) struct Client {
    server: HttpClient,
    /// Who asks.
    identity: String,
}

impl Client {
    /// The authorities in `ca` vouch for a server that is asked over TLS.
    pub(super) fn new(root: Root, ca: &Path, identity: String) -> Result<Self, String> {
        let server = HttpClient::new(root, ca)?;
        Ok(Self { server, identity })
    }

    /// The document of a group, unless it has this tag still.
    pub(super) async fn fetch(&self, uri: &str, tag: Option<&str>) -> Result<Answer, String> {
        let path = format!("{}/{}", self.server.root().path(), percent::encode(uri));
        let request = self
            .server
            .get(&path)
            .header(ACCEPT, MEDIA_TYPE)
            .header("X-3GPP-Asserted-Identity", format!("\"{}\"", self.identity));
        let request = match tag {
            Some(tag) => request.header(IF_NONE_MATCH, tag),
            None => request,
        };
        let answer = self.server.send(request, Bytes::new(), LIMITS.octets);
        let answer = answer.await?;
        // A redirection leads elsewhere, and is followed as little as any other answer that has no group.
        match answer.status {
            StatusCode::OK => Ok(Answer::Document {
                text: answer.body,
                tag: tag_of(&answer.headers),
            }),
            StatusCode::NOT_MODIFIED => Ok(Answer::Unchanged),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Answer::Unknown),
            status => Err(format!("it answers {status}")),
        }
    }
}

fn tag_of(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    Some(tag.to_owned())
}
