//! `im-client receive`.

use std::time::Duration;

use anyhow::bail;
use msrp::AcceptTypes;
use restante_im_client::client::{Event, Events, Options};
use restante_im_client::{Account, Client, PagerArrival, PushedMessage};

use crate::args::Receive;

pub(crate) async fn run(
    account: Account,
    options: Options,
    receive: Receive,
) -> anyhow::Result<()> {
    let accept_types = receive.accept_types.split_ascii_whitespace();
    let options = Options {
        accept_types: AcceptTypes::of(accept_types),
        max_message_octets: receive.max_size,
        reject: receive.reject,
        ..options
    };
    let (client, mut events) = Client::open(account, options).await?;
    client.register(receive.expires).await?;
    let limit = receive.limit.unwrap_or(Duration::MAX);
    let received = tokio::select! {
        received = show(&client, &mut events, &receive) => received?,
        () = tokio::time::sleep(limit) => events.messages_seen(),
        _ = tokio::signal::ctrl_c() => events.messages_seen(),
    };
    let deregistered = client.register(Duration::ZERO).await;
    client.close().await;
    deregistered?;
    match receive.count {
        Some(count) if received < count => bail!("{received} of {count} messages came in time"),
        _ => Ok(()),
    }
}

/// Shows messages until enough of them came and their session ended.
async fn show(client: &Client, events: &mut Events, receive: &Receive) -> anyhow::Result<usize> {
    let mut refresh = tokio::time::interval(receive.expires / 2);
    refresh.tick().await;
    loop {
        tokio::select! {
            event = events.next() => match event {
                None => bail!("the client was closed"),
                Some(event) => print(&event, receive.json),
            },
            _ = refresh.tick() => { client.register(receive.expires).await?; }
        }
        let enough = receive
            .count
            .is_some_and(|count| events.messages_seen() >= count);
        if enough && events.open_sessions() == 0 {
            return Ok(events.messages_seen());
        }
    }
}

fn print(event: &Event, json: bool) {
    match event {
        Event::Message(message) if json => println!("{}", as_json(message)),
        Event::Message(message) => {
            let PushedMessage {
                message_id,
                received_at,
                from,
                subject,
                ..
            } = message;
            println!(
                "Message-ID: {message_id}\nReceived:   {received_at}\nFrom:       {}",
                shown(from)
            );
            if !subject.is_empty() {
                println!("Subject:    {}", shown(subject));
            }
            println!("\n{}\n", shown(&String::from_utf8_lossy(&message.body)));
        }
        Event::Pager(message) if json => println!("{}", arrival_as_json(message)),
        Event::Pager(message) => {
            println!("Message-ID: {}", shown(&message.message_id));
            println!("Date:       {}", shown(&message.date));
            println!("From:       {}", shown(&message.from));
            if !message.subject.is_empty() {
                println!("Subject:    {}", shown(&message.subject));
            }
            println!("\n{}\n", shown(&String::from_utf8_lossy(&message.body)));
        }
        Event::SessionOpened { from } if !json => eprintln!("session from {}", shown(from)),
        Event::SessionEnded { reason, .. } if !json => eprintln!("session ended: {reason}"),
        Event::SessionOpened { .. } | Event::SessionEnded { .. } => {}
    }
}

fn as_json(message: &PushedMessage) -> serde_json::Value {
    serde_json::json!({
        "message_id": message.message_id,
        "received_at": message.received_at,
        "from": message.from,
        "subject": message.subject,
        "kind": message.kind,
        "content_type": message.content_type,
        "body": String::from_utf8_lossy(&message.body),
        "original": String::from_utf8_lossy(&message.original),
    })
}

fn arrival_as_json(message: &PagerArrival) -> serde_json::Value {
    serde_json::json!({
        "message_id": message.message_id,
        "received_at": message.date,
        "from": message.from,
        "subject": message.subject,
        "kind": "MESSAGE",
        "content_type": message.content_type,
        "body": String::from_utf8_lossy(&message.body),
        "original": String::from_utf8_lossy(&message.original),
    })
}

/// Text of a stranger on a terminal: control characters but line ends and tabs are escaped.
fn shown(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            let harmless = matches!(letter, '\n' | '\t') || !letter.is_control();
            let escaped = (!harmless).then(|| letter.escape_default());
            harmless
                .then_some(letter)
                .into_iter()
                .chain(escaped.into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\tc\n"), "a\\u{1b}[2Jb\tc\n");
    }
}
