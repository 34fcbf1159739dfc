//! `im-client subscribe`.

use std::time::Duration;

use restante_im_client::client::Options;
use restante_im_client::waiting::WaitingNotice;
use restante_im_client::{Account, Client};
use tokio::time::timeout;

use crate::args::Subscribe;

/// How long the last notice is waited for.
const LAST_NOTICE: Duration = Duration::from_secs(5);

pub(crate) async fn run(
    account: Account,
    options: Options,
    is_asserted: bool,
    subscribe: Subscribe,
) -> anyhow::Result<()> {
    let (client, _events) = Client::open(account, options).await?;
    let mut waiting = client.subscribe(subscribe.expires, is_asserted).await?;
    let mut seen = 0;
    let mut is_interrupted = false;
    while !is_interrupted && subscribe.count.is_none_or(|count| seen < count) {
        tokio::select! {
            notice = waiting.next() => match notice? {
                Some(notice) => {
                    show(&notice, subscribe.json);
                    seen += 1;
                }
                None => break,
            },
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                is_interrupted = true;
            }
        }
    }
    // What has ended by itself, or whose peer has gone, needs no farewell.
    if !waiting.is_over() && waiting.end().await.is_ok() {
        let _ = timeout(LAST_NOTICE, waiting.next()).await;
    }
    client.close().await;
    Ok(())
}

fn show(notice: &WaitingNotice, as_json: bool) {
    let summary = &notice.summary;
    if !as_json {
        println!("{}\n{summary}", notice.state);
        return;
    }
    let counts = summary.counts.iter().map(|count| {
        let urgent = count.urgent.unwrap_or_default();
        let value = serde_json::json!({
            "new": count.new, "old": count.old, "new_urgent": urgent.0, "old_urgent": urgent.1,
        });
        (count.class.clone(), value)
    });
    let messages = summary.blocks.iter().map(|block| {
        let fields = block.iter().cloned();
        fields.map(|(name, value)| (name, value.into())).collect()
    });
    let messages: Vec<serde_json::Map<String, serde_json::Value>> = messages.collect();
    let shown = serde_json::json!({
        "state": notice.state.to_string(),
        "waiting": summary.is_waiting,
        "account": summary.account,
        "counts": counts.collect::<serde_json::Map<_, _>>(),
        "messages": messages,
    });
    println!("{shown}");
}
