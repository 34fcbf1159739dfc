//! Posts the event log to a webhook: in order, each batch until it is taken, and remembers on disk how far it has got. What
//! a crash has it post again has the same ids.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use daemon::exit::{Code, Fatal};
use daemon::http_client::HttpClient;
use daemon::secret::Secret;
use rand::Rng as _;
use storage::Store;
use storage::model::{LogEntry, LogPosition};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{PAGE, cloud_event};
use crate::config;

/// Between the first tries of a batch; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Octets of an answer that are read; nothing in it matters.
const ANSWER_OCTETS: usize = 64 << 10;

/// The field with time and signature of a request.
const SIGNATURE: &str = "restante-signature";

/// Where and how events are posted.
pub(crate) struct Webhook {
    client: HttpClient,
    path: String,
    secret: Option<Secret>,
    timeout: Duration,
}

impl Webhook {
    /// What the configuration says; `None` if nothing is to be posted.
    ///
    /// # Errors
    /// [`Code::Config`] for a file that cannot be read.
    pub(crate) fn new(config: &config::Events) -> Result<Option<Self>, Fatal> {
        let Some(root) = config.webhook_root() else {
            return Ok(None);
        };
        let unreadable = |key: &str, path: &std::path::Path, why: String| {
            let sentence = format!("{key}: {}: {why}", path.display());
            Fatal::new(Code::Config, sentence)
        };
        let secret = match &config.webhook_secret_file {
            None => config.webhook_secret.clone(),
            Some(path) => {
                let read = Secret::from_file(path);
                Some(read.map_err(|why| unreadable("events.webhook_secret_file", path, why))?)
            }
        };
        let path = root.written_path().to_owned();
        let ca = &config.webhook_ca;
        let client = HttpClient::new(root, ca);
        let client = client.map_err(|why| unreadable("events.webhook_ca", ca, why))?;
        Ok(Some(Self {
            client,
            path,
            secret,
            timeout: config.webhook_timeout,
        }))
    }

    /// Posts until the shutdown.
    pub(crate) async fn run<S: Store>(self, store: Arc<S>, shutdown: CancellationToken) {
        let Some(log) = store.follow_events() else {
            return;
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.follow(&*store, log) => {}
        }
    }

    async fn follow<S: Store>(&self, store: &S, mut log: watch::Receiver<LogPosition>) {
        let mut cursor = None;
        loop {
            log.mark_unchanged();
            match self.post_page(store, &mut cursor).await {
                Ok(true) => {}
                Ok(false) => {
                    if log.changed().await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(event = "webhook.store_failed", %error, "no events are posted for a minute, the store fails");
                    sleep(LONGEST_PAUSE).await;
                }
            }
        }
    }

    /// Posts what is next; false if there is nothing.
    async fn post_page<S: Store>(
        &self,
        store: &S,
        cursor: &mut Option<LogPosition>,
    ) -> Result<bool, storage::StoreError> {
        let after = match *cursor {
            Some(known) => known,
            None => {
                let known = store.event_cursor().await?;
                // Whoever has never been told anything misses nothing.
                known.unwrap_or_default()
            }
        };
        let page = store.read_events(after, PAGE).await?;
        let Some(last) = page.entries.last().map(|entry| entry.position) else {
            return Ok(false);
        };
        if page.lost && after > LogPosition::default() {
            metrics::counter!("restante_webhook_gaps_total").increment(1);
            tracing::warn!(
                event = "webhook.gap",
                "events were removed before the webhook has taken them"
            );
        }
        self.post_until_taken(&page.entries).await;
        // Taken is taken, also if it cannot be written down now: only a restart has it posted again.
        *cursor = Some(last);
        store.set_event_cursor(last).await?;
        Ok(true)
    }

    async fn post_until_taken(&self, entries: &[LogEntry]) {
        let body = cloud_event::batch(entries);
        let mut pause = FIRST_PAUSE;
        loop {
            let posted = timeout(self.timeout, self.post(body.clone())).await;
            let posted = posted.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            match posted {
                Ok(()) => {
                    let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
                    metrics::counter!("restante_webhook_events_total").increment(count);
                    return;
                }
                Err(why) => {
                    metrics::counter!("restante_webhook_failures_total").increment(1);
                    tracing::warn!(event = "webhook.failed", reason = %why, pause_ms = pause.as_millis(), "the webhook does not take events");
                }
            }
            let spread = rand::rng().random_range(1.0..1.2);
            sleep(pause.mul_f64(spread)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Any 2xx takes the batch; a redirection is an error, since it may lead anywhere.
    async fn post(&self, body: Vec<u8>) -> Result<(), String> {
        let mut request = self
            .client
            .post(&self.path)
            .header("content-type", cloud_event::MEDIA_TYPE);
        if let Some(secret) = &self.secret {
            request = request.header(SIGNATURE, signature(secret, SystemTime::now(), &body));
        }
        let answer = self.client.send(request, body, ANSWER_OCTETS).await?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(format!("it answers {}", answer.status)),
        }
    }
}

/// `t=<unix seconds>,v1=<hex of HMAC-SHA-256 of "<unix seconds>.<body>">`: the time is under the signature too, so that
/// whoever checks it can refuse what was recorded and is sent again much later.
fn signature(secret: &Secret, now: SystemTime, body: &[u8]) -> String {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut signed = format!("{now}.").into_bytes();
    signed.extend_from_slice(body);
    let signature = secret.sign(&signed);
    let hex: String = signature
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    format!("t={now},v1={hex}")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use proto::v1;
    use storage::config::EventLogConfig;
    use storage::model::{Address, SystemClock};
    use storage::{MemoryStore, StoreConfig};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::convert;

    const BOB: &str = "sip:bob@example.org";

    /// A webhook that takes everything, and how often it was asked.
    async fn webhook() -> (Webhook, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut octets = vec![0; 64 << 10];
                let _ = stream.read(&mut octets).await;
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(answer).await;
            }
        });
        let config = config::Events {
            webhook: Some(format!("http://{address}/events")),
            ..config::Events::default()
        };
        let webhook = Webhook::new(&config).expect("sound");
        (webhook.expect("configured"), asked)
    }

    /// A store with one event.
    async fn store() -> MemoryStore {
        let log = EventLogConfig {
            retention: Duration::from_secs(3_600),
            entries: 10,
        };
        let config = StoreConfig {
            event_log: Some(log),
            ..StoreConfig::default()
        };
        let store = MemoryStore::new(config, SystemClock);
        let bob = store.create_account(Address::new(BOB)).await;
        bob.expect("a new one");
        let letter = v1::Deposit {
            served_user: BOB.to_owned(),
            class: v1::MessageClass::Pager.into(),
            duplicate_key: Some(v1::DuplicateKey::default()),
            parts: vec![v1::Part {
                kind: v1::PartKind::Message.into(),
                octets: b"hi".to_vec().into(),
            }],
            ..v1::Deposit::default()
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        let letter = convert::deposit(letter, deadline).expect("sound");
        let stored = store.deposit(letter).await;
        stored.expect("it works");
        store
    }

    #[tokio::test]
    async fn what_was_taken_is_not_posted_again_although_it_could_not_be_written_down() {
        let (webhook, asked) = webhook().await;
        let store = store().await;
        store.fail_syncs();
        let mut cursor = None;
        let posted = webhook.post_page(&store, &mut cursor).await;
        assert!(posted.is_err(), "the store is latched");
        assert_eq!(webhook.post_page(&store, &mut cursor).await, Ok(false));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn time_and_body_are_signed() {
        let secret = Secret::new(b"0123456789abcdef").expect("long enough");
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let one = signature(&secret, at(7), b"[]");
        // printf '7.[]' | openssl dgst -sha256 -hmac 0123456789abcdef
        assert_eq!(
            one,
            "t=7,v1=882f5e1ebb050ea1a3e45475314eb30cc00dc41b938a69208009e50259f23a18"
        );
        assert_ne!(one[4..], signature(&secret, at(8), b"[]")[4..]);
        assert_ne!(one, signature(&secret, at(7), b"[1]"));
    }
}
