//! Kill -9 of storage and edge in turn, around reports: who asked is told of each message, in the same octets however often
//! (IMD-02, P2, P3).

use std::collections::BTreeMap;
use std::time::Duration;

use proto::v1::{ReportState, ReportStatus};
use restante_tests::patience::{ANSWER, eventually};
use restante_tests::rounds::rounds;
use restante_tests::sip::{Arrival, SipText, example};
use restante_tests::{Deployment, Part, Scene, somebody, uri};
use tokio::time::timeout;

/// Kills in one test, usually.
const ROUNDS: usize = 8;
/// Messages of one round.
const MESSAGES: usize = 4;
/// What is on its way is taken, so long after the last.
const LULL: Duration = Duration::from_millis(200);

struct Reports {
    scene: Scene,
    /// By `imdn.Message-ID` and what they say: the octets without Via.
    seen: BTreeMap<(String, String), String>,
    copies: usize,
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or(rest, |(found, _)| found)
}

fn without_via(report: &SipText) -> String {
    let octets = String::from_utf8_lossy(report.octets()).into_owned();
    let lines = octets
        .split("\r\n")
        .filter(|line| !line.starts_with("Via:"));
    lines.collect::<Vec<_>>().join("\r\n")
}

impl Reports {
    async fn deposit(&mut self, round: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for number in 0..MESSAGES {
            let bob = somebody();
            let id = format!("m-{round}-{number}");
            let body = format!(
                "From: <sip:alice@example.org>\r\nTo: <{}>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
                 imdn.Message-ID: {id}\r\nimdn.Disposition-Notification: processing, negative-delivery\r\n\r\n\
                 Content-Type: text/plain\r\n\r\nhi",
                uri(&bob)
            );
            let request = example::message(&bob).body("message/cpim", body);
            self.scene.deposit(&request).await;
            let stored = self.scene.operator.only(&uri(&bob)).await;
            if number % 2 == 0 {
                let expired = self.scene.operator.expire(&stored.message_id).await;
                expired.expect("it waits");
            }
            ids.push(stored.message_id);
        }
        ids
    }

    async fn take(&mut self, arrival: &Arrival) {
        if arrival.text.method() != Some("MESSAGE") {
            return;
        }
        let text = without_via(&arrival.text);
        let id = between(&text, "<message-id>", "<").to_owned();
        let status = between(&text, "<status><", "/>").to_owned();
        let first = self
            .seen
            .entry((id, status))
            .or_insert_with(|| text.clone());
        assert_eq!(*first, text, "a copy is another report");
        self.copies += 1;
        // Whoever sent it may be gone.
        self.scene.core.reply(arrival, "200 OK", &[], "").await;
    }

    /// Takes what comes, up to `most` reports.
    async fn take_some(&mut self, most: usize) {
        for _ in 0..most {
            let Ok(arrival) = timeout(LULL, self.scene.core.next()).await else {
                return;
            };
            self.take(&arrival).await;
        }
    }

    async fn kill(&mut self, part: Part) {
        self.scene.deployment.kill(part).await;
        self.scene.deployment.launch(part).await;
        if part == Part::SipEdge {
            self.scene.reconnect().await;
        }
        let edge = self.scene.deployment.ready(Part::SipEdge);
        edge.await;
    }

    /// Whether every report about these messages has come, as far as the store knows.
    async fn are_all_sent(&self, ids: &[String]) -> bool {
        for (place, id) in ids.iter().enumerate() {
            let message = self.scene.operator.message(id).await.expect("answered");
            let reports = message.message.expect("a message").reports;
            let sent = reports
                .iter()
                .filter(|made| made.state() == ReportState::Sent);
            let sent: Vec<_> = sent.map(proto::v1::MessageReport::status).collect();
            let expected: &[ReportStatus] = match place % MESSAGES % 2 {
                0 => &[ReportStatus::Stored, ReportStatus::Failed],
                _ => &[ReportStatus::Stored],
            };
            if sent != expected {
                return false;
            }
        }
        true
    }
}

#[tokio::test]
async fn reports_survive_kills_of_storage_and_edge() {
    let plan = Deployment::two_processes()
        .set("reports.lease", "1s")
        .set("reports.sender_rate", "0");
    let mut reports = Reports {
        scene: Scene::start(plan).await,
        seen: BTreeMap::new(),
        copies: 0,
    };
    let kills = rounds(ROUNDS);
    let mut ids = Vec::new();
    for round in 0..kills {
        ids.extend(reports.deposit(round).await);
        reports.take_some(round % 4).await;
        let part = match round % 2 {
            0 => Part::Storage,
            _ => Part::SipEdge,
        };
        reports.kill(part).await;
    }
    let mut looks = 0;
    while !reports.are_all_sent(&ids).await {
        reports.take_some(100).await;
        looks += 1;
        assert!(looks < 300, "not all reports come");
    }
    let per_round = MESSAGES + MESSAGES / 2;
    assert_eq!(reports.seen.len(), kills * per_round);
    assert!(reports.copies >= reports.seen.len());
    // Nothing is left to be sent.
    eventually(ANSWER, "the last copies", async || {
        let more = reports.copies;
        reports.take_some(100).await;
        (reports.copies == more).then_some(())
    })
    .await;
    let storage = reports.scene.deployment.terminate(Part::Storage).await;
    assert!(storage.success(), "{storage}");
}
