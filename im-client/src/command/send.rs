//! `im-client send`.

use anyhow::Context as _;
use bytes::Bytes;
use restante_im_client::client::Options;
use restante_im_client::pager::PagerMessage;
use restante_im_client::{Account, Client};
use tokio::io::AsyncReadExt as _;

use crate::args::Send;

pub(crate) async fn run(account: Account, options: Options, send: Send) -> anyhow::Result<()> {
    let body = content(&send).await?;
    let message = PagerMessage {
        to: send.to,
        content_type: send.content_type,
        body,
        subject: send.subject,
        expires: send
            .expires
            .map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX)),
        anonymous: send.anonymous,
        asserted: options.asserts_identity,
    };
    let (client, _events) = Client::open(account, options).await?;
    let answer = client.send(&message).await?;
    println!("{} {}", answer.status(), answer.reason());
    client.close().await;
    Ok(())
}

async fn content(send: &Send) -> anyhow::Result<Bytes> {
    if let Some(text) = &send.text {
        return Ok(Bytes::from(text.clone()));
    }
    if let Some(file) = &send.file {
        let octets = tokio::fs::read(file).await;
        return octets
            .map(Bytes::from)
            .with_context(|| format!("cannot read {}", file.display()));
    }
    let mut octets = Vec::new();
    tokio::io::stdin()
        .read_to_end(&mut octets)
        .await
        .context("cannot read standard input")?;
    Ok(octets.into())
}
