//! `im-client list` and `im-client delete`.

use anyhow::Context as _;
use restante_im_client::Account;
use restante_im_client::client::Options;
use restante_im_client::deferred::{DeferredList, ListClient};

use super::shown::shown;
use crate::args::{Delete, List, Xcap};

pub(crate) async fn list(
    account: &Account,
    options: &Options,
    asserted: bool,
    list: List,
) -> anyhow::Result<()> {
    let found = client(account, options, asserted, list.xcap).read().await?;
    match list.json {
        true => print_json(&found),
        false => print(&found),
    }
    Ok(())
}

pub(crate) async fn delete(
    account: &Account,
    options: &Options,
    asserted: bool,
    delete: Delete,
) -> anyhow::Result<()> {
    let client = client(account, options, asserted, delete.xcap);
    for id in &delete.ids {
        let id = id.strip_prefix("sip:").unwrap_or(id);
        // Whatever else has come since the user saw the list: he means this message.
        let seen = client.read().await?;
        let deleted = client.delete(id, &seen.tag).await;
        deleted.with_context(|| format!("{id} is not deleted"))?;
        println!("{id} deleted");
    }
    Ok(())
}

fn client(account: &Account, options: &Options, asserted: bool, xcap: Xcap) -> ListClient {
    ListClient {
        root: xcap.root,
        local: options.local,
        user: account.user.to_string(),
        authorities: xcap.authorities,
        asserted,
    }
}

fn print(list: &DeferredList) {
    for message in &list.messages {
        println!(
            "{}  {}  {} octets, until {}",
            shown(&message.id),
            shown(&message.date),
            shown(&message.size),
            shown(&message.expiry)
        );
        println!("    From: {}", shown(&message.from));
        if let Some(subject) = &message.subject {
            println!("    Subject: {}", shown(subject));
        }
    }
}

fn print_json(list: &DeferredList) {
    for message in &list.messages {
        let record = serde_json::json!({
            "message_id": message.id,
            "size": message.size.parse::<u64>().ok(),
            "date": message.date,
            "expiry": message.expiry,
            "from": message.from,
            "subject": message.subject,
        });
        println!("{record}");
    }
}
