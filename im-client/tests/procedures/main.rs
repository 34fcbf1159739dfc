//! The procedures of the client against a server that each test plays, over real sockets. Tests bear the names of the
//! rows they check (requirements §5.15).

#![expect(clippy::unwrap_used, reason = "what fails to unwrap fails the test")]

mod large;
mod media;
mod pager;
mod receiving;
mod release;
mod server;
mod session;
mod waiting;

use std::future::Future;
use std::time::Duration;

use restante_im_client::client::{Events, Options};
use restante_im_client::envelope::Envelope;
use restante_im_client::upload::{UploadControl, Uploaded};
use restante_im_client::{Account, Client, ClientError, LargeMessage};
use sip::{Name, Uri};

use server::Server;

/// Longest time for anything; only a failing test takes it.
const PATIENCE: Duration = Duration::from_secs(30);

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}

fn bob() -> Uri {
    "sip:bob@example.org".parse().unwrap()
}

/// Alice's client at this server.
async fn alice(server: &Server, options: Options) -> (Client, Events) {
    let account = Account {
        user: "sip:alice@example.org".parse().unwrap(),
        proxy: server.uri(),
    };
    Client::open(account, options).await.unwrap()
}

/// So many octets of plain text to Bob.
fn text(octets: usize) -> LargeMessage {
    let body = bytes::Bytes::from("x".repeat(octets));
    LargeMessage::new(Envelope::to(bob()), "text/plain", body.into())
}

/// Whom a part of a body names as recipients, by their user parts.
fn listed(part: &sip::multipart::Part) -> Vec<String> {
    let field = |name| part.headers.first(name).unwrap().value().into_owned();
    assert_eq!(field(Name::ContentType), "application/resource-lists+xml");
    assert_eq!(field(Name::ContentDisposition), "recipient-list");
    let document = String::from_utf8(part.body.to_vec()).unwrap();
    let entries = document.split("<entry uri=\"sip:").skip(1);
    entries
        .map(|entry| entry.split('@').next().unwrap().to_owned())
        .collect()
}

/// Sends in the background.
fn upload(
    client: Client,
    message: LargeMessage,
    control: &UploadControl,
) -> tokio::task::JoinHandle<Result<Uploaded, ClientError>> {
    let control = control.clone();
    tokio::spawn(async move {
        let outcome = client.send_large(&message, &control).await;
        client.close().await;
        outcome
    })
}
