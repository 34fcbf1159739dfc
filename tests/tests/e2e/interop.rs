//! Programs of others that know nothing of us: a phone (baresip) behind a core (Kamailio), and all of Restante behind
//! that core.

mod capture;
mod dissected;
mod groups;
mod kamailio;
mod quirks;
mod reflection;
mod replayed;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use restante_tests::patience::{START, within};
use restante_tests::process::Process;
use restante_tests::sip::fresh;
use restante_tests::{Deployment, LoopbackNet, Scene, uri};
use tokio::process;
use tokio::time::sleep;

use kamailio::{Kamailio, Passwords};

/// The host of the phone.
const PHONE: u8 = 3;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether these programs are there. Without one of them the test is left out with a word, unless
/// `REQUIRE_INTEROP=1`.
fn are_there(programs: &[&str]) -> bool {
    let is_there = |program: &&&str| Command::new(program).arg("-h").output().is_ok();
    let missing = programs.iter().filter(|program| !is_there(program));
    let missing: Vec<_> = missing.copied().collect();
    is_satisfied(&missing.join(", "), missing.is_empty())
}

/// Whether a test can go on, for which this is needed. Where it is not there, it is left out with a word, unless
/// `REQUIRE_INTEROP=1`.
fn is_satisfied(need: &str, is_there: bool) -> bool {
    let is_required = std::env::var_os("REQUIRE_INTEROP").is_some_and(|value| value == "1");
    assert!(
        is_there || !is_required,
        "REQUIRE_INTEROP=1, and this is missing: {need}"
    );
    if !is_there {
        println!("LEFT OUT: this is missing: {need}");
    }
    is_there
}

/// A program that writes its log to standard output, line by line.
fn logging(name: &str, command: &str, arguments: &[&Path]) -> Process {
    let mut shell = process::Command::new("sh");
    shell.args(["-c", &format!("exec stdbuf -oL {command} 1>&2"), name]);
    shell.args(arguments);
    Process::start(name, shell)
}

/// Waits for a line that contains this, behind the first `seen`; the number of lines up to it.
async fn line(process: &Process, seen: usize, wanted: &str) -> usize {
    let log = process.log();
    let what = format!("{wanted:?} of {}", process.name());
    within(START, &what, async {
        loop {
            let lines = log.lines();
            let mut rest = lines.iter().skip(seen);
            if let Some(found) = rest.position(|line| line.contains(wanted)) {
                return seen + found + 1;
            }
            assert!(
                log.grown(lines.len()).await > lines.len(),
                "{} ended:\n{}",
                process.name(),
                log.lines().join("\n")
            );
        }
    })
    .await
}

/// A phone with the modules that show what waits.
fn baresip(scene: &Scene, user: &str) -> Process {
    let net = scene.deployment.net();
    let core = net.host(LoopbackNet::CORE);
    let folder = scene.deployment.scratch().join("baresip");
    std::fs::create_dir(&folder).expect("a folder");
    let config = format!(
        "sip_listen {}:5070\nmodule_path /usr/lib/baresip/modules\nmodule mwi.so\n\
         module_app menu.so\nmodule_app account.so\n",
        net.host(PHONE)
    );
    let account = format!(
        "<{}>;auth_pass=secret;mwi=yes;regint=600;outbound=\"sip:{core}:5060\"\n",
        uri(user)
    );
    std::fs::write(folder.join("config"), config).expect("the configuration");
    std::fs::write(folder.join("accounts"), account).expect("the account");
    logging("baresip", "baresip -s -f \"$1\"", &[&folder])
}

#[tokio::test]
async fn baresip_behind_kamailio_shows_what_waits() {
    if !are_there(&["kamailio", "baresip", "stdbuf"]) {
        return;
    }
    // It shows documents of up to 255 octets, and nothing of longer ones.
    let plan = Deployment::all().set("mwi.headers", "Message-ID");
    let mut scene = Scene::start(plan).await;
    let user = format!("bob-{}", fresh());
    let waiting = scene.deposit_text(&user, "Lunch?").await;
    let kamailio = Kamailio::start(&scene.deployment, Passwords::Asked).await;
    let mut phone = baresip(&scene, &user);

    let mut seen = line(&phone, 0, &format!("----- MWI for {} -----", uri(&user))).await;
    seen = line(&phone, seen, "Messages-Waiting: yes").await;
    seen = line(&phone, seen, "Text-Message: 1/0 (1/0)").await;
    seen = line(&phone, seen, &waiting.message_id).await;
    let subscriptions = scene.operator.subscriptions(&uri(&user)).await;
    assert_eq!(subscriptions.len(), 1, "{subscriptions:?}");
    scene.deposit_text(&user, "Dinner?").await;
    seen = line(&phone, seen, "Text-Message: 2/0 (2/0)").await;
    scene
        .operator
        .delete(&waiting.message_id)
        .await
        .expect("it waits");
    line(&phone, seen, "Text-Message: 1/0 (1/0)").await;

    // It says goodbye, through Kamailio too.
    phone.terminate();
    phone.ended().await;
    within(START, "the end of the subscription", async {
        while !scene.operator.subscriptions(&uri(&user)).await.is_empty() {
            sleep(PAUSE).await;
        }
    })
    .await;
    kamailio.stop().await;
}
