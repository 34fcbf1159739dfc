//! A mailbox that Kamailio's msilo has kept in PostgreSQL comes into Restante.

use std::path::Path;
use std::time::UNIX_EPOCH;

use restante_tests::patience::{START, within};
use restante_tests::run::{command, run};
use restante_tests::sip::example;
use restante_tests::{Deployment, LoopbackNet, date};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::postgres::{Postgres, programs};
use super::{PAUSE, Parent, are_there, is_satisfied, logging};

const BOB: &str = "sip:bob@example.org";

/// Starts Kamailio at the address of the core.
async fn kamailio(deployment: &Deployment) -> Parent {
    let core = deployment.net().host(LoopbackNet::CORE);
    let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("kamailio/msilo.cfg");
    let config = std::fs::read_to_string(given).expect("the configuration");
    let folder = deployment.scratch().join("kamailio");
    std::fs::create_dir(&folder).expect("a folder");
    let path = folder.join("kamailio.cfg");
    std::fs::write(&path, config.replace("HOST", &core.to_string())).expect("the configuration");
    let options = "-f \"$1\" -w \"$2\" -Y \"$2\" -P \"$2/pid\" -m 64 -M 8 -DD -E";
    let process = logging(
        "kamailio",
        &format!("kamailio {options}"),
        &[&path, &folder],
    );
    let started = Parent(Some(process));
    within(START, "Kamailio", async {
        while TcpStream::connect((core, 5060)).await.is_err() {
            sleep(PAUSE).await;
        }
    })
    .await;
    started
}

/// Has Kamailio keep a message for a user who is offline.
async fn send(deployment: &Deployment, sender: &str, user: &str, text: &str) {
    let core = deployment.net().host(LoopbackNet::CORE);
    let proxy = format!("sip:{core}:5060;transport=tcp");
    let mut client = command("im-client");
    client.args(["--user", sender, "--proxy", &proxy, "send", user, text]);
    assert_eq!(run(client).await.done().output, "202 Accepted\n");
}

/// The only record of an import.
async fn import(deployment: &Deployment, more: &[&str]) -> Value {
    let arguments = [&["import", "msilo"], more].concat();
    let records = deployment.restantectl(&arguments).await.done().records();
    assert_eq!(records.len(), 1, "{records:?}");
    records.into_iter().next().unwrap_or_default()
}

#[tokio::test]
async fn a_mailbox_of_kamailio_in_postgresql_is_imported_and_delivered() {
    let Some(programs) = programs() else {
        is_satisfied("PostgreSQL, and kamailio-postgres-modules", false);
        return;
    };
    if !are_there(&["kamailio", "stdbuf", "setpriv"]) {
        return;
    }
    let deployment = Deployment::all().start().await;
    let core = deployment.net().host(LoopbackNet::CORE);
    let postgres = Postgres::start(programs, core).await;
    let kept = kept_by_kamailio(&deployment, &postgres).await;

    let url = postgres.url();
    let foreseen = import(&deployment, &["--postgres", &url, "--dry-run"]).await;
    let imported = import(&deployment, &["--postgres", &url, "--reason", "we move"]).await;
    for (record, dry_run) in [(&foreseen, true), (&imported, false)] {
        assert_eq!(record["dry_run"], dry_run);
        let counts = ["rows", "imported", "expired", "reminders"].map(|name| &record[name]);
        assert_eq!(counts, [6, 4, 1, 1], "{record}");
    }

    // The same rows as a file of psql are there already.
    let csv = deployment.scratch().join("silo.csv");
    let copied = postgres
        .sql("kamailio", "COPY silo TO STDOUT WITH CSV HEADER")
        .await;
    std::fs::write(&csv, copied).expect("there is place");
    let again = import(&deployment, &["--csv", csv.to_str().expect("UTF-8")]).await;
    let counts = ["imported", "already_there"].map(|name| &again[name]);
    assert_eq!(counts, [0, 4], "{again}");
    postgres.stop().await;
    assert_stored(&deployment, &kept).await;
    assert_received(&deployment, &kept).await;
}

/// What Alice writes to Bob.
const TEXTS: [&str; 3] = ["Lunch at noon?", "Grüße, and \\x41 \"quotes\"", "third"];

/// Has Kamailio keep six messages, and says when each has come and ends.
async fn kept_by_kamailio(deployment: &Deployment, postgres: &Postgres) -> Vec<[i64; 2]> {
    let kamailio = kamailio(deployment).await;
    for text in TEXTS {
        send(deployment, example::ALICE, BOB, text).await;
    }
    let (carol, dave) = ("sip:carol@example.org", "sip:dave@example.org");
    send(deployment, carol, dave, "Hello Dave").await;
    send(deployment, carol, BOB, "too late").await;
    kamailio.stop().await;
    // The messages came some hours ago, one of them with a lifetime that is over, and one is a reminder.
    let statements = [
        "UPDATE silo SET inc_time = inc_time - 36000 + 3600 * id",
        "UPDATE silo SET exp_time = inc_time + 60 WHERE id = 5",
        "INSERT INTO silo (src_addr, dst_addr, username, domain, inc_time, exp_time, snd_time, body) SELECT src_addr, dst_addr, \
         username, domain, inc_time, exp_time, exp_time, body FROM silo WHERE id = 1",
    ];
    for statement in statements {
        postgres.sql("kamailio", statement).await;
    }
    let times = "SELECT inc_time, exp_time FROM silo ORDER BY id";
    let kept = postgres.sql("kamailio", times).await;
    let kept: Vec<_> = kept
        .lines()
        .map(|line| {
            let (came, ends) = line.split_once('|').expect("two columns");
            [came, ends].map(|number| number.parse().expect("a number"))
        })
        .collect();
    assert_eq!(kept.len(), 6, "{kept:?}");
    kept
}

/// Bob's messages are there as they came.
async fn assert_stored(deployment: &Deployment, kept: &[[i64; 2]]) {
    let operator = deployment.operator();
    let listed = operator.list(BOB).await;
    let seconds = |time: Option<prost_types::Timestamp>| time.map_or(0, |time| time.seconds);
    let times = listed
        .iter()
        .map(|message| [message.received_at, message.expires_at].map(seconds));
    assert_eq!(times.collect::<Vec<_>>(), kept[..3]);
    let mut senders = listed.iter().map(|message| &message.sender);
    assert!(senders.all(|sender| sender == example::ALICE));
    // What Kamailio has kept beside the body comes along.
    let request = operator.request_octets(&listed[0].message_id).await;
    let request = String::from_utf8(request).expect("text");
    let along = format!("\r\nP-Preferred-Identity: <{}>\r\n", example::ALICE);
    assert!(request.contains(&along), "{request}");
}

/// Bob gets them in their order, and is told when they came.
async fn assert_received(deployment: &Deployment, kept: &[[i64; 2]]) {
    let arguments = ["receive", "--count", "3", "--for", "30s", "--json"];
    let received = run(deployment.im_client(BOB, &arguments)).await;
    let received = received.done().records();
    let bodies = received
        .iter()
        .map(|message| message["body"].as_str().unwrap_or_default());
    assert_eq!(bodies.collect::<Vec<_>>(), TEXTS);
    for (message, [inc_time, _]) in received.iter().zip(kept) {
        let came = message["received_at"].as_str().expect("a time");
        let came = date::parse(came).expect("a date");
        let came = came.duration_since(UNIX_EPOCH).expect("after 1970");
        assert_eq!(i64::try_from(came.as_secs()), Ok(*inc_time), "{message}");
    }
}
