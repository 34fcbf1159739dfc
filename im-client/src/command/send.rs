//! `im-client send`.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use cpim::imdn::Request;
use restante_im_client::choice::Choice;
use restante_im_client::client::Options;
use restante_im_client::content::Content;
use restante_im_client::envelope::Envelope;
use restante_im_client::external::ExternalContent;
use restante_im_client::file::{Disposition, FileDescription};
use restante_im_client::large::Icon;
use restante_im_client::outgoing::{Outgoing, Sent};
use restante_im_client::recipients::Recipients;
use restante_im_client::report::{self, Journal};
use restante_im_client::upload::UploadControl;
use restante_im_client::{Account, Client, LargeMessage};
use sip::{SipDate, Uri, token};
use tokio::io::AsyncReadExt as _;

use super::progress::Progress;
use crate::args::Send;

pub(crate) async fn run(
    account: Account,
    options: Options,
    asserted: bool,
    send: Send,
) -> anyhow::Result<()> {
    let options = Options {
        report_wait: send.report_wait,
        ..options
    };
    let mut messages = messages(&send, asserted, &options.local.to_string()).await?;
    let report = match messages.first_mut() {
        Some(message) if !send.report.is_empty() => Some(ask(message, &account.user, &send).await?),
        _ => None,
    };
    let (client, _events) = Client::open(account, options).await?;
    for message in &messages {
        let outgoing = Outgoing {
            message: message.clone(),
            expires: send.expires.map(whole_seconds),
            choice: Choice {
                mode: send.mode.into(),
                end_to_end_tcp: send.end_to_end_tcp,
            },
        };
        match deliver(&client, &outgoing, send.cancel_after).await? {
            Sent::Pager(answer) => println!("{} {}", answer.status(), answer.reason()),
            Sent::Large(uploaded) => println!("taken, {} octets", uploaded.octets),
        }
    }
    if let Some(request) = report {
        println!("imdn.Message-ID: {}", request.message_id);
    }
    client.close().await;
    Ok(())
}

/// Wraps the message in one that asks for reports, and writes down which it is before it is sent: a report may be
/// quick.
async fn ask(message: &mut LargeMessage, user: &Uri, send: &Send) -> anyhow::Result<Request> {
    let asked = send.report.iter().copied().map(Into::into).collect();
    let request = report::request(user, &send.to, asked, &mut rand::rng());
    let octets = message.content.gather().await;
    let octets = octets.context("cannot read the message")?;
    let now = SystemTime::now();
    let body = report::asking(&request, now, &message.content_type, &octets);
    message.content = Content::from(body);
    report::CPIM.clone_into(&mut message.content_type);
    let about = send.subject.as_deref().or(send.text.as_deref());
    let journal = Journal::open(send.reports.as_deref());
    journal
        .and_then(|mut journal| journal.add_sent(&request, about.unwrap_or_default(), now))
        .context("cannot keep which message it is")?;
    Ok(request)
}

/// Sends one message and shows how far it is; gives it up when told to.
async fn deliver(
    client: &Client,
    outgoing: &Outgoing,
    cancel_after: Option<Duration>,
) -> anyhow::Result<Sent> {
    let control = UploadControl::default();
    let progress = Progress::show(&control, outgoing.message.content.octets());
    let delivery = client.deliver(outgoing, &control);
    tokio::pin!(delivery);
    let given_up = async {
        tokio::select! {
            () = tokio::time::sleep(cancel_after.unwrap_or(Duration::MAX)) => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let sent = tokio::select! {
        sent = &mut delivery => sent,
        () = given_up => {
            control.cancel();
            delivery.await
        }
    };
    progress.end();
    Ok(sent?)
}

/// One message per file, or the one of text, reference or standard input.
async fn messages(send: &Send, asserted: bool, host: &str) -> anyhow::Result<Vec<LargeMessage>> {
    let envelope = Envelope {
        subject: send.subject.clone(),
        anonymous: send.anonymous,
        asserted,
        target_dialog: send.target_dialog.clone(),
        ..addressed(send)
    };
    let mut messages = Vec::new();
    for path in &send.files {
        let message = file(send, envelope.clone(), path, host).await;
        messages.push(message.with_context(|| format!("cannot read {}", path.display()))?);
    }
    if messages.is_empty() {
        let (content_type, content) = content(send, host).await?;
        messages.push(LargeMessage::new(envelope, &content_type, content));
    }
    for message in &mut messages {
        message.success_report = send.success_report;
    }
    Ok(messages)
}

/// To one, or by the factory to all.
fn addressed(send: &Send) -> Envelope {
    match &send.factory {
        Some(factory) if !send.also.is_empty() => Envelope::to_all(Recipients {
            factory: factory.clone(),
            list: std::iter::once(&send.to)
                .chain(&send.also)
                .cloned()
                .collect(),
        }),
        _ => Envelope::to(send.to.clone()),
    }
}

async fn content(send: &Send, host: &str) -> anyhow::Result<(String, Content)> {
    let type_or = |default: &str| send.content_type.clone().unwrap_or(default.to_owned());
    let text_type = type_or("text/plain;charset=utf-8");
    if let Some(url) = &send.external.external_url {
        let reference = ExternalContent {
            octets: send.external.external_size,
            expires: send.external.external_expires.map(later),
            disposition: send.file.attachment.then(|| "attachment".to_owned()),
            ..ExternalContent::new(url, &type_or("application/octet-stream"))?
        };
        let content_id = format!("{}@{host}", token::random_base62(&mut rand::rng(), 16));
        let body = reference.body(&content_id);
        return Ok((reference.message_type(), body.into()));
    }
    if let Some(text) = &send.text {
        return Ok((text_type, Bytes::from(text.clone()).into()));
    }
    let mut octets = Vec::new();
    tokio::io::stdin()
        .read_to_end(&mut octets)
        .await
        .context("cannot read standard input")?;
    Ok((text_type, Bytes::from(octets).into()))
}

async fn file(
    send: &Send,
    envelope: Envelope,
    path: &Path,
    host: &str,
) -> anyhow::Result<LargeMessage> {
    let content = Content::of_file(path).await?;
    let content_type = send.content_type.as_deref();
    let content_type = content_type.unwrap_or("application/octet-stream");
    let name = path
        .file_name()
        .ok_or_else(|| anyhow!("it has no file name"))?;
    let icon = match &send.file.icon {
        None => None,
        Some(icon) => {
            let octets = tokio::fs::read(icon).await;
            let octets = octets.with_context(|| format!("its icon {}", icon.display()))?;
            Some(Icon {
                content_id: format!("{}@{host}", token::random_base62(&mut rand::rng(), 16)),
                content_type: send.file.icon_type.clone(),
                octets: octets.into(),
            })
        }
    };
    let description = FileDescription {
        name: name.to_string_lossy().into_owned(),
        sha1: match send.file.hash {
            true => Some(content.sha1().await?),
            false => None,
        },
        transfer_id: token::random_base62(&mut rand::rng(), 32),
        disposition: match send.file.attachment {
            true => Disposition::Attachment,
            false => Disposition::Inline,
        },
        icon: icon.as_ref().map(|icon| icon.content_id.clone()),
    };
    Ok(LargeMessage {
        file: Some(description),
        spelling: send.file.file_attributes.into(),
        icon,
        ..LargeMessage::new(envelope, content_type, content)
    })
}

fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// The moment so long after now.
fn later(time: Duration) -> SipDate {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.unwrap_or_default().saturating_add(time).as_secs();
    SipDate::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
