//! The procedures of the client against a server that each test plays, over real sockets. Tests bear the names of the
//! rows they check (requirements §5.15).

#![expect(clippy::unwrap_used, reason = "what fails to unwrap fails the test")]

mod large;
mod media;
mod pager;
mod receiving;
mod release;
mod server;
mod waiting;

use std::future::Future;
use std::time::Duration;

use restante_im_client::client::{Events, Options};
use restante_im_client::envelope::Envelope;
use restante_im_client::upload::{UploadControl, Uploaded};
use restante_im_client::{Account, Client, ClientError, LargeMessage};
use sip::Uri;

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
