//! Messages of msilo come in by `restantectl import msilo --csv`: with their times, in their order, each once.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::v1::{EventKind, Message};
use restante_tests::patience::{START, eventually, within};
use restante_tests::run::{Ended, command, run};
use restante_tests::{Deployment, Part, Scene, date, uri};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

const HEAD: &str = "id,src_addr,dst_addr,username,domain,inc_time,exp_time,snd_time,ctype,body,extra_hdrs,callid,status";

const HOUR: u64 = 3_600;

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

/// A row for a user, as psql writes it.
#[derive(Clone)]
struct Row {
    id: u64,
    user: String,
    src: String,
    inc: u64,
    exp: u64,
    snd: u64,
    body: String,
    extra: String,
    status: u64,
}

impl Row {
    /// That came so many hours ago and expires in a day.
    fn new(id: u64, user: &str, hours: u64, body: &str) -> Self {
        Self {
            id,
            user: user.to_owned(),
            src: "sip:alice@example.org".to_owned(),
            inc: now() - hours * HOUR,
            exp: now() + 24 * HOUR,
            snd: 0,
            body: body.to_owned(),
            extra: String::new(),
            status: 0,
        }
    }

    fn line(&self) -> String {
        let octets = self.body.bytes();
        let body: String = octets.map(|octet| format!("{octet:02x}")).collect();
        let (user, src) = (&self.user, self.src.replace('"', "\"\""));
        format!(
            "{},\"{src}\",{},{user},example.org,{},{},{},text/plain,\\x{body},\"{}\",call-{}@192.0.2.1,{}",
            self.id,
            uri(user),
            self.inc,
            self.exp,
            self.snd,
            self.extra,
            self.id,
            self.status
        )
    }
}

/// Writes a file of rows.
fn written(folder: &Path, rows: &[Row], more: &str) -> PathBuf {
    let mut text = format!("{HEAD}\n");
    for row in rows {
        writeln!(text, "{}", row.line()).expect("a string takes it");
    }
    text.push_str(more);
    let path = folder.join("silo.csv");
    std::fs::write(&path, text).expect("there is place");
    path
}

async fn import(scene: &Scene, file: &Path, more: &[&str]) -> Ended {
    let file = file.to_str().expect("a path in UTF-8");
    let arguments = [&["import", "msilo", "--csv", file], more].concat();
    scene.deployment.restantectl(&arguments).await
}

/// The only record of a command.
fn record(ended: &Ended) -> Value {
    let records = ended.records();
    assert_eq!(records.len(), 1, "{}{}", ended.output, ended.errors);
    records.into_iter().next().unwrap_or_default()
}

/// These fields of a record, as numbers.
fn counts<const N: usize>(record: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| {
        record[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {record}"))
    })
}

const COUNTED: [&str; 7] = [
    "rows",
    "imported",
    "already_there",
    "expired",
    "already_sent",
    "reminders",
    "rejected",
];

/// Of everything that a table may hold something: two messages for Bob, one for Carol, and what does not come in.
fn of_everything(first: &Row, second: &Row) -> [Row; 12] {
    [
        second.clone(),
        Row::new(11, "carol", 1, "for Carol"),
        first.clone(),
        Row {
            exp: now() - HOUR,
            ..Row::new(1, "bob", 40, "too late")
        },
        Row {
            exp: 0,
            ..Row::new(2, "bob", 40, "never had a chance")
        },
        Row {
            snd: now() + HOUR,
            ..Row::new(3, "bob", 5, "remember")
        },
        Row {
            status: 2,
            ..Row::new(5, "bob", 5, "sent")
        },
        Row {
            src: "nobody at all".to_owned(),
            ..Row::new(6, "bob", 5, "from nobody")
        },
        Row {
            inc: 0,
            ..Row::new(7, "bob", 5, "from 1970")
        },
        Row {
            inc: now() + HOUR,
            ..Row::new(8, "bob", 5, "from tomorrow")
        },
        Row {
            body: "x".repeat(70_000),
            ..Row::new(10, "bob", 5, "")
        },
        Row::new(12, "bob", 5, ""),
    ]
}

/// Rows of [`of_everything`] that are no rows.
const NO_ROWS: &str = "x,sip:a@example.org,,bob,example.org,soon,1,0,,\\x41,,,0\n13,too,short\n";

/// What is said of those that cannot come in.
const TOLD: [&str; 8] = [
    "row 6: names no sender",
    "row 7: it was accepted before 2000",
    "row 8: it was accepted in the future",
    "row 10: it has 70",
    "row 12: it has no body",
    "row x: id is no whole number",
    "row 13: it has 3 fields, and the header line has 13",
    "7 of 14 failed",
];

#[tokio::test]
async fn a_file_of_msilo_comes_in_once_with_its_times_and_in_its_order() {
    let plan = Deployment::two_processes().set("push.on_deposit", "50ms");
    let mut scene = Scene::start(plan).await;
    let folder = tempfile::tempdir().expect("a folder");
    let first = Row {
        src: "\"Alice, at home\" <sip:alice@example.org>".to_owned(),
        extra: "P-Asserted-Identity: <sip:al@example.org>\nX-Mood: fine\n".to_owned(),
        ..Row::new(9, "bob", 30, "first")
    };
    let second = Row::new(4, "bob", 20, "second, with \"quotes\"\r\nand Grüße");
    let file = written(folder.path(), &of_everything(&first, &second), NO_ROWS);
    let rejected = folder.path().join("rejected.csv");
    let rejected = rejected.to_str().expect("a path in UTF-8");
    let expected = [14, 3, 0, 2, 1, 1, 7];

    let rehearsed = import(&scene, &file, &["--dry-run", "--rejected", rejected]).await;
    let errors = &rehearsed.errors;
    assert!(!Path::new(rejected).exists(), "a dry run writes nothing");
    assert_eq!(rehearsed.code, Some(1), "{errors}");
    assert_eq!(counts(&record(&rehearsed), COUNTED), expected, "{errors}");
    let left = scene.operator.list("").await;
    assert!(left.is_empty(), "nothing has changed");

    let options = ["--rejected", rejected, "--reason", "we move"];
    let imported = import(&scene, &file, &options).await;
    let errors = &imported.errors;
    assert_eq!(imported.code, Some(1), "{errors}");
    assert_eq!(counts(&record(&imported), COUNTED), expected, "{errors}");
    for line in TOLD {
        assert!(errors.contains(line), "{line}\n{errors}");
    }
    let kept = std::fs::read_to_string(rejected).expect("a file");
    assert_eq!(kept.lines().count(), 8, "{kept}");
    let head = kept.lines().next().unwrap_or_default();
    assert!(head.ends_with("status,reason"), "{head}");
    let messages = assert_stored(&scene, &first, &second).await;
    assert_pushed(&mut scene, &[first, second], &messages).await;

    // What was delivered meanwhile does not come again, and of what was rejected nothing has become right.
    let again = record(&import(&scene, &file, &[]).await);
    assert_eq!(counts(&again, COUNTED), [14, 0, 3, 2, 1, 1, 7]);
    let corrected = kept.replace("nobody at all", "sip:dave@example.org");
    std::fs::write(&file, corrected).expect("there is place");
    let again = record(&import(&scene, &file, &[]).await);
    // The row that was too short has no time of expiry now.
    let names = ["rows", "imported", "expired", "rejected"];
    assert_eq!(counts(&again, names), [7, 1, 1, 5]);
    let received = scene.receive("bob", 1).await;
    assert_eq!(
        received.len(),
        1,
        "who is online gets it without a registration"
    );
}

/// Bob's messages are there as they came.
async fn assert_stored(scene: &Scene, first: &Row, second: &Row) -> Vec<Message> {
    let messages = scene.operator.list(&uri("bob")).await;
    let seconds = |time: Option<prost_types::Timestamp>| time.map_or(0, |time| time.seconds);
    let times = messages.iter().map(|message| {
        let [came, ends] = [message.received_at, message.expires_at].map(seconds);
        (came, ends)
    });
    let of = |row: &Row| {
        let [came, ends] = [row.inc, row.exp].map(|time| i64::try_from(time).unwrap_or(0));
        (came, ends)
    };
    assert_eq!(times.collect::<Vec<_>>(), [of(first), of(second)]);
    assert_eq!(messages[0].sender, "sip:al@example.org");
    let headers = messages[0].headers.clone().unwrap_or_default();
    let from = "\"Alice, at home\" <sip:alice@example.org>;tag=msilo-9";
    assert_eq!(headers.from, from);
    let found = scene.operator.message(&messages[0].message_id).await;
    let timeline = found.expect("it is there").timeline;
    let kinds: Vec<_> = timeline.iter().map(proto::v1::Event::kind).collect();
    assert_eq!(kinds, [EventKind::Deposited, EventKind::Imported]);
    assert_eq!(timeline[1].detail, "we move");
    assert_eq!(timeline[0].detail, "msilo, row 9");
    messages
}

/// Bob gets them in their order, and is told when they came.
async fn assert_pushed(scene: &mut Scene, rows: &[Row], messages: &[Message]) {
    scene.register("bob").await;
    let mut session = scene.accept_push("bob").await;
    for (row, message) in rows.iter().zip(messages) {
        let push = session.take().await;
        assert_eq!(push.message_id(), message.message_id);
        let came = UNIX_EPOCH + Duration::from_secs(row.inc);
        assert_eq!(push.summary().field("Date"), date::at(came));
        let original = String::from_utf8(push.original()).expect("text");
        let end = format!("\r\n\r\n{}", row.body);
        assert!(original.ends_with(&end), "{original}");
    }
    session.bye(&mut scene.core).await;
}

#[tokio::test]
async fn rows_beyond_what_a_mailbox_may_hold_are_told_also_before_it_happens() {
    let plan = Deployment::all().set("limits.mailbox_messages", "120");
    let scene = Scene::start(plan).await;
    let folder = tempfile::tempdir().expect("a folder");
    // More than fit into one call, so that a dry run has to remember.
    let bob = (0..150).map(|id| Row::new(id, "bob", 300 - id, &format!("message {id}")));
    let carol = (200..250).map(|id| Row::new(id, "carol", 301 - id, "for Carol"));
    let rows: Vec<_> = bob.chain(carol).collect();
    let file = written(folder.path(), &rows, "");
    for dry_run in [&["--dry-run"][..], &[]] {
        let ended = import(&scene, &file, dry_run).await;
        assert_eq!(ended.code, Some(1));
        let names = ["rows", "imported", "rejected"];
        assert_eq!(
            counts(&record(&ended), names),
            [200, 170, 30],
            "{}",
            ended.errors
        );
        assert!(
            ended.errors.contains("row 120: mailbox full"),
            "{}",
            ended.errors
        );
        assert!(!ended.errors.contains("row 119:"), "{}", ended.errors);
    }
    assert_eq!(scene.operator.list(&uri("bob")).await.len(), 120);
}

#[tokio::test]
async fn the_file_that_is_read_never_becomes_that_of_the_rejected_rows() {
    let scene = Scene::all().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), &[Row::new(1, "bob", 2, "")], NO_ROWS);
    let before = std::fs::read(&file).expect("a file");
    let path = file.to_str().expect("a path in UTF-8");
    for more in [
        &["--rejected", path][..],
        &["--rejected", path, "--dry-run"],
    ] {
        let ended = import(&scene, &file, more).await;
        assert_eq!(ended.code, Some(64), "{}", ended.errors);
        let told = "is the file that is read: name another one";
        assert!(ended.errors.contains(told), "{}", ended.errors);
    }
    let mut piped = importing(&scene, Path::new("-"));
    piped
        .args(["--rejected", path])
        .stdin(std::fs::File::open(&file).expect("a file"));
    let ended = within(START, "its end", piped.output()).await;
    assert_eq!(ended.expect("restantectl").status.code(), Some(64));
    assert_eq!(std::fs::read(&file).expect("a file"), before);
}

/// An import that is to be started.
fn importing(scene: &Scene, file: &Path) -> tokio::process::Command {
    let server = scene.deployment.url("storage.operator_listen");
    let mut importing = command("restantectl");
    importing
        .args(["--server", &server, "-o", "jsonl"])
        .args(["import", "msilo", "--csv"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    importing
}

#[tokio::test]
async fn ctrl_c_ends_an_import_of_which_nothing_is_sent_and_the_next_run_goes_on() {
    // More lines than a pipe takes in: it cannot be over before it is interrupted.
    const ROWS: usize = 20_000;
    let scene = Scene::all().await;
    let folder = tempfile::tempdir().expect("a folder");
    let rejected = folder.path().join("rejected.csv");
    let line = "1,nobody at all,,bob,example.org,soon,1,0,,\\x41,,,0\n";
    let file = written(folder.path(), &[], &line.repeat(ROWS));
    let mut importing = importing(&scene, &file);
    let importing = importing.arg("--rejected").arg(&rejected).spawn();
    let mut importing = importing.expect("restantectl");
    let id = importing.id().expect("it runs");
    let mut errors = BufReader::new(importing.stderr.take().expect("a pipe"));
    let mut first = String::new();
    let read = within(START, "a line", errors.read_line(&mut first)).await;
    read.expect("a line");
    assert!(first.contains("row 1: "), "{first}");
    // The shell has `kill` built in.
    let mut interrupt = tokio::process::Command::new("sh");
    interrupt.args(["-c", &format!("kill -INT {id}")]);
    run(interrupt).await.done();
    let mut told = String::new();
    let read = within(START, "the rest", errors.read_to_string(&mut told)).await;
    read.expect("text");
    let ended = within(START, "its end", importing.wait_with_output()).await;
    let ended = ended.expect("restantectl");
    assert_eq!(ended.status.code(), Some(130), "{told}");
    let record: Value = serde_json::from_slice(&ended.stdout).expect("a record");
    let [rows] = counts(&record, ["rows"]);
    assert!(rows > 0 && rows < ROWS as u64, "{record}");
    let sentence = format!("stopped after {rows} rows: interrupted; run the same command again");
    assert!(told.contains(&sentence), "{told}");
    let kept = std::fs::read_to_string(&rejected).expect("what was rejected so far");
    assert_eq!(kept.lines().count() as u64, rows + 1);
}

#[tokio::test]
async fn what_is_no_table_of_msilo_is_refused() {
    let scene = Scene::all().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("other.csv");
    std::fs::write(&file, "a,b\n1,2\n").expect("there is place");
    let ended = import(&scene, &file, &[]).await;
    assert_eq!(ended.code, Some(65), "{}", ended.errors);
    assert!(
        ended.errors.contains("lacks: id, src_addr"),
        "{}",
        ended.errors
    );
    let ended = import(&scene, &folder.path().join("none.csv"), &[]).await;
    assert_eq!(ended.code, Some(74), "{}", ended.errors);
    let postgres = [
        "import",
        "msilo",
        "--postgres",
        "postgres://127.0.0.1:1/kamailio",
    ];
    let ended = scene.deployment.restantectl(&postgres).await;
    assert_eq!(ended.code, Some(65), "{}", ended.errors);
    let neither = scene.deployment.restantectl(&["import", "msilo"]).await;
    assert_eq!(neither.code, Some(64), "{}", neither.errors);
}

#[tokio::test]
async fn kill_9_of_storage_in_an_import_leaves_each_message_once_and_in_order() {
    const USERS: u64 = 20;
    const ROWS: u64 = 4_000;
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let rows = (0..ROWS).map(|id| {
        let row = Row::new(
            id,
            &format!("user-{}", id % USERS),
            20,
            &format!("message {id}"),
        );
        Row {
            inc: row.inc + id / 3,
            ..row
        }
    });
    let file = written(folder.path(), &rows.collect::<Vec<_>>(), "");
    for killed_at in [300, 1_500] {
        let importing = importing(&scene, &file).spawn().expect("restantectl");
        let deployment = &scene.deployment;
        eventually(START, "part of the import", async || {
            let stored = deployment.operator().status().await;
            assert!(stored.ready, "{stored:?}");
            let name = r#"restante_messages_stored_total{kind="pager"}"#;
            let duplicates = r#"restante_duplicates_suppressed_total{key="import"}"#;
            let stored = deployment.counter(Part::Storage, name).await;
            let known = deployment.counter(Part::Storage, duplicates).await;
            (stored + known >= killed_at).then_some(())
        })
        .await;
        scene.deployment.kill(Part::Storage).await;
        let ended = within(START, "its end", importing.wait_with_output()).await;
        let ended = ended.expect("restantectl");
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(
            ended.status.code(),
            Some(69),
            "killed in the middle: {errors}"
        );
        assert!(errors.contains("run the same command again"), "{errors}");
        scene.deployment.launch(Part::Storage).await;
    }
    let ended = import(&scene, &file, &[]).await.done();
    let [imported, there] = counts(&record(&ended), ["imported", "already_there"]);
    assert_eq!(imported + there, ROWS);
    assert!(imported > 0 && there >= 300, "{imported} and {there}");
    let mut stored = 0;
    for user in 0..USERS {
        let messages = scene.operator.list(&uri(&format!("user-{user}"))).await;
        let rows = messages.iter().map(|message| {
            let row = message.received_from.strip_prefix("msilo, row ");
            row.and_then(|row| row.parse::<u64>().ok()).expect("a row")
        });
        let rows: Vec<_> = rows.collect();
        let expected: Vec<_> = (0..ROWS).filter(|id| id % USERS == user).collect();
        assert_eq!(rows, expected, "user-{user}");
        stored += rows.len() as u64;
    }
    assert_eq!(stored, ROWS);
}
