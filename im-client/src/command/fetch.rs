//! `im-client fetch`.

use std::io;

use restante_im_client::client::{Event, Options};
use restante_im_client::{Account, Client};

use super::receive::folder;
use super::shown::Shown;
use crate::args::Fetch;

pub(crate) async fn run(
    account: Account,
    options: Options,
    asserted: bool,
    fetch: Fetch,
) -> anyhow::Result<()> {
    let options = Options {
        max_message_octets: fetch.max_size,
        folder: folder(fetch.save.as_deref(), options.folder)?,
        ..options
    };
    let (client, _events) = Client::open(account, options).await?;
    let kept = |event| keep(event, &fetch);
    let fetched = client.fetch(&fetch.id, asserted, kept).await;
    client.close().await;
    Ok(fetched?)
}

fn keep(event: Event, fetch: &Fetch) -> io::Result<()> {
    let mut message = match event {
        Event::Message(message) => Shown::of_push(message),
        Event::Large(message) => Shown::of_large(*message),
        // A fetch brings no other event.
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    if let Some(folder) = &fetch.save {
        message.save(folder)?;
    }
    match fetch.json {
        true => println!("{}", message.to_json()),
        false => print!("{message}"),
    }
    Ok(())
}
