//! Deposits per second through one stream: client, gRPC, service and RocksDB in one process.
//!
//! `cargo bench -p restante-service --bench deposit_stream`. Bodies of 300 octets, 100,000
//! mailboxes; closed loop with as many callers as each line says, ten seconds each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use daemon::readiness::Readiness;
use restante_service::{App, Config};
use storage_client::deposit::DuplicateKey;
use storage_client::message::{Class, Headers, Part, PartKind, Priority};
use storage_client::{ClientConfig, Deposit, DepositAnswer, StorageClient};
use tokio_util::sync::CancellationToken;

const TIME: Duration = Duration::from_secs(10);
const MAILBOXES: u64 = 100_000;
const CALLERS: [usize; 3] = [64, 512, 2_048];

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::default();
    config.process.listen = ([127, 0, 0, 1], 0).into();
    config.process.operator_listen = ([127, 0, 0, 1], 0).into();
    config.process.data_dir = folder.path().join("data");
    let app = App::build(config, &Readiness::new())
        .await
        .expect("a store");
    let address = format!("http://{}", app.data_address().expect("bound"));
    let stop = CancellationToken::new();
    let service = tokio::spawn(app.run(stop.clone()));
    let client = StorageClient::connect(ClientConfig::new(address, "bench"));
    let numbers = Arc::new(AtomicU64::new(0));
    println!(
        "{:>8} {:>12} {:>10} {:>12}",
        "callers", "deposits/s", "failed", "mean ms"
    );
    for callers in CALLERS {
        measure(&client, &numbers, callers).await;
    }
    stop.cancel();
    service.await.expect("no panic").expect("a clean end");
}

async fn measure(client: &StorageClient, numbers: &Arc<AtomicU64>, callers: usize) {
    let begun = Instant::now();
    let loops = (0..callers).map(|_| {
        let (client, numbers) = (client.clone(), Arc::clone(numbers));
        tokio::spawn(async move {
            let (mut stored, mut failed) = (0_u32, 0_u32);
            while begun.elapsed() < TIME {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                match client.deposit(message(number)).await {
                    Ok(DepositAnswer::Deposited(_)) => stored += 1,
                    _ => failed += 1,
                }
            }
            (stored, failed)
        })
    });
    let loops: Vec<_> = loops.collect();
    let (mut stored, mut failed) = (0, 0);
    for caller in loops {
        let (more, wrong) = caller.await.expect("no panic");
        stored += more;
        failed += wrong;
    }
    let rate = f64::from(stored) / begun.elapsed().as_secs_f64();
    let callers_count = u32::try_from(callers).unwrap_or(u32::MAX);
    let mean = f64::from(callers_count) / rate * 1_000.0;
    println!("{callers:>8} {rate:>12.0} {failed:>10} {mean:>12.2}");
}

fn message(number: u64) -> Deposit {
    let served_user = format!("sip:user{}@example.org", number % MAILBOXES);
    let head = format!("MESSAGE {served_user} SIP/2.0\r\nCall-ID: {number}\r\n\r\n");
    let octets = format!("{head}{number:0>300}");
    Deposit {
        served_user,
        sender: Some(format!("sip:sender{}@example.org", number % 1_000)),
        sender_exempt: false,
        class: Class::Pager,
        priority: Priority::Normal,
        is_text: true,
        headers: Headers {
            from: "<sip:sender@example.org>;tag=1".to_owned(),
            to: "<sip:user@example.org>".to_owned(),
            call_id: number.to_string(),
            content_type: "text/plain".to_owned(),
            ..Headers::default()
        },
        duplicate_key: DuplicateKey {
            method: "MESSAGE".to_owned(),
            from_tag: "1".to_owned(),
            call_id: number.to_string(),
            cseq: 1,
        },
        imdn_key: None,
        body_octets: 300,
        body_offset: u64::try_from(head.len()).unwrap_or_default(),
        parts: vec![Part {
            kind: PartKind::Message,
            octets: octets.into(),
        }],
        lifetime: None,
        received_from: "udp 192.0.2.1:5060".to_owned(),
        report_request: None,
        traceparent: None,
        leg: None,
    }
}
