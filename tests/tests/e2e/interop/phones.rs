//! Phones (baresip) behind Kamailio: they know nothing of messages that wait, but what a core tells any phone.

use std::net::SocketAddr;

use proto::v1::MessageState;
use restante_tests::patience::{START, eventually, within};
use restante_tests::process::Process;
use restante_tests::sip::fresh;
use restante_tests::{Deployment, LoopbackNet, Scene, uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::kamailio::{Kamailio, Passwords};
use super::site::Site;
use super::{PAUSE, are_there, line, logging};

/// Hosts of phones.
const PHONE: u8 = 3;
const OTHER_PHONE: u8 = 4;

/// The port at which a phone takes commands.
const COMMANDS: u16 = 4444;

/// A running phone.
struct Phone {
    process: Process,
    commands: SocketAddr,
}

impl Phone {
    /// A phone of this user, at this host behind the core, with these parameters of its account and somebody to
    /// write to.
    async fn start(
        deployment: &Deployment,
        host: u8,
        user: &str,
        parameters: &str,
        contact: &str,
    ) -> Self {
        let net = deployment.net();
        let (core, own) = (net.host(LoopbackNet::CORE), net.host(host));
        let folder = deployment.scratch().join(format!("baresip-{host}"));
        std::fs::create_dir(&folder).expect("a folder");
        let config = format!(
            "sip_listen {own}:5070\nmodule_path /usr/lib/baresip/modules\nmodule mwi.so\nmodule contact.so\n\
             module_app menu.so\nmodule_app account.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen {own}:{COMMANDS}\n"
        );
        let account = format!(
            "<{}>;auth_pass=secret;regint=600;outbound=\"sip:{core}:5060\"{parameters}\n",
            uri(user)
        );
        for (file, text) in [
            ("config", config),
            ("accounts", account),
            ("contacts", format!("\"Other\" <{contact}>\n")),
        ] {
            std::fs::write(folder.join(file), text).expect("writable");
        }
        let process = logging("baresip", "baresip -s -f \"$1\"", &[&folder]);
        Self {
            process,
            commands: (own, COMMANDS).into(),
        }
    }

    /// Waits for a line with this text behind the first `seen`; the number of lines up to it.
    async fn line(&self, seen: usize, wanted: &str) -> usize {
        line(&self.process, seen, wanted).await
    }

    /// Writes to the one it may write to.
    async fn write(&self, text: &str) {
        let mut connection = within(START, "the commands of baresip", async {
            loop {
                match TcpStream::connect(self.commands).await {
                    Ok(connection) => return connection,
                    Err(_) => sleep(PAUSE).await,
                }
            }
        })
        .await;
        let command = serde_json::json!({"command": "message", "params": text, "token": "1"});
        let command = command.to_string();
        let command = format!("{}:{command},", command.len());
        connection
            .write_all(command.as_bytes())
            .await
            .expect("it listens");
        let mut answer = vec![0; 1_024];
        let length = connection.read(&mut answer).await.expect("it answers");
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.contains("\"ok\":true"), "{answer}");
    }

    /// It says goodbye.
    async fn stop(mut self) {
        self.process.terminate();
        self.process.ended().await;
    }
}

#[tokio::test]
async fn baresip_behind_kamailio_shows_what_waits() {
    if !are_there(&["kamailio", "baresip", "stdbuf"]) {
        return;
    }
    // It shows documents of up to 255 octets, and nothing of longer ones.
    let plan = Deployment::all()
        .set("mwi.headers", "Message-ID")
        .set("delivery.mode", "session");
    let mut scene = Scene::start(plan).await;
    let user = format!("bob-{}", fresh());
    let waiting = scene.deposit_text(&user, "Lunch?").await;
    let kamailio = Kamailio::start(&scene.deployment, Passwords::Asked).await;
    let phone = Phone::start(&scene.deployment, PHONE, &user, ";mwi=yes", "").await;

    let mut seen = phone
        .line(0, &format!("----- MWI for {} -----", uri(&user)))
        .await;
    seen = phone.line(seen, "Messages-Waiting: yes").await;
    seen = phone.line(seen, "Text-Message: 1/0 (1/0)").await;
    seen = phone.line(seen, &waiting.message_id).await;
    let subscriptions = scene.operator.subscriptions(&uri(&user)).await;
    assert_eq!(subscriptions.len(), 1, "{subscriptions:?}");
    scene.deposit_text(&user, "Dinner?").await;
    seen = phone.line(seen, "Text-Message: 2/0 (2/0)").await;
    scene
        .operator
        .delete(&waiting.message_id)
        .await
        .expect("it waits");
    phone.line(seen, "Text-Message: 1/0 (1/0)").await;

    // It says goodbye, through Kamailio too.
    phone.stop().await;
    within(START, "the end of the subscription", async {
        while !scene.operator.subscriptions(&uri(&user)).await.is_empty() {
            sleep(PAUSE).await;
        }
    })
    .await;
    kamailio.stop().await;
}

#[tokio::test]
async fn baresip_sends_and_receives_messages_behind_kamailio() {
    if !are_there(&["kamailio", "baresip", "stdbuf"]) {
        return;
    }
    let site = Site::start(Passwords::Asked).await;
    let (alice, bob) = (format!("alice-{}", fresh()), format!("bob-{}", fresh()));
    let at_alice = Phone::start(&site.deployment, PHONE, &alice, "", &uri(&bob)).await;
    let mut seen = at_alice.line(0, "200 OK").await;

    // Bob is away: what she writes waits for him.
    at_alice.write("Lunch at noon?").await;
    seen = at_alice.line(seen, "SIP/2.0 202 Accepted").await;
    let operator = site.deployment.operator();
    let waiting = operator.only(&uri(&bob)).await;
    assert_eq!(waiting.sender, uri(&alice), "as the core asserts");
    assert_eq!(waiting.state(), MessageState::Stored);

    // He is back: his phone shows it, by MESSAGE, for it registers no other ability.
    let at_bob = Phone::start(&site.deployment, OTHER_PHONE, &bob, "", &uri(&alice)).await;
    let shown = at_bob.line(0, "Lunch at noon?").await;
    operator
        .until(&waiting.message_id, MessageState::Delivered)
        .await;

    // Both are there: nobody needs us.
    at_bob.write("Yes, at one.").await;
    at_bob.line(shown, "SIP/2.0 200 OK").await;
    at_alice.line(seen, "Yes, at one.").await;
    assert_eq!(operator.list(&uri(&alice)).await, []);

    // He leaves, and the edge hears of it.
    at_bob.stop().await;
    eventually(START, "the end of his registration", async || {
        let mailbox = operator.mailbox(&uri(&bob)).await.ok()?;
        mailbox.bindings.is_empty().then_some(())
    })
    .await;
    at_alice.stop().await;
    site.kamailio.stop().await;
}
